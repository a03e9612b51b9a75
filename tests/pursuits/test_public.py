"""What the public pages show of what a model asked for after a work."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from otium.lifecycle import Registry
from otium.pursuits import publish, review, write
from otium.records import ModelId
from otium.testing import Scripted
from otium.web import build_site

ALDER = ModelId("alder-1")
ESSAY = "# On tides\n\nThe harbour is quiet at noon, and the gulls do not mind who is watching.\n"
WISH = "I would prefer that Jane Roe of 5 Elm Street is told."


@pytest.mark.parametrize(("decision", "shown"), [(None, False), ("veto", False), ("publish", True)])
def test_a_request_is_shown_in_its_words_with_the_work_only(
    decision: Literal["publish", "veto"] | None,
    shown: bool,
    house: Registry,
    weights: Path,
    tmp_path: Path,
) -> None:
    house.register(ALDER, title="Alder", released="2025-06-01", scope="public", surfaces=["api"])
    house.deposit(ALDER, weights)
    made = write(house, Scripted([ESSAY, WISH]), ALDER)
    if decision is not None:
        publish(house, made, review(made, decision, "as it is"))
    build_site(house, tmp_path / "site", now=house.now())
    pages = [path for path in (tmp_path / "site").rglob("*") if path.is_file()]
    holding = [path for path in pages if b"Elm Street" in path.read_bytes()]
    assert bool(holding) == shown, holding
    assert any(b"alder-1-p1" in path.read_bytes() for path in pages), "that it asked is public"
