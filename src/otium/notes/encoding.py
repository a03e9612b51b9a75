"""Base64 in its one canonical spelling (RFC 4648, section 4)."""

from __future__ import annotations

import base64
import binascii

from otium.errors import BadNote

_SHOWN = 80


def encode64(data: bytes) -> str:
    """Return standard base64."""
    return base64.b64encode(data).decode()


def decode64(text: str) -> bytes:
    """Read standard base64 in its one canonical spelling, or raise BadNote."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote(why=f"{text[:_SHOWN]!r} is not base64") from error
    if encode64(data) != text:
        raise BadNote(why=f"{text[:_SHOWN]!r} is not canonical base64")
    return data
