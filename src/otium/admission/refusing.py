"""What a client is told when it is not let in: status, code, and when to come back."""

from __future__ import annotations

import math

from otium.admission.records import NO_RETRY, refusal
from otium.errors import Refused
from otium.quotas import Budget, Gate, renews


def unsure() -> Refused:
    """Refuse because the keys, or a budget, cannot be read: better nobody than somebody."""
    message = "Who may ask cannot be told at the moment."
    headers = {"Retry-After": "1"}
    return refusal(503, "admission_unavailable", message, type="server_error", headers=headers)


def not_permitted(verb: str) -> Refused:
    """Refuse a verb that is not in the key's scope."""
    message = f"This key may not be used for: {verb}."
    return refusal(403, "not_permitted", message, type="permission_error")


def not_in_scope(model: str) -> Refused:
    """Refuse a model that is not in the key's scope."""
    message = f"This key may not ask {model[:100]!r}."
    return refusal(403, "model_not_allowed", message, type="permission_error", param="model")


def too_fast(gate: Gate, wait: float, headers: dict[str, str]) -> Refused:
    """Refuse what comes too soon; it may come again after *wait* seconds."""
    rate = gate.rate
    message = f"The limit of {rate} is reached. Ask again in {math.ceil(wait)} s."
    return refusal(
        429,
        "rate_limit_exceeded",
        message,
        type="rate_limit_error",
        headers={
            **headers,
            "Retry-After": str(math.ceil(wait)),
            "retry-after-ms": str(math.ceil(wait * 1000)),
        },
        limit=str(rate),
    )


def used_up(budget: Budget, now: float) -> Refused:
    """Refuse because what a period allows is used; the next one begins anew."""
    left = renews(budget, now)
    again = "" if left is None else f" It begins anew in {math.ceil(left)} s."
    message = f"The budget of {budget} is used up, or too small for this request.{again}"
    headers = dict(NO_RETRY)
    if left is not None:
        headers["Retry-After"] = str(math.ceil(left))
    return refusal(
        429, "insufficient_quota", message, type="quota_error", headers=headers, budget=str(budget)
    )
