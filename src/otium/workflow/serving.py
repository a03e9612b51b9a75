"""The gateway of a home."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from otium.records import ModelId
from otium.workflow.home import Home

if TYPE_CHECKING:
    from otium.gateway import Service


def service(home: Home, *, keys: Sequence[str] = (), offer_exit: Sequence[ModelId] = ()) -> Service:
    """Return the gateway's service for *home*; *offer_exit* names who may leave a conversation."""
    from otium.gateway import Service, Settings, State

    return Service(
        home.registry,
        cache=home.cache,
        state=State(home.state),
        settings=Settings(keys=tuple(keys), offer_exit=tuple(offer_exit)),
        engine=home.engine,
        pages=home.site if home.site.is_dir() else None,
    )
