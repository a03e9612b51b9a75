"""What a checkpoint's text says, and the messages that a cosigner signs over it.

The texts are C2SP's ``tlog-checkpoint`` and ``tlog-cosignature``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from otium.errors import BadNote
from otium.notes.encoding import decode64, encode64

LARGEST = 2**63 - 1
"""The largest size, index or time that a text may have."""
_LONGEST_NAME = 255
_HEAD = re.compile(
    r"([^\x00-\x1f]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n((?:[^\x00-\x1f]+\n)*)"
)


class TreeHead(NamedTuple):
    """The size and root of a log, as the text of a checkpoint has them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Lines after the root, opaque; an ML-DSA-44 signature does not cover them."""

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), encode64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def read_head(text: str) -> TreeHead:
    """Return what the text of a checkpoint says, or raise BadNote if it is none."""
    found = _HEAD.fullmatch(text)
    if found is None or int(found[2]) > LARGEST:
        raise BadNote(why="it is not a checkpoint: an origin, a size, a root")
    extensions = tuple(found[4].split("\n")[:-1])
    return TreeHead(found[1], int(found[2]), decode64(found[3]), extensions)


def cosignature_message(text: str, seconds: int) -> bytes:
    """Return what an Ed25519 cosigner signs (tlog-cosignature, "Ed25519 signed message")."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def subtree_message(name: str, seconds: int, head: TreeHead) -> bytes:
    """Return the ``cosigned_message`` that the ML-DSA-44 cosigner *name* signs."""
    parts = (
        b"subtree/v1\n\0",
        _prefixed(name),
        seconds.to_bytes(8, "big"),
        _prefixed(head.origin),
        bytes(8),  # a checkpoint's tree starts at 0
        head.size.to_bytes(8, "big"),
        head.root,
    )
    return b"".join(parts)


def _prefixed(text: str) -> bytes:
    data = text.encode()
    if len(data) > _LONGEST_NAME:
        raise BadNote(why=f"a name or origin has {len(data)} bytes, more than {_LONGEST_NAME}")
    return bytes([len(data)]) + data
