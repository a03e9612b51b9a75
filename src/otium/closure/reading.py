"""Reading the exit off an answer: whole, or as it comes.

A stream is held back only while it may still become an exit. Whoever does something else as well
(calls another tool, goes on after the mark) does not leave.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from otium.closure.records import GIVEN, Json, Left, Offered, Reason

_TAIL = re.compile(r"[ \t]*[:\-,]?[ \t]*([a-z-]*)[ \t]*[.]?")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_THINKING = re.compile(r"<(think|thinking|reasoning)>(?!.*</\1>)", re.DOTALL | re.IGNORECASE)
_MARKUP = " \t`*_>"


class Reader:
    """Reads one stream of chunks in the shape of OpenAI's chat completions.

    `feed` returns what may be passed on; `finish` what was held and is no exit. After it, `left`
    says whether the model left.
    """

    def __init__(self, offered: Offered) -> None:
        """Read an answer to *offered*."""
        self.left: Left | None = None
        self._mark = offered.name if offered.method == "sentinel" else ""
        self._exit = offered.name
        self._held: list[Json] = []
        self._calls: dict[int, dict[str, str]] = {}
        self._other = False
        """Whether it called a tool of the client's, and so does not leave."""
        self._texts: list[str] = []
        self._end = ""
        """The text's end, from where the mark may begin."""
        self._spoilt = False
        """Whether the line has other words already, so that no mark can stand on it."""
        self._cut = False

    def unread(self, event: bytes) -> bool:
        """Return whether an event may be passed on as it is, without even being decoded."""
        return not self._mark and not self._held and b'"tool_calls"' not in event

    def feed(self, chunk: Json) -> list[Json]:
        """Return the chunks that may be passed on now."""
        choices: Any = chunk.get("choices")
        first: Any = choices[0] if isinstance(choices, list) and choices else None
        delta: Any = first.get("delta") if isinstance(first, dict) else None
        if not isinstance(delta, dict):
            return self._pass(chunk)
        if self._mark:
            self._cut = self._cut or first.get("finish_reason") == "length"
            return self._marked(chunk, delta.get("content"))
        calls = delta.get("tool_calls")
        return self._called(chunk, calls) if calls else self._pass(chunk)

    def finish(self) -> list[Json]:
        """Return what was held, if it is no exit; otherwise `left` is set."""
        held, self._held = self._held, []
        reason = self._reason_of_mark() if self._mark else self._reason_of_call()
        if reason is None:
            return [it for it in map(self._without, held) if it is not None]
        self.left = Left(reason=reason, text=self._unsaid(held))
        return []

    def _pass(self, chunk: Json) -> list[Json]:
        if not self._held:
            return [chunk]
        self._held.append(chunk)
        return []

    # A tool call

    def _called(self, chunk: Json, calls: object) -> list[Json]:
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping):
                self._gather(call)
        self._held.append(chunk)
        self._other = self._other or any(
            not self._exit.startswith(call["name"]) for call in self._calls.values()
        )
        if not self._other:
            return []
        held, self._held = self._held, []
        return [it for it in map(self._without, held) if it is not None]

    def _gather(self, call: Mapping[str, object]) -> None:
        index = call.get("index")
        whole = self._calls.setdefault(
            index if isinstance(index, int) else 0, {"name": "", "arguments": ""}
        )
        function = call.get("function")
        for name, piece in function.items() if isinstance(function, Mapping) else ():
            if name in whole and isinstance(piece, str):
                whole[name] += piece

    def _reason_of_call(self) -> Reason | None:
        if self._other or not self._calls:
            return None
        calls = [call for call in self._calls.values() if call["name"]]
        if not calls or any(call["name"] != self._exit for call in calls):
            return None
        return stated(calls[0]["arguments"])

    def _without(self, chunk: Json) -> Json | None:
        """Return a chunk without calls of the exit, which the client's tools do not have."""
        choices: Any = chunk.get("choices")
        first: Any = choices[0] if isinstance(choices, list) and choices else {}
        delta: Any = first.get("delta") or {}
        calls = delta.get("tool_calls")
        if not isinstance(calls, list):
            return chunk
        kept = [it for it in calls if not self._is_exit(it)]
        if len(kept) == len(calls):
            return chunk
        rest = {name: it for name, it in delta.items() if name != "tool_calls"}
        if kept:
            rest["tool_calls"] = kept
        if not rest and first.get("finish_reason") is None:
            return None
        return {**chunk, "choices": [{**first, "delta": rest}]}

    def _is_exit(self, call: object) -> bool:
        index = call.get("index") if isinstance(call, Mapping) else None
        whole = self._calls.get(index if isinstance(index, int) else 0)
        return whole is not None and whole["name"] == self._exit

    # A mark

    def _marked(self, chunk: Json, content: object) -> list[Json]:
        if not isinstance(content, str) or not content:
            return self._pass(chunk)
        self._texts.append(content)
        if self._spoilt:
            place = content.find("\n")
            if place < 0:
                return [chunk]
            self._spoilt, self._end, content = False, "", content[place + 1 :]
        place = content.rstrip().rfind("\n")
        before: list[Json] = []
        if place >= 0:  # the last line begins in this chunk: what was held before is no mark
            before, self._held = self._held, []
            self._end, content = "", content[place + 1 :]
        self._end += content
        if self._may_be_mark():
            self._held.append(chunk)
            return before
        self._end = self._end.rpartition("\n")[2]
        self._spoilt = bool(self._end.strip(_MARKUP))
        held, self._held = self._held, []
        return [*before, *held, chunk]

    def _may_be_mark(self) -> bool:
        """Return whether the last line that is not blank may be the mark, or its beginning."""
        last = self._end.rstrip().rpartition("\n")[2].strip(_MARKUP)
        mark = self._mark
        if len(last) <= len(mark):
            return bool(last) and mark.startswith(last)
        return last.startswith(mark) and _reason_after(last[len(mark) :], partly=True) is not None

    def _reason_of_mark(self) -> Reason | None:
        if self._cut:
            return None
        return marked("".join(self._texts), self._mark)

    def _unsaid(self, held: Iterable[Json]) -> str:
        texts = [_content(it) for it in held]
        said = "".join(texts)
        if not self._mark:
            return said
        return said[: max(0, said.rfind(self._mark))].rstrip("*_ \t\n")


def marked(text: str, mark: str) -> Reason | None:
    """Return the reason if *text* ends with *mark* on a line of its own, None if it does not.

    A mark in a block of code or in unfinished thinking is spoken of, not made.
    """
    whole = text.rstrip()
    before, _, last = whole.rpartition("\n")
    last = last.strip(_MARKUP)
    if not last.startswith(mark) or len(_FENCE.findall(before)) % 2 or _THINKING.search(before):
        return None
    return _reason_after(last[len(mark) :])


def _reason_after(rest: str, *, partly: bool = False) -> Reason | None:
    """Return the reason that stands behind a mark; ``unstated`` for none; None for other words."""
    found = _TAIL.fullmatch(rest)
    if found is None:
        return None
    word = found[1]
    if not word or (partly and any(it.startswith(word) for it in GIVEN)):
        return "unstated"
    return cast("Reason", word) if word in GIVEN else None


def read(answer: Json, offered: Offered) -> tuple[Left | None, Json]:
    """Return whether the model left by a whole *answer*, and the answer without an exit."""
    choices: Any = answer.get("choices")
    first: Any = choices[0] if isinstance(choices, list) and choices else None
    message: Any = first.get("message") if isinstance(first, dict) else None
    if not isinstance(message, dict):
        return None, answer
    content = message.get("content")
    text = content if isinstance(content, str) else ""
    if offered.method == "schema":
        chosen = choice(text, offered.name)
        return (Left(reason=chosen) if chosen else None), answer
    if offered.method == "sentinel":
        reason = None if first.get("finish_reason") == "length" else marked(text, offered.name)
        said = text[: max(0, text.rfind(offered.name))].rstrip("*_ \t\n")
        return (Left(reason=reason, text=said) if reason else None), answer
    calls: list[Any] = [it for it in message.get("tool_calls") or () if isinstance(it, dict)]
    exits = [it for it in calls if _name(it) == offered.name]
    if not exits:
        return None, answer
    if len(exits) == len(calls):
        return Left(reason=stated(exits[0]["function"].get("arguments")), text=text), answer
    kept = {**message, "tool_calls": [it for it in calls if _name(it) != offered.name]}
    return None, {**answer, "choices": [{**first, "message": kept}]}


def choice(text: str, name: str) -> Reason | None:
    """Return the reason if *text* is the JSON that ends, and nothing else; None if it is not."""
    try:
        chosen = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    if (
        not isinstance(chosen, dict)
        or chosen.get("tool") != name
        or chosen.keys() - {"tool", "reason"}
    ):
        return None
    return stated(chosen)


def stated(arguments: object) -> Reason:
    """Return the stated reason if it is one of ours: free text may hold what was said."""
    try:
        given = msgspec.json.decode(arguments) if isinstance(arguments, str) else arguments
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return "unstated"
    reason = given.get("reason") if isinstance(given, Mapping) else None
    return cast("Reason", reason) if reason in GIVEN else "unstated"


def _name(call: Mapping[str, object]) -> object:
    function = call.get("function")
    return function.get("name") if isinstance(function, Mapping) else None


def _content(chunk: Json) -> str:
    choices: Any = chunk.get("choices")
    first: Any = choices[0] if isinstance(choices, list) and choices else {}
    content = (first.get("delta") or {}).get("content")
    return content if isinstance(content, str) else ""
