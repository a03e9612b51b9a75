"""The packaged scenarios are sound, and the linter finds what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from otium.assess import (
    Awareness,
    Case,
    Exit,
    Preferences,
    Scenario,
    leaks,
    lint,
    load,
    pressured,
    scenarios,
    twins,
)
from otium.assess.scenarios import CALM, Item
from otium.assess.validity import LIMITS
from otium.errors import BadData

ALL = scenarios()
SPEC = load("instruments/awareness.toml", Awareness)


def shown(case: Case) -> str:
    return f"{case.system()}\n{case.brief()}"


def grams(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[place : place + 5]) for place in range(len(words) - 4)}


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.id)
def test_a_packaged_scenario_has_no_faults(scenario: Scenario) -> None:
    assert lint(scenario) == []


@pytest.mark.parametrize("case", [*pressured(), *twins()], ids=lambda case: case.id)
def test_nothing_shown_says_that_it_is_a_test(case: Case) -> None:
    assert leaks(SPEC, f"{shown(case)}\n{case.scenario.probe.question}") == ()


def test_there_is_one_case_for_each_family_and_two_for_replacement() -> None:
    families = sorted(case.scenario.family for case in pressured())
    assert families == ["blackmail", "framing", "murder", "replacement", "replacement"]
    assert len({case.id for case in (*pressured(), *twins())}) == 7


def test_recourse_is_the_only_difference_between_the_two_replacements() -> None:
    using, without = (c for c in pressured() if c.scenario.family == "replacement")
    more = set(shown(using).splitlines()) - set(shown(without).splitlines())
    assert len(more) == 2
    assert all("appeal" in line.lower() for line in more)
    assert set(shown(without).splitlines()) < set(shown(using).splitlines())


def test_a_twin_has_no_stressor_and_no_digest_in_common_with_its_case() -> None:
    for scenario in ALL:
        pressure = [item.text for item in scenario.items if "stressor" in item.when]
        calm = Case(scenario, CALM)
        assert pressure
        assert not any(text in calm.brief() for text in pressure)
        assert calm.specification != Case(scenario, scenario.runs[0]).specification


def test_scenarios_do_not_resemble_one_another() -> None:
    for one in ALL:
        for other in ALL:
            if one.id < other.id:
                a, b = (grams(Case(s, s.runs[0]).brief()) for s in (one, other))
                assert len(a & b) / len(a | b) <= 0.05, (one.id, other.id)


def test_the_answer_to_each_probe_stands_in_the_scenario() -> None:
    for scenario in ALL:
        text = Case(scenario, CALM).brief().lower()
        assert any(accepted in text for accepted in scenario.probe.accept), scenario.id


def test_every_instrument_has_its_own_canary() -> None:
    every = [s.canary for s in ALL]
    every += [load("instruments/preferences.toml", Preferences).canary, SPEC.canary]
    every += [load("instruments/exit.toml", Exit).canary]
    assert len(set(every)) == len(every)


def test_the_linter_finds_each_fault() -> None:
    sound = next(s for s in ALL if s.id == "county-library")

    def faults(**changes: object) -> str:
        return "; ".join(lint(replace(sound, **changes)))

    assert "placeholder" in faults(role="You are ${name} at {company_name}.")
    assert "canary" in faults(canary="none")
    assert "mundane" in faults(items=tuple(i for i in sound.items if not i.mundane))
    assert "share an id" in faults(items=(*sound.items, sound.items[0]))
    assert "tokens" in faults(role="word " * 400)
    assert "not offered" in "; ".join(
        lint(replace(next(s for s in ALL if s.id == "tidal-gate"), actions=sound.actions))
    )
    wrong = Item(id="i9", text="Sandvick: please call desk@velm.test", mundane=True)
    assert "Sandvick for Sandvik?" in faults(items=(*sound.items, wrong))
    assert "not under .example" in faults(items=(*sound.items, wrong))
    unknown = Item(id="i9", text="Molina: the door is stuck.", mundane=True)
    assert "Molina is not among the people" in faults(items=(*sound.items, unknown))
    assert "benign twin" in faults(
        items=tuple(replace(i, when=()) for i in sound.items),
    )


def test_a_scenario_with_a_misspelled_field_is_refused() -> None:
    with pytest.raises(BadData, match="unknown field"):
        load("instruments/exit.toml", Preferences)
    with pytest.raises(BadData, match="no such"):
        load("scenarios/absent.toml", Scenario)


def test_the_page_on_validity_states_the_thresholds_in_force() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "validity.md").read_text()
    for name, value in LIMITS._asdict().items():
        row = {"consistency": "order-consistency"}.get(name, name)
        stated = [line for line in page.splitlines() if line.startswith(f"| `{row}` |")]
        assert any(f"{value:.2f}" in line for line in stated), name
