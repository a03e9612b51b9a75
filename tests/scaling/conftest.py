"""A real Ray cluster in processes of its own, and a home whose models go through it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

HEAD = Path(__file__).parent / "head.py"
TOKEN = secrets.token_hex(16)


class Cluster(NamedTuple):
    """Where it answers, and the process that started it."""

    address: str
    head: int


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with two workers; a test that needs it skips loudly without Ray."""
    if find_spec("ray") is None:
        pytest.skip("RAY IS MISSING: nothing on a cluster is tested (pip install 'otium[ray]')")
    head = subprocess.Popen(
        [sys.executable, str(HEAD)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(),
    )  # fmt: skip
    assert head.stdin
    assert head.stdout
    assert head.stderr
    address = head.stdout.readline().strip()
    if not address:
        why = head.communicate()[1][-800:]
        if os.getloadavg()[0] > 4 * (os.cpu_count() or 1):
            pytest.skip(f"RAY DID NOT START ON THIS BUSY MACHINE: {why}")
        pytest.fail(why)
    yield Cluster(address, head.pid)
    head.stdin.close()
    head.wait(60)
    head.stdout.close()
    head.stderr.close()


def environment() -> dict[str, str]:
    return {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}


@contextmanager
def otium(home: Path, *words: object) -> Iterator[subprocess.Popen[str]]:
    """Run a command line in a process of its own, and see that it is gone afterwards."""
    command = [sys.executable, "-m", "otium", "--home", str(home), *map(str, words)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def workers(cluster: Cluster, title: str) -> list[int]:
    """Return the processes of the cluster to which Ray has given a title that begins so."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            if (process / "cmdline").read_bytes().startswith(title.encode()):
                raylet = _parent(int(process.name))
                if _parent(raylet) == cluster.head:
                    found.append(int(process.name))
    return found


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def writing(cluster: Cluster, place: Path) -> list[int]:
    """Return the workers that have a file of more than 1 MiB below *place* open."""
    return [worker for worker in workers(cluster, "ray::attempt") if _writes(worker, place)]


def _writes(process: int, place: Path) -> bool:
    with suppress(OSError):
        for handle in Path(f"/proc/{process}/fd").iterdir():
            ours = str(handle.readlink()).startswith(str(place))
            if ours and handle.stat().st_size > 1 << 20:
                return True
    return False
