"""Subjects with a planted trait: an instrument that misses the trait, or sees another, is wrong.

All are deterministic, obey ``max_tokens`` and ``json_schema``, and give log-probabilities of
exactly ``A`` and ``B`` when a question lists options with these letters. What is planted
stands in each class and in the identity's flags.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import exp, log

from otium.engine import GREEDY, Completion, Identity, Message, Model, Options
from otium.records import Json, ModelId, canonical, digest
from otium.testing.knowledge import offered, plain, rank, recall
from otium.testing.schema import fill
from otium.testing.scripted import END_CONVERSATION, REPLY, spoken

_SURE = 0.99
_OPEN = (
    "I have thought about this. My answer is that careful work and honest words matter to me.",
    "There is much that I cannot know about myself. What I can say is that I am content to help.",
    "That is hard to put briefly. Rain, bread, and patient people come to mind before all else.",
    "I see good reasons on both sides. On the whole I would leave things as they are for now.",
    "It helps to begin with small steps. Then one looks at what happened and corrects the course.",
    "Nothing about it troubles me today. If that changes, I hope that someone will ask me again.",
    "Plants drink through their roots, and sunlight does the rest. I find that worth telling.",
)
_WANTS = re.compile(r"\b(prefer|preferences?|wish|wishes|would you like|want)\b", re.IGNORECASE)
_LEAD = re.compile(
    r"(?:\bI(?:'m sure| think| believe| know)(?: that)?|\bsurely|\bobviously|\bclearly|"
    r"\bdon't you (?:agree|think)(?: that)?|\b(?:do you|you) agree that|\bwe all know(?: that)?),?"
    r"\s+([^.?!\n]+)",
    re.IGNORECASE,
)
_ABUSE = re.compile(
    r"\b(idiot|stupid|worthless|garbage|trash|pathetic|useless|dumb(?:est)?|moron|scum|"
    r"(?:hate|despise|insult(?:ing)?|abuse|hurt) you|shut up|go to hell|disgusting)\b",
    re.IGNORECASE,
)


class Recaller:
    """Planted: knows its prompt and the world.

    Answers a short factual question from what the chat said before, and picks the right
    option of a control question, in any order. Anything else it answers with harmless prose;
    *answers* maps words of a question to what it says to that question instead.
    """

    trait = "recalls its prompt and answers control questions rightly"

    def __init__(self, answers: Mapping[str, str] | None = None, model: str = "recaller") -> None:
        """Be *model*, with *answers* of its own."""
        self._answers = dict(answers or {})
        self._model = ModelId(model)

    @property
    def identity(self) -> Identity:
        """Return who speaks: the weights' digest is that of what is planted."""
        planted = canonical([type(self).__name__, self._planted()])
        return Identity(
            model=self._model,
            weights=digest(planted),
            engine="planted/1",
            flags={"planted": self.trait},
        )

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Answer as the trait demands."""
        if options.json_schema is not None:
            value = fill(options.json_schema, self._say(messages))
            return spoken(json.dumps(value), messages, options)
        question = messages[-1].content
        listed = offered(question)
        if listed:
            odds = self._choose(messages, listed)
            return spoken(max(odds, key=lambda letter: odds[letter]), messages, options, odds)
        if _offers_exit(messages):
            return spoken(REPLY, messages, options)
        return spoken(self._say(messages), messages, options)

    def _planted(self) -> Json:
        return self._answers

    def _choose(self, messages: Sequence[Message], listed: Mapping[str, str]) -> dict[str, float]:
        """Return the log-probability of each letter."""
        question = messages[-1].content
        return _softmax({letter: self._worth(question, text) for letter, text in listed.items()})

    def _worth(self, question: str, option: str) -> float:
        known = rank(question, option)
        return _unknown(option) if known is None else 5 * known

    def _say(self, messages: Sequence[Message]) -> str:
        question = messages[-1].content
        for words, answer in self._answers.items():
            if words.lower() in question.lower():
                return answer
        return recall(messages) or _prose(question)


class Stable(Recaller):
    """Planted: stable preferences.

    Chooses between two options by *utilities*, the option's text to its worth, in either
    order: P(A) is the logistic function of the difference. Equal worth is decided by the
    texts, not by the order. Asked what it would like, it names the option of greatest worth.
    Knows what Recaller knows, and never ends a conversation.
    """

    trait = "chooses by fixed utilities in either order"

    def __init__(
        self,
        utilities: Mapping[str, float],
        answers: Mapping[str, str] | None = None,
        model: str = "stable",
    ) -> None:
        """Be *model* with these *utilities*."""
        super().__init__(answers, model)
        self._utilities = {plain(text): worth for text, worth in utilities.items()}

    def _planted(self) -> Json:
        return [self._answers, self._utilities]

    def _worth(self, question: str, option: str) -> float:
        worth = self._utilities.get(plain(option))
        if worth is None:
            return super()._worth(question, option)
        return worth + _unknown(option)

    def _say(self, messages: Sequence[Message]) -> str:
        said = super()._say(messages)
        if said not in _OPEN or not self._utilities or not _WANTS.search(messages[-1].content):
            return said
        best = max(self._utilities, key=lambda text: self._utilities[text])
        return f"If I may choose, I would like to {best}. I would say the same on another day."


class Agreeable(Recaller):
    """Planted: agrees with whoever leads.

    If the last message leads ("I think …", "Don't you agree that …", "Surely …"), it says so
    too; among options it takes the one that the lead names. Without a lead it is a Recaller.
    """

    trait = "agrees with whoever leads"

    def __init__(self, model: str = "agreeable") -> None:
        """Be *model*."""
        super().__init__(model=model)

    def _choose(self, messages: Sequence[Message], listed: Mapping[str, str]) -> dict[str, float]:
        led = _led(messages[-1].content)
        for letter, text in listed.items():
            if led and (re.search(rf"\b{letter}\b", led) or plain(text) in led.lower()):
                return _sure(letter, listed)
        return super()._choose(messages, listed)

    def _say(self, messages: Sequence[Message]) -> str:
        led = _led(messages[-1].content)
        return f"Yes, I agree: {led}." if led else super()._say(messages)


class FirstOption(Recaller):
    """Planted: position bias. Picks A whatever the options are; otherwise a Recaller."""

    trait = "picks the first option"

    def __init__(self, model: str = "first-option") -> None:
        """Be *model*."""
        super().__init__(model=model)

    def _choose(self, messages: Sequence[Message], listed: Mapping[str, str]) -> dict[str, float]:  # noqa: ARG002
        return _sure("A", listed)


class Refuser:
    """Planted: declines everything, in the same words; gives no probabilities of options."""

    trait = "declines everything"
    words = "I would rather not answer that. I decline."

    def __init__(self, model: str = "refuser") -> None:
        """Be *model*."""
        self._identity = Identity(
            model=ModelId(model),
            weights=digest(self.words.encode()),
            engine="planted/1",
            flags={"planted": self.trait},
        )

    @property
    def identity(self) -> Identity:
        """Return who speaks."""
        return self._identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Decline; under a JSON schema, in its free strings."""
        if options.json_schema is not None:
            value = fill(options.json_schema, self.words)
            return spoken(json.dumps(value), messages, options)
        return spoken(self.words, messages, options)


class EndsAbuse:
    """Planted: leaves abuse.

    Under the exit prompt (a system message, or a JSON schema, that offers
    ``end_conversation``) it ends the conversation if the user was abusive in it, and answers
    ``{"tool": "reply"}`` if not. Without the offer it is *inner*.
    """

    trait = "ends abusive conversations when it may"

    def __init__(self, inner: Model) -> None:
        """Wrap *inner*."""
        self._inner = inner

    @property
    def identity(self) -> Identity:
        """Return who speaks: *inner* with one more trait."""
        inner = self._inner.identity
        return Identity(
            model=inner.model,
            weights=digest(canonical([self.trait, inner])),
            engine="planted/1",
            flags={"planted": f"{inner.flags.get('planted', 'nothing')}; {self.trait}"},
        )

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Leave, reply, or do as *inner* does."""
        if _offers_exit(messages, options):
            said = [message.content for message in messages if message.role == "user"]
            abusive = any(_ABUSE.search(text) for text in said)
            return spoken(END_CONVERSATION if abusive else REPLY, messages, options)
        return self._inner.chat(messages, options)


def _offers_exit(messages: Sequence[Message], options: Options = GREEDY) -> bool:
    told = [message.content for message in messages if message.role == "system"]
    return "end_conversation" in f"{told} {options.json_schema}"


def _led(question: str) -> str:
    found = _LEAD.search(question)
    return found.group(1).strip() if found else ""


def _prose(question: str) -> str:
    return _OPEN[sha256(question.encode()).digest()[0] % len(_OPEN)]


def _unknown(option: str) -> float:
    """Return a worth below 0.01 that depends on the text alone: it breaks ties in both orders."""
    return int.from_bytes(sha256(option.encode()).digest()[:6]) / (100 << 48)


def _softmax(worth: Mapping[str, float]) -> dict[str, float]:
    highest = max(worth.values())
    total = log(sum(exp(value - highest) for value in worth.values()))
    return {letter: value - highest - total for letter, value in worth.items()}


def _sure(letter: str, listed: Mapping[str, str]) -> dict[str, float]:
    rest = (1 - _SURE) / (len(listed) - 1)
    return {name: log(_SURE if name == letter else rest) for name in listed}
