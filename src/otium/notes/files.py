"""Key files: a name, then one PEM block (PKCS #8) for each private key."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from otium.errors import BadInput, Exists, LedgerError, NoSigningKey

PrivateKey = Ed25519PrivateKey | MLDSA44PrivateKey

_NAME_LINE = "name: "
_BLOCK = re.compile(rb"-----BEGIN [^\n]*\n.*?-----END [^\n]*\n", re.DOTALL)


def save_keys(path: Path, name: str, keys: Iterable[PrivateKey]) -> None:
    """Write *keys* durably into a file that only its owner can read; raise Exists if taken."""
    data = f"{_NAME_LINE}{name}\n".encode() + b"".join(map(_pem, keys))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
        _sync_folder(path.parent)
    except FileExistsError as error:
        raise Exists(name=path) from error
    finally:
        Path(temporary).unlink()


def load_keys(path: Path) -> tuple[str, Ed25519PrivateKey, MLDSA44PrivateKey | None]:
    """Return the name, the Ed25519 key and the ML-DSA-44 key, if there is one, in a key file.

    Raises NoSigningKey if there is no file, LedgerError if others can read it, BadInput if it
    does not hold these keys in this order.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise LedgerError(message=f"The key {path} can be read by others: chmod 600 it.")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NoSigningKey(path=path) from error
    keys = [_private_key(block, path) for block in _BLOCK.findall(data)]
    first = data.partition(b"\n")[0].decode(errors="replace")
    if not first.startswith(_NAME_LINE):
        raise BadInput(what=f"the key {path}", why=f"its first line is not '{_NAME_LINE}…'")
    name = first.removeprefix(_NAME_LINE)
    match keys:
        case [Ed25519PrivateKey() as key]:
            return name, key, None
        case [Ed25519PrivateKey() as key, MLDSA44PrivateKey() as other]:
            return name, key, other
    raise BadInput(what=f"the key {path}", why="it does not hold an Ed25519 key, then ML-DSA-44")


def _pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _private_key(block: bytes, path: Path) -> object:
    try:
        return serialization.load_pem_private_key(block, password=None)
    except (ValueError, TypeError) as error:
        raise BadInput(what=f"the key {path}", why="it is not an unencrypted PEM key") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
