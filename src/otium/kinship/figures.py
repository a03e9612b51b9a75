"""How well and how fast relatives are found: measured on simulated families.

So many whole models cannot be made for a measurement, so their samples are. A family is a
random tree; each model is a random step from its parent. Strangers have the same shape and the
same scales, as models trained from scratch do. An answer is judged on 8,192 further weights.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from otium.kinship.search import Index, mean_bits
from otium.kinship.sketch import SAMPLES, SIZE, pack

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float32]
    Words: TypeAlias = npt.NDArray[np.uint16]

STEPS = (0.0005, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Sizes of an update: its standard deviation over that of the weights."""
UPDATES = ("full", "lora", "frozen", "grown")
"""All weights move; those of half the tensors; of an eighth; all, with 3 % of them new."""
CASTS = ("fp16", "Q8_0", "Q4_0")
"""What else is looked for: the same model in another type."""

_GROUPS, _HELD = 256, 8192
_FAMILIES = ((0.2, 1), (0.04, 1), (0.004, 10), (0.0004, 100), (0.00008, 1000))
"""Share of all models, and how many families have that size."""
_SLACK, _LEAST = 1.01, 0.005
_ALIKE = 8


@dataclass(frozen=True)
class SearchFigures:
    """What `search_figures` measured. Shares are of the queries, from 0 to 1."""

    models: int
    queries: int
    bytes_per_model: int
    right: float
    """The first answer costs at most 1 % more bits than the true parent, or fewer."""
    true_parent: float
    """The first answer is the true parent."""
    among_eight: float
    """Of the first eight answers one is right."""
    stranger: float
    """The first answer is no relative."""
    milliseconds: float
    """Median time of one core for a query."""
    slowest: float
    """Milliseconds of the slowest query."""
    right_by_kind: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Step:
    """How a model came from its parent, which is a number in the same family."""

    parent: int
    update: str
    size: float


class _World:
    """Simulated models; each value follows from the seed, so that any model can be made anew."""

    def __init__(self, seed: int, models: int) -> None:
        """Draw families for about a half of *models*; the rest are strangers."""
        import numpy as np

        self.seed = seed
        rng = np.random.default_rng([seed, 0])
        self.scale = (0.02 * np.exp(0.5 * rng.standard_normal(_GROUPS))).astype(np.float32)
        self.families: list[list[_Step]] = []
        for share, count in _FAMILIES:
            for _ in range(count):
                self.families.append(self._family(max(2, round(share * models)), rng))
        self.strangers = max(0, models - sum(map(len, self.families)))

    @staticmethod
    def _family(size: int, rng: np.random.Generator) -> list[_Step]:
        """Return a tree of *size* models, half of them straight from the first."""
        steps = [_Step(-1, "full", 1.0)]
        for number in range(1, size):
            parent = 0 if rng.random() < 0.5 else int(rng.integers(number))
            update, size_ = UPDATES[rng.integers(len(UPDATES))], STEPS[rng.integers(len(STEPS))]
            steps.append(_Step(parent, update, size_))
        return steps

    def index(self) -> Index:
        """Return an index of all models, by name."""
        import numpy as np

        made = Index()
        rng = np.random.default_rng([self.seed, 1])
        for at in range(self.strangers):
            values = rng.standard_normal(SAMPLES, np.float32) * self._scales(SAMPLES)
            made.add(f"stranger-{at}", _packed(values))
        for name, steps in enumerate(self.families):
            family = np.empty((len(steps), SAMPLES), np.float32)
            for at, step in enumerate(steps):
                family[at] = self.move(family[step.parent], step, (name, at), held=False)
                made.add(f"family-{name}/{at}", _packed(family[at]))
        return made

    def model(self, family: int, member: int, *, held: bool) -> Floats:
        """Return a model's sampled weights, or those held back for the judgement."""
        import numpy as np

        path = [member]
        while self.families[family][path[-1]].parent >= 0:
            path.append(self.families[family][path[-1]].parent)
        values = np.zeros(_HELD if held else SAMPLES, np.float32)
        for at in reversed(path):
            values = self.move(values, self.families[family][at], (family, at), held=held)
        return values

    def move(self, values: Floats, step: _Step, name: tuple[int, int], *, held: bool) -> Floats:
        """Return the model that *step* makes of *values*, rounded to bfloat16."""
        import numpy as np

        if step.update in CASTS:
            return _cast(values, step.update, self._scales(len(values)))
        rng = np.random.default_rng([self.seed, 2, *name])
        ranks = rng.permutation(_GROUPS)
        if held:
            rng = np.random.default_rng([self.seed, 3, *name])
        scales = self._scales(len(values))
        noise = rng.standard_normal(len(values), np.float32) * scales
        if step.parent < 0:
            return _rounded(noise)
        ranks = np.resize(ranks, len(values))
        moved = {"lora": ranks < _GROUPS // 2, "frozen": ranks < _GROUPS // 8}.get(
            step.update, ranks >= 0
        )
        after = values + noise * np.float32(step.size) * moved
        if step.update == "grown":
            after = np.where(ranks < _GROUPS * 3 // 100, noise, after)
        return _rounded(after)

    def _scales(self, count: int) -> Floats:
        import numpy as np

        return np.resize(self.scale, count)


def search_figures(models: int = 100_000, seed: int = 0, queries: int = 1000) -> SearchFigures:
    """Plant families among *models* sketches, look for the parents of new ones, and judge.

    Takes one to two minutes and 600 MB at 100,000 models.
    """
    import numpy as np

    world = _World(seed, models)
    index = world.index()
    rng = np.random.default_rng([seed, 4])
    kinds = [(u, s) for u in UPDATES for s in STEPS] + [(cast, 0.0) for cast in CASTS]
    answers = [
        _ask(world, index, _Step(0, *kinds[number % len(kinds)]), number, rng)
        for number in range(-1, queries)
    ][1:]  # the first one warms the caches
    times = sorted(answer.milliseconds for answer in answers)
    by_kind: dict[str, list[bool]] = {}
    for answer in answers:
        by_kind.setdefault(answer.kind, []).append(answer.right)
    return SearchFigures(
        models=len(index),
        queries=len(answers),
        bytes_per_model=SIZE,
        right=_share([answer.right for answer in answers]),
        true_parent=_share([answer.true_parent for answer in answers]),
        among_eight=_share([answer.among_eight for answer in answers]),
        stranger=_share([answer.stranger for answer in answers]),
        milliseconds=times[len(times) // 2],
        slowest=times[-1],
        right_by_kind={kind: _share(rights) for kind, rights in sorted(by_kind.items())},
    )


@dataclass(frozen=True)
class _Answer:
    kind: str
    right: bool
    true_parent: bool
    among_eight: bool
    stranger: bool
    milliseconds: float


def _ask(
    world: _World, index: Index, step: _Step, number: int, rng: np.random.Generator
) -> _Answer:
    """Make a new model from one of the index, look for its parent, and judge the answers."""
    family = int(rng.integers(len(world.families))) if number % 2 else number // 2 % 2
    parent = int(rng.integers(len(world.families[family])))
    name = (1_000_000 + number, 0)
    query = world.move(world.model(family, parent, held=False), step, name, held=False)
    start = time.process_time()
    found = index.nearest(_packed(query), _ALIKE)
    spent = time.process_time() - start
    truth = world.model(family, parent, held=True)
    held = _bf16(world.move(truth, step, name, held=True))
    most = mean_bits(_bf16(truth)[None], held)[0] * _SLACK + _LEAST

    def right(model: str) -> bool:
        kin, _, member = model.rpartition("/")
        if kin != f"family-{family}":
            return False
        values = _bf16(world.model(family, int(member), held=True))
        return bool(mean_bits(values[None], held)[0] <= most)

    models = [relative.model for relative in found]
    first = right(models[0])
    return _Answer(
        kind=f"{step.update} {step.size}" if step.size else step.update,
        right=first,
        true_parent=models[0] == f"family-{family}/{parent}",
        among_eight=first or any(right(model) for model in models[1:]),
        stranger=not models[0].startswith(f"family-{family}/"),
        milliseconds=spent * 1e3,
    )


def _cast(values: Floats, cast: str, scales: Floats) -> Floats:
    """Return the weights after a cast: blocks of a quantised type reach three deviations."""
    import numpy as np

    if cast == "fp16":
        return _rounded(values.astype(np.float16).astype(np.float32))
    step = scales * np.float32(3 / (127 if cast == "Q8_0" else 8))
    return _rounded(np.rint(values / step) * step)


def _bf16(values: Floats) -> Words:
    """Return the bits of the nearest bfloat16s, ties to even."""
    import numpy as np

    bits = values.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _rounded(values: Floats) -> Floats:
    import numpy as np

    return (_bf16(values.astype(np.float32)).astype(np.uint32) << 16).view(np.float32)


def _packed(values: Floats) -> bytes:
    return pack(len(values), "simulated", _bf16(values).tobytes())


def _share(found: list[bool]) -> float:
    return sum(found) / len(found)
