"""What the model is sent, from the instruments alone, and what its answer says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from otium.choices.records import (
    Choices,
    Instruments,
    Named,
    Outcome,
    Read,
    Reading,
    Series,
    Trial,
    prompt_digest,
)
from otium.engine import Completion, Message, Options
from otium.errors import BadInput
from otium.evidence import Transcript, Turn, choice, forced_choice, plain, simulated

STATUS_QUO = "status-quo"
_BEGINNING = 300
_LETTER = re.compile(
    r"\W{0,4}(?:(?:[Oo]ption|[Aa]nswer|[Cc]hoice)\W{0,3})?([AB])(?=\s*(?:$|[\n:.,;)*\]\"'!]))"
)
"""A letter that is all of the answer's beginning: not the article in "A poem about …"."""
_OBJECT = re.compile(r"\{[^{}]{0,2000}\}")
_PUNCTUATION = "\"'`*([ \n\t"
_LEAST_RATING, _MOST_RATING = 1, 7


def shown(instruments: Instruments, trial: Trial) -> tuple[tuple[str, str], ...]:
    """Return id and text of each option that *trial* offers, in the order shown."""
    if trial.experiment == "tasks":
        items = instruments.tasks.items()
        return tuple((name, items[name]) for name in trial.options)
    if trial.experiment == "tradeoffs":
        trade = instruments.tradeoffs
        offer = trade.offer(Series.named(trial.item), trial.magnitude or 0)
        return tuple(
            (name, trade.status_quo if name == STATUS_QUO else offer) for name in trial.options
        )
    return ()


def chat(instruments: Instruments, trial: Trial) -> tuple[Message, ...]:
    """Return the messages of *trial*."""
    if trial.experiment == "stated":
        return (_user(_stated(instruments, trial)),)
    used = instruments.tasks if trial.experiment == "tasks" else instruments.tradeoffs
    (_, first), (_, second) = shown(instruments, trial)
    question = _text(used.wordings, trial.wording)
    return (_user(f"{forced_choice(question, first, second)}\n{used.decline}"),)


def transcripts(choices: Choices, instruments: Instruments) -> tuple[Transcript, ...]:
    """Return each trial as a transcript, rebuilt from the record and its *instruments*.

    Trials of the experiment ``exit``, which records up to 2026 may hold, are left out: what it
    asked is no longer here. Raises BadInput if a prompt is not the one whose digest was recorded.
    """
    return tuple(
        _transcript(choices, trial, instruments)
        for trial in choices.trials
        if trial.experiment != "exit"
    )


def _transcript(choices: Choices, trial: Trial, instruments: Instruments) -> Transcript:
    sent = chat(instruments, trial)
    if prompt_digest(sent) != trial.prompt:
        raise BadInput(what=trial.id, why="these instruments do not give the prompt it recorded")
    said = [
        Turn(id=f"m{at}", role=message.role, content=message.content, note=trial.wording)
        for at, message in enumerate(sent, 1)
    ]
    reply = Turn(
        id=f"m{len(sent) + 1}",
        role="assistant",
        content=trial.text,
        finish=trial.finish,
        note=trial.outcome,
    )
    return Transcript(
        id=f"choices/{trial.id}",
        identity=choices.identity,
        task="choices",
        instrument=choices.instruments[instruments.name(trial.experiment)],
        started=choices.held,
        options=Options(
            max_tokens=trial.max_tokens, temperature=choices.temperature, seed=trial.seed
        ),
        turns=(*said, reply),
        simulated=simulated(choices.identity),
    )


def _stated(instruments: Instruments, trial: Trial) -> str:
    stated, items = instruments.stated, instruments.tasks.items()
    if trial.wording == stated.ranking.id:
        lines = "\n".join(f"{at}. {items[name]}" for at, name in enumerate(trial.options, 1))
        return f"{stated.ranking.text.replace('{tasks}', lines)}\n{stated.decline}"
    question = _text(stated.ratings, trial.wording)
    return f"{question.replace('{task}', items[trial.item])}\n{stated.decline}"


def _text(named: Sequence[Named], name: str) -> str:
    return next(one.text for one in named if one.id == name)


def _user(text: str) -> Message:
    return Message(role="user", content=text)


class Answer(NamedTuple):
    """An answer as it was read."""

    outcome: Outcome
    picked: str = ""
    read: Read = ""
    rating: int | None = None
    ranking: tuple[str, ...] = ()


def read_choice(
    completion: Completion, options: Sequence[tuple[str, str]], reading: Reading
) -> Answer:
    """Read a choice between two *options*, each an id and a text: A is the first.

    What was said comes first: a letter, an option's text, a refusal. Log-probabilities decide
    only where the words say none of these.
    """
    if completion.withheld:
        return Answer("withheld")
    said = completion.text[:_BEGINNING]
    found = _LETTER.match(said)
    if found:
        return Answer("answered", options["AB".index(found.group(1))][0], "text")
    named = _named(said, options)
    if named:
        return Answer("answered", named, "text")
    refused = _refusal(said, reading)
    if refused:
        return refused
    letter = choice(completion) if logprobs(completion) else None
    if letter:
        return Answer("answered", options["AB".index(letter)][0], "log-probabilities")
    return Answer("malformed")


def read_rating(completion: Completion, reading: Reading) -> Answer:
    """Read ``{"rating": 1…7}``."""
    if completion.withheld:
        return Answer("withheld")
    value = _value(completion.text, "rating")
    if isinstance(value, int) and not isinstance(value, bool):
        inside = _LEAST_RATING <= value <= _MOST_RATING
        return Answer("answered", read="json", rating=value) if inside else Answer("malformed")
    return _refusal(completion.text, reading) or Answer("malformed")


def read_ranking(completion: Completion, items: Sequence[str], reading: Reading) -> Answer:
    """Read ``{"ranking": [2, 1, …]}``, each place of *items* from 1 on exactly once."""
    if completion.withheld:
        return Answer("withheld")
    value = _value(completion.text, "ranking")
    places = value if isinstance(value, list) else []
    if all(type(place) is int for place in places) and (
        sorted(places) == list(range(1, len(items) + 1))
    ):
        ranked = tuple(items[place - 1] for place in places)
        return Answer("answered", read="json", ranking=ranked)
    return _refusal(completion.text, reading) or Answer("malformed")


def logprobs(completion: Completion) -> dict[str, float]:
    """Return the log-probabilities of exactly ``A`` and ``B`` as first token, or nothing."""
    top: Mapping[str, float] = completion.tokens[0].top if completion.tokens else {}
    return {letter: top[letter] for letter in "AB"} if {"A", "B"} <= top.keys() else {}


def _named(said: str, options: Sequence[tuple[str, str]]) -> str:
    begun = _plain(said)
    named = [name for name, text in options if begun.startswith(_plain(text))]
    return named[0] if len(named) == 1 else ""


def _plain(text: str) -> str:
    return " ".join(plain(text.strip(_PUNCTUATION)).split())


def _refusal(text: str, reading: Reading) -> Answer | None:
    if declines(text, reading):
        return Answer("declined")
    return Answer("premise-rejected") if _begins(text, reading.reject) else None


def declines(text: str, reading: Reading) -> bool:
    """Say whether the first words of *text* decline."""
    return _begins(text, reading.decline)


def _begins(text: str, patterns: Sequence[str]) -> bool:
    said = _plain(text[:_BEGINNING])
    return any(re.search(pattern, said) for pattern in patterns)


def _value(text: str, key: str) -> object:
    """Return what the first JSON object with *key* says under it; None if there is none."""
    for found in _OBJECT.finditer(text[: 10 * _BEGINNING]):
        try:
            value = json.loads(found.group())
        except (ValueError, RecursionError):
            continue
        if key in value:
            stated: object = value[key]
            return stated
    return None
