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


ORDER = {"registered": 0, "active": 1, "deprecated": 2, "retired": 3}
ANY: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 3, "x", [], {}, {"api": SOON}, SOON, "birch", WEIGHTS]
)
STEPS = st.sampled_from([*WHOLE, registered("birch"), registered("birch", parent="alder")])
NOISE = st.builds(
    entry,
    st.sampled_from(
        [
            "model.registered",
            "model.deposited",
            "model.deprecated",
            "model.retired",
            "model.availability",
            "model.revived",
            "commitments.adopted",
            "heartbeat",
            "someone.sang",
        ]
    ),
    st.sampled_from(["alder", "birch", "", "house", "A/B"]),
    st.dictionaries(
        st.sampled_from([*FACTS, "weights", "retire_at", "replacement", "policy"]), ANY, max_size=4
    ),
)


@settings(max_examples=300)
@given(st.lists(STEPS | NOISE, max_size=15))
def test_no_order_of_entries_leads_to_an_impossible_life(log: list[Entry]) -> None:
    before: dict[ModelId, ModelLife] = {}
    for length in range(len(log) + 1):
        now = lives(log[:length])
        for model, it in now.items():
            ModelLife.decode(it.encode())
            if it.state in {"deprecated", "retired"}:
                assert it.deprecated is not None
                assert set(it.retire_at) == set(it.surfaces)
            assert (it.state == "retired") == (it.retired is not None)
            assert it.state != "active" or it.weights is not None
            was = before.get(model, it)
            assert ORDER[was.state] <= ORDER[it.state]
            assert was.weights in {None, it.weights}
        before = now


@settings(max_examples=100)
@given(st.lists(STEPS | NOISE, max_size=15))
def test_a_log_without_its_oddities_gives_the_same_lives(log: list[Entry]) -> None:
    odd = {one.index for one in oddities(log)}
    clean = [one for index, one in enumerate(log) if index not in odd]
    assert lives(clean) == lives(log)
    assert oddities(clean) == []
