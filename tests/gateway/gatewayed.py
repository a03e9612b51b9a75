"""A gateway in a process of its own, which a test may kill: ``python gatewayed.py PORT STATE``."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from otium.commitments import load_policy
from otium.database import sqlite_url
from otium.gateway import Service, Settings, run
from otium.lifecycle import found
from otium.notes import Signer
from otium.records import ModelId
from otium.testing import EndsAbuse, FixedClock, MemoryStore, Recaller, serve

MODEL = ModelId("alder-1")


def main(port: int, state: Path) -> None:
    signer, clock = Signer.generate("example.org/kept"), FixedClock("2026-01-01T00:00:00Z")
    house = found(MemoryStore(), signer, archive_id="kept", clock=clock, policy=load_policy())
    house.register(MODEL, title="Alder", released="2025-06-01", scope="public", surfaces=["api"])
    with serve(EndsAbuse(Recaller())) as there:
        named = msgspec.structs.replace(there.identity, model=MODEL)
        endpoint = msgspec.structs.replace(there, identity=named, served_as=there.identity.model)
        service = Service(
            house,
            cache=state.parent / "cache",
            state=sqlite_url(state),
            settings=Settings(offer_exit=(MODEL,), keys=("mine",)),
            upstreams={MODEL: endpoint},
        )
        run(service, "127.0.0.1", port)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
