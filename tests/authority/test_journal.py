from __future__ import annotations

from pathlib import Path

import pytest

from otium.authority import Journal, Keyring, actor_for
from otium.errors import NeedsSecond, NotAuthorised
from otium.ledger import Entry, Ledger
from otium.notes import RoleKey
from otium.records import Instant, later
from signing import START


def say(kind: str, number: int = 0, subject: str = "alder", **body: object) -> Entry:
    time = later(START, days=number)
    return Entry(type=kind, time=time, actor=actor_for(kind), subject=subject, body=body)


def begin(ledger: Ledger, keyring: Keyring, waiting: dict[str, Entry] | None = None) -> Journal:
    def wait(entry: Entry) -> str:
        assert waiting is not None
        waiting["it"] = entry
        return "it"

    journal = Journal(ledger, keyring, wait if waiting is not None else None)
    roots, grants = keyring.founders()
    journal.append(say("archive.created", subject="house", root=roots))
    for vkey, roles in grants:
        journal.append(say("key.granted", subject="house", key=vkey, roles=list(roles)))
    return journal


def only(keyring: Keyring, name: str) -> Keyring:
    return Keyring(key for key in keyring if key.name == name)


def test_every_entry_from_the_first_on_is_signed(ledger: Ledger, keyring: Keyring) -> None:
    journal = begin(ledger, keyring)
    journal.append(say("model.registered", 1))
    journal.append(say("model.retired", 2))
    assert [len(entry.sigs) for entry in journal.logged()] == [1, 1, 1, 1, 2]
    assert journal.judgement().refused == ()
    assert Journal(ledger).entries() == journal.entries()


def test_what_no_key_here_may_sign_is_not_logged(ledger: Ledger, keyring: Keyring) -> None:
    begin(ledger, keyring)
    for some in (None, Keyring([]), only(keyring, "root-1"), Keyring([RoleKey.generate("x")])):
        with pytest.raises(NotAuthorised):
            Journal(ledger, some).append(say("model.registered", 1))
    assert ledger.size == 3


def test_an_act_waits_for_its_second_person_and_is_logged_once(
    ledger: Ledger, keyring: Keyring
) -> None:
    acts: dict[str, Entry] = {}
    begin(ledger, keyring)
    first = Journal(ledger, only(keyring, "house-1"), lambda entry: acts.update(it=entry) or "it")
    with pytest.raises(NeedsSecond, match="it waits as it"):
        first.append(say("model.retired", 1))
    assert ledger.size == 3
    later_on = Instant("2026-01-20T00:00:00Z")
    second = Journal(ledger)
    logged = second.approve(acts["it"], only(keyring, "second-1"), later_on)
    assert (logged.time, len(logged.sigs)) == (later_on, 2)
    assert logged.sigs[0].time == "2026-01-02T00:00:00Z"
    assert second.approve(acts["it"], only(keyring, "second-1"), later_on) == logged
    assert ledger.size == 4


def test_the_first_person_cannot_be_the_second(ledger: Ledger, keyring: Keyring) -> None:
    acts: dict[str, Entry] = {}
    begin(ledger, keyring)
    mine = only(keyring, "house-1")
    with pytest.raises(NeedsSecond):
        Journal(ledger, mine, lambda entry: acts.update(it=entry) or "it").append(
            say("model.retired", 1)
        )
    with pytest.raises(NotAuthorised):
        Journal(ledger).approve(acts["it"], mine, Instant("2026-01-03T00:00:00Z"))
    with pytest.raises(NotAuthorised, match="too few keys"):
        Journal(ledger, mine).append(say("model.retired", 1))


def test_what_somebody_smuggled_into_the_log_is_read_but_does_not_count(
    ledger: Ledger, keyring: Keyring
) -> None:
    journal = begin(ledger, keyring)
    ledger.append(say("model.retired", 1))
    assert len(journal.logged()) == 4
    assert len(journal.entries()) == 3
    assert [(it.index, it.why) for it in journal.refused()] == [(3, "not signed")]
    journal.append(say("model.registered", 2))
    assert len(journal.entries()) == 4


def test_keys_are_made_once_and_read_again(tmp_path: Path) -> None:
    Keyring.make(tmp_path / "roles")
    made = {key.id for key in Keyring.load(tmp_path / "roles")}
    Keyring.make(tmp_path / "roles")
    assert {key.id for key in Keyring.load(tmp_path / "roles")} == made
    assert {key.id for key in Keyring.load(tmp_path / "roles" / "root-1.pem")} < made
    assert len(Keyring.load(tmp_path / "absent")) == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "roles").iterdir())


def test_a_log_without_roles_takes_unsigned_entries(ledger: Ledger) -> None:
    journal = Journal(ledger)
    journal.append(say("archive.created", subject="house"))
    journal.append(say("model.retired", 1))
    assert [entry.v for entry in journal.entries()] == [1, 1]
