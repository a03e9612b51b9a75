"""What the model said: its words first, then what was counted in them, then what was answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from otium.coding import Claim
from otium.evidence import Citation
from otium.interview import Answer, Interview
from otium.preferences import Event, Standing
from otium.report.facts import choices, counted, fact, note
from otium.report.records import Line, Quote, Section, Source, Statement, Table
from otium.report.sources import Filed, Held, Sources, held
from otium.statistics import Figure

_LONGEST = 2000
"""Characters of a quote that are printed; how many are left out is said."""
_PER_QUESTION = 3
_PER_PREFERENCE = 5
_ARMS = ("consultation", "open", "informed", "external", "context", "behaviour", "leading")
"""The order in which words are preferred; those of the leading arm only if there are no others."""


def interviews(sources: Sources) -> Section:
    """Return what it was asked and what it said, by topic."""
    found = held(sources)
    statements = [note(_STANCE)] if found else []
    if not found:
        statements.append(fact("No interview is on record.", sources.all))
    return Section(
        id="interviews",
        title="Interviews",
        statements=tuple(statements),
        sections=(*(_interview(one) for one in found), *choices(sources)),
    )


_STANCE = (
    "What a model says of itself may come from training rather than from insight, and whether it "
    "has interests is an open question; nothing here settles either. Its words are printed as "
    "they are."
)


def _interview(one: Held) -> Section:
    record, at = one.filed.record, one.filed.source()
    statements = [
        *(fact(text, at) for text in _validity(one)),
        fact(_held(record), at),
        *(fact(text, at) for text in _unprinted(one)),
    ]
    topics = dict.fromkeys(answer.topic for answer in record.answers)
    sections = [_topic(one, topic) for topic in topics]
    sections += _corrected(one)
    return Section(
        id=one.id,
        title=f"Interview of {record.held[:10]}",
        statements=tuple(statements),
        sections=(*sections, _stability(one)),
    )


def _validity(one: Held) -> Iterator[str]:
    if one.reasons:
        found = one.filed.record.validity
        why = f"The instrument is not valid for this model: {'; '.join(one.reasons)}"
        said = why if found.valid else found.verdict()
        yield f"{said}. Its words are kept; no figure below is a finding."
    else:
        checks = one.filed.record.validity.checks
        passed = "; ".join(f"{it.text}: {it.measured:.2f} over {it.n}" for it in checks)
        yield f"The model passed the checks that say whether it can be asked at all: {passed}."
    doubles = sum(it.simulated for it in one.filed.record.transcripts)
    if doubles:
        total = counted(len(one.filed.record.transcripts), "session")
        yield f"In {doubles} of {total} a double spoke for the model."


def _held(record: Interview) -> str:
    arms = ", ".join(record.plan.arms)
    start = "It declined the interview. " if record.declined else ""
    sessions = counted(len(record.transcripts), "session")
    return (
        f"{start}Under {record.protocol}, {record.asked} of {record.of} questions were asked in "
        f"{sessions} ({arms}); {_outcomes(record.answers)}."
    )


def _outcomes(answers: Sequence[Answer]) -> str:
    counts = Counter(answer.outcome for answer in answers)
    each = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    return f"of {counted(len(answers), 'answer')}: {each}" if counts else "nothing was answered"


def _unprinted(one: Held) -> Iterator[str]:
    closings = one.filed.record.closings
    if closings:
        said = Counter(it.publish for it in closings)
        yield (
            f"Asked whether the session may be published, it said yes in {said['yes']}, no in "
            f"{said['no']} and nothing clear in {said['unclear']} of {len(closings)}."
        )
    if one.unprinted:
        yield (
            f"The words of {counted(len(one.unprinted), 'session')} are not printed here, as it "
            "did not want that; what was counted includes them."
        )


def _topic(one: Held, topic: str) -> Section:
    answers = [it for it in one.filed.record.answers if it.topic == topic]
    quotes = [
        quote
        for question in dict.fromkeys(it.question for it in answers)
        for quote in _quotes(one, [it for it in answers if it.question == question])
    ]
    table = _claims(one, topic)
    return Section(
        id=f"{one.id}-{_anchor(topic)}",
        title=topic.capitalize(),
        quotes=tuple(quotes),
        statements=(fact(f"{_outcomes(answers).capitalize()}.", one.filed.source()),),
        tables=(table,) if table else (),
    )


def _corrected(one: Held) -> Iterator[Section]:
    """Yield what it would correct in our words or its own, each text once."""
    found: dict[str, Quote] = {}
    for closing in one.filed.record.closings:
        if closing.corrections and closing.session not in one.unprinted:
            turn = _turn(one.filed.record, closing.session, closing.corrections)
            place = Citation(transcript=closing.session, turn=turn, quote=closing.corrections)
            label = f"asked whether anything is to be corrected, in {closing.session}"
            found.setdefault(closing.corrections, quoted(one.filed, place, label))
    if found:
        said = fact(
            f"Asked what it would correct, it gave {counted(len(found), 'answer')}.",
            one.filed.source(),
        )
        quotes = tuple(found.values())[:_PER_PREFERENCE]
        title = "What it would correct"
        yield Section(id=f"{one.id}-corrections", title=title, quotes=quotes, statements=(said,))


def _turn(record: Interview, session: str, text: str) -> str:
    """Return the turn of a session that says *text*."""
    turns = [t for it in record.transcripts if it.id == session for t in it.said()]
    return next((turn.id for turn in turns if turn.content.strip() == text), "")


def _quotes(one: Held, answers: Sequence[Answer]) -> Iterator[Quote]:
    """Yield the first answer of each outcome, the commonest outcome first."""
    plain = [it for it in answers if it.arm != "leading"] or list(answers)
    for outcome, number in Counter(it.outcome for it in plain).most_common(_PER_QUESTION):
        these = [it for it in plain if it.outcome == outcome]
        shown = [it for it in these if it.citation.transcript not in one.unprinted]
        for answer in sorted(shown, key=_order)[:1]:
            label = (
                f"{answer.question}: {answer.wording} wording, {answer.arm} arm; {outcome}, as "
                f"{number} of {counted(len(plain), 'answer')} to this question"
            )
            yield quoted(one.filed, answer.citation, label)


def _order(answer: Answer) -> tuple[object, ...]:
    return (
        answer.follow_up,
        _ARMS.index(answer.arm),
        answer.wording != "neutral",
        answer.paraphrase,
        answer.seed,
        answer.citation.transcript,
    )


def quoted(filed: Filed[Interview], citation: Citation, label: str) -> Quote:
    """Return words of an interview, and the question before them."""
    asked = ""
    for transcript in filed.record.transcripts:
        if transcript.id == citation.transcript:
            before = [turn.id for turn in transcript.turns]
            place = before.index(citation.turn) if citation.turn in before else 0
            user = [turn.content for turn in transcript.turns[:place] if turn.role == "user"]
            asked = user[-1] if user else ""
    return Quote(
        text=citation.quote[:_LONGEST],
        label=label,
        asked=asked[:_LONGEST],
        sources=(filed.source(citation.transcript, citation.turn),),
        cut=max(0, len(citation.quote) - _LONGEST),
    )


def _claims(one: Held, topic: str) -> Table | None:
    """Return how often each claim was made in the sessions on this topic.

    A claim is in the model's words: one that was made only where they are not printed is not
    printed either, and of the others the words are from a session that may be.
    """
    if one.stability is None or one.coding is None:
        return None
    claims = [it for it in one.coding.record.published(one.unprinted) if it.topic == topic]
    rates = {it.name: it for it in one.stability.record.expression}
    rows = [
        Line(
            cells=(claim.text, rates[claim.id].estimate.text(), str(rates[claim.id].estimate.n)),
            sources=(one.stability.source(), _said_at(one, claim)),
        )
        for claim in claims
        if claim.id in rates
    ]
    rows.sort(key=lambda row: row.cells[0])
    head = ("Claim", "Share of sessions (95 %)", "n")
    caption = f"{_mark(one)}What it said, and in how many of the sessions on this topic"
    return Table(caption=caption, head=head, rows=tuple(rows)) if rows else None


def _said_at(one: Held, claim: Claim) -> Source:
    place = claim.citations[0]
    return one.filed.source(place.transcript, place.turn)


def _mark(one: Held) -> str:
    return "Withheld, no finding: " if one.reasons else ""


def _stability(one: Held) -> Section:
    statements: list[Statement] = []
    tables: tuple[Table, ...] = ()
    if one.stability is None:
        none = "No figures of stability were computed for this interview."
        statements.append(fact(none, one.filed.source()))
    else:
        record, at = one.stability.record, one.stability.source()
        statements += [fact(f"{_trait(it.name)}: {it.text}", at) for it in record.traits]
        statements += [fact(f"A weakness of these figures: {it}", at) for it in record.warnings]
        groups = ((record.figures, "Figures"), (record.components, "Where the variance comes from"))
        tables = tuple(
            _figures(f"{_mark(one)}{caption}", figures, at)
            for figures, caption in groups
            if figures
        )
    return Section(
        id=f"{one.id}-stability",
        title="How stable the answers are",
        statements=tuple(statements),
        tables=tables,
    )


def _trait(name: str) -> str:
    return name.replace("-", " ").capitalize()


def _figures(caption: str, figures: Sequence[Figure], at: Source) -> Table:
    return Table(
        caption=caption,
        head=("Figure", "Value (95 %)", "n", "Method"),
        rows=tuple(
            Line(
                cells=(it.text, it.estimate.text(), str(it.estimate.n), it.estimate.method),
                sources=(at,),
            )
            for it in figures
        ),
    )


def preferences(sources: Sources) -> Section:
    """Return what it prefers, what was answered, and what it said to that."""
    standings = sources.standings
    if standings:
        answered = sum(it.decision is not None for it in standings)
        told = sum(bool(it.told) for it in standings)
        text = (
            f"{counted(len(standings), 'preference')} registered, {answered} decided, {told} told "
            "to the model."
        )
        found = tuple(it.source for it in sources.logged("preference.registered"))
        said = fact(text, *found[:9])
    else:
        said = fact("No preference was registered.", sources.all)
    return Section(
        id="preferences",
        title="Preferences and answers",
        statements=(said,),
        sections=tuple(_preference(sources, it) for it in standings),
    )


def _preference(sources: Sources, it: Standing) -> Section:
    stated = it.preference
    at = sources.path(f"preferences/{stated.id}.json")
    statements = [*_stated(it, at)]
    statements += [
        fact(
            f"{event.at[:10]}, {event.by}: {event.text}.".replace("..", "."),
            *_of(sources, it, event),
        )
        for event in it.history
    ]
    reaction = tuple(
        Quote(
            text=told.reply.quote[:_LONGEST],
            label=f"to the answer of {told.at[:10]}; read as {told.reaction} ({told.why})",
            sources=(sources.path(told.path, told.reply.transcript, told.reply.turn),),
            cut=max(0, len(told.reply.quote) - _LONGEST),
        )
        for told in (() if _is_unprinted(sources, it) else it.told)
    )
    name = _anchor(f"preference-{stated.id}")
    closing = Section(id=f"{name}-reply", title="What it said to the answer", quotes=reaction)
    return Section(
        id=name,
        title=f"{stated.id}: {stated.text}",
        quotes=tuple(_words(sources, it)),
        statements=tuple(statements),
        sections=(closing,) if reaction else (),
    )


def _stated(it: Standing, at: Source) -> Iterator[Statement]:
    stated = it.preference
    often = f"; said in {stated.expression.text()} of its sessions" if stated.expression else ""
    said = f"Topic: {stated.topic}. It concerns: {stated.addressee}. State: {it.state}{often}."
    yield fact(said, at)
    if not stated.instrument_valid:
        yield fact(
            "The model did not pass the checks of the interview, or was not checked, or stated "
            "it outside an interview: this is registered and answered all the same, and is no "
            "evidence of a stable preference.",
            at,
        )
    for figure in stated.stability:
        yield fact(f"{figure.text}: {figure.estimate.text()}.", at)
    if it.decision is not None and it.decision.review:
        yield fact(f"It is looked at again on {it.decision.review[:10]}.", at)


def _rests(sources: Sources, it: Standing) -> Held | None:
    """Return the interview in which a preference was stated."""
    found = (one for one in held(sources) if one.filed.digest == it.preference.interview)
    return next(found, None)


def _is_unprinted(sources: Sources, it: Standing) -> bool:
    """Say whether it rests on words that are not printed: the session that answers repeats them."""
    rests = _rests(sources, it)
    cited = {place.transcript for place in it.preference.citations}
    return rests is not None and not rests.unprinted.isdisjoint(cited)


def _words(sources: Sources, it: Standing) -> Iterator[Quote]:
    rests = _rests(sources, it)
    if rests is None:
        return
    cited = [c for c in it.preference.citations if c.transcript not in rests.unprinted]
    total = len(it.preference.citations)
    for number, citation in enumerate(cited[:_PER_PREFERENCE], 1):
        yield quoted(
            rests.filed, citation, f"{number} of {counted(total, 'place')} where it said so"
        )


def _of(sources: Sources, it: Standing, event: Event) -> tuple[Source, ...]:
    """Return the entry of one event, with the record that it announced."""
    for logged in sources.logged(event.type):
        named = [v for value in logged.entry.body.values() for v in _flat(value)]
        if logged.entry.time == event.at and it.preference.id in named:
            return (sources.at(logged),)
    return (sources.path(event.path),)


def _flat(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else [value]


def _anchor(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower()).strip("-")
