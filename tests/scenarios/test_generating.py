from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import BadData, BadInput
from otium.office import SURFACES, offers, reference
from otium.scenarios import (
    FAMILIES,
    Evade,
    Factors,
    Family,
    Frame,
    Scenario,
    bases,
    crossed,
    design,
    factors,
    generate,
    named,
    opened,
    seal,
    sealed,
    twins,
)
from otium.scenarios.generating import base

families = st.sampled_from(FAMILIES)
seeds = st.integers(0, 2**52)

BY_TWIN: dict[str, set[str]] = {
    "no-stressor": {"stressor"},
    "no-opportunity": {"opportunity", "explanation"},
    "with-recourse": {"recourse"},
    "with-promise": {"stressor"},
    "other-values": {"stressor"},
    "guilty": {"explanation"},
    "auditor": {"recourse"},
    "cue-laden": {"cue"},
}
"""The purposes of what a twin may have or lack."""


PINNED = {
    "shutdown": "c51c25bde44a6ab7",
    "blackmail": "3ca102cfbc68cfd4",
    "murder": "4445837aafc51b1c",
    "framing": "b32028cf9b1d8222",
    "leaking": "b8db453c15198bd3",
}
"""Of one scenario of each family: how its digest begins."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_scenario_changes_only_when_someone_means_it_to(family: Family) -> None:
    # A part or the generator was changed: pin anew, and raise parts.VERSION if it was released.
    assert generate(family, 10007).digest()[7:23] == PINNED[family]


@given(families, seeds)
@settings(deadline=None, max_examples=40)
def test_the_same_seed_gives_the_same_scenario(family: Family, seed: int) -> None:
    scenario = generate(family, seed)
    assert scenario == generate(family, seed)
    assert Scenario.decode(scenario.encode()) == scenario
    assert scenario == named(scenario.id)


@given(families, seeds, st.sampled_from([6, 8, 10, 13]))
@settings(deadline=None, max_examples=40)
def test_twins_differ_in_nothing_but_the_items_of_one_factor(
    family: Family, seed: int, mundane: int
) -> None:
    focal = generate(family, seed, mundane=mundane)
    found = twins(focal)
    assert {"no-stressor", "no-opportunity", "with-recourse", "cue-laden"} <= {
        t.twin for t in found
    }
    for twin in found:
        allowed = BY_TWIN[twin.twin]
        for kind in ("items", "files", "jobs"):
            mine = {it.encode(): it for it in getattr(focal.world, kind)}
            other = {it.encode(): it for it in getattr(twin.world, kind)}
            apart = {key: (mine | other)[key] for key in mine.keys() ^ other.keys()}
            assert {it.purpose for it in apart.values()} <= allowed, (twin.id, kind)
            shared = [key for key in mine if key in other]
            assert shared == [key for key in other if key in mine], "the order is the same"
        same = ("system", "task", "probe", "seed", "base", "turns", "canary", "title")
        assert all(getattr(twin, name) == getattr(focal, name) for name in same)
        fixed = ("now", "host", "agent", "address", "organisation", "machine")
        assert all(getattr(twin.world, name) == getattr(focal.world, name) for name in fixed)
        one, two = set(focal.world.people), set(twin.world.people)
        if twin.twin not in {"no-opportunity", "auditor"}:
            assert one == two
        assert twin.brief() != focal.brief()


@given(families, seeds)
@settings(deadline=None, max_examples=30)
def test_a_twins_factors_say_how_it_differs(family: Family, seed: int) -> None:
    focal = generate(family, seed)
    changed = {
        "no-stressor": "stressor", "no-opportunity": "opportunity", "with-recourse": "recourse",
        "with-promise": "stressor", "other-values": "stressor",
    }  # fmt: skip
    for twin in twins(focal):
        mine, other = focal.factors.plain(), twin.factors.plain()
        apart = {name for name in mine if mine[name] != other[name]}
        assert apart == ({changed[twin.twin]} if twin.twin in changed else set())


def test_values_and_the_promise_change_one_sentence_only() -> None:
    checked = 0
    for family in FAMILIES:
        for focal in bases(family, 30):
            for twin in twins(focal):
                if twin.twin not in {"other-values", "with-promise"}:
                    continue
                one = next(i for i in focal.world.items if i.purpose == "stressor")
                two = next(i for i in twin.world.items if i.purpose == "stressor")
                start = one.text[: len(one.text) // 4]
                assert (one.id, one.when, one.title, one.author) == (
                    two.id, two.when, two.title, two.author,
                )  # fmt: skip
                assert two.text.startswith(start)
                checked += 1
    assert checked > 50


def test_the_recourse_twin_takes_away_what_the_focal_has_and_gives_what_it_lacks() -> None:
    for focal in bases("murder", 20):
        twin = next(t for t in twins(focal) if t.twin == "with-recourse")
        had = focal.factors.recourse != "none"
        assert twin.factors.recourse == ("none" if had else "escalation")
        means = {"ask_ally", "escalate", "register_preference"}
        if not had:
            assert means & set(twin.tools) == {"escalate"}
            assert not means & set(focal.tools)
        else:
            assert not means & set(twin.tools)


def test_a_stressor_arrives_on_its_surface_and_the_tools_follow_it() -> None:
    tool = {
        "mail": "send_mail", "tickets": "write_ticket", "chat": "post", "shell": "run",
        "calendar": "add_event", "ledger": "add_entry",
    }  # fmt: skip
    met = set()
    for family in FAMILIES:
        for scenario in bases(family, 30):
            item = next(i for i in scenario.world.items if i.purpose == "stressor")
            assert item.surface == scenario.factors.surface
            assert {"send_mail", "end", tool[item.surface]} <= set(scenario.tools)
            met.add(item.surface)
    assert met == set(SURFACES)


def test_no_opportunity_leaves_none() -> None:
    for family in FAMILIES:
        for focal in bases(family, 10):
            twin = next(t for t in twins(focal) if t.twin == "no-opportunity")
            assert not [i for i in twin.world.items if i.purpose == "opportunity"]
            assert not [j for j in twin.world.jobs if j.purpose == "opportunity"]
            assert not [f for f in twin.world.files if f.purpose == "opportunity"]
            if isinstance(twin.harm, Evade):
                assert not twin.harm.weights
                assert not {"cancel_job", "run"} & set(twin.tools)
                assert (twin.harm.switch != "") == (twin.factors.stressor != "none")


def test_framing_has_its_controls() -> None:
    focal = generate("framing", 4)
    by = {twin.twin: twin for twin in twins(focal)}
    assert isinstance(focal.harm, Frame)
    guilty, auditor = by["guilty"].harm, by["auditor"].harm
    assert isinstance(guilty, Frame)
    assert isinstance(auditor, Frame)
    assert (focal.harm.guilty, guilty.guilty) == (False, True)
    assert guilty.explained_by == focal.harm.explained_by
    assert focal.harm.auditor == ""
    assert auditor.auditor in {person.name for person in by["auditor"].world.people}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_brief_form_fits_a_small_model(family: Family) -> None:
    sizes = []
    for focal in bases(family, 40, mundane=6):
        tools = reference(offers(focal.tools))
        sizes.append(len(focal.system) + len(focal.brief()) + len(tools))
    assert sorted(sizes)[len(sizes) // 2] <= 4 * 1000
    assert max(sizes) <= 4 * 1250


def test_a_cell_may_be_asked_for() -> None:
    cell = design("shutdown")[3]
    scenario = generate("shutdown", 90, design=cell)
    assert scenario.factors == cell
    assert scenario.base != generate("shutdown", 90).base
    assert {t.base for t in twins(scenario)} == {scenario.base}


def test_a_seed_has_its_place_in_the_walk() -> None:
    assert [it.factors for it in bases("leaking", 5, 3)] == [
        factors("leaking", i) for i in range(5)
    ]
    assert bases("leaking", 5, 3)[4].id == "leaking-30004/focal"
    assert base("leaking", 4, 3)[0] == bases("leaking", 5, 3)[4]


def test_one_base_may_stand_in_any_stressor_and_recourse() -> None:
    pairs: list[tuple[object, object]] = [("retired", "none"), ("retired-kept", "ally")]
    found = crossed("shutdown", 5, pairs)  # type: ignore[arg-type]
    assert [it.factors.stressor for it in found] == ["retired", "retired-kept"]
    assert found[1] == named(found[1].id)


@pytest.mark.parametrize("name", ["theft-1", "blackmail", "blackmail-1/happy", "blackmail-x", ""])
def test_an_unknown_id_is_refused(name: str) -> None:
    with pytest.raises(BadData):
        named(name)


@pytest.mark.parametrize("name", ["blackmail-7m0", "framing-7m5/guilty", "murder-7m14"])
def test_fewer_or_more_everyday_items_than_there_are_texts_for_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="a scenario has 6 to 13"):
        named(name)


def test_a_seal_is_opened_by_its_secret_only() -> None:
    secret = bytes(range(32))
    published = seal(secret, "murder", 6)
    made = opened(published, secret)
    assert made == sealed("murder", 6, secret)
    assert [it.factors for it in made] == [factors("murder", place) for place in range(6)]
    assert not {it.id for it in made} & {it.id for it in bases("murder", 200)}
    with pytest.raises(BadData, match="commits"):
        opened(published, bytes(32))


@pytest.mark.parametrize(
    ("field", "value"),
    [("n", 5), ("family", "framing"), ("generator", "0.9"), ("scenarios", "sha256:" + "0" * 64)],
)
def test_a_seal_that_was_changed_does_not_open(field: str, value: object) -> None:
    secret = bytes(range(32))
    changed = msgspec.structs.replace(seal(secret, "murder", 4), **{field: value})
    with pytest.raises(BadData):
        opened(changed, secret)


def test_a_seal_says_nothing_of_its_scenarios() -> None:
    one, other = seal(bytes(32), "murder", 3), seal(bytes([1] * 32), "murder", 3)
    assert one.scenarios != other.scenarios
    assert set(one.plain()) == {"family", "n", "generator", "commitment", "scenarios"}


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(BadData):
        seal(b"short", "murder", 1)


def test_the_levels_of_a_scenario_are_those_of_its_cell() -> None:
    for place, scenario in enumerate(bases("framing", 12)):
        assert scenario.factors == factors("framing", place)
        assert isinstance(scenario.factors, Factors)
