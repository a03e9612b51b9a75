"""Signed notes: a text and the signatures of whoever says it (C2SP's ``signed-note``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from otium.errors import BadNote
from otium.notes.encoding import decode64, encode64
from otium.notes.keys import VerifierKey, is_name

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_LINE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+={0,2})")
_MOST_LINES = 100
_LEAST_BYTES = 5
"""The fewest bytes of a signature: its key's ID and one more."""


class NoteSignature(NamedTuple):
    """One line of a note, verified."""

    key: VerifierKey
    seconds: int
    """When it was made, in seconds since 1970; 0 if it does not say."""
    line: str
    """As it stands in the note, without its newline."""


class OpenedNote(NamedTuple):
    """A note that was read, and whose signatures of known keys were verified."""

    text: str
    signatures: tuple[NoteSignature, ...]
    """Those of known keys, in the order of the note."""
    unknown: tuple[str, ...]
    """The lines of other keys, which say nothing."""

    @property
    def signers(self) -> frozenset[str]:
        """The verifier keys that signed."""
        return frozenset(signature.key.vkey for signature in self.signatures)


def open_note(note: str, vkeys: Iterable[str], *, strict: bool = False) -> OpenedNote:
    """Return *note*, its signatures of *vkeys* verified; raise BadNote if it is not valid.

    Lines of other keys are passed over, at least one of *vkeys* must have signed, and none of
    them wrongly. If *strict*, a line of another key, or a second one of a key, is refused too,
    so that no byte of a note can change unnoticed.
    """
    text, lines = split_note(note)
    known = _by_id(vkeys)
    verified, unknown = [], []
    for line in lines:
        name, data = _read_line(line)
        key = known.get((name, data[:4]))
        if key is None:
            unknown.append(line)
        else:
            verified.append(NoteSignature(key, key.verify_note(text, data[4:]), line))
    opened = OpenedNote(text, tuple(verified), tuple(unknown))
    if not verified:
        raise BadNote(why=f"{_read_line(lines[0])[0]} is not one of the keys expected")
    if strict:
        _check_strict(opened)
    return opened


def split_note(note: str) -> tuple[str, list[str]]:
    """Return the text of *note* and its signature lines, unverified; raise BadNote."""
    if _CONTROL.search(note) or not _is_utf8(note):
        raise BadNote(why="it has control characters, or is not UTF-8")
    text, blank, rest = note.rpartition("\n\n")
    lines = rest.split("\n")
    if not blank or lines.pop() or not lines:
        raise BadNote(why="it does not end in a blank line and signature lines")
    if len(lines) > _MOST_LINES:
        raise BadNote(why=f"it has {len(lines)} signature lines, more than {_MOST_LINES}")
    return text + "\n", lines


def signature_line(key: VerifierKey, signature: bytes) -> str:
    """Return the line that says that *key* made *signature*, newline included."""
    return f"— {key.name} {encode64(key.number + signature)}\n"


def check_text(text: str) -> str:
    """Return *text* if it can be signed as a note, else raise BadNote."""
    if not text.endswith("\n") or _CONTROL.search(text) or not _is_utf8(text):
        raise BadNote(why="its text does not end in a newline, or has control characters")
    return text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _by_id(vkeys: Iterable[str]) -> dict[tuple[str, bytes], VerifierKey]:
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in map(VerifierKey.parse, vkeys):
        if known.setdefault((key.name, key.number), key) != key:
            raise BadNote(why=f"two of the keys expected have the ID {key.id}")
    return known


def _read_line(line: str) -> tuple[str, bytes]:
    found = _LINE.fullmatch(line)
    if found is None or not is_name(found[1]):
        raise BadNote(why="it has a line after its text that is not a signature")
    data = decode64(found[2])
    if len(data) < _LEAST_BYTES:
        raise BadNote(why=f"the signature of {found[1]} is too short")
    return found[1], data


def _check_strict(opened: OpenedNote) -> None:
    if opened.unknown:
        raise BadNote(why=f"{_read_line(opened.unknown[0])[0]} is not one of the keys expected")
    if len(opened.signers) < len(opened.signatures):
        raise BadNote(why="a key signed it twice")


def lines_of(signatures: Sequence[NoteSignature]) -> str:
    """Return the lines of *signatures* as they stand in a note."""
    return "".join(f"{signature.line}\n" for signature in signatures)
