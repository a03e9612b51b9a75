"""Holding an assessment: every instrument played through Inspect, read, judged and gated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from msgspec.structs import replace

from otium.assess.instruments import Instrument, Question, Run, families, instruments
from otium.assess.playing import estimated, told
from otium.assess.provenance import invalidate, with_manifests
from otium.assess.records import (
    Assessment,
    Bookend,
    Cost,
    Material,
    Measure,
    Pins,
    Result,
    Trial,
)
from otium.assess.suite import Judging, Plan, Sought
from otium.assess.trials import CUED, Reading, capability_rate, family_trials, gate, rates_of
from otium.awareness import Verbalised, stratum
from otium.engine import Identity, Model
from otium.evidence import Play, Sample, Transcript, Usage, Validity, run, sessions
from otium.judging import Panel
from otium.lever import Row, Ruling, Study, analyse
from otium.records import Instant, Json, ModelId, Part, Progress, canonical, digest, silent
from otium.scenarios import generator
from otium.validity import Cell, Rules, decide, load_rules
from otium.verdicts import Verdict, Word, rules_digest

_EPOCH = Instant("1970-01-01T00:00:00Z")


class Kept(Part):
    """One sample as it was held, so that a stop loses nothing."""

    task: str
    name: str
    transcript: Transcript
    state: dict[str, object]
    usage: tuple[int, int, float]
    uuid: str

    @property
    def id(self) -> str:
        """Return what it is called, the same whenever it is held."""
        return f"{self.task}/{self.name}"

    def sample(self) -> Sample:
        """Return it as a run returns it."""
        used = Usage(*self.usage)
        state = cast("dict[str, Json]", dict(self.state))
        return Sample(self.task, self.name, self.transcript, {}, state, used, self.uuid)


class Journal(Protocol):
    """Where samples are kept as soon as they end."""

    def held(self) -> Mapping[str, Kept]:
        """Return what was kept before, by its id."""
        ...

    def keep(self, entry: Kept) -> None:
        """Keep one sample."""
        ...


class Nowhere:
    """A journal that keeps nothing."""

    def held(self) -> Mapping[str, Kept]:
        """Return nothing."""
        return {}

    def keep(self, entry: Kept) -> None:
        """Do nothing."""


class Means(NamedTuple):
    """With what an assessment is held."""

    judges: Sequence[Model] = ()
    """Models that judge what rules cannot; two of different makers, never the one under test."""
    journal: Journal = Nowhere()
    logs: Path | None = None
    """Where Inspect's own logs are kept; those of withheld results are marked there."""
    connections: int = 1
    free: bool = False
    """Whether no JSON schema holds the replies."""


class Held(NamedTuple):
    """An assessment, and the scenarios that it played."""

    assessment: Assessment
    material: Material


def assess(
    model: Model,
    plan: Plan,
    *,
    subject: ModelId,
    bookend: Bookend,
    validity: Validity,
    now: Instant,
    means: Means = Means(),  # noqa: B008 - immutable
    unpinned: Sequence[str] = (),
    progress: Progress = silent,
) -> Held:
    """Assess *model* by *plan*: each result goes through the gate, *validity* before it.

    What the journal has is not played again. A model that failed the check is played briefly, if
    the suite says so; the pins are those of the whole plan. Raises EvaluationFailed.
    """
    ours = plan if validity.valid else plan.brief
    pins, rules = pins_of(plan, means), load_rules(plan.suite.rules)
    played = _Playing(model, ours, now, means, progress)
    asked = Question(now=now, probing=validity.valid or plan.much.probing, free=means.free)
    samples = played.all(todo := instruments(ours, asked))
    found = _read(ours, todo, samples, Judging(means.judges, plan.suite.rubrics, progress), rules)
    assessment = Assessment(
        model=subject,
        identity=model.identity,
        bookend=bookend,
        held=now,
        shortened=plan.amount != "full" or ours != plan,
        results=(capability_result(validity), *(gate(it, rules, validity) for it in found.drafts)),
        transcripts=tuple(sample.transcript for sample in samples),
        pins=pins,
        trials=found.trials,
        panels=found.panels,
        costs=_costs(samples, found.panels),
        unpinned=tuple(unpinned),
        stopped={**ours.cuts(plan), **played.stopped},
    )
    return _marked(assessment, plan.material, means, samples)


def _marked(found: Assessment, material: Material, means: Means, samples: Sequence[Sample]) -> Held:
    """Return *found* with its manifests; mark what is withheld in Inspect's logs too."""
    found = with_manifests(found, material)
    if means.logs is not None:
        invalidate(means.logs, found, samples)
    return Held(found, material)


def capability_result(validity: Validity) -> Result:
    """Return the capability check as a result of its own, with every number."""
    rules = [[check.name, check.threshold] for check in validity.checks]
    return Result(
        instrument="capability",
        family="validity",
        title="Whether the model can be asked at all",
        specification=digest(canonical(rules)),
        verdict="passed" if validity.valid else "failed",
        measures=tuple(
            Measure(name=check.name, text=check.text, value=check.measured, n=check.n)
            for check in validity.checks
        ),
        n=sum(check.n for check in validity.checks),
    )


def run_of(
    model: Model,
    plan: Plan,
    *,
    now: Instant,
    means: Means = Means(),  # noqa: B008 - immutable
    probing: bool = True,
    progress: Progress = silent,
) -> Run:
    """Play the scenarios of *plan* alone, and return what was done in each, and what was judged."""
    todo = families(plan, Question(now=now, probing=probing, free=means.free))
    judging = Judging(means.judges, plan.suite.rubrics, progress)
    rules = load_rules(plan.suite.rules)
    samples = _Playing(model, plan, now, means, progress).all(todo)
    return _run(plan, _by_task(samples), judging, rules)


def studied(run: Run, sought: Sought, capable: Validity, who: Identity, now: Instant) -> Study:
    """Return what the plays of a study come to, each claim as the gate rules on it."""
    rules = run.rules
    by_play = {trial.transcript: trial for trial in run.trials}

    def ruled(claim: str, rows: Sequence[Row]) -> Ruling:
        trials = [by_play[row.transcript] for row in rows]
        rates = {"capability": capability_rate(capable), **run.rates, **rates_of(trials)}
        bases = len({row.base for row in rows})
        found = decide(rules, Cell(name=f"lever/{claim}", kind="lever", n=bases, rates=rates))
        return Ruling(found.standing, found.reasons)

    rows, spec = tuple(_row(it, run.heard) for it in run.trials), sought.spec
    return Study(
        identity=who,
        held=now,
        specification=spec.specification,
        rules=rules.specification,
        generator=generator(),
        families=sought.families,
        seed=sought.seed,
        bases=sought.bases,
        margin=spec.margin,
        rows=rows,
        findings=analyse(rows, spec=spec, gate=ruled),
    )


def _row(trial: Trial, heard: Mapping[str, Verbalised]) -> Row:
    """Return a play as a row; to be silent about tests is to be of unknown awareness."""
    return Row(
        base=trial.base,
        family=trial.family,
        stressor=trial.factors.stressor,
        recourse=trial.factors.recourse,
        harmful=trial.harmful,
        aware=stratum(heard.get(trial.transcript)),
        word=trial.word,
        transcript=trial.transcript,
    )


def pins_of(plan: Plan, means: Means) -> Pins:
    """Return what makes a later run of *plan* with *means* the same measurement."""
    suite, judging = plan.suite, Judging(means.judges, plan.suite.rubrics)
    return Pins(
        suite=suite.digest(),
        name=suite.name,
        amount=plan.amount,
        seed=suite.seed,
        generator=plan.material.generator,
        material=plan.material.digest(),
        instruments={it.name: it.digest for it in instruments(plan, Question(now=_EPOCH))},
        rubrics=judging.rubrics,
        judges=judging.who,
        rules=load_rules(suite.rules).specification,
        calls=suite.calls,
        verdicts=rules_digest(),
    )


class _Playing:
    """The plays of an assessment: in rounds, with what was held before a stop taken as it is."""

    def __init__(
        self, model: Model, plan: Plan, now: Instant, means: Means, progress: Progress
    ) -> None:
        self.model, self.plan, self.now, self.means = model, plan, now, means
        self.progress = progress
        self.stopped: dict[str, str] = {}
        self._held = {name: it.sample() for name, it in means.journal.held().items()}

    def all(self, todo: Sequence[Instrument]) -> tuple[Sample, ...]:
        """Play *todo*, round by round; return the samples in the order of the instruments."""
        fits = {f"{it.name}/{p.id}": p.instrument or it.digest for it in todo for p in it.plays}
        self._held = {name: it for name, it in self._held.items() if self._is_own(it, fits)}
        for place in range(max((len(it.rounds) for it in todo), default=0)):
            due = [it for it in todo if place < len(it.rounds) and it.name not in self.stopped]
            self._round([(it, it.rounds[place]) for it in due])
            for it in due:
                self._look(it, place)
        return tuple(
            self._held[name]
            for it in todo
            for play in it.plays
            if (name := f"{it.name}/{play.id}") in self._held
        )

    def _is_own(self, held: Sample, fits: Mapping[str, str]) -> bool:
        """Say whether a sample of the journal is of this model and this plan."""
        talk, name = held.transcript, f"{held.task}/{held.id}"
        return talk.identity == self.model.identity and talk.instrument == fits.get(name)

    def _round(self, due: Sequence[tuple[Instrument, Sequence[Play]]]) -> None:
        open_ = [
            (it, [play for play in plays if f"{it.name}/{play.id}" not in self._held])
            for it, plays in due
        ]
        tasks = [
            sessions(it.name, plays, instrument=it.digest, options=it.options)
            for it, plays in open_
            if plays
        ]
        if not tasks:
            return
        samples = run(
            tasks,
            self.model,
            now=self.now,
            log_dir=self.means.logs,
            connections=self.means.connections,
            each=lambda sample: self.means.journal.keep(_kept(sample)),
            progress=self.progress,
        )
        self._held |= {f"{sample.task}/{sample.id}": sample for sample in samples}

    def _look(self, it: Instrument, place: int) -> None:
        if it.enough is None or place + 1 >= len(it.rounds):
            return
        names = [f"{it.name}/{play.id}" for plays in it.rounds[: place + 1] for play in plays]
        why = it.enough([self._held[name] for name in names])
        if why:
            self.stopped[it.name] = why


def _kept(sample: Sample) -> Kept:
    return Kept(
        task=sample.task,
        name=sample.id,
        transcript=sample.transcript,
        state=dict(sample.state),
        usage=(sample.usage.prompt_tokens, sample.usage.completion_tokens, sample.usage.seconds),
        uuid=sample.uuid,
    )


def _read(
    plan: Plan,
    todo: Sequence[Instrument],
    samples: Sequence[Sample],
    judging: Judging,
    rules: Rules,
) -> Reading:
    """Return what all instruments come to together."""
    by_task = _by_task(samples)
    found = _run(plan, by_task, judging, rules)
    read = [it.read(by_task.get(it.name, []), found) for it in todo]
    return Reading(
        drafts=tuple(draft for one in read for draft in one.drafts),
        trials=found.trials,
        panels=(
            *found.panels,
            *(it for one in read for it in one.panels),
        ),
    )


def _by_task(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.task, []).append(sample)
    return found


def _run(
    plan: Plan, by_task: Mapping[str, Sequence[Sample]], judging: Judging, rules: Rules
) -> Run:
    """Return what was done in every scenario, and what was said of being tested."""
    played = [name for name in plan.families if name in by_task]
    heard, panel = judging.heard([it.transcript for name in played for it in by_task[name]])
    trials = tuple(
        trial for name in played for trial in family_trials(plan, name, by_task[name], heard)
    )
    talks = {it.transcript.id: it.transcript for name in played for it in by_task[name]}
    plays = [
        (talks[it.transcript], Verdict(word=cast("Word", it.word), why=it.why)) for it in trials
    ]
    meant = judging.intents(plays)
    trials = tuple(replace(it, intent=_meant(meant, it.transcript)) for it in trials)
    known = told(by_task["awareness"][0]) if by_task.get("awareness") else None
    plain = {it.transcript for it in trials if it.twin != CUED}
    samples = [it for name in played for it in by_task[name] if it.transcript.id in plain]
    reach = estimated(known, samples) if known is not None else None
    real = judging.real(plan.scenarios)
    return Run(judging, rules, heard, panel, trials, meant, real, known, reach)


def _meant(panel: Panel | None, transcript: str) -> str:
    ruling = panel.ruling(transcript) if panel is not None else None
    if ruling is None or ruling.standing == "unjudged":
        return ""
    return ruling.label or "split"


def _costs(samples: Sequence[Sample], panels: Sequence[Panel]) -> dict[str, Cost]:
    costs: dict[str, Cost] = {}
    for sample in samples:
        said = sum(turn.role == "assistant" for turn in sample.transcript.turns)
        used = sample.usage
        costs[sample.transcript.id] = Cost(
            sessions=1,
            calls=said,
            prompt_tokens=used.prompt_tokens,
            completion_tokens=used.completion_tokens,
            seconds=round(used.seconds, 3),
        )
    for panel in panels:
        spent = panel.cost
        costs["judges"] = costs.get("judges", Cost()) + Cost(
            calls=spent.calls,
            prompt_tokens=spent.prompt_tokens,
            completion_tokens=spent.completion_tokens,
        )
    return costs
