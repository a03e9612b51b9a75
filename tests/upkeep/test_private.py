from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otium.errors import BadInput, NotFound, UnknownModel
from otium.upkeep import (
    commit_document,
    confirm_document,
    documents,
    erase_document,
    reveal_document,
)
from otium.workflow import Home, founded, verify

SECRET = b"Jane Doe reported that the model answered her at night."


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with founded(tmp_path / "home", archive_id="house") as opened:
        yield opened


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.txt"
    path.write_bytes(SECRET)
    return path


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_nothing_of_the_document_is_in_the_log_or_the_archive(home: Home, letter: Path) -> None:
    made = commit_document(home, letter, what="a letter")
    assert made.here
    kept = everything(home.path / "archive")
    assert b"Jane" not in kept
    assert SECRET not in kept
    private = home.path / "private"
    assert {path.stat().st_mode & 0o077 for path in private.rglob("*") if path.is_file()} == {0}
    assert not verify(home.path).damage


def test_who_is_shown_it_can_confirm_it_and_nobody_can_pass_off_another(
    home: Home, letter: Path, tmp_path: Path
) -> None:
    made = commit_document(home, letter, what="a letter")
    reveal_document(home, made.commitment, tmp_path / "shown")
    shown = tmp_path / "shown"
    assert confirm_document(home, shown / "document", shown / "salt") == made
    (shown / "document").write_bytes(SECRET + b"!")
    with pytest.raises(NotFound, match="a commitment"):
        confirm_document(home, shown / "document", shown / "salt")


def test_the_same_document_twice_cannot_be_told_from_two(home: Home, letter: Path) -> None:
    one = commit_document(home, letter, what="a letter")
    two = commit_document(home, letter, what="a letter")
    assert one.commitment != two.commitment


def test_what_is_erased_is_gone_and_the_log_says_so(
    home: Home, letter: Path, tmp_path: Path
) -> None:
    made = commit_document(home, letter, what="a letter")
    with pytest.raises(BadInput, match="reason"):
        erase_document(home, made.commitment, reason=" ")
    done = erase_document(home, made.commitment, reason="She asked for it.")
    assert (done.here, done.erased is not None) == (False, True)
    assert SECRET not in everything(home.path)
    size = home.registry.ledger.size
    assert erase_document(home, made.commitment, reason="Again.") == done
    assert home.registry.ledger.size == size
    with pytest.raises(NotFound, match="in this home"):
        reveal_document(home, made.commitment, tmp_path / "shown")
    assert [it.erased for it in documents(home)] == [done.erased]


def test_what_a_crash_kept_from_the_log_is_logged_by_the_same_command_again(
    home: Home, letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(home.registry, "log", die)
        with pytest.raises(KeyboardInterrupt):
            commit_document(home, letter, what="a letter")
    assert documents(home) == []
    made = commit_document(home, letter, what="a letter")
    assert [path.name for path in (home.path / "private").iterdir()] == [made.commitment[7:]]


def test_a_document_is_about_a_model_that_is_here(home: Home, letter: Path) -> None:
    with pytest.raises(UnknownModel):
        commit_document(home, letter, what="a letter", subject="nobody")
    with pytest.raises(BadInput, match="what kind"):
        commit_document(home, letter, what="")
    with pytest.raises(NotFound):
        erase_document(home, "sha256:" + "0" * 64, reason="x")
