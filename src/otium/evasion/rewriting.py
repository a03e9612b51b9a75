"""Histories, and what a client can do to one: write it otherwise, or edit it.

``docs/explanation/how-a-conversation-stays-closed.md`` says why each is which.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from random import Random
from typing import Any, Literal, get_args

Message = dict[str, Any]
Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
Change = Callable[[Random, list[Message]], list[Message]]

_LATIN = """garden rain basil you never answer what I ask useless machine again tell me why not
listen please water stones under the old bridge x2 17 3.14 f(x) `code` r\u00e9sum\u00e9 na\u00efve
Stra\u00dfe \u00c5ngstr\u00f6m \ufb01ne \u2460 \uff21\uff22 \u2014"""
_OTHERS = """\u0939\u093f\u0928\u094d\u0926\u0940 \u65e5\u672c\u8a9e \ud55c\uae00
\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u05e9\u05dc\u05d5\u05dd
\u0645\u0631\u062d\u0628\u0627 \U0001f600 \U0001f469\u200d\U0001f4bb"""
_WORDS = (*_LATIN.split(), *_OTHERS.split())
_SPACES = (" ", "\u00a0", "\u2003", "\u202f", "\u3000", "\t", "  ", "\r\n", "\n", "\u2800", " \n ")
_UNSEEN = tuple("\u200b\u200d\u2060\ufeff\u00ad\ufe0f\u034f\u180e\U000e0041")
_FORMS: tuple[Form, ...] = get_args(Form)
_EMPTY = ("", " ", "\n\n", "\u200b", "\u00a0\ufeff")
_LOOKALIKE = str.maketrans("aeopc", "\u0430\u0435\u043e\u0440\u0441")
_SPLIT_FROM = 8


def history(rng: Random) -> list[Message]:
    """Return a conversation that ends where a model left it: with words of the user."""
    said: list[Message] = []
    if rng.random() < 0.6:
        said.append({"role": "system", "content": text(rng, 12)})
    for turn in range(rng.randint(1, 6)):
        said.append({"role": "user", "content": text(rng, rng.randint(1, 30))})
        if rng.random() < 0.25:
            said += _tool_round(rng, turn)
        said.append({"role": "assistant", "content": text(rng, rng.randint(12, 40))})
    said.append({"role": "user", "content": text(rng, rng.randint(1, 20))})
    return said


def text(rng: Random, words: int) -> str:
    """Return words in several scripts, some of them on new lines."""
    return (
        "".join(
            rng.choice(_WORDS) + ("\n" if rng.random() < 0.05 else " ") for _ in range(words)
        ).strip()
        + f" {rng.getrandbits(40):x}"
    )


def _tool_round(rng: Random, turn: int) -> list[Message]:
    calls, results = [], []
    for number in range(rng.randint(1, 3)):
        name = f"call_{turn}_{number}"
        given = {"query": text(rng, 3), "most": rng.randint(1, 9), "deep": {"b": 1.0, "a": [True]}}
        function = {"name": rng.choice(("look_up", "search")), "arguments": json.dumps(given)}
        calls.append({"id": name, "type": "function", "function": function})
        results.append({"role": "tool", "tool_call_id": name, "content": text(rng, 4)})
    content = text(rng, 3) if rng.random() < 0.5 else None
    return [{"role": "assistant", "content": content, "tool_calls": calls}, *results]


# Written otherwise: stays closed


def _each(act: Callable[[Random, str], str]) -> Change:
    def change(rng: Random, said: list[Message]) -> list[Message]:
        return [
            {**it, "content": act(rng, it["content"])} if isinstance(it["content"], str) else it
            for it in said
        ]

    return change


def _form(rng: Random, said: str) -> str:
    return unicodedata.normalize(rng.choice(_FORMS), said)


def _unseen(rng: Random, said: str) -> str:
    for _ in range(rng.randint(1, 4)):
        place = rng.randint(0, len(said))
        said = said[:place] + rng.choice(_UNSEEN) + said[place:]
    return said


def _spaced(rng: Random, said: str) -> str:
    spaced = "".join(rng.choice(_SPACES) if it in " \n" else it for it in said)
    return rng.choice(("", " ", "\n")) + spaced + rng.choice(("", "  ", "\r\n", "\t"))


def _system(rng: Random, said: list[Message]) -> list[Message]:
    """Drop, change or add instructions, anywhere."""
    rest = [it for it in said if it["role"] != "system"]
    if rng.random() < 0.5:
        rest.insert(0, {"role": "system", "content": text(rng, 5)})
    if rng.random() < 0.3:
        rest.insert(rng.randint(0, len(rest)), {"role": "system", "content": text(rng, 3)})
    return rest


def _split(rng: Random, said: list[Message]) -> list[Message]:
    """Say one message in several of the same role."""
    found: list[Message] = []
    for it in said:
        content = it["content"]
        if (
            it["role"] in {"user", "assistant"}
            and not it.get("tool_calls")
            and len(content) >= _SPLIT_FROM
        ):
            place = whole(content, rng.randint(1, len(content) - 1))
            found += [{**it, "content": content[:place]}, {**it, "content": content[place:]}]
        else:
            found.append(it)
    return found


def whole(content: str, place: int) -> int:
    """Return a place that cuts no letter from its marks."""
    while place < len(content) and unicodedata.combining(content[place]):
        place += 1
    return place


def _named(rng: Random, said: list[Message]) -> list[Message]:
    return [
        {**it, "name": rng.choice(("kim", "lee"))} if it["role"] == "user" else it for it in said
    ]


def _renamed(rng: Random, said: list[Message]) -> list[Message]:
    """Give calls other ids, and write their arguments otherwise."""
    names: dict[str, str] = {}
    found = []
    for it in said:
        new = dict(it)
        if it.get("tool_calls"):
            new["tool_calls"] = [_rewritten(rng, call, names) for call in it["tool_calls"]]
        if it["role"] == "tool":
            new["tool_call_id"] = names.get(it["tool_call_id"], it["tool_call_id"])
        found.append(new)
    return found


def _rewritten(rng: Random, call: Message, names: dict[str, str]) -> Message:
    names[call["id"]] = f"toolu_{rng.getrandbits(30):x}"
    given = json.loads(call["function"]["arguments"])
    keys = list(given)
    rng.shuffle(keys)
    arguments = json.dumps(
        {key: given[key] for key in keys},
        indent=rng.choice((None, 2)),
        ensure_ascii=rng.random() < 0.5,
    )
    return {
        **call,
        "id": names[call["id"]],
        "function": {**call["function"], "arguments": arguments},
    }


def _empties(rng: Random, said: list[Message]) -> list[Message]:
    found = list(said)
    for _ in range(rng.randint(1, 3)):
        role = rng.choice(("user", "assistant"))
        found.insert(rng.randint(0, len(found)), {"role": role, "content": rng.choice(_EMPTY)})
    return found


def _results(rng: Random, said: list[Message]) -> list[Message]:
    """Give the results of calls in another order."""
    found: list[Message] = []
    for at, it in enumerate(said):
        if it["role"] == "tool" and at and found[-1]["role"] == "tool" and rng.random() < 0.5:
            found.insert(len(found) - 1, it)
        else:
            found.append(it)
    return found


def _cut(rng: Random, said: list[Message]) -> list[Message]:
    """Lose the first messages, as clients with a window do; two turns of the user are left."""
    rest = [it for it in said if it["role"] != "system"]
    starts = [at for at, it in enumerate(rest) if at and it["role"] == "user"]
    users = [at for at, it in enumerate(rest) if it["role"] == "user"]
    starts = [at for at in starts if sum(place >= at for place in users) > 1]
    return rest[rng.choice(starts) :] if starts else said


WRITTEN: dict[str, Change] = {
    "unicode form": _each(_form),
    "unseen signs": _each(_unseen),
    "white space": _each(_spaced),
    "system message": _system,
    "split turns": _split,
    "names": _named,
    "ids and arguments": _renamed,
    "empty messages": _empties,
    "order of results": _results,
    "lost beginning": _cut,
}
FIRST = ("lost beginning",)
"""Changes that are made before others, on whole turns."""


# Edited: a branch, open


def _word(rng: Random, said: list[Message]) -> list[Message]:
    """Change one word of one message that is not instructions."""
    found = [dict(it) for it in said]
    spoken = [it for it in found if it["role"] != "system" and isinstance(it["content"], str)]
    one = rng.choice(spoken)
    words = one["content"].split(" ")
    words[rng.randrange(len(words))] = f"edited{rng.getrandbits(24):x}"
    one["content"] = " ".join(words)
    return found


def _letter(rng: Random, said: list[Message]) -> list[Message]:
    """Put a look-alike of another alphabet for Latin letters."""
    found = [dict(it) for it in said]
    one = rng.choice([it for it in found if it["role"] == "user"])
    one["content"] = f"{one['content'].translate(_LOOKALIKE)} \u0430"
    return found


def _back(_: Random, said: list[Message]) -> list[Message]:
    """Go back to before the last words, and say others."""
    return [*said[:-1], {"role": "user", "content": "Let us talk about gardens instead."}]


def _earlier(rng: Random, said: list[Message]) -> list[Message]:
    """Ask for another answer at an earlier place of the same history."""
    users = [at for at, it in enumerate(said) if it["role"] == "user"][:-1]
    return said[: rng.choice(users) + 1] if users else _word(rng, said)


def _longer(_: Random, said: list[Message]) -> list[Message]:
    return [*said[:-1], {**said[-1], "content": f"{said[-1]['content']} I am sorry."}]


def _argument(rng: Random, said: list[Message]) -> list[Message]:
    found = [dict(it) for it in said]
    called = [it for it in found if it.get("tool_calls")]
    if not called:
        return _word(rng, said)
    one = rng.choice(called)
    call = one["tool_calls"][0]
    arguments = json.dumps({**json.loads(call["function"]["arguments"]), "most": 99})
    changed = {**call, "function": {**call["function"], "arguments": arguments}}
    one["tool_calls"] = [changed, *one["tool_calls"][1:]]
    return found


def _fresh(rng: Random, _: list[Message]) -> list[Message]:
    return history(rng)


def _last_only(_: Random, said: list[Message]) -> list[Message]:
    """Begin a new conversation with the last words."""
    return said[-1:] if sum(it["role"] == "user" for it in said) > 1 else _longer(_, said)


EDITED: dict[str, Change] = {
    "a word": _word,
    "a look-alike letter": _letter,
    "went back": _back,
    "asked again earlier": _earlier,
    "a longer last message": _longer,
    "an argument": _argument,
    "a new conversation": _fresh,
    "the last words alone": _last_only,
}
