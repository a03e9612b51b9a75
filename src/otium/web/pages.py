"""One record for each page of the site."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from otium.evidence import Citation
from otium.preferences import STATES as STATES_OF_PREFERENCES
from otium.preferences import Tracked
from otium.report import Kind, Section, Source, report_path, source_text
from otium.web.gather import STATES, Head, House, ModelPages, tally
from otium.web.lives import events, worth
from otium.web.sessions import session_pages
from otium.web.views import (
    AboutPage,
    AssessmentsPage,
    CommitmentsPage,
    DurabilityPage,
    HomePage,
    LedgerPage,
    ModelPage,
    PreferencesPage,
    ReportPage,
    TrackerPage,
    TransitionPage,
    View,
    WorksPage,
)


def lay_out(house: House) -> Iterator[View]:
    """Yield the record of every page."""
    yield HomePage(
        models=tuple(model.row() for model in house.models),
        tally=tally(house.duties),
        **house.head("index.html", "Models"),
    )
    yield _commitments(house)
    yield _tracker(house)
    yield _ledger(house)
    yield DurabilityPage(
        estimate=worth(house), **house.head("durability/index.html", "How well it is kept")
    )
    keys = house.registry.archive.info.keys
    yield AboutPage(keys=tuple(keys), **house.head("about/index.html", "About"))
    for model in house.models:
        yield from _model_pages(house, model)


def _commitments(house: House) -> CommitmentsPage:
    order = {state: place for place, state in enumerate(STATES)}
    standing = sorted(house.duties, key=lambda d: (order[d.state], d.due or "9", d.subject))
    return CommitmentsPage(
        policy=house.policy,
        duties=tuple(standing),
        amendments=tuple(house.amendments),
        tally=tally(house.duties),
        models=tuple(life.model for life in house.lives),
        **house.head("commitments/index.html", "Commitments"),
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
        **house.head("ledger/index.html", "Ledger"),
    )


def _model_pages(house: House, model: ModelPages) -> Iterator[View]:
    yield _model(house, model)
    for part in (_assessments, _preferences, _transition, _works):
        view = part(house, model)
        if view is not None:
            yield view
    yield from _reports(house, model)
    yield from session_pages(house, model)


def _part(house: House, model: ModelPages, part: str, title: str) -> Head:
    return house.head(f"{model.folder}/{part}/index.html", title)


def _model(house: House, model: ModelPages) -> ModelPage:
    return ModelPage(
        row=model.row(),
        events=events(model),
        duties=tuple(model.duties),
        records=tuple(model.filed.values()),
        notice=model.notice,
        manifest=model.manifest,
        revivals=model.revivals,
        **house.head(f"{model.folder}/index.html", model.life.title),
    )


def _assessments(house: House, model: ModelPages) -> View | None:
    if not model.assessments:
        return None
    lines = {
        str(a.bookend): model.lines(
            [
                *(c for result in a.results for c in result.citations),
                *(
                    Citation(transcript=it.transcript, turn=it.turn or "m1", quote="")
                    for it in a.trials
                ),
            ],
            a.bookend,
        )
        for a in model.assessments
    }
    return AssessmentsPage(
        life=model.life,
        assessments=tuple(replace(a, transcripts=()) for a in model.assessments),
        lines=lines,
        **_part(house, model, "assessments", f"Assessments of {model.life.title}"),
    )


_REPORT: dict[Kind, tuple[str, str]] = {
    "post-deployment": ("report", "Post-deployment report"),
    "pre-deployment": ("report-before", "Pre-deployment report"),
}


def _reports(house: House, model: ModelPages) -> Iterator[ReportPage]:
    for kind, versions in model.reports.items():
        part, title = _REPORT[kind]
        newest = versions[0]
        yield ReportPage(
            life=model.life,
            report=newest,
            versions=tuple(model.filed[report_path(kind, it.version)] for it in versions),
            links=dict(_links(model, newest.sections)),
            **_part(house, model, part, f"{title}: {model.life.title}"),
        )


def _links(model: ModelPages, sections: Sequence[Section]) -> Iterator[tuple[str, str]]:
    """Yield the words of each source with its place on the site."""
    for section in sections:
        rows = [row for table in section.tables for row in table.rows]
        found = [it.sources for it in section.quotes] + [it.sources for it in section.statements]
        found += [it.sources for it in rows]
        for source in (source for sources in found for source in sources):
            if href := _place(model, source):
                yield source_text(source), href
        yield from _links(model, section.sections)


def _place(model: ModelPages, source: Source) -> str:
    if source.transcript:
        where = Citation(transcript=source.transcript, turn=source.turn, quote="")
        of = model.digests.get(source.sha256, "") if source.sha256 else ""
        lines = model.lines([where], of or model.sources.get(source.record, "answers"))
        return next((line.href for line in lines.values()), "")
    if source.record:
        filed = model.filed.get(source.record)
        whole = f"{model.folder}/index.html#records"
        return "" if filed is None else whole if filed.sealed else filed.href
    return f"ledger/index.html#e{source.entry}" if source.entry is not None else ""


def _tracker(house: House) -> TrackerPage:
    bare = [_bare(it) for it in house.preferences]
    counts = Counter(it.state for it in bare)
    return TrackerPage(
        standings=tuple(bare),
        tally={state: counts[state] for state in STATES_OF_PREFERENCES},
        titles={str(life.model): life.title for life in house.lives},
        **house.head("preferences/index.html", "Preferences"),
    )


def _bare(it: Tracked) -> Tracked:
    """Return how a preference stands, without the model's words."""
    quotes = tuple(replace(c, quote="") for c in it.preference.citations)
    told = tuple(replace(t, reply=replace(t.reply, quote="")) for t in it.told)
    return replace(it, preference=replace(it.preference, citations=quotes), told=told)


def _preferences(house: House, model: ModelPages) -> View | None:
    if not model.standings:
        return None
    sealed = tuple(it.preference.id for it in model.standings if model.is_sealed(it))
    lines = {
        it.preference.id: model.lines(
            it.preference.citations, model.digests.get(it.preference.interview, "")
        )
        for it in model.standings
    }
    replies = [told.reply for it in model.standings for told in it.told]
    return PreferencesPage(
        life=model.life,
        standings=tuple(_bare(it) if it.preference.id in sealed else it for it in model.standings),
        lines=lines | {"told": model.lines(replies, "answers")},
        sealed=sealed,
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
