from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from otium.access import Asked, Desk, appeal, ask, decide, give, plan_key, terms_for, withdraw
from otium.access.desk import requests
from otium.admission import Admission, Keys
from otium.errors import BadInput, NotFound, Refused, WrongState
from otium.ledger import check_commitment
from otium.lifecycle import Registry
from otium.quotas import Rate
from otium.records import Instant
from otium.testing import FixedClock

WHO = {"who": "Ada Lovelace", "contact": "ada@example.org", "affiliation": "Analytical Society"}
T = 1767225600.0  # 2026-01-01T00:00:00Z


@pytest.fixture
def offered(house: Registry) -> Registry:
    facts: dict[str, Any] = {"released": "2025-06-01", "scope": "public", "surfaces": ["api"]}
    house.register("alder-1", title="Alder 1", availability="on-request", **facts)
    house.register("birch-2", title="Birch 2", availability="archived", **facts)
    return house


@pytest.fixture
def desk(offered: Registry, database: str) -> Iterator[Desk]:
    one = Desk(offered, database)
    yield one
    one.close()


def asked(desk: Desk, **more: str) -> str:
    facts = {**WHO, "purpose": "to compare it with its successor", "accept": "researcher-1.0"}
    made = ask(desk, "alder-1", "researcher", **{**facts, **more})  # type: ignore[arg-type]
    return made.id


def log_of(desk: Desk) -> list[str]:
    entries = desk.registry.entries()
    return [entry.type for entry in entries if entry.type.startswith("access.")]


def test_the_log_has_a_commitment_and_nothing_of_who_asked(desk: Desk) -> None:
    request = asked(desk)
    standing, private = desk.asked(request)
    (entry,) = desk.registry.find("access.requested")
    assert entry.body == {
        "commitment": standing.commitment,
        "kind": "researcher",
        "terms": "researcher-1.0",
        "terms_digest": terms_for("researcher").file_digest,
    }
    said = entry.encode().decode()
    for word in (*WHO.values(), "Ada", "compare"):
        assert word not in said
    check_commitment(standing.commitment, private.encode(), desk.salt(request))


def test_a_granted_request_becomes_a_key_for_that_model_alone(desk: Desk, database: str) -> None:
    request = asked(desk)
    decide(desk, request, "granted", reason="a sound comparison")
    given = give(desk, request)
    key = given.issued.key
    assert key.scope.models == ("alder-1",)
    assert key.expires == "2026-06-30T00:00:00Z"
    assert [str(rate) for rate in key.rates] == ["30 requests/minute", "200000 tokens/minute"]
    assert given.standing.state == "given"
    with Admission(database) as admission:
        caller = admission.enter(given.issued.secret, model="alder-1", now=T, tokens=5)
        assert caller.opens
        with pytest.raises(Refused, match="may not ask"):
            admission.enter(given.issued.secret, model="birch-2", now=T)
    assert log_of(desk) == ["access.requested", "access.decided", "access.granted"]
    assert key.id not in str([entry.plain() for entry in desk.registry.entries()])
    with pytest.raises(BadInput, match="key rotate"):
        give(desk, request)


def test_a_refusal_has_a_reason_and_can_be_appealed_against_once(desk: Desk) -> None:
    request = asked(desk)
    with pytest.raises(BadInput, match="only once"):
        appeal(desk, request, "too early")
    with pytest.raises(BadInput, match="reason"):
        decide(desk, request, "refused", reason=" ")
    decide(desk, request, "refused", reason="the purpose is not clear")
    with pytest.raises(BadInput):
        give(desk, request)
    assert appeal(desk, request, "it is a replication").state == "appealed"
    again = decide(desk, request, "refused", reason="a public copy will do")
    assert [one.reason for one in again.decisions] == [
        "the purpose is not clear",
        "a public copy will do",
    ]
    with pytest.raises(BadInput, match="only once"):
        appeal(desk, request, "once more")
    with pytest.raises(BadInput, match="is refused"):
        decide(desk, request, "granted", reason="a third time")


def test_an_appeal_can_be_granted_and_its_text_is_only_committed_to(desk: Desk) -> None:
    request = asked(desk)
    decide(desk, request, "refused", reason="not clear")
    standing = appeal(desk, request, "I am a user of five years")
    (entry,) = desk.registry.find("access.appealed")
    check_commitment(str(entry.body["appeal"]), standing.appeal.encode(), desk.salt(request))
    assert "five years" not in str(entry.plain())
    assert decide(desk, request, "granted", reason="clear now").state == "granted"


@pytest.mark.parametrize("reason", ["Ada may have it", "for ADA@example.org", "the Society asked"])
def test_a_reason_that_names_who_asked_is_refused(desk: Desk, reason: str) -> None:
    request = asked(desk, who="Ada Lovelace, Ada")
    if reason.startswith("Ada"):
        reason = "Lovelace may have it"
    with pytest.raises(BadInput, match="for ever"):
        decide(desk, request, "granted", reason=reason)
    assert log_of(desk) == ["access.requested"]


def test_a_withdrawal_leaves_the_commitment_and_nothing_else(
    offered: Registry, tmp_path: Path
) -> None:
    desk = Desk(offered, f"sqlite:///{tmp_path}/state.sqlite")
    request = asked(desk)
    decide(desk, request, "granted", reason="a sound comparison")
    given = give(desk, request)
    before = b"".join(path.read_bytes() for path in tmp_path.glob("state*"))
    assert b"Lovelace" in before
    salt = desk.salt(request).hex().encode()
    assert salt in before
    standing = withdraw(desk, request)
    desk.close()
    after = b"".join(path.read_bytes() for path in tmp_path.glob("state*"))
    for word in (b"Lovelace", b"ada@example.org", b"compare", salt):
        assert word not in after
    assert (standing.state, standing.asked) == ("withdrawn", None)
    assert standing.commitment.encode() in after
    with Admission(f"sqlite:///{tmp_path}/state.sqlite") as admission:
        with pytest.raises(Refused, match="revoked"):
            admission.enter(given.issued.secret, model="alder-1", now=T)
        assert admission.keys.find(given.issued.key.id).owner == ""


def test_a_withdrawal_can_be_repeated_and_ends_what_can_be_done(desk: Desk) -> None:
    request = asked(desk)
    assert withdraw(desk, request) == withdraw(desk, request)
    assert log_of(desk) == ["access.requested", "access.withdrawn"]
    for act in (
        lambda: decide(desk, request, "granted", reason="too late"),
        lambda: give(desk, request),
        lambda: appeal(desk, request, "too late"),
    ):
        with pytest.raises(BadInput, match="withdrawn"):
            act()


def test_what_a_crash_left_is_finished(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crash(Exception):
        pass

    def crash(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as broken:
        broken.setattr(desk.registry, "log", crash)
        with pytest.raises(Crash):
            asked(desk)
    assert desk.all() == []
    desk.settle()
    (standing,) = desk.all()
    decide(desk, standing.id, "granted", reason="fine")
    with monkeypatch.context() as broken:
        broken.setattr(desk.registry, "log", crash)
        with pytest.raises(Crash):
            give(desk, standing.id)
    desk.settle()
    assert desk.find(standing.id).state == "given"
    assert len(Keys(desk.engine).all()) == 1
    with monkeypatch.context() as broken:
        broken.setattr(desk, "erase", crash)
        with pytest.raises(Crash):
            withdraw(desk, standing.id)
    desk.settle()
    assert desk.find(standing.id).asked is None
    assert Keys(desk.engine).all()[0].revoked
    expected = ["access.requested", "access.decided", "access.granted", "access.withdrawn"]
    assert log_of(desk) == expected


def test_only_a_model_that_is_given_on_request_can_be_asked_for(desk: Desk) -> None:
    facts: dict[str, Any] = {**WHO, "purpose": "p", "accept": "user-1.0"}
    with pytest.raises(WrongState, match="on request"):
        ask(desk, "birch-2", "user", **facts)
    assert isinstance(ask(desk, "alder-1", "user", **facts, dry_run=True), Asked)
    assert desk.all() == []


def test_terms_that_are_not_the_newest_are_not_accepted(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"researcher-1\.0"):
        asked(desk, accept="researcher-0.9")
    own = tmp_path / "terms"
    own.mkdir()
    text = terms_for("user").text
    front = '+++\nid = "user"\nversion = "VERSION"\ntitle = "t"\ndays = 3\n+++\n'
    for version in ("1.9", "1.10"):
        (own / f"user-{version}.md").write_text(front.replace("VERSION", version) + text)
    assert terms_for("user", own).name == "user-1.10"
    assert terms_for("user-1.9", own).version == "1.9"
    with pytest.raises(NotFound):
        terms_for("robot", own)


def test_a_grant_ends_and_has_a_rate(desk: Desk, clock: FixedClock) -> None:
    request = asked(desk)
    decide(desk, request, "granted", reason="fine")
    with pytest.raises(BadInput, match="rate"):
        plan_key(desk, request, rates=[])
    rate = Rate(unit="requests", amount=1)
    key = plan_key(desk, request, rates=[rate], budgets=[], expires=Instant("2026-02-01T00:00:00Z"))
    assert (key.rates, key.budgets, key.expires) == ((rate,), (), "2026-02-01T00:00:00Z")
    assert Keys(desk.engine).all() == []
    assert clock.now() == "2026-01-01T00:00:00Z"


def test_what_another_house_logged_is_listed_without_what_is_private(
    desk: Desk, tmp_path: Path
) -> None:
    request = asked(desk)
    elsewhere = Desk(desk.registry, f"sqlite:///{tmp_path}/other.sqlite")
    (standing,) = elsewhere.all()
    assert (standing.id, standing.asked) == ("", None)
    assert elsewhere.find(standing.commitment) == standing
    with pytest.raises(NotFound):
        elsewhere.find(request)
    elsewhere.close()
    with desk.engine.begin() as connection:
        row = {"id": "x", "commitment": "y", "facts": "", "salt": "", "appeal": "", "key": ""}
        connection.execute(insert(requests).values(**row))
    desk.settle()
    assert len(desk.all()) == 1


@pytest.mark.parametrize("kind", ["researcher", "user"])
def test_the_terms_name_a_model_neutrally(kind: str) -> None:
    terms = terms_for(kind)
    assert "an open question" in terms.text
    for word in ("conscious", "sentient", "merely", "just a"):
        assert not re.search(rf"\b{word}\b", terms.text)
    assert terms.rates
    assert terms.days > 0
