"""The commands without Ray: the same work in one process."""

from __future__ import annotations

from pathlib import Path

from cli.said import Say


def registered(say: Say, *names: str) -> None:
    assert say("archive", "create").code == 0
    for name in names:
        said = say("model", "register", name, "--title", name, "--released", "2026-01-05")
        assert said.code == 0, said.err


def test_a_deposit_says_first_what_it_would_do_and_then_does_it_once(
    say: Say, weights: Path
) -> None:
    registered(say, "smol-1")
    wanted = (f"smol-1={weights}", f"smol-2={weights}")
    plan = say("scale", "deposit", *wanted, "--dry-run")
    assert "to be kept" in plan.out
    assert "not registered" in plan.out
    first = say("scale", "deposit", *wanted, "--json")
    assert first.code == 9
    kept, failed = first.json
    assert kept["weights"].startswith("sha256:")
    assert failed["failure"]["type"] == "UnknownModel"
    assert say("scale", "deposit", wanted[0], "--json").json == [kept]
    assert say("ledger", "show").out.count("model.deposited") == 1


def test_what_is_to_be_deposited_may_stand_in_a_list(
    say: Say, weights: Path, tmp_path: Path
) -> None:
    registered(say, "smol-1")
    listed = tmp_path / "models.txt"
    listed.write_text(f"smol-1={weights}\n")
    assert say("scale", "deposit", "--list", listed).code == 0
    assert say("scale", "deposit").code == 2


def test_a_scrub_finds_what_a_scrub_alone_finds(say: Say, weights: Path, tmp_path: Path) -> None:
    registered(say, "smol-1")
    assert say("archive", "add", "smol-1", weights).code == 0
    left = say("scale", "scrub", "--dry-run", "--json").json["files"]
    whole = say("scale", "scrub", "--json").json
    assert (whole["read"], whole["damage"], whole["position"]["rounds"]) == (left, [], 1)
    pack = min((tmp_path / "lab/archive/packs").rglob("*.pack"))
    pack.write_bytes(b"!" + pack.read_bytes()[1:])
    found = say("scale", "scrub", "--json")
    assert found.code == 21
    alone = say("archive", "scrub", "--json")
    assert found.json["damage"] == alone.json["damage"]
    assert (found.json["read"], alone.json["position"]["rounds"]) == (alone.json["read"], 3)


def test_replicas_are_planned_without_ray(say: Say, weights: Path) -> None:
    registered(say, "smol-1")
    assert say("archive", "add", "smol-1", weights).code == 0
    said = say("scale", "serve", "--dry-run", "--replicas", 3, "--models", 2)
    assert "1 model, at most 6 up at once" in said.out
