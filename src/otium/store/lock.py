"""Who holds a directory: one writer at a time, freed by the kernel when it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from otium.errors import Held

_LOOK_AGAIN = 0.02


@contextmanager
def hold(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold *folder* for writing until the block ends.

    Raises Held if another has it for more than *patience* seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, until = folder / ".lock", time.monotonic() + patience
    with path.open("a+b") as file:
        while not _locked(file):
            if time.monotonic() >= until:
                file.seek(0)
                pid = file.read().decode(errors="replace").strip() or "not known yet"
                raise Held(path=folder, pid=pid)
            time.sleep(_LOOK_AGAIN)
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
