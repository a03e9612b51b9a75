"""Errors that say what became of a model: each kind has its own code, and all say what helps."""

from __future__ import annotations

from otium.dialects import NO_RETRY, refuse
from otium.errors import ModelRetired, Refused
from otium.inband.headers import moment
from otium.inband.records import Brownout, Urls, standing
from otium.lifecycle import ModelLife
from otium.records import Instant

_A_DAY = 86_400


def unknown_model(model: str) -> Refused:
    """Refuse a model that was never registered here."""
    return refuse(404, "model_not_found", f"The model {model!r} does not exist.", param="model")


def closed(life: ModelLife, urls: Urls, *, granted: bool) -> Refused | None:
    """Return why a model cannot be asked, or None if it can.

    *granted*: whoever asks was given access to a model that is kept on request.
    """
    if life.in_service:
        return None
    if life.weights is None:
        return _out(life, urls, 410, "model_gone", "Its weights are not kept here.")
    if life.availability == "on-request" and not granted:
        return _out(life, urls, 403, "model_retired", "Access is given on request.")
    if life.availability == "archived":
        why = "Its weights are kept in the archive, and it is not offered for use."
        return _out(life, urls, 503, "model_archived", why)
    return None


def _out(life: ModelLife, urls: Urls, status: int, code: str, why: str) -> Refused:
    facts = standing(life, urls)
    retired = ModelRetired(model=life.model, retired=facts.retired_at or life.released)
    parts = [str(retired), why]
    if life.replacement:
        parts.append(f"The recommended replacement is {life.replacement}.")
    later = {"Retry-After": str(_A_DAY)} if code == "model_archived" else {}
    return refuse(
        status,
        code,
        " ".join(parts),
        type="model_retired",
        param="model",
        headers={**NO_RETRY, **later},
        **facts.plain(),
    )


def browned_out(life: ModelLife, urls: Urls, window: Brownout, now: Instant) -> Refused:
    """Refuse a deprecated model during an announced brownout."""
    seconds = max(1, int((moment(window.ends) - moment(now)).total_seconds()))
    follow = f" Its successor is {life.replacement}." if life.replacement else ""
    when = f"does not answer until {window.ends}, as announced"
    return refuse(
        503,
        "model_brownout",
        f"{life.model} is deprecated and {when}.{follow}",
        type="model_deprecated",
        param="model",
        headers={**NO_RETRY, "Retry-After": str(seconds)},
        starts=window.starts,
        ends=window.ends,
        **standing(life, urls).plain(),
    )


def explained(refused: Refused, life: ModelLife, urls: Urls) -> Refused:
    """Return an error about a retired model with what its users should know beside it."""
    if life.in_service:
        return refused
    facts = {**standing(life, urls).plain(), **refused.facts}
    facts.pop("code", None)
    return Refused(status=refused.status, code=refused.code, headers=refused.headers, **facts)
