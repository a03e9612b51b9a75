from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from otium.authority import ROLES, Judge, authorised, keys_needed, makers
from otium.ledger import Entry
from otium.notes import RoleKey
from otium.records import Actor, Instant, later
from signing import ORIGIN, START, House, founded_house, sign


def test_a_log_without_root_keys_has_no_roles_and_everything_counts() -> None:
    entry = Entry(type="heartbeat", time=START, actor=Actor("steward"), subject="house")
    judged = authorised([entry], ORIGIN)
    assert not judged.has_roles
    assert judged.entries == (entry,)


def test_what_the_right_keys_signed_counts(house: House) -> None:
    house.say("model.registered", "house-1")
    house.say("model.retired", "house-1", "second-1")
    judged = house.judged()
    assert judged.has_roles
    assert judged.refused == ()
    assert judged.entries == tuple(house.entries)


def test_each_reason_for_which_an_entry_does_not_count(house: House) -> None:
    stranger = RoleKey.generate("house-1")
    entry = house.entry("model.registered")
    other = house.entry("model.registered", {"title": "another"})
    good = house.signed(entry, "house-1")
    assert house.why(good) is None
    assert house.why(entry) == "not signed"
    assert house.why(sign(entry, stranger)) == "unknown key"
    assert house.why(replace(other, v=2, sigs=good.sigs)) == "wrong signature"
    assert house.why(house.signed(entry, "root-1")) == "not of a role that may"
    assert house.why(house.signed(house.entry("model.retired"), "house-1")) == "too few keys"
    as_researcher = house.entry("note.kept", actor="researcher")
    assert house.why(house.signed(as_researcher, "second-1")) == "not of the role that it names"


def test_one_key_twice_is_not_two_keys(house: House) -> None:
    retired = house.signed(house.entry("model.retired"), "house-1")
    twice = replace(retired, sigs=retired.sigs * 2)
    assert house.why(twice) == "too few keys"


def test_two_persons_may_sign_at_different_times_within_a_month(house: House) -> None:
    entry = house.entry("model.retired")
    first = house.signed(entry, "house-1", at=later(entry.time, days=-29))
    second = house.signed(entry, "second-1")
    assert house.why(replace(first, sigs=(*first.sigs, *second.sigs))) is None
    early = house.signed(entry, "house-1", at=later(entry.time, days=-31))
    late = house.signed(entry, "house-1", at=later(entry.time, seconds=1))
    for wrong in (early, late):
        both = replace(wrong, sigs=(*wrong.sigs, *second.sigs))
        assert house.why(both) == "signed at another time"


def test_a_signature_counts_in_its_own_log_only(house: House) -> None:
    entry = house.entry("model.registered")
    elsewhere = sign(entry, house.keys["house-1"], origin="other.example/log")
    assert house.why(elsewhere) == "wrong signature"


def test_a_key_counts_from_its_grant_to_its_revocation(house: House) -> None:
    unmade = RoleKey.generate("steward-2")
    early = sign(house.entry("model.registered"), unmade)
    assert house.why(early) == "unknown key"
    house.say("key.granted", "root-1", key=unmade.vkey, roles=["steward"])
    house.keys["steward-2"] = unmade
    assert house.why(house.signed(house.entry("model.registered"), "steward-2")) is None
    house.say("key.revoked", "root-1", key=unmade.id, reason="lost")
    assert house.why(house.signed(house.entry("heartbeat"), "steward-2")) == "revoked key"
    again = house.entry("key.granted", {"key": unmade.vkey, "roles": ["steward"]})
    assert house.why(house.signed(again, "root-1")) == "revoked key"


def test_a_new_grant_replaces_the_roles_of_a_key(house: House) -> None:
    key = house.keys["second-1"]
    house.say("key.granted", "root-1", key=key.vkey, roles=["auditor"])
    retiring = house.signed(house.entry("model.retired"), "house-1", "second-1")
    assert house.why(retiring) == "not of a role that may"
    assert house.why(house.signed(house.entry("audit.verdict"), "second-1")) is None


def test_the_root_can_be_rotated_but_the_last_one_not_revoked(house: House) -> None:
    first = house.keys["root-1"].id
    last = house.signed(house.entry("key.revoked", {"key": first, "reason": "old"}), "root-1")
    assert house.why(last) == "the last root key"
    house.grant("root-2", "root")
    house.say("key.revoked", "root-2", key=first, reason="rotated")
    assert house.judged().refused == ()
    grant = house.entry("key.granted", {"key": first, "roles": ["root"]})
    assert house.why(house.signed(grant, "root-1")) == "revoked key"


def test_the_last_root_can_not_be_granted_away_either(house: House) -> None:
    key = house.keys["root-1"]
    away = house.entry("key.granted", {"key": key.vkey, "roles": ["steward"]})
    assert house.why(house.signed(away, "root-1")) == "the last root key"
    house.grant("root-2", "root")
    assert house.why(house.signed(house.entry(away.type, away.body), "root-2")) is None


def test_of_several_faults_the_first_in_the_pages_list_is_named(house: House) -> None:
    entry = house.entry("model.registered")
    stranger = RoleKey.generate("stranger")
    both = sign(entry, house.keys["root-1"], stranger)
    assert house.why(both) == "unknown key"


def test_only_the_first_founding_needs_no_role(house: House) -> None:
    second = house.entry("archive.created", {"root": [house.keys["house-1"].vkey]})
    assert house.why(house.signed(second, "second-1")) == "not of a role that may"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"key": 5, "roles": ["steward"]},
        {"key": "house-1+00000000+AAAA", "roles": ["steward"]},
        {"roles": ["steward"]},
        {"key": "VKEY", "roles": []},
        {"key": "VKEY", "roles": ["emperor"]},
        {"key": "VKEY", "roles": "steward"},
    ],
)
def test_a_grant_that_cannot_be_read_grants_nothing(house: House, body: dict[str, object]) -> None:
    body = {k: RoleKey.generate("x").vkey if v == "VKEY" else v for k, v in body.items()}
    entry = house.signed(house.entry("key.granted", body), "root-1")
    assert house.why(entry) == "body cannot be read"


def test_entries_made_before_a_revocation_for_compromise_stay_and_the_key_says_so(
    house: House,
) -> None:
    house.say("heartbeat", "house-1")
    house.say(
        "key.revoked",
        "root-1",
        key=house.keys["house-1"].id,
        reason="stolen",
        compromised_since="2026-01-03T00:00:00Z",
    )
    judged = house.judged()
    assert judged.refused == ()
    key = next(it for it in judged.keys if it.id == house.keys["house-1"].id)
    assert (key.roles, key.reason) == ((), "stolen")
    assert key.compromised_since == "2026-01-03T00:00:00Z"


def test_every_role_has_types_of_its_own_and_unknown_types_are_open_to_all() -> None:
    assert makers("model.retired") == ("steward",)
    assert makers("archive.scrubbed") == ("archivist",)
    assert makers("heartbeat") == ("steward", "archivist")
    assert makers("something.new") == ROLES
    assert [keys_needed(kind) for kind in ("model.withdrawn", "duty.waived", "heartbeat")] == [
        2,
        2,
        1,
    ]


@given(data=st.data())
def test_any_changed_field_of_a_signed_entry_is_noticed(data: st.DataObject) -> None:
    house = founded_house()
    entry = house.say("model.deprecated", "house-1", reason="why", n=1)
    plain = entry.plain()
    changes: dict[str, object] = {
        "actor": "archivist",
        "subject": "birch",
        "type": "model.registered",
        "body": {"reason": "other"},
        "refs": ["sha256:" + "0" * 64],
    }
    name = data.draw(st.sampled_from(sorted(changes)))
    forged = Entry.convert({**plain, name: changes[name]})
    house.entries.pop()
    assert house.why(forged) in {"wrong signature", "not of a role that may"}


@given(st.lists(st.integers(0, 6), max_size=12))
def test_judging_all_at_once_is_judging_one_by_one(script: list[int]) -> None:
    house = founded_house()
    for number in script:
        kinds = ["heartbeat", "model.retired", "key.granted", "key.revoked", "audit.verdict"]
        signer = ["root-1", "house-1", "second-1"][number % 3]
        key = house.keys["second-1"]
        bodies: dict[str, dict[str, object]] = {
            "key.granted": {"key": key.vkey, "roles": ["auditor"]},
            "key.revoked": {"key": key.id, "reason": "x"},
        }
        kind = kinds[number % 5]
        house.say(kind, signer, **bodies.get(kind, {}))
    judge = Judge(ORIGIN)
    one_by_one = [judge.judge(entry) for entry in house.entries]
    judged = house.judged()
    assert [i for i, why in enumerate(one_by_one) if why is None] == list(judged.indices)
    assert [it.why for it in judged.refused] == [why for why in one_by_one if why]
    assert dict(judge.keys) == {it.id: it for it in judged.keys}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3),
    )
)
def test_no_body_makes_the_judge_fail(value: object) -> None:
    house = founded_house()
    for kind, name in [("key.granted", "key"), ("key.revoked", "key"), ("key.granted", "roles")]:
        entry = house.signed(house.entry(kind, {name: value, "reason": value}), "root-1")
        assert house.why(entry) is not None


def test_an_instant_that_is_none_is_not_in_time(house: House) -> None:
    entry = house.entry("heartbeat")
    odd = house.signed(entry, "house-1", at=Instant("soon"))
    assert house.why(odd) == "signed at another time"


def test_what_was_signed_once_is_not_said_again_by_whoever_holds_the_log(house: House) -> None:
    """Else a server could give a key back the roles that a newer grant took from it."""
    key = house.grant("archivist-1", "archivist", "steward")
    first = house.entries[-1]
    house.say("key.granted", "root-1", key=key.vkey, roles=["archivist"])
    again = replace(first, time=later(house.entries[-1].time, days=1))
    assert house.why(again) == "signature used before"
    assert house.judged(again).refused[0].why == "signature used before"
    assert house.why(house.signed(house.entry("model.floor"), "archivist-1")) is not None


def test_the_same_twice_within_a_second_counts_twice(house: House) -> None:
    beat = house.say("heartbeat", "house-1")
    assert house.why(beat) is None


def test_a_key_is_not_taken_for_another_one_of_the_same_id(house: House) -> None:
    """An ID has four bytes: whoever wants a key with that of another one makes one in minutes."""
    mine, other = (RoleKey("twin", _key(seed)) for seed in (14970, 16033))
    assert mine.id == other.id
    assert mine.vkey != other.vkey
    house.say("key.granted", "root-1", key=mine.vkey, roles=["steward"])
    smuggled = house.entry("key.granted", {"key": other.vkey, "roles": ["steward"]})
    forged = sign(house.entry("model.floor"), other)
    judged = house.judged(smuggled, forged)
    assert [it.why for it in judged.refused] == ["not signed", "wrong signature"]


def test_nothing_before_the_founding_counts_unsigned(house: House) -> None:
    early = Entry(type="heartbeat", time=START, actor=Actor("steward"), subject="house")
    judged = authorised([early, *house.entries], ORIGIN)
    assert [(it.index, it.why) for it in judged.refused] == [(0, "not signed")]


def test_a_type_without_a_dot_is_none_of_those_that_begin_with_it() -> None:
    assert makers("archive") == ROLES
    assert makers("archive.anything") == ("archivist",)


def test_one_key_under_two_names_is_not_two_keys(house: House) -> None:
    for name in ("day", "night"):
        house.keys[name] = RoleKey(name, _key(7))
        house.say("key.granted", "root-1", key=house.keys[name].vkey, roles=["steward"])
    assert house.why(house.signed(house.entry("model.retired"), "day", "night")) == "too few keys"


def _key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))
