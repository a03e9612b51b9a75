"""What the gateway says without asking a model: errors, model objects, lifecycle headers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime

import msgspec

from otium.errors import ConversationEnded, ModelRetired, Refused
from otium.gateway.records import (
    Deprecation,
    EngineStatus,
    Lifecycle,
    ModelObject,
    Retired,
)
from otium.lifecycle import ModelLife
from otium.records import Instant, ModelId

Headers = Mapping[str, str]

_NO_RETRY = {"x-should-retry": "false"}
"""Clients of OpenAI's API retry 409 and 5xx unless told not to."""


def body(refused: Refused) -> bytes:
    """Return the error in OpenAI's shape."""
    shown = {name: value for name, value in refused.facts.items() if name not in _HIDDEN}
    return msgspec.json.encode({"error": {"param": None, **shown}})


_HIDDEN = ("status", "headers")


def refuse(
    status: int,
    code: str,
    message: str,
    *,
    type: str = "invalid_request_error",  # noqa: A002  # OpenAI's name for the field
    headers: Headers | None = None,
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
    """Refuse because the time is over."""
    return refuse(504, code, message, type="timeout")


def upstream_failed(message: str) -> Refused:
    """Refuse because the engine broke twice."""
    return refuse(502, "upstream_failed", message, type="upstream_error")


def retired_record(life: ModelLife, report: str | None) -> Retired:
    """Return what a client should know of a retired model."""
    return Retired(
        model=life.model,
        retired=life.retired or life.released,
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
        retired_at=life.retired,
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
    if life.deprecated is None:
        return None
    return Deprecation(
        model=life.model,
        state=life.state,
        deprecated_at=life.deprecated,
        retire_at=life.retire_at,
        retired_at=life.retired,
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
    if life.deprecated is None:
        return {}
    headers = {"Deprecation": f"@{int(_moment(life.deprecated).timestamp())}"}
    sunset = life.retired or life.retire_at.get("api") or min(life.retire_at.values(), default=None)
    if sunset is not None and sunset >= life.deprecated:
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
