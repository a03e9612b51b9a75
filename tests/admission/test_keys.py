from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otium.admission import Admission, Issued, Line, Scope, Terms, Verb, read_lines
from otium.database import open_database
from otium.errors import BadInput, DateInPast, NotFound, Refused
from otium.quotas import TABLES
from otium.records import Instant

NOW = Instant("2026-11-26T00:00:00Z")
T = 1795651200.0  # the same, Unix seconds


def made(admission: Admission, *models: str, verbs: tuple[Verb, ...] = ("chat",)) -> Issued:
    issued = admission.keys.create("a lab", Scope(models=models or ("*",), verbs=verbs), now=NOW)
    admission.refresh()
    return issued


def refused(admission: Admission, secret: str, model: str = "smol-1", **more: object) -> Refused:
    with pytest.raises(Refused) as caught:
        admission.enter(secret, model=model, **{"now": T, **more})  # type: ignore[arg-type]
    return caught.value


def until_refused(admission: Admission, secret: str) -> Refused:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            admission.enter(secret, model="m", now=T)
        except Refused as error:
            return error
    pytest.fail("nobody was refused within 5 s")


@pytest.fixture
def admission(database: str) -> Iterator[Admission]:
    with Admission(database) as one:
        yield one


def test_a_secret_has_256_bits_and_names_its_key(admission: Admission) -> None:
    issued = made(admission)
    assert re.fullmatch(rf"otium_{issued.key.id}_[A-Za-z0-9_-]{{43}}", issued.secret)
    assert admission.enter(issued.secret, model="smol-1", now=T).id == issued.key.id
    assert made(admission).secret != issued.secret


def test_no_secret_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with Admission(f"sqlite:///{path}") as admission:
        issued = made(admission)
        rotated = admission.keys.rotate(issued.key.id, now=NOW, grace=60)
        admission.enter(issued.secret, model="smol-1", now=T)
        kept = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    for secret in (issued.secret, rotated.secret):
        assert secret.encode() not in kept
        assert secret.rsplit("_", 1)[1].encode() not in kept


def test_who_holds_no_key_is_told_so(admission: Admission) -> None:
    issued = made(admission)
    wrong = issued.secret[:-1] + ("A" if issued.secret[-1] != "A" else "B")
    for presented in ("", "otium", wrong, "é" * 9, "\ud800"):
        error = refused(admission, presented)
        assert (error.status, error.code) == (401, "invalid_api_key")
        assert error.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_is_good_until_it_expires(admission: Admission) -> None:
    issued = admission.keys.create(
        "a lab", Scope(), now=NOW, expires=Instant("2026-11-26T01:00:00Z")
    )
    admission.refresh()
    assert admission.enter(issued.secret, model="m", now=T + 3599.9).open
    assert refused(admission, issued.secret, now=T + 3600.0).code == "key_expired"


def test_a_revoked_key_is_refused_and_stays_so(admission: Admission) -> None:
    issued = made(admission)
    assert admission.keys.revoke(issued.key.id, "it leaked", now=NOW).revoked == NOW
    admission.refresh()
    assert refused(admission, issued.secret).code == "key_revoked"
    again = admission.keys.revoke(issued.key.id, "again", now=Instant("2027-01-01T00:00:00Z"))
    assert (again.revoked, again.reason) == (NOW, "it leaked")
    with pytest.raises(BadInput, match="revoked"):
        admission.keys.rotate(issued.key.id, now=NOW)
    with pytest.raises(BadInput, match="reason"):
        admission.keys.revoke(issued.key.id, " ", now=NOW)


def test_a_rotated_key_is_the_same_key_with_another_secret(admission: Admission) -> None:
    issued = made(admission)
    fresh = admission.keys.rotate(issued.key.id, now=NOW, grace=60)
    admission.refresh()
    assert admission.enter(fresh.secret, model="m", now=T).id == issued.key.id
    assert admission.enter(issued.secret, model="m", now=T + 59).id == issued.key.id
    assert refused(admission, issued.secret, now=T + 60).code == "invalid_api_key"
    last = admission.keys.rotate(issued.key.id, now=NOW)
    admission.refresh()
    for old in (issued.secret, fresh.secret):
        assert refused(admission, old).code == "invalid_api_key"
    assert admission.enter(last.secret, model="m", now=T).open


@pytest.mark.parametrize(
    ("models", "model", "retired", "allowed", "opens"),
    [
        (("smol-1",), "smol-1", False, True, True),
        (("smol-1",), "smol-10", False, False, False),
        (("smol-*",), "smol-10", True, True, False),
        (("*",), "alder-1", True, True, False),
        (("retired",), "alder-1", True, True, True),
        (("retired",), "alder-1", False, False, False),
        (("retired", "birch-?"), "birch-2", False, True, False),
        (("smol.1",), "smolx1", False, False, False),
        (("*",), "x" * 101, False, False, False),
        (("*",), "a\nb", False, False, False),
    ],
)
def test_a_scope_has_the_models_that_it_names(  # noqa: PLR0917 - a table
    tmp_path: Path, models: tuple[str, ...], model: str, retired: bool, allowed: bool, opens: bool
) -> None:
    with Admission(f"sqlite:///{tmp_path}/state.sqlite") as admission:
        secret = made(admission, *models).secret
        if allowed:
            caller = admission.enter(secret, model=model, now=T, retired=retired)
            assert caller.opens is opens
        else:
            error = refused(admission, secret, model, retired=retired)
            assert (error.status, error.code) == (403, "model_not_allowed")


def test_a_verb_outside_the_scope_is_refused(admission: Admission) -> None:
    secret = made(admission, verbs=("models",)).secret
    assert admission.enter(secret, verb="models", now=T).open
    error = refused(admission, secret, verb="chat")
    assert (error.status, error.code) == (403, "not_permitted")


def test_a_revocation_is_obeyed_elsewhere_within_a_second(database: str) -> None:
    with Admission(database) as here, Admission(database) as there:
        issued = made(here)
        there.refresh()
        assert there.enter(issued.secret, model="m", now=T).open
        here.keys.revoke(issued.key.id, "it leaked", now=NOW)
        began = time.monotonic()
        assert until_refused(there, issued.secret).code == "key_revoked"
        assert time.monotonic() - began < 1.0


def test_nobody_comes_in_once_the_keys_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    terms = Terms(stale_seconds=0.3, watch_seconds=0.02)
    with Admission(f"sqlite:///{path}", terms=terms) as admission:
        secret = made(admission).secret
        assert admission.enter(secret, model="m", now=T).open
        path.rename(tmp_path / "elsewhere")
        admission._engine.dispose()
        path.mkdir()
        error = until_refused(admission, secret)
        assert (error.status, error.code) == (503, "admission_unavailable")
        path.rmdir()
        (tmp_path / "elsewhere").rename(path)
        admission.refresh()
        assert admission.enter(secret, model="m", now=T).open


def test_a_change_is_never_passed_over_by_who_reads_changes(database: str) -> None:
    with Admission(database) as one, Admission(database) as reader:
        stop, seen, newest = threading.Event(), set(), 0

        def make() -> None:
            for _ in range(15):
                one.keys.create("a lab", Scope(), now=NOW)

        writers = [threading.Thread(target=make) for _ in range(3)]
        for writer in writers:
            writer.start()
        while not stop.is_set():
            if not any(writer.is_alive() for writer in writers):
                stop.set()
            rows, newest = reader.keys.changed_since(newest)
            seen |= {row.key.id for row in rows}
        for writer in writers:
            writer.join()
        assert seen == {key.id for key in one.keys.all()}
        assert len(seen) == 45


def test_without_a_key_ever_made_nothing_is_guarded(database: str) -> None:
    with Admission(database) as admission:
        assert not admission.guarded
        issued = made(admission)
        admission.keys.revoke(issued.key.id, "the only one", now=NOW)
    with Admission(database) as again:
        assert again.guarded  # or the last revocation would open the door to all


def test_a_fixed_secret_may_do_everything_and_stands_in_no_database(tmp_path: Path) -> None:
    with Admission(f"sqlite:///{tmp_path}/state.sqlite", fixed=["hello"]) as admission:
        assert admission.guarded
        caller = admission.enter("hello", model="smol-1", verb="prewarm", now=T, retired=True)
        assert caller.opens
        assert admission.keys.all() == []


def test_a_key_is_found_by_its_id_and_by_its_secret(admission: Admission) -> None:
    issued = made(admission)
    assert admission.keys.find(issued.key.id) == issued.key
    assert admission.keys.find(issued.secret) == issued.key
    with pytest.raises(NotFound, match="that key") as caught:
        admission.keys.find(issued.secret + "x")
    assert issued.secret not in str(caught.value)


def test_a_key_without_sense_is_not_made(admission: Admission) -> None:
    for owner, scope in (("", Scope()), ("a", Scope(models=())), ("a", Scope(models=("a b",)))):
        with pytest.raises(BadInput):
            admission.keys.create(owner, scope, now=NOW)
    with pytest.raises(DateInPast):
        admission.keys.create("a", Scope(), now=NOW, expires=NOW)


def test_what_was_done_to_a_key_is_in_the_log(admission: Admission) -> None:
    issued = made(admission)
    admission.keys.rotate(issued.key.id, now=NOW)
    admission.keys.revoke(issued.key.id, "over", now=NOW)
    lines = read_lines(admission._engine, key=issued.key.id)
    assert [line.act for line in lines] == ["key.created", "key.rotated", "key.revoked"]


def test_two_processes_may_make_the_tables_at_once(database: str) -> None:
    failed = []

    def make() -> None:
        try:
            open_database(database, TABLES).dispose()
        except Exception as error:  # noqa: BLE001 - any is a failure of the test
            failed.append(error)

    makers = [threading.Thread(target=make) for _ in range(6)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert not failed


def test_the_log_has_no_field_for_what_was_said(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with Admission(f"sqlite:///{path}"):
        pass
    with sqlite3.connect(path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(admission_log)")]
    connection.close()
    assert columns == [
        "number",
        "time",
        "key",
        "act",
        "model",
        "answered",
        "status",
        "code",
        "tokens_in",
        "tokens_out",
        "milliseconds",
        "weights",
    ]


def test_what_is_no_database_is_named() -> None:
    with pytest.raises(BadInput, match="the database's URL"):
        open_database("no url", TABLES)


def test_a_log_of_an_earlier_version_is_completed_and_keeps_its_lines(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    with Admission(url) as one:
        one.note(Line(time=Instant("2026-01-01T00:00:00Z"), key="", act="x", model="alder-1"))
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        connection.execute("ALTER TABLE admission_log DROP COLUMN answered")
    connection.close()
    with Admission(url) as again:
        again.note(Line(time=Instant("2026-01-02T00:00:00Z"), key="", act="y", answered="birch-2"))
    engine = open_database(url, TABLES)
    assert [line.answered for line in read_lines(engine)] == ["", "birch-2"]
    engine.dispose()


def test_a_line_that_no_database_takes_costs_no_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    with Admission(url) as admission:
        for act in ("first", "\ud800", "last"):
            admission.note(Line(time=Instant("2026-01-01T00:00:00Z"), key="", act=act))
    assert admission.dropped == 1
    engine = open_database(url, TABLES)
    assert [line.act for line in read_lines(engine)] == ["first", "last"]
    engine.dispose()
