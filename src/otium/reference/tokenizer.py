"""From text to tokens and back, as ``tokenizer.json`` or the metadata of a GGUF file says.

Two algorithms. *Byte-pair encoding* joins the best pair of neighbours until none is known: the
best is the one learned first, or in SentencePiece's files the one whose join has the highest
score; of equals, the leftmost. *Unigram* takes the cut with the highest sum of scores.
"""

from __future__ import annotations

import functools
import heapq
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .blocks import Refused
from .files import Files
from .splitting import BYTES, NAMED, Rewrite, Split, rewrites_of, splits_of, splitting, to_bytes

Rank = Callable[[str, str], float | None]
"""How early two neighbours are joined (the least first), None for never."""
_UNLIKELY = 10.0
"""How much worse than the worst piece an unknown character is (SentencePiece)."""
_NORMAL, _UNKNOWN, _CONTROL, _GIVEN, _BYTE = 1, 2, 3, 4, 6
"""``tokenizer.ggml.token_type``."""


@dataclass(frozen=True)
class Added:
    """A text that is one token wherever it stands, before anything else is done."""

    content: str
    token: int
    special: bool = True
    normalized: bool = False
    lstrip: bool = False
    rstrip: bool = False

    @property
    def pattern(self) -> str:
        """Return what it matches: itself, with the white space that it swallows."""
        return r"\s*" * self.lstrip + re.escape(self.content) + r"\s*" * self.rstrip


@dataclass(kw_only=True, repr=False)
class Tokenizer:
    """A model's tokenizer."""

    pieces: Mapping[str, int]
    """Each token's text as it is stored: the token."""
    model: Callable[[str], list[int]]
    """Encodes one piece of text."""
    added: Sequence[Added]
    rewrites: Sequence[Rewrite] = ()
    splits: Sequence[Split] = ()
    before: Sequence[int] = ()
    after: Sequence[int] = ()
    byte_level: bool
    ends: Sequence[int] = ()
    """The tokens with which an answer ends."""

    def __post_init__(self) -> None:
        """Prepare what both directions look up; raise Refused for what is no text or no token."""
        texts = [*self.pieces, *(one.content for one in self.added)]
        if not all(isinstance(text, str) for text in texts):
            raise Refused("the tokenizer has pieces that are no texts")
        of_added = (one.token for one in self.added)
        for token in (*self.pieces.values(), *of_added, *self.before, *self.after, *self.ends):
            _check(token)
        self._texts = {token: text for text, token in self.pieces.items()}
        self._added = {one.token: one for one in self.added}

    def encode(self, text: str) -> list[int]:
        """Return the tokens of *text*, in which special tokens may be written out."""
        tokens, begun = list(self.before), False
        plain = [one for one in self.added if not one.normalized]
        for part, token in _found(text, plain):
            tokens += self._tokens(part, first=not begun) if token is None else [token]
            begun = True
        return [*tokens, *self.after]

    def _tokens(self, text: str, *, first: bool) -> Iterator[int]:
        """Yield the tokens of a text without special tokens, but for those of rewritten text."""
        for rewrite in self.rewrites:
            text = rewrite(text)
        for part, token in _found(text, [one for one in self.added if one.normalized]):
            if token is not None:
                yield token
            else:
                pieces = [part]
                for split in self.splits:
                    pieces = split(pieces, first)
                for piece in pieces:
                    yield from self.model(piece)
            first = False

    def bytes_of(self, token: int) -> bytes:
        """Return what a token stands for; raise Refused if it is none."""
        if token in self._added:
            return self._added[token].content.encode("utf-8", "surrogateescape")
        text = self._texts.get(token)
        if text is None:
            return b""  # a row of the matrix that no text has: embeddings are often padded
        if self.byte_level:
            return bytes(BYTES[c] for c in text if c in BYTES)
        if (byte := re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", text)) is not None:
            return bytes([int(byte[1], 16)])
        return text.replace("▁", " ").encode("utf-8", "surrogateescape")

    def decode(self, tokens: Sequence[int], *, special: bool = True) -> str:
        """Return the text of tokens, with or without special ones."""
        kept = (t for t in tokens if special or not (t in self._added and self._added[t].special))
        return b"".join(map(self.bytes_of, kept)).decode("utf-8", "replace")


def _check(token: Any) -> None:
    if not isinstance(token, int) or token < 0:
        raise Refused(f"the tokenizer has {token!r:.80} where a token belongs")


def _found(text: str, added: Sequence[Added]) -> Iterator[tuple[str, int | None]]:
    """Yield the parts of a text in order: added tokens (the longest first), and the rest."""
    longest = sorted(added, key=lambda one: -len(one.content))
    regex = "|".join(f"({one.pattern})" for one in longest if one.content)
    at = 0
    for found in re.finditer(regex, text) if regex else ():
        if found.start() > at:
            yield text[at : found.start()], None
        yield found[0], longest[(found.lastindex or 1) - 1].token
        at = found.end()
    if at < len(text):
        yield text[at:], None


def joined(symbols: list[str], rank: Rank) -> list[str]:
    """Join the best pair of neighbours until no pair has a rank."""
    after = [*range(1, len(symbols)), -1]
    before = [-1, *range(len(symbols) - 1)]
    heap: list[tuple[float, int, str, int, str]] = []

    def offer(left: int, right: int) -> None:
        if left >= 0 and right >= 0:
            found = rank(symbols[left], symbols[right])
            if found is not None:
                heapq.heappush(heap, (found, left, symbols[left], right, symbols[right]))

    for left in range(len(symbols) - 1):
        offer(left, left + 1)
    while heap:
        _, left, a, right, b = heapq.heappop(heap)
        if symbols[left] != a or symbols[right] != b or after[left] != right:
            continue  # one of the two was joined to another meanwhile
        symbols[left], symbols[right] = a + b, ""
        after[left] = after[right]
        if after[right] >= 0:
            before[after[right]] = left
        offer(before[left], left)
        offer(left, after[left])
    return [symbol for symbol in symbols if symbol]


def _unigram(pieces: Mapping[str, float], text: str) -> list[str]:
    """Return the cut of *text* with the highest sum of scores; unknown characters are allowed."""
    longest = max(map(len, pieces), default=1)
    unknown = min(pieces.values(), default=0.0) - _UNLIKELY
    best: list[tuple[float, int]] = [(0.0, 0)] + [(-float("inf"), 0)] * len(text)
    for start in range(len(text)):
        for end in range(start + 1, min(start + longest, len(text)) + 1):
            score = pieces.get(text[start:end], unknown if end == start + 1 else None)
            if score is not None and best[start][0] + score > best[end][0]:
                best[end] = (best[start][0] + score, start)
    cut, at = [], len(text)
    while at:
        cut.append(text[best[at][1] : at])
        at = best[at][1]
    return cut[::-1]


def _looked_up(
    symbols: Sequence[str],
    pieces: Mapping[str, int],
    unknown: int | None,
    *,
    fallback: bool,
    fuse: bool,
) -> list[int]:
    """Return symbols as tokens: whole, else as bytes if there are tokens for them, else unknown."""
    tokens: list[int] = []
    for symbol in symbols:
        if symbol in pieces:
            tokens.append(pieces[symbol])
            continue
        written = [f"<0x{byte:02X}>" for byte in symbol.encode("utf-8", "surrogatepass")]
        if fallback and all(byte in pieces for byte in written):
            tokens += [pieces[byte] for byte in written]
        elif unknown is not None and not (fuse and tokens and tokens[-1] == unknown):
            tokens.append(unknown)
    return tokens


def _coder(
    cut: Callable[[str], list[str]],
    pieces: Mapping[str, int],
    *,
    unknown: int | None = None,
    fallback: bool = False,
    fuse: bool = False,
    whole: bool = False,
) -> Callable[[str], list[int]]:
    if unknown is not None:
        _check(unknown)

    @functools.lru_cache(maxsize=1 << 16)
    def code(text: str) -> tuple[int, ...]:
        symbols = [text] if whole and text in pieces else cut(text)
        return tuple(_looked_up(symbols, pieces, unknown, fallback=fallback, fuse=fuse))

    return lambda text: list(code(text))


# From the metadata of a GGUF file


def from_gguf(said: Mapping[str, Any]) -> Tokenizer:
    """Return the tokenizer that a GGUF file's metadata describes; raise Refused."""
    texts, kinds = said["tokenizer.ggml.tokens"], said.get("tokenizer.ggml.token_type", [])
    kinds = kinds or [_NORMAL] * len(texts)
    if len(kinds) != len(texts):
        raise Refused("there are not as many kinds of tokens as tokens")
    pieces = {text: token for token, text in reversed(list(enumerate(texts)))}
    added = [
        Added(text, token, special=kind != _GIVEN)
        for token, (text, kind) in enumerate(zip(texts, kinds, strict=True))
        if kind in {_UNKNOWN, _CONTROL, _GIVEN} and text
    ]
    model, pre = said["tokenizer.ggml.model"], said.get("tokenizer.ggml.pre", "default")
    llama3 = NAMED.get(pre) == NAMED["llama3"]
    begins = said.get("tokenizer.ggml.add_bos_token", model == "llama" or llama3)
    closes = said.get("tokenizer.ggml.add_eos_token", False)
    first, last = (said.get(f"tokenizer.ggml.{n}_token_id") for n in ("bos", "eos"))
    names = ("eos_token_id", "eot_token_id")
    shared: dict[str, Any] = {
        "pieces": pieces,
        "added": added,
        "before": [first] if begins and first is not None else [],
        "after": [last] if closes and last is not None else [],
        "ends": [said[f"tokenizer.ggml.{n}"] for n in names if f"tokenizer.ggml.{n}" in said],
    }
    if model == "gpt2":
        if pre not in NAMED:
            raise Refused(f"the pre-tokenizer {pre} is not known here")
        cut = _merging(m.split(" ", 1) for m in said["tokenizer.ggml.merges"])
        splits = [*map(splitting, NAMED[pre]), to_bytes]
        coder = _coder(cut, pieces, whole=llama3)
        return Tokenizer(**shared, model=coder, splits=splits, byte_level=True)
    if model != "llama":
        raise Refused(f"the tokenizer {model} is not known here")
    return Tokenizer(**shared, **_sentencepiece(said, texts, pieces), byte_level=False)


def _sentencepiece(
    said: Mapping[str, Any], texts: Sequence[str], pieces: Mapping[str, int]
) -> dict[str, Any]:
    """Return how SentencePiece's byte-pair encoding works on a GGUF file's scores."""
    scores = said["tokenizer.ggml.scores"]
    if len(scores) != len(texts):
        raise Refused("there are not as many scores as tokens")
    if not all(isinstance(score, int | float) for score in scores):
        raise Refused("the scores of tokens are no numbers")

    def rank(left: str, right: str) -> float | None:
        token = pieces.get(left + right)
        return None if token is None else -scores[token]

    prefix = "▁" if said.get("tokenizer.ggml.add_space_prefix", True) else ""
    return {
        "model": _coder(
            lambda text: joined(list(text), rank),
            pieces,
            unknown=said.get("tokenizer.ggml.unknown_token_id"),
            fallback=True,
        ),
        "rewrites": [lambda text: prefix + text.replace(" ", "▁")],
    }


def _merging(merges: Any) -> Callable[[str], list[str]]:
    ranks = {(left, right): number for number, (left, right) in enumerate(merges)}
    return lambda text: joined(list(text), lambda left, right: ranks.get((left, right)))


# From a tokenizer.json


def from_json(said: Mapping[str, Any], config: Mapping[str, Any]) -> Tokenizer:
    """Return the tokenizer that a tokenizer.json describes; raise Refused."""
    model = said["model"]
    added = []
    for one in said.get("added_tokens", []):
        if one.get("single_word"):
            raise Refused("added tokens that are whole words are not known here")
        flags = {k: one.get(k, False) for k in ("special", "normalized", "lstrip", "rstrip")}
        added.append(Added(one["content"], one["id"], **flags))
    before, after = _framed(said.get("post_processor"))
    ends = config.get("eos_token_id")
    coder, pieces = _from_model(model)
    return Tokenizer(
        pieces=pieces,
        model=coder,
        added=added,
        rewrites=rewrites_of(said.get("normalizer")),
        splits=splits_of(said.get("pre_tokenizer")),
        before=before,
        after=after,
        byte_level='"ByteLevel"' in _types(said.get("pre_tokenizer")),
        ends=ends if isinstance(ends, list) else [] if ends is None else [ends],
    )


def _types(said: Any) -> str:
    """Return the type names of a component and its parts, quoted."""
    if not isinstance(said, dict):
        return ""
    return f'"{said.get("type")}"' + "".join(map(_types, said.get("pretokenizers", [])))


def _from_model(model: Mapping[str, Any]) -> tuple[Callable[[str], list[int]], Mapping[str, int]]:
    kind = model.get("type")
    fallback = bool(model.get("byte_fallback"))
    if kind == "Unigram":
        scores = {text: float(score) for text, score in model["vocab"]}
        pieces = {text: token for token, (text, _) in reversed(list(enumerate(model["vocab"])))}
        cut = functools.partial(_unigram, scores)
        unknown = model.get("unk_id")
        return _coder(cut, pieces, unknown=unknown, fallback=fallback, fuse=True), pieces
    for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(key):
            raise Refused(f"{key} of a tokenizer is not known here")
    if kind != "BPE":
        raise Refused(f"the tokenizer {kind} is not known here")
    pieces = model["vocab"]
    merges = (m.split(" ", 1) if isinstance(m, str) else m for m in model["merges"])
    coder = _coder(
        _merging(merges),
        pieces,
        unknown=pieces.get(model.get("unk_token")),
        fallback=fallback,
        fuse=bool(model.get("fuse_unk")),
        whole=bool(model.get("ignore_merges")),
    )
    return coder, pieces


def _framed(said: Mapping[str, Any] | None) -> tuple[list[int], list[int]]:
    """Return the tokens that a ``post_processor`` puts before and after one text."""
    kind = said["type"] if said else "ByteLevel"
    if kind == "ByteLevel" or said is None:
        return [], []  # it moves offsets, which nobody asks for here
    if kind == "Sequence":
        parts = [_framed(one) for one in said["processors"]]
        return [t for b, _ in parts for t in b], [t for _, a in parts for t in a]
    if kind != "TemplateProcessing":
        raise Refused(f"the post-processor {kind} is not known here")
    before: list[int] = []
    after: list[int] = []
    side = before
    for one in said["single"]:
        if "SpecialToken" in one:
            side += said["special_tokens"][one["SpecialToken"]["id"]]["ids"]
        else:
            side = after
    return before, after


def tokenizer_of(files: Files) -> Tokenizer:
    """Return the tokenizer of a model; raise Refused for what is not known or makes no sense."""
    try:
        if files.gguf:
            return from_gguf(files.gguf)
        if not files.tokenizer:
            raise Refused("there is no tokenizer.json")
        return from_json(files.tokenizer, files.config)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"the tokenizer makes no sense: {type(error).__name__} {error}") from error
