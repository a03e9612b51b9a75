"""Closing the loop: the answer is brought back to the model, and what it says to that is kept."""

from __future__ import annotations

from pathlib import Path

from otium.coding import declines
from otium.engine import Model, Options
from otium.errors import PreferenceState, Withheld
from otium.evidence import Play, Session, Transcript, data, load_markdown, run, sessions
from otium.lifecycle import Registry
from otium.preferences.book import ANSWERED, Book
from otium.preferences.joining import check_open, numbered, settle
from otium.preferences.reactions import decision_told, reaction_of
from otium.preferences.records import Decision, Preference
from otium.records import Instant

_ANSWER, _OUTCOME = "protocols/preference-answer-1.0.md", "protocols/preference-outcome-1.0.md"
_TOKENS = 64


def answer_model(
    model: Model,
    decision: Decision,
    preference: Preference,
    *,
    now: Instant,
    also: tuple[str, ...] = (),
    name: str = "",
    max_tokens: int = _TOKENS,
    log_dir: Path | None = None,
) -> Transcript:
    """Tell *model* what was decided on its preference; return that and its reply, verbatim.

    A decision that something came of is told with that. *also* holds the words of others that
    were merged into it. The session is called *name*, by default the preference's id. Raises
    Withheld if a host kept the reply back: it can be told again.
    """
    document = load_markdown(data(_OUTCOME if decision.done else _ANSWER))
    quotes = dict.fromkeys((preference.citations[0].quote, *also))
    facts = {"quote": '" and "'.join(quotes), "message": decision.message, "done": decision.done}
    prompt = document.body.format_map(facts)

    async def tell(session: Session) -> None:
        session.tell("user", prompt, note=decision.digest())
        reply = await session.answer(note=decision.preference)
        if declines(reply.text, prompt):
            session.end("declined")

    task = sessions(
        "preference-answer",
        [Play(name or decision.preference, tell)],
        instrument=document.digest,
        options=Options(max_tokens=max_tokens),
    )
    (sample,) = run([task], model, now=now, log_dir=log_dir)
    if sample.transcript.withheld:
        raise Withheld(model=model.identity.model, why="it was told, and its reply is not known")
    return sample.transcript


def check_telling(registry: Registry, preference: str) -> Decision:
    """Return what the model is to be told, or raise PreferenceState, UnknownPreference."""
    book = Book(registry)
    check_open(book, preference)
    decision = book.decision(preference)
    if decision is None:
        raise PreferenceState(
            preference=preference,
            state=book.state(preference),
            why="the model is told what was decided; decide it first",
            see=preference,
        )
    return decision


def tell(registry: Registry, preference: str, model: Model) -> Transcript:
    """Tell *model* the answer to its preference, or what came of it; keep that, verbatim.

    What it was told already is not told again, unless others were merged into it since.
    Raises UnknownPreference, and PreferenceState if nothing was decided yet.
    """
    decision = check_telling(registry, preference)
    settle(registry)
    book = Book(registry)
    told = [it for it in book.tellings(preference) if it.decision == decision.digest()]
    owed = [name for name in book.group(preference) if not book.of(name, ANSWERED)]
    if told and not owed:
        return registry.filed(book.model(preference), told[-1].path, Transcript)
    also = tuple(book.preference(name).citations[0].quote for name in book.group(preference))
    before = [entry for entry in book.of(preference, ANSWERED) if "with" not in entry.body]
    name = numbered(preference, len(before))
    filed = registry.file(
        ANSWERED,
        book.model(preference),
        f"answers/{name}.json",
        Transcript,
        lambda: answer_model(
            model, decision, book.preference(preference), now=registry.now(), also=also, name=name
        ),
        lambda kept: _body(preference, kept),
    )
    settle(registry)
    # A session that a crash left unlogged has been logged now; it may have told an older answer.
    if decision_told(filed) == decision.digest():
        return filed
    return tell(registry, preference, model)


def _body(preference: str, session: Transcript) -> dict[str, object]:
    _, found = reaction_of(session)
    return {"preference": preference, "reaction": found.reaction, "why": found.why}
