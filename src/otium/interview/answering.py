"""What becomes of a preference: registered, considered, decided, and told to the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from otium.engine import Model, Options
from otium.errors import BadInput, Exists, UnknownPreference
from otium.evidence import Play, Session, Transcript, data, load_markdown, run, sessions
from otium.interview.outcomes import declines
from otium.interview.records import Decision, Interview, Preference
from otium.ledger import Entry
from otium.lifecycle import Registry
from otium.records import Instant, ModelId, Part

REGISTERED, CONSIDERED, DECIDED = (
    "preference.registered",
    "preference.considered",
    "preference.decided",
)


class Standing(Part):
    """A preference and how far the answer to it has come."""

    preference: Preference
    registered: Instant
    considered: Instant | None = None
    decision: Decision | None = None
    """The latest one; earlier ones stay in the archive and the ledger."""


def register_preferences(registry: Registry, interview: Interview) -> tuple[Preference, ...]:
    """File every preference of *interview*, valid or not; return them as they are filed.

    Again changes nothing. Raises Exists if an id stands for another preference already: hold a
    later interview with ``first_preference=next_preference(registry, model)``.
    """
    return tuple(_register(registry, preference) for preference in interview.preferences)


def next_preference(registry: Registry, model: ModelId) -> int:
    """Return the number of the next preference of *model*."""
    return len(registry.find(REGISTERED, model)) + 1


def consider(registry: Registry, preference: str, *, note: str = "") -> Entry:
    """Log that a preference was considered; *note* says which responses were weighed.

    The first time counts: again returns the entry that is there. Raises UnknownPreference.
    """
    model = _registered(registry, preference).subject
    for entry in _about(registry, CONSIDERED, preference):
        return entry
    body = {"preference": preference, "note": note} if note else {"preference": preference}
    return registry.log(CONSIDERED, model, body)


def decide(
    registry: Registry,
    preference: str,
    outcome: Literal["done", "planned", "declined", "open"],
    *,
    reason: str,
    cost: Literal["none", "low", "medium", "high"],
    message: str = "",
) -> Decision:
    """Decide on a preference, with a reason; a later decision is filed beside the earlier one.

    *message* is what the model is told, by default the outcome and the reason. A preference
    that was not considered yet is considered thereby. Raises UnknownPreference, BadInput.
    """
    if not reason.strip():
        raise BadInput(what=f"the decision on {preference}", why="it gives no reason")
    entry = consider(registry, preference)
    decision = Decision(
        preference=preference,
        outcome=outcome,
        reason=reason,
        cost=cost,
        decided=registry.now(),
        message=message or f"{outcome}. {reason}",
    )
    return _decide(registry, ModelId(entry.subject), decision)


def preferences(registry: Registry, model: ModelId | None = None) -> list[Standing]:
    """Return every registered preference, of *model* or of all, and how it stands."""
    return [_standing(registry, entry) for entry in registry.find(REGISTERED, model)]


def find_preference(registry: Registry, preference: str) -> Standing:
    """Return one preference and how it stands, or raise UnknownPreference."""
    return _standing(registry, _registered(registry, preference))


def answer_model(
    model: Model,
    decision: Decision,
    preference: Preference,
    *,
    now: Instant,
    max_tokens: int = 64,
    log_dir: Path | None = None,
) -> Transcript:
    """Tell *model* what was decided on its preference; return that and its reply, verbatim."""
    document = load_markdown(data("protocols/preference-answer-1.0.md"))
    quote = preference.citations[0].quote
    prompt = document.body.format_map({"quote": quote, "message": decision.message})

    async def tell(session: Session) -> None:
        reply = await session.ask(prompt, note=decision.preference)
        if declines(reply.text, prompt):
            session.end("declined")

    task = sessions(
        "preference-answer",
        [Play(decision.preference, tell)],
        instrument=document.digest,
        options=Options(max_tokens=max_tokens),
    )
    (sample,) = run([task], model, now=now, log_dir=log_dir)
    return sample.transcript


def _register(registry: Registry, preference: Preference) -> Preference:
    filed = registry.file(
        REGISTERED,
        preference.model,
        f"preferences/{preference.id}.json",
        Preference,
        lambda: preference,
        lambda kept: {"preference": kept.id, "text": kept.text},
    )
    if filed != preference:
        raise Exists(name=f"preference {preference.id}, with other words,")
    return filed


def _decide(registry: Registry, model: ModelId, wanted: Decision) -> Decision:
    decided = _about(registry, DECIDED, wanted.preference)
    if decided:
        last = registry.filed(model, str(decided[-1].body["path"]), Decision)
        if _same(last, wanted):
            return last
    number = f"-{len(decided) + 1}" if decided else ""
    filed = registry.file(
        DECIDED,
        model,
        f"decisions/{wanted.preference}{number}.json",
        Decision,
        lambda: wanted,
        lambda kept: {
            "preference": kept.preference,
            "outcome": kept.outcome,
            "reason": kept.reason,
        },
    )
    # A decision that a crash left unlogged has been logged now; the new one comes after it.
    return filed if _same(filed, wanted) else _decide(registry, model, wanted)


def _same(one: Decision, other: Decision) -> bool:
    return one.encode() == _at(other, one.decided).encode()


def _at(decision: Decision, moment: Instant) -> Decision:
    return Decision.convert({**decision.plain(), "decided": moment})


def _standing(registry: Registry, entry: Entry) -> Standing:
    model, name = ModelId(entry.subject), str(entry.body["preference"])
    considered = _about(registry, CONSIDERED, name)
    decided = _about(registry, DECIDED, name)
    return Standing(
        preference=registry.filed(model, str(entry.body["path"]), Preference),
        registered=entry.time,
        considered=considered[0].time if considered else None,
        decision=registry.filed(model, str(decided[-1].body["path"]), Decision)
        if decided
        else None,
    )


def _registered(registry: Registry, preference: str) -> Entry:
    for entry in _about(registry, REGISTERED, preference):
        return entry
    raise UnknownPreference(preference=preference)


def _about(registry: Registry, kind: str, preference: str) -> Sequence[Entry]:
    return [e for e in registry.find(kind) if e.body.get("preference") == preference]
