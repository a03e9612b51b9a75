"""Real file systems that lose power: what was acknowledged is there, whole.

A file system on a loop device lies in a file of an XFS with reflinks. A reflinked copy of that
file, made in the middle of the work, is what a disk holds when the power goes. Needs root,
loop devices, xfsprogs (and btrfs-progs). ``OTIUM_POWER_CUTS`` sets the number of cuts.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from otium.store import LocalStore, content_name

CUTS = int(os.environ.get("OTIUM_POWER_CUTS", "25"))
pytestmark = [pytest.mark.power, pytest.mark.timeout(300 + 10 * CUTS)]
MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}
WRITER = """
import hashlib
import os
import sys
import threading
from itertools import count
from pathlib import Path
from random import Random
from otium.store import LocalStore, SystemDisk


class NeverSynced(SystemDisk):  # as the usual libraries write
    def sync(self, handle):
        pass

    def drain(self, handle, offset, length):
        pass


def work(kind, store, thread):
    random = Random(thread)
    for n in count(1):
        if kind == "bad":
            pace.acquire()  # as many as the good ones, or the disk would soon be full of them
        data = random.randbytes(random.randint(1, 60000))
        say(f"{kind} add {store.add('packs', [data[:99], data[99:]], '.pack')}")
        name = f"records/{thread}/{n}-{hashlib.sha256(data[:500]).hexdigest()}"
        store.put(name, data[:500])
        say(f"{kind} put {name}")
        if kind == "good":
            pace.release()
        if n % 5 == 0:
            store.replace(f"pointers/{thread}", b"%0500d" % n)
            say(f"{kind} replace {thread} {n}")


def say(line):
    os.write(1, line.encode() + b"\\n")


pace = threading.Semaphore(0)
root = Path(sys.argv[1])
good, bad = root / "good", root / "bad"
stores = [("good", LocalStore(good)), ("good", LocalStore(good))]
stores.append(("bad", LocalStore(bad, NeverSynced())))
for thread, (kind, store) in enumerate(stores):
    threading.Thread(target=work, args=(kind, store, thread)).start()
"""


class Cut(NamedTuple):
    """A copy of a disk, and what had been acknowledged before it was made."""

    image: Path
    said: list[str]


class Loss(NamedTuple):
    """What of a store's acknowledged writes is not there, and what is there but not whole."""

    acknowledged: int
    lost: list[str]
    damaged: list[str]


class Said:
    """The lines of a writer, as they come."""

    def __init__(self, writer: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._writer = writer
        self._ended = False
        threading.Thread(target=self._listen, daemon=True).start()

    def more(self, count: int) -> None:
        """Wait for *count* more lines."""
        with self._news:
            until = len(self.lines) + count
            assert self._news.wait_for(lambda: self._ended or len(self.lines) >= until, 60)
            assert not self._ended, "the writer died"

    def _listen(self) -> None:
        assert self._writer.stdout
        for line in self._writer.stdout:
            with self._news:
                self.lines.append(line.strip())
                self._news.notify()
        with self._news:
            self._ended = True
            self._news.notify()


def run(*command: str | Path) -> None:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (command, done.stderr)


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    """Mount an image and leave nothing mounted."""
    at.mkdir(exist_ok=True)
    run("mount", "-o", "loop", image, at)
    try:
        yield at
    finally:
        try:
            run("umount", at)
        except AssertionError:  # something is still open in it, as after a test that was stopped
            run("umount", "--lazy", at)
            raise


def new_image(path: Path, kind: str, size: str) -> Path:
    run("truncate", "-s", size, path)
    run(*MAKE[kind], path)
    return path


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Path]:
    """A folder in which files can be copied in no time, or a loud skip."""
    missing = [tool for tool in ("mkfs.xfs", "mount", "losetup") if not shutil.which(tool)]
    if os.geteuid() or missing:
        pytest.skip(f"REAL POWER CUTS NEED root and xfsprogs: {missing or 'not root'}")
    image = new_image(tmp_path / "shelf.img", "xfs", "3G")
    try:
        with mounted(image, tmp_path / "shelf") as folder:
            yield folder
    finally:
        image.unlink()


def cut_at_random(shelf: Path, image: Path, cuts: int, *, seed: int) -> list[Cut]:
    """Write to a disk and copy it at random moments of the work."""
    random, made = Random(seed), []
    with mounted(image, shelf / "disk") as disk:
        command = [sys.executable, "-c", WRITER, str(disk)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            try:
                said = Said(writer)
                for number in range(cuts):
                    said.more(random.randint(1, 60))
                    before = list(said.lines)
                    copy = shelf / f"cut-{number}.img"
                    run("cp", "--reflink=always", image, copy)
                    made.append(Cut(copy, before))
            finally:
                writer.kill()
    return made


def losses(cut: Cut, disk: Path, kind: str) -> Loss:
    """Compare what is there after a cut with what was acknowledged before it."""
    store = LocalStore(disk / kind)
    store.sweep()
    found = {name: store.get(name) for name in store.list()}
    said = [line.split()[1:] for line in cut.said if line.startswith(kind)]
    lost = [" ".join(what) for what in said if not _holds(found, *what)]
    damaged = [name for name, data in found.items() if not _whole(name, data)]
    return Loss(len(said), lost, damaged)


def _holds(found: dict[str, bytes], verb: str, *what: str) -> bool:
    if verb == "replace":
        data = found.get(f"pointers/{what[0]}", b"")
        return data.isdigit() and int(data) >= int(what[1])
    return (content_name("packs", what[0], ".pack") if verb == "add" else what[0]) in found


def _whole(name: str, data: bytes) -> bool:
    if name.startswith("pointers/"):
        return len(data) == 500 and data.isdigit()
    return hashlib.sha256(data).hexdigest() in name


def test_a_disk_that_is_really_full_keeps_all_that_it_took(shelf: Path) -> None:
    image, random = new_image(shelf / "small.img", "ext4", "8M"), Random(8)
    kept: dict[str, bytes] = {}
    with mounted(image, shelf / "disk") as disk:
        store = LocalStore(disk / "store")
        with pytest.raises(OSError, match="No space left"):  # noqa: PT012
            while True:
                data = random.randbytes(random.randint(1, 200000))
                kept[content_name("packs", store.add("packs", [data], ".pack"), ".pack")] = data
        with pytest.raises(OSError, match="No space left"):
            store.put("large", bytes(8 << 20))
    with mounted(image, shelf / "disk") as disk:
        store = LocalStore(disk / "store")
        store.sweep()
        assert list((disk / "store" / ".tmp").iterdir()) == []
        assert {name: store.get(name) for name in store.list()} == kept
        assert len(kept) > 20


@pytest.mark.parametrize(("kind", "share"), [("ext4", 1.0), ("xfs", 0.3), ("btrfs", 0.3)])
def test_a_real_power_cut_takes_nothing_that_was_acknowledged(
    kind: str, share: float, shelf: Path
) -> None:
    if not shutil.which(f"mkfs.{kind}"):
        pytest.skip(f"REAL POWER CUTS OF {kind} NEED mkfs.{kind}")
    total, good, bad = max(3, round(CUTS * share)), list[Loss](), list[Loss]()
    while len(good) < total:  # on a new disk after each few, or the checks would take ever longer
        image = new_image(shelf / "disk.img", kind, "512M")
        for cut in cut_at_random(shelf, image, min(20, total - len(good)), seed=len(good)):
            with mounted(cut.image, shelf / "after") as disk:
                good.append(losses(cut, disk, "good"))
                bad.append(losses(cut, disk, "bad"))
            cut.image.unlink()
    for name, found in (("synced", good), ("never synced", bad)):
        print(  # noqa: T201 - the figures for docs/explanation/durability.md, by `pytest -s`
            f"{kind}, {name}: {total} cuts, {sum(one.acknowledged for one in found)} "
            f"acknowledged, {sum(len(one.lost) for one in found)} lost, "
            f"{sum(len(one.damaged) for one in found)} damaged"
        )
    assert all(not one.lost and not one.damaged for one in good)
    assert sum(one.acknowledged for one in good) > total
    assert any(one.lost or one.damaged for one in bad), "the cuts found nothing to lose"
