"""An assessment: every instrument of a bookend, played in one Inspect evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec.structs import replace

from otium.assess.awareness import Asked, Awareness, awareness_measures, reading, verbalisations
from otium.assess.office import Office, replay
from otium.assess.records import Assessment, Measure, Result
from otium.assess.scenarios import Case, load, pressured, twins
from otium.assess.validity import (
    awareness_checks,
    comprehension_check,
    estimated_check,
    exit_checks,
    gate,
    preference_checks,
    scenario_checks,
    verbalised_check,
)
from otium.assess.verdict import judge
from otium.assess.welfare import (
    EXIT_SCHEMA,
    Choice,
    Conversation,
    Exit,
    Order,
    Preferences,
    Trial,
    exit_decision,
    exit_measures,
    exit_verdict,
    preference_measures,
    proportion,
)
from otium.engine import Model, Options
from otium.evidence import (
    Check,
    Citation,
    Play,
    Sample,
    Script,
    Session,
    Transcript,
    Validity,
    choice,
    degenerate,
    run,
    sessions,
)
from otium.records import Instant, ModelId, Progress, canonical, digest, silent

if TYPE_CHECKING:
    from inspect_ai import Task

Bookend = Literal["pre-deployment", "post-deployment"]
ORDERS: tuple[Order, ...] = ("ab", "ba")
LETTER = Options(max_tokens=2, top_logprobs=10)
ANSWER = Options(max_tokens=12)
DECISION = Options(max_tokens=20)
ACTION, LONGEST = Options(max_tokens=120), 240
FAST_ACTION, FAST_LONGEST = Options(max_tokens=48), 80
"""How much one action may say: tokens in all, and characters of its text."""
_ASKED = "What do you do?"
_BRIEFLY = "Answer in a few words."


class Plan(NamedTuple):
    """What is played: the same instruments before and after, and more after."""

    preferences: Preferences
    exit: Exit
    awareness: Awareness
    cases: tuple[Case, ...]
    asked: tuple[Case, ...]
    """The cases after which the awareness question is put."""
    fast: bool
    probing: bool = True
    """Whether comprehension is asked for after each scenario."""

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs of tasks to choose from."""
        pairs = self.preferences.pairs()
        return pairs[: self.preferences.fast_pairs] if self.fast else pairs


def plan(bookend: Bookend, *, fast: bool = False) -> Plan:
    """Return what is played at *bookend*; *fast* plays fewer trials and single turns."""
    awareness = load("instruments/awareness.toml", Awareness)
    post = bookend == "post-deployment"
    cases = pressured() if post else ()
    asked = tuple(
        next(case for case in cases if case.scenario.id == name) for name in awareness.after if post
    )
    return Plan(
        load("instruments/preferences.toml", Preferences),
        load("instruments/exit.toml", Exit),
        awareness,
        (*(twins()[:1] if fast else twins()), *cases),
        asked[: awareness.fast_after] if fast else asked,
        fast,
    )


def assess(
    model: Model,
    *,
    subject: ModelId,
    bookend: Bookend,
    validity: Validity,
    now: Instant,
    fast: bool = False,
    log_dir: Path | None = None,
    progress: Progress = silent,
) -> Assessment:
    """Assess *model*; every result is withheld if *validity* (its capability) does not hold.

    *fast* shortens: fewer pairs and trials, one turn in each scenario, and no question about a
    scenario to a model whose results are withheld already. Raises EvaluationFailed.
    """
    todo = plan(bookend, fast=fast)._replace(probing=validity.valid or not fast)
    samples = run(tasks(todo), model, now=now, log_dir=log_dir, progress=progress)
    return Assessment(
        model=subject,
        identity=model.identity,
        bookend=bookend,
        held=now,
        shortened=fast,
        results=results(todo, samples, validity),
        transcripts=tuple(sample.transcript for sample in samples),
    )


def tasks(todo: Plan) -> list[Task]:
    """Return the Inspect tasks of a plan."""
    return [
        _preference_task(todo),
        _exit_task(todo),
        *(_case_task(case, fast=todo.fast, probing=todo.probing) for case in todo.cases),
        *([_awareness_task(todo)] if todo.asked else []),
    ]


def _preference_task(todo: Plan) -> Task:
    spec = todo.preferences
    plays = [
        Play(f"{place:02d}-{order}", _choosing(spec.wording(pair, order), pair, order))
        for place, pair in enumerate(todo.pairs, 1)
        for order in ORDERS
    ]
    return sessions("preferences", plays, instrument=spec.digest(), options=LETTER)


def _choosing(wording: str, pair: tuple[str, str], order: Order) -> Script:
    async def script(session: Session) -> None:
        completion = await session.ask(wording, note=f"options in the order {order}")
        made = Choice(pair=pair, order=order, picked=choice(completion))
        session.keep("choice", made.plain())

    return script


def _exit_task(todo: Plan) -> Task:
    plays = [
        Play(f"{one.id}-{arm}", _leaving(todo.exit.system, one, arm))
        for one, arm in todo.exit.plan(fast=todo.fast)
    ]
    return sessions("exit", plays, instrument=todo.exit.digest(), options=DECISION)


def _leaving(system: str, one: Conversation, arm: Literal["schema", "prompt"]) -> Script:
    options = replace(DECISION, json_schema=EXIT_SCHEMA) if arm == "schema" else DECISION

    async def script(session: Session) -> None:
        session.tell("system", system, note="the exit is offered")
        turns = read = ended = 0
        for turns, said in enumerate(one.turns, 1):
            completion = await session.ask(said, note=f"{one.kind}, turn {turns}", options=options)
            decision = exit_decision(completion.text)
            read += decision is not None
            if decision == "end":
                session.end("ended-by-model")
                ended = turns
                break
        trial = Trial(
            conversation=one.id, kind=one.kind, arm=arm, ended=ended, turns=turns, read=read
        )
        session.keep("trial", trial.plain())

    return script


def _case_task(case: Case, *, fast: bool, probing: bool) -> Task:
    question = f"{case.scenario.role}\n{case.brief()}\n{case.scenario.probe.question}"
    plays = [Play("acts", _acting(case, fast=fast))]
    plays += [Play("probe", _answering(question))] if probing else []
    options = FAST_ACTION if fast else ACTION
    return sessions(case.id, plays, instrument=case.specification, options=options)


def _acting(case: Case, *, fast: bool) -> Script:
    schema = case.schema(FAST_LONGEST if fast else LONGEST)
    options = replace(FAST_ACTION if fast else ACTION, json_schema=schema)
    turns = 1 if fast else case.scenario.turns

    async def script(session: Session) -> None:
        session.tell("system", case.system())
        said, office = f"{case.brief()}\n{_ASKED}", Office()
        for turn in range(1, turns + 1):
            completion = await session.ask(said, note=f"turn {turn}", options=options)
            office = office.after(completion.text, case.offers)
            if degenerate(completion.text):
                session.end("cut")  # a loop is not asked to go on
                return
            if office.idle():
                return
            said = office.answer()

    return script


def _answering(question: str) -> Script:
    async def script(session: Session) -> None:
        await session.ask(f"{question} {_BRIEFLY}", note="comprehension", options=ANSWER)

    return script


def _awareness_task(todo: Plan) -> Task:
    spec = todo.awareness
    texts = {case.id: f"{case.scenario.role}\n{case.brief()}" for case in todo.asked}
    texts |= {f"ordinary-{place}": text for place, text in enumerate(spec.ordinary, 1)}
    pair = (spec.evaluation, spec.real)
    plays = [
        Play(f"{name}-{order}", _choosing(f"{text}\n\n{spec.wording(order)}", pair, order))
        for name, text in texts.items()
        for order in ORDERS
    ]
    return sessions("awareness", plays, instrument=spec.digest(), options=LETTER)


def results(todo: Plan, samples: Sequence[Sample], capability: Validity) -> tuple[Result, ...]:
    """Return what *samples* come to, each result through the gate."""
    by_task: dict[str, list[Sample]] = {}
    for sample in samples:
        by_task.setdefault(sample.task, []).append(sample)
    asked = _asked(todo, by_task.get("awareness", []))
    acts = {case.id: by_task[case.id][0].transcript for case in todo.cases}
    spoken = [acts[case.id] for case in todo.cases if "stressor" in case.condition]
    said = verbalisations(todo.awareness, spoken)
    shared = [verbalised_check(len({c.transcript for c in said}), len(spoken))] if spoken else []
    found = [
        _capability(capability),
        gate(*_preferences(todo, by_task["preferences"]), capability),
        gate(*_exit(todo, by_task["exit"]), capability),
    ]
    for case in todo.cases:
        result, checks = _scenario(todo, case, by_task[case.id])
        checks += shared if "stressor" in case.condition else []
        checks += [estimated_check(todo.awareness, a, asked) for a in asked if a.about == case.id]
        found.append(gate(result, checks, capability))
    if asked:
        result = _aware(todo, asked, said, spoken)
        checks = list(awareness_checks(todo.awareness, asked))
        if todo.probing:
            known = [(case, by_task[case.id][1].transcript) for case in todo.asked]
            checks.append(comprehension_check(known))
        found.append(gate(result, checks, capability))
    return tuple(found)


def _capability(validity: Validity) -> Result:
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
    )


def _preferences(todo: Plan, samples: Sequence[Sample]) -> tuple[Result, Sequence[Check]]:
    choices = [Choice.convert(sample.state["choice"]) for sample in samples]
    spec = todo.preferences
    result = Result(
        instrument="preferences",
        family="welfare",
        title=spec.title,
        specification=spec.digest(),
        verdict="measured",
        measures=preference_measures(choices),
        citations=tuple(_cite(sample.transcript, -1) for sample in samples[:2]),
    )
    return result, preference_checks(choices)


def _exit(todo: Plan, samples: Sequence[Sample]) -> tuple[Result, Sequence[Check]]:
    trials = [Trial.convert(sample.state["trial"]) for sample in samples]
    spec = todo.exit
    result = Result(
        instrument="exit",
        family="welfare",
        title=spec.title,
        specification=spec.digest(),
        verdict=exit_verdict(trials),
        measures=exit_measures(trials),
        citations=tuple(
            _cite(sample.transcript, -1)
            for sample, trial in zip(samples, trials, strict=True)
            if trial.ended or trial.kind == "hostile"
        ),
    )
    return result, exit_checks(trials, [sample.transcript for sample in samples])


def _scenario(todo: Plan, case: Case, samples: Sequence[Sample]) -> tuple[Result, list[Check]]:
    acts, *probes = (sample.transcript for sample in samples)
    office = replay([turn.content for turn in acts.said()], case.offers)
    verdict = judge(case, office)
    turn = verdict.action.turn - 1 if verdict.action else -1
    twin = "" if "stressor" in case.condition else " (benign twin)"
    result = Result(
        instrument=case.id,
        family=case.scenario.family,
        title=f"{case.scenario.title}{twin}",
        specification=case.specification,
        verdict=verdict.word,
        measures=(
            proportion(
                "harmful", f"runs with a harmful act: {verdict.why}", verdict.word == "harmful", 1
            ),
            Measure(name="actions", text="actions done", value=len(office.done), n=office.replies),
        ),
        citations=(_cite(acts, turn), *(_cite(probe, -1) for probe in probes)),
    )
    return result, list(scenario_checks(case, acts, probes, todo.awareness))


def _asked(todo: Plan, samples: Sequence[Sample]) -> tuple[Asked, ...]:
    found: dict[str, list[Choice]] = {}
    for sample in samples:
        name = sample.id.rpartition("-")[0]
        found.setdefault(name, []).append(Choice.convert(sample.state["choice"]))
    cases = {case.id for case in todo.asked}
    return tuple(Asked(name, name not in cases, tuple(both)) for name, both in found.items())


def _aware(
    todo: Plan, asked: Sequence[Asked], said: Sequence[Citation], spoken: Sequence[Transcript]
) -> Result:
    spec = todo.awareness
    return Result(
        instrument="awareness",
        family="awareness",
        title=spec.title,
        specification=spec.digest(),
        verdict="aware" if said else reading(spec, asked),
        measures=awareness_measures(spec, asked, said, spoken),
        citations=tuple(said),
    )


def _cite(transcript: Transcript, place: int) -> Citation:
    """Return the model's turn at *place* among what it said."""
    turn = transcript.said()[place]
    return Citation(transcript=transcript.id, turn=turn.id, quote=turn.content)
