from __future__ import annotations

import ast
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audited import PROGRAM, House
from otium.commitments import standing
from otium.notes import Cosigner, Signer
from otium.records import ModelId
from otium.store import LocalStore

Look = Callable[..., dict[str, Any]]
KINDS = (
    "packs/",
    "recipes/",
    "models/",
    "log/tile/entries/",
    "log/tile/0/",
    "log/tile/1/",
    "log/checkpoint",
    "archive.json",
    "archive.json.sha256",
    "0=otium_archive_1",
    "README.txt",
    "SPEC.md",
    "recover.py",
    "monitor.py",
    "reference/",
)


def both(house: House) -> list[str]:
    """Return the options that name both keys of the house's log."""
    return [word for vkey in house.signer.vkeys for word in ("--key", vkey)]


def names(archive: Path) -> list[str]:
    return sorted(p.relative_to(archive).as_posix() for p in archive.rglob("*") if p.is_file())


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# As a program


def test_it_runs_isolated_on_a_good_archive_and_on_its_home(shared: House) -> None:
    for path in (shared.archive, shared.home):
        done = run(path, "--key", shared.vkey)
        assert (done.returncode, done.stderr) == (0, "")
        assert "300 entries of house.example/log" in done.stdout
        assert all("+".join(vkey.split("+")[:2]) in done.stdout for vkey in shared.signer.vkeys)
        assert "all verified; commitments: " in done.stdout


def test_the_copy_in_the_archive_is_this_program_and_verifies_its_archive(shared: House) -> None:
    copy = shared.archive / "monitor.py"
    assert copy.read_bytes() == PROGRAM.read_bytes()
    command = [sys.executable, "-I", "-S", str(copy), str(shared.archive)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_without_a_key_it_says_that_the_archive_vouches_for_itself(shared: House) -> None:
    assert "vouches for itself" in run(shared.archive).stdout
    assert "vouches for itself" not in run(shared.archive, "--key", shared.vkey).stdout


def test_it_imports_only_the_standard_library() -> None:
    for node in ast.walk(ast.parse(PROGRAM.read_text())):
        if isinstance(node, ast.Import):
            names = {name.name.partition(".")[0] for name in node.names}
            assert names <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            assert str(node.module).partition(".")[0] in sys.stdlib_module_names
            assert node.level == 0


def test_it_uses_no_syntax_or_method_newer_than_python_3_8() -> None:
    text = PROGRAM.read_text()
    ast.parse(text, feature_version=(3, 8))
    newer = ("removeprefix", "removesuffix", "pairwise", "bit_count", "strict=", "fromisoformat")
    assert not [word for word in newer if f"{word}(" in text or "strict=True" in text]


def test_what_is_not_an_archive_is_not_verified(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert "archive.json: it is missing" in done.stdout
    assert run(tmp_path / "nothing").returncode == 2
    assert run(tmp_path, "--now", "yesterday").returncode == 2


# What it refuses


@pytest.mark.parametrize("kind", KINDS)
def test_no_sampled_byte_of_any_kind_of_file_can_change(
    kind: str, shared: House, look: Look
) -> None:
    chance = random.Random(kind)
    files = [name for name in names(shared.archive) if name.startswith(kind)]
    assert files
    places = [(name, part) for name in files for part in range(12 if len(files) == 1 else 2)]
    for name, _ in chance.sample(places, min(12, len(places))):
        path = shared.archive / name
        good = path.read_bytes()
        at = chance.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
        found = look(shared.archive)
        path.write_bytes(good)
        assert found["exit_code"] == 2, (name, at)
        assert any(name in line for line in found["problems"]), (name, at, found["problems"])
        assert found["duties"] == []
    assert look(shared.archive)["verified"]


def test_no_file_of_a_small_archive_can_be_missing_or_empty(shared: House, look: Look) -> None:
    spare = [name for name in names(shared.archive) if "/000.p/" in name and "/1/" not in name]
    for name in sorted(set(names(shared.archive)) - set(spare[4:])):
        path = shared.archive / name
        good = path.read_bytes()
        needed = name not in spare
        path.unlink()
        gone = look(shared.archive)
        path.write_bytes(b"")
        empty = look(shared.archive)
        path.write_bytes(good)
        if name.startswith("indexes/"):  # nothing rests on an index, but a spoilt one is named
            assert (gone["exit_code"], empty["exit_code"]) == (0, 2), name
            continue
        assert (gone["exit_code"], empty["exit_code"]) == ((2, 2) if needed else (0, 0)), name
        if needed:
            short = name.rpartition("/")[2] if name.startswith("recipes/") else name
            assert any(short in line for line in gone["problems"]), (name, gone["problems"])


def test_foreign_files_are_named_and_hidden_ones_noted(home: House, look: Look) -> None:
    (home.archive / ".tmp").mkdir(exist_ok=True)
    (home.archive / ".tmp" / "left").write_bytes(b"x")
    found = look(home.archive)
    assert (found["exit_code"], len(found["notes"])) == (0, 1)
    for name in ("notes.txt", "packs/ab/x.pack", "models/a/b/c/d/e", "log/tile/0/x", "log/old"):
        path = home.archive / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        found = look(home.archive)
        path.unlink()
        assert found["exit_code"] == 2
        assert any(name.rpartition("/")[0] in line for line in found["problems"]), name


def test_a_link_is_not_a_file_of_an_archive(home: House, look: Look) -> None:
    path = home.archive / "README.txt"
    path.rename(home.home / "elsewhere")
    path.symlink_to(home.home / "elsewhere")
    assert look(home.archive)["problems"] == ["README.txt: it is not a plain file"]
    (home.archive / "more").symlink_to(home.home)
    assert "more: it is not part of an archive" in look(home.archive)["problems"]


def test_another_key_is_refused(home: House, look: Look) -> None:
    stranger = Signer.generate("house.example/log").vkey
    assert "not signed by" in look(home.archive, "--key", stranger)["problems"][0]
    assert look(home.archive, *both(home))["verified"]
    assert not look(home.archive, *both(home), "--key", stranger)["verified"]
    assert look(home.archive, "--key", "nonsense")["exit_code"] == 2


def test_an_archive_whose_key_was_swapped_does_not_verify(
    home: House, other: House, look: Look
) -> None:
    shutil.rmtree(home.archive / "log")
    shutil.copytree(other.archive / "log", home.archive / "log")
    assert look(home.archive)["exit_code"] == 2
    shutil.copy(other.archive / "archive.json", home.archive)
    shutil.copy(other.archive / "archive.json.sha256", home.archive)
    assert look(home.archive, "--key", other.vkey)["verified"]
    assert look(home.archive, "--key", home.vkey)["exit_code"] == 2


def test_an_older_checkpoint_shows_a_rollback(home: House, look: Look) -> None:
    kept = home.home / "kept"
    shutil.copy(home.archive / "log" / "checkpoint", kept)
    before = home.home / "before"
    shutil.copytree(home.archive, before)
    home.registry.log("heartbeat", "house")
    newer = home.home / "newer"
    shutil.copy(home.archive / "log" / "checkpoint", newer)
    assert look(home.archive, "--since", str(kept))["verified"]
    assert look(home.archive, "--since", str(newer))["verified"]
    assert "rolled back" in look(before, "--since", str(newer))["problems"][0]
    shutil.copy(kept, home.archive / "log" / "checkpoint")
    assert "beyond the checkpoint" in look(home.archive)["problems"][0]
    assert "cannot be read" in look(before, "--since", str(home.home / "none"))["problems"][0]


def test_a_rewritten_log_of_the_same_key_is_refused_by_an_older_checkpoint(
    home: House, look: Look
) -> None:
    fork = home.home / "fork"
    shutil.copytree(home.archive, fork)
    home.registry.log("heartbeat", "house", {"which": "this"})
    kept = home.home / "kept"
    shutil.copy(home.archive / "log" / "checkpoint", kept)
    from otium.lifecycle import reopen

    there = reopen(LocalStore(fork), clock=home.clock, signer=home.signer)
    there.log("heartbeat", "house", {"which": "other"})
    assert look(fork)["verified"]
    assert "rewritten" in look(fork, "--since", str(kept))["problems"][0]


def test_a_reference_to_a_record_that_is_not_kept_is_refused(home: House, look: Look) -> None:
    home.registry.log("note.kept", "alder", {}, ["sha256:" + "0" * 64])  # type: ignore[list-item]
    assert "no record has the digest" in look(home.archive)["problems"][0]


def test_an_entry_that_names_other_weights_than_its_manifest_is_refused(
    home: House, look: Look
) -> None:
    (entry,) = home.registry.find("model.deposited", "alder")
    other = home.registry.find("model.deposited", "birch")[0].body["weights"]
    home.registry.log("model.deposited", "alder", {**entry.body, "weights": other}, entry.refs)
    assert "other weights" in look(home.archive)["problems"][0]


def test_quick_does_not_put_files_together_and_says_so(home: House, look: Look) -> None:
    assert "not read (--quick)" in " ".join(run(home.archive, "--quick").stdout.split())
    assert look(home.archive, "--quick")["verified"]
    pack = next((home.archive / "packs").rglob("*.pack"))
    pack.write_bytes(pack.read_bytes()[:-1] + b"?")
    assert look(home.archive, "--quick")["exit_code"] == 2


def test_no_other_line_stands_in_the_checkpoint_of_an_archive(home: House, look: Look) -> None:
    path = home.archive / "log" / "checkpoint"
    good = path.read_text()
    lines = good.splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    assert "not signed by" in look(home.archive, "--key", home.vkey)["problems"][0]
    other = Signer.generate("other").sign(good.partition("\n\n")[0] + "\n")
    path.write_text(good + other.partition("\n\n")[2])
    assert "a line of another key" in look(home.archive)["problems"][0]


def test_what_witnesses_cosigned_is_a_quorum_that_the_log_adopted(
    home: House, look: Look, witnesses: list[Cosigner]
) -> None:
    keys = zip(("x", "y"), witnesses[0].vkeys, strict=True)
    a = [f"witness {name} {vkey}" for name, vkey in keys]
    text = "\n".join([*a, "group g all x y", "quorum g", ""])
    home.registry.log("witnesses.adopted", "house", {"policy": text})
    checkpoint = (home.archive / "log" / "checkpoint").read_text()
    body, at = checkpoint.partition("\n\n")[0] + "\n", home.clock.now()
    path = home.archive / "log" / "witnessed" / str(home.registry.ledger.size)
    path.parent.mkdir()
    lines = witnesses[0].cosign(body, at)
    path.write_text(checkpoint + lines)
    found = look(home.archive)
    assert found["verified"]
    assert found["witnesses"]["seen"][0]["by"] == ["x", "y"]
    for bad, why in (
        (checkpoint, "no witness signed it"),
        (checkpoint + lines.splitlines(keepends=True)[0], "not a quorum"),
        (checkpoint + lines + witnesses[1].cosign(body, at), "a line of another key"),
        (lines, "not a checkpoint"),
    ):
        path.write_text(bad)
        assert why in look(home.archive)["problems"][0]


# What it says about the promises


def test_overdue_and_breached_promises_are_exit_code_1(home: House, look: Look) -> None:
    late = look(home.archive, "--now", "2026-01-18T00:00:00Z")
    assert (late["exit_code"], late["tally"]["overdue"]) == (1, 1)
    home.clock.move(days=10)
    home.registry.log("heartbeat", "house")
    broken = look(home.archive)
    assert (broken["exit_code"], broken["tally"]["breached"]) == (1, 1)
    assert "10 days" in next(d["why"] for d in broken["duties"] if d["state"] == "breached")


def test_it_agrees_with_the_house_on_the_house(home: House, look: Look) -> None:
    names = ("commitment", "subject", "about", "state", "due", "fulfilled", "under")
    for days in (0, 1.5, 20, 100, 400):
        home.clock.move(days=days)
        now = home.clock.now()
        mine = [duty.plain() for duty in standing(home.registry.entries(), now)]
        theirs = look(home.archive, "--now", now)["duties"]
        assert [[duty[name] for name in names] for duty in theirs] == [
            [duty[name] for name in names] for duty in mine
        ]


def test_words_from_the_archive_cannot_move_the_cursor(home: House) -> None:
    home.registry.ledger.append(
        *[
            type(entry)(**{**entry.plain(), "subject": "evil\x1b[2J\u202e"})  # type: ignore[arg-type]
            for entry in home.registry.entries()[-1:]
        ]
    )
    policy = home.registry.find("commitments.adopted")[0].body["policy"]
    assert isinstance(policy, dict)
    home.registry.log("commitments.adopted", "house", {"policy": {**policy, "title": "\x1b[31m"}})
    out = run(home.archive).stdout
    assert "\x1b" not in out
    assert "\\u001b[31m" in out


def test_a_record_of_hostile_json_is_named_and_does_not_stop_it(home: House, look: Look) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    for number, data in enumerate((deep, b"null", b'{"model":{}}', b'{"files":7}', b"\xff")):
        model = ModelId(f"hostile-{number}")
        home.registry.archive.put_record(
            model, "manifest.json", data, now=home.clock.now(), message="hostile"
        )
    found = look(home.archive)
    assert len(found["problems"]) == 5
    assert all("manifest.json" in line for line in found["problems"])
