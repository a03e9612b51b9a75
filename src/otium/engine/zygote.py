"""The zygote's own process: an interpreter that has loaded the engine's code and forks itself.

It has one thread, opens nothing, reads no model, and is told no key: a child hears its settings
on its own pipe. Standard input is a socket on which each message ``fork`` brings four files: the
child's input, output and errors, and a pipe on which we say how the child ended. It ends when
that socket does, so also when its parent is killed; its children end with their own input.
"""

from __future__ import annotations

import gc
import os
import random
import selectors
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import msgspec

from otium.engine import child
from otium.engine.spawn import Forked

_FILES = 4
_Children = dict[int, tuple[int, int]]
"""By the handle of a child: its pid, and where to say how it ended."""


def main() -> None:
    """Load the engine, say so, and fork until the socket ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ[child.WAITING] = "passive"
    with suppress(ImportError):  # the child says so, in its own log
        __import__("xllamacpp")
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=os.dup(0))
    control.send(b"ready")
    children: _Children = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is control:
                    _serve(control, selector, children)
                else:
                    _reap(int(key.fd), selector, children)


def _serve(control: socket.socket, selector: selectors.BaseSelector, children: _Children) -> None:
    """Fork one child and tell its pid and handle; leave if nobody is there any more."""
    try:
        message, files, _, _ = socket.recv_fds(control, 64, _FILES)
    except OSError:
        message, files = b"", []
    if not message:
        os._exit(0)
    if len(files) != _FILES or threads() != 1:
        _refuse(control, files, "it cannot fork safely")
        return
    try:
        pid = os.fork()
    except OSError as error:  # too many processes, or no memory: the others live on
        _refuse(control, files, str(error))
        return
    if not pid:
        _be_child(files)
    try:
        handle = os.pidfd_open(pid)
    except OSError as error:  # too many files
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        _refuse(control, files, str(error))
        return
    for one in files[:3]:
        os.close(one)
    children[handle] = (pid, files[3])
    selector.register(handle, selectors.EVENT_READ)
    with suppress(OSError):
        socket.send_fds(control, [msgspec.json.encode(Forked(pid=pid))], [handle])


def _refuse(control: socket.socket, files: list[int], why: str) -> None:
    for one in files:
        os.close(one)
    with suppress(OSError):
        control.send(msgspec.json.encode(Forked(why=why)))


def _be_child(files: list[int]) -> None:
    """Be an engine's process, with three files of our own and nothing of the others."""
    status = 1
    try:
        for number, file in enumerate(files[:3]):
            os.dup2(file, number)
        os.closerange(3, max(int(one.name) for one in Path("/proc/self/fd").iterdir()) + 1)
        random.seed()
        child.main()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)  # noqa: T201 - what an interpreter does at its end
    except BaseException:  # noqa: BLE001 - as an interpreter would end
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _reap(handle: int, selector: selectors.BaseSelector, children: _Children) -> None:
    pid, told = children.pop(handle)
    selector.unregister(handle)
    os.close(handle)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):
        os.write(told, str(status).encode())
    os.close(told)


def threads() -> int:
    """Return how many threads this process has."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


if __name__ == "__main__":
    main()
