"""Folders that nobody else can change, and locks that several processes and threads share."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from otium.errors import CannotStore

_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_PAUSE = 0.02


class Busy(Exception):
    """A lock that was wanted at once is another's."""


def own(folder: Path) -> Path:
    """Make *folder* if need be, and return it by a path without links; raise CannotStore.

    For what is used unread because it was verified once. So it must be ours and closed to
    others, and nobody but us and root may be able to put another one in its place.
    """
    place = folder.absolute().parent.resolve() / folder.name
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = place.lstat()
        above = [parent.lstat() for parent in place.parents]
    except OSError as error:
        raise CannotStore(path=folder, why=str(error)) from error
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & _OTHERS:
        raise CannotStore(path=folder, why="it is not ours alone: others could change what it has")
    if not all(_safe(one) for one in above):
        why = "others could put another folder in its place; choose one below a folder of yours"
        raise CannotStore(path=folder, why=why)
    return place


def _safe(above: os.stat_result) -> bool:
    """Return whether no stranger can rename what lies in a folder of ours or root's."""
    closed = not above.st_mode & _OTHERS or above.st_mode & stat.S_ISVTX
    return bool(closed) and above.st_uid in {0, os.geteuid()}


def patient() -> None:
    """Wait as long as it takes."""


def at_once() -> None:
    """Wait for nobody."""
    raise Busy


@contextmanager
def locked(
    path: Path, *, shared: bool = False, wait: Callable[[], None] = patient
) -> Iterator[None]:
    """Hold the lock that the file *path* is; with others who *shared* it, if *shared*.

    While another has it, *wait* is called many times a second, and may raise. Raises CannotStore.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    try:
        lock = os.open(path, flags, 0o600)
    except OSError as error:
        raise CannotStore(path=path, why=str(error)) from error
    try:
        while not _taken(lock, kind):
            wait()
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(lock)


def _taken(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind)
    except BlockingIOError:
        return False
    return True
