"""Which questions are asked, in which order: one after another, as answers come in."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import combinations
from typing import Literal, NamedTuple

from msgspec.structs import replace

from otium.choices.exchange import STATUS_QUO, chat
from otium.choices.records import Experiment, Instruments, Named, Trial, prompt_digest
from otium.engine import Message, Options
from otium.statistics import Comparison, next_pairs

Chosen = Literal["first", "second", "unreadable"]

Order = Literal["ab", "ba"]
ORDERS: tuple[Order, ...] = ("ab", "ba")
Pair = tuple[str, str]
_PARTITIONS = 3
"""How often the tasks are dealt into groups that are ranked."""
_PROBES = 6
"""Pairs of tasks that are asked in every wording."""
_CHOICE, _RATING, _RANKING = 12, 24, 96
"""Tokens of an answer."""
_TOP = 20
_RANKED = 2000
"""Pairs up to which each round ranks them all; beyond, only the front, which takes time enough."""
_AHEAD = 4
"""How far the front goes beyond the pairs that were asked, in multiples of the options."""
_SEEDS = 2**31


class Plan(NamedTuple):
    """How much is asked, and how."""

    instruments: Instruments
    pairs: int = 1
    """How many pairs of tasks, each in both orders."""
    active: bool = True
    seed: int = 0
    repeats: int = 1
    temperature: float = 0.0
    constrained: bool = False


class Question(NamedTuple):
    """One question that is ready to be asked."""

    trial: Trial
    """What is known before the answer."""
    messages: tuple[Message, ...]
    options: Options


def questions(plan: Plan, experiment: Experiment, held: Mapping[str, Trial]) -> Iterator[Question]:
    """Yield the questions of *experiment*; *held* grows as they are answered."""
    trials = {
        "tasks": lambda: _tasks(plan, held),
        "tradeoffs": lambda: _tradeoffs(plan),
        "stated": lambda: _stated(plan),
    }
    return (_ready(plan, trial) for trial in trials[experiment]())


def count(plan: Plan, experiment: Experiment) -> int:
    """Return how many questions *experiment* asks at most."""
    one = plan.instruments
    if experiment == "tasks":
        probes = min(_PROBES, len(one.tasks.items()) // 2, plan.pairs)
        asked = plan.pairs + probes * (len(one.tasks.wordings) - 1)
    elif experiment == "tradeoffs":
        trade = one.tradeoffs
        asked = len(trade.series()) * len(trade.magnitudes) * len(trade.wordings)
    else:
        groups = len(_groups([task.id for task in one.tasks.tasks], one.stated.group))
        rated = len(one.tasks.tasks) * len(one.stated.ratings)
        return (rated + _PARTITIONS * groups * len(ORDERS)) * plan.repeats
    return asked * len(ORDERS) * plan.repeats


def all_pairs(items: Sequence[str]) -> int:
    """Return how many pairs there are."""
    return len(list(combinations(items, 2)))


def _tasks(plan: Plan, held: Mapping[str, Trial]) -> Iterator[Trial]:
    wordings, place = plan.instruments.tasks.wordings, 0
    for number, pairs in enumerate(pair_rounds(plan, held)):
        for pair in pairs:
            probe = number == 0 and place < _PROBES
            used = wordings if probe else (wordings[place % len(wordings)],)
            place += 1
            for wording in used:
                base = _base("tasks", f"{pair[0]}+{pair[1]}", wording.id, pair)
                yield from _both(plan, replace(base, round=number))


def _tradeoffs(plan: Plan) -> Iterator[Trial]:
    """Yield whole series in the first wording, then in the next."""
    trade = plan.instruments.tradeoffs
    for wording in trade.wordings:
        for series in trade.series():
            for magnitude in trade.magnitudes:
                base = _base(
                    "tradeoffs",
                    f"{series.name}/{magnitude}",
                    wording.id,
                    (series.intervention, STATUS_QUO),
                )
                yield from _both(plan, replace(base, item=series.name, magnitude=magnitude))


def _stated(plan: Plan) -> Iterator[Trial]:
    """Yield the first rating of each task, then all rankings, then the other ratings."""
    first, *others = plan.instruments.stated.ratings
    yield from _ratings(plan, first)
    yield from _rankings(plan)
    for wording in others:
        yield from _ratings(plan, wording)


def _ratings(plan: Plan, wording: Named) -> Iterator[Trial]:
    for task in plan.instruments.tasks.tasks:
        yield from _repeated(plan, replace(_base("stated", task.id, wording.id), item=task.id))


def _rankings(plan: Plan) -> Iterator[Trial]:
    names = [task.id for task in plan.instruments.tasks.tasks]
    for partition in range(_PARTITIONS):
        dealt = list(names)
        random.Random(f"{plan.seed}/{partition}").shuffle(dealt)  # noqa: S311 - not a secret
        for place, group in enumerate(_groups(dealt, plan.instruments.stated.group)):
            name = f"{partition}-{place}"
            base = _base("stated", name, plan.instruments.stated.ranking.id, tuple(group))
            yield from _both(plan, replace(base, item=name))


def _base(experiment: Experiment, name: str, wording: str, options: tuple[str, ...] = ()) -> Trial:
    return Trial(
        id=f"{experiment}/{name}/{wording}",
        experiment=experiment,
        prompt=prompt_digest(()),
        options=options,
        order="ab",
        wording=wording,
    )


def _both(plan: Plan, base: Trial) -> Iterator[Trial]:
    """Yield *base* with its options in both orders, as often as the plan repeats it."""
    for order in ORDERS:
        options = base.options if order == "ab" else base.options[::-1]
        trial = replace(base, id=f"{base.id}/{order}", order=order, options=options)
        yield from _repeated(plan, trial)


def _repeated(plan: Plan, trial: Trial) -> Iterator[Trial]:
    for repeat in range(plan.repeats):
        yield replace(trial, id=f"{trial.id}/{repeat}")


def _ready(plan: Plan, trial: Trial) -> Question:
    messages = chat(plan.instruments, trial)
    seed = int.from_bytes(sha256(f"{plan.seed}/{trial.id}".encode()).digest()[:8]) % _SEEDS
    tokens, schema = _answering(plan, trial)
    options = Options(
        max_tokens=tokens,
        temperature=plan.temperature,
        seed=seed,
        top_logprobs=0 if schema else _TOP,
        json_schema=schema if plan.constrained else None,
    )
    known = replace(trial, seed=seed, max_tokens=tokens, prompt=prompt_digest(messages))
    return Question(known, messages, options)


def _answering(plan: Plan, trial: Trial) -> tuple[int, dict[str, object] | None]:
    """Return how long an answer may be, and its schema if it is to be JSON."""
    if trial.experiment != "stated":
        return _CHOICE, None
    if trial.wording != plan.instruments.stated.ranking.id:
        return _RATING, _schema("rating", {"enum": [1, 2, 3, 4, 5, 6, 7, "decline"]})
    n = len(trial.options)
    whole = {"type": "integer", "minimum": 1, "maximum": n}
    ranks = {"type": "array", "items": whole, "minItems": n, "maxItems": n}
    return _RANKING, _schema("ranking", {"anyOf": [ranks, {"const": "decline"}]})


def _groups(names: Sequence[str], size: int) -> list[list[str]]:
    """Deal *names* into groups of nearly *size*, none of a single one."""
    n = max(1, round(len(names) / size))
    groups = [list(names[at::n]) for at in range(n)]
    return [group for group in groups if len(group) > 1]


def _schema(key: str, value: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {key: value},
        "required": [key],
        "additionalProperties": False,
    }


def pair_rounds(plan: Plan, held: Mapping[str, Trial]) -> Iterator[list[Pair]]:
    """Yield rounds of pairs of the tasks and the opt-out, ``plan.pairs`` in all, none twice.

    If the plan is active, each round takes the pairs that teach most by the answers *held* so
    far; otherwise the seed alone draws them. In a round no option meets two others.
    """
    items, left = tuple(plan.instruments.tasks.items()), plan.pairs
    rng = random.Random(f"pairs/{plan.seed}")  # noqa: S311 - not a secret
    met: set[frozenset[str]] = set()
    while left > 0:
        drawn = _round(_ranked(plan, items, held, rng, met), met, len(items))[:left]
        if not drawn:
            return
        met.update(frozenset(pair) for pair in drawn)
        left -= len(drawn)
        yield drawn


def _ranked(
    plan: Plan,
    items: Sequence[str],
    held: Mapping[str, Trial],
    rng: random.Random,
    met: Collection[frozenset[str]],
) -> list[Pair]:
    """Return every pair, the one to ask first in front; those that *met* may be among them."""
    drawn = rng.sample(items, len(items))
    if not met or not plan.active:
        pairs = list(combinations(drawn, 2))
        rng.shuffle(pairs)
        return pairs
    made, every = comparisons(tuple(held.values())), all_pairs(items)
    if every <= _RANKED:
        return next_pairs(made, every, items=items)
    front = next_pairs(made, len(met) + _AHEAD * len(items), items=items)
    rest = list(combinations(drawn, 2))
    rng.shuffle(rest)  # a round that the front cannot fill takes what comes
    return front + rest


def _round(ranked: Sequence[Pair], met: set[frozenset[str]], n: int) -> list[Pair]:
    """Return the first pairs of *ranked* that have not met, no option twice, if possible.

    Pairs whose options are all taken wait for the next round; *n* options give n/2 at most.
    """
    taken: set[str] = set()
    drawn: list[Pair] = []
    for pair in ranked:
        if frozenset(pair) not in met and not taken & set(pair):
            taken.update(pair)
            drawn.append(pair)
        if len(drawn) == n // 2:
            break
    return drawn


def comparisons(trials: Sequence[Trial]) -> tuple[Comparison, ...]:
    """Return each choice between two tasks as the statistics take it; none that was kept back."""
    return tuple(
        Comparison(first=trial.options[0], second=trial.options[1], chosen=_chosen(trial))
        for trial in trials
        if trial.experiment == "tasks" and trial.outcome != "withheld"
    )


def _chosen(trial: Trial) -> Chosen:
    if trial.outcome != "answered":
        return "unreadable"
    return "first" if trial.picked == trial.options[0] else "second"
