"""A built site of a small house, with every page there is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from otium.commitments import load_policy
from otium.lifecycle import Registry, found
from otium.notes import Signer
from otium.testing import FixedClock, MemoryStore
from otium.web import Site, build_site
from samples import NOW, tell_story
from web.world import go_on


class Built(NamedTuple):
    registry: Registry
    folder: Path
    site: Site

    def text(self, path: str) -> str:
        return (self.folder / path).read_text()


@pytest.fixture(scope="package")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    weights = tmp_path_factory.mktemp("weights")
    (weights / "model.bin").write_bytes(b"weights of three models")
    clock = FixedClock("2026-01-01T00:00:00Z")
    signer = Signer.generate("example.org/otium")
    registry = found(
        MemoryStore(),
        signer,
        archive_id="example-house",
        clock=clock,
        policy=load_policy(),
        simulated=True,
    )
    tell_story(registry, clock, weights)
    go_on(registry)
    folder = tmp_path_factory.mktemp("web") / "site"
    return Built(registry, folder, build_site(registry, folder, now=NOW))
