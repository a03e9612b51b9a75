r"""How text is cut into pieces before pieces become tokens.

The regular expressions of tokenizers know Unicode categories, ``\p{L}``, and mean Unicode's
white space by ``\s``; Python's ``re`` does neither, so they are written out here as ranges of
characters, from the Unicode of Python's ``unicodedata``. What is not known is refused.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Literal

from .blocks import Refused

Rewrite = Callable[[str], str]
Split = Callable[[list[str], bool], list[str]]
"""Cuts pieces into smaller ones; told whether the first of them begins the whole text."""
Parts = list[tuple[str, bool]]
"""A text in order: what matches (true), and what lies between."""

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""From openai/gpt-2, ``encoder.py``; what ``ByteLevel`` of the tokenizers library means."""
_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = _SHORT + r"\p{N}{1,3}" + _REST
QWEN2 = _SHORT + r"\p{N}" + _REST
NAMED = {
    **dict.fromkeys(("gpt-2", "gpt2", "olmo", "jais"), (GPT2,)),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r"), (r"\p{N}", GPT2)),
    **dict.fromkeys(("llama3", "llama-v3", "llama-bpe"), (LLAMA3,)),
    **dict.fromkeys(("qwen2", "stablelm2", "deepseek-r1-qwen"), (QWEN2,)),
}
"""What ``tokenizer.ggml.pre`` of a GGUF file means (``src/llama-vocab.cpp`` of llama.cpp)."""

_SPACE = "\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
_TOKEN = re.compile(r"\\([pP])\{\^?(\w+)\}|\\(.)|(\[\^?)|(\])|(&&)|(.)", re.DOTALL)
_PLAIN = set("rntdfv\\$.^|?*+()[]{}-/'\"!#%&,:;<=>@_`~ ")
"""What may stand behind a backslash with the same meaning in Python."""


@functools.cache
def _runs() -> list[tuple[str, int, int]]:
    """Return all characters as runs of one category: (category, first, last)."""
    runs, at = [], 0
    for category, group in groupby(map(unicodedata.category, map(chr, range(sys.maxunicode + 1)))):
        length = sum(1 for _ in group)
        runs.append((category, at, at + length - 1))
        at += length
    return runs


@functools.cache
def _ranges(category: str, *, inside: bool = True) -> str:
    """Return the characters in (or not in) a category as what stands in a class's brackets."""
    known = {known for known, _, _ in _runs()}
    if not any(name.startswith(category) for name in known):
        raise Refused(f"the Unicode category {category} is not known here")
    runs = [(a, b) for name, a, b in _runs() if name.startswith(category) == inside]
    return "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in runs)


def translated(pattern: str) -> str:
    """Return a tokenizer's regular expression in Python's words; raise Refused."""
    out, within = [], False
    for found in _TOKEN.finditer(pattern):
        prop, name, escaped, opened, closed, both, _ = found.groups()
        text = found[0]
        if prop:
            ranges = _ranges(name, inside=(prop == "p") != ("{^" in text))
            text = ranges if within else f"[{ranges}]"
        elif escaped in {"s", "S"}:
            if escaped == "S" and within:
                raise Refused(f"\\S in a class is not known here: {pattern}")
            text = _SPACE if within else f"[{'^' * (escaped == 'S')}{_SPACE}]"
        elif (escaped and escaped not in _PLAIN) or both or (opened and within):
            raise Refused(f"{text} in a regular expression is not known here: {pattern}")
        within = (within or bool(opened)) and not closed
        out.append(text)
    return "".join(out)


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a tokenizer's regular expression, compiled; raise Refused."""
    try:
        return re.compile(translated(pattern))
    except re.error as error:
        raise Refused(f"a regular expression is not known here: {pattern}") from error


def splitting(pattern: str, behaviour: str = "Isolated", *, invert: bool = False) -> Split:
    """Return what cuts at each match; a match is kept apart, joined to a neighbour, or dropped."""
    regex = compiled(pattern)
    if behaviour not in _JOINS:
        raise Refused(f"the behaviour {behaviour} of a split is not known here")

    def cut(piece: str) -> list[str]:
        parts = [(text, matched != invert) for text, matched in _matches(regex, piece)]
        return _JOINS[behaviour](parts)

    return lambda pieces, _first: [part for piece in pieces for part in cut(piece)]


def _isolated(parts: Parts) -> list[str]:
    return [text for text, _ in parts]


def _removed(parts: Parts) -> list[str]:
    return [text for text, hit in parts if not hit]


def _merged_with_previous(parts: Parts) -> list[str]:
    found: list[str] = []
    gap = False
    for text, hit in parts:
        if hit and gap:
            found[-1] += text
        else:
            found.append(text)
        gap = not hit
    return found


def _merged_with_next(parts: Parts) -> list[str]:
    back = _merged_with_previous([(text[::-1], hit) for text, hit in reversed(parts)])
    return [text[::-1] for text in reversed(back)]


_JOINS: dict[str, Callable[[Parts], list[str]]] = {
    "Isolated": _isolated,
    "Removed": _removed,
    "MergedWithPrevious": _merged_with_previous,
    "MergedWithNext": _merged_with_next,
}


def _matches(regex: re.Pattern[str], text: str) -> Iterator[tuple[str, bool]]:
    """Yield all of *text* in order: what matches, and what lies between."""
    at = 0
    for found in regex.finditer(text):
        if found.end() == found.start():
            continue
        if found.start() > at:
            yield text[at : found.start()], False
        yield found[0], True
        at = found.end()
    if at < len(text):
        yield text[at:], False


def _alphabet() -> dict[int, str]:
    """Return the printable character that stands for each byte (openai/gpt-2, ``encoder.py``)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {b: chr(256 + n) for n, b in enumerate(others)}


ALPHABET = _alphabet()
BYTES = {character: byte for byte, character in ALPHABET.items()}


def to_bytes(pieces: list[str], _first: bool) -> list[str]:
    """Write each byte of pieces as a character of the alphabet."""
    encoded = (piece.encode("utf-8", "surrogatepass") for piece in pieces)
    return ["".join(map(ALPHABET.__getitem__, data)) for data in encoded]


def metaspace(said: dict[str, Any]) -> Split:
    """Return SentencePiece's cutting: spaces become ▁, and pieces begin with it."""
    mark, scheme = _words(said.get("replacement", "▁")), said.get("prepend_scheme", "always")
    cut = splitting(re.escape(mark), "MergedWithNext") if said.get("split", True) else None

    def split(pieces: list[str], first: bool) -> list[str]:
        found = []
        for number, piece in enumerate(pieces):
            text = piece.replace(" ", mark)
            begins = scheme == "always" or (scheme == "first" and first and number == 0)
            found.append(mark + text if begins and not text.startswith(mark) else text)
        return cut(found, first) if cut else found

    return split


def splits_of(said: dict[str, Any] | None) -> list[Split]:
    """Return the cuts that a ``pre_tokenizer`` of tokenizer.json names; raise Refused."""
    kind = said["type"] if said else "Sequence"
    said = said or {"pretokenizers": []}
    if kind == "Sequence":
        return [split for part in said["pretokenizers"] for split in splits_of(part)]
    if kind == "Split":
        return [splitting(_pattern(said), said["behavior"], invert=said.get("invert", False))]
    if kind == "Digits":
        return [splitting(r"\p{N}" if said.get("individual_digits") else r"\p{N}+")]
    if kind == "ByteLevel":
        prefixed: list[Split] = [_spaced] if said.get("add_prefix_space") else []
        regex = [splitting(GPT2)] if said.get("use_regex", True) else []
        return [*prefixed, *regex, to_bytes]
    if kind == "Metaspace":
        return [metaspace(said)]
    raise Refused(f"the pre-tokenizer {kind} is not known here")


def _words(said: Any) -> str:
    if not isinstance(said, str):
        raise Refused(f"the tokenizer has {said!r:.80} where a text belongs")
    return said


def _spaced(pieces: list[str], _first: bool) -> list[str]:
    return [piece if piece.startswith(" ") else f" {piece}" for piece in pieces]


def _pattern(said: dict[str, Any]) -> str:
    pattern = said["pattern"]
    return str(pattern["Regex"]) if "Regex" in pattern else re.escape(pattern["String"])


_NORMAL: dict[str, Literal["NFC", "NFD", "NFKC", "NFKD"]] = {
    "NFC": "NFC", "NFD": "NFD", "NFKC": "NFKC", "NFKD": "NFKD",
}  # fmt: skip


def rewrites_of(said: dict[str, Any] | None) -> list[Rewrite]:
    """Return the rewritings that a ``normalizer`` of tokenizer.json names; raise Refused."""
    kind = said["type"] if said else "Sequence"
    said = said or {"normalizers": []}
    if kind == "Sequence":
        return [rewrite for part in said["normalizers"] for rewrite in rewrites_of(part)]
    if kind in _NORMAL:
        return [functools.partial(unicodedata.normalize, _NORMAL[kind])]
    if kind == "Prepend":
        prefix = _words(said["prepend"])
        return [lambda text: prefix + text if text else text]
    if kind == "Replace":
        regex, content = compiled(_pattern(said)), _words(said["content"])
        return [lambda text: regex.sub(lambda _: content, text)]
    raise Refused(f"the normalizer {kind} is not known here")
