import pytest

from audit.kit import DEADLINE, ONE, TWO, Lab, response_of
from otium.audit import announce, conclude, standings, unanswered
from otium.errors import BadInput, Exists
from otium.records import Instant, later

LATE = later(DEADLINE, seconds=1)


def state(lab: Lab, now: Instant = DEADLINE) -> list[str]:
    return [one.state for one in standings(lab.ledger.entries(), now)]


def test_an_audit_is_open_then_late_then_unanswered(sealed: Lab) -> None:
    asked = sealed.ask()
    announce(asked, "lab", sealed.log)
    assert state(sealed) == ["open"]
    said = sealed.ledger.entries()[-1].body
    assert (said["size"], said["samples"]) == (sealed.ledger.size - 1, 200)
    assert state(sealed, LATE) == ["late"]
    conclude(unanswered(asked, sealed.seals()), sealed.ledger.entries(), sealed.log)
    assert state(sealed, LATE) == ["unanswered"]
    (one,) = standings(sealed.ledger.entries(), LATE)
    assert one.models == (ONE, TWO)
    assert one.audit == asked.digest()


def test_a_verdict_is_logged_for_each_model_with_what_it_is_worth(sealed: Lab) -> None:
    asked = sealed.ask(samples=460)
    announce(asked, "lab", sealed.log)
    outcome = sealed.judge(asked, response_of(asked, sealed.copy()))
    conclude(outcome, sealed.ledger.entries(), sealed.log)
    found = [one for one in sealed.ledger.entries() if one.type == "audit.verdict"]
    assert [one.subject for one in found] == [ONE, TWO]
    assert found[0].body["verdict"] == "passed"
    assert found[0].body["kind"] == "spot"
    assert found[0].body["ok"] is True
    assert found[0].body["audit"] == asked.digest()
    assert sum(int(str(one.body["samples"])) for one in found) == 460
    assert state(sealed) == ["passed"]


def test_the_worst_verdict_is_that_of_the_audit(sealed: Lab) -> None:
    asked, copy = sealed.ask(), sealed.copy()
    announce(asked, "lab", sealed.log)
    copy.objects.popitem()
    outcome = sealed.judge(asked, response_of(asked, copy))
    conclude(outcome, sealed.ledger.entries(), sealed.log)
    verdicts = {one.verdict for one in outcome.models}
    assert verdicts == {"passed", "failed"}
    assert state(sealed) == ["failed"]
    bodies = [one.body for one in sealed.ledger.entries() if one.type == "audit.verdict"]
    assert {(body["verdict"], body["ok"]) for body in bodies} == {
        ("passed", True),
        ("failed", False),
    }


def test_a_verdict_is_final(sealed: Lab) -> None:
    asked = sealed.ask()
    announce(asked, "lab", sealed.log)
    outcome = sealed.judge(asked, response_of(asked, sealed.copy()))
    conclude(outcome, sealed.ledger.entries(), sealed.log)
    for again in (outcome, unanswered(asked, sealed.seals())):
        with pytest.raises(Exists, match="a verdict on the audit"):
            conclude(again, sealed.ledger.entries(), sealed.log)


def test_an_audit_that_was_not_asked_in_the_log_gets_no_verdict(sealed: Lab) -> None:
    asked = sealed.ask()
    announce(sealed.ask(beacon="another"), "lab", sealed.log)
    outcome = sealed.judge(asked, response_of(asked, sealed.copy()))
    with pytest.raises(BadInput, match="does not say it was asked"):
        conclude(outcome, sealed.ledger.entries(), sealed.log)


def test_verdicts_that_were_cut_short_are_finished(sealed: Lab) -> None:
    asked = sealed.ask()
    announce(asked, "lab", sealed.log)
    outcome = sealed.judge(asked, response_of(asked, sealed.copy()))
    first = outcome.models[0]
    sealed.log(
        "audit.verdict",
        first.model,
        {"audit": asked.digest(), "verdict": "passed", "response": outcome.response},
    )
    conclude(outcome, sealed.ledger.entries(), sealed.log)
    found = [one.subject for one in sealed.ledger.entries() if one.type == "audit.verdict"]
    assert found == [ONE, TWO]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"audit": 1},
        {"audit": "x", "kind": "magic", "custodian": "c", "deadline": str(LATE)},
        {"audit": "x", "kind": "spot", "custodian": "c", "deadline": "soon"},
    ],
)
def test_a_challenge_entry_that_does_not_read_is_passed_over(
    sealed: Lab, body: dict[str, object]
) -> None:
    sealed.log("audit.challenged", "lab", body)
    assert state(sealed) == []
