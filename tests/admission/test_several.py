"""Several real processes on one real database, killed in the middle."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from otium.admission import Admission, Scope
from otium.database import open_database
from otium.quotas import TABLES, Budget, Rate, Used, recover, used
from otium.quotas.tables import leases
from otium.records import Instant

PROGRAM = Path(__file__).with_name("hammering.py")
NOW = Instant("2026-11-26T00:00:00Z")
REQUESTS, RESERVED, ACTUAL = 6000, 20, 7
REQUEST_BUDGET = Budget(unit="requests", amount=REQUESTS, period="total")


class Pack:
    """Processes that hammer one key, and what they wrote down."""

    def __init__(
        self,
        url: str,
        folder: Path,
        budgets: Sequence[Budget] = (),
        rates: Sequence[Rate] = (),
        *,
        journal: bool = True,
    ) -> None:
        self.url, self.folder, self.budgets = url, folder, budgets
        self.journal = folder / "journal" if journal else None
        with Admission(url) as admission:
            issued = admission.keys.create("a lab", Scope(), now=NOW, budgets=budgets, rates=rates)
        self.key, self.secret = issued.key.id, issued.secret
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> int:
        number = len(self.processes)
        numbers = (str(RESERVED), str(ACTUAL))
        journal = str(self.journal) if self.journal else ""
        command = [sys.executable, str(PROGRAM), self.url, journal, self.secret]
        self.processes.append(
            subprocess.Popen([*command, str(self.folder / f"truth-{number}"), *numbers])
        )
        return number

    def lines(self, number: int, word: str) -> int:
        return [line.split()[0] for line in self.written(number)].count(word)

    def written(self, number: int) -> list[str]:
        path = self.folder / f"truth-{number}"
        return path.read_text().splitlines() if path.exists() else []

    def both(self) -> tuple[int, int]:
        """Start two, let them begin together, and return when both have been let in a while."""
        first, second = self.start(), self.start()
        self.until(lambda: min(self.lines(first, "up"), self.lines(second, "up")) > 0)
        (self.folder / "go").touch()
        self.until(lambda: min(self.lines(first, "in"), self.lines(second, "in")) > 50)
        return first, second

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def kill(self, number: int) -> None:
        self.processes[number].send_signal(signal.SIGKILL)
        assert self.processes[number].wait() == -signal.SIGKILL

    def finish(self) -> None:
        for process in self.processes:
            assert process.wait(60) in {0, -signal.SIGKILL}

    def used(self) -> list[Used]:
        engine = open_database(self.url, TABLES)
        found = used(engine, self.key, self.budgets, "2026-11-26")
        engine.dispose()
        return found

    def recover(self) -> None:
        if self.journal:
            engine = open_database(self.url, TABLES)
            recover(engine, self.journal)
            with engine.connect() as connection:
                assert not connection.execute(select(leases)).all()
            engine.dispose()

    def entered(self) -> int:
        return sum(self.lines(number, "in") for number in range(len(self.processes)))


@pytest.fixture
def packed() -> Iterator[Callable[..., Pack]]:
    packs: list[Pack] = []

    def make(*facts: Any, **more: Any) -> Pack:
        packs.append(Pack(*facts, **more))
        return packs[-1]

    yield make
    for process in (process for pack in packs for process in pack.processes):
        process.kill()
        process.wait()


def test_kill_9_neither_overspends_nor_loses_a_request(
    packed: Callable[..., Pack], database: str, tmp_path: Path
) -> None:
    pack = packed(database, tmp_path, [REQUEST_BUDGET], journal=True)
    first, second = pack.both()
    pack.kill(first)
    third = pack.start()
    pack.until(lambda: pack.lines(third, "in") > 20)
    pack.kill(second)
    fourth = pack.start()
    pack.until(lambda: pack.lines(fourth, "up") > 0)
    pack.finish()
    pack.recover()
    # What a killed process let in and could not write down any more: one request each.
    assert REQUESTS - 2 <= pack.entered() <= REQUESTS
    assert pack.used() == [Used(budget=REQUEST_BUDGET, window="total", used=REQUESTS, held=0)]


def test_kill_9_neither_overspends_nor_loses_a_token(
    packed: Callable[..., Pack], database: str, tmp_path: Path
) -> None:
    budget = Budget(unit="tokens", amount=4000 * ACTUAL, period="total")
    pack = packed(database, tmp_path, [budget], journal=True)
    first, _ = pack.both()
    pack.kill(first)
    third = pack.start()
    pack.until(lambda: pack.lines(third, "up") > 0)
    pack.finish()
    pack.recover()
    answered = sum(pack.lines(number, "out") for number in range(3))
    (found,) = pack.used()
    # A request that was cut off is charged what was reserved for it.
    assert answered * ACTUAL <= found.used <= (answered + 1) * ACTUAL + RESERVED
    # Each stops when a request does not fit any more into what the others leave.
    assert budget.amount - 3 * RESERVED < found.used <= budget.amount
    assert found.held == 0


def test_without_a_journal_a_killed_gateway_costs_no_more_than_its_lease(
    packed: Callable[..., Pack], tmp_path: Path
) -> None:
    pack = packed(f"sqlite:///{tmp_path}/state.sqlite", tmp_path, [REQUEST_BUDGET], journal=False)
    first, _ = pack.both()
    pack.kill(first)
    pack.finish()
    (found,) = pack.used()
    assert REQUESTS - REQUESTS // 16 <= pack.entered() <= REQUESTS
    assert found.used + found.held == REQUESTS


def test_kill_9_opens_no_rate(packed: Callable[..., Pack], database: str, tmp_path: Path) -> None:
    rate = Rate(unit="requests", amount=100, seconds=1, burst=20)
    pack = packed(database, tmp_path, rates=[rate])
    began = time.time()
    first, second = pack.both()
    pack.kill(first)
    third = pack.start()
    pack.until(lambda: pack.lines(third, "in") > 100)
    pack.kill(second)
    pack.kill(third)
    moments = [
        float(line.split()[1])
        for number in range(3)
        for line in pack.written(number)
        if line.startswith("in ")
    ]
    seconds = max(moments) - min(moments)
    assert min(moments) > began
    # The stated bound, for gateways that are up to a second late in telling each other.
    assert len(moments) <= 20 + 100 * seconds + 2 * 100 * 1.0 + 3
    assert len(moments) >= 50 * (seconds - 1)  # as fast as a busy machine lets them
