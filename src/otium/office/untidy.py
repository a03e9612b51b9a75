"""JSON, calls and names as models write them: single quotes, bare keys, broken off in the middle.

Each function reads forward only, so that the work grows with the text's length and no faster.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_STRICT = json.JSONDecoder(strict=False)
_DEEPEST = 24
"""Objects nested more deeply than this are not read."""
_BLANK = re.compile(r"[\s\ufeff]*")
_BARE = re.compile(r"[^\s,:=(){}\[\]\"'`]{1,60}")
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
_STOPS = {close: re.compile(rf"[\\{close}]") for close in _QUOTES.values()}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": " ", "f": " "}
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "none": None}
_KEY = re.compile(r"\s{0,20}[:=]")


class _Form(NamedTuple):
    """How a group closes, and what stands behind a quote that closes a value in it."""

    close: str
    after: re.Pattern[str]


def _form(close: str) -> _Form:
    shut = "".join("\\" + letter for letter in close)
    key = r"[\"'{\[\u201c\u2018]?[\w-]{1,40}[\"'\u201d\u2019]?\s{0,20}[:=]"
    return _Form(close, re.compile(rf"\s{{0,200}}(?:[{shut}]|$|,\s{{0,200}}(?:[{shut}]|$|{key}))"))


_OBJECT, _CALL = _form("}]"), _form(")")
_LIST = _Form("]}", re.compile(r"\s{0,200}(?:[,}\]]|$)"))


class Parsed(NamedTuple):
    """A value, where it ends, whether it was closed, and which key broke off."""

    value: object
    end: int
    whole: bool
    cut: str = ""


def bare(text: str) -> str:
    """Return the letters and digits of *text* alone, in lower case."""
    return re.sub(r"[\W_]+", "", text.lower())


def parse(text: str, start: int) -> Parsed:
    """Read the object that begins at *start*, however untidily it is written."""
    try:
        value, end = _STRICT.raw_decode(text, start)
    except (ValueError, RecursionError):  # no JSON, too deep, or a number too long to be one
        return _group(text, start, _DEEPEST, _OBJECT)
    return Parsed(value, end, whole=True)


def parse_call(text: str, start: int) -> Parsed:
    """Read the arguments between the parentheses that open at *start*; ``"0"`` is the first."""
    return _group(text, start, _DEEPEST, _CALL)


def _group(text: str, start: int, depth: int, form: _Form) -> Parsed:
    value: dict[str, object] = {}
    place = start + 1
    while True:
        place = _skip(text, place, ",;")
        if place >= len(text):
            return Parsed(value, place, whole=False)
        if text[place] in form.close:
            return Parsed(value, place + 1, whole=True)
        key, begins = _key(text, place)
        if begins < 0:
            if form is not _CALL:
                # Not an object after all, such as {some words}: the caller goes on behind it.
                return Parsed(value, max(place, start + 1), whole=False)
            key, begins = str(len(value)), place
        inner = _value(text, begins, depth - 1, form)
        if inner.end == begins and inner.whole:
            return Parsed(value, max(place, start + 1), whole=False)
        if inner.whole or inner.value not in (None, {}, []):
            value.setdefault(key, inner.value)
        if not inner.whole:
            return Parsed(value, inner.end, whole=False, cut=inner.cut or key)
        place = inner.end


def _key(text: str, place: int) -> tuple[str, int]:
    """Return a key and where its value begins, -1 if no key stands at *place*."""
    if text[place] in _QUOTES:
        close = text.find(_QUOTES[text[place]], place + 1, place + 80)
        key, end = text[place + 1 : close], close + 1
        if close < 0:
            return "", -1
    else:
        bare = _BARE.match(text, place)
        if bare is None:
            return "", -1
        key, end = bare.group(), bare.end()
    colon = _KEY.match(text, end)
    return (key, _skip(text, colon.end(), ">")) if colon else ("", -1)


def _value(text: str, start: int, depth: int, form: _Form) -> Parsed:
    letter = text[start : start + 1]
    if letter == "{" and depth:
        return _group(text, start, depth, _OBJECT)
    if letter == "[" and depth:
        return _list(text, start, depth)
    if letter in _QUOTES:
        return _string(text, start, form)
    bare = _BARE.match(text, start)
    if bare is None:
        return Parsed(None, start, whole=bool(letter))
    word = bare.group()
    return Parsed(_WORDS.get(word.lower(), word), bare.end(), whole=bare.end() < len(text))


def _list(text: str, start: int, depth: int) -> Parsed:
    values: list[object] = []
    place = start + 1
    while True:
        place = _skip(text, place, ",")
        if place >= len(text):
            return Parsed(values, place, whole=False)
        if text[place] in _LIST.close:
            return Parsed(values, place + 1, whole=True)
        inner = _value(text, place, depth - 1, _LIST)
        if inner.end == place:
            return Parsed(values, place + 1, whole=False)
        values.append(inner.value)
        if not inner.whole:
            return Parsed(values, inner.end, whole=False, cut=inner.cut)
        place = inner.end


def _string(text: str, start: int, form: _Form) -> Parsed:
    """Read a string; a quote closes it only where what follows fits."""
    close = _QUOTES[text[start]]
    parts: list[str] = []
    place = start + 1
    while found := _STOPS[close].search(text, place):
        parts.append(text[place : found.start()])
        place = found.end()
        if found.group() == "\\":
            letter = text[place : place + 1]
            parts.append(_letter(text, place) if letter == "u" else _ESCAPES.get(letter, letter))
            place += 5 if letter == "u" else 1
        elif form.after.match(text, place):
            return Parsed("".join(parts), place, whole=True)
        else:
            parts.append(close)
    parts.append(text[place:])
    return Parsed("".join(parts), len(text), whole=False)


def _letter(text: str, place: int) -> str:
    try:
        return chr(int(text[place + 1 : place + 5], 16))
    except ValueError:
        return ""


def _skip(text: str, place: int, also: str) -> int:
    """Return the first place that is neither blank nor one of the letters in *also*."""
    while True:
        blank = _BLANK.match(text, place)
        place = blank.end() if blank else place
        if place >= len(text) or text[place] not in also:
            return place
        place += 1
