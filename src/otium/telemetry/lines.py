"""Structured logs: one JSON object a line, gathered and written together."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import IO

import msgspec

_MOST_HELD = 50_000


class LogLines:
    """Writes JSON lines to a binary stream. What the stream refuses is dropped and counted.

    One thread may write lines while another flushes them: who writes never waits for the stream.
    """

    def __init__(self, stream: IO[bytes] | None) -> None:
        """Write to *stream*; with None nothing is kept."""
        self._stream = stream
        self._held: deque[bytes] = deque()
        self.wanted = stream is not None
        """Whether anyone keeps the lines."""
        self.dropped = 0
        """Lines that could not be written."""

    def write(self, line: Mapping[str, object]) -> None:
        """Keep a line for the next `flush`; beyond 50,000 it is dropped and counted."""
        if self._stream is None:
            return
        if len(self._held) < _MOST_HELD:
            self._held.append(_encode(line))
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Write what has gathered. A log that cannot be written stops nothing."""
        held = [self._held.popleft() for _ in range(len(self._held))]
        if not held or self._stream is None:
            return
        try:
            self._stream.write(b"\n".join(held) + b"\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.dropped += len(held)


_encode = msgspec.json.Encoder().encode
