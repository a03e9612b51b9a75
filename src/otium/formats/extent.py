"""What a weights file consists of."""

from __future__ import annotations

from typing import NamedTuple


class Extent(NamedTuple):
    """Consecutive bytes of a weights file: its header, a tensor, or padding between them."""

    offset: int
    length: int
    name: str = ""
    """The tensor's name, with its type and shape; empty for header and padding."""
    dtype: str = ""
    shape: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """Return the offset of the byte after the last."""
        return self.offset + self.length
