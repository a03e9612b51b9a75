"""Models and protocols by what people call them: registered here, elsewhere, or in a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from otium.errors import BadInput

if TYPE_CHECKING:
    from otium.engine import Model
    from otium.protocols import Protocol
    from otium.records import Digest, ModelId, Progress
    from otium.workflow import Home

STANDARD = "retirement-interview-1.0"
"""The protocol that is meant where none is named."""
KEY = "OTIUM_ENDPOINT_KEY"
"""The environment variable with the key of an endpoint; never an argument, where others see it.

``OTIUM_ENDPOINT_KEY_HOST_PORT`` comes first, for those who ask several: in capitals, with ``_`` for
all that is no letter or digit.
"""
_ENDPOINT = re.compile(r"(https?://[^#]+)#(.+)")
_UNSAFE = re.compile(r"[^a-z0-9._-]+")


via_option = click.option(
    "--via", default="", help="Inspect's name of it, or URL#MODEL. Default: revived."
)


def protocol_named(name: str) -> Protocol:
    """Return the protocol that comes with otium under *name*, or stands in a file ``….md``."""
    from otium.protocols import load_protocol

    return load_protocol(Path(name) if name.endswith(".md") else name)


@contextmanager
def reached(home: Home, name: str, *, via: str = "", progress: Progress) -> Iterator[Model]:
    """Yield the model *name*, reached as *via* says: an Inspect name or ``URL#MODEL``.

    Without *via* it is revived from the archive. Raises UnknownModel, BadInput, EngineFailed.
    """
    from otium.workflow import running

    if not via:
        with running(home, name, progress=progress) as alive:
            yield alive
        return
    life = home.registry.model(name)
    yield _elsewhere(via, life.model, life.weights)


@contextmanager
def helper(home: Home, name: str, *, progress: Progress) -> Iterator[Model]:
    """Yield a model that asks or judges: an Inspect name, ``URL#MODEL``, or one of the archive."""
    from otium.workflow import running

    if "/" in name:
        yield _elsewhere(name, _id_of(name), None)
        return
    with running(home, name, progress=progress) as alive:
        yield alive


def _elsewhere(via: str, model: ModelId, weights: Digest | None) -> Model:
    found = _ENDPOINT.fullmatch(via)
    if found is None and re.match("https?:", via):
        raise BadInput(
            what=f"the model {via!r}", why="after the address stands #MODEL, its name there"
        )
    if found is None:
        from otium.evidence import hosted

        return hosted(via, model, weights)
    from otium.engine import Endpoint, HttpModel, Identity

    url, served_as = found.groups()
    identity = Identity(
        model=model,
        weights=weights,
        engine=f"endpoint/{served_as}",
        flags={"url": url, "weights": "as registered, unverified" if weights else "unknown"},
    )
    endpoint = Endpoint(base_url=url, api_key=key_of(url), identity=identity)
    return HttpModel(endpoint, served_as=served_as)


def key_of(url: str) -> str:
    """Return the key of the endpoint at *url* from the environment, ``none`` without one."""
    host = re.sub(r"[^A-Za-z0-9]", "_", urlsplit(url).netloc).upper()
    return os.environ.get(f"{KEY}_{host}") or os.environ.get(KEY) or "none"


def _id_of(name: str) -> ModelId:
    from otium.records import model_id

    return model_id(_UNSAFE.sub("-", name.rpartition("#")[2].lower()).strip("-.")[:100])
