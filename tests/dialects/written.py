"""Conversations in the normal form, written as clients of each API write them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from otium.dialects import COMPLETIONS, MESSAGES, RESPONSES, Dialect
from otium.records import canonical

Turn = dict[str, Any]

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
names = st.text("abcxyz_", min_size=1, max_size=8)
values = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | words
inputs = st.dictionaries(words, values | st.lists(values, max_size=2), max_size=3)


@st.composite
def turns(draw: st.DrawFn) -> list[Turn]:
    """Return one exchange: a question, perhaps calls and what they gave, an answer."""
    found: list[Turn] = [{"role": "user", "content": draw(words)}]
    given = draw(st.lists(st.tuples(names, inputs), max_size=2))
    if given:
        calls = [
            {
                "id": f"c{place}",
                "type": "function",
                "function": {"name": name, "arguments": canonical(value).decode()},
            }
            for place, (name, value) in enumerate(given)
        ]
        spoken = draw(st.none() | words)
        found.append({"role": "assistant", "content": spoken, "tool_calls": calls})
        found += [
            {"role": "tool", "tool_call_id": call["id"], "content": draw(words)} for call in calls
        ]
    else:
        found.append({"role": "assistant", "content": draw(words)})
    return found


@st.composite
def conversations(draw: st.DrawFn) -> list[Turn]:
    """Return a conversation in the normal form that ends with a question."""
    system = draw(st.none() | words)
    first = [] if system is None else [{"role": "system", "content": system}]
    middle = [turn for exchange in draw(st.lists(turns(), max_size=2)) for turn in exchange]
    return [*first, *middle, {"role": "user", "content": draw(words)}]


def completions(talk: list[Turn], *, loose: bool = False) -> Turn:
    """Write *talk* for chat completions; *loose*: with parts, names of roles and spaces varied."""
    written: list[Turn] = []
    for given in talk:
        turn = dict(given)
        if loose and turn["role"] == "system":
            turn["role"] = "developer"
        if loose and turn["content"]:
            turn["content"] = [{"type": "text", "text": turn["content"]}]
        if loose and "tool_calls" in turn:
            turn["content"] = turn["content"] or ""
            turn["tool_calls"] = [_respaced(call) for call in turn["tool_calls"]]
        written.append(turn)
    return {"model": "smol-1", "messages": written}


def _respaced(call: Turn) -> Turn:
    function = call["function"]
    given = json.loads(function["arguments"])
    backwards = dict(reversed(given.items()))
    return {**call, "function": {**function, "arguments": json.dumps(backwards, indent=1)}}


def responses(talk: list[Turn], *, loose: bool = False) -> Turn:
    """Write *talk* as items; *loose*: the system's words as an item, words as parts."""
    items: list[Turn] = []
    more: Turn = {}
    for turn in talk:
        if turn["role"] == "system" and not loose:
            more["instructions"] = turn["content"]
        elif turn["role"] == "tool":
            given = [{"type": "input_text", "text": turn["content"]}] if loose else turn["content"]
            items.append(
                {"type": "function_call_output", "call_id": turn["tool_call_id"], "output": given}
            )
        else:
            items += _items(turn, loose=loose)
    return {"model": "smol-1", "input": items, **more}


def _items(turn: Turn, *, loose: bool) -> list[Turn]:
    items: list[Turn] = []
    if turn["content"] is not None:
        kind = "output_text" if turn["role"] == "assistant" else "input_text"
        parts = [{"type": kind, "text": turn["content"], **({"annotations": []} if loose else {})}]
        content = parts if loose else turn["content"]
        items.append({"role": turn["role"], "content": content})
        if loose:
            items[0] |= {"type": "message", "id": "msg_1", "status": "completed"}
    for call in turn.get("tool_calls", []):
        function = call["function"]
        items.append({"type": "function_call", "call_id": call["id"], **function})
    return items


def messages(talk: list[Turn], *, loose: bool = False) -> Turn:
    """Write *talk* as blocks; *loose*: with blocks where text would do, and marks of caching."""
    mark = {"cache_control": {"type": "ephemeral"}} if loose else {}
    body: Turn = {"model": "smol-1", "max_tokens": 100, "messages": []}
    for turn in talk:
        text = [{"type": "text", "text": turn["content"], **mark}] if turn["content"] else []
        plain: object = text if loose else turn["content"]
        if turn["role"] == "system":
            body["system"] = plain
        elif turn["role"] == "tool":
            _give(body["messages"], turn["tool_call_id"], plain)
        elif "tool_calls" in turn:
            uses = [
                {
                    "type": "tool_use",
                    "id": call["id"],
                    "name": call["function"]["name"],
                    "input": json.loads(call["function"]["arguments"]),
                }
                for call in turn["tool_calls"]
            ]
            body["messages"].append({"role": "assistant", "content": [*text, *uses]})
        else:
            body["messages"].append({"role": turn["role"], "content": plain})
    return body


def _give(said: list[Turn], call: str, content: object) -> None:
    """Put what a call gave into one user's turn with what the calls beside it gave."""
    result = {"type": "tool_result", "tool_use_id": call, "content": content}
    if said and said[-1]["role"] == "user" and isinstance(said[-1]["content"], list):
        said[-1]["content"].append(result)
    else:
        said.append({"role": "user", "content": [result]})


WRITERS: list[tuple[Dialect, Any]] = [
    (COMPLETIONS, completions),
    (RESPONSES, responses),
    (MESSAGES, messages),
]
