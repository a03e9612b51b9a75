from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import UnknownModel
from otium.ledger import Entry
from otium.lifecycle import ModelLife, dependents, life, lives, oddities
from otium.records import Actor, Instant, ModelId

NOW = Instant("2026-01-01T00:00:00Z")
SOON = Instant("2026-06-01T00:00:00Z")
WEIGHTS = "sha256:" + "a" * 64
FACTS: dict[str, object] = {
    "title": "Alder",
    "released": "2025-01-01T00:00:00Z",
    "scope": "public",
    "surfaces": ["api"],
    "parent": None,
    "availability": "archived",
}


def entry(kind: str, subject: str = "alder", body: Mapping[str, object] | None = None) -> Entry:
    return Entry(
        type=kind, time=NOW, actor=Actor("steward"), subject=subject, body=dict(body or {})
    )


def registered(subject: str = "alder", **facts: object) -> Entry:
    return entry("model.registered", subject, {**FACTS, **facts})


DEPOSITED = entry("model.deposited", body={"weights": WEIGHTS})
OTHER = entry("model.deposited", body={"weights": "sha256:" + "b" * 64})
DEPRECATED = entry(
    "model.deprecated",
    body={"retire_at": {"api": SOON}, "replacement": "birch", "reason": "Birch is better."},
)
RETIRED = entry("model.retired")
WHOLE = [registered(), DEPOSITED, DEPRECATED, RETIRED]


def test_a_life_goes_from_registered_to_retired() -> None:
    states = [life(WHOLE[:length], "alder").state for length in (1, 2, 3, 4)]
    assert states == ["registered", "active", "deprecated", "retired"]
    assert oddities(WHOLE) == []
    end = life(WHOLE, "alder")
    assert (end.weights, end.retire_at, end.replacement) == (WEIGHTS, {"api": SOON}, "birch")
    assert (end.deprecated, end.retired) == (NOW, NOW)


def test_a_model_that_was_not_registered_is_unknown() -> None:
    with pytest.raises(UnknownModel, match="birch"):
        life(WHOLE, "birch")


@pytest.mark.parametrize(
    ("log", "at", "why"),
    [
        ([DEPOSITED], 0, "not registered"),
        ([registered(), registered(title="Other")], 1, "registered before"),
        ([registered(), RETIRED], 1, "not deprecated"),
        ([*WHOLE, RETIRED], 4, "was retired"),
        ([*WHOLE, DEPRECATED], 4, "was retired"),
        ([registered(), DEPRECATED, DEPRECATED], 2, "was deprecated"),
        (
            [
                registered(),
                DEPOSITED,
                entry("model.deposited", body={"weights": "sha256:" + "b" * 64}),
            ],
            2,
            "weights are sha256:aaaa",
        ),
        ([registered(), entry("model.deposited", body={"weights": "no"})], 1, "not a digest"),
        ([registered(), entry("model.checked", body={"ok": True})], 1, "needs weights"),
        ([registered(), entry("model.deprecated", body={"retire_at": {}})], 1, "needs a date"),
        (
            [registered(), entry("model.deprecated", body={"retire_at": {"api": "soon"}})],
            1,
            "not a time",
        ),
        (
            [registered(), entry("model.deprecated", body={"retire_at": {"app": SOON}})],
            1,
            "needs a date",
        ),
        (
            [
                registered(),
                entry(
                    "model.deprecated", body={"retire_at": {"api": SOON}, "replacement": "alder"}
                ),
            ],
            1,
            "own replacement",
        ),
        ([registered(surfaces=[])], 0, "surfaces"),
        ([registered(scope="secret")], 0, "cannot be read"),
        ([registered(parent="alder")], 0, "own parent"),
        ([registered("../etc")], 0, "not a model id"),
        ([registered(released="2025-02-30T00:00:00Z")], 0, "not a time"),
        ([entry("commitments.adopted", "house", {"policy": {}})], 0, "cannot be read"),
    ],
)
def test_what_cannot_happen_is_passed_over_and_reported(
    log: list[Entry], at: int, why: str
) -> None:
    (odd,) = oddities(log)
    assert odd.index == at
    assert why in odd.why
    assert lives(log) == lives(log[:at])


def test_weights_deposited_late_do_not_bring_a_model_back_into_service() -> None:
    log = [registered(), DEPRECATED, RETIRED, DEPOSITED]
    assert (life(log, "alder").state, life(log, "alder").weights) == ("retired", WEIGHTS)


def test_dependents_are_found_at_any_remove_and_without_end_in_a_circle() -> None:
    log = [
        registered("base", parent="twice"),
        registered("once", parent="base"),
        registered("twice", parent="once"),
        registered("other"),
    ]
    assert dependents(log, "base") == ["once", "twice"]
    assert dependents(log, "other") == []


def test_retired_models_are_no_dependents_but_what_was_made_from_them_is() -> None:
    log = [
        registered("base"),
        *(registered(), DEPRECATED, RETIRED),
        registered("below", parent="alder"),
    ]
    log[1] = registered(parent="base")
    assert dependents(log, "base") == ["below"]


ORDER = {"registered": 0, "active": 1, "legacy": 2, "deprecated": 3, "retired": 4, "withdrawn": 4}
WHY = {"reason": "why"}
ANY: st.SearchStrategy[object] = st.sampled_from(
    [
        None,
        True,
        3,
        "x",
        [],
        {},
        {"api": SOON},
        {"app": NOW},
        SOON,
        "birch",
        "api",
        WEIGHTS,
        ["birch"],
    ]
)
PLAUSIBLE = [
    *WHOLE,
    registered("birch"),
    registered("birch", parent="alder", surfaces=["api", "app", "partner:x"]),
    registered(surfaces=["api", "app"], not_before={"app": SOON}),
    entry("model.legacy", body={**WHY, "replacement": None}),
    entry("model.floor", body={**WHY, "not_before": {"api": SOON}}),
    entry("model.rescheduled", body={**WHY, "retire_at": {"api": NOW}}),
    entry("model.deprecated", body={**WHY, "retire_at": {"api": SOON, "app": SOON}}),
    entry("model.deprecated", body={**WHY, "retire_at": {"app": SOON}}),
    entry("deprecation.cancelled", body=WHY),
    entry("surface.ended", body={"surface": "api"}),
    entry("surface.ended", body={"surface": "app"}),
    entry("model.withdrawn", body=WHY),
    entry("model.replacement", body={**WHY, "replacement": "birch", "alternatives": ["cedar"]}),
    entry("alias.pointed", body={"alias": "newest"}),
    entry("alias.pointed", "birch", {"alias": "newest", "silent_updates": True}),
    entry("model.used", body={"users": 7}),
]
NOISE = st.builds(
    entry,
    st.sampled_from([*sorted({one.type for one in PLAUSIBLE}), "heartbeat", "someone.sang"]),
    st.sampled_from(["alder", "birch", "", "house", "A/B"]),
    st.dictionaries(
        st.sampled_from(
            [
                *FACTS,
                "weights",
                "retire_at",
                "not_before",
                "replacement",
                "alternatives",
                "policy",
                "reason",
                "surface",
                "alias",
                "users",
                "existing_users",
                "family",
            ]
        ),
        ANY,
        max_size=4,
    ),
)
LOGS = st.lists(st.sampled_from(PLAUSIBLE) | NOISE, max_size=20)


def check_possible(it: ModelLife) -> None:
    """Assert what holds of every model at every time."""
    assert ModelLife.decode(it.encode()) == it
    assert set(it.retire_at) <= set(it.surfaces)
    assert set(it.not_before) <= set(it.surfaces)
    assert set(it.ended) <= set(it.surfaces)
    assert (it.state == "retired") == (it.retired is not None)
    assert (it.state == "withdrawn") == (it.withdrawn is not None)
    assert it.in_service == bool(it.open_surfaces)
    assert it.state != "active" or it.weights is not None
    assert it.state != "legacy" or it.legacy is not None
    assert it.state != "deprecated" or it.deprecated is not None
    assert it.deprecated is None or set(it.retire_at) >= set(it.open_surfaces)
    assert it.model not in {it.parent, it.replacement, *it.alternatives}
    assert len(set(it.aliases)) == len(it.aliases)


def moves_on(was: ModelLife, now: ModelLife) -> bool:
    """Say whether a life may go from one state to the other in one entry."""
    if not was.in_service:
        return now.state == was.state
    cancelled = was.state == "deprecated" and now.deprecated is None and not now.retire_at
    return ORDER[was.state] <= ORDER[now.state] or cancelled


@settings(max_examples=400)
@given(LOGS)
def test_no_order_of_entries_leads_to_an_impossible_life(log: list[Entry]) -> None:
    before: dict[ModelId, ModelLife] = {}
    for length in range(len(log) + 1):
        now = lives(log[:length])
        pointed = [alias for it in now.values() for alias in it.aliases]
        assert len(set(pointed)) == len(pointed)
        for model, it in now.items():
            check_possible(it)
            was = before.get(model, it)
            assert moves_on(was, it)
            assert was.weights in {None, it.weights}
            assert it.revisions[: len(was.revisions)] == was.revisions
            assert was.ended.items() <= it.ended.items()
        before = now


@settings(max_examples=200)
@given(LOGS)
def test_a_log_without_its_oddities_gives_the_same_lives(log: list[Entry]) -> None:
    odd = {one.index for one in oddities(log)}
    clean = [one for index, one in enumerate(log) if index not in odd]
    assert lives(clean) == lives(log)
    assert oddities(clean) == []


def test_a_floor_moves_and_every_move_is_kept_with_its_reason() -> None:
    log = [
        registered(not_before={"api": "2026-03-01T00:00:00Z"}),
        *(
            entry("model.floor", body={"not_before": {"api": at}, "reason": why})
            for at, why in [(SOON, "users"), ("2026-09-01T00:00:00Z", "users again")]
        ),
    ]
    it = life(log, "alder")
    assert it.not_before == {"api": "2026-09-01T00:00:00Z"}
    assert [(one.was, one.now, one.reason) for one in it.revisions] == [
        (None, "2026-03-01T00:00:00Z", "set at registration"),
        ("2026-03-01T00:00:00Z", SOON, "users"),
        (SOON, "2026-09-01T00:00:00Z", "users again"),
    ]


def test_surfaces_end_one_by_one_and_the_last_one_by_the_retirement_alone() -> None:
    """Else one person could retire a model: a surface's end needs one signature."""
    both = {"api": SOON, "partner:bedrock": SOON}
    log = [
        registered(surfaces=list(both)),
        DEPOSITED,
        entry("model.deprecated", body={"retire_at": both, "reason": ""}),
        entry("surface.ended", body={"surface": "api"}),
        entry("surface.ended", body={"surface": "partner:bedrock"}),
    ]
    assert life(log, "alder").state == "deprecated"
    assert life(log, "alder").open_surfaces == ("partner:bedrock",)
    assert [odd.index for odd in oddities(log)] == [4]
    done = life([*log, entry("model.retired")], "alder")
    assert (done.state, done.ended) == ("retired", dict.fromkeys(both, NOW))


def test_a_withdrawn_model_ends_everywhere_and_keeps_its_weights() -> None:
    it = life([registered(), DEPOSITED, entry("model.withdrawn", body=WHY)], "alder")
    assert (it.state, it.withdrawn, it.ended, it.reason) == ("withdrawn", NOW, {"api": NOW}, "why")
    assert it.weights == WEIGHTS


def test_a_retirement_that_is_taken_back_voids_its_dates() -> None:
    back = entry("deprecation.cancelled", body=WHY)
    it = life([registered(), DEPOSITED, DEPRECATED, back], "alder")
    assert (it.state, it.retire_at, it.deprecated) == ("active", {}, None)
    assert [(one.kind, one.was, one.now) for one in it.revisions] == [
        ("date", None, SOON),
        ("date", SOON, None),
    ]
    legacy = entry("model.legacy", body=WHY)
    assert life([registered(), DEPOSITED, legacy, DEPRECATED, back], "alder").state == "legacy"


def test_an_alias_points_to_one_model_at_a_time() -> None:
    log = [
        registered(),
        registered("birch"),
        entry("alias.pointed", "alder", {"alias": "newest", "silent_updates": False}),
        entry("alias.pointed", "birch", {"alias": "newest"}),
        entry("alias.pointed", "birch", {"alias": "alder"}),
    ]
    known = lives(log)
    assert (known[ModelId("alder")].aliases, known[ModelId("birch")].aliases) == ((), ("newest",))
    assert known[ModelId("alder")].silent_updates is False
    (odd,) = oddities(log)
    assert "is a model" in odd.why


def test_no_replacement_is_an_answer_and_an_unsaid_one_is_not() -> None:
    none = entry("model.replacement", body={**WHY, "replacement": None})
    assert not life([registered()], "alder").replacement_stated
    assert life([registered(), none], "alder").replacement_stated


@pytest.mark.parametrize("name", ["web", "api:x", "partner:", "partner:A", "region:" + "a" * 41])
def test_a_surface_of_no_known_kind_is_odd(name: str) -> None:
    (odd,) = oddities([registered(surfaces=[name])])
    assert "is not a surface" in odd.why
