"""How much memory an engine holds: guessed from its files, measured when it is up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from otium.residence.records import Running

_LISTENS = "0A"
_KILO = 1024
_SLACK = 1.15
_BASE = 160_000_000
_PROC = Path("/proc")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def estimate(weights: int) -> int:
    """Return the bytes that an engine is taken to hold for a model of so many bytes of weights.

    15 % more, and 160 MB for caches, buffers and the process: 274 MB for the 98 MB of
    SmolLM2-135M, of which llama.cpp with a context of 4,096 held 249 MB when it was measured.
    """
    return int(_SLACK * weights) + _BASE


def measure(running: Running) -> int | None:
    """Return the bytes that the processes behind an engine hold, None if that is not to be seen.

    The proportional set size of whoever listens at the endpoint's port: pages that several share
    are divided among them, mapped weights count as far as they are in memory. Linux only.
    """
    address = urlsplit(running.endpoint.base_url)
    if address.hostname not in _LOOPBACK or address.port is None:
        return None
    with suppress(OSError):
        sockets = set(_listening(address.port))
        held = [_held(process) for process in _owners(sockets)]
        return sum(held) or None
    return None


def _listening(port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen at *port* (proc_pid_net(5))."""
    for name in ("tcp", "tcp6"):
        table = _PROC / "net" / name
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]"


def _owners(sockets: set[str]) -> Iterator[Path]:
    for process in _PROC.iterdir() if sockets else ():
        if process.name.isdigit() and process.name != str(os.getpid()):
            with suppress(OSError):  # it may end meanwhile, or belong to someone else
                if any(str(one.readlink()) in sockets for one in (process / "fd").iterdir()):
                    yield process


def _held(process: Path) -> int:
    with suppress(OSError):
        for line in (process / "smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name == "Pss":
                return int(rest.split()[0]) * _KILO
    return 0
