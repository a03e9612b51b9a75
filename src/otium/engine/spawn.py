"""The processes that engines run in: forked from a zygote where that can be, else started anew.

A child is told one line, answers one line, and ends when its input does. It is given no secret:
of the environment only what a runtime needs, and no file or socket but its own three.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Literal, Protocol

import msgspec

from otium.errors import EngineUnavailable

Spawn = Literal["zygote", "fresh"]
_PATIENCE = 10.0
_KEPT = {"PATH", "HOME", "LANG", "LANGUAGE", "TMPDIR", "TZ", "LD_LIBRARY_PATH"}
_KEPT_PREFIXES = ("LC_", "PYTHON", "OMP_", "GGML_", "LLAMA_", "CUDA_", "ROCR_", "HIP_", "VK_")


class Child(Protocol):
    """A process that waits for its one line."""

    pid: int

    def exchange(self, line: bytes, limit: float) -> bytes | None:
        """Return the answer to *line*: empty if the child ended, None after *limit* seconds."""
        ...

    def wait(self, limit: float) -> int | None:
        """Return how it ended (minus the signal), None if unknown or not within *limit* s."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def end(self) -> None:
        """End its input, wait for it, kill it if it stays."""
        ...


class Forked(msgspec.Struct, frozen=True):
    """What the zygote answers: the child's pid, or why there is none."""

    pid: int = 0
    why: str = ""


def clean_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return what an engine may know of the environment: no key, token or password."""
    return {
        name: value
        for name, value in given.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }


@contextmanager
def spawned(log: IO[bytes], how: Spawn = "zygote") -> Iterator[Child]:
    """Yield a child whose errors go to *log*; it has ended when the block has."""
    child = (zygote().fork(log) if how == "zygote" else None) or _Fresh(log)
    try:
        yield child
    finally:
        child.end()


class _Pipes:
    """A child's two pipes, from our side."""

    def __init__(self, into: int, out: int) -> None:
        self.into, self.out = into, out

    def exchange(self, line: bytes, limit: float) -> bytes | None:
        until = time.monotonic() + limit
        try:
            os.write(self.into, line)
        except BrokenPipeError:
            return b""
        answer = b""
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([self.out], [], [], max(until - time.monotonic(), 0))
            if not ready:
                return None
            part = os.read(self.out, 4096)
            if not part:
                return b""
            answer += part
        return answer

    def end_input(self) -> None:
        if self.into >= 0:
            os.close(self.into)
            self.into = -1

    def close(self) -> None:
        self.end_input()
        if self.out >= 0:
            os.close(self.out)
            self.out = -1


class _Fresh:
    """A child that is an interpreter of its own."""

    def __init__(self, log: IO[bytes]) -> None:
        command = [sys.executable, "-P", "-m", "otium.engine.child"]
        ours_in, theirs_in, theirs_out, ours_out = *reversed(os.pipe()), *reversed(os.pipe())
        try:
            self._process = subprocess.Popen(
                command,
                stdin=theirs_in,
                stdout=theirs_out,
                stderr=log,
                env=clean_environment(os.environ),
            )
        except OSError as error:
            os.close(ours_in)
            os.close(ours_out)
            why = f"no process can be started: {error}"
            raise EngineUnavailable(what="GGUF models", why=why) from error
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self.pid = self._process.pid
        self._pipes = _Pipes(ours_in, ours_out)

    def exchange(self, line: bytes, limit: float) -> bytes | None:
        return self._pipes.exchange(line, limit)

    def wait(self, limit: float) -> int | None:
        try:
            return self._process.wait(limit)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._pipes.end_input()
        if self.wait(_PATIENCE) is None:
            self.kill()
            self._process.wait()
        self._pipes.close()


class _Offspring:
    """A child of the zygote: ours by its pipes, and by a handle that no other pid can take."""

    def __init__(self, pid: int, handle: int, pipes: _Pipes, status: int) -> None:
        self.pid = pid
        self._handle, self._pipes, self._status = handle, pipes, status
        self._ended: int | None = None

    def exchange(self, line: bytes, limit: float) -> bytes | None:
        return self._pipes.exchange(line, limit)

    def wait(self, limit: float) -> int | None:
        if self._ended is None and select.select([self._handle], [], [], limit)[0]:
            # The zygote tells how; if it is gone, the pipe just ends.
            said = os.read(self._status, 16) if select.select([self._status], [], [], 5)[0] else b""
            self._ended = int(said) if said else None
        return self._ended

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def end(self) -> None:
        self._pipes.end_input()
        if not select.select([self._handle], [], [], _PATIENCE)[0]:
            self.kill()
        self.wait(_PATIENCE)
        self._pipes.close()
        os.close(self._handle)
        os.close(self._status)


class Zygote:
    """A process that has loaded an engine's code, and forks itself for each child.

    It is started when first wanted and ends with us, killed or not. Where there is none
    (another system, or it died), ``fork`` gives None and a later call tries anew.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ready = False

    @property
    def pid(self) -> int | None:
        """Return the zygote's own pid, if it is up."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def prepare(self, *, wait: bool = False) -> bool:
        """Begin to load the engine's code; return whether a zygote is possible here."""
        with self._lock:
            return self._begin() and (not wait or self._greeted())

    def fork(self, log: IO[bytes]) -> Child | None:
        """Return a fresh child whose errors go to *log*, None if that cannot be."""
        with self._lock:
            if not self._begin() or not self._greeted():
                self._drop()
                return None
            return self._forked(log)

    def close(self) -> None:
        """End the zygote; its children live on until their input ends."""
        with self._lock:
            self._drop()

    def _begin(self) -> bool:
        if self.pid is not None:
            return True
        self._drop()
        if not hasattr(os, "pidfd_open") or not hasattr(socket, "SCM_RIGHTS"):
            return False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "otium.engine.zygote"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=clean_environment(os.environ),
            )
        except OSError:
            ours.close()
            return False
        finally:
            theirs.close()
        ours.settimeout(_PATIENCE)
        self._control, self._ready = ours, False
        return True

    def _greeted(self) -> bool:
        if not self._ready and self._control is not None:
            with suppress(OSError):
                self._ready = self._control.recv(64) == b"ready"
        return self._ready

    def _forked(self, log: IO[bytes]) -> Child | None:
        assert self._control is not None
        ours_in, theirs_in, theirs_out, ours_out = *reversed(os.pipe()), *reversed(os.pipe())
        status, told = os.pipe()
        pipes = _Pipes(ours_in, ours_out)
        sent = [theirs_in, theirs_out, log.fileno(), told]
        try:
            socket.send_fds(self._control, [b"fork"], sent)
            data, handles, _, _ = socket.recv_fds(self._control, 1024, 1)
            answer = msgspec.json.decode(data, type=Forked)
        except (OSError, msgspec.DecodeError):
            answer, handles = Forked(why="the zygote is gone"), []
            self._drop()
        finally:
            for one in (theirs_in, theirs_out, told):
                os.close(one)
        if not answer.pid or not handles:
            pipes.close()
            os.close(status)
            return None
        return _Offspring(answer.pid, handles[0], pipes, status)

    def _drop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None and self.owner == os.getpid():
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = self._control = None
        self._ready = False


_zygotes: list[Zygote] = []
_choosing = threading.Lock()


def zygote() -> Zygote:
    """Return this process's zygote; a process that was forked from ours gets its own."""
    with _choosing:
        if not _zygotes or _zygotes[-1].owner != os.getpid():
            _zygotes.append(Zygote())
            atexit.register(_zygotes[-1].close)
        return _zygotes[-1]
