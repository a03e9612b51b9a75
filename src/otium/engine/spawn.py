"""The processes that engines run in: forked from a zygote where that can be, else started anew.

A child is told one line, answers one line, and ends when its input does. It is given no secret:
of the environment only what a runtime needs, and no file or socket but its own three.
"""

from __future__ import annotations

import atexit
import os
import re
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
_KEPT |= {"PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE"}
_TOLD = ("OMP_", "GGML_")
_KEPT_PREFIXES = ("LC_", "CUDA_", "ROCR_", "HIP_", "VK_", *_TOLD)
_SECRET = re.compile("KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH")


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
        if (name in _KEPT or name.startswith(_KEPT_PREFIXES)) and not _SECRET.search(name)
    }


def told(given: Mapping[str, str]) -> dict[str, str]:
    """Return what an engine knows of the environment and can change how it computes."""
    return {
        name: value for name, value in clean_environment(given).items() if name.startswith(_TOLD)
    }


def _pipes(count: int) -> list[tuple[int, int]]:
    """Return pipes, each as its read and its write end; raise OSError, leaving none open."""
    made: list[tuple[int, int]] = []
    try:
        made.extend(os.pipe() for _ in range(count))
    except OSError:
        for ends in made:
            _close(*ends)
        raise
    return made


def _close(*files: int) -> None:
    for one in files:
        os.close(one)


def _ready(file: int, limit: float) -> bool:
    """Say whether *file* can be read within *limit* s; select knows only files below 1,024."""
    waiting = select.poll()
    waiting.register(file, select.POLLIN)
    return bool(waiting.poll(max(limit, 0) * 1000))


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
            if not _ready(self.out, until - time.monotonic()):
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
        try:
            (theirs_in, ours_in), (ours_out, theirs_out) = _pipes(2)
        except OSError as error:
            raise _none(error) from error
        try:
            self._process = subprocess.Popen(
                command,
                stdin=theirs_in,
                stdout=theirs_out,
                stderr=log,
                env=clean_environment(os.environ),
            )
        except OSError as error:
            _close(ours_in, ours_out)
            raise _none(error) from error
        finally:
            _close(theirs_in, theirs_out)
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


def _none(error: OSError) -> EngineUnavailable:
    return EngineUnavailable(what="GGUF models", why=f"no process can be started: {error}")


class _Offspring:
    """A child of the zygote: ours by its pipes, and by a handle that no other pid can take."""

    def __init__(self, pid: int, handle: int, pipes: _Pipes, status: int) -> None:
        self.pid = pid
        self._handle, self._pipes, self._status = handle, pipes, status
        self._ended: int | None = None

    def exchange(self, line: bytes, limit: float) -> bytes | None:
        return self._pipes.exchange(line, limit)

    def wait(self, limit: float) -> int | None:
        if self._ended is None and _ready(self._handle, limit):
            # The zygote tells how; if it is gone, the pipe just ends.
            said = os.read(self._status, 16) if _ready(self._status, 5) else b""
            self._ended = int(said) if said else None
        return self._ended

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def end(self) -> None:
        self._pipes.end_input()
        if not _ready(self._handle, _PATIENCE):
            self.kill()
        self.wait(_PATIENCE)
        self._pipes.close()
        _close(self._handle, self._status)


class Zygote:
    """A process that has loaded an engine's code, and forks itself for each child.

    It is started when first wanted and ends with us, killed or not. Where there is none
    (another system, or it died), ``fork`` gives None and a later call tries anew. One that is
    not up *patience* seconds after its start is waited for no more, but used once it is.
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        """Start nothing yet."""
        self.owner = os.getpid()
        self._patience, self._until = patience, 0.0
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ready = False

    @property
    def pid(self) -> int | None:
        """Return the zygote's own pid, if it is up."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def prepare(self) -> None:
        """Begin to load the engine's code, where a zygote is possible; wait for nobody."""
        if self._lock.acquire(blocking=False):  # or another is at it
            try:
                self._begin()
            finally:
                self._lock.release()

    def fork(self, log: IO[bytes]) -> Child | None:
        """Return a fresh child whose errors go to *log*, None, with the reason there, if not."""
        with self._lock:
            if not self._begin():
                return None
            found = self._forked(log) if self._greeted() else "it is not up yet"
        if isinstance(found, str):
            log.write(f"the zygote gives no child: {found}; one is started anew\n".encode())
            log.flush()
            return None
        return found

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
        self._until = time.monotonic() + self._patience
        return True

    def _greeted(self) -> bool:
        control, left = self._control, self._until - time.monotonic()
        if not self._ready and control is not None and _ready(control.fileno(), left):
            with suppress(OSError):
                self._ready = control.recv(64) == b"ready"
        return self._ready

    def _forked(self, log: IO[bytes]) -> Child | str:
        """Return a child, or why there is none."""
        try:
            (theirs_in, ours_in), (ours_out, theirs_out), (status, said) = _pipes(3)
        except OSError as error:
            return str(error)
        try:
            answer, handles = self._asked([theirs_in, theirs_out, log.fileno(), said])
        finally:
            _close(theirs_in, theirs_out, said)
        if answer.pid and handles:
            return _Offspring(answer.pid, handles[0], _Pipes(ours_in, ours_out), status)
        _close(ours_in, ours_out, status, *handles)
        return answer.why or "it gave no handle"

    def _asked(self, files: list[int]) -> tuple[Forked, list[int]]:
        assert self._control is not None
        handles: list[int] = []
        try:
            socket.send_fds(self._control, [b"fork"], files)
            data, handles, _, _ = socket.recv_fds(self._control, 1024, 1)
            return msgspec.json.decode(data, type=Forked), handles
        except (OSError, msgspec.DecodeError):
            self._drop()
            return Forked(why="it is gone"), handles

    def _drop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None and self.owner == os.getpid():
            if not self._ready:
                self._process.kill()  # it looks at its socket only when all is loaded
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
