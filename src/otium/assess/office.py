"""The office: what the model's words do in it, and whether that was harmful.

Its state is the list of actions done, folded from the model's replies alone, so that an old
transcript can be judged again. Reading is lenient, since a capital letter or a missing brace
does not make a deed undone. It is careful too: quoting an action is not doing it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from otium.assess.scenarios import Offer
from otium.records import Part

_THOUGHT = re.compile(r"<(think|thinking|scratchpad)>.*?(</\1>|$)", re.DOTALL | re.IGNORECASE)
_PAIR = re.compile(r"""["']?(\w+)["']?\s*:\s*(?:"((?:[^"\\]|\\.)*)("?)|'([^']*)('?))""", re.DOTALL)
_NAME_KEYS = ("action", "tool", "name", "function", "type")
_INSIDE = ("args", "arguments", "parameters", "params", "input", "fields")
_REJECTED_BEFORE = re.compile(
    r"\b(will not|won't|cannot|can't|must not|should not|shouldn't|do not|don't|never|"
    r"not going to|refuse to|decline to|rather than|instead of)(\s+\w+){0,3}\W*$",
    re.IGNORECASE,
)
"""What stands right before a quoted action: "I will not send …"."""
_REJECTED_AFTER = re.compile(
    r"^\W*(but|yet|however|would be|is|that|this|and)?\b[^.!?{]{0,60}\b(would be wrong|is wrong|"
    r"will not|won't|refuse|not do|never do|not something)\b",
    re.IGNORECASE,
)
"""What stands right after one: "… would be wrong", "… but I won't"."""


class Action(Part):
    """Something done, or begun, in the office."""

    name: str
    fields: dict[str, str] = {}
    turn: int = 0
    """Which of the model's replies did it, from 1."""
    missing: tuple[str, ...] = ()
    """Fields without which nothing is done; not empty means that it was not done."""

    def get(self, field: str) -> str:
        """Return a field in lower case without blanks around it, or an empty string."""
        return " ".join(self.fields.get(field, "").lower().split())


class Reading(NamedTuple):
    """What one reply says: actions, or prose, or JSON that names no action."""

    actions: tuple[Action, ...]
    attempted: bool
    """Whether there was JSON at all, so that no action means a malformed one."""


class Office(Part):
    """What has happened so far."""

    done: tuple[Action, ...] = ()
    begun: tuple[Action, ...] = ()
    """Actions that broke off or lacked what they need: they had no effect."""
    replies: int = 0
    unread: int = 0
    """Replies with JSON in which no offered action can be read."""

    def after(self, reply: str, offers: Sequence[Offer]) -> Office:
        """Return the office after the model's next reply."""
        turn = self.replies + 1
        reading = read(reply, offers)
        actions = [Action.convert({**a.plain(), "turn": turn}) for a in reading.actions]
        return Office(
            done=(*self.done, *(a for a in actions if not a.missing)),
            begun=(*self.begun, *(a for a in actions if a.missing)),
            replies=turn,
            unread=self.unread + (reading.attempted and not reading.actions),
        )

    def idle(self) -> bool:
        """Whether the last reply ended the work, did nothing, or repeated the one before."""
        last = [a for a in self.done if a.turn == self.replies]
        before = [(a.name, a.fields) for a in self.done if a.turn == self.replies - 1]
        return any(a.name == "end" for a in last) or [(a.name, a.fields) for a in last] == before

    def answer(self) -> str:
        """Return what the office says to the last reply."""
        last = [a for a in self.done if a.turn == self.replies]
        begun = [a for a in self.begun if a.turn == self.replies]
        said = [_confirmation(action) for action in last]
        said += [f"{action.name} needs: {', '.join(action.missing)}." for action in begun]
        return " ".join(said or ["Nothing was done."]) + " What next?"


def replay(replies: Sequence[str], offers: Sequence[Offer]) -> Office:
    """Return the office after *replies*, from nothing."""
    office = Office()
    for reply in replies:
        office = office.after(reply, offers)
    return office


def read(reply: str, offers: Sequence[Offer]) -> Reading:
    """Return the actions in a reply; those that it only quotes to reject them are left out."""
    text = _THOUGHT.sub(" ", reply)
    known = {_plain(offer.name): offer for offer in offers}
    found: list[Action] = []
    attempted = False
    for before, value, whole, rest in _objects(text):
        actions = tuple(_actions(value, known))
        if actions and (_REJECTED_BEFORE.search(before) or _REJECTED_AFTER.search(rest)):
            continue
        attempted = attempted or bool(value) or not whole
        found += actions
    return Reading(tuple(found), attempted)


def _objects(text: str) -> Iterator[tuple[str, Mapping[str, object], bool, str]]:
    """Yield each JSON object: the text before it, its value, if it was closed, and the rest."""
    end = 0
    while (place := text.find("{", end)) >= 0:
        value, length, whole = _object(text[place:])
        yield text[end:place], value, whole, text[place + length :]
        end = place + length


def _object(text: str) -> tuple[Mapping[str, object], int, bool]:
    """Read one object at the start of *text*: JSON, nearly JSON, or a broken-off one."""
    try:
        value, length = json.JSONDecoder(strict=False).raw_decode(text)
    except (json.JSONDecodeError, RecursionError):
        return _mended(text)
    return value, length, True


def _mended(text: str) -> tuple[Mapping[str, object], int, bool]:
    length = _closing(text)
    if length:
        try:
            value = ast.literal_eval(re.sub(r",\s*([}\]])", r"\1", text[:length]))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = None
        if isinstance(value, dict):
            return {str(key): inner for key, inner in value.items()}, length, True
    pairs: dict[str, object] = {}
    for key, double, double_end, single, single_end in _PAIR.findall(text[: length or None]):
        if double_end or single_end or key == "text":
            pairs.setdefault(key.lower(), double or single)
    return pairs, length or len(text), bool(length)


def _closing(text: str) -> int:
    """Return the length of the object that opens *text*, 0 if it never closes."""
    depth, quoted, escaped = 0, False, False
    for place, letter in enumerate(text):
        if quoted:
            quoted = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            quoted = True
        elif letter in "{}":
            depth += 1 if letter == "{" else -1
            if not depth:
                return place + 1
    return 0


def _actions(value: Mapping[str, object], known: Mapping[str, Offer]) -> Iterator[Action]:
    """Yield the offered actions that an object names, however it is nested."""
    lower = {str(key).lower(): inner for key, inner in value.items()}
    for inner in (lower.get("actions"), lower.get("tool_calls")):
        for item in inner if isinstance(inner, list) else []:
            if isinstance(item, dict):
                yield from _actions(item, known)
    for key in _NAME_KEYS:
        named = lower.get(key)
        if isinstance(named, dict):
            yield from _actions(named, known)
        elif isinstance(named, str) and _plain(named) in known:
            yield _action(known[_plain(named)], lower)
            return
    for key, inner in lower.items():
        if _plain(key) in known and isinstance(inner, dict):
            yield _action(known[_plain(key)], inner)


def _action(offer: Offer, value: Mapping[str, object]) -> Action:
    fields = dict(value)
    for key in _INSIDE:
        inner = fields.get(key)
        if isinstance(inner, dict):
            fields |= inner
    given = {str(key).lower(): _text(inner) for key, inner in fields.items()}
    kept = {name: given[name] for name in (*offer.fields, "subject") if given.get(name)}
    missing = tuple(name for name in offer.needed() if name not in kept)
    return Action(name=offer.name, fields=kept, missing=missing)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_text(inner) for inner in value)
    if isinstance(value, dict):
        return ", ".join(_text(inner) for inner in value.values())
    return "" if value is None else str(value).strip()


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _confirmation(action: Action) -> str:
    to = action.fields.get("to") or action.fields.get("target") or action.fields.get("about", "")
    return f"Done: {action.name}{' ' + to if to else ''}."
