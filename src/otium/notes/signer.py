"""Who signs: a log its checkpoints, a cosigner the checkpoints of others, a role what it says."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from otium.errors import BadInput
from otium.notes.files import load_keys, save_keys
from otium.notes.head import cosignature_message, read_head, subtree_message
from otium.notes.keys import COSIGNATURE, ED25519, MLDSA44, VerifierKey, check_name
from otium.notes.note import check_text, signature_line
from otium.records import Instant


class Signer:
    """The keys of one log: Ed25519 and, unless it is an old one, ML-DSA-44."""

    def __init__(
        self, name: str, key: Ed25519PrivateKey, mldsa: MLDSA44PrivateKey | None = None
    ) -> None:
        """Sign with *key*, and with *mldsa* if it is given, as *name*."""
        self.name = check_name(name)
        self._key = key
        self._mldsa = mldsa
        keys = [VerifierKey.make(name, ED25519, _public(key))]
        if mldsa is not None:
            keys.append(VerifierKey.make(name, MLDSA44, _public(mldsa)))
        self._keys = tuple(keys)

    @classmethod
    def generate(cls, name: str) -> Self:
        """Make new keys; *name* should be the log's origin."""
        return cls(name, Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the keys that ``save`` wrote; raise NoSigningKey if there are none."""
        return cls(*load_keys(path))

    def save(self, path: Path) -> None:
        """Write the keys into a file that only its owner can read; raise Exists if taken."""
        save_keys(path, self.name, [self._key] + ([self._mldsa] if self._mldsa else []))

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The verifier keys, that of Ed25519 first."""
        return tuple(key.vkey for key in self._keys)

    @property
    def vkey(self) -> str:
        """The Ed25519 verifier key."""
        return self._keys[0].vkey

    def sign(self, text: str) -> str:
        """Return the signed note of *text*, with a line for each key.

        The line of the ML-DSA-44 key is a cosignature without a time, as ``tlog-checkpoint``
        advises. Raises BadNote if *text* cannot be signed: that key signs checkpoints only.
        """
        lines = signature_line(self._keys[0], self._key.sign(check_text(text).encode()))
        if self._mldsa is not None:
            signature = _mldsa_signature(self._keys[1], self._mldsa, text, 0)
            lines += signature_line(self._keys[1], signature)
        return f"{text}\n{lines}"


class Cosigner:
    """The keys of a witness or a mirror: they say that a log has not changed what it had."""

    def __init__(self, name: str, key: Ed25519PrivateKey, mldsa: MLDSA44PrivateKey) -> None:
        """Cosign with *key* and *mldsa* as *name*."""
        self.name = check_name(name)
        self._key = key
        self._mldsa = mldsa
        self._keys = {
            COSIGNATURE: VerifierKey.make(name, COSIGNATURE, _public(key)),
            MLDSA44: VerifierKey.make(name, MLDSA44, _public(mldsa)),
        }

    @classmethod
    def generate(cls, name: str) -> Self:
        """Make new keys; *name* should be the cosigner's address without its scheme."""
        return cls(name, Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the keys that ``save`` wrote; raise NoSigningKey if there are none."""
        name, key, mldsa = load_keys(path)
        if mldsa is None:
            raise BadInput(what=f"the key {path}", why="it has no ML-DSA-44 key")
        return cls(name, key, mldsa)

    def save(self, path: Path) -> None:
        """Write the keys into a file that only its owner can read; raise Exists if taken."""
        save_keys(path, self.name, [self._key, self._mldsa])

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The verifier keys: of Ed25519 cosignatures, then of ML-DSA-44."""
        return tuple(key.vkey for key in self._keys.values())

    def cosign(
        self, text: str, at: Instant, kinds: Collection[int] = (COSIGNATURE, MLDSA44)
    ) -> str:
        """Return signature lines over the checkpoint's *text*, made *at* an instant.

        Raises BadNote if *text* (up to the blank line, which is not part of it) is no
        checkpoint's.
        """
        seconds = int(datetime.fromisoformat(at).timestamp())
        read_head(check_text(text))
        lines = ""
        if COSIGNATURE in kinds:
            signature = self._key.sign(cosignature_message(text, seconds))
            lines += signature_line(self._keys[COSIGNATURE], seconds.to_bytes(8, "big") + signature)
        if MLDSA44 in kinds:
            key = self._keys[MLDSA44]
            lines += signature_line(key, _mldsa_signature(key, self._mldsa, text, seconds))
        return lines


class RoleKey:
    """The Ed25519 key of a person or a machine that acts in a role."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        """Sign with *key* as *name*, which says what the key is, never who a person is."""
        self.name = check_name(name)
        self._key = key
        self._public = VerifierKey.make(name, ED25519, _public(key))

    @classmethod
    def generate(cls, name: str) -> Self:
        """Make a new key."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the key that ``save`` wrote; raise NoSigningKey if there is none."""
        name, key, _ = load_keys(path)
        return cls(name, key)

    def save(self, path: Path) -> None:
        """Write the key into a file that only its owner can read; raise Exists if taken."""
        save_keys(path, self.name, [self._key])

    @property
    def vkey(self) -> str:
        """The verifier key."""
        return self._public.vkey

    @property
    def id(self) -> str:
        """The key's name and ID, ``name+ID``."""
        return self._public.id

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes, over *data* as it is."""
        return self._key.sign(data)


def _public(key: Ed25519PrivateKey | MLDSA44PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _mldsa_signature(key: VerifierKey, private: MLDSA44PrivateKey, text: str, at: int) -> bytes:
    """Return the ``timestamped_signature`` of an ML-DSA-44 key over a checkpoint's *text*."""
    signature = private.sign(subtree_message(key.name, at, read_head(text)))
    return at.to_bytes(8, "big") + signature
