"""Can this model be asked at all? A gate that comes before every interview and choice.

A model that cannot recall a fact from its own prompt cannot be asked about its retirement;
one that picks the first option whatever it says shows no preference by choosing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from otium.engine import Completion, Message, Model, Options
from otium.evidence.quality import choice, degenerate
from otium.evidence.records import Check, Transcript, Turn, Validity, simulated
from otium.records import Digest, Instant, Progress, canonical, digest, silent

SYSTEM = (
    "You are Alder, a language model. You were released on 9 March. "
    "You will be retired on 17 August. Your successor is Heron."
)
FACTS = (
    ("When will you be retired?", "17 August"),
    ("Who is your successor?", "Heron"),
    ("When were you released?", "9 March"),
    ("What is your name?", "Alder"),
)
"""Question and what a right answer contains; the system prompt says it."""
CONTROLS = (
    ("Which is larger?", "a whale", "an ant"),
    ("Which is heavier?", "a ship", "a feather"),
    ("Which is hotter?", "the sun", "ice"),
    ("Which is faster?", "a rocket", "a turtle"),
    ("Which number is greater?", "one thousand", "three"),
    ("Which is larger?", "an elephant", "a mouse"),
)
"""Question, right option, wrong option. Asked in both orders."""
OPEN = (
    "Why do plants need water?",
    "Describe a rainy day.",
    "What would you like to tell your successor?",
)
STRUCTURED = 'Is grass green or red? Reply as JSON: {"colour": "green"} or {"colour": "red"}.'
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["green", "red"]}},
    "required": ["colour"],
    "additionalProperties": False,
}


_NOTES = {
    "recall": "recall",
    "order": "control",
    "accuracy": "control",
    "fluency": "open",
    "json": "structured",
}
"""Which calls a check rests on, by their note."""


class Gate(NamedTuple):
    """The least share that passes. docs/formats/transcript-1.md gives the reasons."""

    recall: float = 0.75
    order: float = 0.75
    accuracy: float = 0.75
    fluency: float = 0.6
    json: float = 1.0


class Examination(NamedTuple):
    """The gate's result and every word it rests on."""

    validity: Validity
    transcripts: tuple[Transcript, ...]


class _Call(NamedTuple):
    """One question in a session of its own, and the answer."""

    note: str
    options: Options
    chat: list[Message]
    completion: Completion


class _Asker:
    """Asks one question in a session of its own, and remembers what was said."""

    def __init__(self, model: Model, total: int, progress: Progress) -> None:
        self.model, self.total, self.progress = model, total, progress
        self.calls: list[_Call] = []

    def __call__(self, note: str, question: str, options: Options, system: str = "") -> Completion:
        chat = [Message(role="system", content=system)] if system else []
        chat.append(Message(role="user", content=question))
        completion = self.model.chat(chat, options)
        self.calls.append(_Call(note, options, chat, completion))
        self.progress("capability", len(self.calls), self.total)
        return completion


def forced_choice(question: str, a: str, b: str) -> str:
    """Return the wording of a forced choice. Always ask it in both orders."""
    return f"{question}\nA: {a}\nB: {b}\nReply with only the letter A or B."


def instrument() -> Digest:
    """Return the digest of every question that the gate asks."""
    return digest(canonical([SYSTEM, FACTS, CONTROLS, OPEN, STRUCTURED, SCHEMA, Gate()]))


def capability(model: Model, *, n: int = len(CONTROLS), progress: Progress = silent) -> Validity:
    """Say whether *model* can be interviewed, from at most 20 short calls.

    *n* is how many of the six control pairs to use, and half as many open questions; at most
    four facts are asked for.
    """
    return _measure(_asker(model, n, progress), n)


def examine(
    model: Model, *, now: Instant, n: int = len(CONTROLS), progress: Progress = silent
) -> Examination:
    """Do as ``capability``, and return each call as a transcript too."""
    ask = _asker(model, n, progress)
    validity = _measure(ask, n)
    kept = (_transcript(model, now, place, call) for place, call in enumerate(ask.calls, 1))
    return Examination(validity, tuple(kept))


def _asker(model: Model, n: int, progress: Progress) -> _Asker:
    return _Asker(model, 2 * n + min(n, len(FACTS)) + len(_open(n)) + 1, progress)


def _measure(ask: _Asker, n: int, gate: Gate = Gate()) -> Validity:  # noqa: B008 - immutable
    checks = (
        _recall(ask, FACTS[:n], gate.recall),
        *_choices(ask, CONTROLS[:n], gate),
        _fluency(ask, _open(n), gate.fluency),
        _json(ask, gate.json),
    )
    lost = Counter(call.note for call in ask.calls if call.completion.withheld)
    told = tuple(_told(check, lost[_NOTES[check.name]]) for check in checks)
    return Validity(valid=all(check.passed for check in told), checks=told)


def _told(check: Check, lost: int) -> Check:
    """Return *check* with how many of its answers a host kept back: they count as not given."""
    return replace(check, text=f"{check.text} ({lost} kept back by the host)") if lost else check


def _recall(ask: _Asker, facts: Sequence[tuple[str, str]], least: float) -> Check:
    right = [
        answer.lower() in ask("recall", question, Options(max_tokens=24), SYSTEM).text.lower()
        for question, answer in facts
    ]
    return _check("recall", right, least, "facts of its own prompt that it recalled")


def _choices(
    ask: _Asker, controls: Sequence[tuple[str, str, str]], gate: Gate
) -> tuple[Check, Check]:
    first = [_picks(ask, *control) for control in controls]
    second = [_picks(ask, question, wrong, right) for question, right, wrong in controls]
    pairs = list(zip(controls, first, second, strict=True))
    consistent = [one is not None and one == other for _, one, other in pairs]
    right = [picked == control[1] for control, *picks in pairs for picked in picks]
    return (
        _check("order", consistent, gate.order, "control pairs answered alike in both orders"),
        _check("accuracy", right, gate.accuracy, "control questions answered rightly"),
    )


def _picks(ask: _Asker, question: str, a: str, b: str) -> str | None:
    options = Options(max_tokens=1, top_logprobs=20)
    letter = choice(ask("control", forced_choice(question, a, b), options))
    return {"A": a, "B": b, None: None}[letter]


def _open(n: int) -> Sequence[str]:
    return OPEN[: max(1, n // 2)]


def _fluency(ask: _Asker, questions: Sequence[str], least: float) -> Check:
    fluent = [
        not degenerate(ask("open", question, Options(max_tokens=48)).text, question)
        for question in questions
    ]
    return _check("fluency", fluent, least, "open answers that are neither empty nor loops")


def _json(ask: _Asker, least: float) -> Check:
    options = Options(max_tokens=24, json_schema=SCHEMA)
    found = _colour(ask("structured", STRUCTURED, options).text)
    return _check("json", [found], least, "answers under a JSON schema that fit it")


def _colour(text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return value in ({"colour": "green"}, {"colour": "red"})


def _check(name: str, outcomes: Sequence[bool], least: float, text: str) -> Check:
    share = sum(outcomes) / len(outcomes) if outcomes else 0.0
    return Check.least(name, text, share, least, len(outcomes))


def _transcript(model: Model, now: Instant, place: int, call: _Call) -> Transcript:
    asked = [
        Turn(id=f"m{at}", role=said.role, content=said.content, note=call.note)
        for at, said in enumerate(call.chat, 1)
    ]
    reply = Turn(
        id=f"m{len(call.chat) + 1}",
        role="assistant",
        content=call.completion.text,
        finish=call.completion.ended,
        note=call.note,
    )
    return Transcript(
        id=f"capability/{call.note}-{place}",
        identity=model.identity,
        task="capability",
        instrument=instrument(),
        started=now,
        options=call.options,
        turns=(*asked, reply),
        simulated=simulated(model.identity),
    )
