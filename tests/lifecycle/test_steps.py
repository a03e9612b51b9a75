from __future__ import annotations

from pathlib import Path

import pytest

from otium.errors import (
    BadInput,
    BadInstant,
    DateInPast,
    DutyUnmet,
    Exists,
    NoSuchSuccessor,
    NoticeTooShort,
    UnknownModel,
    WrongState,
)
from otium.ledger import Entry
from otium.lifecycle import (
    Notice,
    Registry,
    Surface,
    check_deprecation,
    deprecate,
    life,
    oddities,
    published_notice,
    retire,
    revived,
    set_availability,
    standing,
    unmet,
)
from otium.records import Instant, ModelId, later
from otium.testing import FixedClock

START = Instant("2026-01-01T00:00:00Z")
WHY = "Its successor does the same work at half the cost."


def day(number: float, seconds: float = 0) -> Instant:
    return later(START, days=number, seconds=seconds)


@pytest.fixture
def served(house: Registry, weights: Path) -> Registry:
    """Alder on two surfaces with weights, and Birch, its successor."""
    both: list[Surface] = ["api", "app"]
    house.register("alder", title="Alder", released="2025-01-01", scope="public", surfaces=both)
    house.register("birch", title="Birch", released="2026-01-01", scope="public", surfaces=both)
    house.deposit("alder", weights)
    house.log("transition.published", "alder")
    return house


def announce(registry: Registry, **changes: object) -> Notice:
    facts = {
        "retire_at": {"api": day(60), "app": day(90)},
        "replacement": "birch",
        "reason": WHY,
        **changes,
    }
    return deprecate(registry, "alder", **facts)  # type: ignore[arg-type]


def prepare(registry: Registry) -> None:
    """Do what the default policy asks before a retirement."""
    for kind in ("fingerprint.recorded", "interview.recorded"):
        registry.log(kind, "alder")
    registry.log("assessment.recorded", "alder", {"bookend": "post-deployment"})


def test_a_deprecation_is_announced_filed_and_logged(served: Registry) -> None:
    notice = announce(served)
    model = served.model("alder")
    assert (model.state, model.deprecated) == ("deprecated", START)
    assert model.retire_at == notice.retire_at == {"api": day(60), "app": day(90)}
    (entry,) = served.find("model.deprecated", "alder")
    assert entry.refs == (notice.digest(),)
    assert entry.body["path"] == "notice.json"
    assert published_notice(served, "alder") == notice
    assert oddities(served.entries()) == []


def test_the_notice_tells_users_what_they_need(served: Registry) -> None:
    served.register(
        "alder-poet",
        title="Poet",
        released="2026-01-01",
        scope="public",
        surfaces=["api"],
        parent="alder",
    )
    text = announce(served).text
    for said in (
        "# Alder will be retired",
        WHY,
        f"| api | {day(60)} |",
        f"| app | {day(90)} |",
        "Birch (`birch`)",
        "`alder-poet`",
        "transition guide",
        str(served.model("alder").weights),
        "not deleted",
    ):
        assert said in text
    assert "{" not in text
    assert "\n\n\n" not in text


def test_a_notice_without_successor_or_weights_says_so(house: Registry) -> None:
    house.register(
        "alder", title="{{ 7 * 7 }}", released="2025-01-01", scope="other", surfaces=["api"]
    )
    text = announce(house, retire_at={"api": day(1)}, replacement=None).text
    assert "no replacement" in text
    assert "not in the archive yet" in text
    assert "{{ 7 * 7 }}" in text


def test_ones_own_text_replaces_the_template(served: Registry) -> None:
    assert announce(served, text="Farewell, Alder.").text == "Farewell, Alder."


def test_the_same_announcement_again_changes_nothing(served: Registry, clock: FixedClock) -> None:
    notice = announce(served)
    before = served.entries()
    clock.move(days=30)
    assert announce(served) == notice
    assert served.entries() == before


def test_another_announcement_for_a_deprecated_model_is_refused(served: Registry) -> None:
    announce(served)
    for change in (
        {"reason": "Other."},
        {"replacement": None},
        {"retire_at": {"api": day(99)}},
        {"text": "Other."},
    ):
        with pytest.raises(WrongState, match="deprecated"):
            announce(served, **change)


def test_a_notice_of_exactly_the_promised_days_is_allowed_and_kept(served: Registry) -> None:
    announce(served, retire_at={"api": day(60), "app": day(60)})
    found = [it for it in standing(served) if it.commitment == "notice"]
    assert [(it.about, it.state) for it in found] == [("api", "kept"), ("app", "kept")]


def test_a_short_notice_is_refused_with_the_earliest_instant(
    served: Registry, clock: FixedClock
) -> None:
    clock.move(seconds=1)
    with pytest.raises(NoticeTooShort, match="60 days") as raised:
        announce(served)
    assert raised.value.facts["surface"] == "api"
    assert raised.value.facts["earliest"] == "2026-03-02T00:00:01Z"
    assert "2026-03-02T00:00:01Z" in raised.value.advice()
    announce(served, retire_at={"api": day(60, 1), "app": day(90)})


def test_every_surface_is_checked(served: Registry) -> None:
    with pytest.raises(NoticeTooShort) as raised:
        announce(served, retire_at={"api": day(60), "app": day(59)})
    assert raised.value.facts["surface"] == "app"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"retire_at": {"api": day(-1), "app": day(90)}}, DateInPast, "is in the past"),
        ({"retire_at": {"api": day(60)}}, BadInput, "'app': it needs a date"),
        ({"retire_at": {}}, BadInput, "needs a date"),
        (
            {"retire_at": {"api": day(60), "app": day(60), "partner": day(60)}},
            BadInput,
            "'partner': it is not offered",
        ),
        ({"retire_at": {"api": "soon", "app": day(60)}}, BadInstant, "soon"),
        ({"replacement": "cedar"}, NoSuchSuccessor, "cedar"),
        ({"replacement": "alder"}, NoSuchSuccessor, "alder"),
        ({"replacement": "gone"}, NoSuchSuccessor, "gone"),
        ({"reason": " "}, BadInput, "reason"),
        ({"text": ""}, BadInput, "text"),
    ],
)
def test_a_deprecation_that_cannot_be_is_refused_and_nothing_is_written(
    served: Registry, changes: dict[str, object], error: type[Exception], said: str
) -> None:
    served.register("gone", title="Gone", released="2020-01-01", scope="other", surfaces=["api"])
    deprecate(served, "gone", retire_at={"api": day(0)}, replacement=None, reason="Old.")
    before, records = served.entries(), list(served.archive.store.list())
    with pytest.raises(error, match=said):
        announce(served, **changes)
    assert served.entries() == before
    assert list(served.archive.store.list()) == records


def test_an_unknown_model_cannot_be_deprecated(house: Registry) -> None:
    with pytest.raises(UnknownModel):
        announce(house)


def test_a_reason_that_no_entry_can_hold_is_refused_before_anything_is_kept(
    served: Registry,
) -> None:
    with pytest.raises(BadInput, match="at most 64935"):
        announce(served, reason="x" * 70_000)
    assert "notice.json" not in served.archive.records(ModelId("alder"))


def test_the_dry_run_writes_nothing_and_is_what_is_then_published(served: Registry) -> None:
    before = served.entries()
    dates: dict[Surface, Instant] = {"api": day(60), "app": day(90)}
    planned = check_deprecation(served, "alder", retire_at=dates, replacement="birch", reason=WHY)
    assert served.entries() == before
    assert planned == announce(served)


def test_a_notice_that_was_filed_but_never_announced_does_not_stand_in_the_way(
    served: Registry,
) -> None:
    dates: dict[Surface, Instant] = {"api": day(60), "app": day(90)}
    orphan = check_deprecation(served, "alder", retire_at=dates, replacement=None, reason="First.")
    served.archive.put_record(
        ModelId("alder"), "notice.json", orphan.encode(), now=START, message="cut off"
    )
    notice = announce(served)
    assert notice.reason == WHY
    assert published_notice(served, "alder") == notice
    assert served.find("model.deprecated")[0].body["path"] == "notice-2.json"


def test_a_model_retires_when_its_dates_have_come_and_its_duties_are_kept(
    served: Registry, clock: FixedClock
) -> None:
    announce(served)
    prepare(served)
    clock.move_to(day(90))
    assert retire(served, "alder").retired == day(90)
    assert {it.state for it in standing(served) if it.commitment == "notice"} == {"kept"}
    before = served.entries()
    assert retire(served, "alder").state == "retired"
    assert served.entries() == before


def test_all_that_stands_in_the_way_of_a_retirement_is_named_at_once(
    served: Registry, clock: FixedClock
) -> None:
    announce(served)
    clock.move_to(day(90, -1))
    with pytest.raises(DutyUnmet) as raised:
        retire(served, "alder")
    said = str(raised.value)
    for missing in ("on app it was announced for", "fingerprint", "interview", "post-deployment"):
        assert missing in said
    assert "on api" not in said
    assert served.model("alder").state == "deprecated"


def test_an_assessment_before_deployment_does_not_allow_a_retirement(
    served: Registry, clock: FixedClock
) -> None:
    announce(served)
    for kind in ("fingerprint.recorded", "interview.recorded"):
        served.log(kind, "alder")
    served.log("assessment.recorded", "alder", {"bookend": "pre-deployment"})
    clock.move_to(day(90))
    assert [it for it in unmet(served, "alder") if "post-deployment" not in it] == []
    assert len(unmet(served, "alder")) == 1


def test_a_model_without_weights_in_the_archive_is_not_retired(
    house: Registry, clock: FixedClock
) -> None:
    house.register("alder", title="A", released="2025-01-01", scope="other", surfaces=["api"])
    announce(house, retire_at={"api": day(1)}, replacement=None)
    clock.move_to(day(1))
    with pytest.raises(DutyUnmet, match="weights are not in the archive"):
        retire(house, "alder")


def test_a_forced_retirement_needs_a_reason_and_shows_as_a_breach(served: Registry) -> None:
    announce(served)
    with pytest.raises(BadInput, match="needs a reason"):
        retire(served, "alder", force=True)
    retire(served, "alder", force=True, reason="A court ordered it.")
    (entry,) = served.find("model.retired")
    assert entry.body["reason"] == "A court ordered it."
    assert len(entry.body["unmet"]) == 5  # type: ignore[arg-type]
    broken = {it.commitment for it in standing(served) if it.state == "breached"}
    assert broken == {"notice", "fingerprint", "interview", "post-deployment"}


def test_force_where_nothing_is_missing_is_an_ordinary_retirement(
    served: Registry, clock: FixedClock
) -> None:
    announce(served)
    prepare(served)
    clock.move_to(day(90))
    retire(served, "alder", force=True, reason="To be sure.")
    assert served.find("model.retired")[0].body == {}


def test_a_model_in_service_cannot_be_retired(served: Registry) -> None:
    with pytest.raises(WrongState, match="deprecated"):
        retire(served, "alder")


def test_availability_is_set_once_and_not_without_weights(served: Registry) -> None:
    assert set_availability(served, "alder", "on-demand").availability == "on-demand"
    before = served.entries()
    set_availability(served, "alder", "on-demand")
    assert served.entries() == before
    with pytest.raises(WrongState, match="weights"):
        set_availability(served, "birch", "on-request")


def test_a_revival_is_logged_with_its_certificate(served: Registry) -> None:
    certificate = Notice(
        model=ModelId("alder"), announced=START, retire_at={}, replacement=None, reason="", text=""
    )
    entry = revived(served, "alder", certificate)
    assert entry.body["path"] == "certificates/20260101T000000Z.json"
    assert entry.body["weights"] == served.model("alder").weights
    again: Entry = revived(served, "alder", certificate)
    assert again == entry
    other = Notice.convert({**certificate.plain(), "reason": "other"})
    assert revived(served, "alder", other).body["path"] == "certificates/20260101T000000Z-2.json"
    assert "path" not in revived(served, "alder", None).body
    with pytest.raises(WrongState, match="weights"):
        revived(served, "birch", None)


def test_a_parent_must_be_registered_and_facts_cannot_change(served: Registry) -> None:
    with pytest.raises(UnknownModel, match="cedar"):
        served.register(
            "x", title="X", released="2026-01-01", scope="public", surfaces=["api"], parent="cedar"
        )
    with pytest.raises(Exists, match="alder"):
        served.register(
            "alder", title="Other", released="2025-01-01", scope="public", surfaces=["api", "app"]
        )
    assert life(served.entries(), "alder").title == "Alder"
