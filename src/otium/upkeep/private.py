"""Documents that stay private: the log commits to them, and they can be erased without a trace.

What is logged is a salted commitment. Whoever is shown document and salt can confirm it; once
both are erased nobody can tell, even by guessing, what it was.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from otium.errors import BadInput, NotFound
from otium.ledger import commit
from otium.records import Digest, Instant, Part, hexadecimal
from otium.store import LocalStore
from otium.workflow import Home

COMMITTED, ERASED = "document.committed", "document.erased"
_SALT = 32
_LARGEST = 1 << 30


class Document(Part):
    """A private document as the log knows it."""

    commitment: Digest
    subject: str
    what: str
    logged: Instant
    here: bool
    """Whether document and salt lie in this home."""
    erased: Instant | None = None


def commit_document(home: Home, file: Path, *, what: str, subject: str | None = None) -> Document:
    """Keep a copy of *file* with a fresh salt in this home, then log the commitment to it.

    *what* is public: it says what kind of document it is, and nothing of what is in it. Raises
    BadInput, UnknownModel.
    """
    about = home.archive.id if subject is None else home.registry.model(subject).model
    if not what.strip():
        raise BadInput(what=str(file), why="say what kind of document it is")
    if file.stat().st_size > _LARGEST:
        raise BadInput(what=str(file), why=f"it has more than {_LARGEST} bytes")
    document = file.read_bytes()
    commitment = _cut_off(home, document) or _keep(home, document)
    home.registry.log(COMMITTED, about, {"commitment": commitment, "what": what})
    return _find(home, commitment)


def documents(home: Home) -> list[Document]:
    """Return every document that was committed to, in log order."""
    erased = {entry.body.get("commitment"): entry.time for entry in home.registry.find(ERASED)}
    return [
        Document(
            commitment=Digest(str(entry.body.get("commitment"))),
            subject=entry.subject,
            what=str(entry.body.get("what")),
            logged=entry.time,
            erased=erased.get(entry.body.get("commitment")),
            here=_folder(home, Digest(str(entry.body.get("commitment")))).is_dir(),
        )
        for entry in home.registry.find(COMMITTED)
    ]


def reveal_document(home: Home, commitment: str, into: Path) -> Document:
    """Write document and salt into a fresh directory, for somebody who is to confirm them.

    Raises NotFound if it was never committed to, or does not lie here any more.
    """
    found = _find(home, commitment)
    if not found.here:
        raise NotFound(what=f"the document of {found.commitment} in this home")
    into.mkdir(parents=True)
    for name in ("document", "salt"):
        (into / name).write_bytes((_folder(home, found.commitment) / name).read_bytes())
    return found


def confirm_document(home: Home, document: Path, salt: Path) -> Document:
    """Return what the log says of a document; raise NotFound if it does not commit to it."""
    return _find(home, commit(document.read_bytes(), salt.read_bytes()))


def erase_document(home: Home, commitment: str, *, reason: str) -> Document:
    """Log that a document is erased, then remove it and its salt from this home.

    Copies that were revealed or backed up are beyond reach. Raises NotFound, BadInput.
    """
    found = _find(home, commitment)
    if not reason.strip():
        raise BadInput(what="an erasure", why="it needs a reason")
    if found.erased is None:
        body = {"commitment": found.commitment, "reason": reason}
        home.registry.log(ERASED, found.subject, body)
    folder = _folder(home, found.commitment)
    for name in ("salt", "document"):  # without its salt the document cannot be guessed
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir():
        folder.rmdir()
        _sync(folder.parent)
    return _find(home, commitment)


def _keep(home: Home, document: bytes) -> Digest:
    """Keep a document with a fresh salt, readable by its owner only."""
    salt = secrets.token_bytes(_SALT)
    commitment = commit(document, salt)
    folder = _folder(home, commitment)
    folder.mkdir(parents=True, mode=0o700)
    for name, data in (("salt", salt), ("document", document)):
        LocalStore(home.path).put(f"private/{folder.name}/{name}", data)
        (folder / name).chmod(0o600)
    return commitment


def _cut_off(home: Home, document: bytes) -> Digest | None:
    """Return the commitment of this document that was kept and, after a crash, not logged."""
    logged = {it.commitment for it in documents(home)}
    for path in sorted((home.path / "private").glob("*/document")):
        if f"sha256:{path.parent.name}" not in logged and path.read_bytes() == document:
            return commit(document, (path.parent / "salt").read_bytes())
    return None


def _find(home: Home, commitment: str) -> Document:
    wanted = commitment if commitment.startswith("sha256:") else f"sha256:{commitment}"
    for document in documents(home):
        if document.commitment == wanted:
            return document
    raise NotFound(what=f"a commitment {wanted} in the log")


def _folder(home: Home, commitment: Digest) -> Path:
    return home.path / "private" / hexadecimal(commitment)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
