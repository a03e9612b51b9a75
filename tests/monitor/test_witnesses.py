from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from otium.notes import Cosigner, Signer
from otium.records import Instant
from published import Published, day, entry, serving

Look = Callable[..., dict[str, Any]]


@pytest.fixture
def seen(published: Published, witnesses: list[Cosigner]) -> Published:
    """A log of 6 entries, a day apart, that two witnesses saw at 3 and at 5 entries."""
    published.append(*[entry("archive.created", "house", 0)])
    published.append(*[entry("heartbeat", "house", n) for n in (1, 2)])
    published.witness(day(2), *witnesses[:2])
    published.append(*[entry("heartbeat", "house", n) for n in (3, 4)])
    published.witness(day(4), *witnesses[:2])
    return published.append(entry("heartbeat", "house", 5))


@pytest.fixture
def trusting(tmp_path: Path, witnesses: list[Cosigner]) -> Callable[..., list[str]]:
    """Return the options that name a policy: witnesses a, b, c by one kind of key, a quorum."""

    def options(quorum: str, kind: int = 0, log: str = "") -> list[str]:
        lines = [f"witness {n} {w.vkeys[kind]}" for n, w in zip("abc", witnesses, strict=True)]
        path = tmp_path / f"policy-{kind}"
        head = f"# whom we believe\n\n{log}\n"
        path.write_text(head + "\n".join([*lines, *quorum.split(";")]) + "\n")
        return ["--policy", str(path)]

    return options


Trusting = Callable[..., list[str]]


@pytest.mark.parametrize("kind", [0, 1])
def test_what_a_quorum_saw_is_said_with_its_time(
    seen: Published, look: Look, trusting: Trusting, kind: int
) -> None:
    options = [*seen.keys, *trusting("group g 2 a b c;quorum g", kind), "--now", day(6)]
    found = look(seen.folder, *options)
    assert found["verified"]
    assert found["witnesses"] == {
        "asked": True,
        "late": False,
        "seen": [
            {"size": 3, "at": day(2), "by": ["a", "b"]},
            {"size": 5, "at": day(4), "by": ["a", "b"]},
        ],
    }
    with serving(seen.folder) as url:
        assert look(url, *options)["witnesses"] == found["witnesses"]


def test_the_log_s_key_may_come_from_the_policy(
    seen: Published, look: Look, trusting: Trusting
) -> None:
    log = f"log {seen.signer.vkeys[1]} https://house.example/log"
    found = look(seen.folder, *trusting("quorum a", log=log), "--now", day(6))
    assert found["verified"]
    stranger = f"log {Signer.generate('house.example/log').vkey}"
    found = look(seen.folder, *trusting("quorum a", log=stranger), "--now", day(6))
    assert "no log of --policy signed it" in found["problems"][0]


@pytest.mark.parametrize("quorum", ["group g all a b c;quorum g", "quorum c"])
def test_a_log_that_no_quorum_saw_is_not_verified(
    seen: Published, look: Look, trusting: Trusting, quorum: str
) -> None:
    found = look(seen.folder, *seen.keys, *trusting(quorum), "--now", day(6))
    assert found["exit_code"] == 2
    assert "no quorum of --policy has witnessed it" in found["problems"][0]
    assert "2 kept checkpoints do not have the quorum" in found["notes"][-1]


def test_the_quorum_may_be_none(seen: Published, look: Look, trusting: Trusting) -> None:
    found = look(seen.folder, *seen.keys, *trusting("quorum none"), "--now", day(6))
    assert found["verified"]


def test_a_quorum_too_long_ago_is_exit_code_1(
    seen: Published, look: Look, trusting: Trusting
) -> None:
    options = [*seen.keys, *trusting("quorum a"), "--now", day(6), "--witnessed-within"]
    assert look(seen.folder, *options, "2")["exit_code"] == 0
    late = look(seen.folder, *options, "1.9")
    assert (late["exit_code"], late["witnesses"]["late"]) == (1, True)
    assert "not witnessed lately" in late["summary"]


def test_what_was_cosigned_in_the_future_does_not_count(
    published: Published, look: Look, trusting: Trusting, witnesses: list[Cosigner]
) -> None:
    published.append(entry("archive.created", "house", 0))
    published.witness(Instant("2999-01-01T00:00:00Z"), witnesses[0])
    found = look(published.folder, *published.keys, *trusting("quorum a"))
    assert (found["exit_code"], found["witnesses"]["seen"]) == (2, [])
    assert "of the future" in found["notes"][0]


def test_no_sampled_bit_of_a_cosigned_checkpoint_can_change(
    seen: Published, look: Look, trusting: Trusting
) -> None:
    chance = random.Random(7)
    path = seen.log / "witnessed" / "3"
    good = path.read_bytes()
    lines = good.decode().splitlines(keepends=True)
    begins = [good.index(line.encode()) for line in lines if line.startswith("—")]
    for kind in (0, 1):
        options = [*seen.keys, *trusting("quorum a", kind), "--now", day(6)]
        whole = look(seen.folder, *options)["witnesses"]["seen"]
        for _ in range(60):
            at = chance.randrange(len(good))
            path.write_bytes(
                good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :]
            )
            found = look(seen.folder, *options)
            if found["verified"]:  # a line of a key that nobody asked about, or that became one
                assert at >= begins[2]
                assert all(row in whole for row in found["witnesses"]["seen"])
        path.write_bytes(good)


def test_a_witnessed_checkpoint_of_another_history_is_refused(
    seen: Published, look: Look, trusting: Trusting, tmp_path: Path, witnesses: list[Cosigner]
) -> None:
    fork = Published(tmp_path / "fork", seen.signer)
    fork.append(*[entry("heartbeat", "house", n) for n in range(4)])
    made = fork.witness(day(4), *witnesses)
    (seen.log / "witnessed" / "4").write_bytes(made.read_bytes())
    found = look(seen.folder, *seen.keys, *trusting("quorum a"), "--now", day(6))
    assert "log/witnessed/4: the log was another one then" in found["problems"][0]
    (seen.log / "witnessed" / "4").rename(seen.log / "witnessed" / "2")
    found = look(seen.folder, *seen.keys, *trusting("quorum a"), "--now", day(6))
    assert "of another size than its name" in found["problems"][0]


@pytest.mark.parametrize("asked", [True, False])
def test_a_witnessed_checkpoint_that_the_log_does_not_reach_shows_a_rollback(
    asked: bool, seen: Published, look: Look, tmp_path: Path, witnesses: list[Cosigner]
) -> None:
    made, shorter = seen.witness(day(5), *witnesses), Published(tmp_path / "short", seen.signer)
    shorter.append(*seen.ledger.entries()[:5])
    (shorter.log / "witnessed").mkdir()
    (shorter.log / "witnessed" / "6").write_bytes(made.read_bytes())
    policy = tmp_path / "policy"
    policy.write_text(f"witness a {key_of(witnesses[0])}\nquorum a\n")
    options = ["--policy", str(policy)] if asked else []
    found = look(shorter.folder, *seen.keys, *options, "--now", day(6))
    assert "log/witnessed/6: the log was another one then" in found["problems"][0]


def test_an_entry_that_was_seen_before_its_time_is_refused(
    published: Published, look: Look, trusting: Trusting, witnesses: list[Cosigner]
) -> None:
    published.append(entry("archive.created", "house", 0, clock="system"))
    published.append(entry("heartbeat", "house", 30))
    published.witness(day(20), witnesses[0])
    options = [*published.keys, *trusting("quorum a"), "--now", day(40)]
    (problem,) = look(published.folder, *options)["problems"]
    assert "log, entry 1: it claims 2026-01-31" in problem
    assert "witnesses saw it at 2026-01-21" in problem


def test_an_entry_dated_before_a_log_that_lacks_it_is_noted(
    seen: Published, look: Look, trusting: Trusting, witnesses: list[Cosigner]
) -> None:
    seen.witness(day(50), *witnesses)
    seen.append(entry("heartbeat", "house", 6))
    found = look(seen.folder, *seen.keys, *trusting("quorum a"), "--now", day(51))
    assert found["verified"]
    assert any("entry 6 claims 2026-01-07" in note for note in found["notes"])


def test_of_a_simulated_clock_no_witness_can_tell(
    published: Published, look: Look, trusting: Trusting, witnesses: list[Cosigner]
) -> None:
    published.append(entry("archive.created", "house", 90, clock="simulated"))
    published.witness(day(2), witnesses[0])
    found = look(published.folder, *published.keys, *trusting("quorum a"))
    assert found["verified"]
    assert "its clock is simulated" in found["notes"][0]


def test_time_stamps_are_listed_and_not_verified(seen: Published, look: Look) -> None:
    names = [f"log/timestamps/6/{number}-tsa-{number}.tsr" for number in (1, 2)]
    for name in names:
        path = seen.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"anything")
    found = look(seen.folder, *seen.keys, "--now", day(6))
    assert (found["verified"], found["counts"]["timestamps"]) == (True, names)


@pytest.mark.parametrize(
    "name", ["6/2-a.tsr", "7/1-a.tsr", "6/1-A.tsr", "6/01-a.tsr", "06/1-a.tsr"]
)
def test_time_stamps_of_other_names_are_refused(seen: Published, look: Look, name: str) -> None:
    path = seen.log / "timestamps" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"anything")
    assert look(seen.folder, *seen.keys)["exit_code"] == 2


def adopting(published: Published, *lines: str) -> Published:
    """Adopt a policy for witnesses in a log."""
    text = "\n".join([*lines, ""])
    return published.append(entry("witnesses.adopted", "house", 0, policy=text))


def test_without_a_policy_the_witnesses_that_the_log_names_are_asked(
    published: Published, look: Look, witnesses: list[Cosigner]
) -> None:
    adopting(published, f"witness a {key_of(witnesses[0])}", "quorum a")
    published.witness(day(1), witnesses[0])
    found = look(published.folder, *published.keys, "--now", day(2))
    assert found["witnesses"]["seen"] == [{"size": 1, "at": day(1), "by": ["a"]}]
    assert found["witnesses"]["asked"] is False


def test_a_policy_that_the_log_adopted_and_cannot_be_read_is_said(
    published: Published, look: Look
) -> None:
    found = look(adopting(published, "quorum nobody").folder, *published.keys)
    assert found["verified"]
    assert "the policy for witnesses of 2026-01-01T00:00:00Z is malformed" in found["notes"]


# Policies


def key_of(witness: Cosigner) -> str:
    return witness.vkeys[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "one quorum"),
        ("quorum none\nquorum none\n", "one quorum"),
        ("quorum a\n", "not understood"),
        ("witness a KEY_A\nwitness a KEY_B\nquorum a\n", "not understood"),
        ("witness none KEY_A\nquorum none\n", "not understood"),
        ("witness a KEY_A\nwitness b KEY_A\nquorum a\n", "twice"),
        ("witness a LOG\nquorum a\n", "kind"),
        ("log KEY_A\nquorum none\n", "kind"),
        ("witness a KEY_A\ngroup g 2 a\nquorum g\n", "threshold"),
        ("witness a KEY_A\ngroup g 0 a\nquorum g\n", "threshold"),
        ("witness a KEY_A\ngroup g 01 a\nquorum g\n", "threshold"),
        ("witness a KEY_A\ngroup g any a a\nquorum g\n", "member"),
        ("witness a KEY_A\ngroup g any a\ngroup h any a\nquorum g\n", "member"),
        ("group g any none\nquorum g\n", "member"),
        ("group g any h\ngroup h any g\nquorum g\n", "member"),
        ("group g any\nquorum none\n", "not understood"),
        ("witness a KEY_A\r\nquorum a\n", "control"),
        ("people a\nquorum none\n", "not understood"),
    ],
)
def test_a_policy_that_c2sp_does_not_allow_is_refused(
    monitor: ModuleType, witnesses: list[Cosigner], text: str, why: str
) -> None:
    words = {"KEY_A": key_of(witnesses[0]), "KEY_B": key_of(witnesses[1])}
    for name, vkey in {**words, "LOG": Signer.generate("house.example/log").vkey}.items():
        text = text.replace(name, vkey)
    with pytest.raises(monitor.Problem, match=why):
        monitor.read_policy_file(text.encode())


def test_a_policy_that_cannot_be_read_is_named(seen: Published, look: Look, tmp_path: Path) -> None:
    path = tmp_path / "policy"
    assert look(seen.folder, *seen.keys, "--policy", str(path))["exit_code"] == 2
    path.write_text("quorum a\n")
    (problem, *_) = look(seen.folder, *seen.keys, "--policy", str(path))["problems"]
    assert problem == f"{path}: this line is not understood: quorum a"


def test_groups_of_groups_are_counted_as_c2sp_says(
    monitor: ModuleType, witnesses: list[Cosigner]
) -> None:
    a, b, c = (monitor.read_key(key_of(one), (4,)) for one in witnesses)
    lines = [f"witness {n} {key_of(w)}" for n, w in zip("abc", witnesses, strict=True)]
    text = "\n".join([*lines, "group x any a b", "\tgroup  y all x c ", "quorum y", ""])
    policy = monitor.read_policy_file(text.encode())
    met = [policy.met(who) for who in ([a, b], [c], [a, c], [b, c], [a, b, c], [])]
    assert met == [False, False, True, True, True, False]
    assert policy.reached({a: 5, b: 3, c: 4}) == 4
    assert policy.reached({a: 5, c: 9}) == 9
    assert policy.reached({a: 5, c: 0}) is None
