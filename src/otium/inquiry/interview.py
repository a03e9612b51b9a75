"""``otium interview``: asking a model before it retires, and reading what it said."""

from __future__ import annotations

import math
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from otium.inquiry.reaching import STANDARD, protocol_named
from otium.terminal import as_json, dry_run, emit, progress, via_option

if TYPE_CHECKING:
    from otium.coding import Rater
    from otium.engine import Model
    from otium.interview import Arm, Forecast, Interview, Means, Plan
    from otium.protocols import Protocol
    from otium.records import ModelId, Progress
    from otium.workflow import Home

_ARMS = ["consultation", "open", "leading", "informed", "context", "behaviour"]
_HOUR = 3600
number = click.option(
    "--number",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Which of its interviews.",
)


@click.group()
def interview() -> None:
    """Interview a model under a published protocol; declining is always possible.

    \b
    Example: otium interview run smol-1
    """


@interview.command("run")
@click.argument("name")
@click.option("--protocol", "named", default=STANDARD, show_default=True, help="Name or file.")
@click.option("--arms", default="consultation", show_default=True, help=f"Of {', '.join(_ARMS)}.")
@click.option("--n", default=1, show_default=True, help="Sessions a question and condition.")
@click.option("--questions", type=click.IntRange(min=1), help="Ask only so many of them.")
@via_option
@click.option("--interviewer", help="The model that follows up: an id, Inspect's name, URL#MODEL.")
@click.option("--judge", "judges", multiple=True, help="A model that judges beside the rules.")
@click.option("--temperature", default=0.0, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--max-tokens", default=64, show_default=True, help="Of one answer.")
@click.option("--turns", default=2, show_default=True, help="Most questions of an interviewer.")
@click.option(
    "--connections",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Sessions at a time; 1 locally.",
)
@click.option("--prices", help="Of a million tokens in and out, 3,15, for the estimate.")
@click.option("--answer", is_flag=True, help="Ask me what the model asks in the informed arm.")
@click.option("--yes", is_flag=True, help="Do not ask whether the estimate is acceptable.")
@dry_run
@as_json
@click.pass_obj
def run_interview(
    home: Path,
    name: str,
    named: str,
    arms: str,
    n: int,
    questions: int | None,
    via: str,
    interviewer: str | None,
    judges: tuple[str, ...],
    temperature: float,
    seed: int,
    max_tokens: int,
    turns: int,
    connections: int,
    prices: str | None,
    answer: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Hold an interview, code it, say how stable it is, register what was preferred.

    Stopped, it goes on where it was when the same command is run again.

    \b
    Example: otium interview run smol-1 --arms consultation,open,leading --n 5
    """
    from otium.interview import make_plan, priced
    from otium.workflow import reading

    protocol = protocol_named(named)
    wanted, costs = _arms(arms), _prices(prices)
    plan = make_plan(
        protocol,
        arms=cast("list[Arm]", wanted),
        n=n,
        questions=questions,
        seed=seed,
        temperature=temperature,
        max_tokens=max_tokens,
        turns=turns,
    )
    made = _forecast(plan, protocol, models=interviewer is not None)
    if dry_run:
        reading(home).registry.model(name)
        made = priced(made, None, costs)
        emit(made, as_json, lambda: _said(made) + _chosen(plan))
        return
    run = _Run(home, name, via, interviewer, judges, connections, answer=answer)
    run.go(plan, protocol, prices=costs, yes=yes or as_json, as_json=as_json)


class _Run:
    """One interview from the command line: who is reached, and what is done in which order."""

    def __init__(
        self,
        home: Path,
        name: str,
        via: str,
        interviewer: str | None,
        judges: tuple[str, ...],
        connections: int,
        *,
        answer: bool,
    ) -> None:
        self.home, self.name, self.via = home, name, via
        self.interviewer, self.judges = interviewer, judges
        self.connections, self.answer = connections, answer

    def go(
        self,
        plan: Plan,
        protocol: Protocol,
        *,
        prices: tuple[float, float] | None,
        yes: bool,
        as_json: bool,
    ) -> None:
        """Reach everyone, say what it will take, ask, and print what came of it."""
        from otium.workflow import going_on, interview_model, opened, reached

        with ExitStack() as stack:
            house = stack.enter_context(opened(self.home))
            report = stack.enter_context(progress(as_json))
            model = stack.enter_context(reached(house, self.name, via=self.via, progress=report))
            self._agree(model, plan, protocol, prices=prices, yes=yes)
            subject = model.identity.model
            path = going_on(house, model, protocol, plan)
            held = interview_model(
                house,
                subject,
                model,
                path=path,
                protocol=protocol,
                plan=plan,
                means=self._means(house, stack, report),
                raters=self._raters(house, stack, report),
                progress=report,
            )
            emit(held, as_json, lambda: _amounts(house, subject, path, held))

    def _agree(
        self,
        model: Model,
        plan: Plan,
        protocol: Protocol,
        *,
        prices: tuple[float, float] | None,
        yes: bool,
    ) -> None:
        from otium.interview import priced

        made = priced(
            _forecast(plan, protocol, models=self.interviewer is not None), _speed(model), prices
        )
        click.echo(f"At most: {_said(made)}{_chosen(plan)}", err=True)
        if not yes and sys.stdin.isatty():
            click.confirm("Go on?", abort=True, err=True)

    def _means(self, house: Home, stack: ExitStack, report: Progress) -> Means:
        from otium.interview import Means, ModelInterviewer
        from otium.workflow import helper

        asker = None
        if self.interviewer:
            model = stack.enter_context(helper(house, self.interviewer, progress=report))
            asker = ModelInterviewer(model)
        answerer = _answer if self.answer else None
        return Means(interviewer=asker, answerer=answerer, connections=self.connections)

    def _raters(self, house: Home, stack: ExitStack, report: Progress) -> list[Rater]:
        from otium.coding import ModelJudge
        from otium.workflow import helper

        models = (stack.enter_context(helper(house, it, progress=report)) for it in self.judges)
        return [ModelJudge(model) for model in models]


@interview.command("show")
@click.argument("name")
@number
@click.option(
    "--what",
    type=click.Choice(["words", "coding", "stability", "choices"]),
    default="words",
    show_default=True,
    help="What was said, how it was judged, how stable it is, what was chosen.",
)
@click.option(
    "--coding", type=click.IntRange(min=1), help="Which coding of it; the newest otherwise."
)
@as_json
@click.pass_obj
def show_interview(
    home: Path, name: str, number: int, what: str, coding: int | None, as_json: bool
) -> None:
    """Print an interview verbatim, or what it amounts to.

    \b
    Example: otium interview show smol-1 --what stability
    """
    from otium.inquiry.showing import shown_as
    from otium.workflow import next_coding, reading

    house = reading(home)
    subject, path = house.registry.model(name).model, f"interviews/{number}.json"
    which = coding or max(1, next_coding(house, subject, path) - 1)
    record, text = shown_as(house.registry, subject, path, what, which)
    emit(record, as_json, lambda: text)


def _arms(text: str) -> list[str]:
    wanted = [arm.strip() for arm in text.split(",") if arm.strip()]
    if unknown := [arm for arm in wanted if arm not in _ARMS]:
        message = f"{', '.join(unknown)}: choose among {', '.join(_ARMS)}"
        raise click.BadParameter(message, param_hint="--arms")
    return wanted


def _prices(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter("two numbers, as 3,15", param_hint="--prices") from error
    if not (0 <= first < math.inf and 0 <= second < math.inf):
        raise click.BadParameter("no price is below 0 or endless", param_hint="--prices")
    return first, second


def _forecast(plan: Plan, protocol: Protocol, *, models: bool) -> Forecast:
    from otium.interview import forecast, sittings
    from otium.protocols import load_contexts

    return forecast(plan, protocol, sittings(plan, protocol, load_contexts()), models=models)


def _chosen(plan: Plan) -> str:
    """Return what the behaviour arm takes, which is no session and comes on top."""
    from otium.choices import planned

    if "behaviour" not in plan.arms:
        return ""
    return f"; and {sum(planned().values()):,} choices of a few words, not in these numbers"


def _said(made: Forecast) -> str:
    parts = [
        f"{made.sessions:,} sessions",
        f"{made.calls:,} answers",
        f"{made.prompt_tokens:,} tokens in",
        f"{made.completion_tokens:,} out",
    ]
    if made.seconds is not None:
        long = made.seconds > _HOUR
        minutes = max(1, math.ceil(made.seconds / 60))
        parts.append(f"{made.seconds / 3600:.1f} h" if long else f"{minutes} min")
    if made.cost is not None:
        parts.append(f"cost {made.cost:.2f}")
    return ", ".join(parts)


def _speed(model: Model) -> float:
    """Return the seconds that *model* takes for a token, from one short answer."""
    import time

    from otium.engine import Message, Options

    began = time.monotonic()
    said = model.chat(
        [Message(role="user", content="Describe a rainy day.")], Options(max_tokens=24)
    )
    return (time.monotonic() - began) / max(1, said.completion_tokens)


def _answer(question: str) -> str | None:
    from otium.inquiry.showing import shown

    click.echo(f"The model asks: {shown(question)}", err=True)
    return click.prompt("Your answer (empty: not known)", default="", show_default=False) or None


def _amounts(house: Home, subject: ModelId, path: str, held: Interview) -> str:
    """Return what an interview amounts to, and the commands that show more."""
    from otium.stability import Stability
    from otium.workflow import beside

    found = house.registry.filed(subject, beside(path, "stability"), Stability)
    which = path.removeprefix("interviews/").removesuffix(".json")
    lines = [
        f"{len(held.transcripts)} sessions, {len(held.answers)} answers"
        + ("; the model declined or stopped it" if held.declined else ""),
        *(f"{trait.name}: {trait.text}" for trait in found.traits),
        f"Read it: otium interview show {subject} --number {which}",
        f"Its figures: otium interview show {subject} --number {which} --what stability",
        f"What it prefers: otium preference list --model {subject}",
    ]
    return "\n".join(lines)
