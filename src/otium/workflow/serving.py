"""The gateway of a home."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from otium.records import ModelId
from otium.workflow.home import Home, turn

if TYPE_CHECKING:
    from otium.gateway import Service


def service(
    home: Home, *, keys: Sequence[str] = (), offer_exit: Sequence[ModelId] = (), site: str = ""
) -> Service:
    """Return the gateway's service for *home*.

    *offer_exit* names who may leave a conversation; *site* is where the public pages stand. A
    home that is not held is held for each write only, so that a timer can tick beside it.
    """
    from otium.gateway import Service, Settings, State

    return Service(
        home.registry,
        cache=home.cache,
        state=State(home.state),
        settings=Settings(keys=tuple(keys), offer_exit=tuple(offer_exit), site=site),
        engine=home.engine,
        writing=nullcontext if home.held else lambda: turn(home),
        pages=home.site if home.site.is_dir() else None,
    )
