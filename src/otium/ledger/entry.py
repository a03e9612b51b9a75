"""One line of the ledger."""

from __future__ import annotations

import re
from typing import Literal

from otium.errors import BadInput, BadInstant
from otium.ledger.tiles import LONGEST_ENTRY
from otium.records import Actor, Digest, Instant, Part, instant

_TYPE = re.compile(r"[a-z]+(?:[.-][a-z]+)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Entry(Part):
    """A short claim, kept for ever. Its canonical JSON is the leaf; at most 65,535 bytes.

    No personal data: *actor* is a role. *refs* are digests of the records it rests on.
    """

    type: str
    """``noun.verb-in-the-past``, as in docs/formats/ledger-1.md."""
    time: Instant
    actor: Actor
    subject: str
    """A model id, or the archive's id."""
    body: dict[str, object] = {}
    refs: tuple[Digest, ...] = ()
    v: Literal[1] = 1


def write_entry(entry: Entry) -> bytes:
    """Return the leaf of *entry*, or raise BadInput for one that may not stand in a ledger."""
    what = f"the entry {entry.type} for {entry.subject}"
    if not _TYPE.fullmatch(entry.type):
        raise BadInput(what=what, why="its type is not lower-case words joined by '.' and '-'")
    if not (entry.actor and entry.subject):
        raise BadInput(what=what, why="it has no actor or no subject")
    if not all(_DIGEST.fullmatch(ref) for ref in entry.refs):
        raise BadInput(what=what, why="a ref is not 'sha256:' and 64 hexadecimal digits")
    if instant(entry.time) != entry.time:
        raise BadInstant(text=entry.time)
    data = entry.encode()
    if len(data) > LONGEST_ENTRY:
        raise BadInput(what=what, why=f"it has {len(data)} bytes, more than {LONGEST_ENTRY}")
    return data


def read_entry(data: bytes) -> Entry:
    """Return the entry of a leaf, or raise BadInput unless it is exactly as it would be written."""
    entry = Entry.decode(data)
    if write_entry(entry) != data:
        raise BadInput(what=f"the entry {entry.type}", why="it is not canonical JSON (RFC 8785)")
    return entry
