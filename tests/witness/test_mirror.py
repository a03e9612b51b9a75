from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dying import Cut, PowerCut
from otium.errors import BadNote, BrokenLedger, NotFound, OtiumError, SplitView, StoreUnreachable
from otium.ledger import Ledger, read_checkpoint, verify
from otium.notes import Cosigner, Signer, open_note, read_policy
from otium.records import Instant
from otium.store import LocalStore
from otium.testing import FixedClock, MemoryStore
from otium.witness import mirror
from witness.servers import served
from witness.small import ORIGIN, entries

PROGRAM = """
import sys
from pathlib import Path
from otium.store import LocalStore
from otium.witness import mirror
print(mirror(sys.argv[1], LocalStore(Path(sys.argv[2])), sys.argv[3:]))
"""


@pytest.fixture
def source(tmp_path: Path, log_signer: Signer) -> LocalStore:
    """A log of 600 entries: two full bundles and a part."""
    store = LocalStore(tmp_path / "source")
    Ledger.create(store, log_signer, origin=ORIGIN).append(*entries(600))
    return store


@pytest.fixture
def grow(source: LocalStore, log_signer: Signer) -> Callable[[int], None]:
    def add(count: int) -> None:
        ledger = Ledger.open(source, vkeys=log_signer.vkeys, signer=log_signer)
        ledger.append(*entries(count, ledger.size))

    return add


def files(store: LocalStore | MemoryStore) -> dict[str, bytes]:
    return {name: store.get(name) for name in store.list() if store.get(name)}


@pytest.mark.parametrize("place", ["", "log"])
def test_a_directory_is_copied_with_or_without_its_folder(
    source: LocalStore, log_signer: Signer, place: str
) -> None:
    copy = MemoryStore()
    done = mirror(source.root / place, copy, log_signer.vkeys)
    assert (done.origin, done.old, done.size) == (ORIGIN, 0, 600)
    assert files(copy) == files(source)
    assert verify(copy, log_signer.vkeys).size == 600
    assert "600 now" in str(done)


@pytest.mark.parametrize("place", ["", "/", "/log", "/log/"])
def test_a_web_server_is_copied_and_only_what_is_new_is_fetched(
    source: LocalStore, log_signer: Signer, grow: Callable[[int], None], place: str
) -> None:
    copy, seen = MemoryStore(), list[str]()
    with served(source, seen.append) as url:
        mirror(url + place, copy, log_signer.vkeys)
        for count in (0, 10, 500):
            grow(count) if count else None
            seen.clear()
            done = mirror(url + place, copy, log_signer.vkeys)
            tiles = [name for name in seen if "/tile/" in name]
            assert len(tiles) == {0: 0, 10: 1, 500: 3}[count]
            assert done.size - done.old == count
            assert verify(copy, log_signer.vkeys).size == done.size


def test_a_partial_bundle_that_gave_way_to_the_full_one_is_cut_from_it(
    source: LocalStore, log_signer: Signer, grow: Callable[[int], None], tmp_path: Path
) -> None:
    checkpoint = source.get("log/checkpoint")
    grow(400)
    source.replace("log/checkpoint", checkpoint)
    (tmp_path / "source/log/tile/entries/002.p/88").unlink()
    copy = MemoryStore()
    assert mirror(source.root, copy, log_signer.vkeys).size == 600
    assert verify(copy, log_signer.vkeys).size == 600


def test_another_history_is_a_split_view_and_both_checkpoints_are_kept(
    source: LocalStore, log_signer: Signer, tmp_path: Path
) -> None:
    for number, count in enumerate((300, 600, 900)):
        copy = MemoryStore()
        mirror(source.root, copy, log_signer.vkeys)
        before = files(copy)
        other = LocalStore(tmp_path / f"other-{number}")
        Ledger.create(other, log_signer, origin=ORIGIN).append(*entries(count, who="birch"))
        with pytest.raises(SplitView, match="split-views/600-"):
            mirror(other.root, copy, log_signer.vkeys)
        with pytest.raises(SplitView):
            mirror(other.root, copy, log_signer.vkeys)
        had, shown = (copy.get(name).decode() for name in copy.list("split-views/"))
        assert read_checkpoint(had, log_signer.vkeys).size == 600
        assert read_checkpoint(shown, log_signer.vkeys).size == count
        assert {name: data for name, data in files(copy).items() if name in before} == before
        assert verify(copy, log_signer.vkeys).size == 600


def test_a_source_that_went_back_is_refused(
    source: LocalStore, log_signer: Signer, grow: Callable[[int], None]
) -> None:
    copy, checkpoint = MemoryStore(), source.get("log/checkpoint")
    grow(5)
    mirror(source.root, copy, log_signer.vkeys)
    source.replace("log/checkpoint", checkpoint)
    with pytest.raises(BrokenLedger, match="rolled back"):
        mirror(source.root, copy, log_signer.vkeys)
    assert not list(copy.list("split-views/"))


def test_a_damaged_source_is_refused_and_never_called_a_split_view(
    source: LocalStore, log_signer: Signer, grow: Callable[[int], None], tmp_path: Path
) -> None:
    copy = MemoryStore()
    mirror(source.root, copy, log_signer.vkeys)
    grow(400)
    bundle = tmp_path / "source/log/tile/entries/002"
    good = bundle.read_bytes()
    bundle.write_bytes(good.replace(b"steward", b"stewart", 300))
    with pytest.raises(BrokenLedger, match="of the source"):
        mirror(source.root, copy, log_signer.vkeys)
    assert verify(copy, log_signer.vkeys).size == 600
    bundle.write_bytes(good)
    assert mirror(source.root, copy, log_signer.vkeys).size == 1000
    assert verify(copy, log_signer.vkeys).size == 1000


def test_a_source_that_fails_midway_leaves_the_copy_as_it_was(
    source: LocalStore, log_signer: Signer, grow: Callable[[int], None]
) -> None:
    copy = MemoryStore()
    mirror(source.root, copy, log_signer.vkeys)
    before = files(copy)
    grow(900)
    last = source.root / "log/tile/entries/004"
    good = last.read_bytes()
    last.unlink()
    with pytest.raises(NotFound):
        mirror(source.root, copy, log_signer.vkeys)
    assert files(copy) == before
    last.write_bytes(good)
    assert mirror(source.root, copy, log_signer.vkeys).size == 1500
    assert verify(copy, log_signer.vkeys).size == 1500


def test_a_damaged_copy_is_not_taken_for_a_split_view(
    source: LocalStore, log_signer: Signer, grow: Callable[[int], None]
) -> None:
    copy, checkpoint = MemoryStore(), source.get("log/checkpoint")
    grow(5)
    mirror(source.root, copy, log_signer.vkeys)
    copy.replace("log/tile/entries/000", source.get("log/tile/entries/001"))
    source.replace("log/checkpoint", checkpoint)
    with pytest.raises(BrokenLedger, match="this copy"):
        mirror(source.root, copy, log_signer.vkeys)


def test_another_log_or_key_is_refused(source: LocalStore, log_signer: Signer) -> None:
    stranger = Signer.generate(ORIGIN)
    with pytest.raises(BadNote):
        mirror(source.root, MemoryStore(), stranger.vkeys)
    with pytest.raises(BadNote, match="not every key"):
        mirror(source.root, MemoryStore(), [*log_signer.vkeys, stranger.vkey])
    with pytest.raises(NotFound):
        mirror(source.root / "nowhere", MemoryStore(), log_signer.vkeys)
    with pytest.raises(StoreUnreachable):
        mirror("http://127.0.0.1:1", MemoryStore(), log_signer.vkeys)


def test_a_mirror_cosigns_what_it_holds(
    source: LocalStore, log_signer: Signer, clock: FixedClock
) -> None:
    copy, cosigner = MemoryStore(), Cosigner.generate("mirror.example/m")
    done = mirror(source.root, copy, log_signer.vkeys, cosigner=cosigner, clock=clock)
    opened = open_note(copy.get(done.kept).decode(), [*log_signer.vkeys, *cosigner.vkeys])
    assert set(cosigner.vkeys) <= opened.signers
    assert verify(copy, log_signer.vkeys).size == 600


def test_the_witnessed_checkpoint_comes_along_when_a_policy_asks(
    source: LocalStore, log_signer: Signer
) -> None:
    cosigner = Cosigner.generate("witness.example/w")
    policy = read_policy(f"witness W {cosigner.vkeys[0]}\nquorum W\n")
    ledger = Ledger.open(source, vkeys=log_signer.vkeys)
    copy = MemoryStore()
    with pytest.raises(OtiumError, match="No quorum"):
        mirror(source.root, copy, log_signer.vkeys, policy)
    point = ledger.checkpoint()
    lines = cosigner.cosign(point.body, Instant("2026-01-01T00:00:00Z")).splitlines(keepends=True)
    ledger.keep_witnessed(point.text + lines[0], policy)
    mirror(source.root, copy, log_signer.vkeys, policy)
    assert files(copy) == files(source)
    assert verify(copy, log_signer.vkeys, policy).size == 600


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("done", [False, True])
def test_a_copy_that_dies_at_any_write_goes_on(
    source: LocalStore, log_signer: Signer, grow: Callable[[int], None], done: bool, begun: bool
) -> None:
    """It dies, the log grows, and the next run goes on; at any moment what is vouched for is."""
    first = MemoryStore()
    mirror(source.root, first, log_signer.vkeys)
    grow(400)
    at, died = 1, True
    while died:
        copy = Cut(-1, done=done)
        for name, data in files(first).items() if begun else ():
            copy.put(name, data)
        copy.writes, copy.at = 0, at
        try:
            mirror(source.root, copy, log_signer.vkeys)
            died = False
        except PowerCut:
            if at % 3 == 0 and at < 20:
                grow(40)
        copy.at = -1
        mirror(source.root, copy, log_signer.vkeys)
        newest = Ledger.open(source, vkeys=log_signer.vkeys).checkpoint()
        assert verify(copy, log_signer.vkeys) == newest
        at += 1
    assert at > 6


def test_a_copy_that_is_killed_goes_on_where_it_was(
    source: LocalStore, log_signer: Signer, grow: Callable[[int], None], tmp_path: Path
) -> None:
    grow(3000)
    copy = LocalStore(tmp_path / "copy")
    seen: list[str] = []
    running: list[subprocess.Popen[bytes]] = []

    def see(name: str) -> None:
        if "/tile/" in name:
            seen.append(name)
            if len(seen) in {3, 7, 10}:
                os.kill(running[-1].pid, signal.SIGKILL)

    codes: list[int] = []
    with served(source, see) as url:
        while not codes or codes[-1]:
            command = [sys.executable, "-c", PROGRAM, url, str(copy.root), *log_signer.vkeys]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
                running.append(process)
                codes.append(process.wait(60))
    assert codes == [-9, -9, -9, 0]
    assert len(seen) <= 15 + 3  # a bundle each, and what was under way when it was killed
    assert files(copy).items() <= files(source).items()
    assert verify(copy, log_signer.vkeys).size == 3600


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_mutated_source_gets_anything_false_into_a_copy(
    data: st.DataObject, source: LocalStore, log_signer: Signer
) -> None:
    copy, good = MemoryStore(), files(source)
    name = data.draw(st.sampled_from(sorted(good)))
    bad = bytearray(good[name])
    bad[data.draw(st.integers(0, len(bad) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (source.root / name).write_bytes(bad)
    try:
        mirror(source.root, copy, log_signer.vkeys)
    except OtiumError:
        assert "log/checkpoint" not in set(copy.list())
    else:
        assert files(copy) == good  # it does not read the tiles of hashes: it makes its own
    finally:
        (source.root / name).write_bytes(good[name])


def test_a_log_that_claims_to_be_endless_holds_nobody_up(
    source: LocalStore, log_signer: Signer
) -> None:
    source.replace(
        "log/checkpoint", log_signer.sign(f"{ORIGIN}\n{1 << 62}\n{'A' * 43}=\n").encode()
    )
    with pytest.raises(NotFound):
        mirror(source.root, MemoryStore(), log_signer.vkeys)
