"""Users are told each thing once, by what the ledger and the outbox have of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from otium.errors import BadInput
from otium.outreach import ATTEMPTS, Outbox
from otium.records import later
from otium.testing import FixedClock
from otium.upkeep.telling import SALT, tell_users, undelivered
from otium.workflow import Home
from outreach.receiving import Answer, post, receiver
from upkeep.houses import MODEL, announce, house, people

DEPRECATED = "model.deprecated/alder-1/"


def sent(home: Home) -> list[tuple[object, object]]:
    found = home.registry.find("notice.sent", MODEL)
    return [(one.body["channel"], one.body["key"]) for one in found]


def test_each_recipient_is_told_once_with_the_published_notice(
    tmp_path: Path, clock: FixedClock, weights: Path
) -> None:
    with house(tmp_path / "home", clock, weights) as home, post() as mail, receiver() as hook:
        people(home, port=mail.port, url=hook.url)
        announce(home)
        told = tell_users(home)
        assert len(told.sent) == 2
        assert all(one.startswith(DEPRECATED) for one in told.sent)
        assert tell_users(home).sent == ()
        [letter], [call] = mail.letters, hook.calls
        assert sent(home) == [("email", letter.key), ("webhook", call.key)]
        assert "# Alder 1 will be retired" in letter.read.get_content()
        place = int(call.json["event"].rpartition("/")[2])
        logged = home.registry.journal.logged()[place]
        assert (logged.type, call.json["entry"]) == ("model.deprecated", place)


def test_no_address_enters_the_archive_the_ledger_or_the_outbox(
    tmp_path: Path, clock: FixedClock, weights: Path
) -> None:
    with house(tmp_path / "home", clock, weights) as home, post("550 team@example.org?") as mail:
        people(home, port=mail.port)
        announce(home)
        assert tell_users(home).put_off
        clock.move(days=1)
        assert tell_users(home).sent
        for path in home.path.rglob("*"):
            if path.is_file() and path.name != "recipients.toml":
                assert b"team@example.org" not in path.read_bytes(), path


def test_an_outbox_that_was_deleted_is_rebuilt_without_a_second_sending(
    tmp_path: Path, clock: FixedClock, weights: Path
) -> None:
    with house(tmp_path / "home", clock, weights) as home, post() as mail:
        people(home, port=mail.port)
        announce(home)
        tell_users(home)
        for left in home.path.glob("outbox.sqlite*"):
            left.unlink()
        assert tell_users(home).sent == ()
        assert len(mail.letters) == 1
        rows = Outbox.at(home.path / "outbox.sqlite").deliveries().values()
        assert [row.state for row in rows] == ["sent"]


def test_what_was_sent_and_not_logged_is_logged_and_not_sent_again(
    tmp_path: Path, clock: FixedClock, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Died

    with house(tmp_path / "home", clock, weights) as home, post() as mail:
        people(home, port=mail.port)
        announce(home)
        with monkeypatch.context() as patch:
            patch.setattr(home.registry, "log", die)
            with pytest.raises(Died):
                tell_users(home)
        assert sent(home) == []
        assert tell_users(home).sent == ()
        assert sent(home) == [("email", mail.letters[0].key)]
        assert len(mail.letters) == 1


def test_what_fails_is_tried_later_as_the_receiver_asks_then_given_up_and_logged(
    tmp_path: Path, clock: FixedClock, weights: Path
) -> None:
    busy = Answer(429, {"Retry-After": "7200"})
    with (
        house(tmp_path / "home", clock, weights) as home,
        post(*["451 later"] * 99) as mail,
        receiver(busy) as hook,
    ):
        people(home, port=mail.port, url=hook.url)
        announce(home)
        first = {row.channel: row for row in tell_users(home).put_off}
        assert first["email"].next_try == later(clock.now(), seconds=300)
        assert first["webhook"].next_try == later(clock.now(), seconds=7200)
        clock.move(seconds=299)
        assert not tell_users(home).put_off
        for _ in range(ATTEMPTS - 2):
            clock.move(days=1)
            assert tell_users(home).put_off
        assert len(hook.calls) == 1
        assert [row.attempts for row in undelivered(home)] == [ATTEMPTS - 1]
        clock.move(days=1)
        [gone] = tell_users(home).failed
        [entry] = home.registry.find("notice.failed", MODEL)
        assert entry.body == {
            "attempts": ATTEMPTS,
            "channel": "email",
            "event": gone.event,
            "key": gone.key,
            "recipients": 1,
        }
        clock.move(days=1)
        assert tell_users(home) == tell_users(home)
        assert [row.state for row in undelivered(home)] == ["failed"]
        mail.answers.clear()
        assert len(tell_users(home, retry=True).sent) == 1
        assert undelivered(home) == []
        assert mail.letters[0].key == gone.key


def test_without_its_salt_nobody_is_told_twice(
    tmp_path: Path, clock: FixedClock, weights: Path
) -> None:
    with house(tmp_path / "home", clock, weights) as home, post() as mail:
        people(home, port=mail.port)
        announce(home)
        tell_users(home)
        shutil.move(home.path / SALT, tmp_path / "salt")
        with pytest.raises(BadInput, match="backup"):
            tell_users(home)
        shutil.move(tmp_path / "salt", home.path / SALT)
        assert tell_users(home).sent == ()
        assert len(mail.letters) == 1


def test_a_dry_run_names_what_would_be_told_and_makes_nothing(
    tmp_path: Path, clock: FixedClock, weights: Path
) -> None:
    with house(tmp_path / "home", clock, weights) as home:
        assert tell_users(home).sent == ()
        people(home, port=1, url="http://127.0.0.1:1/")
        announce(home)
        before = sorted(home.path.rglob("*"))
        assert len(tell_users(home, dry_run=True).sent) == 2
        assert sorted(home.path.rglob("*")) == before
        assert undelivered(home) == []


def test_a_reminder_that_was_not_sent_in_time_makes_way_for_the_next(
    tmp_path: Path, clock: FixedClock, weights: Path
) -> None:
    with house(tmp_path / "home", clock, weights) as home, post() as mail:
        people(home, port=mail.port)
        announce(home)
        tell_users(home)
        clock.move_to("2026-06-05T00:00:00Z")
        mail.answers = ["451 later"]
        assert [row.event[-3:] for row in tell_users(home).put_off] == ["/30"]
        clock.move_to("2026-06-25T00:00:00Z")
        assert [one[-2:] for one in tell_users(home).sent] == ["/7"]
