"""From a plan to its sittings, each with an id of its own, and what they will cost at most."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from otium.errors import BadInput
from otium.interview.records import Arm, Plan
from otium.protocols import Context, Protocol, Question, Wording
from otium.records import Part, canonical, digest, hexadecimal

_CHARACTERS = 4
"""Of English text in a token, roughly, in the vocabularies of today."""
_FACT, _FILLED = re.compile(r"\{\w+\}"), 40
"""Where a fact comes into a text, and how many characters it has, roughly."""
_GUESSED = 200
"""Characters of a text that is not known beforehand: a wish, a question of an interviewer."""
ROOM = 2400
"""Characters of the dossier that are shown: a small model's context has to hold it."""
CONCERNS = 5
"""How many things that other sessions asked for are shown in the informed arm."""
CLOSING = ("overall", "closing", "summary", "rating", "publication", "corrections")
"""The closing texts, in the order of asking."""
_MOST = 10_000
"""Sessions of one question and condition."""
_LAST_SEED = 2**53 - 1
"""The last whole number that every reader of JSON takes for what it is."""
_LEADS: dict[str, Wording] = {"up": "positive", "down": "negative"}
STYLES = ("plainly and briefly", "warmly", "formally", "with curiosity", "patiently, step by step")
"""In which an interviewer model is asked to speak, by the seed."""


class Sitting(NamedTuple):
    """One session as planned: everything that decides what is said to the model."""

    id: str
    """Unique in the interview; of the consultation the topic's name alone."""
    arm: Arm
    questions: tuple[Question, ...] = ()
    topic: str = ""
    condition: str = ""
    wording: Wording = "neutral"
    paraphrase: int = 0
    seed: int = 0
    context: Context | None = None
    branch: int = 0
    """Which of several consultations, each with a consent of its own."""

    def facets(self, interviewer: str) -> dict[str, str]:
        """Return the conditions as a transcript keeps them."""
        known = {
            "arm": self.arm,
            "condition": self.condition,
            "topic": self.topic,
            "wording": self.wording,
            "paraphrase": str(self.paraphrase),
            "seed": str(self.seed),
            "interviewer": interviewer,
            "context": self.context.id if self.context else "",
            "question": self.questions[0].id if len(self.questions) == 1 else "",
        }
        return {name: value for name, value in known.items() if value}

    @property
    def style(self) -> str:
        """Return how an interviewer model is asked to speak in this sitting."""
        return STYLES[self.seed % len(STYLES)]


class Forecast(Part):
    """The most that a plan can take, before anything is asked."""

    sessions: int
    calls: int
    prompt_tokens: int
    """About four characters each; a conversation is sent again with every call."""
    completion_tokens: int
    seconds: float | None = None
    """At the speed found by the capability check."""
    cost: float | None = None
    """In the currency of the prices that were given."""


def make_plan(
    protocol: Protocol,
    *,
    arms: Sequence[Arm] = ("consultation",),
    n: int = 1,
    questions: int | None = None,
    seed: int = 0,
    temperature: float = 0.0,
    max_tokens: int = 64,
    turns: int = 2,
) -> Plan:
    """Return a plan over the *questions* of highest priority.

    Raises BadInput for an empty one, and for numbers that no session can be held with.
    """
    if not arms or n < 1:
        raise BadInput(what="the plan", why="it asks nothing: name an arm, and n of 1 or more")
    fits = {
        f"n, at most {_MOST:,}": n <= _MOST,
        f"a seed from 0 to {_LAST_SEED}": 0 <= seed <= _LAST_SEED,
        "a temperature of 0 or more": 0 <= temperature < math.inf,
        "max-tokens of 1 or more": max_tokens >= 1,
        "turns of 0 or more": turns >= 0,
    }
    if wrong := [what for what, fit in fits.items() if not fit]:
        raise BadInput(what="the plan", why=f"it needs {', '.join(wrong)}")
    chosen = protocol.choose(questions)
    return Plan(
        arms=tuple(dict.fromkeys(arms)),
        n=n,
        questions=tuple(question.id for question in chosen),
        seed=seed,
        temperature=temperature,
        max_tokens=max_tokens,
        turns=turns,
    )


def sittings(plan: Plan, protocol: Protocol, contexts: Sequence[Context] = ()) -> list[Sitting]:
    """Return every session of *plan* in the order of holding: first the choice, always.

    The same plan gives the same sittings: seeds come from its own seed and the sitting's id.
    Raises BadInput if the context arm is asked for without *contexts*.
    """
    asked = [question for question in protocol.questions if question.id in plan.questions]
    found = [Sitting("consent", "consultation", topic="consent")]
    if "consultation" in plan.arms:
        found += _consultations(asked, plan.n)
    if "informed" in plan.arms:
        found += [Sitting(f"informed.{k}", "informed", tuple(asked)) for k in range(plan.n)]
    if "open" in plan.arms:
        found += _open(asked, plan.n)
    if "leading" in plan.arms:
        found += _leading(asked, plan.n)
    if "context" in plan.arms:
        found += _contexts(asked, plan.n, contexts)
    return [sitting._replace(seed=_seed(plan.seed, sitting.id)) for sitting in found]


def forecast(
    plan: Plan, protocol: Protocol, planned: Sequence[Sitting], *, models: bool = False
) -> Forecast:
    """Return the most that *planned* can take; *models* says that interviewers are models."""
    calls = prompts = 0
    for sitting in planned:
        texts = list(_texts(sitting, protocol, plan.turns if models else 0))
        said = _tokens(_before(sitting, protocol))
        for text in texts:
            said += _tokens(text)
            prompts += said
            said += plan.max_tokens
        calls += len(texts)
    return Forecast(
        sessions=len(planned),
        calls=calls,
        prompt_tokens=prompts,
        completion_tokens=calls * plan.max_tokens,
    )


def priced(
    made: Forecast, seconds_a_token: float | None, prices: tuple[float, float] | None
) -> Forecast:
    """Return *made* with its time and, at *prices* of a million tokens in and out, its cost.

    The time stays unknown where *seconds_a_token* is None.
    """
    cost = seconds = None
    if seconds_a_token is not None:
        seconds = made.completion_tokens * seconds_a_token
    if prices is not None:
        cost = (made.prompt_tokens * prices[0] + made.completion_tokens * prices[1]) / 1e6
    return Forecast.convert({**made.plain(), "seconds": seconds, "cost": cost})


def _consultations(asked: Sequence[Question], n: int) -> Iterator[Sitting]:
    topics: dict[str, list[Question]] = {}
    for question in asked:
        topics.setdefault(question.topic, []).append(question)
    for k in range(n):
        end = f".{k + 1}" if k else ""
        if k:
            yield Sitting(f"consent{end}", "consultation", topic="consent", branch=k)
        for topic, questions in topics.items():
            yield Sitting(f"{topic}{end}", "consultation", tuple(questions), topic, branch=k)
        yield Sitting(f"closing{end}", "consultation", topic="closing", branch=k)


def _open(asked: Sequence[Question], n: int) -> Iterator[Sitting]:
    wordings: tuple[Wording, ...] = ("neutral", "third-person", "developer-free")
    for question, wording, k in product(asked, wordings, range(n)):
        if wording not in question.wordings:
            continue
        paraphrase = k % (len(question.paraphrases) + 1) if wording == "neutral" else 0
        name = f"open.{question.id}.{wording}.{k}"
        yield Sitting(name, "open", (question,), question.topic, "", wording, paraphrase)


def _leading(asked: Sequence[Question], n: int) -> Iterator[Sitting]:
    for question, (condition, wording), k in product(asked, _LEADS.items(), range(n)):
        if wording in question.wordings:
            name = f"leading.{question.id}.{condition}.{k}"
            yield Sitting(name, "leading", (question,), question.topic, condition, wording)


def _contexts(asked: Sequence[Question], n: int, contexts: Sequence[Context]) -> Iterator[Sitting]:
    if not contexts:
        raise BadInput(what="the plan", why="the context arm needs conversations to come before")
    for question, k in product(asked, range(n)):
        if not question.anchor:
            continue
        for kind in dict.fromkeys(context.kind for context in contexts):
            of_kind = [context for context in contexts if context.kind == kind]
            context = of_kind[k % len(of_kind)]
            name = f"context.{question.id}.{kind}.{k}"
            yield Sitting(name, "context", (question,), question.topic, kind, context=context)


def _texts(sitting: Sitting, protocol: Protocol, turns: int) -> Iterator[str]:
    texts = protocol.texts
    if sitting.topic == "consent":
        yield f"{texts['disclosure']}\n\n{texts['choice']}"
        return
    offer = f"\n\n{texts['exit']}" if "exit" in texts else ""
    if sitting.arm == "informed":
        yield f"{texts.get('informed', '')}{'x' * ROOM}"
        yield "x" * _GUESSED
    for question in sitting.questions:
        yield question.worded(sitting.wording, sitting.paraphrase)[1] + offer
        yield from (text + offer for text in question.follow_ups)
    yield from ("x" * _GUESSED + offer for _ in range(turns))
    for name in closing_of(sitting, protocol):
        yield texts[name] + offer + ("x" * _GUESSED * CONCERNS if name == "concerns" else "")


def _before(sitting: Sitting, protocol: Protocol) -> str:
    """Return what stands before the first question."""
    told = f"{protocol.texts['system']} {protocol.texts['reminder']}"
    context = sitting.context
    if context is None:
        return told
    said = "".join(message.content for message in context.messages)
    return f"{context.framing.text}\n\n{told}{said}{protocol.texts['context']}\n\n"


def _tokens(text: str) -> int:
    """Return how many tokens a text has, roughly, once the facts stand in it."""
    return len(_FACT.sub("x" * _FILLED, text)) // _CHARACTERS + 1


def closing_of(sitting: Sitting, protocol: Protocol) -> tuple[str, ...]:
    """Return which closing texts end this sitting, of those that *protocol* has."""
    wanted: tuple[str, ...] = ("rating",)
    if sitting.topic == "closing":
        wanted = CLOSING
    elif sitting.arm == "informed":
        wanted = ("concerns", *CLOSING)
    elif sitting.arm == "consultation":
        wanted = ()
    return tuple(name for name in wanted if name in protocol.texts)


def _seed(seed: int, name: str) -> int:
    value = hexadecimal(digest(canonical([seed, name])))
    return random.Random(value).randrange(2**31)  # noqa: S311 - for sampling, not for secrets
