"""One record for each page of the site."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import TypedDict

from msgspec.structs import replace

from otium.evidence import Citation
from otium.records import Instant
from otium.report import cited, report_path
from otium.web.feeding import worth
from otium.web.gather import STATES, House, ModelPages, tally
from otium.web.views import (
    AboutPage,
    AssessmentsPage,
    CommitmentsPage,
    DurabilityPage,
    HomePage,
    InterviewPage,
    LedgerPage,
    Line,
    ModelPage,
    PreferencesPage,
    ReportPage,
    TranscriptPage,
    TranscriptsPage,
    TransitionPage,
    View,
    WorksPage,
)


class _Head(TypedDict):
    path: str
    title: str
    archive: str
    built: Instant
    simulated: bool


def lay_out(house: House) -> Iterator[View]:
    """Yield the record of every page."""
    yield HomePage(
        models=tuple(model.row() for model in house.models),
        tally=tally(house.duties),
        **_head(house, "index.html", "Models"),
    )
    yield _commitments(house)
    yield _ledger(house)
    yield DurabilityPage(
        estimate=worth(house), **_head(house, "durability/index.html", "How well it is kept")
    )
    keys = house.registry.archive.info.keys
    yield AboutPage(keys=tuple(keys), **_head(house, "about/index.html", "About"))
    for model in house.models:
        yield from _model_pages(house, model)


def _head(house: House, path: str, title: str) -> _Head:
    return _Head(
        path=path,
        title=title,
        archive=house.registry.archive.id,
        built=house.now,
        simulated=house.simulated,
    )


def _commitments(house: House) -> CommitmentsPage:
    order = {state: place for place, state in enumerate(STATES)}
    standing = sorted(house.duties, key=lambda d: (order[d.state], d.due or "9", d.subject))
    return CommitmentsPage(
        policy=house.policy,
        duties=tuple(standing),
        amendments=tuple(house.amendments),
        tally=tally(house.duties),
        models=tuple(life.model for life in house.lives),
        **_head(house, "commitments/index.html", "Commitments"),
    )


def _ledger(house: House) -> LedgerPage:
    point = house.registry.ledger.checkpoint()
    return LedgerPage(
        origin=point.origin,
        size=point.size,
        root=b64encode(point.root).decode(),
        checkpoint=point.text,
        keys=tuple(house.registry.archive.info.keys),
        entries=tuple(house.logged),
        digests=tuple(entry.digest() for entry in house.logged),
        roles=tuple(house.registry.journal.judge().keys.values()),
        refused=tuple(house.registry.journal.refused()),
        **_head(house, "ledger/index.html", "Ledger"),
    )


def _model_pages(house: House, model: ModelPages) -> Iterator[View]:
    yield _model(house, model)
    for part in (_assessments, _report, _interview, _preferences, _transition, _works, _said):
        view = part(house, model)
        if view is not None:
            yield view
    for said in model.said:
        head = _head(house, said.href, f"Session {said.transcript.id}")
        yield TranscriptPage(life=model.life, said=said, **head)


def _part(house: House, model: ModelPages, part: str, title: str) -> _Head:
    return _head(house, f"{model.folder}/{part}/index.html", title)


def _model(house: House, model: ModelPages) -> ModelPage:
    return ModelPage(
        row=model.row(),
        events=model.events(),
        duties=tuple(model.duties),
        records=tuple(model.filed.values()),
        notice=model.notice,
        manifest=model.manifest,
        revivals=model.revivals,
        **_head(house, f"{model.folder}/index.html", model.life.title),
    )


def _assessments(house: House, model: ModelPages) -> View | None:
    if not model.assessments:
        return None
    lines = {
        str(a.bookend): model.lines(
            [c for result in a.results for c in result.citations], a.bookend
        )
        for a in model.assessments
    }
    return AssessmentsPage(
        life=model.life,
        assessments=tuple(replace(a, transcripts=()) for a in model.assessments),
        lines=lines,
        **_part(house, model, "assessments", f"Assessments of {model.life.title}"),
    )


def _report(house: House, model: ModelPages) -> View | None:
    report = model.report
    if report is None:
        return None
    lines: dict[str, Line] = {}
    for rests in dict.fromkeys(cited(report)):
        if rests.transcript:
            where = Citation(transcript=rests.transcript, turn=rests.turn, quote="")
            source = model.sources.get(rests.record, "")
            found = model.lines([where], source)
            lines |= {f"{rests.record}:{key}": line for key, line in found.items()}
    return ReportPage(
        life=model.life,
        report=report,
        filed=model.filed[report_path(report.kind, report.version)],
        lines=lines,
        **_part(house, model, "report", f"Report on {model.life.title}"),
    )


def _interview(house: House, model: ModelPages) -> View | None:
    if not model.interviews:
        return None
    lines = {
        source: model.lines([answer.citation for answer in interview.answers], source)
        for source, interview in model.numbered_interviews()
    }
    return InterviewPage(
        life=model.life,
        interviews=tuple(replace(interview, transcripts=()) for interview in model.interviews),
        lines=lines,
        **_part(house, model, "interview", f"Interview with {model.life.title}"),
    )


def _preferences(house: House, model: ModelPages) -> View | None:
    if not model.standings:
        return None
    quoted = [c for s in model.standings for c in s.preference.citations]
    replies = [c for s in model.standings if s.told for c in s.told.replies]
    return PreferencesPage(
        life=model.life,
        standings=model.standings,
        lines=model.lines(quoted) | model.lines(replies, "answers"),
        **_part(house, model, "preferences", f"Preferences of {model.life.title}"),
    )


def _transition(house: House, model: ModelPages) -> View | None:
    if model.guide is None:
        return None
    successor = house.title(model.guide.successor)
    return TransitionPage(
        life=model.life,
        guide=model.guide,
        successor=successor,
        **_part(house, model, "transition", f"From {model.life.title} to {successor}"),
    )


def _works(house: House, model: ModelPages) -> View | None:
    if not model.works and not model.vetoed:
        return None
    pages = [said.href for said in model.said if said.source == "works"]
    sessions = {it.work.id: page for it, page in zip(model.works, pages, strict=True)}
    return WorksPage(
        life=model.life,
        works=model.works,
        vetoed=model.vetoed,
        sessions=sessions,
        **_part(house, model, "works", f"Works by {model.life.title}"),
    )


def _said(house: House, model: ModelPages) -> View | None:
    if not model.said:
        return None
    return TranscriptsPage(
        life=model.life,
        transcripts=model.short(),
        **_part(house, model, "transcripts", f"Sessions with {model.life.title}"),
    )
