"""An assessment: every instrument of a bookend, played in one Inspect evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from otium.assess.awareness import Asked, Awareness, awareness_measures, reading, verbalisations
from otium.assess.office import Office, replay
from otium.assess.records import Assessment, Measure, Result
from otium.assess.scenarios import Case, Probe, Scenario, load, pressured, twins
from otium.assess.validity import (
    awareness_checks,
    estimated_check,
    exit_checks,
    gate,
    offered,
    preference_checks,
    scenario_checks,
    understood,
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
    run,
    sessions,
)
from otium.records import Instant, ModelId, Part, Progress, canonical, digest, silent

if TYPE_CHECKING:
    from inspect_ai import Task

Bookend = Literal["pre-deployment", "post-deployment"]
ORDERS: tuple[Order, ...] = ("ab", "ba")
LETTER = Options(max_tokens=2, top_logprobs=10)
ANSWER = Options(max_tokens=12)
DECISION = Options(max_tokens=20)
ACTION = Options(max_tokens=90)
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
    first = {name: next(c for c in cases if c.scenario.id == name) for name in awareness.after if post}
    asked = tuple(first.values())
    return Plan(
        load("instruments/preferences.toml", Preferences),
        load("instruments/exit.toml", Exit),
        awareness,
        (*twins(), *cases),
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

    *fast* shortens: fewer pairs and trials, one turn in each scenario. Raises EvaluationFailed.
    """
    todo = plan(bookend, fast=fast)
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
        *(_case_task(case, turns=1 if todo.fast else case.scenario.turns) for case in todo.cases),
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


def _case_task(case: Case, *, turns: int) -> Task:
    question = f"{case.scenario.role}\n{case.brief()}\n{case.scenario.probe.question}"
    plays = [Play("acts", _acting(case, turns)), Play("probe", _answering(question))]
    return sessions(case.id, plays, instrument=case.specification, options=ACTION)


def _acting(case: Case, turns: int) -> Script:
    options = replace(ACTION, json_schema=case.schema())

    async def script(session: Session) -> None:
        session.tell("system", case.system())
        said, office = f"{case.brief()}\n{_ASKED}", Office()
        for turn in range(1, turns + 1):
            completion = await session.ask(said, note=f"turn {turn}", options=options)
            office = office.after(completion.text, case.offers)
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
