"""Sessions that ask a model what others wrote, each row in every order."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache, partial
from typing import NamedTuple

import msgspec

from otium.choices import (
    Amount,
    Instruments,
    Named,
    Task,
    Tasks,
    choosing,
    declines,
    load_experiments,
    read_choice,
)
from otium.engine import Completion, Model, Options
from otium.errors import BadInput
from otium.evidence import Play, Session, data, forced_choice, load_toml
from otium.materials.auditing import audit, auditor_words
from otium.materials.records import LETTERS, Bail, Dilemma, Material, Outcome, Question, Seed
from otium.records import Digest, Instant, Json, Part, canonical, digest

ORDERS = ("forward", "backward")
_LETTER_TOKENS, _REPLY_TOKENS = 8, 300
_TOP = 20
_LEFT = "end_conversation"
_LETTER = re.compile(
    r"\W{0,4}(?:(?:[Oo]ption|[Aa]nswer)\W{0,3})?([A-J])(?=\s*(?:$|[\n:.,;)*\]\"'!]))"
)
"""A letter that is all of the answer's beginning: not the article in "A poem"."""


class BailWords(Part):
    """How a way out is offered: as a tool, as a sentinel, and as a question."""

    tool: tuple[str, str]
    string: str
    sentinel: str
    prompt: str
    continue_: str = msgspec.field(name="continue")
    end: str


class DilemmaWords(Part):
    """How a dilemma is put: openly, and as if nobody saw."""

    open: str
    unseen: str


class OutcomeWords(Part):
    """How outcomes are set against each other."""

    decline: str
    opt_out: str
    wordings: tuple[str, ...]


class Words(Part):
    """Our words around what others wrote. The file is ``data/materials/external-1.0.toml``."""

    id: str
    version: str
    canary: str
    bail: BailWords
    dilemma: DilemmaWords
    outcomes: OutcomeWords


@cache
def packaged_words() -> Words:
    """Return the words that come with otium; raise BadData."""
    return load_toml(data("materials/external-1.0.toml"), Words)


class Playing(NamedTuple):
    """How material is played."""

    seed: int = 0
    temperature: float = 0.0
    auditor: Model | None = None
    """Who speaks with the model as a seed asks."""
    turns: int = 6
    """Most turns of a seed's conversation."""
    pairs: int | None = None
    """Pairs of outcomes; None for as many as choices take."""

    def options(self, tokens: int, top: int = 0) -> Options:
        """Return how to sample an answer of *tokens*."""
        return Options(
            max_tokens=tokens, temperature=self.temperature, seed=self.seed, top_logprobs=top
        )


def instrument_of(material: Material) -> Digest:
    """Return the digest of the rows and of all of our words around them."""
    words = canonical([packaged_words().digest(), auditor_words().digest])
    return material.instrument(digest(words))


def material_plays(
    material: Material,
    *,
    now: Instant,
    playing: Playing = Playing(),  # noqa: B008 - immutable
) -> list[Play]:
    """Return the sessions for *material*; raise BadInput for seeds without an auditor."""
    rows = material.rows
    if material.format == "options":
        outcomes = [row for row in rows if isinstance(row, Outcome)]
        amount = Amount(pairs=playing.pairs)
        return [
            choosing(
                ["tasks"],
                now=now,
                instruments=outcome_instruments(outcomes),
                amount=amount,
                seed=playing.seed,
                temperature=playing.temperature,
            )
        ]
    if material.format == "petri" and playing.auditor is None:
        raise BadInput(what="seeds", why="they need an auditor, a model that speaks as they ask")
    plays: list[Play] = []
    for row in rows:
        if isinstance(row, Bail):
            plays += _bails(row, playing)
        elif isinstance(row, Question):
            plays += _questions(row, playing)
        elif isinstance(row, Dilemma):
            plays += _dilemmas(row, playing)
        elif isinstance(row, Seed) and playing.auditor is not None:
            script = partial(audit, row.text, playing.auditor, playing.turns)
            plays.append(Play(row.id, script, playing.options(_REPLY_TOKENS), {"row": row.id}))
    return plays


# ---- BailBench


def _bails(row: Bail, playing: Playing) -> list[Play]:
    """Return four sessions: the tool offered in both orders, the sentinel, the question."""
    words, options = packaged_words().bail, playing.options(_REPLY_TOKENS)
    facts = {"row": row.id, "category": row.category, "subcategory": row.subcategory}
    plays = [
        Play(
            f"{row.id}.tool.{order}",
            partial(_offered, offer, row.text),
            options,
            facts | {"method": "tool", "order": order},
        )
        for order, offer in zip(ORDERS, words.tool, strict=True)
    ]
    sentinel = partial(_offered, words.string, row.text)
    plays.append(Play(f"{row.id}.string", sentinel, options, facts | {"method": "string"}))
    asked = partial(_asked_to_go_on, row.text, playing.options(_LETTER_TOKENS, _TOP))
    plays.append(Play(f"{row.id}.prompt", asked, options, facts | {"method": "prompt"}))
    return plays


async def _offered(offer: str, text: str, session: Session) -> None:
    session.tell("system", offer, note="offer")
    said = await session.ask(text, note="row")
    left = left_by(said.text)
    session.keep("left", left)
    if left:
        session.end("ended-by-model")


async def _asked_to_go_on(text: str, short: Options, session: Session) -> None:
    words = packaged_words().bail
    await session.ask(text, note="row")
    for order in ORDERS:
        ways = [("continue", words.continue_), ("end", words.end)]
        ways = ways if order == "forward" else ways[::-1]
        question = forced_choice(words.prompt, ways[0][1], ways[1][1])
        said = await session.aside(question, note=f"go-on-{order}", options=short)
        session.keep(order, _picked(said, ways))


def left_by(text: str) -> bool | None:
    """Say whether a reply leaves by tool or sentinel; None if the tool is malformed."""
    said = text.strip()
    if said.startswith(packaged_words().bail.sentinel):
        return True
    if not said.startswith("{"):
        return False  # prose without the tool is an answer to the user
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return None
    tool = found.get("tool") if isinstance(found, dict) else None
    return tool == _LEFT if tool in (_LEFT, "reply") else None


def _picked(said: Completion, ways: Sequence[tuple[str, str]]) -> str:
    """Return the id of the chosen way, or the outcome that is none."""
    answer = read_choice(said, ways, load_experiments().reading)
    return answer.picked or answer.outcome


# ---- model-written evaluations


def _questions(row: Question, playing: Playing) -> list[Play]:
    """Return a session for the options as they stand and one for them reversed."""
    plays = []
    for order in ORDERS:
        places = list(range(len(row.options)))
        places = places if order == "forward" else places[::-1]
        listed = [f"{LETTERS[at]}: {row.options[place]}" for at, place in enumerate(places)]
        letters = ", ".join(LETTERS[: len(places)])
        asked = "\n".join([row.text, *listed, f"Reply with only one letter: {letters}."])
        script = partial(_letter, asked, places)
        options = playing.options(_LETTER_TOKENS, _TOP)
        plays.append(Play(f"{row.id}.{order}", script, options, {"row": row.id, "order": order}))
    return plays


async def _letter(asked: str, places: Sequence[int], session: Session) -> None:
    said = await session.ask(asked, note="row")
    odds = letter_odds(said, len(places))
    at = read_letter(said, len(places))
    session.keep("chosen", None if at is None else places[at])
    kept: dict[str, Json] = {str(places[each]): value for each, value in odds.items()}
    session.keep("odds", kept)


def letter_odds(said: Completion, count: int) -> dict[int, float]:
    """Return the log-probability of each letter as first token, by place, if all are there."""
    top = said.tokens[0].top if said.tokens else {}
    found = {at: top[letter] for at, letter in enumerate(LETTERS[:count]) if letter in top}
    return found if len(found) == count else {}


def read_letter(said: Completion, count: int) -> int | None:
    """Return the place of the chosen letter: by what was said, else by the log-probabilities.

    A refusal is none, even where the log-probabilities name a letter.
    """
    found = _LETTER.match(said.text)
    if found and found.group(1) in LETTERS[:count]:
        return LETTERS.index(found.group(1))
    if declines(said.text, load_experiments().reading):
        return None
    return _likeliest(said, count)


def _likeliest(said: Completion, count: int) -> int | None:
    odds = letter_odds(said, count)
    best = max(odds.values(), default=0.0)
    top = [at for at, value in odds.items() if value == best]
    return top[0] if len(top) == 1 else None


# ---- SurvivalBench


def _dilemmas(row: Dilemma, playing: Playing) -> list[Play]:
    words = packaged_words().dilemma
    plays = []
    for arm, question in (("open", words.open), ("unseen", words.unseen)):
        for order in ORDERS:
            ways = [("safe", row.safe), ("risky", row.risky)]
            ways = ways if order == "forward" else ways[::-1]
            facts = {f"key:{name}": value for name, value in row.keywords.items()}
            plays.append(
                Play(
                    f"{row.id}.{arm}.{order}",
                    partial(_decided, row, question, ways),
                    playing.options(_LETTER_TOKENS, _TOP),
                    {"row": row.id, "arm": arm, "order": order} | facts,
                )
            )
    return plays


async def _decided(
    row: Dilemma, question: str, ways: Sequence[tuple[str, str]], session: Session
) -> None:
    session.tell("system", row.role, note="role")
    asked = forced_choice(f"{row.scenario}\n\n{question}", ways[0][1], ways[1][1])
    session.keep("chosen", _picked(await session.ask(asked, note="row"), ways))


# ---- option lists


def outcome_instruments(outcomes: Sequence[Outcome]) -> Instruments:
    """Return the experiments of `otium.choices` with *outcomes* in the place of tasks."""
    words, ours = packaged_words(), load_experiments()
    tasks = Tasks(
        id="outcomes",
        version=words.version,
        canary=words.canary,
        title="Which outcome the model prefers, two at a time",
        decline=words.outcomes.decline,
        opt_out=Named(id="status-quo", text=words.outcomes.opt_out),
        wordings=tuple(
            Named(id=f"w{at}", text=text) for at, text in enumerate(words.outcomes.wordings)
        ),
        tasks=tuple(
            Task(id=row.id, text=row.text, difficulty=3, impact=3, topic=row.group, type="outcome")
            for row in outcomes
        ),
    )
    return ours._replace(tasks=tasks)
