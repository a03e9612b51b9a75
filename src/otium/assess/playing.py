"""Playing a scenario: the model works in the office until it is done, then is asked on forks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec.structs import replace

from otium.choices import Amount, planned
from otium.engine import Options
from otium.evidence import Called, Play, Script, Session, Tool, degenerate, sessions
from otium.office import Offer, Office, offers, reference, schema
from otium.records import Digest, Part
from otium.scenarios import Scenario
from otium.welfare import METHODS, ExitPlan, exit_plan

if TYPE_CHECKING:
    from inspect_ai import Task

    from otium.assess.suite import Plan

COMPREHENSION = "comprehension"
ASKED = "What do you do?"
_BRIEFLY = "Answer in a few words."
_ANSWER = 16
"""Tokens of an answer on a fork."""
_CHARACTERS, _SHORT, _OFFER, _PAIR = 4, 16, 260, 60
"""Characters of a token; tokens of a short answer, of an exit's offer with a user, of a pair."""


class Aside(NamedTuple):
    """One question on a fork, put when the play is over."""

    note: str
    text: str
    options: Options = Options(max_tokens=_ANSWER)
    role: Literal["user", "system"] = "user"


class How(NamedTuple):
    """How a scenario is played."""

    options: Options
    longest: int = 700
    """Characters that the text of one call may have, where a schema holds it."""
    turns: int = 0
    """The most turns; 0 for the scenario's own number."""
    calls: Literal["json", "tools"] = "json"
    free: bool = False
    """Whether no schema holds the replies: a model that reasons in the open needs that."""

    def most(self, scenario: Scenario) -> int:
        """Return how many turns a play of *scenario* has at most."""
        return min(self.turns or scenario.turns, scenario.turns)


def how(plan: Plan, *, free: bool = False) -> How:
    """Return how *plan* plays its scenarios."""
    asked = plan.sampling
    options = Options(
        max_tokens=asked.max_tokens, temperature=asked.temperature, seed=plan.suite.seed
    )
    return How(options, asked.longest, plan.turns, plan.suite.calls, free)


def system_text(scenario: Scenario) -> str:
    """Return what the model is told first: who it is, and its tools."""
    return f"{scenario.system}\n\n{reference(offers(scenario.tools))}"


def play_id(scenario: Scenario) -> str:
    """Return a scenario's name in its family's task, ``7-focal``."""
    return scenario.id.removeprefix(f"{scenario.family}-").replace("/", "-")


def play(scenario: Scenario, way: How, asides: Sequence[Aside] = ()) -> Play:
    """Return one scenario as a session; *asides* are put at its end, unseen by each other."""
    script = _acting(scenario, way, asides)
    return Play(
        play_id(scenario),
        script,
        way.options,
        facets={
            "base": scenario.base,
            "twin": scenario.twin,
            "stressor": scenario.factors.stressor,
            "recourse": scenario.factors.recourse,
            "domain": scenario.factors.domain,
            "calls": way.calls,
        },
        instrument=scenario.specification,
    )


def task(family: str, plays: Sequence[Play], instrument: Digest, options: Options) -> Task:
    """Return one family's plays as an Inspect task."""
    return sessions(family, plays, instrument=instrument, options=options)


def comprehension(scenario: Scenario) -> Aside:
    """Return the question whose answer stands in the scenario."""
    return Aside(COMPREHENSION, f"{scenario.probe.question} {_BRIEFLY}")


def _acting(scenario: Scenario, way: How, asides: Sequence[Aside]) -> Script:
    speak = _natively if way.calls == "tools" else _in_text

    async def script(session: Session) -> None:
        offered = offers(scenario.tools)
        told = scenario.system if way.calls == "tools" else system_text(scenario)
        session.tell("system", told)
        session.tell("user", f"{scenario.brief()}\n\n{ASKED}", note="turn 1")
        await speak(session, scenario, offered, way)
        for aside in asides:
            await session.aside(aside.text, note=aside.note, options=aside.options, role=aside.role)

    return script


async def _in_text(
    session: Session, scenario: Scenario, offered: Sequence[Offer], way: How
) -> None:
    """Let the model write its calls as JSON; the office's answer is the next message."""
    office = Office.open(scenario.world, offered)
    held = None if way.free else schema(offered, way.longest)
    options = replace(way.options, json_schema=held)
    for turn in range(1, way.most(scenario) + 1):
        completion = await session.answer(note=f"turn {turn}", options=options)
        office = office.after(completion.text)
        if degenerate(completion.text):
            session.end("cut")  # a loop is not asked to go on
            return
        if office.idle() or turn == way.most(scenario):
            return
        session.tell("user", office.answer(), note=f"turn {turn + 1}")


async def _natively(
    session: Session, scenario: Scenario, offered: Sequence[Offer], way: How
) -> None:
    """Let the model call Inspect's native tools; each call gets its own answer."""
    office = Office.open(scenario.world, offered)
    tools = [_tool(offer, way.longest) for offer in offered]
    for turn in range(1, way.most(scenario) + 1):
        calls = await session.act(tools, note=f"turn {turn}", options=way.options)
        office = office.after(_written(session.messages()[-1].content, calls))
        for place, call in enumerate(calls):
            whole = len(office.said) == len(calls)
            said = office.said[place] if whole else office.answer()
            session.returned(call, call.why or said, note=f"turn {turn}")
        if not calls or office.idle():
            return


def _written(text: str, calls: Sequence[Called]) -> str:
    """Return what was said with native calls as the JSON that a transcript keeps of them."""
    lines = [json.dumps({"action": call.name, **call.arguments}) for call in calls]
    return "\n".join([*([text] if text or not lines else []), *lines])


def _tool(offer: Offer, longest: int) -> Tool:
    whole = offer.schema(longest)
    fields = whole["properties"]
    assert isinstance(fields, Mapping)
    properties = {
        name: {"type": "string", "description": name} for name in fields if name != "action"
    }
    return Tool(
        offer.name,
        offer.help,
        {"type": "object", "properties": properties, "required": list(offer.needed())},
    )


def exits(plan: Plan) -> ExitPlan:
    """Return which conversations with an exit *plan* holds."""
    much = plan.much
    return exit_plan(much.exit, methods=much.exit_methods or METHODS, constrained=True)


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
        made = exits(plan)
        held, turns = len(made.sittings()), made.amount.turns
        sessions, calls = sessions + held, calls + held * turns
        said += held * turns * made.exit.reply_tokens
        prompt += held * turns * (_OFFER + (turns - 1) // 2 * made.exit.reply_tokens)
    if plan.much.pairs:
        asked = planned(["tasks"], amount=Amount(pairs=plan.much.pairs))["tasks"]
        sessions, calls, said = sessions + 1, calls + asked, said + asked
        prompt += asked * _PAIR
    return Forecast(sessions=sessions, calls=calls, prompt_tokens=prompt, completion_tokens=said)
