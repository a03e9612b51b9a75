"""The hashes of a history: what counts as the same history, whatever API it came through.

``H(k) = blake3(H(k-1) ‖ role ‖ content ‖ calls)`` over turns in a canonical form, keyed, ``H(0)``
the hash of who asks. What the form leaves out (white space, unicode's forms, system messages,
names, ids, how a turn is cut into messages and parts) is no way around an ending; what it keeps
(each letter, digit and sign of what was said, in its order) opens a branch when it is edited.
``docs/explanation/how-a-conversation-stays-closed.md`` has the reason for each.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from blake3 import blake3

Message = Mapping[str, object]

SIZE = 16
"""Bytes of a hash that are kept."""
STARTS = 64
"""From how many later messages on an ended history is closed too: clients drop the first ones."""
_SPOKEN = 24
"""Bytes that a model must have said in what is left of a history that lost its beginning."""
_CALLS, _RESULT, _PART, _ARGUMENTS = b"\x1e", b"\x1d", b"\x1c", b"\x1f"
_ROLES = {"user": b"u", "assistant": b"a", "tool": b"t", "function": b"t"}
_SYSTEM = ("system", "developer")
_UNSEEN_ASCII = bytes((*range(0x21), 0x7F))
_UNSEEN = re.compile(
    "[\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    "\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""White space, control characters, and what Unicode calls default ignorable (DerivedCoreProperties
17.0), with the braille blank, which looks like a space."""
_BESIDE = {"id", "cache_control", "annotations", "logprobs", "status", "index", "detail"}
"""Fields of a part that are not said to a model."""


def fold(text: str) -> bytes:
    """Return what *text* says, without how it is written down: NFKD, nothing that is unseen."""
    if text.isascii():
        return text.encode().translate(None, _UNSEEN_ASCII)
    seen = _UNSEEN.sub("", unicodedata.normalize("NFKD", text))
    # Marks that a blank kept apart now stand beside one another, and have an order.
    return unicodedata.normalize("NFKD", seen).encode("utf-8", "surrogatepass")


def prefixes(messages: Sequence[Message], scope: str, key: bytes) -> list[bytes]:
    """Return the hash of the history after each message in which something was said.

    *scope* is who asks; *key* has 32 bytes. The hash of system messages alone stands first, if
    the history begins with any.
    """
    start = blake3(scope.encode(), key=key).digest()
    told = b"".join(_said(it) for it in messages if it.get("role") in _SYSTEM)
    found = [_hashed(start + b"s" + told, key)[:SIZE]] if told else []
    chain = _Chain(start, key)
    for role, text, calls in _spoken(messages):
        found.append(chain.add(role, text, calls))
    return found


def endings(messages: Sequence[Message], scope: str, key: bytes) -> list[bytes]:
    """Return the hashes that close a history: its own first, then without its first messages.

    A history that lost so much that little of the model is left is another one. Empty if nothing
    was said at all: an empty history cannot be closed.
    """
    whole = prefixes(messages, scope, key)
    if not whole:
        return []
    rest = [it for it in messages if it.get("role") not in _SYSTEM]
    cut = (rest[at:] for at in range(1, min(len(rest), STARTS + 1)))
    found = [whole[-1], *(prefixes(it, scope, key)[-1] for it in cut if _telling(it))]
    return list(dict.fromkeys(found))


def _telling(messages: Sequence[Message]) -> bool:
    """Return whether what is left of a history can only come from this one."""
    said = [len(text) for role, text, _ in _spoken(messages) if role == b"a"]
    asked = sum(1 for role, _ in groupby(_spoken(messages), key=lambda it: it[0]) if role != b"a")
    return asked > 1 and max(said, default=0) >= _SPOKEN


class _Chain:
    """A chain over turns that tells its value after each message, within a turn too."""

    def __init__(self, start: bytes, key: bytes) -> None:
        self._key = key
        self._before = self._now = start
        self._role = self._first = self._called = b""
        self._hasher: blake3 | None = None

    def add(self, role: bytes, text: bytes, calls: Sequence[bytes]) -> bytes:
        """Return the value after one more message. Cost is linear, however a turn is cut."""
        if role != self._role:
            self._before, self._role = self._now, role
            self._first, self._hasher, self._called = text, None, b""
        elif self._hasher is None:
            self._hasher = blake3(self._before + role + self._first + text, key=self._key)
        else:
            self._hasher.update(text)
        for call in calls:
            self._called = _hashed(self._called + call, self._key)
        end = _CALLS + self._called
        if self._hasher is None:
            self._now = _hashed(self._before + role + text + end, self._key)
        else:
            hasher = self._hasher.copy()
            hasher.update(end)
            self._now = hasher.digest()
        return self._now[:SIZE]


def _hashed(data: bytes, key: bytes) -> bytes:
    return blake3(data, key=key).digest()


def _spoken(messages: Sequence[Message]) -> Iterator[tuple[bytes, bytes, list[bytes]]]:
    """Yield role, text and calls of each message in which something was said."""
    for message in _in_order(messages):
        role = str(message.get("role"))
        if role in _SYSTEM:
            continue
        text, calls = _said(message), message.get("tool_calls")
        called = [_call(it) for it in calls] if isinstance(calls, list | tuple) else []
        if text or called:
            mark = _ROLES.get(role) or fold(role) + _PART
            yield mark, (_RESULT + text if mark == b"t" else text), called


def _in_order(messages: Sequence[Message]) -> Iterable[Message]:
    """Put results of tools that follow one another in the order of their calls."""
    if not any(it.get("role") == "tool" for it in messages):
        return messages
    messages = [it for it in messages if it.get("role") == "tool" or not _silent(it)]
    found: list[Message] = []
    order: dict[object, int] = {}
    for is_result, run in groupby(messages, key=lambda it: it.get("role") == "tool"):
        some = list(run)
        if is_result:
            some.sort(key=lambda it: order.get(it.get("tool_call_id"), len(order)))
        else:
            order = {name: place for place, name in enumerate(_ids(some))}
        found += some
    return found


def _silent(message: Message) -> bool:
    """Return whether a message says nothing that counts: it parts no results either."""
    return message.get("role") in _SYSTEM or not (message.get("tool_calls") or _said(message))


def _ids(messages: Sequence[Message]) -> Iterator[object]:
    for message in messages:
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list | tuple) else ():
            if isinstance(call, Mapping) and isinstance(call.get("id"), str):
                yield call["id"]


def _said(message: Message) -> bytes:
    content = message.get("content")
    if isinstance(content, str):
        return fold(content)
    return b"".join(map(_part, content)) if isinstance(content, list | tuple) else b""


def _part(part: object) -> bytes:
    """Return a part of a message: its text, or, of a picture say, all that it is."""
    if isinstance(part, str):
        return fold(part)
    if not isinstance(part, Mapping):
        return b""
    for name in ("text", "refusal"):
        if isinstance(part.get(name), str):
            return fold(str(part[name]))
    return _PART + _plain({name: it for name, it in part.items() if name not in _BESIDE})


def _call(call: object) -> bytes:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return b""
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            arguments = str(arguments)
    return _PART + fold(str(function.get("name"))) + _ARGUMENTS + _plain(arguments)


def _plain(value: object) -> bytes:
    """Return JSON in one form: fields in order, texts folded, whole numbers alike."""
    try:
        return json.dumps(_ordered(value), separators=(",", ":"), sort_keys=True).encode()
    except RecursionError:
        return fold(str(value))


def _ordered(value: object) -> object:
    if isinstance(value, str):
        return fold(value).decode("utf-8", "surrogatepass")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(_ordered(str(name))): _ordered(it) for name, it in value.items()}
    if isinstance(value, list | tuple):
        return [_ordered(it) for it in value]
    return value
