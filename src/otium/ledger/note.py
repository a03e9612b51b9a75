"""Signed notes: a text and the Ed25519 signature of whoever says it.

The format is C2SP's ``signed-note``. A reader here is stricter than the specification asks:
a note has exactly one signature line, of a key that was expected, in canonical base64, so
that no byte of a note can change without being noticed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from otium.errors import BadInput, BadNote, Exists, LedgerError, NoSigningKey

_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_SIGNATURE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+={0,2})")
_NAME_LINE = "name: "


class VerifierKey(NamedTuple):
    """A public key and the name it signs under."""

    name: str
    number: bytes
    """The key ID: four bytes that say which key of this name signed."""
    public: Ed25519PublicKey

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read ``name+hash+base64``; raise BadNote if any part of it is not as it must be."""
        name, _, rest = vkey.partition("+")
        number, _, encoded = rest.partition("+")
        data = decode64(encoded)
        if not _NAME.fullmatch(name) or len(data) != 1 + 32 or data[:1] != _ED25519:
            raise BadNote(why=f"{vkey!r} is not an Ed25519 verifier key")
        if number != _key_number(name, data[1:]).hex():
            raise BadNote(why=f"the hash in the verifier key {vkey!r} is wrong")
        return cls(name, bytes.fromhex(number), Ed25519PublicKey.from_public_bytes(data[1:]))


class Signer:
    """A private Ed25519 key and the name it signs under."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        """Sign with *key* as *name*."""
        if not _NAME.fullmatch(name):
            raise BadInput(what=f"the key name {name!r}", why="it has a space, a '+' or nothing")
        self.name = name
        self._key = key
        self._public = key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, name: str) -> Self:
        """Make a new key; *name* should be the ledger's origin."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the key that ``save`` wrote; raise NoSigningKey if there is none."""
        try:
            if path.stat().st_mode & 0o077:
                raise LedgerError(message=f"The key {path} can be read by others: chmod 600 it.")
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise NoSigningKey(path=path) from error
        first = data.partition(b"\n")[0].decode(errors="replace")
        key = _private_key(data, path)
        if not first.startswith(_NAME_LINE):
            raise BadInput(what=f"the key {path}", why=f"its first line is not '{_NAME_LINE}…'")
        return cls(first.removeprefix(_NAME_LINE), key)

    def save(self, path: Path) -> None:
        """Write the key as PKCS #8 PEM that only its owner can read; raise Exists if taken."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(f"{_NAME_LINE}{self.name}\n".encode() + pem)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
            _sync_folder(path.parent)
        except FileExistsError as error:
            raise Exists(name=path) from error
        finally:
            Path(temporary).unlink()

    @property
    def vkey(self) -> str:
        """The verifier key: ``name+hash+base64``."""
        number = _key_number(self.name, self._public).hex()
        return f"{self.name}+{number}+{encode64(_ED25519 + self._public)}"

    def sign(self, text: str) -> str:
        """Return the signed note of *text*, which ends in a newline."""
        number = _key_number(self.name, self._public)
        signature = encode64(number + self._key.sign(text.encode()))
        return f"{text}\n— {self.name} {signature}\n"


def open_note(note: str, vkeys: Sequence[str]) -> str:
    """Return the text of *note* if one of *vkeys* signed it, else raise BadNote."""
    text, blank, line = note.rpartition("\n\n")
    found = _SIGNATURE.fullmatch(line.removesuffix("\n"))
    if not blank or found is None or not line.endswith("\n"):
        raise BadNote(why="it does not end in a blank line and one signature line")
    name, data = found[1], decode64(found[2])
    for key in map(VerifierKey.parse, vkeys):
        if (key.name, key.number) == (name, data[:4]):
            _check_signature(key, data[4:], text + "\n")
            return text + "\n"
    raise BadNote(why=f"{name} is not one of the keys expected")


def encode64(data: bytes) -> str:
    """Return standard base64."""
    return base64.b64encode(data).decode()


def decode64(text: str) -> bytes:
    """Read standard base64 in its one canonical spelling, or raise BadNote."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote(why=f"{text!r} is not base64") from error
    if encode64(data) != text:
        raise BadNote(why=f"{text!r} is not canonical base64")
    return data


def _key_number(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _check_signature(key: VerifierKey, signature: bytes, text: str) -> None:
    try:
        key.public.verify(signature, text.encode())
    except InvalidSignature as error:
        raise BadNote(why=f"the signature of {key.name} is wrong") from error


def _private_key(data: bytes, path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise BadInput(what=f"the key {path}", why="it is not an unencrypted PEM key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(what=f"the key {path}", why="it is not an Ed25519 key")
    return key


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
