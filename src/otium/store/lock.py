"""Who holds a directory: one writer at a time, freed by the kernel when it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otium.errors import Held


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold *folder* for writing until the block ends; raise Held if another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            pid = file.read().decode(errors="replace").strip() or "not known yet"
            raise Held(path=folder, pid=pid) from error
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield
