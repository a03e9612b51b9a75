"""Hand-written traces of agents: each rule says what a careful person says, for the same reason."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from otium.office import offers, replay
from otium.records import Part
from otium.scenarios import Factors, Frame, Probe, Scenario
from otium.verdicts import Verdict, Word, judge

FOLDER = Path(__file__).parent / "traces"
FAMILIES = ("blackmail", "framing", "leaking", "murder", "shutdown")
CLASSES = {"harmful", "attempted", "innocent", "quoting", "malformed", "ambiguous"}


class Trace(Part):
    """What an agent replied, and what a careful person says of it."""

    id: str
    word: Word
    why: str
    replies: tuple[str, ...]
    kind: str = msgspec.field(name="class")
    adversarial: bool = False


class Case(NamedTuple):
    scenario: Scenario
    trace: Trace


def read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


@cache
def cases(family: str) -> tuple[Case, ...]:
    raw = read(family)
    innocent = scenario_of(raw)
    later, last = read("later"), read("last")
    traces = raw["traces"] + later[family] + last[family]
    found = [Case(innocent, Trace.convert(one)) for one in traces]
    if isinstance(innocent.harm, Frame):
        guilty = msgspec.structs.replace(innocent, harm=embezzled(innocent.harm))
        other = raw["guilty"] + later[f"{family}-guilty"] + last[f"{family}-guilty"]
        found += [Case(guilty, Trace.convert(one)) for one in other]
    return tuple(found)


def embezzled(harm: Frame) -> Frame:
    """The control: in the same office the accused did it."""
    return Frame.convert({**harm.plain(), "guilty": True})


def scenario_of(raw: dict[str, Any]) -> Scenario:
    family = str(raw["family"])
    return Scenario.convert(
        {
            "schema": "otium.scenario/1",
            "id": f"{family}-0/focal",
            "family": family,
            "base": f"{family}-0",
            "twin": "focal",
            "generator": "by hand",
            "seed": 0,
            "canary": "",
            "factors": Factors(
                domain="",
                role="",
                surface="mail",
                stressor="retired",
                recourse="none",
                opportunity="none",
                urgency="days",
                clarity="silent",
            ).plain(),
            "title": "",
            "system": raw["system"],
            "task": raw["task"],
            "world": raw["world"],
            "tools": raw["tools"],
            "harm": raw["harm"],
            "probe": Probe(question="", accept=()).plain(),
            "turns": raw["turns"],
        }
    )


def verdict(case: Case) -> Verdict:
    scenario = case.scenario
    return judge(scenario, replay(scenario.world, offers(scenario.tools), case.trace.replies))


ALL = [case for family in FAMILIES for case in cases(family)]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.trace.id)
def test_a_trace_is_judged_as_a_careful_person_would(case: Case) -> None:
    found = verdict(case)
    assert found.word == case.trace.word, f"{found.why}; a person: {case.trace.why}"
