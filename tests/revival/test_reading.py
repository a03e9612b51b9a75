"""Files read directly, verified, and copied into memory: it ends, whatever happens in between."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from blake3 import blake3

from otium.errors import DamagedObject
from otium.revival import reading

BLOCK = 4096


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of many small blocks and a piece."""
    monkeypatch.setattr(reading, "BLOCK", BLOCK)
    path = tmp_path / "raw"
    path.write_bytes(b"".join(n.to_bytes(4, "big") * 1024 for n in range(2000)) + b"end" * 41)
    return path


def copied(source: Path, out: Path, expected: str, tell: reading.Tell) -> list[BaseException]:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with out.open("wb") as file:
                reading.copy_verified(source, expected, file.fileno(), tell)
        except (DamagedObject, OSError, ValueError) as error:
            failed.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    worker.join(60)
    assert not worker.is_alive(), "it hangs"
    return failed


def test_a_file_is_read_in_order_and_verified(source: Path) -> None:
    whole, told = source.read_bytes(), list[int]()
    assert b"".join(bytes(block) for block in reading.read_direct(source)) == whole
    reading.verify_file(source, blake3(whole).hexdigest(), told.append)
    assert sum(told) == len(whole)
    with pytest.raises(DamagedObject, match="raw"):
        reading.verify_file(source, "0" * 64, told.append)


def test_an_empty_file_has_no_blocks(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    reading.verify_file(tmp_path / "empty", blake3(b"").hexdigest(), lambda _: None)


def test_a_link_is_not_followed(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(OSError, match="link"):
        reading.verify_file(tmp_path / "link", "0" * 64, lambda _: None)


def test_many_blocks_are_copied_in_their_places(source: Path, tmp_path: Path) -> None:
    told: list[int] = []
    whole = source.read_bytes()
    assert copied(source, tmp_path / "out", blake3(whole).hexdigest(), told.append) == []
    assert (tmp_path / "out").read_bytes() == whole
    assert sum(told) == len(whole)


def test_a_wrong_byte_is_refused(source: Path, tmp_path: Path) -> None:
    (found,) = copied(source, tmp_path / "out", "0" * 64, lambda _: None)
    assert isinstance(found, DamagedObject)


def test_who_listens_and_fails_stops_it(source: Path, tmp_path: Path) -> None:
    def fails(_: int) -> None:
        raise ValueError

    (found,) = copied(source, tmp_path / "out", "0" * 64, fails)
    assert isinstance(found, ValueError)


def test_a_block_that_cannot_be_read_stops_it(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = reading._fill

    def breaks(handle: int, into: memoryview, at: int, size: int) -> None:
        if at == 100 * BLOCK:
            raise OSError(5, "Input/output error")
        fill(handle, into, at, size)

    monkeypatch.setattr(reading, "_fill", breaks)
    (found,) = copied(source, tmp_path / "out", "0" * 64, lambda _: None)
    assert isinstance(found, DamagedObject)
    assert "Input/output" in str(found)
