"""Server-sent events, cut out of whatever pieces they come in."""

from __future__ import annotations


class Events:
    """Splits a stream into the data of its events. Every data line is taken for one event."""

    def __init__(self, longest: int = 8 << 20) -> None:
        """Raise ValueError in `feed` for a line that is longer than *longest* bytes."""
        self._rest = b""
        self._longest = longest

    def feed(self, block: bytes) -> list[bytes]:
        """Return the data of the lines that *block* completes."""
        if self._rest:
            block = self._rest + block
        *lines, self._rest = block.split(b"\n")
        if len(self._rest) > self._longest:
            raise ValueError(f"a line of more than {self._longest} bytes")
        return [line[5:].strip() for line in lines if line.startswith(b"data:")]
