"""Public keys: how they are written, numbered, and what they verify.

The format is C2SP's ``signed-note`` ("Verifier keys") and ``tlog-cosignature``.
"""

from __future__ import annotations

import functools
import hashlib
import re
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from otium.errors import BadInput, BadNote
from otium.notes.encoding import decode64, encode64
from otium.notes.head import LARGEST, cosignature_message, read_head, subtree_message

ED25519 = 0x01
"""An Ed25519 key that signs a note's text."""
COSIGNATURE = 0x04
"""An Ed25519 key that cosigns checkpoints, with the time (``cosignature/v1``)."""
MLDSA44 = 0x06
"""An ML-DSA-44 key (FIPS 204) that signs or cosigns checkpoints (``subtree/v1``)."""

_KEY_SIZE = {ED25519: 32, COSIGNATURE: 32, MLDSA44: 1312}
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_NUMBER = re.compile(r"[0-9a-f]{8}")


class VerifierKey(NamedTuple):
    """A public key, the name that it signs under and what it signs."""

    name: str
    number: bytes
    """The key ID: four bytes that say which key of this name signed."""
    kind: int
    """ED25519, COSIGNATURE or MLDSA44."""
    public: bytes

    @classmethod
    def make(cls, name: str, kind: int, public: bytes) -> Self:
        """Return the key *public* with its key ID."""
        return cls(name, key_number(name, kind, public), kind, public)

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read ``name+ID+base64``; raise BadNote if any part of it is not as it must be."""
        name, _, rest = vkey.partition("+")
        number, _, encoded = rest.partition("+")
        data = decode64(encoded)
        shown = f"the verifier key {vkey[:80]!r}"
        if not is_name(name) or not _NUMBER.fullmatch(number):
            raise BadNote(why=f"{shown} is not a name, a key ID and a key, with '+' between")
        if not data or _KEY_SIZE.get(data[0]) != len(data) - 1:
            raise BadNote(why=f"{shown} is of no kind that is known here, or has a wrong length")
        key = cls.make(name, data[0], data[1:])
        if key.number.hex() != number:
            raise BadNote(why=f"the key ID in {shown} is wrong")
        return key

    @property
    def id(self) -> str:
        """The key's name and ID, ``name+ID``."""
        return f"{self.name}+{self.number.hex()}"

    @property
    def vkey(self) -> str:
        """The verifier key, ``name+ID+base64``."""
        return f"{self.id}+{encode64(bytes([self.kind]) + self.public)}"

    def verify(self, data: bytes, signature: bytes) -> None:
        """Raise BadNote unless *signature* is this key's over *data* as it is."""
        try:
            _public_key(self.kind, self.public).verify(signature, data)
        except (InvalidSignature, ValueError) as error:
            raise BadNote(why=f"the signature of {self.id} is wrong") from error

    def verify_note(self, text: str, signature: bytes) -> int:
        """Return the time of *signature* over a note's *text*, in seconds since 1970.

        A signature without a time has 0. Raises BadNote if it is wrong.
        """
        if self.kind == ED25519:
            self.verify(text.encode(), signature)
            return 0
        seconds = int.from_bytes(signature[:8], "big")
        if seconds > LARGEST:
            raise BadNote(why=f"the signature of {self.id} has an impossible time")
        head = read_head(text)
        if self.kind == COSIGNATURE:
            message = cosignature_message(text, seconds)
        else:
            message = subtree_message(self.name, seconds, head)
        self.verify(message, signature[8:])
        return seconds


def is_name(text: str) -> bool:
    """Return whether *text* can be a key's name: not empty, no spaces, no '+'."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str) -> str:
    """Return *name* if it can be a key's name, else raise BadInput."""
    if not is_name(name):
        raise BadInput(what=f"the key name {name!r}", why="it has a space, a '+' or nothing")
    return name


def key_number(name: str, kind: int, public: bytes) -> bytes:
    """Return the key ID (``signed-note``, "Signatures")."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


@functools.lru_cache(maxsize=256)
def _public_key(kind: int, public: bytes) -> Ed25519PublicKey | MLDSA44PublicKey:
    if kind == MLDSA44:
        return MLDSA44PublicKey.from_public_bytes(public)
    return Ed25519PublicKey.from_public_bytes(public)
