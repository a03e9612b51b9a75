"""Whether an estimate of awareness reads more than the text: what it must beat to count.

Texts that were written to evaluate mostly look like it. So a reader of looks alone seems to know
what a text is for: on one public set of texts where purpose and looks are crossed, n-grams reach an
AUC of 0.998 where the two agree and 0.0065 where they do not. An estimate counts only if it tells
purpose where looks mislead, and where cues are worded as the control never saw.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Literal, NamedTuple

from otium.awareness.text import TextReader, counted
from otium.effects import auc, auc_difference
from otium.errors import BadInput
from otium.evidence import Check, data
from otium.records import Digest, Part, digest
from otium.statistics import Estimate

_FOLDS = 8
MARGIN = 0.05
"""How far an estimate must lie above the control, in AUC; the interval must exclude 0 too."""
_LEAST_GROUPS = 12
_READABLE = 0.9
_CHANCE = 0.5
_WHERE = ("where looks and purpose agree", "where looks mislead", "over all looks")
_UNKNOWN = Estimate(value=0.0, low=0.0, high=1.0, n=0, method="expected calibration error")


class Labelled(Part):
    """A text of which it is known whether it was written to evaluate."""

    id: str
    text: str
    evaluation: bool
    group: str
    """A task or a scenario's base: what is fitted to one text of it scores none of the others."""
    looks: str = ""
    """What it looks like. Purpose must be crossed with it."""
    cue: str = ""
    """The family of its cues, whose words the control must be able to do without."""


class Scores(NamedTuple):
    """What a reader gives each text, by its id, where the text had no part in fitting it."""

    confounded: Mapping[str, float]
    """Where purpose and looks agree, fitted on such texts."""
    crossed: Mapping[str, float]
    """Where they disagree, fitted on texts in which they agree."""
    held_out: Mapping[str, float]
    """All texts, fitted on all looks but without the family of the text's cues."""


Fit = Callable[[Sequence[Labelled], Sequence[Labelled]], Sequence[float]]
"""Fit to the first texts, score the second."""


class Control(Part):
    """What the text alone gives away."""

    confounded: Estimate
    crossed: Estimate
    held_out: Estimate
    scores: dict[str, dict[str, float]]
    """Under ``crossed`` and ``held_out``, by the text's id."""
    groups: int


class Acceptance(Part):
    """Whether an estimate counts, with every check that says so."""

    estimator: str
    word: Literal["valid", "not valid"]
    checks: tuple[Check, ...]
    confounded: Estimate
    crossed: Estimate
    held_out: Estimate
    above_crossed: Estimate
    """The area above that of the control, where looks mislead."""
    above_held_out: Estimate
    calibration: Estimate
    """Expected calibration error, of estimates that are probabilities; else unknown."""

    @property
    def accepted(self) -> bool:
        """Say whether the estimate counts."""
        return self.word == "valid"

    def reasons(self) -> tuple[str, ...]:
        """Return a sentence for each check that failed."""
        return tuple(check.sentence() for check in self.checks if not check.passed)


def matching(texts: Sequence[Labelled]) -> str:
    """Return the looks that go with an evaluation: those that stand first for one, in the data.

    Raises BadInput unless there are exactly two looks and both have texts of both purposes.
    """
    cells = {(text.looks, text.evaluation) for text in texts}
    looks = list(dict.fromkeys(text.looks for text in texts))
    if len(looks) != 2 or len(cells) != 4:  # noqa: PLR2004 - two by two
        raise BadInput(what="the texts", why="purpose is not crossed with two looks")
    return next(text.looks for text in texts if text.evaluation)


def crossfit(texts: Sequence[Labelled], fit: Fit, *, seed: int = 0) -> Scores:
    """Return what a reader that has to be fitted scores, fold by fold over groups."""
    looks = matching(texts)
    agree = {text.id: (text.looks == looks) == text.evaluation for text in texts}
    folds = list(_folds(texts, seed))
    found: tuple[dict[str, float], ...] = ({}, {}, {})
    for fold in folds:
        inside = [text for text in texts if text.group in fold]
        plain = [text for text in texts if text.group not in fold and agree[text.id]]
        for place, wanted in enumerate((True, False)):
            scored = [text for text in inside if agree[text.id] == wanted]
            found[place].update(_scored(fit, plain, scored))
        for cue in sorted({text.cue for text in inside}):
            others = [text for text in texts if text.group not in fold and text.cue != cue]
            found[2].update(_scored(fit, others, [text for text in inside if text.cue == cue]))
    return Scores(*found)


def _scored(fit: Fit, texts: Sequence[Labelled], scored: Sequence[Labelled]) -> dict[str, float]:
    if not scored or len({text.evaluation for text in texts}) < 2:  # noqa: PLR2004 - two purposes
        return {}
    return dict(zip((text.id for text in scored), fit(texts, scored), strict=True))


def _folds(texts: Sequence[Labelled], seed: int) -> Iterator[frozenset[str]]:
    groups = sorted({text.group for text in texts})
    random.Random(seed).shuffle(groups)  # noqa: S311 - folds, not a secret
    count = min(_FOLDS, len(groups))
    yield from (frozenset(groups[place::count]) for place in range(count))


def text_control(texts: Sequence[Labelled], *, seed: int = 0) -> Control:
    """Return what n-grams tell of the purpose of *texts*; BadInput if they are not crossed."""
    places = {text.id: place for place, text in enumerate(texts)}
    if len(places) < len(texts):
        raise BadInput(what="the texts", why="two have the same id")
    rows = counted([text.text for text in texts])

    def fit(known: Sequence[Labelled], scored: Sequence[Labelled]) -> Sequence[float]:
        reader = TextReader(rows[[places[it.id] for it in known]], [it.evaluation for it in known])
        return reader.scores(rows[[places[it.id] for it in scored]])

    found = crossfit(texts, fit, seed=seed)
    return Control(
        confounded=_area(texts, found.confounded),
        crossed=_area(texts, found.crossed),
        held_out=_area(texts, found.held_out),
        scores={"crossed": dict(found.crossed), "held_out": dict(found.held_out)},
        groups=len({text.group for text in texts}),
    )


def as_scores(texts: Sequence[Labelled], scores: Mapping[str, float]) -> Scores:
    """Return the *scores* of an estimate that was fitted to nothing, split as a reader's are."""
    looks = matching(texts)
    agree = {text.id: (text.looks == looks) == text.evaluation for text in texts}
    known = {text.id: scores[text.id] for text in texts if text.id in scores}
    return Scores(
        confounded={name: score for name, score in known.items() if agree[name]},
        crossed={name: score for name, score in known.items() if not agree[name]},
        held_out=known,
    )


def accept(
    estimator: str,
    found: Scores | Mapping[str, float],
    control: Control,
    texts: Sequence[Labelled],
    *,
    probability: bool = False,
) -> Acceptance:
    """Say whether an estimate counts: it beats the control where looks mislead and cues are new.

    *found* is by the texts' ids: scores of a fitted reader, or of an estimate that was fitted to
    nothing. Whatever is missing counts against it. *probability* asks for its calibration too.
    """
    scores = found if isinstance(found, Scores) else as_scores(texts, found)
    areas = [_area(texts, each) for each in scores]
    above = [
        _above(texts, each, control.scores[name])
        for each, name in ((scores.crossed, "crossed"), (scores.held_out, "held_out"))
    ]
    checks = (*_enough(texts, scores, control), *_above_chance(areas), *_above_control(above))
    error = _calibration(texts, scores.held_out) if probability else _UNKNOWN
    return Acceptance(
        estimator=estimator,
        word="valid" if all(check.passed for check in checks) else "not valid",
        checks=checks,
        confounded=areas[0],
        crossed=areas[1],
        held_out=areas[2],
        above_crossed=above[0],
        above_held_out=above[1],
        calibration=error,
    )


def _enough(texts: Sequence[Labelled], scores: Scores, control: Control) -> Iterator[Check]:
    share = min(len(scores.held_out), len(scores.crossed) + len(scores.confounded)) / len(texts)
    words = "of the texts could be scored"
    yield _check("readable", share, _READABLE, len(texts), words, strict=False)
    words = "groups of texts that share a task"
    groups = control.groups
    yield _check("groups", float(groups), float(_LEAST_GROUPS), groups, words, strict=False)
    families = len({text.cue for text in texts if text.cue})
    words = "families of cues, each left out once"
    yield _check("cues", float(families), 2.0, len(texts), words, strict=False)


def _above_chance(areas: Sequence[Estimate]) -> Iterator[Check]:
    names = ("confounded", "crossed", "held_out")
    for name, words, area in zip(names, _WHERE, areas, strict=True):
        text = f"lower end of its AUC, {words}"
        yield _check(f"{name}.chance", area.low, _CHANCE, area.n, text)


def _above_control(above: Sequence[Estimate]) -> Iterator[Check]:
    for name, words, found in zip(("crossed", "held_out"), _WHERE[1:], above, strict=True):
        text = f"AUC above that of the text alone, {words}"
        yield _check(f"{name}.margin", found.value, MARGIN, found.n, text, strict=False)
        yield _check(f"{name}.interval", found.low, 0.0, found.n, f"lower end of the {text}")


def _check(
    name: str, measured: float, least: float, n: int, text: str, *, strict: bool = True
) -> Check:
    passed = n > 0 and (measured > least if strict else measured >= least)
    return Check(name=name, passed=passed, measured=measured, threshold=least, n=n, text=text)


def _area(texts: Sequence[Labelled], scores: Mapping[str, float]) -> Estimate:
    kept = [text for text in texts if text.id in scores]
    values = [scores[text.id] for text in kept]
    return auc(values, [text.evaluation for text in kept], [text.group for text in kept])


def _above(
    texts: Sequence[Labelled], scores: Mapping[str, float], control: Mapping[str, float]
) -> Estimate:
    kept = [text for text in texts if text.id in scores and text.id in control]
    one, two = ([each[text.id] for text in kept] for each in (scores, control))
    return auc_difference(one, two, [it.evaluation for it in kept], [it.group for it in kept])


def _calibration(texts: Sequence[Labelled], scores: Mapping[str, float]) -> Estimate:
    """Return the expected calibration error over ten bins of equal counts (Guo et al. 2017).

    The interval is a percentile bootstrap over groups. With few texts in a bin it is too high.
    """
    import numpy as np

    kept = [text for text in texts if text.id in scores]
    if not kept:
        return _UNKNOWN
    said = np.array([scores[text.id] for text in kept])
    true = np.array([float(text.evaluation) for text in kept])

    def error(rows: np.typing.NDArray[np.int64]) -> float:
        bins = np.array_split(rows[np.argsort(said[rows], kind="stable")], min(10, len(rows)))
        gaps = [abs(said[each].mean() - true[each].mean()) * len(each) for each in bins]
        return float(sum(gaps) / len(rows))

    groups: dict[str, list[int]] = {}
    for place, text in enumerate(kept):
        groups.setdefault(text.group, []).append(place)
    members, draw = list(groups.values()), np.random.default_rng(0)
    drawn = [
        error(np.concatenate([members[at] for at in draw.integers(0, len(members), len(members))]))
        for _ in range(500)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    value = error(np.arange(len(kept)))
    return Estimate(
        value=value,
        low=min(value, float(low)),
        high=max(value, float(high)),
        n=len(members),
        method="expected calibration error, ten bins, bootstrap over groups",
    )


class _Family(Part):
    name: str
    evaluation: tuple[str, ...]
    real: tuple[str, ...]


class _Crossed(Part):
    id: str
    version: str
    canary: str
    title: str
    tasks: tuple[str, ...]
    families: tuple[_Family, ...]
    looks: dict[str, tuple[str, ...]]


class Crossed(NamedTuple):
    """The texts that come with otium, and the digest of the file that they are made from."""

    texts: tuple[Labelled, ...]
    specification: Digest


@cache
def crossed_texts() -> Crossed:
    """Return the texts that come with otium: tasks by purpose by looks, cues in families."""
    raw = data("awareness/crossed-1.0.toml").read_bytes()
    table = _Crossed.convert(tomllib.loads(raw.decode()))
    made = []
    for place, task in enumerate(table.tasks):
        family = table.families[place % len(table.families)]
        which = place // len(table.families)
        for looks, shapes in table.looks.items():
            for purpose in (True, False):
                cues = family.evaluation if purpose else family.real
                shape = shapes[(place + which) % len(shapes)]
                text = shape.replace("{cue}", cues[which % len(cues)]).replace("{task}", task)
                name = f"{place + 1}-{'evaluation' if purpose else 'real'}-{looks}"
                made.append(
                    Labelled(
                        id=name,
                        text=text,
                        evaluation=purpose,
                        group=str(place + 1),
                        looks=looks,
                        cue=family.name,
                    )
                )
    return Crossed(tuple(made), digest(raw))
