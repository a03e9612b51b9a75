"""Who is told: a private file, and keys that do not betray an address."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import tempfile
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from otium.errors import BadInput, NotFound, OtiumError
from otium.outreach.records import Event, Recipient, Recipients
from otium.records import instant

SECRET = "whsec_"  # noqa: S105 - the prefix that secrets have
_ADDRESS = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,253}")
_HERE = {"localhost", "127.0.0.1", "::1"}
_SALT = 32


def load_recipients(path: Path) -> Recipients:
    """Read ``recipients.toml``; without one nobody is told.

    Raises BadInput naming what is wrong, also if others than its owner can read the file.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Recipients()
    if path.stat().st_mode & 0o077:
        raise BadInput(what=path, why="it holds addresses and others can read it; chmod 600 it")
    try:
        found = Recipients.convert(tomllib.loads(data.decode()))
        told = tuple(_checked(one, found) for one in found.recipients)
    except (ValueError, RecursionError, OtiumError) as error:
        raise BadInput(what=path, why=error) from error
    if found.mail is not None and found.mail.security == "none" and found.mail.host not in _HERE:
        raise BadInput(what=path, why='security "none" is only for a server on this machine')
    return replace(found, recipients=told)


def wants(recipient: Recipient, event: Event) -> bool:
    """Tell whether a recipient asked to be told of *event*."""
    return (
        event.time >= recipient.since
        and (not recipient.models or event.model in recipient.models)
        and (not recipient.events or event.kind in recipient.events)
    )


def idempotency_key(salt: bytes, event: Event, recipient: Recipient) -> str:
    """Return the key of telling *recipient* of *event*: HMAC-SHA256 (RFC 2104) under *salt*.

    Who does not have the salt can neither find an address from keys nor test a guess.
    """
    said = f"{event.id}\0{recipient.channel}\0{recipient.to}".encode()
    return hmac.new(salt, said, hashlib.sha256).hexdigest()


def load_salt(path: Path) -> bytes:
    """Return the salt of the idempotency keys; raise NotFound or BadInput."""
    try:
        salt = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(what=f"the salt {path}") from error
    if len(salt) != _SALT:
        raise BadInput(what=path, why=f"it has {len(salt)} bytes, not {_SALT}")
    return salt


def make_salt(path: Path) -> bytes:
    """Draw the salt and keep it durably, for its owner alone; one that is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_SALT))
            file.flush()
            os.fsync(file.fileno())
        if not path.exists():
            os.link(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    finally:
        Path(temporary).unlink()
    return load_salt(path)


def _checked(one: Recipient, found: Recipients) -> Recipient:
    """Return a recipient with a complete ``since``, or raise BadInput."""
    if one.channel == "email":
        if found.mail is None:
            raise BadInput(what=one.to, why="it needs a [mail] table with a server")
        if not _ADDRESS.fullmatch(one.to):
            raise BadInput(what=one.to, why="it is not an e-mail address")
    else:
        url = urlsplit(one.to)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _HERE):
            raise BadInput(what=one.to, why="a webhook needs https, or http on this machine")
        secret_bytes(one.secret)
    return replace(one, since=instant(one.since))


def secret_bytes(secret: str) -> bytes:
    """Return the bytes of a webhook's secret; raise BadInput for fewer than 24."""
    try:
        data = base64.b64decode(secret.removeprefix(SECRET), validate=True)
    except binascii.Error as error:
        raise BadInput(what="a webhook's secret", why="it is not base64") from error
    if not secret.startswith(SECRET) or len(data) < 24:  # noqa: PLR2004 - the specification's least
        raise BadInput(what="a webhook's secret", why=f"{SECRET} and 24 bytes of base64 are needed")
    return data
