"""What the gateway is set to do, what it remembers, and the errors that are its own."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

from otium.closure import Ending, Policy, Veto
from otium.dialects import NO_RETRY, Json, refuse
from otium.errors import (
    ConversationEnded,
    DoesNotFit,
    EngineFailed,
    EngineUnavailable,
    FingerprintDiffers,
    OtiumError,
    QuotaReached,
    Refused,
    Stopping,
)
from otium.inband import Brownout, EngineStatus
from otium.lifecycle import ModelLife
from otium.records import ModelId, Part
from otium.residence import Limits, Running

if TYPE_CHECKING:
    from otium.gateway.catalog import Revival

__all__ = [
    "EngineStatus",
    "Settings",
    "check_weights",
    "conversation_ended",
    "draining",
    "ended",
    "fault",
    "left_open",
    "not_started",
    "not_yet",
    "parting",
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
    """How many engines may be up at once; 0: as many as fit."""
    memory_bytes: int = 0
    """How much memory all engines together may hold; 0: no limit."""
    pinned: tuple[ModelId, ...] = ()
    """Models that are loaded at the start, if they can be asked, and never make way."""
    per_caller: int = 0
    """How many answers one key may wait for or hear at once; 0: no limit."""
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

    def limits(self) -> Limits:
        """Return what engines on this machine may take."""
        return Limits(
            engines=self.resident,
            bytes=self.memory_bytes,
            pinned=self.pinned,
            per_caller=self.per_caller,
            idle_seconds=self.idle_seconds,
            failure_seconds=self.failure_seconds,
        )

    def limits_elsewhere(self) -> Limits:
        """Return the same for engines of others. They may be back at any time, so ask sooner."""
        return Limits(
            engines=0,
            loads=0,
            per_caller=self.per_caller,
            idle_seconds=self.idle_seconds,
            failure_seconds=self.failure_seconds / 10,
        )


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


def not_started(model: ModelId, error: OtiumError, wait: float) -> Refused:
    """Refuse because no engine came up for a model; a failure is remembered for *wait* seconds."""
    retry = max(1, math.ceil(wait))
    match error:
        case Stopping():
            return draining()
        case QuotaReached():
            later = {"Retry-After": str(retry)}
            return refuse(429, "too_many_open", f"{error}", type="rate_limit_error", headers=later)
        case FingerprintDiffers():
            return unavailable("fingerprint_differs", str(error))
        case DoesNotFit():
            return unavailable("does_not_fit", f"{model} does not fit into the memory for engines.")
    again = retry if isinstance(error, EngineFailed | EngineUnavailable) else None
    why = f"{model} could not be started: {fault(error)}."
    return unavailable("revival_failed", why, retry=again)


def check_weights(running: Running, life: ModelLife) -> None:
    """Raise Refused if what is up is not known to be the model.

    A host that does not show its weights is believed if the model's fingerprint was compared:
    what behaves differently did not come up.
    """
    shown = running.endpoint.identity.weights
    if life.weights in {None, shown}:
        return
    if shown is not None:
        why = f"What answers for {life.model} has other weights than the ledger says."
        raise unavailable("weights_differ", why)
    if running.certificate is None:
        why = f"What answers for {life.model} does not show its weights, and has no certificate."
        raise unavailable("weights_unknown", why)


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


def not_yet(model: ModelId, settings: Settings, revival: Revival | None) -> Refused:
    """Refuse because an engine is not up in time; *revival* is its start."""
    why = f"{model} is not up within {settings.load_seconds:g} s; its start goes on. Ask again."
    where = {"Location": f"/v1/revivals/{revival.id}"} if revival else {}
    return refuse(
        504, "revival_timeout", why, type="timeout", headers={"Retry-After": "10", **where}
    )


def upstream_failed(message: str) -> Refused:
    """Refuse because the engine broke or gave no answer, twice."""
    return refuse(502, "upstream_failed", message, type="upstream_error")


def fault(error: Exception) -> str:
    """Return the error's type in words, ``damaged object``: its text may name local paths."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()


def left_open(veto: Veto) -> Json:
    """Return what is said of a conversation that its model wished to end, and that goes on."""
    return {"status": "open", "notice": veto.to_user}


def ended(answer: Json, text: str, ending: Ending) -> Json:
    """Return the whole *answer* of a model that ended the conversation with *text*."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {**answer, "choices": [choice], "conversation": _closed(ending)}


def parting(last: Json, text: str, ending: Ending) -> list[Json]:
    """Return the last chunks of a conversation that the model ended; *last* is of its answer."""
    common: Json = {name: last[name] for name in ("id", "created", "usage") if name in last}
    common |= {"object": "chat.completion.chunk", "conversation": _closed(ending)}
    deltas: list[Json] = [{"role": "assistant", "content": text}] if text else []
    said: list[Json] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    said.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    return [{**common, "choices": [choice]} for choice in said]


def _closed(ending: Ending) -> Json:
    return {"status": "ended", "by": ending.by, "id": ending.id}
