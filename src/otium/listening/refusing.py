"""What a client is told whose request never came to be whole, in limits or in time."""

from __future__ import annotations

from otium.dialects import refuse
from otium.errors import Refused

_CLOSE = {"Connection": "close"}


def malformed() -> Refused:
    """Refuse what is not HTTP/1.1."""
    return refuse(400, "bad_request", "This is not a request of HTTP/1.1.", headers=_CLOSE)


def head_too_large(most: int) -> Refused:
    """Refuse a request line and headers of more than *most* bytes."""
    why = f"The address and the headers are larger than {most} bytes."
    return refuse(431, "headers_too_large", why, headers=_CLOSE)


def body_too_large(most: int) -> Refused:
    """Refuse a body of more than *most* bytes."""
    why = f"The body is larger than {most} bytes."
    return refuse(413, "request_too_large", why, headers=_CLOSE)


def too_slow(what: str, seconds: float) -> Refused:
    """Refuse because *what* of a request did not come within *seconds*."""
    why = f"The {what} did not come within {seconds:g} s."
    return refuse(408, "request_timeout", why, type="timeout", headers=_CLOSE)


def too_much_at_once() -> Refused:
    """Refuse because the requests that are being read take all the memory they may."""
    why = "Too much is being read at once. Ask again."
    headers = {**_CLOSE, "Retry-After": "5"}
    return refuse(503, "too_many_requests", why, type="service_unavailable", headers=headers)
