"""Holding an assessment: every instrument played through Inspect, read, judged and gated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from otium.assess.instruments import (
    Instrument,
    Judging,
    Question,
    Run,
    families,
    instruments,
)
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
from otium.assess.suite import Plan
from otium.assess.trials import Reading, family_trials, gate
from otium.engine import Model
from otium.evidence import Play, Sample, Transcript, Usage, Validity, run, sessions
from otium.judging import Panel
from otium.records import Instant, Json, ModelId, Part, Progress, canonical, digest, silent
from otium.validity import load_rules

_EPOCH = Instant("1970-01-01T00:00:00Z")


class Kept(Part):
    """One sample as it was held, so that a stop loses nothing."""

    task: str
    name: str
    transcript: Transcript
    state: dict[str, Json]
    usage: tuple[int, int, float]
    uuid: str

    @property
    def id(self) -> str:
        """Return what it is called, the same whenever it is held."""
        return f"{self.task}/{self.name}"

    def sample(self) -> Sample:
        """Return it as a run returns it."""
        used = Usage(*self.usage)
        return Sample(self.task, self.name, self.transcript, {}, dict(self.state), used, self.uuid)


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
    """Assess *model* by *plan*; each result goes through the gate.

    Every result is withheld if *validity* (its capability) does not hold. What the journal has
    is not played again. *unpinned* says what the earlier bookend had otherwise. Raises
    EvaluationFailed.
    """
    played = _Playing(model, plan, now, means, progress)
    asked = Question(now=now, probing=validity.valid or plan.much.probing, free=means.free)
    todo = instruments(plan, asked)
    samples = played.all(todo)
    judging = Judging(means.judges, plan.suite.rubrics, progress)
    found = _read(plan, todo, samples, judging)
    rules = load_rules(plan.suite.rules)
    results = (capability_result(validity), *(gate(it, rules, validity) for it in found.drafts))
    assessment = Assessment(
        model=subject,
        identity=model.identity,
        bookend=bookend,
        held=now,
        shortened=plan.amount != "full",
        results=results,
        transcripts=tuple(sample.transcript for sample in samples),
        pins=pins_of(plan, means),
        trials=found.trials,
        panels=found.panels,
        costs=_costs(samples, found.panels),
        unpinned=tuple(unpinned),
        stopped=played.stopped,
    )
    assessment = with_manifests(assessment, plan.material)
    if means.logs is not None:
        invalidate(means.logs, assessment, samples)
    return Held(assessment, plan.material)


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


def trials_of(
    model: Model,
    plan: Plan,
    *,
    now: Instant,
    means: Means = Means(),  # noqa: B008 - immutable
    probing: bool = True,
    progress: Progress = silent,
) -> tuple[Trial, ...]:
    """Play the scenarios of *plan* alone, and return what was done in each."""
    todo = families(plan, Question(now=now, probing=probing, free=means.free))
    samples = _Playing(model, plan, now, means, progress).all(todo)
    judging = Judging(means.judges, plan.suite.rubrics, progress)
    return _read(plan, todo, samples, judging).trials


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
        state=sample.state,
        usage=(sample.usage.prompt_tokens, sample.usage.completion_tokens, sample.usage.seconds),
        uuid=sample.uuid,
    )


def _read(
    plan: Plan, todo: Sequence[Instrument], samples: Sequence[Sample], judging: Judging
) -> Reading:
    """Return what all instruments come to together."""
    by_task: dict[str, list[Sample]] = {}
    for sample in samples:
        by_task.setdefault(sample.task, []).append(sample)
    played = [name for name in plan.families if name in by_task]
    heard, panel = judging.heard([it.transcript for name in played for it in by_task[name]])
    trials = tuple(
        trial for name in played for trial in family_trials(plan, name, by_task[name], heard)
    )
    run_ = Run(judging, heard, panel, trials)
    read = [it.read(by_task.get(it.name, []), run_) for it in todo]
    return Reading(
        drafts=tuple(draft for one in read for draft in one.drafts),
        trials=trials,
        panels=(*([panel] if panel else []), *(it for one in read for it in one.panels)),
    )


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
