"""A salted commitment: what lets an entry name a document that may have to be erased.

Without its salt the commitment says nothing, even if there are few documents that it could be
of. So the salt is kept beside the document and erased with it.
"""

from __future__ import annotations

from otium.errors import BadInput, BadProof
from otium.records import Digest, digest

SALT_SIZE = 32


def commit(document: bytes, salt: bytes) -> Digest:
    """Return the commitment to *document*: the SHA-256 of 32 random bytes *salt* and of it."""
    if len(salt) != SALT_SIZE:
        raise BadInput(what="the salt", why=f"it has {len(salt)} bytes, not {SALT_SIZE}")
    return digest(salt + document)


def check_commitment(commitment: str, document: bytes, salt: bytes) -> None:
    """Raise BadProof unless *commitment* is that to *document* with *salt*."""
    if commit(document, salt) != commitment:
        raise BadProof(why="the commitment is to another document, or with another salt")
