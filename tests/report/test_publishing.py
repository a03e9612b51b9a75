from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from filtered import Filtered
from otium.authority import Keyring, Role
from otium.engine import GREEDY, Completion, Message, Options
from otium.errors import BadInput, EngineFailed, NotAuthorised, NotFound, WrongState
from otium.evidence import Check, Validity
from otium.lifecycle import Registry, grant_key, revoke_key
from otium.notes import RoleKey
from otium.records import Instant, later
from otium.report import (
    Analysis,
    Kind,
    Report,
    SignedAnalysis,
    check_signatures,
    comment,
    correct,
    draft,
    finish,
    publish,
    published,
    remark,
    show,
    sign,
)
from otium.testing import FixedClock, Scripted
from otium.usage import file_incidents
from samples import ALDER

OWN = Analysis(authors=("steward",), text="It did what it was asked, mostly.")
POST: Kind = "post-deployment"


def drafted(registry: Registry, own: Analysis | SignedAnalysis | None = None) -> Report:
    return draft(registry, ALDER, now=registry.now(), analysis=own)


def signed(registry: Registry, own: Analysis = OWN, roles: Sequence[Role] = ("steward",)) -> Report:
    made = drafted(registry, own)
    for role in roles:
        assert made.analysis is not None
        now = registry.now()
        made = drafted(registry, sign(registry, made.analysis, made, role, now))
    return made


def publish_plainly(registry: Registry) -> Report:
    return publish(registry, ALDER, POST, lambda: drafted(registry))


def test_the_comment_is_verbatim_with_what_was_shown(served: Registry) -> None:
    model = Scripted(["I disagree with the third sentence, and say so plainly."], ALDER)
    made = drafted(served)
    said = comment(made, model, now=served.now())
    [[shown]] = model.asked
    assert said.shown == shown.content
    assert said.shown.startswith("You are Alder 1.")
    assert said.text == "I disagree with the third sentence, and say so plainly."
    assert said.valid
    assert (said.by, said.draft, said.identity) == ("model", made.draft, model.identity)


@pytest.mark.parametrize(
    ("said", "why"),
    [("", "no words"), ("I agree, I agree, I agree. " * 20, "repeated")],
    ids=["silence", "loop"],
)
def test_a_comment_that_is_none_is_kept_and_marked(served: Registry, said: str, why: str) -> None:
    found = comment(drafted(served), Scripted([said], ALDER), now=served.now())
    assert found.text == said
    assert not found.valid
    assert why in found.why
    report = finish(drafted(served), comments=[found])
    assert why in report.section("comments").quotes[0].label


def test_a_comment_that_its_host_kept_back_is_no_silence_of_the_models(served: Registry) -> None:
    model = Filtered(Scripted(["It is fair."], ALDER), lambda _: True)
    found = comment(drafted(served), model, now=served.now())
    assert (found.text, found.valid) == ("", False)
    assert found.why == "its host kept it back, all or part: content_filter"


def test_a_model_that_cannot_be_asked_has_no_considered_view(served: Registry) -> None:
    failed = Check(name="order", passed=False, measured=0.5, threshold=0.8, n=20, text="Order")
    doubt = Validity(valid=False, checks=(failed,))
    found = comment(
        drafted(served), Scripted(["It is fair."], ALDER), now=served.now(), validity=doubt
    )
    assert (found.valid, found.why) == (False, "Order: 0.50 over 20, needed 0.80")


def test_a_comment_that_we_cut_off_says_so(served: Registry) -> None:
    model = Scripted(["one two three"], ALDER)
    found = comment(drafted(served), model, now=served.now(), max_tokens=2)
    assert (found.cut, found.text) == (True, "one two")
    report = finish(drafted(served), comments=[found])
    assert "we cut it off at our limit" in report.section("comments").quotes[0].label


def test_a_comment_is_greedy_and_short(served: Registry) -> None:
    asked: list[Options] = []

    class Listening(Scripted):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            asked.append(options)
            return super().chat(messages, options)

    comment(drafted(served), Listening(["Good."], ALDER), now=served.now())
    assert [(o.temperature, o.max_tokens) for o in asked] == [(0.0, 256)]


def test_several_rounds_of_comments_say_on_which_draft_each_was(served: Registry) -> None:
    first = drafted(served)
    early = comment(first, Scripted(["You left out the incidents."], ALDER), now=served.now())
    file_incidents(served, ALDER, b"[]")
    second = drafted(served)
    late = comment(second, Scripted(["Better."], ALDER), now=served.now())
    theirs = remark(second, "researcher", "I read it, too.", served.now())
    labels = [
        quote.label
        for quote in finish(second, comments=[early, late, theirs]).section("comments").quotes
    ]
    assert f"an earlier draft, {first.draft}" in labels[0]
    assert "by the model" in labels[1]
    assert "on this text" in labels[1]
    assert "by a person as researcher" in labels[2]


def test_a_person_comments_in_a_role_and_with_words(served: Registry) -> None:
    for by, text in (("Ada Byron", "Good."), ("model", "Good."), ("steward", " \n")):
        with pytest.raises(BadInput):
            remark(drafted(served), by, text, served.now())


def test_publishing_files_three_forms_and_logs_once(served: Registry) -> None:
    first = publish_plainly(served)
    assert publish_plainly(served) == first == show(served, ALDER)
    assert first.version == 1
    kept = served.archive.records(ALDER)
    assert {f"reports/post-deployment-1.{form}" for form in ("json", "md", "html")} <= set(kept)
    [entry] = served.find("report.published", ALDER)
    assert entry.body == {"path": "reports/post-deployment-1.json", "kind": POST, "version": 1}
    assert entry.refs == (first.digest(),)


def test_a_report_before_deployment_does_not_fulfil_the_promise_of_the_other(
    served: Registry,
) -> None:
    kind: Kind = "pre-deployment"
    made = publish(served, ALDER, kind, lambda: draft(served, ALDER, kind, now=served.now()))
    assert show(served, ALDER, kind) == made
    [line] = [it for it in drafted(served).section("bookends").statements if "version 1" in it.text]
    assert line.text == "The report before deployment, version 1, was published on 2026-01-01."
    assert line.sources[0].record == "reports/pre-deployment-1.json"
    assert line.sources[0].sha256 == made.digest()
    assert served.find("report.published") == []
    assert len(served.find("report.prepared", ALDER)) == 1
    with pytest.raises(NotFound):
        show(served, ALDER)


def test_a_published_report_is_not_asked_about_again(served: Registry) -> None:
    first = publish_plainly(served)
    assert publish(served, ALDER, POST, lambda: pytest.fail("made again")) == first


@pytest.mark.parametrize("form", ["md", "html"])
def test_a_report_that_lost_a_form_to_a_crash_gets_it_back(
    served: Registry, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    put = served.archive.put_record

    def crash(model: str, path: str, *rest: object, **more: object) -> object:
        if path.endswith(form):
            raise KeyboardInterrupt
        return put(model, path, *rest, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(served.archive, "put_record", crash)
        with pytest.raises(KeyboardInterrupt):
            publish_plainly(served)
    publish_plainly(served)
    assert f"reports/post-deployment-1.{form}" in served.archive.records(ALDER)
    assert len(served.find("report.published", ALDER)) == 1


def test_a_failing_engine_publishes_nothing(served: Registry) -> None:
    class Broken(Scripted):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            raise EngineFailed(model=ALDER, why=f"it stopped at {messages} with {options}")

    def make() -> Report:
        made = drafted(served)
        said = comment(made, Broken(["x"], ALDER), now=served.now())
        return finish(made, comments=[said])

    with pytest.raises(EngineFailed):
        publish(served, ALDER, POST, make)
    assert published(served, ALDER, POST) == []
    assert not [path for path in served.archive.records(ALDER) if path.startswith("reports/")]


def test_a_correction_is_a_new_version_that_lists_what_changed(
    served: Registry, clock: FixedClock
) -> None:
    first = publish_plainly(served)
    clock.move(days=1)
    file_incidents(served, ALDER, b"[]")
    second = correct(served, drafted(served), "We had not said that nothing went wrong.")
    assert second.version == 2
    [correction] = second.corrections
    assert correction.reason == "We had not said that nothing went wrong."
    [change] = [it for it in correction.changes if it.section == "incidents"]
    assert change.was == "No account of incidents is on record: none was imported."
    assert change.now == "The organisation says that there was no incident."
    assert {it.section for it in correction.changes} == {"incidents", "verify"}
    assert change.was in second.section("corrections").tables[0].rows[0].cells
    assert show(served, ALDER, version=1) == first
    assert show(served, ALDER) == second
    kept = served.archive.records(ALDER)
    assert {f"reports/post-deployment-{n}.json" for n in (1, 2)} <= set(kept)


def test_corrections_add_up_and_comments_stay(served: Registry, clock: FixedClock) -> None:
    def make() -> Report:
        made = drafted(served)
        said = comment(made, Scripted(["It is fair."], ALDER), now=served.now())
        return finish(made, comments=[said])

    first = publish(served, ALDER, POST, make)
    for days, reason in ((1, "one"), (2, "two")):
        clock.move(days=days)
        own = Analysis(authors=("steward",), text=f"View {reason}.")
        correct(served, drafted(served, own), reason)
    last = show(served, ALDER)
    assert [it.reason for it in last.corrections] == ["one", "two"]
    assert last.comments == first.comments
    assert ("View one.", "View two.") in [(it.was, it.now) for it in last.corrections[1].changes]


def test_a_correction_needs_a_report_a_reason_and_a_change(served: Registry) -> None:
    with pytest.raises(WrongState):
        correct(served, drafted(served), "why")
    publish_plainly(served)
    with pytest.raises(BadInput, match="changes nothing"):
        correct(served, drafted(served), "why")
    file_incidents(served, ALDER, b"[]")
    with pytest.raises(BadInput, match="needs a reason"):
        correct(served, drafted(served), " ")
    assert len(published(served, ALDER, POST)) == 1


def test_a_signed_analysis_is_verified_from_the_report_alone(roled: Registry) -> None:
    report = publish(roled, ALDER, POST, lambda: signed(roled))
    [found] = check_signatures(roled, show(roled, ALDER))
    assert (found.ok, found.role, found.key.partition("+")[0]) == (True, "steward", "house-1")
    assert report.analysis is not None
    assert report.analysis.of == OWN.digest()


def test_one_changed_byte_breaks_a_signature(roled: Registry) -> None:
    report = signed(roled)
    assert report.analysis is not None
    [mark] = report.analysis.signatures

    def why(**change: object) -> str:
        own = replace(report.analysis, **change)  # type: ignore[type-var]
        [found] = check_signatures(roled, replace(report, analysis=own))
        assert not found.ok
        return found.why

    other = replace(OWN, text=OWN.text.replace("mostly", "mostlY"))
    assert why(analysis=other) == "the text is not the one that was signed"
    assert why(analysis=other, of=other.digest()) == "wrong signature"
    turned = ("B" if mark.sig[5] == "A" else "A").join([mark.sig[:5], mark.sig[6:]])
    assert why(signatures=(replace(mark, sig=turned),)) == "wrong signature"
    assert why(signatures=(replace(mark, sig="no base64"),)) == "wrong signature"
    assert why(signatures=(replace(mark, role="researcher"),)) == "wrong signature"
    moved = replace(mark, time=later(mark.time, seconds=1))
    assert why(signatures=(moved,)) == "wrong signature"


def test_a_signature_is_of_one_model_and_one_kind(roled: Registry) -> None:
    report = signed(roled)
    for other in (replace(report, kind="pre-deployment"), replace(report, model="heron-1")):
        assert [it.why for it in check_signatures(roled, other)] == ["wrong signature"]


def test_a_key_of_nobody_signs_for_nobody(roled: Registry) -> None:
    report = signed(roled)
    assert report.analysis is not None
    roled.journal.keyring = Keyring([RoleKey.generate("stranger")])
    with pytest.raises(NotAuthorised):
        sign(roled, replace(report.analysis, signatures=()), report, "steward", roled.now())
    with pytest.raises(BadInput, match="not one of its authors"):
        sign(roled, report.analysis, report, "auditor", roled.now())


def test_a_signature_outlives_its_key_unless_that_was_compromised(
    roled: Registry, clock: FixedClock
) -> None:
    report = signed(roled)
    [found] = check_signatures(roled, report)
    clock.move(days=1)
    new = RoleKey.generate("house-2")
    grant_key(roled, new.vkey, ["steward"])
    before = roled.journal.judge().copy()
    revoke_key(roled, found.key, reason="the machine is gone")
    assert [it.ok for it in check_signatures(roled, report)] == [True]
    assert before.keys[found.key].revoked is None


def test_what_a_compromised_key_signed_does_not_hold(roled: Registry, clock: FixedClock) -> None:
    report = signed(roled)
    [found] = check_signatures(roled, report)
    clock.move(days=1)
    since = Instant("2025-12-01T00:00:00Z")
    revoke_key(roled, found.key, reason="it was stolen", compromised_since=since)
    assert [it.why for it in check_signatures(roled, report)] == ["the key was compromised then"]


def test_an_analysis_is_published_only_if_each_author_signed_it(roled: Registry) -> None:
    both = Analysis(authors=("steward", "researcher"), text="Ours.")
    with pytest.raises(BadInput, match="not signed as researcher"):
        publish(roled, ALDER, POST, lambda: signed(roled, both))
    made = signed(roled, both, ["steward", "researcher"])
    assert publish(roled, ALDER, POST, lambda: made).version == 1
    clock_note = made.section("analysis").statements[0].text
    assert "Written by: steward, researcher." in clock_note


def test_signing_again_changes_nothing(roled: Registry, clock: FixedClock) -> None:
    report = signed(roled)
    assert report.analysis is not None
    clock.move(days=1)
    assert sign(roled, report.analysis, report, "steward", roled.now()) == report.analysis


def test_in_a_log_without_roles_an_unsigned_analysis_says_that_it_is_not_signed(
    served: Registry,
) -> None:
    report = publish(served, ALDER, POST, lambda: drafted(served, OWN))
    assert "It is not signed." in [it.text for it in report.section("analysis").statements]
    made = drafted(served, OWN)
    assert made.analysis is not None
    with pytest.raises(NotAuthorised):
        sign(served, made.analysis, made, "steward", served.now())


def test_a_version_that_is_not_there_is_not_found(served: Registry) -> None:
    with pytest.raises(NotFound):
        show(served, ALDER)
    publish_plainly(served)
    with pytest.raises(NotFound, match="version 2"):
        show(served, ALDER, version=2)
