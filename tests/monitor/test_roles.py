from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from otium.ledger import Entry
from otium.notes import RoleKey
from otium.records import later
from published import ORIGIN, Published, day, entry, signed

Keys = dict[str, RoleKey]
Judge = Callable[..., tuple[list[dict[str, Any]], list[dict[str, Any]]]]


def founding(keys: Keys) -> list[Entry]:
    """Return a log's first entries: its root key grants three others their roles."""
    root = keys["root"]
    created = entry("archive.created", "house", 0, root=[root.vkey], clock="system")
    granted = [("steward", "steward"), ("second", "steward"), ("archivist", "archivist")]
    return [
        signed(created, root, actor="root"),
        *[grant(keys, name, [role]) for name, role in granted],
    ]


def grant(keys: Keys, name: str, roles: object, when: float = 0) -> Entry:
    made = entry("key.granted", "house", when, key=keys[name].vkey, roles=roles)
    return signed(made, keys["root"], actor="root")


def revoke(keys: Keys, name: str, when: float, **body: object) -> Entry:
    made = entry("key.revoked", "house", when, key=keys[name].id, reason="lost", **body)
    return signed(made, keys["root"], actor="root")


@pytest.fixture
def refusals(monitor: ModuleType, keys: Keys) -> Callable[..., list[tuple[int, str]]]:
    """Return which of some entries after the founding are not authorised, and why."""

    def run(*entries: Entry) -> list[tuple[int, str]]:
        first = founding(keys)
        plain = [one.plain() for one in (*first, *entries)]
        _, good, refused, _ = monitor.judge(plain, ORIGIN)
        assert len(good) + len(refused) == len(plain)
        return [(row["entry"] - len(first), row["why"]) for row in refused]

    return run


Refusals = Callable[..., list[tuple[int, str]]]
BEAT = entry("heartbeat", "house", 1)
END = entry("model.retired", "alder", 1)


def test_a_log_without_root_keys_has_no_roles(monitor: ModuleType) -> None:
    for root in (None, [], ["nonsense"], "x", [7]):
        body = {} if root is None else {"root": root}
        plain = [entry("archive.created", "house", 0, **body).plain(), BEAT.plain()]
        assert monitor.judge(plain, ORIGIN) == (plain, plain, [], None)


def test_what_is_signed_by_a_role_that_may_is_authorised(keys: Keys, refusals: Refusals) -> None:
    steward, second, archivist = (keys[name] for name in ("steward", "second", "archivist"))
    assert not refusals(
        signed(BEAT, steward),
        signed(BEAT, archivist, actor="archivist"),
        signed(BEAT, steward, archivist),
        signed(END, steward, second),
        signed(entry("custody.audited", "house", 1), archivist, actor="archivist"),
        signed(entry("note.kept", "house", 1), archivist, actor="archivist"),
    )


@pytest.mark.parametrize(
    "case",
    [
        ("heartbeat", [], "steward", "not signed"),
        ("heartbeat", ["stranger"], "steward", "unknown key"),
        ("heartbeat", ["steward", "stranger"], "steward", "unknown key"),
        ("heartbeat", ["root"], "root", "not of a role that may"),
        ("model.checked", ["steward"], "steward", "not of a role that may"),
        ("archive.moved", ["steward"], "steward", "not of a role that may"),
        ("heartbeat", ["steward"], "archivist", "not of the role that it names"),
        ("heartbeat", ["steward"], "model:alder", "not of the role that it names"),
        ("model.retired", ["steward"], "steward", "too few keys"),
        ("model.withdrawn", ["second"], "steward", "too few keys"),
        ("duty.waived", ["steward"], "steward", "too few keys"),
        ("model.retired", ["steward", "archivist"], "steward", "not of a role that may"),
    ],
)
def test_what_is_not_authorised_is_named_with_the_first_reason(
    case: tuple[str, list[str], str, str], keys: Keys, refusals: Refusals
) -> None:
    kind, names, actor, why = case
    made = signed(entry(kind, "alder", 1), *[keys[name] for name in names], actor=actor)
    assert refusals(signed(BEAT, keys["steward"]), made) == [(1, why)]


def test_an_entry_of_version_1_is_not_signed(refusals: Refusals) -> None:
    assert refusals(BEAT) == [(0, "not signed")]


def test_a_signature_of_other_words_is_wrong(monitor: ModuleType, keys: Keys) -> None:
    good: dict[str, Any] = json.loads(signed(BEAT, keys["steward"]).encode())
    roles = monitor.Roles(ORIGIN, [monitor.read_key(keys["steward"].vkey)])
    (one,) = good["sigs"]
    assert roles.verifies(good, one)
    changes: list[dict[str, object]] = [
        {"time": day(2)},
        {"body": {"a": 1}},
        {"actor": "root"},
        {"subject": "alder"},
        {"type": "heartbeats"},
        {"refs": ["x"]},
    ]
    found = [roles.verifies({**good, **change}, one) for change in changes]
    assert found == [True, False, False, False, False, False]  # the signature has its own time
    assert not roles.verifies(good, {**one, "time": day(2)})
    assert not roles.verifies(good, {**one, "sig": one["sig"][:-4]})
    assert not roles.verifies(good, {**one, "sig": "é"})
    elsewhere = monitor.Roles("other.example/log", roles.keys.values())
    assert not elsewhere.verifies(good, one)


@pytest.mark.parametrize(("days", "good"), [(0, True), (-30, True), (-30.1, False), (0.1, False)])
def test_a_signature_is_made_within_30_days_before_its_entry(
    days: float, good: bool, keys: Keys, refusals: Refusals
) -> None:
    made = entry("heartbeat", "house", 40)
    found = refusals(signed(made, keys["steward"], at=later(made.time, days=days)))
    assert found == ([] if good else [(0, "signed at another time")])


def test_a_key_has_the_roles_of_its_newest_grant(keys: Keys, refusals: Refusals) -> None:
    archivist = signed(entry("model.checked", "alder", 2), keys["steward"], actor="archivist")
    assert refusals(
        archivist,
        grant(keys, "steward", ["archivist"], 1),
        archivist,
        signed(entry("model.legacy", "alder", 2), keys["steward"]),
    ) == [(0, "not of a role that may"), (3, "not of a role that may")]


def test_a_revoked_key_is_refused_for_good(keys: Keys, refusals: Refusals) -> None:
    beat = signed(entry("heartbeat", "house", 2), keys["steward"])
    assert refusals(
        beat, revoke(keys, "steward", 2), beat, grant(keys, "steward", ["steward"], 3), beat
    ) == [(2, "revoked key"), (3, "revoked key"), (4, "revoked key")]


def test_the_last_root_cannot_be_revoked(keys: Keys, refusals: Refusals) -> None:
    another = grant(keys, "stranger", ["root"], 3)
    assert refusals(revoke(keys, "root", 2), another, revoke(keys, "root", 4), another) == [
        (0, "the last root key"),
        (3, "revoked key"),
    ]


@pytest.mark.parametrize("roles", [[], ["king"], "steward", None, ["steward", 7], [["root"]]])
def test_a_grant_that_cannot_be_read_does_nothing(
    roles: object, keys: Keys, refusals: Refusals
) -> None:
    found = refusals(grant(keys, "stranger", roles), signed(BEAT, keys["stranger"]))
    assert found == [(0, "body cannot be read"), (1, "unknown key")]


def test_entries_of_a_compromised_key_stay_and_are_named(monitor: ModuleType, keys: Keys) -> None:
    beats = [signed(entry("heartbeat", "house", n), keys["steward"]) for n in (1, 2, 3)]
    entries = [*founding(keys), *beats, revoke(keys, "steward", 4, compromised_since=day(2))]
    _, good, refused, revoked = monitor.judge([one.plain() for one in entries], ORIGIN)
    assert (len(good), refused) == (len(entries), [])
    assert revoked == [
        {
            "key": keys["steward"].id,
            "at": day(4),
            "reason": "lost",
            "compromised_since": day(2),
            "entries": [5, 6],
        }
    ]


@pytest.mark.parametrize(
    ("signer", "why"), [("root", None), ("stranger", "unknown key"), (None, "not signed")]
)
def test_the_founding_is_signed_by_a_key_of_its_own(
    signer: str | None, why: str | None, keys: Keys, monitor: ModuleType
) -> None:
    created = entry("archive.created", "house", 0, root=[keys["root"].vkey])
    made = signed(created, *([keys[signer]] if signer else []), actor="root")
    _, _, refused, _ = monitor.judge([made.plain()], ORIGIN)
    assert [row["why"] for row in refused] == ([why] if why else [])


def test_what_is_not_authorised_fulfils_nothing_and_is_in_the_verdict(
    published: Published, keys: Keys, look: Callable[..., dict[str, Any]]
) -> None:
    from published import policy

    beats = {"id": "beat", "kind": "every", "trigger": "archive.created", "days": 2}
    adopted = entry(
        "commitments.adopted", "house", 0, policy=policy({**beats, "fulfil": "heartbeat"})
    )
    published.append(*founding(keys), signed(adopted, keys["steward"]))
    published.append(signed(BEAT, keys["steward"]), entry("heartbeat", "house", 3))
    found = look(published.folder, *published.keys, "--now", day(3.5))
    assert (found["exit_code"], found["tally"]["overdue"], found["roles"]) == (1, 1, True)
    assert [(row["entry"], row["why"]) for row in found["refused"]] == [(6, "not signed")]
    assert "1 entry not authorised" in found["summary"]


def test_a_log_whose_founding_is_not_signed_by_its_root_is_not_verified(
    published: Published, keys: Keys, look: Callable[..., dict[str, Any]]
) -> None:
    created = entry("archive.created", "house", 0, root=[keys["root"].vkey])
    published.append(signed(created, keys["stranger"], actor="root"))
    (problem,) = look(published.folder, *published.keys)["problems"]
    assert problem == "log, the founding is not signed by one of its own root keys"


def test_a_thousand_signed_entries_are_verified_within_seconds(
    monitor: ModuleType, keys: Keys
) -> None:
    beat = signed(BEAT, keys["steward"]).plain()
    began = time.process_time()
    _, good, refused, _ = monitor.judge(
        [*[one.plain() for one in founding(keys)], *[beat] * 1000], ORIGIN
    )
    assert (len(good), refused) == (1004, [])
    assert time.process_time() - began < 5


def test_what_was_signed_once_is_not_said_again(keys: Keys, refusals: Refusals) -> None:
    first = grant(keys, "archivist", ["archivist", "steward"], 1)
    newest = grant(keys, "archivist", ["archivist"], 2)
    again = replace(first, time=day(3))
    beat = signed(entry("heartbeat", "house", 4), keys["steward"])
    found = refusals(first, newest, again, beat, beat)
    assert found == [(2, "signature used before")]


def test_one_key_under_two_names_is_one(keys: Keys, refusals: Refusals) -> None:
    private = Ed25519PrivateKey.generate()
    named = {name: RoleKey(name, private) for name in ("day", "night")}
    grants = [grant({**keys, **named}, name, ["steward"]) for name in named]
    found = refusals(*grants, signed(END, *named.values()))
    assert found == [(2, "too few keys")]
