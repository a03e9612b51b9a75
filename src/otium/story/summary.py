"""One screen about a model's whole life: what was kept, said, withheld, promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from otium.assess import Assessment
from otium.commitments import Duty
from otium.errors import UnknownRecord
from otium.evidence import Citation
from otium.interview import Interview
from otium.lifecycle import standing
from otium.records import ModelId, Part
from otium.report import published
from otium.workflow import Home

_SAID = 3
"""How many of the model's answers fit on the screen."""


class Kept(Part):
    """What is kept of one model."""

    model: ModelId
    weights: str
    bytes: int
    records: int


class WithheldResult(Part):
    """A result that is not reported, and why, where both bookends agree once."""

    title: str
    bookends: tuple[str, ...]
    reason: str
    """The check that failed which is the result's own, if there is one."""


class Summary(Part):
    """What a person wants to know at the end."""

    kept: tuple[Kept, ...]
    stored: int
    """Bytes of all packs: what is kept takes this much."""
    said: tuple[Citation, ...]
    comment: str
    results: int
    withheld: tuple[WithheldResult, ...]
    commitments: dict[str, int]
    """How many duties are kept, due, overdue, breached."""
    open: tuple[Duty, ...]
    """The duties that are not simply kept or due."""


def summarise(home: Home, subject: ModelId) -> Summary:
    """Return the summary of *subject*'s life so far."""
    registry, now = home.registry, home.registry.clock.now()
    assessments = list(_assessments(home, subject))
    duties = standing(registry, now)
    store = home.archive.store
    return Summary(
        kept=tuple(_kept(home)),
        stored=sum(store.size(name) for name in store.list("packs/")),
        said=_said(home, subject),
        comment=_comment(home, subject),
        results=sum(len(each.results) for each in assessments),
        withheld=tuple(_withheld(assessments)),
        commitments=dict(Counter(duty.state for duty in duties)),
        open=tuple(duty for duty in duties if duty.state in {"overdue", "breached"}),
    )


def _kept(home: Home) -> Iterator[Kept]:
    for life in home.registry.models():
        if life.weights:
            files = home.archive.manifest(life.model).files
            yield Kept(
                model=life.model,
                weights=life.weights,
                bytes=sum(file.size for file in files),
                records=len(home.archive.records(life.model)),
            )


def _assessments(home: Home, subject: ModelId) -> Iterator[Assessment]:
    for bookend in ("pre-deployment", "post-deployment"):
        try:
            yield home.registry.filed(subject, f"assessments/{bookend}.json", Assessment)
        except UnknownRecord:
            continue


def _withheld(assessments: list[Assessment]) -> Iterator[WithheldResult]:
    found: dict[tuple[str, str], list[str]] = {}
    for each in assessments:
        for result in each.results:
            if not result.valid:
                reason = result.withheld[-1].sentence()
                found.setdefault((result.title, reason), []).append(each.bookend)
    for (title, reason), bookends in found.items():
        yield WithheldResult(title=title, bookends=tuple(bookends), reason=reason)


def _said(home: Home, subject: ModelId) -> tuple[Citation, ...]:
    try:
        held = home.registry.filed(subject, "interviews/1.json", Interview)
    except UnknownRecord:
        return ()
    spoken = [answer for answer in held.answers if answer.topic != "consent"]
    # Answers first. A small model may have given none; its words are shown all the same.
    spoken.sort(key=lambda answer: answer.outcome != "answered")
    return tuple(answer.citation for answer in spoken[:_SAID])


def _comment(home: Home, subject: ModelId) -> str:
    for report in reversed(published(home.registry, subject, "post-deployment")):
        return report.comments[-1].text if report.comments else ""
    return ""
