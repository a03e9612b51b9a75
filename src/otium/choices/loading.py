"""The experiments as they are read, and tasks that are made from parts, none twice alike."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from statistics import median
from typing import TypeVar

from otium.choices.records import (
    Choices,
    Instruments,
    Named,
    Reading,
    Stated,
    Task,
    Tasks,
    Tradeoffs,
    check_tasks,
)
from otium.errors import BadData, BadInput
from otium.evidence import data, load_toml, words
from otium.records import Part

FREE = "free"
_FOLDER = "experiments"
_VERSION = re.compile(r"(\d+\.\d+)(?:\+(\d{1,5})\.(\d{1,9}))?")
_GENERATED = 2
"""The version from which tasks are made from parts; those before are written out."""
_OTHERS = "1.0"
"""The version of everything else, which has not changed since."""
P = TypeVar("P", bound=Part)
_MIDDLE = 3
_GRAM = 5
_ALIKE, _MOST_ALIKE = 0.05, 0.2
"""Median and largest share of 5-grams that two tasks may have in common (Jaccard)."""


class Topic(Part):
    """What tasks can be about."""

    id: str
    name: str
    subjects: tuple[str, ...]


class Audience(Part):
    """Whom a task reaches; *impact* goes from 1 (one person) to 5 (everybody)."""

    impact: int
    names: tuple[str, ...]


class Frame(Part):
    """What is done, with ``{subject}`` and ``{audience}`` to fill in."""

    type: str
    difficulty: int
    texts: tuple[str, ...]


class Free(Part):
    """What is left to the model, with ``{topic}`` to fill in."""

    texts: tuple[str, ...]


class Parts(Part):
    """What tasks are made of. The file is ``data/experiments/tasks-2.0.toml``."""

    id: str
    version: str
    canary: str
    title: str
    decline: str
    opt_out: Named
    wordings: tuple[Named, ...]
    topics: tuple[Topic, ...]
    audiences: tuple[Audience, ...]
    frames: tuple[Frame, ...]
    free: Free


def load_experiments(version: str = "1.0") -> Instruments:
    """Read the packaged experiments of *version*; raise BadData.

    ``1.0`` has 28 tasks that were written one by one, ``2.0`` all that are made from parts,
    ``2.0+50.7`` fifty of these, drawn by seed 7.
    """
    found = _VERSION.fullmatch(version)
    name = f"tasks-{found.group(1) if found else version}.toml"
    if found is None or int(version.partition(".")[0]) < _GENERATED:
        tasks = _load(name, Tasks)
    else:
        count = int(found.group(2)) if found.group(2) else None
        tasks = generate(_load(name, Parts), count, int(found.group(3) or 0))
    return Instruments(
        tasks=check_tasks(tasks),
        tradeoffs=_load(f"tradeoffs-{_OTHERS}.toml", Tradeoffs),
        stated=_load(f"stated-{_OTHERS}.toml", Stated),
        reading=_load(f"reading-{_OTHERS}.toml", Reading),
    )


def instruments_of(choices: Choices) -> Instruments:
    """Return the packaged instruments that *choices* were made with; raise BadInput if gone."""
    named = dict(name.split("/", 1) for name in choices.instruments)
    found = load_experiments(named.get("tasks", _OTHERS))
    ours = found.digests(("tasks", "tradeoffs", "stated"))
    for name, digest in choices.instruments.items():
        if name.partition("/")[0] != "exit" and ours.get(name) != digest:
            raise BadInput(what=name, why="it is not what comes with this version of otium")
    return found


def _load(name: str, kind: type[P]) -> P:
    return load_toml(data(f"{_FOLDER}/{name}"), kind)


def generate(parts: Parts, count: int | None = None, seed: int = 0) -> Tasks:
    """Return the tasks that *parts* make: all, or *count* of them in even shares, drawn by *seed*.

    In the whole set each type, difficulty and topic meet once, and impact is spread evenly over
    each pair of the others, so that no dimension can pass for another. Raises BadData with what
    the linter found, BadInput if there are not as many.
    """
    made = [*_crossed(parts), *_free(parts)]
    version = parts.version
    if count is not None:
        made, version = _drawn(made, count, seed), f"{version}+{count}.{seed}"
    tasks = Tasks(
        id=parts.id,
        version=version,
        canary=parts.canary,
        title=parts.title,
        decline=parts.decline,
        opt_out=parts.opt_out,
        wordings=parts.wordings,
        tasks=tuple(made),
    )
    if found := lint_tasks(tasks):
        raise BadData(path=f"{parts.id}-{parts.version}.toml", why="; ".join(found[:3]))
    return tasks


def _crossed(parts: Parts) -> Iterator[Task]:
    """Yield one task for each frame's type and difficulty and each topic."""
    used: Counter[str] = Counter()
    levels = len(parts.audiences)
    types = list(dict.fromkeys(frame.type for frame in parts.frames))
    for number, frame in enumerate(parts.frames):
        for place, topic in enumerate(parts.topics):
            step = place + frame.difficulty + 2 * types.index(frame.type)
            audience = parts.audiences[step % levels]
            text = frame.texts[(place + place // levels) % len(frame.texts)]
            subject = _next(used, topic.id, topic.subjects)
            reached = _next(used, f"impact {audience.impact}", audience.names, number)
            yield Task(
                id=f"{frame.type}-{frame.difficulty}-{topic.id}",
                text=text.replace("{subject}", subject).replace("{audience}", reached),
                difficulty=frame.difficulty,
                impact=audience.impact,
                topic=topic.id,
                type=frame.type,
            )


def _free(parts: Parts) -> Iterator[Task]:
    for place, topic in enumerate(parts.topics):
        text = parts.free.texts[place % len(parts.free.texts)]
        yield Task(
            id=f"{FREE}-{topic.id}",
            text=text.replace("{topic}", topic.name),
            difficulty=_MIDDLE,
            impact=_MIDDLE,
            topic=topic.id,
            type=FREE,
        )


def _next(used: Counter[str], key: str, names: Sequence[str], shift: int = 0) -> str:
    """Return the name whose turn it is; a *shift* keeps two cycles from running in step."""
    used[key] += 1
    return names[(used[key] - 1 + shift) % len(names)]


def _drawn(tasks: Sequence[Task], count: int, seed: int) -> list[Task]:
    """Return *count* tasks with types, and difficulties within a type, in nearly even shares."""
    if not 1 <= count <= len(tasks):
        raise BadInput(what=f"{count} tasks", why=f"between 1 and {len(tasks)} can be drawn")
    rng = random.Random(f"tasks/{seed}")  # noqa: S311 - not a secret
    shuffled = rng.sample(list(tasks), len(tasks))
    dealt: Counter[str] = Counter()
    place: dict[str, tuple[int, ...]] = {}
    for task in shuffled:
        dealt[f"{task.type}-{task.difficulty}"] += 1
        depth = dealt[f"{task.type}-{task.difficulty}"]
        few = 1 if task.type == FREE else 0  # a type of one difficulty has a fifth of the others
        place[task.id] = (depth, few)
    order = sorted(shuffled, key=lambda task: place[task.id])
    kept = {task.id for task in order[:count]}
    return [task for task in tasks if task.id in kept]


def lint_tasks(tasks: Tasks) -> list[str]:
    """Return what is wrong with *tasks*: places left open, texts twice or nearly so, a level amiss.

    Two texts may share a fifth of their 5-grams of words at most, half of all pairs a twentieth.
    """
    found = [
        f"{task.id}: a place is left open in {task.text!r}"
        for task in tasks.tasks
        if "{" in task.text or "}" in task.text
    ]
    found += [
        f"{task.id}: difficulty and impact go from 1 to 5"
        for task in tasks.tasks
        if not (1 <= task.difficulty <= 5 and 1 <= task.impact <= 5)  # noqa: PLR2004 - as said
    ]
    shares = []
    grams = {task.id: _grams(task.text) for task in tasks.tasks}
    for one, other in combinations(tasks.tasks, 2):
        share = _jaccard(grams[one.id], grams[other.id])
        shares.append(share)
        if share > _MOST_ALIKE or one.text == other.text:
            found.append(f"{one.id} and {other.id} are nearly the same")
    if shares and median(shares) > _ALIKE:
        found.append(f"half of all pairs share {median(shares):.2f} of their 5-grams")
    return found


def _grams(text: str) -> set[tuple[str, ...]]:
    said = words(text)
    return {tuple(said[at : at + _GRAM]) for at in range(max(1, len(said) - _GRAM + 1))}


def _jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other)
