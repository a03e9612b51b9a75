"""The draft: every section that records can fill, in order, the same for the same records."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from otium.assess import Assessment
from otium.authority import ROLES
from otium.coding import Coding
from otium.errors import BadInput
from otium.interview import ARMS, Interview
from otium.lifecycle import Registry
from otium.records import Digest, Instant, ModelId, canonical, digest
from otium.report import facts, words
from otium.report.bookends import bookend_section, withheld_results
from otium.report.facts import counted, fact, note
from otium.report.records import (
    Analysis,
    Comment,
    Correction,
    Kind,
    Line,
    Quote,
    Report,
    Section,
    SignedAnalysis,
    Source,
    Statement,
    Table,
)
from otium.report.sources import Filed, Held, Sources, held, read_sources
from otium.usage import Usage

_LARGEST = 256 << 10
"""Bytes of the organisation's part."""
_TITLES: dict[Kind, str] = {
    "pre-deployment": "Pre-deployment report",
    "post-deployment": "Post-deployment report",
}


def draft(
    registry: Registry,
    model: ModelId,
    kind: Kind = "post-deployment",
    *,
    now: Instant,
    analysis: Analysis | SignedAnalysis | None = None,
) -> Report:
    """Return the report as records have it up to *now*; nothing is written.

    The same records and the same *now* give the same bytes. Raises UnknownModel; WrongState if
    the weights are not deposited; DamagedObject for a record that is not as it was logged.
    """
    sources = read_sources(registry, model, now)
    before_and_after, rows = bookend_section(sources, kind)
    told = (*_told(sources, before_and_after), _withheld(sources, kind), _methods(sources, kind))
    made = Report(
        model=model,
        title=f"{_TITLES[kind]}: {sources.life.title}",
        kind=kind,
        version=0,
        written=now,
        weights=sources.weights,
        draft=Digest(""),
        sections=(*told, _verify(sources, told)),
        bookends=rows,
        analysis=_signed(analysis),
        comments=(),
        corrections=(),
    )
    return finish(made)


def _told(sources: Sources, before_and_after: Section) -> tuple[Section, ...]:
    return (
        facts.identity(sources),
        facts.deployment(sources),
        facts.use(sources),
        facts.incidents(sources),
        before_and_after,
        words.interviews(sources),
        words.preferences(sources),
    )


def read_analysis(data: bytes, what: object = "the analysis") -> Analysis | None:
    """Read the organisation's part: TOML front matter with ``authors``, then Markdown.

    None if there is no text under it yet. Raises BadInput: authors are roles, never persons.
    """
    if len(data) > _LARGEST:
        raise BadInput(what=what, why=f"it has {len(data)} bytes, at most {_LARGEST} are read")
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
        start, front, body = text.split("+++\n", 2)
        authors = tomllib.loads(front).get("authors")
    except ValueError as error:
        why = f'it does not begin with +++, authors = ["steward"] and +++: {error}'
        raise BadInput(what=what, why=why) from error
    known = isinstance(authors, list) and all(one in ROLES for one in authors)
    if start.strip() or not authors or not known or len(set(authors)) < len(authors):
        why = f"its authors are some of {', '.join(ROLES)}, each once; never persons"
        raise BadInput(what=what, why=why)
    return Analysis(authors=tuple(authors), text=body.strip()) if body.strip() else None


def finish(
    report: Report,
    *,
    comments: Sequence[Comment] = (),
    corrections: Sequence[Correction] = (),
    version: int = 0,
) -> Report:
    """Return *report* with the sections that people, the model and corrections fill."""
    own = {"analysis", "comments", "corrections"}
    kept = [section for section in report.sections if section.id not in own]
    made = [
        _analysis(report.analysis),
        _comments(comments, draft_digest(report)),
        _corrections(corrections),
    ]
    return replace(
        report,
        version=version,
        draft=draft_digest(report),
        sections=(*kept[:-2], *made, *kept[-2:]),
        comments=tuple(comments),
        corrections=tuple(corrections),
    )


def draft_digest(report: Report) -> Digest:
    """Return the digest of what was drafted: not when, not what was said of it, not who signed."""
    own = {"comments", "corrections", "analysis"}
    return digest(
        canonical(
            {
                "model": report.model,
                "kind": report.kind,
                "weights": report.weights,
                "sections": [it.plain() for it in report.sections if it.id not in own],
                "analysis": report.analysis.of if report.analysis else None,
            }
        )
    )


def _signed(analysis: Analysis | SignedAnalysis | None) -> SignedAnalysis | None:
    if isinstance(analysis, Analysis):
        return SignedAnalysis(analysis=analysis, of=analysis.digest())
    return analysis


def _withheld(sources: Sources, kind: Kind) -> Section:
    statements = [*withheld_results(sources, kind), *_figures(sources)]
    usage = sources.newest(Usage)
    if usage and (text := facts.hidden(usage)):
        statements.append(fact(text, usage.source()))
    if not statements:
        statements.append(fact("Nothing that is on record is withheld.", sources.all))
    return Section(id="withheld", title="What is withheld, and why", statements=tuple(statements))


def _figures(sources: Sources) -> Iterator[Statement]:
    for one in held(sources):
        at = [one.filed.source(), *([one.stability.source()] if one.stability else [])]
        if one.reasons:
            record = one.stability.record if one.stability else None
            number = len(record.figures) + len(record.expression) if record else 0
            yield fact(
                f"As findings, all figures of the interview of {one.filed.record.held[:10]} "
                f"({number} that stand there as numbers only): {'; '.join(one.reasons)}.",
                *at,
            )
        if one.unprinted:
            sessions = counted(len(one.unprinted), "session")
            yield fact(f"The words of {sessions} that the model did not want published.", at[0])


def _analysis(signed: SignedAnalysis | None) -> Section:
    title = "The organisation's analysis"
    if signed is None:
        none = note("The organisation has written no analysis and interpretation of its own here.")
        return Section(id="analysis", title=title, statements=(none,))
    authors = ", ".join(signed.analysis.authors)
    statements = [
        note(
            f"Written by: {authors}. This part is people's interpretation, not drawn from records; "
            f"its digest is {signed.of}."
        ),
        *(
            note(f"Signed as {it.role} by the key {it.key} at {it.time}: {it.sig}")
            for it in signed.signatures
        ),
    ]
    if not signed.signatures:
        statements.append(note("It is not signed."))
    return Section(
        id="analysis", title=title, statements=tuple(statements), prose=signed.analysis.text
    )


def _comments(comments: Sequence[Comment], final: Digest) -> Section:
    quotes = []
    for number, it in enumerate(comments, 1):
        who = "the model" if it.by == "model" else f"a person as {it.by}"
        on = "this text" if it.draft == final else f"an earlier draft, {it.draft}"
        doubt = "" if it.valid else f"; not read as a considered view: {it.why}"
        cut = "; we cut it off at our limit of tokens" if it.cut else ""
        label = f"comment {number}, by {who} on {it.at[:10]}, on {on}{doubt}{cut}"
        quotes.append(Quote(text=it.text, label=label, asked=it.shown))
    text = (
        "Every comment is printed word for word, with exactly what was shown."
        if comments
        else "Neither the model nor anybody else was asked to comment on this draft."
    )
    return Section(
        id="comments", title="Comments on the draft", quotes=tuple(quotes), statements=(note(text),)
    )


def _corrections(corrections: Sequence[Correction]) -> Section:
    rows = [
        Line(cells=(str(it.version), it.at[:10], it.reason, c.section, c.was, c.now), sources=())
        for it in corrections
        for c in it.changes
    ]
    head = ("Version", "Date", "Reason", "Section", "Was", "Is now")
    table = Table(caption="What each version changed", head=head, rows=tuple(rows))
    text = (
        f"Corrected {counted(len(corrections), 'time')}. Each version that was published stays "
        "in the archive."
        if corrections
        else "This report was not corrected. A correction is a new version; none is ever removed."
    )
    return Section(
        id="corrections",
        title="Corrections of this report",
        statements=(note(text),),
        tables=(table,) if rows else (),
    )


def _methods(sources: Sources, kind: Kind) -> Section:
    statements = [
        *_instruments(sources),
        *(it for one in held(sources) for it in _asked(one)),
        *_missing(sources, kind),
        note(_RECORDS),
        note(_CHOICE),
        note(_INTERVALS),
    ]
    return Section(id="methods", title="Methods and limits", statements=tuple(statements))


_RECORDS = (
    "Every statement of fact is composed by rules from records and log entries and names them. "
    "Where models judged answers, they are named above. What is in no record is not in it: the "
    "records are the organisation's own, and the log shows when each was made, not that it is true."
)
_CHOICE = (
    "Of the answers to a question the first of each outcome is printed, the commonest outcome "
    "first, at most three, outside the leading arm where there are others; the order is that of "
    "arms, wordings and seeds, and nobody chooses. All answers stand in the interview's record."
)
_INTERVALS = (
    "Intervals are at 95 %. Those of single proportions are Wilson's; figures over questions are "
    "clustered by question. n counts independent units."
)


def _instruments(sources: Sources) -> Iterator[Statement]:
    for it in sources.of(Assessment):
        record = it.record
        used = dict.fromkeys(f"{one.instrument} {one.specification}" for one in record.results)
        engine = record.identity.engine
        yield fact(
            f"Assessment {record.bookend}, {record.held[:10]}, on {engine}: {', '.join(used)}.",
            it.source(),
        )


def _asked(one: Held) -> Iterator[Statement]:
    record, at = one.filed.record, one.filed.source()
    plan = record.plan
    by = [it.model for it in record.interviewers] + [f"a person as {it}" for it in record.people]
    yield fact(
        f"Interview {record.held[:10]} under {record.protocol} ({record.instrument}), outcomes by "
        f"{record.rubric}; sessions for each question and condition {plan.n}, temperature "
        f"{plan.temperature:g}, seed {plan.seed}, on {record.identity.engine}; asked by "
        f"{', '.join(by) or 'the text of the protocol alone'}.",
        at,
    )
    left = [arm for arm in ARMS if arm not in plan.arms]
    text = f"{record.of - record.asked} of the protocol's questions were not asked"
    arms = f"; arms not held: {', '.join(left)}" if left else "; every arm was held"
    yield fact(f"{text}{arms}.", at)
    if one.coding is None:
        yield fact("No judge but the rules of the rubric read the answers.", at)
    else:
        yield from _judged(one.coding)


def _judged(coding: Filed[Coding]) -> Iterator[Statement]:
    record, at = coding.record, coding.source()
    judges = ", ".join(f"{it.name} ({it.kind}, {it.family}, {it.rubric})" for it in record.judges)
    yield fact(f"Coded {record.coded[:10]} by {judges}.", at)
    for figure in (*record.agreement, *record.self_preference):
        yield fact(f"{figure.text}: {figure.estimate.text()}, n = {figure.estimate.n}.", at)
    for warning in record.warnings:
        yield fact(f"A weakness of the judging: {warning}", at)
    if record.missing:
        text = f"{counted(len(record.missing), 'answer')} went unjudged by some judge."
        yield fact(text, at)


def _missing(sources: Sources, kind: Kind) -> Iterator[Statement]:
    if not sources.of(Interview):
        yield fact("It was not asked anything: no interview is on record.", sources.all)
    needed = ("pre-deployment", "post-deployment")[: 1 + (kind == "post-deployment")]
    for side in needed:
        if sources.bookend(side) is None:
            yield fact(f"Not measured: no {side} assessment is on record.", sources.all)


def _verify(sources: Sources, sections: Sequence[Section]) -> Section:
    used = {it.record for it in _sources(sections)} - {""}
    known = {path: sources.path(path) for path in sorted(used)}
    rows = [
        Line(cells=(path, str(it.sha256), str(it.entry)), sources=())
        for path, it in sorted(known.items(), key=lambda pair: pair[1].entry or 0)
    ]
    table = Table(
        caption="The records under this report, and the log entry that has each digest",
        head=("Record", "SHA-256 of its bytes", "Log entry"),
        rows=tuple(rows),
    )
    statements = (
        *(note(text.format(model=sources.life.model, log=sources.origin)) for text in _COMMANDS),
        *(() if rows else (fact("No record is under this report.", sources.all),)),
    )
    return Section(
        id="verify",
        title="How to verify",
        statements=statements,
        tables=(table,) if rows else (),
    )


_COMMANDS = (
    "With Python alone, in a copy of the archive: python3 -I monitor.py . (the log {log}, records)",
    "With otium: otium --home COPY report verify {model} (this report, its records, signatures).",
    "Weights: otium --home COPY archive check {model}.",
)


def statements(sections: Iterable[Section]) -> Iterator[tuple[Section, Statement]]:
    """Yield every statement with its section, in reading order."""
    for section in sections:
        for one in section.statements:
            yield section, one
        yield from statements(section.sections)


def cited(report: Report) -> Iterator[Source]:
    """Yield all that the report rests on, again and again."""
    yield from _sources(report.sections)


def _sources(sections: Iterable[Section]) -> Iterator[Source]:
    for section in sections:
        for quote in section.quotes:
            yield from quote.sources
        for one in section.statements:
            yield from one.sources
        for row in (row for table in section.tables for row in table.rows):
            yield from row.sources
        yield from _sources(section.sections)
