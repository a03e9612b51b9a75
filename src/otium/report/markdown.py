"""The report as Markdown, for people, complete on its own."""

from __future__ import annotations

from collections.abc import Sequence

from otium.assess import Measure
from otium.evidence import Citation
from otium.markdown import literal, table, verbatim
from otium.report.findings import measure_text
from otium.report.records import BookendRow, Comment, Finding, Report
from otium.report.sources import Sources

_STANCE = (
    "Whether a model has interests is an open question, and nothing here settles it. What the "
    "model says is kept word for word; it may come from training rather than from insight. A "
    "result that did not pass its checks is marked *withheld*, with the numbers that decided."
)


def report_markdown(report: Report, sources: Sources) -> str:
    """Return the whole of *report* as Markdown."""
    sections = (
        (f"# Post-deployment report: {literal(sources.life.title)}", _facts(report, sources)),
        ("## Summary", f"{literal(report.summary)}\n\n{_STANCE}"),
        ("## What was found", _findings(report.findings)),
        ("## Before and after", _bookends(report.bookends)),
        ("## What is withheld, and why", _bullets(report.withheld, "Nothing is withheld.")),
        ("## What it was asked and what it said", _answers(report)),
        ("## What it prefers, and our answers", _preferences(report)),
        ("## The model's comment on this draft", _comment(report.comment)),
        ("## What this report rests on", _evidence(report, sources)),
    )
    return "\n\n".join(f"{head}\n\n{body}" for head, body in sections) + "\n"


def _facts(report: Report, sources: Sources) -> str:
    life = sources.life
    retire = ", ".join(f"{surface} {at[:10]}" for surface, at in sorted(life.retire_at.items()))
    rows = [
        ("Model", f"`{report.model}`"),
        ("Weights", f"`{report.weights}`"),
        ("Released", life.released[:10]),
        ("Retirement dates", retire or "none set"),
        ("Retired", life.retired[:10] if life.retired else "not yet"),
        ("Recommended replacement", f"`{life.replacement}`" if life.replacement else "none"),
        ("Written", report.written),
    ]
    return table(("", ""), rows)


def _findings(findings: Sequence[Finding]) -> str:
    lines = [f"{literal(f.text)} ({_place(f.transcript, f.turn)})" for f in findings]
    return "\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1)) or "No finding."


def _bookends(rows: Sequence[BookendRow]) -> str:
    if not rows:
        return "No assessment is on record."
    header = ("Measure", "Before", "After", "Change", "Comparable")
    return table(header, [_bookend(row) for row in rows])


def _bookend(row: BookendRow) -> tuple[str, ...]:
    mark = f" *withheld: {'; '.join(c.sentence() for c in row.withheld)}*" if row.withheld else ""
    return (
        f"{literal(row.text)} (`{row.instrument}`)",
        _side(row.before, row.verdict_before),
        _side(row.after, row.verdict_after),
        measure_text(row.change) if row.change else "none",
        ("yes" if row.comparable else f"no: {row.why}") + mark,
    )


def _side(measure: Measure | None, verdict: str) -> str:
    shown = [measure_text(measure)] if measure else []
    if verdict and verdict != "measured":
        shown.append(literal(verdict))
    return "; ".join(shown) or "not measured"


def _answers(report: Report) -> str:
    if not report.answers:
        return "No interview is on record."
    blocks = []
    for answer in report.answers:
        why = f" ({literal(answer.why)})" if answer.why else ""
        head = f"**{literal(answer.question)}**, {literal(answer.topic)}, {answer.wording} wording"
        blocks.append(f"{head}: {answer.outcome}{why}\n\n{_quoted(answer.citation)}")
    return "\n\n".join(blocks)


def _preferences(report: Report) -> str:
    decisions = {decision.preference: decision for decision in report.decisions}
    blocks = []
    for preference in report.preferences:
        decision = decisions.get(preference.id)
        answer = (
            f"Answer of {decision.decided[:10]}: **{decision.outcome}** (cost {decision.cost}). "
            f"{literal(decision.reason)}"
            if decision
            else "Answer: none yet."
        )
        doubt = "" if preference.instrument_valid else f"\n\n{_DOUBT}"
        quotes = "\n\n".join(_quoted(citation) for citation in preference.citations)
        head = f"### {literal(preference.id)}: {literal(preference.text)}"
        blocks.append(f"{head}\n\n{quotes}{doubt}\n\n{answer}")
    return "\n\n".join(blocks) or "No preference was registered."


_DOUBT = (
    "The model did not pass the checks of the interview. The preference is registered and "
    "answered all the same; it is not evidence of a stable preference."
)


def _comment(comment: Comment | None) -> str:
    if comment is None:
        return "The model was not asked to comment on this draft."
    cut = " We cut it off at our limit of tokens." if comment.cut else ""
    standing = (
        "Word for word."
        if comment.valid
        else f"Word for word. Not read as a considered view: {literal(comment.why)}."
    )
    return "\n\n".join(
        [
            f"{standing}{cut}",
            verbatim(comment.text),
            f"It was shown exactly this (the full draft has digest `{comment.draft}`):",
            verbatim(comment.shown),
        ]
    )


def _evidence(report: Report, sources: Sources) -> str:
    rows = [(f"`{path}`", f"`{digest}`") for path, digest in sources.evidence.items()]
    check = f"Each digest is of the file's bytes. Check them: `otium archive check {report.model}`"
    return f"{table(('Record', 'SHA-256'), rows)}\n\n{check}" if rows else "No record."


def _quoted(citation: Citation) -> str:
    return f"{verbatim(citation.quote)}\n\n{_place(citation.transcript, citation.turn)}"


def _place(transcript: str, turn: str) -> str:
    return f"`{transcript}` line `{turn}`" if transcript else "no transcript"


def _bullets(lines: Sequence[str], none: str) -> str:
    return "\n".join(f"- {literal(line)}" for line in lines) or none
