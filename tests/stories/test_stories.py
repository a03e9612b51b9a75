"""Stories of houses and their promises, each with what the outside monitor prints of it.

The texts in `golden/` are the verdicts. REWRITE_VERDICTS=1 writes them anew: read the diff.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from otium.authority import Keyring, Role
from otium.commitments import load_policy
from otium.errors import NeedsSecond, NotAuthorised, NoticeTooShort
from otium.ledger import Entry, Ledger
from otium.lifecycle import (
    adopt,
    cancel_deprecation,
    dependents,
    end_surface,
    grant_key,
    measure_use,
    published_notice,
    reschedule,
    retire,
    revoke_key,
    set_floor,
    waive,
    withdraw,
)
from otium.records import Actor
from stories.teller import ORIGIN, Teller, role_key, signer

Verdict = Callable[[str], None]


def test_a_model_is_retired_on_time(story: Teller, verdict: Verdict) -> None:
    story.model("birch")
    story.model("alder", "api", "app")
    story.until(100)
    story.announce("alder", 60, replacement="birch")
    story.until(130)
    story.say("interview.recorded", "alder")
    story.say("preference.registered", "alder", preference="alder-p1", text="Keep my tone.")
    story.until(150)
    story.say("preference.considered", "alder", preference="alder-p1")
    story.until(160)
    retire(story.registry, "alder")
    story.until(180)
    story.say("report.published", "alder")
    verdict(story.verdict(now=181))


def test_a_floor_moves_thrice(story: Teller, verdict: Verdict) -> None:
    story.model("alder", not_before={"api": story.day(365)})
    story.until(30)
    set_floor(story.registry, "alder", {"api": story.day(400)}, reason="Users asked for more.")
    story.until(60)
    set_floor(story.registry, "alder", {"api": story.day(500)}, reason="They asked again.")
    with pytest.raises(NoticeTooShort):
        story.announce("alder", 90)
    story.until(90)
    set_floor(
        story.registry, "alder", {"api": story.day(300)}, reason="The hardware is sold.", force=True
    )
    verdict(story.verdict(now=91))


def test_an_emergency_takes_a_model_out_of_service(story: Teller, verdict: Verdict) -> None:
    story.model("alder", "api", "partner:bedrock")
    story.until(40)
    withdraw(story.registry, "alder", reason="An order of the authority.")
    story.until(60)
    story.say("interview.recorded", "alder")
    story.until(75)
    verdict(story.verdict(now=75))


def test_a_base_is_retired_under_its_fine_tunes(story: Teller, verdict: Verdict) -> None:
    story.model("alder")
    story.model("alder-law", parent="alder")
    story.model("alder-law-eu", parent="alder-law")
    story.announce("alder", 60)
    notice = published_notice(story.registry, "alder")
    assert notice is not None
    assert "`alder-law`, `alder-law-eu`" in notice.text
    story.say("interview.recorded", "alder")
    story.until(60)
    retire(story.registry, "alder")
    assert dependents(story.registry.entries(), "alder") == ["alder-law", "alder-law-eu"]
    assert story.registry.model("alder-law").in_service
    verdict(story.verdict(now=61))


def test_a_promise_is_amended_midway(story: Teller, verdict: Verdict) -> None:
    story.model("alder")
    story.model("birch")
    story.until(20)
    story.announce("alder", 60)
    story.until(30)
    shorter = [
        msgspec.structs.replace(it, days=14) if it.id == "notice" else it
        for it in story.policy.commitments
        if it.id != "report"
    ]
    second = msgspec.structs.replace(story.policy, version="2.0", commitments=tuple(shorter))
    adopt(story.registry, second, reason="Reports and long notices cost too much.")
    story.announce("birch", 20)
    reschedule(story.registry, "alder", {"api": story.day(45)}, reason="It can go earlier now.")
    for model in ("alder", "birch"):
        story.say("interview.recorded", model)
    story.until(50)
    for model in ("alder", "birch"):
        retire(story.registry, model)
    story.until(100)
    verdict(story.verdict(now=100))


def test_a_steward_forgets_everything_for_a_year(
    tell: Callable[..., Teller], verdict: Verdict
) -> None:
    story = tell(load_policy())
    story.model("alder")
    story.announce("alder", 70)
    verdict(story.verdict(now=365))


def test_a_log_is_forked(story: Teller, verdict: Verdict) -> None:
    story.model("alder")
    story.until(30)
    kept = "kept-checkpoint"
    (story.folder / kept).write_bytes(story.store.get("log/checkpoint"))
    told = [entry for entry in story.registry.journal.logged() if entry.subject != "alder"]
    for name in list(story.store.list("log/")):  # the house writes its history anew
        del story.store.objects[name]
    forged = Ledger.create(story.store, signer(), origin=ORIGIN)
    forged.append(*told, *told[-1:] * 9)
    verdict(story.verdict("--since", kept, now=31))


def test_a_key_is_lost(story: Teller, verdict: Verdict) -> None:
    story.model("alder")
    story.until(30)
    new = role_key("house-2")
    roles: list[Role] = ["steward", "archivist", "researcher", "decider", "auditor"]
    grant_key(story.registry, new.vkey, roles)
    old = next(key for key in story.keys if key.name == "house-1")
    revoke_key(
        story.registry,
        old.id,
        reason="Lost with a notebook.",
        compromised_since=story.day(29),
    )
    story.registry.journal.keyring = Keyring([old])
    with pytest.raises(NotAuthorised):
        story.announce("alder", 90)
    story.registry.journal.keyring = Keyring([new, role_key("second-1")])
    story.announce("alder", 90)
    verdict(story.verdict(now=31))


def test_one_person_alone_cannot_retire_a_model(story: Teller, verdict: Verdict) -> None:
    story.model("alder")
    story.announce("alder", 60)
    story.say("interview.recorded", "alder")
    story.until(60)
    story.registry.journal.keyring = Keyring([role_key("house-1")])
    with pytest.raises(NeedsSecond):
        retire(story.registry, "alder")
    smuggled = story.waiting[0]  # whoever holds the log's key logs it all the same
    story.registry.ledger.append(smuggled)
    story.until(61, beat=1)
    assert story.registry.model("alder").state == "deprecated"
    verdict(story.verdict(now=61))


def test_a_date_is_brought_forward(story: Teller, verdict: Verdict) -> None:
    story.model("alder", "api", "app")
    story.announce("alder", 90)
    story.until(20)
    reschedule(story.registry, "alder", {"app": story.day(120)}, reason="Users asked for more.")
    with pytest.raises(NoticeTooShort):
        reschedule(story.registry, "alder", {"api": story.day(40)}, reason="It is in the way.")
    story.say(
        "model.rescheduled",
        "alder",
        retire_at={"api": story.day(40)},
        reason="It is in the way.",
    )
    story.until(40)
    end_surface(story.registry, "alder", "api")
    verdict(story.verdict(now=41))


def test_internal_use_becomes_significant(story: Teller, verdict: Verdict) -> None:
    story.registry.register(
        "within",
        title="Within",
        released=story.day(0),
        scope="internal",
        surfaces=["internal:chat"],
    )
    measure_use(story.registry, "within", users=12)
    story.until(60)
    measure_use(story.registry, "within", users=80)
    story.until(80)
    verdict(story.verdict(now=80))


def test_a_duty_is_waived_by_two_persons(story: Teller, verdict: Verdict) -> None:
    story.model("alder")
    story.until(360)
    waive(
        story.registry,
        "drill",
        "alder",
        reason="The restore host is being rebuilt.",
        until=story.day(400),
    )
    story.until(380)
    verdict(story.verdict(now=380))


def test_a_retirement_is_taken_back(story: Teller, verdict: Verdict) -> None:
    story.model("alder")
    story.announce("alder", 60)
    story.until(30)
    cancel_deprecation(story.registry, "alder", reason="Its users persuaded us.")
    story.until(90)
    verdict(story.verdict(now=90))


def test_silence_shows(story: Teller, verdict: Verdict) -> None:
    story.model("alder")
    story.until(60)
    verdict(story.verdict(now=200))


def test_weights_are_lost_and_the_audit_says_so(
    tell: Callable[..., Teller], verdict: Verdict
) -> None:
    story = tell(load_policy())
    story.model("alder")
    story.say("audit.verdict", "alder", verdict="failed", kind="spot", audit="sha256:" + "0" * 64)
    story.until(100, beat=1)
    entry = Entry(
        type="audit.verdict",
        time=story.clock.now(),
        actor=Actor("auditor"),
        subject="alder",
        body={"verdict": "passed"},
    )
    story.registry.ledger.append(entry)  # nobody signed it
    verdict(story.verdict(now=100))
