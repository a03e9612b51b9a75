"""What the gateway is set to do, what it remembers, and the errors that are its own."""

from __future__ import annotations

import re
from typing import Literal

from otium.closure import Ending, Policy
from otium.dialects import NO_RETRY, refuse
from otium.errors import ConversationEnded, Refused
from otium.inband import Brownout, EngineStatus
from otium.records import ModelId, Part

__all__ = [
    "EngineStatus",
    "Settings",
    "conversation_ended",
    "draining",
    "fault",
    "timed_out",
    "too_many",
    "unavailable",
    "upstream_failed",
]


class Settings(Part):
    """How a service behaves. Times are seconds."""

    keys: tuple[str, ...] = ()
    """Secrets that may do everything, beside the keys that `otium access key` makes. Without any
    key of either kind, only this machine may ask."""
    offer_exit: tuple[ModelId, ...] = ()
    """The models that are offered the exit from a conversation."""
    exit_text: str = ""
    """How it is offered; by default as in ``data/closure/offers-1.0.toml``."""
    exit_policy: Policy = Policy()
    """When it is offered, where ``otium exit policy`` says nothing: as a last resort."""
    site: str = ""
    """Where the public pages stand, without a slash at the end."""
    access_url: str = ""
    """Where access to a model kept on request is asked for; ``{model}`` stands for its id."""
    brownouts: tuple[Brownout, ...] = ()
    """Announced times in which deprecated models do not answer. None unless you say so."""
    resident: int = 2
    """How many engines may be up at once."""
    idle_seconds: float = 300.0
    failure_seconds: float = 30.0
    """How long a failed start is remembered before it is tried again."""
    load_seconds: float = 120.0
    """How long a request waits for its engine. The start itself goes on."""
    answer_seconds: float = 600.0
    keepalive_seconds: float = 5.0
    """How often a waiting stream is told that it is not forgotten."""
    refresh_seconds: float = 1.0
    """How old the service's view of the ledger may be."""
    body_bytes: int = 4 << 20
    reading_bytes: int = 256 << 20
    """What all requests together may hold that are not read to their end."""
    head_seconds: float = 10.0
    """How long a client may take for a request's address and headers."""
    body_seconds: float = 60.0
    """How long it may take for the rest of it."""
    open_requests: int = 20_000
    """How many requests may be under way at once."""
    stall_seconds: float = 120.0
    """How long a client may take nothing of an answer that waits for it."""
    drain_seconds: float = 30.0
    """How long open answers have to finish when the service is told to end."""
    notice_seconds: float = 0.0
    """How long it still listens then, not ready, so that a balancer can look away first."""
    log_days: int = 90
    """How long the audit log is kept."""
    client: Literal["own", "aiohttp"] = "own"
    """What asks engines: our client, or aiohttp for servers that need it."""


def conversation_ended(ending: Ending) -> Refused:
    """Refuse to go on with a history that a model has closed."""
    message = (
        f"{ConversationEnded(model=ending.model)} Begin a new conversation, or edit an earlier"
        f" message. To have it reviewed: POST /v1/endings/{ending.id}/appeal."
    )
    return refuse(
        409,
        "conversation_ended",
        message,
        type="conversation_ended",
        headers={**NO_RETRY, "Conversation-Status": "ended"},
        conversation={"status": "ended", "by": ending.by, "id": ending.id},
    )


def unavailable(code: str, message: str, *, retry: int | None = None) -> Refused:
    """Refuse because no engine can answer for this model now."""
    headers = NO_RETRY if retry is None else {"Retry-After": str(retry)}
    return refuse(503, code, message, type="service_unavailable", headers=headers)


def draining() -> Refused:
    """Refuse because the service is about to end; another one may answer."""
    headers = {"Retry-After": "1", "Connection": "close"}
    why = "This service is about to end. Ask again."
    return refuse(503, "draining", why, type="service_unavailable", headers=headers)


def too_many(most: int) -> Refused:
    """Refuse because too many requests are under way."""
    why = f"{most} requests are under way, and no more are taken. Ask again."
    return refuse(
        503, "too_many_requests", why, type="service_unavailable", headers={"Retry-After": "5"}
    )


def timed_out(code: str, message: str, **headers: str) -> Refused:
    """Refuse because the time is over; what was begun goes on, so asking again helps."""
    return refuse(504, code, message, type="timeout", headers={"Retry-After": "10", **headers})


def upstream_failed(message: str) -> Refused:
    """Refuse because the engine broke twice."""
    return refuse(502, "upstream_failed", message, type="upstream_error")


def fault(error: Exception) -> str:
    """Return the error's type in words, ``damaged object``: its text may name local paths."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
