"""How far a revival is, for whoever holds a request open meanwhile."""

from __future__ import annotations

import threading
import time

from otium.records import Part


class Stage(Part):
    """Where a revival stands."""

    stage: str
    """``restore`` from the archive, ``read`` raw files, ``check`` them, or all is ``cached``;
    ``start`` the engine, ``certify`` the behaviour, ``ready``; ``wait`` before all of them."""
    percent: int
    """Of this stage."""
    eta: float | None = None
    """Seconds to the end of this stage, None if nothing can be said yet."""

    def text(self) -> str:
        """Return one line, ``stage=restore 37% eta=12s``, as a heartbeat shows it."""
        left = "" if self.eta is None else f" eta={self.eta:.0f}s"
        return f"stage={self.stage} {self.percent}%{left}"


class Stages:
    """A progress that others may look at while it is told; from any thread."""

    def __init__(self) -> None:
        """Begin at ``wait``."""
        self._lock = threading.Lock()
        self._stage, self._done, self._total, self._began = "wait", 0, 1, time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Take note that *done* of *total* of the stage *what* is there."""
        with self._lock:
            if what != self._stage:
                self._stage, self._began = what, time.monotonic()
            self._done, self._total = done, max(total, 1)

    def now(self) -> Stage:
        """Return where it stands; the time left is what the rate so far says."""
        with self._lock:
            share = min(self._done / self._total, 1.0)
            spent = time.monotonic() - self._began
            left = spent / share * (1 - share) if share > 0 else None
            return Stage(
                stage=self._stage,
                percent=int(100 * share),
                eta=None if left is None else round(left, 1),
            )
