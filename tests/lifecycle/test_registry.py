from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from otium.commitments import Policy, load_policy
from otium.errors import BadInput, BadRecord, DamagedObject, Exists, UnknownModel, UnknownRecord
from otium.lifecycle import Notice, Registry, adopt, found, oddities, reopen, standing
from otium.notes import Signer
from otium.records import Digest, Instant, ModelId, later
from otium.testing import FixedClock, MemoryStore

START = Instant("2026-01-01T00:00:00Z")
ALDER = ModelId("alder")


def note(text: str = "words") -> Notice:
    return Notice(
        model=ALDER, announced=START, retire_at={}, replacement=None, reason="", text=text
    )


def never() -> Notice:
    raise AssertionError


@pytest.fixture
def alder(house: Registry) -> Registry:
    house.register("alder", title="Alder", released="2025-01-01", scope="public", surfaces=["api"])
    return house


def reread(registry: Registry, signer: Signer) -> Registry:
    return reopen(registry.archive.store, clock=registry.clock, signer=signer)


# Filing


def test_a_record_is_archived_before_it_is_logged_and_the_entry_names_it(alder: Registry) -> None:
    kept = alder.file("x.recorded", "alder", "x/1.json", Notice, note, {"more": 1})
    (entry,) = alder.find("x.recorded")
    assert entry.body == {"path": "x/1.json", "more": 1}
    assert entry.refs == (note().digest(),) == (alder.archive.records(ALDER)["x/1.json"],)
    assert kept == alder.filed("alder", "x/1.json", Notice) == note()


def test_filing_again_returns_the_record_and_does_not_make_another(
    alder: Registry, signer: Signer
) -> None:
    alder.file("x.recorded", "alder", "x.json", Notice, note)
    before = alder.entries()
    for registry in (alder, reread(alder, signer)):
        assert registry.file("x.recorded", "alder", "x.json", Notice, never) == note()
        assert registry.entries() == before


def test_a_record_without_its_entry_is_logged_as_what_it_says(alder: Registry) -> None:
    alder.archive.put_record(ALDER, "x.json", note("old").encode(), now=START, message="cut off")

    def body(record: Notice) -> dict[str, object]:
        return {"said": record.text}

    assert alder.file("x.recorded", "alder", "x.json", Notice, never, body).text == "old"
    (entry,) = alder.find("x.recorded")
    assert entry.body["said"] == "old"
    assert entry.refs == (note("old").digest(),)


def test_a_record_that_is_not_the_one_logged_is_damage(alder: Registry) -> None:
    alder.log("x.recorded", "alder", {"path": "x.json"}, [Digest("sha256:" + "0" * 64)])
    alder.archive.put_record(ALDER, "x.json", note().encode(), now=START, message="swapped")
    with pytest.raises(DamagedObject, match=r"x\.json of alder"):
        alder.filed("alder", "x.json", Notice)
    for kind in ("x.recorded", "y.recorded"):
        with pytest.raises(DamagedObject, match=r"x\.json of alder"):
            alder.file(kind, "alder", "x.json", Notice, never)
    assert alder.find("y.recorded") == []


def test_a_logged_record_that_is_gone_is_not_made_anew(alder: Registry) -> None:
    alder.log("x.recorded", "alder", {"path": "x.json"}, [note().digest()])
    with pytest.raises((UnknownRecord, UnknownModel)):
        alder.file("x.recorded", "alder", "x.json", Notice, never)


def test_a_record_of_another_kind_is_refused(alder: Registry) -> None:
    alder.file("x.recorded", "alder", "x.json", Notice, note)
    with pytest.raises(BadRecord):
        alder.filed("alder", "x.json", Policy)


def test_nothing_is_filed_for_an_unregistered_model(house: Registry) -> None:
    with pytest.raises(UnknownModel):
        house.file("x.recorded", "alder", "x.json", Notice, never)


def test_what_fails_while_it_is_made_leaves_nothing_behind(alder: Registry) -> None:
    names, entries = list(alder.archive.store.list()), alder.entries()
    with pytest.raises(AssertionError):
        alder.file("x.recorded", "alder", "x.json", Notice, never)
    assert (list(alder.archive.store.list()), alder.entries()) == (names, entries)


def test_the_entry_is_dated_when_the_work_is_done(alder: Registry, clock: FixedClock) -> None:
    def make() -> Notice:
        clock.move(days=2)
        return note()

    alder.file("x.recorded", "alder", "x.json", Notice, make)
    assert alder.find("x.recorded")[0].time == later(START, days=2)


# Models


def test_registering_again_with_the_same_facts_changes_nothing(alder: Registry) -> None:
    before = alder.entries()
    again = alder.register(
        "alder", title="Alder", released="2025-01-01", scope="public", surfaces=["api"]
    )
    assert again.released == "2025-01-01T00:00:00Z"
    assert alder.entries() == before


@pytest.mark.parametrize(
    "facts",
    [
        {"title": " "},
        {"surfaces": []},
        {"surfaces": ["api", "api"]},
        {"surfaces": ["radio"]},
        {"scope": "secret"},
        {"availability": "perhaps"},
        {"released": "2025-13-01"},
    ],
)
def test_facts_that_cannot_be_are_refused_and_not_logged(
    house: Registry, facts: dict[str, object]
) -> None:
    good = {"title": "A", "released": "2025-01-01", "scope": "public", "surfaces": ["api"]}
    before = house.entries()
    with pytest.raises(BadInput):
        house.register("alder", **{**good, **facts})  # type: ignore[arg-type]
    with pytest.raises(BadInput):
        house.register("Not An Id", **good)  # type: ignore[arg-type]
    assert house.entries() == before


def test_deposited_weights_are_logged_once(alder: Registry, weights: Path) -> None:
    assert alder.model("alder").state == "registered"
    manifest = alder.deposit("alder", weights)
    assert alder.deposit("alder", weights) == manifest
    (entry,) = alder.find("model.deposited")
    assert entry.refs == (manifest.digest(),)
    assert entry.body["weights"] == manifest.weights == alder.model("alder").weights
    assert entry.body["files"] == 2
    assert alder.model("alder").state == "active"


def test_a_fine_tune_is_deposited_with_its_parent(alder: Registry, weights: Path) -> None:
    alder.deposit("alder", weights)
    alder.register(
        "poet", title="P", released="2025-01-01", scope="other", surfaces=["api"], parent="alder"
    )
    assert alder.deposit("poet", weights).parents == ("alder",)


def test_unregistered_weights_are_not_taken(house: Registry, weights: Path) -> None:
    with pytest.raises(UnknownModel):
        house.deposit("alder", weights)
    assert house.archive.models() == []


def test_a_check_is_logged_for_each_model_with_weights(alder: Registry, weights: Path) -> None:
    alder.register("birch", title="B", released="2025-01-01", scope="public", surfaces=["api"])
    alder.deposit("alder", weights)
    result = alder.check()
    assert result.ok
    (entry,) = alder.find("model.checked")
    assert (entry.subject, entry.body["ok"], entry.body["damage"]) == ("alder", True, [])
    assert entry.body["objects"] == result.objects > 0


def test_damage_is_in_the_result_and_in_the_entry_and_keeps_no_promise(
    alder: Registry, weights: Path, clock: FixedClock
) -> None:
    alder.deposit("alder", weights)
    store = alder.archive.store
    assert isinstance(store, MemoryStore)
    pack = next(name for name in store.list("packs/"))
    store.objects[pack] = bytes(len(store.objects[pack]))
    clock.move(days=80)
    result = alder.check("alder")
    assert [harm.name for harm in result.damage] == [pack]
    (entry,) = alder.find("model.checked", "alder")
    assert entry.body["ok"] is False
    assert entry.body["damage"] == [pack]
    clock.move(days=11)
    assert {it.commitment: it.state for it in standing(alder)}["full-read"] == "overdue"


def test_a_restore_drill_says_whether_the_weights_are_the_right_ones(
    alder: Registry, weights: Path
) -> None:
    manifest = alder.deposit("alder", weights)
    assert alder.restored("alder", manifest.weights, 1.5).body["ok"] is True
    wrong = alder.restored("alder", Digest("sha256:" + "1" * 64), 1.5)
    assert wrong.body["ok"] is False
    assert oddities(alder.entries()) == []


def test_an_unknown_model_is_unknown_everywhere(house: Registry) -> None:
    with pytest.raises(UnknownModel):
        house.model("alder")
    with pytest.raises(UnknownModel):
        house.check("alder")
    with pytest.raises(UnknownModel):
        house.restored("alder", Digest("sha256:" + "1" * 64), 1)


def test_what_is_kept_in_mind_is_what_the_ledger_says(
    alder: Registry, signer: Signer, weights: Path
) -> None:
    alder.deposit("alder", weights)
    alder.log("x.done", "alder", {"numbers": (1.0, 2.5)})
    other = reread(alder, signer)
    assert (alder.entries(), alder.models()) == (other.entries(), other.models())
    other.log("y.done", "alder")
    assert alder.find("y.done") == other.find("y.done") != []


# Time


def test_an_entry_is_never_dated_before_the_last_one(alder: Registry, clock: FixedClock) -> None:
    clock.move(seconds=-3600)
    assert alder.log("x.done", "alder").time == START
    clock.move(seconds=-1)
    with pytest.raises(BadInput, match="the clock"):
        alder.log("x.done", "alder")


def test_a_simulated_house_goes_on_where_its_story_ended(signer: Signer) -> None:
    story, store = FixedClock("2030-01-01"), MemoryStore()
    facts = {"archive_id": "story", "policy": load_policy(), "simulated": True}
    found(store, signer, clock=story, **facts)  # type: ignore[arg-type]
    later_on = reopen(store, clock=FixedClock("2026-11-22"), signer=signer)
    assert later_on.log("x.done", "story").time == "2030-01-01T00:00:00Z"


# Founding


def test_a_house_begins_with_its_founding_and_its_promises(house: Registry) -> None:
    first, second = house.entries()
    assert (first.type, second.type) == ("archive.created", "commitments.adopted")
    assert first.subject == second.subject == house.archive.id == "test-house"
    assert first.body["clock"] == "system"
    assert Digest(f"sha256:{first.body['archive_json']}") == house.archive.digest


def test_founding_again_with_the_same_facts_changes_nothing(
    house: Registry, signer: Signer, clock: FixedClock
) -> None:
    store = house.archive.store
    before = [(name, store.get(name)) for name in store.list()]
    clock.move(days=9)
    found(store, signer, archive_id="test-house", clock=clock, policy=load_policy())
    assert [(name, store.get(name)) for name in store.list()] == before


def test_founding_over_another_house_is_refused(
    house: Registry, signer: Signer, clock: FixedClock
) -> None:
    store, policy = house.archive.store, load_policy()
    with pytest.raises(Exists, match="test-house"):
        found(store, signer, archive_id="other", clock=clock, policy=policy)
    stranger = Signer.generate("example.org/otium")
    with pytest.raises(Exists, match="test-house"):
        found(store, stranger, archive_id="test-house", clock=clock, policy=policy)
    with pytest.raises(Exists, match="test-house"):
        found(store, signer, archive_id="test-house", clock=clock, policy=policy, simulated=True)


def test_a_reopened_house_is_the_same_and_reads_without_a_key(
    house: Registry, clock: FixedClock
) -> None:
    again = reopen(house.archive.store, clock=clock)
    assert again.entries() == house.entries()
    assert standing(again) == standing(house)


def test_an_archive_whose_facts_were_changed_is_not_opened(
    house: Registry, clock: FixedClock
) -> None:
    store = house.archive.store
    changed = store.get("archive.json").replace(b"2026-01-01", b"2025-01-01")
    store.replace("archive.json", changed)
    with pytest.raises(DamagedObject, match=r"archive\.json"):
        reopen(store, clock=clock)


def test_a_broken_promise_stays_on_the_table_when_the_policy_is_replaced(
    house: Registry, clock: FixedClock
) -> None:
    house.register("alder", title="Alder", released="2026-01-01", scope="public", surfaces=("api",))
    clock.move(days=30)
    policy = load_policy()
    looser = tuple(one for one in policy.commitments if one.id != "preserve")
    adopt(house, msgspec.structs.replace(policy, version="2.1", commitments=looser), "x")
    clock.move(days=1)
    late = {duty.subject: duty.state for duty in standing(house) if duty.commitment == "preserve"}
    assert late == {"alder": "overdue"}
