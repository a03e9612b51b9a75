"""A gateway in a process of its own, on a database shared: ``keyed.py PORT STATE AT SECRET NAME``.

Its one model, alder-1, is asked at the URL *AT* with *SECRET* as *NAME*.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from otium.commitments import load_policy
from otium.engine import Endpoint, Identity
from otium.gateway import Service, Settings, run
from otium.lifecycle import found
from otium.notes import Signer
from otium.records import ModelId, digest
from otium.testing import FixedClock, MemoryStore

MODEL = ModelId("alder-1")


def main(port: int, state: str, upstream: str, secret: str, name: str) -> None:
    signer, clock = Signer.generate("example.org/kept"), FixedClock("2026-01-01T00:00:00Z")
    house = found(MemoryStore(), signer, archive_id="kept", clock=clock, policy=load_policy())
    house.register(MODEL, title="Alder", released="2025-06-01", scope="public", surfaces=["api"])
    identity = Identity(model=MODEL, weights=digest(b""), engine="told/1")
    at = Endpoint(base_url=upstream, api_key=secret, identity=identity, served_as=name)
    with tempfile.TemporaryDirectory() as folder:
        service = Service(
            house,
            cache=Path(folder) / "cache",
            state=state,
            journal=Path(folder) / "journal",
            settings=Settings(drain_seconds=2),
            upstreams={MODEL: at},
        )
        run(service, "127.0.0.1", port)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
