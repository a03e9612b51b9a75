from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Any

import pytest

from custody.copies import flipped
from makers import NOW, SMOL, SUCCESSOR
from otium.archive import Archive
from otium.custody import Budget, Level, Passing, load_cursor, scrub, stats
from otium.errors import BadInput, DamagedCache
from otium.records import later
from otium.store import Span
from otium.testing import MemoryStore

LEVELS: tuple[Level, ...] = ("index", "digests", "drill")


@pytest.fixture
def cursor(tmp_path: Path) -> Path:
    return tmp_path / "cursor.json"


class Watch:
    """A clock that moves only while one sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def passing(self) -> Passing:
        return Passing(self.clock, self.sleep)


@pytest.mark.parametrize("level", LEVELS)
def test_a_round_without_limits_reads_all(archive: Archive, cursor: Path, level: Level) -> None:
    found = scrub(archive, cursor, now=NOW, level=level)
    assert found.ok
    assert found.read == found.total > 0
    assert (found.position.rounds, found.position.whole) == (1, NOW)


def test_a_full_read_reads_every_byte(archive: Archive, store: MemoryStore, cursor: Path) -> None:
    assert scrub(archive, cursor, now=NOW).bytes == sum(map(len, store.objects.values()))


def test_a_drill_decodes_every_deposited_byte(archive: Archive, cursor: Path) -> None:
    assert scrub(archive, cursor, now=NOW, level="drill").bytes == stats(archive).bytes


@pytest.mark.parametrize("level", LEVELS)
def test_small_budgets_reach_everything_once_a_round(
    archive: Archive, cursor: Path, level: Level
) -> None:
    total = scrub(archive, cursor, now=NOW, level=level).total
    calls = [
        scrub(archive, cursor, now=NOW, level=level, budget=Budget(bytes=0)) for _ in range(total)
    ]
    assert all(call.read == 1 for call in calls)
    assert calls[-2].position.rounds == 1
    assert (calls[-1].position.rounds, calls[-1].position.after) == (2, "")


def test_the_cursor_wraps_around(archive: Archive, cursor: Path) -> None:
    for number in range(1, 4):
        then = later(NOW, days=number)
        assert scrub(archive, cursor, now=then).position.rounds == number


def test_levels_keep_their_own_places(archive: Archive, cursor: Path) -> None:
    for level in LEVELS:
        scrub(archive, cursor, now=NOW, level=level, budget=Budget(bytes=0))
    positions = load_cursor(cursor, archive.id).positions
    assert set(positions) == set(LEVELS)
    assert all(position.after and position.began == NOW for position in positions.values())


def test_the_rate_is_kept(archive: Archive, store: MemoryStore, cursor: Path) -> None:
    watch = Watch()
    scrub(archive, cursor, now=NOW, budget=Budget(rate=1000), passing=watch.passing)
    assert watch.now == pytest.approx(sum(map(len, store.objects.values())) / 1000)


def test_the_time_is_kept_to_the_end_of_a_file(archive: Archive, cursor: Path) -> None:
    watch = Watch()
    budget = Budget(rate=1000, seconds=3)
    found = scrub(archive, cursor, now=NOW, budget=budget, passing=watch.passing)
    assert 3 <= watch.now < 60
    assert 0 < found.read < found.total


def test_damage_is_named_with_file_tensors_and_models(
    archive: Archive, store: MemoryStore, cursor: Path
) -> None:
    [pack] = [use for use in stats(archive).packs if len(use.models) == 1]
    store.objects[pack.name] = flipped(store.objects[pack.name], pack.bytes // 2)
    for level in LEVELS[1:]:
        [damage] = scrub(archive, cursor, now=NOW, level=level).damage
        assert (damage.name, damage.models) == (pack.name, (SUCCESSOR,))
        assert damage.tensors
        assert all(part.startswith("adapter.safetensors") for part in damage.tensors)


def test_damage_is_remembered_until_the_next_round(
    archive: Archive, store: MemoryStore, cursor: Path
) -> None:
    good = store.objects["README.txt"]
    store.objects["README.txt"] = b"other"
    calls = [
        scrub(archive, cursor, now=NOW, budget=Budget(bytes=0)) for _ in range(len(store.objects))
    ]
    assert sum(len(call.damage) for call in calls) == 1
    assert [damage.name for damage in calls[-1].position.damage] == ["README.txt"]
    store.objects["README.txt"] = good
    assert scrub(archive, cursor, now=NOW).position.damage == ()


def test_a_file_that_vanishes_or_appears_between_calls_is_found(
    archive: Archive, store: MemoryStore, cursor: Path
) -> None:
    scrub(archive, cursor, now=NOW, budget=Budget(bytes=0))
    gone = next(name for name in store.objects if name.startswith("recipes/"))
    del store.objects[gone]
    store.objects["zzz.txt"] = b"stray"
    found = scrub(archive, cursor, now=NOW)
    assert {"zzz.txt", gone} <= {damage.name for damage in found.damage}


class Sectors(MemoryStore):
    """A store of which one file lies on bad sectors."""

    bad = ""

    def get(self, name: str, span: Span | None = None) -> bytes:
        if name == self.bad:
            raise OSError(5, "Input/output error")
        return super().get(name, span)


@pytest.mark.parametrize("level", LEVELS[1:])
def test_a_file_that_the_disk_cannot_read_is_damage_and_the_rest_is_read(
    store: MemoryStore, cursor: Path, level: Level
) -> None:
    sectors = Sectors()
    sectors.objects = store.objects
    archive = Archive.open(sectors)
    sectors.bad = stats(archive).packs[0].name
    found = scrub(archive, cursor, now=NOW, level=level)
    assert found.read == found.total
    assert {model for damage in found.damage for model in damage.models} == {SMOL, SUCCESSOR}


class Killed(BaseException):
    """The end of the process, once so many files were read."""


class Killer:
    def __init__(self, stop: int) -> None:
        self.stop = stop

    def __call__(self, what: str, done: int, total: int) -> None:
        if done >= self.stop:
            raise Killed((what, done, total))


def test_a_kill_forgets_no_damage(archive: Archive, store: MemoryStore, cursor: Path) -> None:
    store.objects["0=otium_archive_1"] = b"other"  # the first to be read
    for stop in range(3, len(store.objects), 5):
        cursor.unlink(missing_ok=True)
        watch = Watch()
        passing = Passing(watch.clock, watch.sleep)
        with pytest.raises(Killed):
            scrub(
                archive,
                cursor,
                now=NOW,
                budget=Budget(rate=100),
                passing=passing,
                progress=Killer(stop),
            )
        found = scrub(archive, cursor, now=NOW)
        assert [damage.name for damage in found.position.damage] == ["0=otium_archive_1"]


def test_a_cursor_that_is_none_or_anothers_is_refused(archive: Archive, cursor: Path) -> None:
    cursor.write_bytes(b'{"schema"')
    with pytest.raises(DamagedCache):
        scrub(archive, cursor, now=NOW)
    cursor.write_bytes(b'{"archive":"other","positions":{},"schema":"otium.scrub/1"}')
    with pytest.raises(DamagedCache):
        scrub(archive, cursor, now=NOW)


def test_the_ledger_is_read_too(logged: MemoryStore, cursor: Path) -> None:
    archive = Archive.open(logged)
    assert scrub(archive, cursor, now=NOW).ok
    for name in [name for name in logged.objects if name.startswith("log/")]:
        good = logged.objects[name]
        logged.objects[name] = flipped(good, len(good) // 2)
        assert [one.name for one in scrub(archive, cursor, now=NOW).damage] == ["log/checkpoint"]
        logged.objects[name] = good


def test_a_lost_recipe_names_the_tensors_that_it_put_together(
    archive: Archive, store: MemoryStore, cursor: Path
) -> None:
    [file] = [one for one in archive.manifest(SUCCESSOR).files if one.path.startswith("adapter")]
    name = f"recipes/{file.recipe[:2]}/{file.recipe}.json"
    del store.objects[name]
    for level in LEVELS:
        [damage] = [
            one for one in scrub(archive, cursor, now=NOW, level=level).damage if one.tensors
        ]
        assert (damage.name, damage.models) == (name, (SUCCESSOR,))
        assert all(part.startswith("adapter.safetensors") for part in damage.tensors)


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"rate": -1.0}, {"seconds": nan}, {"bytes": -1}])
def test_what_is_no_budget_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Budget(**wrong)
