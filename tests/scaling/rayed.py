"""Processes of a real Ray cluster, and command lines beside it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

TOKEN = secrets.token_hex(16)


class Cluster(NamedTuple):
    """Where it answers, and the process that started it."""

    address: str
    head: int


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
