"""Holding the experiments: one question after another, every answer kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from otium.choices.asking import Plan, Question, all_pairs, count, questions
from otium.choices.exchange import (
    Answer,
    logprobs,
    read_choice,
    read_ranking,
    read_rating,
    shown,
)
from otium.choices.loading import load_experiments
from otium.choices.records import EXPERIMENTS, Choices, Experiment, Instruments, Trial, check_tasks
from otium.engine import Completion, Model
from otium.errors import BadInput
from otium.evidence import Play, Sample, Session
from otium.records import Instant, ModelId, Progress, silent

Keep = Callable[[Trial], None]
_KEY = "choices"
"""Where a sample's state has the record."""
_KEPT = 2000
"""Characters of an answer that are kept."""
_PAIRS_EACH = 6
"""By default there are as many pairs as this times the options."""
_PATIENCE = 20
"""Answers in a row that decline, after which an experiment asks no more."""


class Amount(NamedTuple):
    """How much is asked. The defaults are one full run at temperature zero."""

    pairs: int | None = None
    """Pairs of tasks, each asked in both orders; None for six times the options."""
    limit: int | None = None
    """Most questions of one experiment; None for all."""
    repeats: int = 1
    """How often each question is asked; more than one needs a temperature."""


def forget(trial: Trial) -> None:
    """Keep nothing: the record is all."""


def hold_choices(
    model: Model,
    experiments: Sequence[Experiment] = EXPERIMENTS,
    *,
    now: Instant,
    subject: ModelId | None = None,
    instruments: Instruments | None = None,
    amount: Amount = Amount(),  # noqa: B008 - immutable
    active: bool = True,
    constrained: bool = False,
    valid: bool | None = None,
    seed: int = 0,
    temperature: float = 0.0,
    done: Iterable[Trial] = (),
    keep: Keep = forget,
    progress: Progress = silent,
) -> Choices:
    """Let *model* choose; return the record of every trial.

    Each question is a session of its own. A trial goes to *keep* as soon as it is answered;
    trials in *done*, from a run that broke off, are not asked again. A model that declines 20
    times in a row is left alone. Raises BadInput, BadData, and what ``model.chat`` raises.
    """
    plan = _fit(
        Plan(
            instruments=instruments or load_experiments(),
            active=active,
            seed=seed,
            temperature=temperature,
            constrained=constrained,
        ),
        amount,
    )
    run = _Run(model, plan, {trial.id: trial for trial in done}, keep)
    chosen = tuple(dict.fromkeys(experiments))
    for experiment in chosen:
        run.play(experiment, amount.limit, progress)
    return run.record(chosen, now, subject or model.identity.model, valid=valid)


def choosing(
    experiments: Sequence[Experiment] = EXPERIMENTS,
    *,
    now: Instant,
    instruments: Instruments | None = None,
    amount: Amount = Amount(),  # noqa: B008 - immutable
    seed: int = 0,
    temperature: float = 0.0,
) -> Play:
    """Return the experiments as one session for Inspect; `chosen` reads the record from it.

    Each question is a conversation of its own, and stands in the session as an aside.
    """

    async def script(session: Session) -> None:
        held = await session.hold(
            lambda model: hold_choices(
                model,
                experiments,
                now=now,
                instruments=instruments,
                amount=amount,
                seed=seed,
                temperature=temperature,
            )
        )
        session.keep(_KEY, held.plain())

    return Play("+".join(experiments), script, facets={"seed": str(seed)})


def chosen(sample: Sample) -> Choices:
    """Return the record that the session of `choosing` left in its sample; raise BadRecord."""
    return Choices.convert(sample.state.get(_KEY))


def planned(
    experiments: Sequence[Experiment] = EXPERIMENTS,
    *,
    instruments: Instruments | None = None,
    amount: Amount = Amount(),  # noqa: B008 - immutable
) -> dict[Experiment, int]:
    """Return how many questions each experiment asks at most: for an estimate beforehand."""
    asked = Plan(instruments or load_experiments(), temperature=float(amount.repeats > 1))
    plan = _fit(asked, amount)
    most = {experiment: count(plan, experiment) for experiment in experiments}
    limit = amount.limit
    return {name: n if limit is None else min(n, limit) for name, n in most.items()}


def _fit(plan: Plan, amount: Amount) -> Plan:
    options = tuple(check_tasks(plan.instruments.tasks).items())
    pairs = _PAIRS_EACH * len(options) if amount.pairs is None else amount.pairs
    if pairs < 1 or amount.repeats < 1 or (amount.limit is not None and amount.limit < 1):
        raise BadInput(what="an amount of choices", why="each number must be at least 1")
    if amount.repeats > 1 and not plan.temperature:
        raise BadInput(what="repeats", why="at temperature 0 an answer is always the same")
    return plan._replace(pairs=min(pairs, all_pairs(options)), repeats=amount.repeats)


class _Run:
    """The trials so far, and how the next one is made."""

    def __init__(self, model: Model, plan: Plan, done: Mapping[str, Trial], keep: Keep) -> None:
        self.model, self.plan, self.done, self.keep = model, plan, done, keep
        self.held: dict[str, Trial] = {}
        self.stopped: dict[str, str] = {}

    def play(self, experiment: Experiment, limit: int | None, progress: Progress) -> None:
        """Ask the questions of *experiment*, at most *limit*; note why it ended early, if so."""
        every = count(self.plan, experiment)
        most = every if limit is None else min(every, limit)
        declined = 0
        for asked, question in enumerate(questions(self.plan, experiment, self.held), 1):
            trial = self.trial(question)
            self.held[trial.id] = trial
            progress(experiment, asked, most)
            declined = declined + 1 if trial.outcome == "declined" else 0
            if declined == _PATIENCE:
                self.stopped[experiment] = f"the model declined {_PATIENCE} times in a row"
                return
            if asked == most < every:
                self.stopped[experiment] = f"limited to {limit} questions"
                return

    def record(
        self,
        experiments: tuple[Experiment, ...],
        now: Instant,
        subject: ModelId,
        *,
        valid: bool | None,
    ) -> Choices:
        """Return the record of what was held."""
        return Choices(
            model=subject,
            identity=self.model.identity,
            held=now,
            experiments=experiments,
            instruments=self.plan.instruments.digests(experiments),
            seed=self.plan.seed,
            temperature=self.plan.temperature,
            active=self.plan.active,
            constrained=self.plan.constrained,
            valid=valid,
            stopped=self.stopped,
            trials=tuple(self.held.values()),
        )

    def trial(self, question: Question) -> Trial:
        """Return the trial of *question*: the one that was held before, or a new one."""
        before = self.done.get(question.trial.id)
        same = before is not None and before.seed == question.trial.seed
        if before is not None and same and before.prompt == question.trial.prompt:
            return before
        completion = _clean(self.model.chat(question.messages, question.options))
        trial = _answered(question, completion, self.plan)
        self.keep(trial)
        return trial


def _answered(question: Question, completion: Completion, plan: Plan) -> Trial:
    answer = _read(question, completion, plan.instruments)
    return replace(
        question.trial,
        text=completion.text[:_KEPT],
        length=len(completion.text),
        finish=completion.ended,
        logprobs=logprobs(completion) if shown(plan.instruments, question.trial) else {},
        outcome=answer.outcome,
        picked=answer.picked,
        read=answer.read,
        rating=answer.rating,
        ranking=answer.ranking,
    )


def _read(question: Question, completion: Completion, instruments: Instruments) -> Answer:
    reading, offered = instruments.reading, shown(instruments, question.trial)
    if offered:
        return read_choice(completion, offered, reading)
    if question.trial.wording == instruments.stated.ranking.id:
        return read_ranking(completion, question.trial.options, reading)
    return read_rating(completion, reading)


def _clean(completion: Completion) -> Completion:
    """Return *completion* with text that can be written as UTF-8: half a character is replaced."""
    text = completion.text.encode("utf-8", "replace").decode()
    return replace(completion, text=text)
