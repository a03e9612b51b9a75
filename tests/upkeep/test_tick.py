"""A tick does what is due, once, whatever else fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otium.errors import StoreUnreachable
from otium.lifecycle import withdraw
from otium.store import LocalStore
from otium.testing import FixedClock
from otium.upkeep import tick
from otium.workflow import Home, replicate, stores
from upkeep.houses import MODEL, announce, house, people


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock, weights: Path) -> Iterator[Home]:
    with house(tmp_path / "home", clock, weights) as opened:
        yield opened


def damage(place: Path) -> None:
    """Flip a bit of each pack."""
    for pack in (place / "packs").rglob("*.pack"):
        LocalStore(place).replace(pack.relative_to(place).as_posix(), pack.read_bytes()[:-1] + b"?")


def test_a_second_tick_at_once_does_nothing(home: Home, clock: FixedClock) -> None:
    for _ in range(120):
        clock.move(days=1)
        first, size = tick(home), home.registry.ledger.size
        assert first.heartbeat
        assert not first.failures
        second = tick(home)
        assert not second.heartbeat
        assert (second.checked, second.drilled, second.damage) == ((), (), ())
        assert home.registry.ledger.size == size
    assert len(home.registry.find("model.checked", MODEL)) == 1


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    home: Home, clock: FixedClock
) -> None:
    clock.move(days=360)
    people(home)
    announce(home, "2027-06-01T00:00:00Z")
    before = {path: path.stat().st_mtime_ns for path in home.path.rglob("*")}
    planned = tick(home, dry_run=True)
    assert planned.heartbeat
    assert planned.checked == planned.drilled == (MODEL,)
    assert len(planned.told.sent) == 1
    assert {path: path.stat().st_mtime_ns for path in home.path.rglob("*")} == before


def test_a_read_that_was_missed_once_is_still_done_from_then_on(
    home: Home, clock: FixedClock
) -> None:
    for _ in range(3):
        clock.move(days=200)
        assert tick(home).checked == (MODEL,)


def test_damage_is_found_named_and_not_read_again_at_once(home: Home, clock: FixedClock) -> None:
    clock.move(days=360)
    damage(home.path / "archive")
    done = tick(home)
    assert done.damage
    assert done.checked == done.drilled == (MODEL,)
    assert [one.body["ok"] for one in home.registry.find("model.restored")] == [False]
    again = tick(home)
    assert (again.checked, again.drilled, again.damage) == ((), (), ())
    clock.move(days=1)
    done = tick(home)
    assert done.checked == done.drilled == (MODEL,)


def test_an_act_that_fails_is_named_and_stops_no_other(home: Home, clock: FixedClock) -> None:
    (home.path / "custodians.toml").write_text("custodians = 3")
    people(home)
    (home.path / "recipients.toml").chmod(0o644)
    clock.move(days=80)

    def unreachable(_: Home) -> list[str]:
        raise StoreUnreachable(path="the witness", why="it is down")

    done = tick(home, attest=unreachable)
    assert [one.step for one in done.failures] == ["custodians.toml", "notices", "attest"]
    assert "chmod 600" in done.failures[1].why
    assert done.failures[2].mend
    assert done.checked == (MODEL,)
    assert home.registry.find("heartbeat")


def test_an_act_that_raises_what_nobody_expected_stops_no_other(
    home: Home, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by a bug")

    monkeypatch.setattr(home.registry, "check", broken)
    clock.move(days=360)
    done = tick(home)
    assert [one.why for one in done.failures] == ["ZeroDivisionError: by a bug"]
    assert done.drilled == (MODEL,)
    assert home.registry.find("model.restored", MODEL)


def test_others_vouch_last_for_all_that_was_logged(home: Home) -> None:
    sizes = []

    def attest(house: Home) -> list[str]:
        sizes.append(house.registry.ledger.size)
        return ["witness.example"]

    assert tick(home, attest=attest).attested == ("witness.example",)
    assert sizes == [home.registry.ledger.size]
    assert tick(home, attest=attest, dry_run=True).attested == ()


def test_copies_are_read_in_full_and_counted(home: Home, clock: FixedClock, tmp_path: Path) -> None:
    for name in ("one", "two", "none"):
        if name != "none":
            replicate(home, stores([str(tmp_path / name)]))
        with (home.path / "custodians.toml").open("a") as file:
            file.write(f'[[custodians]]\nname = "{name}"\nplace = "{tmp_path / name}"\n')
    damage(tmp_path / "two")
    clock.move(days=29)
    home.registry.check(MODEL)
    done = tick(home)
    assert done.counted == (MODEL,)
    assert [one.step for one in done.failures] == ["copy at none"]
    assert {one.name.rpartition(" at ")[2] for one in done.damage} == {"two"}
    [entry] = home.registry.find("copies.counted", MODEL)
    assert entry.body == {"copies": 2, "custodians": 2, "held_by": ["house", "one"]}
    assert tick(home).counted == ()


def test_without_custodians_the_count_waits_for_people(home: Home) -> None:
    assert "copies.counted" not in {entry.type for entry in home.registry.entries()}
    assert "copies" in {duty.commitment for duty in tick(home).waiting}


def test_a_report_is_drafted_for_people_and_again_only_if_its_material_changed(
    home: Home, clock: FixedClock
) -> None:
    assert tick(home).drafted == ()
    withdraw(home.registry, MODEL, reason="It leaks.")
    assert tick(home, dry_run=True).drafted == (MODEL,)
    assert not (home.path / "drafts").exists()
    assert tick(home).drafted == (MODEL,)
    assert "Alder 1" in (home.path / "drafts" / "alder-1-report.md").read_text()
    clock.move(days=1)
    done = tick(home)
    assert done.drafted == ()
    assert "report" in {duty.commitment for duty in done.waiting}
    assert not home.registry.find("report.published", MODEL)
