"""Time-stamping authorities: which ones are trusted, and how to ask one (RFC 3161)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from otium.errors import BadData, BadTimestamp
from otium.records import Part

if TYPE_CHECKING:
    import httpx2
    from rfc3161_client import TimeStampRequest

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LONGEST_REPLY = 1 << 18
_OK = 200


class Authority(Part):
    """A time-stamping authority that is trusted."""

    name: str
    """``[a-z0-9-]``, at most 40; it stands in the names of its tokens."""
    certificates: bytes
    """PEM: its root, and any certificate between the root and the one that signs."""
    url: str = ""
    """Where it is asked, http or https; empty for one whose old tokens are only verified."""


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    certificates: str
    url: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    authority: list[_Line]


def read_authorities(path: Path) -> tuple[Authority, ...]:
    """Return the authorities in a TOML file; their certificate files lie relative to it.

    Raises BadData for a file that cannot be read or used.
    """
    try:
        lines = msgspec.convert(tomllib.loads(path.read_text()), _File).authority
        found = tuple(_authority(line, path.parent) for line in lines)
    except FileNotFoundError as error:
        which = "it" if error.filename == str(path) else error.filename
        why = f"{which} does not exist (docs/how-to/be-a-witness.md says what belongs there)"
        raise BadData(path=path, why=why) from error
    except OSError as error:
        raise BadData(path=path, why=error.strerror) from error
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise BadData(path=path, why=error) from error
    if len({one.name for one in found}) != len(found):
        raise BadData(path=path, why="two authorities have the same name")
    return found


def request_token(authority: Authority, data: bytes, *, patience: float = 20.0) -> bytes:
    """Return the reply of *authority* with a token over the SHA-256 of *data*, unverified.

    Waits *patience* seconds for each part of the answer. Raises BadTimestamp without one.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

    builder = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256)
    request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    reply = _post(authority, request, patience)
    try:
        decoded = decode_timestamp_response(reply)
        if decoded.status != 0:
            why = f"status {decoded.status} {' '.join(decoded.status_string)}".rstrip()
            raise BadTimestamp(name=authority.name, why=why)
        if decoded.tst_info.nonce != request.nonce:
            raise BadTimestamp(name=authority.name, why="it answers another request")
    except ValueError as error:
        raise BadTimestamp(name=authority.name, why=error) from error
    return reply


def _authority(line: _Line, folder: Path) -> Authority:
    from cryptography.x509 import load_pem_x509_certificates

    if not _NAME.fullmatch(line.name):
        raise ValueError(f"the name {line.name!r} is not 1 to 40 of a-z, 0-9 and '-'")
    if line.url and not line.url.startswith(("http://", "https://")):
        raise ValueError(f"{line.url!r} is not an http or https address")
    certificates = (folder / line.certificates).read_bytes()
    load_pem_x509_certificates(certificates)
    return Authority(name=line.name, url=line.url, certificates=certificates)


def _post(authority: Authority, request: TimeStampRequest, patience: float) -> bytes:
    """Send the request as RFC 3161, 3.4 has it."""
    import httpx2

    headers = {"Content-Type": "application/timestamp-query", "Connection": "close"}
    url = authority.url
    try:
        with (
            httpx2.Client(timeout=patience, verify=url.startswith("https:")) as client,
            client.stream("POST", url, content=request.as_bytes(), headers=headers) as reply,
        ):
            return _body(authority, reply)
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
        why = f"{authority.url}: {type(error).__name__} {error}".rstrip()
        raise BadTimestamp(name=authority.name, why=why) from error


def _body(authority: Authority, reply: httpx2.Response) -> bytes:
    kind = reply.headers.get("content-type", "").partition(";")[0].strip()
    if reply.status_code != _OK or kind != "application/timestamp-reply":
        why = f"{authority.url} answered {reply.status_code} {kind}".rstrip()
        raise BadTimestamp(name=authority.name, why=why)
    data = bytearray()
    for chunk in reply.iter_bytes():
        data += chunk
        if len(data) > _LONGEST_REPLY:
            raise BadTimestamp(name=authority.name, why="its reply is too long")
    return bytes(data)
