"""Many processes with little memory, some of them killed: right bytes, and never too many."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from otium.archive import Archive
from otium.records import ModelId
from otium.revival import Cache, materialise
from otium.revival.cache import Shelf
from otium.store import LocalStore
from revival.family import NOW

SIZE, ROOM, MODELS, PROCESSES = 200_000, 3, 6, 3
WORKER = """
import random, sys
from pathlib import Path
from otium.archive import Archive
from otium.revival import Cache, materialised
from otium.store import LocalStore
place, dice = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
archive = Archive.open(LocalStore(place / "archive"))
cache = Cache(disk=place / "disk", memory=place / "memory", most_in_memory=int(sys.argv[3]))
print("begun", flush=True)
while True:
    number = dice.randrange(int(sys.argv[4]))
    with materialised(archive, f"tiny-{number}", cache) as folder:
        data = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
        if data != b"shared" * 10_000 + bytes([65 + number]) * 200_000:
            sys.exit("wrong bytes")
    print("memory" if folder.is_relative_to(place / "memory") else "disk", flush=True)
"""


def archived(root: Path) -> Archive:
    """Return an archive of models that share a file."""
    archive = Archive.create(
        LocalStore(root / "archive"), archive_id="crowd", created=NOW, origin="x.org/log", keys=[]
    )
    for number in range(MODELS):
        folder = root / f"in-{number}"
        folder.mkdir()
        (folder / "a.bin").write_bytes(b"shared" * 10_000)
        (folder / "b.bin").write_bytes(bytes([65 + number]) * SIZE)
        archive.add(ModelId(f"tiny-{number}"), folder, deposited=NOW)
    return archive


def test_a_crowd_gets_right_bytes_within_its_memory_whoever_is_killed(tmp_path: Path) -> None:
    archive, room = archived(tmp_path), ROOM * SIZE + 60_000
    shelf = Shelf(tmp_path / "memory", room)

    def begin(seed: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WORKER, str(tmp_path), str(seed), str(room), str(MODELS)]
        one = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert one.stdout is not None
        assert one.stdout.readline() == "begun\n"
        return one

    crowd = [begin(seed) for seed in range(PROCESSES)]
    said: list[str] = []
    while crowd:  # each dies in the middle of something, the others go on
        until = time.monotonic() + 0.7
        while time.monotonic() < until:
            assert shelf.used() <= room
            time.sleep(0.01)
        victim = crowd.pop()
        victim.send_signal(signal.SIGKILL)
        said += victim.communicate()[0].splitlines()
    assert set(said) <= {"memory", "disk"}
    assert said.count("memory") > PROCESSES
    some = Cache(disk=tmp_path / "disk", memory=shelf.root, most_in_memory=room)
    for number in range(MODELS):  # all room can be had again, whatever the dead have left
        assert materialise(archive, ModelId(f"tiny-{number}"), some).is_relative_to(shelf.root)
        assert shelf.used() <= room
    assert not [*shelf.files.glob("*.part")]
