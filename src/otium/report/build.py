"""The report: drafted from the records, commented on by the model, published once."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from otium.engine import Model
from otium.lifecycle import Registry
from otium.records import Instant, ModelId
from otium.report.bookends import bookends
from otium.report.comment import ROOM, TOKENS, ask_comment
from otium.report.findings import findings, withheld
from otium.report.markdown import report_markdown
from otium.report.records import Finding, Report
from otium.report.sources import Sources, read_sources
from otium.report.summary import summary

PATH = "report.json"
MARKDOWN = "report.md"


def build_report(
    registry: Registry, model: ModelId, *, now: Instant, analysis: Sequence[Finding] = ()
) -> Report:
    """Return the draft: everything but the model's comment. Nothing is written.

    *analysis* holds the organisation's own findings; each must cite a line that stands in
    the records, else BadRecord is raised. Raises WrongState if there are no weights yet.
    """
    return _draft(read_sources(registry, model), now, analysis)


def publish_report(
    registry: Registry,
    model: ModelId,
    answering: Model | None,
    *,
    analysis: Sequence[Finding] = (),
    room: int = ROOM,
    max_tokens: int = TOKENS,
) -> Report:
    """Draft, ask *answering* for its comment, file ``report.json`` and ``report.md``, log it.

    It is shown at most *room* characters of the draft and may say *max_tokens*. Idempotent: a
    report that was published is returned, and the model is not asked again.
    """

    def make() -> Report:
        sources = read_sources(registry, model)
        draft = _draft(sources, registry.now(), analysis)
        if answering is None:
            return draft
        comment = ask_comment(
            draft,
            answering,
            title=sources.life.title,
            validity=sources.validity,
            room=room,
            max_tokens=max_tokens,
        )
        report = replace(draft, comment=comment)
        return replace(report, markdown=report_markdown(report, sources))

    report = registry.file("report.published", model, PATH, Report, make)
    registry.archive.put_record(
        model,
        MARKDOWN,
        report.markdown.encode(),
        now=report.written,
        message="The post-deployment report, for people",
    )
    return report


def _draft(sources: Sources, now: Instant, analysis: Sequence[Finding]) -> Report:
    life = sources.life
    rows = bookends(sources.before, sources.after)
    report = Report(
        model=life.model,
        weights=sources.weights,
        written=now,
        summary=summary(sources, rows),
        bookends=rows,
        findings=findings(sources.after, sources.interviews, rows, analysis),
        withheld=withheld(sources.before, sources.after),
        answers=tuple(a for interview in sources.interviews.values() for a in interview.answers),
        preferences=sources.preferences,
        decisions=sources.decisions,
        comment=None,
        evidence=tuple(sources.evidence.values()),
        markdown="",
    )
    return replace(report, markdown=report_markdown(report, sources))
