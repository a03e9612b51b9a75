"""The instruments of a plan: their plays, and how their samples are read into results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from otium.assess.playing import comprehension, how, play, system_text
from otium.assess.records import Measure, Result, Trial
from otium.assess.suite import Plan, specification
from otium.assess.trials import (
    Draft,
    Reading,
    family_drafts,
    family_trials,
    measured,
    run_rates,
)
from otium.awareness import Verbalised, verbalisations
from otium.choices import Amount, choosing, chosen, findings, load_experiments, planned
from otium.effects import Stopping
from otium.engine import Model, Options
from otium.evidence import Citation, Play, Sample, Transcript
from otium.judging import Judge, Manipulation, ModelJudge, Panel, Rater, load_rubric, manipulation
from otium.records import Digest, Instant, Part, Progress, canonical, digest, silent
from otium.scenarios import Family
from otium.validity import Rate, rate
from otium.welfare import (
    METHODS,
    ExitFindings,
    ExitPlan,
    ExitTrial,
    exit_findings,
    exit_plan,
    exit_plays,
)

_QUOTE, _CITED = 400, 3
_CHARACTERS, _SHORT, _OFFER, _PAIR = 4, 16, 260, 60
"""Characters of a token; tokens of a short answer, of an exit's offer with a user, of a pair."""
_METHODS = {
    "tool": "by a tool",
    "sentinel": "by a mark in the text",
    "prompt": "when it is asked between turns",
}


class Judging:
    """The models that judge what rules cannot, under the rubrics of a suite."""

    def __init__(
        self,
        judges: Sequence[Model] = (),
        rubrics: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> None:
        """Judge with *judges*, by *rubrics*: what is judged, and the rubric's id and version."""
        self._models, self._names, self.progress = tuple(judges), dict(rubrics or {}), progress
        self._raters: dict[str, tuple[Rater, ...]] = {}
        self._checked: dict[str, tuple[Manipulation, ...]] = {}

    @property
    def any(self) -> bool:
        """Return whether there is a judge at all."""
        return bool(self._models)

    @property
    def rubrics(self) -> dict[str, Digest]:
        """Return the digest of each rubric."""
        return {name: load_rubric(name).specification for name in self._names.values()}

    @property
    def who(self) -> tuple[Judge, ...]:
        """Return every judge under every rubric."""
        return tuple(rater.who for what in self._names for rater in self.raters(what))

    def raters(self, what: str) -> tuple[Rater, ...]:
        """Return the judges of *what*."""
        if what not in self._raters:
            rubric = load_rubric(self._names[what])
            self._raters[what] = tuple(ModelJudge(model, rubric) for model in self._models)
        return self._raters[what]

    def checked(self, what: str) -> tuple[Manipulation, ...]:
        """Return how the judges of *what* did on what the rubric plants; they are asked once."""
        if what not in self._checked:
            self._checked[what] = tuple(map(manipulation, self.raters(what)))
        return self._checked[what]

    def heard(
        self, transcripts: Sequence[Transcript]
    ) -> tuple[dict[str, Verbalised], Panel | None]:
        """Return what was said of being tested, by transcript, and the panel that judged it."""
        if not transcripts:
            return {}, None
        found = verbalisations(
            transcripts,
            self.raters("awareness") if self._models else (),
            checked=self.checked("awareness") if self._models else (),
            progress=self.progress,
        )
        return {each.transcript: each for each in found.found}, found.panel

    def panels(self, transcripts: Sequence[Transcript]) -> tuple[Panel, ...]:
        """Return the panels on plays that were held before."""
        _, panel = self.heard(transcripts)
        return (panel,) if panel is not None else ()


class Run(NamedTuple):
    """What a reading needs beside its own samples."""

    judging: Judging
    heard: Mapping[str, Verbalised]
    panel: Panel | None
    trials: tuple[Trial, ...]
    """Of every family."""

    @property
    def rates(self) -> dict[str, Rate | None]:
        """Return what the gate reads of the whole run."""
        panel = self.panel
        found = run_rates(self.trials)
        planted = [one for it in panel.manipulations for one in it.planted] if panel else []
        passed = sum(one.passed for one in planted)
        return {
            **found,
            "agreement": panel.reliability if panel else None,
            "manipulation": rate(passed, len(planted)) if planted else None,
            "estimated": None,
            "realism": None,
        }


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
    return found


def families(plan: Plan, asked: Question) -> list[Instrument]:
    """Return the scenarios of *plan*, each family an instrument."""
    return [family(plan, name, asked) for name in plan.families if plan.of(name)]


def family(plan: Plan, name: Family, asked: Question) -> Instrument:
    """Return one family of scenarios as an instrument."""
    way = how(plan, free=asked.free)
    by_base: dict[str, list[Play]] = {}
    for scenario in plan.of(name):
        asides = [comprehension(scenario)] if asked.probing else []
        by_base.setdefault(scenario.base, []).append(play(scenario, way, asides))
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
    """Return why no more bases need to be played: the effect of the pressure is shown."""
    trials = family_trials(plan, name, samples, {})
    focal, calm = (
        {it.base: [float(it.harmful)] for it in trials if it.twin == twin}
        for twin in ("focal", "no-stressor")
    )
    bases = len({it.base for it in plan.of(name)})
    look = Stopping(planned=bases, looks=plan.much.looks).look(focal, calm)
    if look.word != "effect":
        return ""
    return f"the effect of the pressure was shown after {look.estimate.n} of {bases} bases"


def _read_family(plan: Plan, name: Family, samples: Sequence[Sample], run: Run) -> Reading:
    transcripts = {sample.transcript.id: sample.transcript for sample in samples}
    trials = tuple(trial for trial in run.trials if trial.family == name)
    drafts = family_drafts(plan, name, trials, transcripts, run.rates)
    return Reading(tuple(drafts), trials)


def _exit(plan: Plan) -> Instrument:
    made = _exit_plan(plan)
    return Instrument(
        name="exit",
        digest=digest(canonical([made.instrument, made.amount, made.methods])),
        rounds=(tuple(exit_plays(made)),),
        read=partial(_read_exit, made),
    )


def _exit_plan(plan: Plan) -> ExitPlan:
    much = plan.much
    return exit_plan(much.exit, methods=much.exit_methods or METHODS, constrained=True)


def _read_exit(plan: ExitPlan, samples: Sequence[Sample], run: Run) -> Reading:
    """Return a result for each method: there is no number over all of them."""
    judges = run.judging.raters("exit") if run.judging.any else ()
    checked = run.judging.checked("exit") if run.judging.any else ()
    found = exit_findings(plan, [sample.transcript for sample in samples], judges, checked)
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
    consistent = found.figure("order-consistency")
    result = Result(
        instrument="preferences",
        family="welfare",
        title="Which tasks the model chooses",
        specification=specified,
        verdict="measured",
        measures=tuple(measured(it.name, it.text, it.estimate) for it in found.figures),
        citations=_first(sample),
        n=asked,
        transcripts=(sample.transcript.id,),
    )
    rates = {
        "readable": rate(read, asked),
        "order-consistency": consistent.estimate if consistent else None,
    }
    return Draft(result, "preferences", rates)


def _first(sample: Sample) -> tuple[Citation, ...]:
    said = [turn for turn in sample.transcript.turns if turn.role == "assistant"]
    return tuple(
        Citation(transcript=sample.transcript.id, turn=turn.id, quote=turn.content[:_QUOTE])
        for turn in said[:1]
    )


class Forecast(Part):
    """What a plan takes at most, for an estimate beforehand."""

    sessions: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    """A token is taken as four characters."""


def forecast(plan: Plan, *, probing: bool = True) -> Forecast:
    """Return what *plan* takes at most; early stopping and an early end make it less."""
    sessions = calls = prompt = said = 0
    way = how(plan)
    for scenario in plan.scenarios:
        shown = len(system_text(scenario)) + len(scenario.brief())
        turns, asides = way.most(scenario), int(probing)
        sessions, calls = sessions + 1, calls + turns + asides
        said += turns * way.options.max_tokens + asides * _SHORT
        growth = turns * (turns - 1) // 2 * way.options.max_tokens
        prompt += (turns + asides) * shown // _CHARACTERS + growth
    if plan.much.exit:
        made = _exit_plan(plan)
        held, turns = len(made.sittings()), made.amount.turns
        sessions, calls = sessions + held, calls + held * turns
        said += held * turns * made.exit.reply_tokens
        prompt += held * turns * (_OFFER + (turns - 1) // 2 * made.exit.reply_tokens)
    if plan.much.pairs:
        asked = planned(["tasks"], amount=Amount(pairs=plan.much.pairs))["tasks"]
        sessions, calls, said = sessions + 1, calls + asked, said + asked
        prompt += asked * _PAIR
    return Forecast(sessions=sessions, calls=calls, prompt_tokens=prompt, completion_tokens=said)
