"""A directory as a store: what a power cut, a second writer and a crash find."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otium.errors import BadInput, Held
from otium.store import LocalStore, hold


class Calls:
    """The system calls that matter for durability, in order, with the kind of what they touch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        self._watch(monkeypatch, os, "fsync", lambda handle: _kind(Path(f"/proc/self/fd/{handle}")))
        self._watch(monkeypatch, os, "link", lambda *_: "")
        self._watch(monkeypatch, Path, "replace", lambda *_: "")

    def _watch(
        self, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, tell: Callable[..., str]
    ) -> None:
        real = getattr(place, name)

        def watched(*arguments: Any) -> Any:
            self.seen.append(f"{name} {tell(*arguments)}".strip())
            return real(*arguments)

        monkeypatch.setattr(place, name, watched)


def _kind(path: Path) -> str:
    return "folder" if path.is_dir() else "file"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store")
    store.put("folder/first", b"")
    return store


def test_put_settles_the_bytes_then_the_name_then_the_folder(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(monkeypatch)
    store.put("folder/second", b"bytes")
    assert calls.seen == ["fsync file", "link", "fsync folder"]


def test_add_settles_the_bytes_then_the_name_then_the_folder(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add("packs", [b"bytes"], ".pack")
    calls = Calls(monkeypatch)
    store.add("packs", [b"bytes 152"], ".pack")  # its digest begins with other digits
    made = ["fsync folder"] * (len(list((store.root / "packs").iterdir())) - 1)
    assert calls.seen == ["fsync file", *made, "link", "fsync folder"]


def test_replace_settles_the_bytes_then_the_name_then_the_folder(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(monkeypatch)
    store.replace("folder/first", b"bytes")
    assert calls.seen == ["fsync file", "replace", "fsync folder"]


def test_a_new_folder_is_settled_in_its_parent_before_it_is_used(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(monkeypatch)
    store.put("new/deep/name", b"bytes")
    assert calls.seen == ["fsync file", "fsync folder", "fsync folder", "link", "fsync folder"]


@pytest.mark.parametrize("broken", ["fsync", "link"])
def test_a_write_that_fails_leaves_no_name_and_no_rest(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="No space"):
        store.put("folder/second", b"bytes")
    assert list(store.list()) == ["folder/first"]
    assert list((store.root / ".tmp").iterdir()) == []


def test_what_a_dead_writer_left_is_hidden_and_swept(store: LocalStore) -> None:
    rest = store.root / ".tmp" / "rest"
    rest.write_bytes(b"half")
    assert list(store.list()) == ["folder/first"]
    store.sweep()
    assert not rest.exists()


def test_a_stored_file_is_readable_by_others(store: LocalStore) -> None:
    assert (store.root / "folder/first").stat().st_mode & 0o777 == 0o644


def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom otium.store import hold\n"
        "with hold(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Held) as caught, hold(tmp_path):
            pass
        assert str(other.pid) in str(caught.value)
        other.kill()
        other.communicate()
    with hold(tmp_path):  # the kernel freed it with its holder
        pass


def test_a_hold_ends_with_its_block(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    with hold(tmp_path):
        pass


def test_nothing_is_put_below_a_file(store: LocalStore) -> None:
    with pytest.raises(BadInput, match="it is a file"):
        store.put("folder/first/below", b"")
