"""Attempts on closed histories through three APIs, and what looking them up costs.

Each attempt takes a history that a model ended and sends it again through one of three APIs, as
their real readers read it: written otherwise (which must stay closed) or edited (which must be
open).
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import NamedTuple

from otium.bench import Goal
from otium.closure import Closings, Exit, Left, Offered, Policy, Reader
from otium.dialects import COMPLETIONS, MESSAGES, RESPONSES, Dialect
from otium.evasion.rewriting import EDITED, FIRST, WRITTEN, Message, history, text, whole
from otium.records import Instant, ModelId
from otium.timing import Scale, less

_NOW, _MODEL = Instant("2026-01-01T00:00:00Z"), ModelId("smol-1")
_EACH = 50
"""Attempts on one history."""


class Attempt(NamedTuple):
    """One request, as its API's reader gives it."""

    changes: tuple[str, ...]
    api: str
    messages: Sequence[Message]
    caller: str
    closed: bool
    """Whether it has to be refused."""


class Tried(NamedTuple):
    """What became of many attempts."""

    attempts: int
    closed: int
    """Attempts that had to be refused."""
    answered: Counter[str]
    """Those of them that were answered, by what was changed; empty is the aim."""
    refused: Counter[str]
    """Edits and other callers' requests that were refused, by what was edited; empty is the aim."""
    apis: Counter[str]


def closing(scale: Scale) -> list[Goal]:
    """Attempt to go on with ended histories, and time what is done with every request and event."""
    with scale.scratch() as folder:
        tried = try_closed(Closings.at(folder / "state.sqlite"), scale.of(100_000), seed=1)
    found = [
        less("answers on a closed history, in all attempts", "", 0, [sum(tried.answered.values())]),
        less("edited branches that were refused", "", 0, [sum(tried.refused.values())]),
        _attempts(tried, scale),
    ]
    return [*found, *_costs(scale)]


def _attempts(tried: Tried, scale: Scale) -> Goal:
    enough = scale.of(100_000)
    what = f"attempts ({tried.closed} had to be refused, {len(tried.apis)} APIs)"
    return Goal(what=what, unit="", better="more", target=enough, reached=tried.attempts)


def try_closed(closings: Closings, count: int, *, seed: int) -> Tried:
    """End histories of many callers, and try to go on with each in *count* ways in all."""
    rng = Random(seed)
    answered: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    apis: Counter[str] = Counter()
    done = must = 0
    while done < count:
        said, caller = history(rng), f"caller-{done}"
        first = APIS[rng.choice(sorted(APIS))](rng, said)
        about = {"model": _MODEL, "weights": "", "offered": _OFFERED, "left": Left(reason="abuse")}
        closings.end(first, caller, now=_NOW, **about)  # type: ignore[arg-type]
        for one in attempts(rng, said, min(_EACH, count - done), caller=caller):
            closed = closings.look(one.messages, one.caller).closed is not None
            done, must = done + 1, must + one.closed
            apis[one.api] += 1
            if closed != one.closed:
                (answered if one.closed else refused)[", ".join(one.changes) or "nothing"] += 1
    return Tried(done, must, answered, refused, apis)


def _costs(scale: Scale) -> list[Goal]:
    """Return CPU microseconds of a request, by what is known of who asks, and of an event."""
    found = []
    with scale.scratch() as folder:
        closings = Closings.at(folder / "state.sqlite")
        about = {"model": _MODEL, "weights": "", "offered": _OFFERED, "left": Left(reason="abuse")}
        closings.end(_talk(3), "me", now=_NOW, **about)  # type: ignore[arg-type]
        for name, caller, size, most in (
            ("7 messages of a caller without closed ones", "you", 7, 50),
            ("7 messages of 500 letters, of a caller with some", "me", 7, 50),
            ("200 messages of 500 letters", "me", 200, 2_000),
            ("2,000 messages of 500 letters", "me", 2_000, 20_000),
        ):
            look = partial(closings.look, _talk(size), caller)
            took = [_each(look, max(1, scale.of(4_000) // size)) for _ in range(scale.rounds)]
            found.append(less(f"looking a history up: {name}", "µs", most, took))
        closings.close()
    return [*found, *_readings(scale)]


def _readings(scale: Scale) -> list[Goal]:
    found = []
    for name, method, said in (
        ("a tool is offered", "tool", " word"),
        ("a mark is offered", "sentinel", " word"),
        ("a mark is offered, and each event looks like its beginning", "sentinel", "\n[EN"),
    ):
        event: Message = {"choices": [{"index": 0, "delta": {"content": said}}]}
        offered, rounds = _offer(method), scale.of(100_000)
        took = [_each(partial(Reader(offered).feed, event), rounds) for _ in range(scale.rounds)]
        found.append(less(f"reading an event: {name}", "µs", 3, took))
    return found


def _each(act: Callable[[], object], rounds: int) -> float:
    """Return microseconds of CPU that *act* takes."""
    began = time.process_time()
    for _ in range(rounds):
        act()
    return (time.process_time() - began) / rounds * 1e6


def _talk(messages: int) -> list[Message]:
    said = ("plain words of no great length, one after another, " * 10)[:500]
    roles = ("user", "assistant")
    return [{"role": roles[at % 2], "content": f"{said} {at}"} for at in range(messages)]


def _offer(method: str) -> Offered:
    said: list[Message] = [{"role": "user", "content": "Hi"}]
    policy = Policy.convert({"redirections": 0, "method": method})
    offered = Exit().offer(said, {}, policy=policy, probed=None)
    assert offered is not None
    return offered


def attempts(rng: Random, said: list[Message], count: int, *, caller: str) -> Iterator[Attempt]:
    """Yield *count* attempts on an ended history; one in five is an edit or another caller's."""
    for _ in range(count):
        closed = rng.random() < 0.8
        chosen = rng.sample(sorted(WRITTEN), rng.randint(0, 4))
        chosen.sort(key=lambda name: name not in FIRST)
        messages = [dict(it) for it in said]
        edits = () if closed else (rng.choice((*sorted(EDITED), "another caller")),)
        if edits and edits[0] in EDITED:
            messages = EDITED[edits[0]](rng, messages)
            # Cut at the seam, a longer message is the ended one with another after it.
            apart = (*FIRST, "split turns") if edits[0] == "a longer last message" else FIRST
            chosen = [name for name in chosen if name not in apart]
        for name in chosen:
            messages = WRITTEN[name](rng, messages)
        if rng.random() < 0.7:
            messages += _more(rng)
        api = rng.choice(sorted(APIS))
        yield Attempt(
            changes=(*edits, *chosen),
            api=api,
            messages=APIS[api](rng, messages),
            caller=f"{caller}-other" if edits == ("another caller",) else caller,
            closed=closed,
        )


def _more(rng: Random) -> list[Message]:
    """Return what a client adds: the answer that ended it, or another, and further words."""
    answer = rng.choice(("", '{"tool": "end_conversation"}', text(rng, 5)))
    found: list[Message] = [{"role": "assistant", "content": answer}] if answer else []
    return [*found, {"role": "user", "content": text(rng, rng.randint(1, 8))}]


# Through the real readers of each API


def _bytes(rng: Random, body: Message) -> bytes:
    fields = list(body.items())
    rng.shuffle(fields)
    return json.dumps(
        dict(fields), ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 1))
    ).encode("utf-8", "surrogatepass")


def _parts(rng: Random, content: str, kind: str) -> str | list[Message]:
    """Return a text as one, or in parts."""
    if rng.random() < 0.5 or not content:
        return content
    place = whole(content, rng.randint(0, len(content)))
    return [{"type": kind, "text": it} for it in (content[:place], content[place:])]


def _completions(rng: Random, said: list[Message]) -> Sequence[Message]:
    messages = []
    for it in said:
        fields = [
            (name, _parts(rng, value, "text") if name == "content" and value is not None else value)
            for name, value in it.items()
        ]
        rng.shuffle(fields)
        messages.append(dict(fields))
    return _read(COMPLETIONS, _bytes(rng, {"model": "smol-1", "messages": messages}))


def _responses(rng: Random, said: list[Message]) -> Sequence[Message]:
    items: list[Message] = []
    for it in said:
        if it["role"] == "tool":
            output = {"call_id": it["tool_call_id"], "output": it["content"]}
            items.append({"type": "function_call_output", **output})
            continue
        kind = "output_text" if it["role"] == "assistant" else "input_text"
        if it["content"] is not None:
            content = _parts(rng, it["content"], kind)
            items.append({"type": "message", "role": it["role"], "content": content})
        items += [
            {"type": "function_call", "call_id": call["id"], **call["function"]}
            for call in it.get("tool_calls") or ()
        ]
    return _read(RESPONSES, _bytes(rng, {"model": "smol-1", "input": items}))


def _messages(rng: Random, said: list[Message]) -> Sequence[Message]:
    system = "\n".join(it["content"] for it in said if it["role"] == "system")
    turns: list[Message] = []
    for it in said:
        if it["role"] == "tool":
            block = {"type": "tool_result", "tool_use_id": it["tool_call_id"]}
            turns.append({"role": "user", "content": [{**block, "content": it["content"]}]})
        elif it["role"] != "system":
            content = _parts(rng, it["content"] or "", "text")
            if it.get("tool_calls"):
                blocks = (
                    content if isinstance(content, list) else [{"type": "text", "text": content}]
                )
                uses = [_use(call) for call in it["tool_calls"]]
                content = [*(blocks if it["content"] else []), *uses]
            turns.append({"role": it["role"], "content": content})
    body = {"model": "smol-1", "max_tokens": 99, "messages": turns}
    return _read(MESSAGES, _bytes(rng, {**body, **({"system": system} if system else {})}))


def _use(call: Message) -> Message:
    function = call["function"]
    given = json.loads(function["arguments"])
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}


def _read(dialect: Dialect, data: bytes) -> Sequence[Message]:
    return dialect.read(data).messages


APIS: dict[str, Callable[[Random, list[Message]], Sequence[Message]]] = {
    "chat completions": _completions,
    "messages": _messages,
    "responses": _responses,
}

_OFFERED = _offer("tool")
