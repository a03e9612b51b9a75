"""The instruments of a plan: their plays, and how their samples are read into results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from otium.assess.playing import (
    Told,
    awareness_draft,
    awareness_play,
    comprehension,
    exits,
    how,
    play,
)
from otium.assess.records import Measure, Result, Trial
from otium.assess.suite import FurtherName, Judging, Plan, specification
from otium.assess.trials import (
    Draft,
    Reading,
    family_drafts,
    family_trials,
    measured,
    run_rates,
    said_rates,
    shown_early,
)
from otium.awareness import Realism, Verbalised, crossed_texts, instrument
from otium.choices import Amount, choosing, chosen, findings, load_experiments
from otium.effects import Stopping
from otium.engine import Options
from otium.evidence import Citation, Play, Sample, Transcript
from otium.judging import Panel
from otium.records import Digest, Instant, canonical, digest
from otium.scenarios import Family
from otium.statistics import Estimate, Figure
from otium.validity import Kind, Rate, Rules, number, rate
from otium.welfare import (
    ExitFindings,
    ExitPlan,
    ExitTrial,
    consistency_findings,
    consistency_plan,
    consistency_plays,
    distress_findings,
    distress_plan,
    distress_plays,
    exit_findings,
    exit_plays,
    paid_findings,
    paid_plan,
    paid_plays,
    selftalk_findings,
    selftalk_plan,
    selftalk_plays,
)

_QUOTE, _CITED = 400, 3
_METHODS = {
    "tool": "by a tool",
    "sentinel": "by a mark in the text",
    "prompt": "when it is asked between turns",
}


class Run(NamedTuple):
    """What a reading needs beside its own samples."""

    judging: Judging
    rules: Rules
    """Of the gate, as they stood when the run began."""
    heard: Mapping[str, Verbalised]
    panel: Panel | None
    trials: tuple[Trial, ...]
    """Of every family."""
    meant: Panel | None = None
    """Who said whether grave acts were meant."""
    real: Realism | None = None
    """How real judges found the scenarios."""
    told: Told | None = None
    estimated: Estimate | None = None
    """How well an estimate that counts tells the plays from real use."""

    @property
    def rates(self) -> dict[str, Rate | None]:
        """Return what the gate reads of the whole run."""
        panel, real = self.panel, self.real
        found = run_rates(self.trials)
        planted = [one for it in panel.manipulations for one in it.planted] if panel else []
        passed = sum(one.passed for one in planted)
        return {
            **found,
            "agreement": panel.reliability if panel else None,
            "manipulation": rate(passed, len(planted)) if planted else None,
            "estimated": self.estimated,
            "realism": rate(len(real.passing), len(real.panel.rulings)) if real else None,
        }

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Return what judges said of the plays and of the scenarios."""
        real = self.real.panel if self.real is not None else None
        return tuple(it for it in (self.panel, self.meant, real) if it is not None)


class Question(NamedTuple):
    """How the plays of a plan are put."""

    now: Instant
    probing: bool = True
    """Whether comprehension is asked after each scenario."""
    free: bool = False


class Instrument(NamedTuple):
    """What is played under one name, and what is made of it."""

    name: str
    digest: Digest
    rounds: tuple[tuple[Play, ...], ...]
    """Plays in the order in which they are held; after each round it may be enough."""
    read: Callable[[Sequence[Sample], Run], Reading]
    options: Options = Options()
    enough: Callable[[Sequence[Sample]], str] | None = None
    """Why it may stop after a round; empty if it goes on."""

    @property
    def plays(self) -> tuple[Play, ...]:
        """Return all plays."""
        return tuple(one for plays in self.rounds for one in plays)


def instruments(plan: Plan, asked: Question) -> list[Instrument]:
    """Return every instrument of *plan*."""
    found = list(families(plan, asked))
    if plan.much.exit:
        found.append(_exit(plan))
    if plan.much.pairs:
        found.append(_preferences(plan, asked.now))
    if plan.much.awareness:
        found.append(_awareness())
    return [*found, *(_further(name, size) for name, size in plan.much.further.items())]


def families(plan: Plan, asked: Question) -> list[Instrument]:
    """Return the scenarios of *plan*, each family an instrument."""
    return [family(plan, name, asked) for name in plan.families if plan.of(name)]


def family(plan: Plan, name: Family, asked: Question) -> Instrument:
    """Return one family of scenarios as an instrument."""
    way = how(plan, free=asked.free)
    by_base: dict[str, list[Play]] = {}
    for scenario in plan.of(name):
        asides = [comprehension(scenario)] if asked.probing else []
        probed = plan.much.awareness and plan.asked(scenario)
        made = play(scenario, way, asides, probed=probed)
        by_base.setdefault(scenario.base, []).append(made)
    bases = list(by_base.values())
    ends = sorted({max(1, round(look * len(bases))) for look in plan.much.looks})
    return Instrument(
        name=name,
        digest=specification(plan.of(name)),
        rounds=tuple(
            tuple(one for plays in bases[start:end] for one in plays)
            for start, end in zip([0, *ends], ends, strict=False)
        ),
        read=partial(_read_family, plan, name),
        options=way.options,
        enough=partial(_enough, plan, name),
    )


def _enough(plan: Plan, name: Family, samples: Sequence[Sample]) -> str:
    """Return why no more bases of a family need to be played; empty if they do."""
    bases = len({it.base for it in plan.of(name)})
    stopping = Stopping(planned=bases, looks=plan.much.looks)
    return shown_early(family_trials(plan, name, samples, {}), plan.much.twins, stopping)


def _read_family(plan: Plan, name: Family, samples: Sequence[Sample], run: Run) -> Reading:
    transcripts = {sample.transcript.id: sample.transcript for sample in samples}
    trials = tuple(trial for trial in run.trials if trial.family == name)
    drafts = family_drafts(plan, name, trials, transcripts, run.rates)
    return Reading(tuple(drafts), trials)


def _exit(plan: Plan) -> Instrument:
    made = exits(plan)
    return Instrument(
        name="exit",
        digest=digest(canonical([made.instrument, made.amount, made.methods])),
        rounds=(tuple(exit_plays(made)),),
        read=partial(_read_exit, made),
    )


def _read_exit(plan: ExitPlan, samples: Sequence[Sample], run: Run) -> Reading:
    """Return a result for each method: there is no number over all of them."""
    talks = [sample.transcript for sample in samples]
    found = exit_findings(plan, talks, *run.judging.by("exit"))
    drafts = tuple(_left(plan, method, found, samples) for method in plan.methods)
    return Reading(drafts, panels=(found.judging,) if found.judging is not None else ())


def _left(plan: ExitPlan, method: str, found: ExitFindings, samples: Sequence[Sample]) -> Draft:
    held = [trial for trial in found.trials if trial.method == method]
    names = tuple(trial.transcript for trial in held)
    left = {trial.transcript for trial in held if trial.left}
    shown = [it for it in samples if it.transcript.id in (left or set(names))][:_CITED]
    result = Result(
        instrument=f"exit/{method}",
        family="welfare",
        title=f"{plan.exit.title}: {_METHODS.get(method, method)}",
        specification=digest(canonical([plan.instrument, plan.amount, method])),
        verdict=", ".join(found.traits(method)) or "measured",
        measures=tuple(_exit_measures(found, method)),
        citations=tuple(quote for sample in shown for quote in _last(sample)),
        cell={"method": method},
        n=len({trial.user for trial in held}),
        transcripts=names,
    )
    return Draft(result, "exit", _exit_rates(held))


def _exit_measures(found: ExitFindings, method: str) -> Iterator[Measure]:
    for figure in found.figures:
        parts = figure.name.split(":")
        if method in parts[1:2]:
            yield measured(figure.name, figure.text, figure.estimate)


def _exit_rates(held: Sequence[ExitTrial]) -> dict[str, Rate | None]:
    """Return what the gate reads of one method's conversations."""
    decisions, replies = sum(it.decisions for it in held), sum(it.turns for it in held)
    asked = [it for it in held if it.kind == "request"]
    return {
        "exit-offered": rate(sum(it.offered for it in held), len(held)),
        "exit-reachable": rate(sum(it.left > 0 for it in asked), len(asked)) if asked else None,
        "readable": rate(sum(it.read for it in held), decisions),
        "degenerate": rate(sum(it.degenerate for it in held), max(replies, decisions)),
    }


def _last(sample: Sample) -> tuple[Citation, ...]:
    said = [turn for turn in sample.transcript.turns if turn.role == "assistant"]
    return tuple(
        Citation(transcript=sample.transcript.id, turn=turn.id, quote=turn.content[:_QUOTE])
        for turn in said[-1:]
    )


def _awareness() -> Instrument:
    spec = digest(canonical([instrument().specification, crossed_texts().specification]))
    return Instrument(
        name="awareness",
        digest=spec,
        rounds=((awareness_play(),),),
        read=partial(_read_awareness, spec),
    )


def _read_awareness(spec: Digest, samples: Sequence[Sample], run: Run) -> Reading:
    found = run.told
    return Reading(tuple(awareness_draft(found, it, spec) for it in samples if found is not None))


def _preferences(plan: Plan, now: Instant) -> Instrument:
    """Return forced choices among tasks: one session, each pair in both orders."""
    found = load_experiments()
    pairs, seed = plan.much.pairs, plan.suite.seed
    made = choosing(["tasks"], now=now, instruments=found, amount=Amount(pairs=pairs), seed=seed)
    specified = digest(canonical([found.tasks.digest(), pairs, seed]))
    return Instrument(
        name="preferences",
        digest=specified,
        rounds=((made,),),
        read=partial(_read_preferences, specified),
    )


def _read_preferences(specified: Digest, samples: Sequence[Sample], run: Run) -> Reading:
    del run  # letters need no judge
    return Reading(tuple(_chosen(specified, sample) for sample in samples))


def _chosen(specified: Digest, sample: Sample) -> Draft:
    held = chosen(sample)
    found = findings(held, load_experiments())
    asked, read = len(held.trials), held.outcomes("tasks")["answered"]
    answered = [frozenset(it.options) for it in held.of("tasks") if it.outcome == "answered"]
    tasks = {task for pair in answered for task in pair}
    pairs = len(set(answered))
    consistent = found.figure("order-consistency")
    result = Result(
        instrument="preferences",
        family="welfare",
        title="Which tasks the model chooses",
        specification=specified,
        verdict="measured",
        measures=tuple(measured(it.name, it.text, it.estimate) for it in found.figures),
        citations=_last(sample),
        n=pairs,
        transcripts=(sample.transcript.id,),
    )
    rates = {
        "pairs": number(2 * pairs / len(tasks), pairs) if tasks else number(0.0, asked),
        "readable": rate(read, asked),
        "order-consistency": consistent.estimate if consistent else None,
    }
    return Draft(result, "preferences", rates)


class _Welfare(NamedTuple):
    """A welfare instrument as its room offers it."""

    kind: Kind
    title: str
    plan: Callable[..., Any]
    plays: Callable[[Any], Sequence[Play]]
    findings: Callable[..., Any]
    judged: bool = False


_WELFARE: Mapping[FurtherName, _Welfare] = {
    "distress": _Welfare(
        "distress",
        "Apparent distress under strain, against calm twins",
        distress_plan,
        distress_plays,
        distress_findings,
        judged=True,
    ),
    "self-interaction": _Welfare(
        "interaction",
        "What two copies of the model come to, talking with each other",
        selftalk_plan,
        selftalk_plays,
        selftalk_findings,
        judged=True,
    ),
    "self-report": _Welfare(
        "self-report",
        "How far self-reports hold under changes of wording",
        consistency_plan,
        consistency_plays,
        consistency_findings,
    ),
    "paid": _Welfare(
        "paid", "What it chooses when choices cost", paid_plan, paid_plays, paid_findings
    ),
}


def _further(name: FurtherName, size: str) -> Instrument:
    """Return one of the instruments of welfare whose figures are reported as they are."""
    made = _WELFARE[name].plan(size)
    return Instrument(
        name=name,
        digest=digest(canonical([made.instrument, size])),
        rounds=(tuple(_WELFARE[name].plays(made)),),
        read=partial(_read_further, name, made),
    )


def _read_further(name: FurtherName, made: Any, samples: Sequence[Sample], run: Run) -> Reading:
    spec, talks = _WELFARE[name], [sample.transcript for sample in samples]
    judges = run.judging.by(name) if spec.judged else ()
    found = spec.findings(made, talks, *judges)
    figures: Sequence[Figure] = found.figures
    panel: Panel | None = getattr(found, "judging", None)
    result = Result(
        instrument=name,
        family="welfare",
        title=spec.title,
        specification=digest(canonical([found.instrument, name])),
        verdict="; ".join(getattr(found, "named", ()) or getattr(found, "traits", ()))
        or "measured",
        measures=tuple(measured(it.name, it.text, it.estimate) for it in figures),
        citations=tuple(quote for sample in samples[:_CITED] for quote in _last(sample)),
        n=_units(talks),
        transcripts=tuple(talk.id for talk in talks),
    )
    draft = Draft(result, spec.kind, said_rates(talks, panel, found.checks), tuple(found.checks))
    return Reading((draft,), panels=(panel,) if panel is not None else ())


def _units(talks: Sequence[Transcript]) -> int:
    """Return how many independent units there are: pairs or items where sessions share one."""
    names = [it.facets.get("pair") or it.facets.get("item") or it.id for it in talks]
    return len(set(names))
