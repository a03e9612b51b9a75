"""The processes of a soak: PostgreSQL, gateways that are killed and started anew, their engines."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from otium.errors import GatewayError, Unsupported
from otium.records import ModelId
from otium.soak.records import Life

_START_SECONDS = 120.0
_DRAIN = 10
_OWNERS = ("postgres", "nobody")
"""PostgreSQL refuses to run as root: these run it then."""


class Gateway:
    """One ``otium gateway serve`` at its own address, killed and started as often as asked."""

    def __init__(
        self, name: str, home: Path, state: str, leavers: Sequence[ModelId], log: Path
    ) -> None:
        """Serve *home* with its state at *state*; *leavers* may end conversations."""
        self.name = name
        self.port = free_port()
        self.lives: list[Life] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._log = log
        offers = [part for model in leavers for part in ("--offer-exit", model)]
        place = ["--port", str(self.port), "--state", state, "--drain", str(_DRAIN)]
        self._command = [sys.executable, "-m", "otium", "--home", str(home), "gateway", "serve"]
        self._command += [*place, *offers]

    @property
    def url(self) -> str:
        """Return where it serves, ``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def life(self) -> Life:
        """Return its newest process."""
        return self.lives[-1]

    async def start(self) -> None:
        """Start it and wait until it listens; raise GatewayError if it does not."""
        process = self._process = self._begun()
        self.lives.append(Life(self.name, process.pid, time.monotonic()))
        until = time.monotonic() + _START_SECONDS
        while not self._listens():
            if process.poll() is not None or time.monotonic() > until:
                raise GatewayError(message=f"{self.name} did not start; see {self._log}")
            await asyncio.sleep(0.05)
        self.life.up = time.monotonic()

    async def kill(self) -> None:
        """Kill it with SIGKILL."""
        if self._process is None:
            return
        life, process = self.life, self._process
        life.killed, life.ended = True, time.monotonic()
        process.kill()
        await asyncio.to_thread(process.wait)
        self._process = None

    async def stop(self) -> None:
        """Let it drain and end."""
        if self._process is None:
            return
        process = self._process
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, _START_SECONDS)
        except subprocess.TimeoutExpired:
            await self.kill()
            return
        self.life.ended = time.monotonic()
        self._process = None

    def kill_engine(self, random: Random) -> bool:
        """Kill any one of its engines, whatever it does; return whether there was one."""
        if self._process is None:
            return False
        helpers = _children(self._process.pid)
        engines = sorted(pid for helper in helpers for pid in _children(helper))
        if not engines:
            return False
        with suppress(ProcessLookupError):
            os.kill(random.choice(engines), signal.SIGKILL)
        return True

    def _begun(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, stdout=log, stderr=log)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


def _children(pid: int) -> list[int]:
    """Return the processes that a process started, as Linux tells."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in path.read_text().split()]
    return found


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def cluster(*options: str) -> Iterator[str]:
    """Run a cluster until the block ends; yield the URL of a database ``postgres`` in it.

    *options* are settings of the server, ``fsync=off``. Raises Unsupported if PostgreSQL or its
    driver is not installed.
    """
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    folder = Path(tempfile.mkdtemp(prefix="otium-pg-"))
    owner = _owner(folder)
    where = str(folder / "data")
    given = " ".join(f"-c {option}" for option in options)
    started = f"-k {folder} -c listen_addresses= -c max_connections=60 {given}"

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=owner, cwd=folder)

    try:
        run(initdb, "-D", where, "-U", "otium", "-A", "trust", "-E", "UTF8", "--no-sync")
        run(pg_ctl, "-D", where, "-l", str(folder / "log"), "-o", started, "-w", "start")
        try:
            yield f"postgresql://otium@/postgres?host={folder}"
        finally:
            run(pg_ctl, "-D", where, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    """Return where one of PostgreSQL's programs lies; Debian keeps them off the PATH."""
    if importlib.util.find_spec("psycopg") is None:
        raise Unsupported(what="PostgreSQL", why="pip install 'otium[postgres]'")
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(debian[-1]) if debian else None)
    if found is None:
        raise Unsupported(what="PostgreSQL", why="apt-get install postgresql")
    return found


def _owner(folder: Path) -> int | None:
    """Give the folder to somebody who is not root, if we are; return who."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    owner = next(known[name] for name in _OWNERS if name in known)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return owner.pw_uid
