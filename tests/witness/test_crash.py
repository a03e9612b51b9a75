"""A witness is killed in the middle of its work, again and again."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from otium.notes import open_note, read_head
from otium.witness import known_logs, open_witness
from witness.small import NAME, ORIGIN, SmallLog

PROGRAM = """
import signal, sys
from pathlib import Path
from otium.witness import background, known_logs, open_witness
folder, name, *vkeys = sys.argv[1:]
with background(open_witness(Path(folder), known_logs(vkeys), name=name)) as base:
    print(base, flush=True)
    signal.pause()
"""
KILLS = 5
PUSHERS = 6
PATIENCE = 20
"""How often a branch is refused before its clients give up for this turn."""


@contextmanager
def running(folder: Path, vkeys: tuple[str, ...]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-c", PROGRAM, str(folder), NAME, *vkeys]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, urlsplit(process.stdout.readline().strip()).netloc
        finally:
            process.kill()


class Pushers:
    """Several clients that push two branches of a log until the witness is gone."""

    def __init__(self, branches: list[SmallLog], kill_after: int) -> None:
        self.branches = branches
        self.won: list[tuple[int, str, str]] = []
        """The branch, the note that was sent, and the lines that came back."""
        self.enough = threading.Event()
        self._kill_after = kill_after

    def push(self, address: str, number: int) -> None:
        branch = self.branches[number % 2]
        old, size, refused = 0, 5 + number, 0
        try:
            while refused < PATIENCE:
                note = branch.note(size)
                status, kind, said = post(address, branch.ask(min(old, size), size))
                if status == 200:
                    self.won.append((number % 2, note, said))
                    old, size = size, size + 1 + number % 3
                elif kind == "text/x.tlog.size":
                    old = int(said)
                    size = max(size, old)
                else:
                    size, refused = size + 1, refused + 1
                if len(self.won) >= self._kill_after:
                    self.enough.set()
        except (OSError, http.client.HTTPException):
            self.enough.set()  # the witness was killed


def post(address: str, body: bytes) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("POST", "/add-checkpoint", body)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def test_a_witness_that_is_killed_never_cosigns_two_histories_and_never_goes_back(
    tmp_path: Path, log: SmallLog
) -> None:
    vkeys = log.signer.vkeys
    branches = [log.fork(3).grow(1000, salt) for salt in "ab"]
    largest = 0
    all_won: list[tuple[int, str, str]] = []
    for turn in range(KILLS):
        pushers = Pushers(branches, kill_after=5 + 7 * turn)
        with running(tmp_path, vkeys) as (process, address), ThreadPoolExecutor(PUSHERS) as pool:
            for number in range(PUSHERS):
                pool.submit(pushers.push, address, number)
            pushers.enough.wait(60)
            process.kill()
        witness = open_witness(tmp_path, known_logs(vkeys))
        size = witness.sizes()[ORIGIN] or 0
        sizes = [read_head(open_note(note, vkeys).text).size for _, note, _ in pushers.won]
        assert largest <= size
        assert all(largest <= one <= size for one in sizes)
        for _, note, said in pushers.won:
            assert len(open_note(note + said, witness.vkeys).signatures) == 2
        witness.close()
        largest = size
        all_won += pushers.won
    assert len(all_won) >= 5 * KILLS
    assert len({branch for branch, _, _ in all_won}) == 1
