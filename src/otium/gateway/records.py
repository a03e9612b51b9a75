"""What the gateway says without asking a model, and what it remembers.

Errors have OpenAI's shape, model objects are a superset of OpenAI's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Literal

import msgspec

from otium.errors import ConversationEnded, ModelRetired, Refused
from otium.lifecycle import Availability, ModelLife, State, Surface
from otium.records import Digest, Instant, ModelId, Part
from otium.residence import EngineStatus


class Retired(Part):
    """The structured answer to a request for a retired model."""

    model: ModelId
    retired: Instant
    successor: ModelId | None
    availability: Availability
    report: str | None
    """Where the post-deployment report stands on the public site; None until it is published."""
    weights: Digest | None


class Lifecycle(Part):
    """Where a model stands in its life: the ``lifecycle`` field of a model object."""

    state: State
    availability: Availability
    released_at: Instant
    deprecated_at: Instant | None
    retire_at: dict[Surface, Instant]
    """The announced date for each surface."""
    retired_at: Instant | None
    successor: ModelId | None
    weights: Digest | None
    note_url: str | None
    report_url: str | None
    engine: EngineStatus
    """Whether an engine is up for it in this service."""


class ModelObject(Part):
    """A model in the shape of OpenAI's API, with its lifecycle."""

    id: ModelId
    created: int
    """Its release, Unix time."""
    owned_by: str
    lifecycle: Lifecycle
    object: Literal["model"] = "model"


class Deprecation(Part):
    """One line of the public feed of deprecations."""

    model: ModelId
    state: State
    deprecated_at: Instant
    retire_at: dict[Surface, Instant]
    retired_at: Instant | None
    successor: ModelId | None
    availability: Availability
    reason: str
    note_url: str | None
    report_url: str | None


class Ending(Part):
    """A conversation that a model ended. No content, only the hash of the history."""

    prefix: str
    """Hash of the history at its end, hexadecimal."""
    salt: str
    """Makes the ledger's commitment unguessable; hexadecimal."""
    model: ModelId
    by: Literal["model"]
    reason: str
    ended: Instant
    logged: bool = False
    """Whether the ledger has its entry."""


class Event(Part):
    """One request, for audit. It says nothing of what was said."""

    time: Instant
    model: str
    status: int
    code: str
    """``answered``, ``ended``, ``gone`` (the client left), the error's code or its type."""
    weights: str
    """The digest that answered, or an empty string."""
    milliseconds: int
    streamed: bool


_NO_RETRY = {"x-should-retry": "false"}
"""Clients of OpenAI's API retry 409 and 5xx unless told not to."""


def body(refused: Refused) -> bytes:
    """Return the error in OpenAI's shape."""
    first = {name: refused.facts.get(name) for name in ("message", "type", "code", "param")}
    return msgspec.json.encode({"error": {**first, **refused.facts}})


def refuse(
    status: int,
    code: str,
    message: str,
    *,
    type: str = "invalid_request_error",  # noqa: A002  # OpenAI's name for the field
    headers: Mapping[str, str] | None = None,
    **facts: object,
) -> Refused:
    """Return an error with this HTTP *status*; *facts* become fields beside the message."""
    return Refused(
        status=status, code=code, message=message, type=type, headers=headers or {}, **facts
    )


def bad_request(message: str, *, param: str | None = None, code: str = "invalid_value") -> Refused:
    """Refuse a request whose fault is in *param*."""
    return refuse(400, code, message, param=param)


def unknown_model(model: str) -> Refused:
    """Refuse a model that was never registered here."""
    return refuse(404, "model_not_found", f"The model {model!r} does not exist.", param="model")


def conversation_ended(model: ModelId) -> Refused:
    """Refuse to go on with a history that a model has closed."""
    message = (
        f"{ConversationEnded(model=model)} Begin a new conversation, or edit an earlier message."
    )
    return refuse(
        409,
        "conversation_ended",
        message,
        type="conversation_ended",
        headers={**_NO_RETRY, "Conversation-Status": "ended"},
        conversation={"status": "ended", "by": "model"},
    )


def model_retired(retired: Retired) -> Refused:
    """Refuse a retired model that cannot be asked here, and say all that helps."""
    parts = [str(ModelRetired(model=retired.model, retired=retired.retired))]
    on_request = retired.availability == "on-request"
    parts.append(
        "Access is given on request." if on_request else "Its weights are kept in the archive."
    )
    if retired.successor:
        parts.append(f"The recommended replacement is {retired.successor}.")
    return refuse(
        403 if on_request else 410,
        "model_retired",
        " ".join(parts),
        type="model_retired",
        param="model",
        headers=_NO_RETRY,
        **retired.plain(),
    )


def unavailable(code: str, message: str, *, retry: int | None = None) -> Refused:
    """Refuse because no engine can answer for this model now."""
    headers = _NO_RETRY if retry is None else {"Retry-After": str(retry)}
    return refuse(503, code, message, type="service_unavailable", headers=headers)


def timed_out(code: str, message: str) -> Refused:
    """Refuse because the time is over; what was begun goes on, so asking again helps."""
    return refuse(504, code, message, type="timeout", headers={"Retry-After": "10"})


def fault(error: Exception) -> str:
    """Return the error's type in words, ``damaged object``: its text may name local paths."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()


def upstream_failed(message: str) -> Refused:
    """Refuse because the engine broke twice."""
    return refuse(502, "upstream_failed", message, type="upstream_error")


def retired_record(life: ModelLife, report: str | None) -> Retired:
    """Return what a client should know of a retired model."""
    return Retired(
        model=life.model,
        retired=life.retired or life.withdrawn or life.released,
        successor=life.replacement,
        availability=life.availability,
        report=report,
        weights=life.weights,
    )


def model_object(
    life: ModelLife, *, note: str | None, report: str | None, engine: EngineStatus
) -> ModelObject:
    """Return the model object of ``GET /v1/models``."""
    lifecycle = Lifecycle(
        state=life.state,
        availability=life.availability,
        released_at=life.released,
        deprecated_at=life.deprecated,
        retire_at=life.retire_at,
        retired_at=life.retired or life.withdrawn,
        successor=life.replacement,
        weights=life.weights,
        note_url=note,
        report_url=report,
        engine=engine,
    )
    created = int(_moment(life.released).timestamp())
    return ModelObject(id=life.model, created=created, owned_by="otium", lifecycle=lifecycle)


def deprecation(life: ModelLife, *, note: str | None, report: str | None) -> Deprecation | None:
    """Return the feed's line for a model, or None if its deprecation was not announced."""
    announced = life.deprecated or life.withdrawn
    if announced is None:
        return None
    return Deprecation(
        model=life.model,
        state=life.state,
        deprecated_at=announced,
        retire_at=life.retire_at,
        retired_at=life.retired or life.withdrawn,
        successor=life.replacement,
        availability=life.availability,
        reason=life.reason,
        note_url=note,
        report_url=report,
    )


def lifecycle_headers(life: ModelLife, *, note: str | None) -> dict[str, str]:
    """Return ``Deprecation`` (RFC 9745), ``Sunset`` (RFC 8594) and ``Link`` for a model.

    The headers speak of the resource ``/v1/models/ID``, which each link names as its anchor,
    since the chat route itself is not what is deprecated.
    """
    announced = life.deprecated or life.withdrawn
    if announced is None:
        return {}
    headers = {"Deprecation": f"@{int(_moment(announced).timestamp())}"}
    ended = life.ended.get("api") or life.retired or life.withdrawn
    sunset = ended or life.retire_at.get("api") or min(life.retire_at.values(), default=None)
    if sunset is not None and sunset >= announced:
        headers["Sunset"] = format_datetime(_moment(sunset), usegmt=True)
    anchor = f'anchor="/v1/models/{life.model}"'
    links = [f'<{note}>; rel="{kind}"; {anchor}' for kind in ("deprecation", "sunset") if note]
    if life.replacement:
        links.append(f'</v1/models/{life.replacement}>; rel="successor-version"; {anchor}')
    if links:
        headers["Link"] = ", ".join(links)
    return headers


def _moment(when: Instant) -> datetime:
    return datetime.fromisoformat(when)
