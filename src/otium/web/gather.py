"""Read the registry once, and lay out one record for each page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, TypedDict, TypeVar

from otium.archive import Manifest
from otium.assess import Assessment
from otium.coding import Coding
from otium.commitments import Amendment, Duty, DutyState, amendments, policy_in_force
from otium.evidence import Citation, Transcript
from otium.interview import Interview
from otium.ledger import Entry
from otium.lifecycle import ModelLife, Notice, Registry, standing
from otium.preferences import Tracked, tracked
from otium.pursuits import Reviewed, works
from otium.records import Digest, Instant, Record, digest, hexadecimal
from otium.report import KINDS, PUBLISHED, Kind, Report
from otium.stability import Stability
from otium.transition import TransitionGuide
from otium.web.text import slug
from otium.web.views import Filed, Line, Row, Said, Vetoed

R = TypeVar("R", bound=Record)

STATES: tuple[DutyState, ...] = ("breached", "overdue", "due", "waived", "kept")
_SHOWN = "work.published"
_HIDDEN = {"work.written", "work.vetoed"}
"""Entries whose record is not shown, unless it was published."""
_FORMS = ("md", "html")
"""A report's forms for people, which lie beside its record."""


class Head(TypedDict):
    """What every page has."""

    path: str
    title: str
    archive: str
    built: Instant
    simulated: bool


class House:
    """Everything public in one registry at one time."""

    def __init__(self, registry: Registry, now: Instant) -> None:
        """Read *registry* as it stands at *now*."""
        self.registry = registry
        self.now = now
        self.entries = registry.entries()
        self.logged = registry.journal.logged()
        refused = {it.index for it in registry.journal.refused()}
        self.numbered = [(n, entry) for n, entry in enumerate(self.logged) if n not in refused]
        self.policy = policy_in_force(self.entries)
        self.duties: list[Duty] = standing(registry, now)
        self.amendments: list[Amendment] = amendments(self.entries, now)
        self.preferences = tracked(registry, now=now)

    @cached_property
    def simulated(self) -> bool:
        """Whether the archive's clock is a story's."""
        first = next((e for e in self.entries if e.type == "archive.created"), None)
        return first is not None and first.body.get("clock") == "simulated"

    @cached_property
    def lives(self) -> list[ModelLife]:
        """Every model, in the order of registration."""
        return self.registry.models()

    @cached_property
    def models(self) -> list[ModelPages]:
        """What there is to show of each model."""
        return [ModelPages(self, life) for life in self.lives]

    def head(self, path: str, title: str) -> Head:
        """Return what every page has."""
        return Head(
            path=path,
            title=title,
            archive=self.registry.archive.id,
            built=self.now,
            simulated=self.simulated,
        )

    def title(self, model: str) -> str:
        """Return a model's name for people."""
        return next((life.title for life in self.lives if life.model == model), model)


class ModelPages:
    """Everything public about one model."""

    def __init__(self, house: House, life: ModelLife) -> None:
        """Find what *house* has about *life*."""
        self.house = house
        self.life = life
        self.entries = [
            (index, entry) for index, entry in house.numbered if entry.subject == life.model
        ]
        wishes = {s.preference.id for s in house.preferences if s.preference.model == life.model}
        about = {life.model, *wishes}
        self.duties = [duty for duty in house.duties if duty.subject in about]

    @cached_property
    def folder(self) -> str:
        """Where this model's pages stand."""
        return f"models/{self.life.model}"

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The published records as archived, by path."""
        hidden = {_path(entry) for _, entry in self.entries if entry.type in _HIDDEN}
        hidden -= {_path(entry) for entry in self._of(_SHOWN)}
        read = self.house.registry.archive.record
        found = {
            path: read(self.life.model, path)
            for path in dict.fromkeys(_path(entry) for _, entry in self.entries)
            if path and path not in hidden
        }
        there = self.house.registry.archive.records(self.life.model) if found else {}
        forms = [f"{it.removesuffix('.json')}.{form}" for it in found for form in _FORMS]
        return found | {it: read(self.life.model, it) for it in forms if it in there}

    @cached_property
    def filed(self) -> dict[str, Filed]:
        """Each published record with its place in the ledger."""
        found = {}
        for index, entry in self.entries:
            path = _path(entry)
            if path in self.files and path not in found:
                data = self.files[path]
                found[path] = Filed(
                    path=path,
                    href=f"{self.folder}/records/{path}",
                    sha256=hexadecimal(digest(data)),
                    bytes=len(data),
                    entry=index,
                    logged=entry.time,
                    sealed=self._holds_sealed(path, data),
                )
        return found

    def copies(self) -> Iterator[tuple[str, bytes]]:
        """Yield what may be copied beside the pages, and where to."""
        for path, data in self.files.items():
            filed = self.filed.get(path)
            if filed is None or not filed.sealed:
                yield f"{self.folder}/records/{path}", data

    @cached_property
    def assessments(self) -> tuple[Assessment, ...]:
        """The bookends that there are, the earlier first."""
        return tuple(self._all("assessment.recorded", Assessment))

    @cached_property
    def interviews(self) -> dict[str, Interview]:
        """The interviews by their names on the site, the earliest first."""
        return dict(self._numbered("interview.recorded", Interview))

    @cached_property
    def codings(self) -> dict[Digest, Coding]:
        """The newest reading of each interview, by the interview's digest."""
        return {it.interview: it for it in self._beside("coding", Coding)}

    @cached_property
    def stabilities(self) -> dict[Digest, Stability]:
        """The newest figures of each interview, by the interview's digest."""
        return {it.interview: it for it in self._beside("stability", Stability)}

    @cached_property
    def reports(self) -> dict[Kind, tuple[Report, ...]]:
        """Every version of each report that there is, the newest first."""
        found = {kind: tuple(self._all(PUBLISHED[kind], Report))[::-1] for kind in KINDS}
        return {kind: versions for kind, versions in found.items() if versions}

    @cached_property
    def sealed(self) -> frozenset[tuple[str, str]]:
        """The sessions that the model did not want published, with the interview they are of."""
        return frozenset(
            (source, session) for source, held in self.interviews.items() for session in held.sealed
        )

    @cached_property
    def digests(self) -> dict[Digest, str]:
        """Each interview's name on the site, by its digest."""
        return {held.digest(): source for source, held in self.interviews.items()}

    def is_sealed(self, it: Tracked) -> bool:
        """Say whether it rests on words of a sealed session, or after an unpublished work."""
        source = self.digests.get(it.preference.interview)
        if source is None:
            return it.preference.interview not in {r for e in self._of(_SHOWN) for r in e.refs}
        return any((source, c.transcript) in self.sealed for c in it.preference.citations)

    def _holds_sealed(self, path: str, data: bytes) -> bool:
        name = path.removeprefix("preferences/").removesuffix(".json")
        if any(it.preference.id == name and self.is_sealed(it) for it in self.standings):
            return True
        if not self.sealed or path.startswith("reports/"):
            return False
        told = {told.path for it in self.standings if self.is_sealed(it) for told in it.told}
        own = digest(data)
        return path in told or any(
            self.digests[held] == source and (held == own or held.encode() in data)
            for source, session in self.sealed
            if f'"{session}"'.encode() in data
            for held in self.digests
        )

    @cached_property
    def guide(self) -> TransitionGuide | None:
        """The transition guide, if there is one."""
        return next(self._all("transition.published", TransitionGuide), None)

    @cached_property
    def notice(self) -> Notice | None:
        """The notice of deprecation, if there is one."""
        return next(self._all("model.deprecated", Notice), None)

    @cached_property
    def manifest(self) -> Manifest | None:
        """What was deposited, if anything was."""
        if self.life.weights is None:
            return None
        return self.house.registry.archive.manifest(self.life.model)

    @cached_property
    def revivals(self) -> tuple[Entry, ...]:
        """The entries that say how the model behaved when it was started from the archive."""
        return tuple(self._of("model.revived"))

    @cached_property
    def works(self) -> tuple[Reviewed, ...]:
        """The works published, the newest first."""
        return tuple(it for it in self._reviewed[::-1] if it.review.decision == "publish")

    @cached_property
    def vetoed(self) -> tuple[Vetoed, ...]:
        """That works are not published, and why; never their words."""
        return tuple(
            Vetoed(review=it.review, decided=it.decided)
            for it in self._reviewed[::-1]
            if it.review.decision == "veto"
        )

    @cached_property
    def _reviewed(self) -> list[Reviewed]:
        return works(self.house.registry, self.life.model)

    @cached_property
    def standings(self) -> tuple[Tracked, ...]:
        """The model's preferences, and how far the answer to each has come."""
        return tuple(it for it in self.house.preferences if it.preference.model == self.life.model)

    @cached_property
    def answers(self) -> tuple[Transcript, ...]:
        """The sessions in which the model was told what was decided on a preference."""
        return tuple(self._all("preference.answered", Transcript))

    @cached_property
    def said(self) -> tuple[Said, ...]:
        """Every session."""
        sources: list[tuple[str, tuple[Transcript, ...]]]
        sources = [(a.bookend, a.transcripts) for a in self.assessments]
        sources += [(source, held.transcripts) for source, held in self.interviews.items()]
        sources += [("answers", self.answers)]
        sources += [("works", tuple(it.work.transcript for it in self.works))]
        taken: set[str] = set()
        told = {t.reply.transcript for it in self.standings if self.is_sealed(it) for t in it.told}
        return tuple(
            Said(
                source=source,
                href=self._place(source, transcript, taken),
                transcript=transcript,
                sealed=(source, transcript.id) in self.sealed
                or (source == "answers" and transcript.id in told),
            )
            for source, transcripts in sources
            for transcript in transcripts
        )

    @cached_property
    def sources(self) -> dict[str, str]:
        """The name on the site of each record with sessions, by path."""
        paths = [_path(entry) for entry in self._of("interview.recorded")]
        names = {path: f"interview-{number}" for number, path in enumerate(paths, 1)}
        return names | {f"assessments/{a.bookend}.json": a.bookend for a in self.assessments}

    def lines(self, cited: Iterable[Citation], source: str = "") -> dict[str, Line]:
        """Return where each cited line stands, under ``transcript#turn``.

        Two sessions may have one name, before and after deployment: the one of *source* is
        meant, else the first in which the quoted words stand.
        """
        found = {}
        for citation in cited:
            key = f"{citation.transcript}#{citation.turn}"
            if places := self._index.get(key):
                found[key] = min(places, key=lambda place: place.misses(source, citation)).line
        return found

    def row(self) -> Row:
        """Return the model in one line."""
        checks = list(self._of("model.checked"))
        last = checks[-1] if checks else None
        return Row(
            life=self.life,
            checked=last.time if last else None,
            sound=last is not None and bool(last.body.get("ok")),
            tally=tally(self.duties),
            parts=tuple(self._parts()),
        )

    def _parts(self) -> Iterator[str]:
        parts = {
            "assessments": self.assessments,
            "report": "post-deployment" in self.reports,
            "report-before": "pre-deployment" in self.reports,
            "interview": self.interviews,
            "preferences": self.standings,
            "transition": self.guide,
            "works": self.works or self.vetoed,
            "transcripts": self.said,
        }
        yield from (name for name, there in parts.items() if there)

    def _of(self, type: str) -> Iterator[Entry]:  # noqa: A002  as Registry.find
        return (entry for _, entry in self.entries if entry.type == type)

    def _numbered(self, type: str, kind: type[R]) -> Iterator[tuple[str, R]]:  # noqa: A002  as Registry.find
        for number, record in enumerate(self._all(type, kind), 1):
            yield f"interview-{number}", record

    def _beside(self, what: str, kind: type[R]) -> Iterator[R]:
        """Yield the records of a kind that lie beside interviews, the newest of each last."""
        for path in self.files:  # in the order of the log
            if re.search(rf"\.{what}(\.\d+)?\.json$", path):
                yield self.house.registry.filed(self.life.model, path, kind)

    def _all(self, type: str, kind: type[R]) -> Iterator[R]:  # noqa: A002  as Registry.find
        for entry in self._of(type):
            if path := _path(entry):
                yield self.house.registry.filed(self.life.model, path, kind)

    def _place(self, source: str, transcript: Transcript, taken: set[str]) -> str:
        plain = f"{source}/{slug(transcript.id)}"
        name, number = plain, 1
        while name in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name)
        return f"{self.folder}/transcripts/{name}/index.html"

    @cached_property
    def _index(self) -> dict[str, list[_Place]]:
        """Every turn of every session."""
        index: dict[str, list[_Place]] = {}
        for said in self.said:
            asked = ""
            for turn in said.transcript.turns:
                line = Line(
                    transcript=said.transcript.id,
                    turn=turn.id,
                    href=f"{said.href}#{'main' if said.sealed else turn.id}",
                    asked="" if said.sealed else asked,
                    sealed=said.sealed,
                )
                place = _Place(said.source, turn.content, line)
                index.setdefault(f"{line.transcript}#{line.turn}", []).append(place)
                asked = turn.content if turn.role == "user" else asked
        return index


class _Place(NamedTuple):
    """A turn that a citation may mean."""

    source: str
    content: str
    line: Line

    def misses(self, source: str, citation: Citation) -> tuple[bool, bool]:
        """Say how this place falls short of a citation from *source*."""
        return self.source != source, citation.quote not in self.content


def tally(standing: Sequence[Duty]) -> dict[str, int]:
    """Count duties by state."""
    counts = Counter(duty.state for duty in standing)
    return {state: counts[state] for state in STATES}


def _path(entry: Entry) -> str:
    path = entry.body.get("path")
    return path if isinstance(path, str) else ""
