from __future__ import annotations

from pathlib import Path

import pytest

from cli.said import Say
from databases import fresh_database
from otium.admission import Admission
from otium.errors import Refused

WHO = ("--who", "Ada Lovelace", "--contact", "ada@example.org", "--purpose", "to compare it")


@pytest.fixture
def lab(say: Say, weights: Path) -> Say:
    assert say("archive", "create").code == 0
    made = ("model", "register", "smol-1", "--title", "M", "--released", "2026-01-05")
    assert say(*made).code == 0
    assert say("archive", "add", "smol-1", weights).code == 0
    assert say("model", "availability", "smol-1", "on-request").code == 0
    return say


def state(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'lab' / 'state.sqlite'}"


def test_a_key_is_made_shown_rotated_and_revoked(lab: Say, tmp_path: Path) -> None:
    options = ("--model", "smol-*", "--budget", "100 tokens/day", "--rate", "60 requests/minute")
    dry = lab("access", "key", "create", "--owner", "a lab", *options, "--dry-run")
    assert (dry.code, "otium_" in dry.out) == (0, False)
    assert lab("access", "key", "list").out == "No key to show.\n"
    made = lab("access", "key", "create", "--owner", "a lab", *options, "--json").json
    name, secret = made["key"]["id"], made["secret"]
    listed = lab("access", "key", "list", "--good")
    assert "100 tokens/day, 60 requests/minute" in listed.out
    assert secret not in listed.out
    with Admission(state(tmp_path)) as admission:
        caller = admission.enter(secret, model="smol-1", now=0.0, tokens=40)
        admission.settle(caller, 10, 20)
    shown = lab("access", "key", "show", name)
    assert "used" in shown.out
    assert lab("access", "key", "rotate", name, "--dry-run").code == 0
    fresh = lab("access", "key", "rotate", name, "--grace", 60)
    assert "good for 60 s" in fresh.out
    assert lab("access", "key", "revoke", name, "--reason", "over", "--dry-run").code == 0
    assert lab("access", "key", "show", name, "--json").json["state"] == "good"
    assert lab("access", "key", "revoke", name, "--reason", "over").code == 0
    assert lab("access", "key", "list", "--good").out == "No key to show.\n"
    with Admission(state(tmp_path)) as admission, pytest.raises(Refused, match="revoked"):
        admission.enter(fresh.out.split()[0], model="smol-1", now=0.0)
    log = lab("access", "log", "--key", name)
    assert [line.split()[2] for line in log.out.splitlines()[1:]] == [
        "key.created",
        "key.rotated",
        "key.revoked",
    ]


def test_access_is_asked_for_refused_appealed_granted_and_given_up(
    lab: Say, tmp_path: Path
) -> None:
    ask = ("access", "request", "smol-1", "--kind", "researcher", *WHO)
    assert "researcher-1.0" in lab("access", "terms").out
    assert "open question" in lab("access", "terms", "researcher").out
    wrong = lab(*ask, "--accept", "researcher-0")
    assert (wrong.code, "researcher-1.0" in wrong.err) == (4, True)
    assert lab(*ask, "--accept", "researcher-1.0", "--dry-run").code == 0
    assert lab("access", "requests").out == "No request to show.\n"
    made = lab(*ask, "--accept", "researcher-1.0", "--json").json
    name = made["id"]
    decide = ("access", "decide", name)
    assert lab(*decide, "refused", "--reason", "not clear", "--dry-run").code == 0
    assert lab(*decide, "refused", "--reason", "not clear").code == 0
    assert "refused" in lab("access", "requests", "--state", "refused").out
    assert lab("access", "appeal", name, "--text", "it is a replication").code == 0
    assert lab(*decide, "granted", "--reason", "clear now").code == 0
    dry = lab("access", "grant", name, "--dry-run")
    assert "30 requests/minute" in dry.out
    given = lab("access", "grant", name, "--expires", "2099-01-01", "--json").json
    secret = given["issued"]["secret"]
    with Admission(state(tmp_path)) as admission:
        assert admission.enter(secret, model="smol-1", now=0.0).opens
    shown = lab("access", "show", name)
    assert "Ada Lovelace" in shown.out
    assert "clear now" in shown.out
    assert lab("access", "withdraw", name, "--yes").code == 0
    shown = lab("access", "show", name)
    assert "Ada" not in shown.out
    assert "withdrawn" in shown.out
    ledger = lab("ledger", "show").out
    assert "access.withdrawn" in ledger
    assert "Ada" not in ledger
    with Admission(state(tmp_path)) as admission, pytest.raises(Refused, match="revoked"):
        admission.enter(secret, model="smol-1", now=0.0)


def test_the_gateways_database_may_be_elsewhere(lab: Say, postgres: str) -> None:
    with fresh_database(postgres, "admitting") as url:
        made = lab("access", "--state", url, "key", "create", "--owner", "a lab", "--json").json
        with Admission(url) as admission:
            assert admission.enter(made["secret"], model="m", now=0.0).id == made["key"]["id"]
    assert lab("access", "key", "list").out == "No key to show.\n"


def test_what_is_not_there_is_named(lab: Say) -> None:
    for words in (("key", "show", "abcdefgh"), ("show", "00000000"), ("terms", "robot")):
        said = lab("access", *words)
        assert said.code == 3
        assert words[-1] in said.err
    said = lab("access", "key", "create", "--owner", "a", "--budget", "5 apples/day")
    assert (said.code, "100000 tokens/day" in said.err) == (4, True)
