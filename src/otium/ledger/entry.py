"""One line of the ledger."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

import msgspec

from otium.errors import BadInput, BadInstant, BadNote, BadRecord
from otium.ledger.tiles import LONGEST_ENTRY
from otium.notes import decode64
from otium.records import Actor, Digest, Instant, Json, Part, canonical

PAYLOAD_TYPE = "application/vnd.otium.entry.v2+json"
"""What a role's signature is over, as DSSE names it."""
_TYPE = re.compile(r"[a-z]+(?:[.-][a-z]+)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_INSTANT = re.compile(r"[1-9]\d{3}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\dZ", re.ASCII)
_KEY = re.compile(r"[^\s+\x00-\x1f]+\+[0-9a-f]{8}")
_SIGNATURE_SIZE = 64


class EntrySignature(Part):
    """Who stands behind an entry: the signature of a role's key (docs/formats/roles-1.md)."""

    key: str
    """The key's name and ID, ``name+ID``."""
    time: Instant
    """When it was signed, which need not be when it was logged."""
    sig: str
    """The Ed25519 signature over ``Entry.signing_payload``, in base64."""


class Entry(Part):
    """A short claim, kept for ever. Its canonical JSON is the leaf; at most 65,535 bytes.

    No personal data: *actor* is a role. *refs* are digests of the records it rests on. With
    ``v`` 1 it has no signatures, with ``v`` 2 one or more.
    """

    type: str
    """``noun.verb-in-the-past``, as in docs/formats/ledger-2.md."""
    time: Instant
    actor: Actor
    subject: str
    """A model id, or the archive's id."""
    body: dict[str, object] = {}
    refs: tuple[Digest, ...] = ()
    v: Literal[1, 2] = 1
    sigs: tuple[EntrySignature, ...] = ()

    def encode(self) -> bytes:
        """Return the leaf: canonical JSON, without ``sigs`` in version 1."""
        try:
            return canonical(self._fields())
        except BadRecord as error:
            raise BadRecord(what="Entry", why=error.__cause__) from error

    def plain(self) -> dict[str, Json]:
        """Return this entry as plain JSON values, without ``sigs`` in version 1."""
        value: dict[str, Json] = msgspec.to_builtins(self._fields())
        return value

    def signing_payload(self, origin: str, at: Instant) -> bytes:
        """Return what a role's key signs *at* an instant, for the log *origin*.

        It is the DSSE pre-authentication encoding of the entry as version 2 has it, with the
        signature's time in place of the entry's.
        """
        fields = {**self._fields(), "log": origin, "time": at, "v": 2}
        fields.pop("sigs", None)
        body = _plainly_canonical(fields) or canonical(fields)
        head = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(body)} "
        return head.encode() + body

    def _fields(self) -> dict[str, object]:
        fields: dict[str, object] = {
            "actor": self.actor,
            "body": self.body,
            "refs": self.refs,
            "subject": self.subject,
            "time": self.time,
            "type": self.type,
            "v": self.v,
        }
        return fields if self.v == 1 else {**fields, "sigs": self.sigs}


def write_entry(entry: Entry) -> bytes:
    """Return the leaf of *entry*, or raise BadInput for one that may not stand in a ledger."""
    data = entry.encode()
    check_entry(entry, len(data))
    return data


def read_entry(data: bytes) -> Entry:
    """Return the entry of a leaf, or raise BadInput unless it is exactly as it would be written."""
    try:
        entry = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRecord(what="Entry", why=str(error)) from error
    check_entry(entry, len(data))
    if not _is_plainly_canonical(entry, data) and entry.encode() != data:
        raise BadInput(what=f"the entry {entry.type}", why="it is not canonical JSON (RFC 8785)")
    return entry


def check_entry(entry: Entry, size: int) -> None:
    """Raise BadInput unless *entry*, of *size* bytes, may stand in a ledger."""
    why = _fault(entry, size)
    if why is not None:
        raise BadInput(what=f"the entry {entry.type} for {entry.subject}", why=why)
    for moment in (entry.time, *(it.time for it in entry.sigs)):
        if not _is_instant(moment):
            raise BadInstant(text=moment)


def _fault(entry: Entry, size: int) -> str | None:
    """Return why *entry* may not stand in a ledger, its times aside."""
    if not _TYPE.fullmatch(entry.type):
        return "its type is not lower-case words joined by '.' and '-'"
    if not (entry.actor and entry.subject):
        return "it has no actor or no subject"
    if not all(map(_DIGEST.fullmatch, entry.refs)):
        return "a ref is not 'sha256:' and 64 hexadecimal digits"
    if size > LONGEST_ENTRY:
        return f"it has {size} bytes, more than {LONGEST_ENTRY}"
    return _signatures_fault(entry)


def _signatures_fault(entry: Entry) -> str | None:
    if (entry.v == 1) == bool(entry.sigs):
        return "an entry has signatures if, and only if, its version is 2"
    if len({it.key for it in entry.sigs}) < len(entry.sigs):
        return "a key signed it twice"
    if not all(map(_is_signature, entry.sigs)):
        return "a signature is not 'name+ID' and base64 of 64 bytes"
    return None


def _is_signature(signature: EntrySignature) -> bool:
    try:
        size = len(decode64(signature.sig))
    except BadNote:
        return False
    return size == _SIGNATURE_SIZE and _KEY.fullmatch(signature.key) is not None


def _is_instant(moment: str) -> bool:
    if not _INSTANT.fullmatch(moment):
        return False
    try:
        datetime.fromisoformat(moment)
    except ValueError:
        return False
    return True


# Canonical JSON is slow to write and msgspec's sorted JSON is fast. The two differ only in
# escapes, in the order of keys beyond ASCII, in fractions and in integers beyond 2**53.
_DECODER = msgspec.json.Decoder(Entry)
_ENCODER = msgspec.json.Encoder(order="sorted")
_PERHAPS_DIFFERENT = re.compile(rb"\\|[\[,:]-?(?:[0-9]+[.eE]|[0-9]{16})")


def _is_plainly_canonical(entry: Entry, data: bytes) -> bool:
    """Return True only if *data* is *entry*'s canonical JSON; False says nothing."""
    return _plainly_canonical(entry._fields()) == data


def _plainly_canonical(fields: dict[str, object]) -> bytes | None:
    """Return the canonical JSON of *fields* that have no NaN, or None if it has to be computed."""
    data = _ENCODER.encode(fields)
    return data if data.isascii() and not _PERHAPS_DIFFERENT.search(data) else None
