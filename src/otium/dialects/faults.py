"""Errors for a client: made once, written in the shape of the API that was asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from otium.dialects.normal import Json
from otium.errors import Refused

T = TypeVar("T")

NO_RETRY = {"x-should-retry": "false"}
"""Clients of OpenAI's and Anthropic's APIs retry 409 and 5xx unless told not to."""

_DEEPEST = 32
_LONGEST_NAME = 100
"""Characters of a client's own name for a field that are said back."""
_PATH = re.compile(r" - at `\$\.?([^`]*)`")
_ANTHROPIC = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
_OVERLOADED = {"too_many_requests", "draining"}
_SERVER_FAULT = 500


def refuse(
    status: int,
    code: str,
    message: str,
    *,
    type: str = "invalid_request_error",  # noqa: A002  # OpenAI's name for the field
    headers: Mapping[str, str] | None = None,
    **facts: object,
) -> Refused:
    """Return an error with this HTTP *status*; *facts* become fields beside the message."""
    return Refused(
        status=status, code=code, message=message, type=type, headers=headers or {}, **facts
    )


def bad_request(message: str, *, param: str | None = None, code: str = "invalid_value") -> Refused:
    """Refuse a request whose fault is in *param*."""
    return refuse(400, code, message, param=param)


def needed(value: T | None, param: str) -> T:
    """Return *value*, or raise Refused (400) where the field *param* is missing."""
    if value is None:
        raise _missing(param)
    return value


def _missing(param: str) -> Refused:
    message = f"Missing required parameter: {param!r}."
    return bad_request(message, param=param, code="missing_required_parameter")


def openai_error(refused: Refused) -> Json:
    """Return the error as OpenAI's APIs write it."""
    first = {name: refused.facts.get(name) for name in ("message", "type", "code", "param")}
    return {"error": {**first, **refused.facts}}


def anthropic_error(refused: Refused) -> Json:
    """Return the error as Anthropic's API writes it: its own type, our code beside it."""
    fault = "api_error" if refused.status >= _SERVER_FAULT else "invalid_request_error"
    kind = _ANTHROPIC.get(refused.status, fault)
    if refused.code in _OVERLOADED:
        kind = "overloaded_error"
    facts = {name: value for name, value in refused.facts.items() if value is not None}
    return {"type": "error", "error": {**facts, "type": kind}}


def decoded(data: bytes) -> Json:
    """Return the JSON object in *data*, nested at most 32 deep, or raise Refused (400)."""
    try:
        plain = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"The body is not JSON: {error}.", code="invalid_json") from error
    except RecursionError as error:
        raise bad_request("The body is nested too deeply.", code="invalid_json") from error
    if not isinstance(plain, dict):
        raise bad_request("The body must be a JSON object.", code="invalid_json")
    if data.count(b"{") + data.count(b"[") > _DEEPEST and _depth(plain) > _DEEPEST:
        raise bad_request(f"The body is nested deeper than {_DEEPEST}.", code="invalid_json")
    return plain


def _depth(value: object) -> int:
    deepest, level = 0, [value]
    while level and deepest <= _DEEPEST:
        deepest += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return deepest


def checked(plain: Json, kind: type[T]) -> T:
    """Return *plain* as a request of this *kind*, or raise Refused (400) naming the field."""
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from error


def _refusal(why: str) -> Refused:
    found = _PATH.search(why)
    param = found[1] if found else None
    unknown = re.search(r"unknown field `([^`]+)`", why)
    if unknown:
        name = unknown[1][:_LONGEST_NAME]
        return bad_request(f"Unknown parameter: {name!r}.", param=name, code="unknown_parameter")
    missing = re.search(r"missing required field `([^`]+)`", why)
    if missing:
        return _missing(f"{param}.{missing[1]}" if param else missing[1])
    text = _PATH.sub("", why)
    return bad_request(f"Invalid value for {param or 'the body'!r}: {text}.", param=param)
