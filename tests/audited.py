"""A real archive for the monitor's tests, and the program itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from otium.commitments import load_policy
from otium.lifecycle import Registry, found, reopen
from otium.notes import Signer
from otium.records import ModelId
from otium.store import LocalStore
from otium.testing import FixedClock

PROGRAM = Path(__file__).parents[1] / "src" / "otium" / "data" / "monitor.py"


class House(NamedTuple):
    """A real archive in a home, and who keeps it."""

    home: Path
    vkey: str
    registry: Registry
    clock: FixedClock
    signer: Signer

    @property
    def archive(self) -> Path:
        return self.home / "archive"


def copied(house: House, folder: Path) -> House:
    """Return a copy of a house, to be written to."""
    home = folder / "home"
    shutil.copytree(house.home, home)
    clock = FixedClock(house.clock.now())
    registry = reopen(LocalStore(home / "archive"), clock=clock, signer=house.signer)
    return House(home, house.vkey, registry, clock, house.signer)


def build(folder: Path) -> House:
    """Found an archive with two models that share bytes, several record versions, 300 entries."""
    clock, signer = FixedClock("2026-01-01T00:00:00Z"), Signer.generate("house.example/log")
    store = LocalStore(folder / "home" / "archive")
    registry = found(
        store, signer, archive_id="house", clock=clock, policy=load_policy(), simulated=True
    )
    for model, tail in (("alder", b""), ("birch", b"and more")):
        files = folder / model
        files.mkdir()
        (files / "model.bin").write_bytes(bytes(range(256)) * 20 + tail)
        (files / "config.json").write_text('{"model_type": "tiny"}')
        registry.register(
            model, title=model, released=clock.now(), scope="public", surfaces=["api"]
        )
        registry.deposit(model, files)
    for number in range(3):
        path, data = f"notes/{number}.json", b'{"number":%d}' % number
        kept = registry.archive.put_record(
            ModelId("alder"), path, data, now=clock.now(), message="a note"
        )
        registry.log("note.kept", "alder", {"path": path}, [kept])
    for _ in range(14):
        clock.move(days=1)
        registry.log("heartbeat", "house")
    beat = registry.entries()[-1]
    registry.ledger.append(*[beat] * (300 - registry.ledger.size))
    return House(folder / "home", signer.vkey, registry, clock, signer)
