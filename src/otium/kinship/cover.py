"""Cheapest trees of limited depth, over numbers: costs in, the level of each model out.

A plan is a level for each model. Level 0 stands alone; a model on level t takes the cheapest
parent on a level below t. So only the levels are searched for: the parents follow.
``alone[j]`` is what model j costs on level 0, ``costs[i][j]`` what it costs given i, and
``given[t][j]`` given the best model outside the plan that may be a parent on level t.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_SCATTERED = 8

Row = Sequence[float]
Table = Sequence[Row]


def plan_exactly(alone: Row, costs: Table, given: Table) -> list[int]:
    """Return the levels of the cheapest plan: a search over all chains of sets, 3^n a level.

    Sets are bit masks. ``best[D]`` is the least cost of having just the models D on the levels
    so far; a level more adds models that take their parents from D.
    """
    full = 1 << len(alone)
    best = [sum(alone[j] for j in _members(chosen)) for chosen in range(full)]
    steps: list[list[int]] = []
    for level in range(1, len(given)):
        best, came = _add_level(best, costs, given[level])
        steps.append(came)
    levels = [0] * len(alone)
    chosen = full - 1
    for level in range(len(given) - 1, 0, -1):
        before = steps[level - 1][chosen]
        for j in _members(chosen & ~before):
            levels[j] = level
        chosen = before
    return levels


def _add_level(best: Row, costs: Table, given: Row) -> tuple[list[float], list[int]]:
    """Return the least cost of each set with one level more, and the set it came from."""
    full = len(best)
    after, came = list(best), list(range(full))
    for chosen in range(full):
        if best[chosen] == inf:
            continue
        cheapest = [
            min(given[j], min((costs[i][j] for i in _members(chosen)), default=inf))
            for j in range(len(given))
        ]
        rest = full - 1 - chosen
        sums = {0: best[chosen]}
        added = 0
        while added != rest:  # every subset of the rest, each after its own subsets
            added = (added - rest) & rest
            low = added & -added
            sums[added] = sums[added ^ low] + cheapest[low.bit_length() - 1]
            if sums[added] < after[chosen | added]:
                after[chosen | added], came[chosen | added] = sums[added], chosen
    return after, came


def plan_nearly(alone: Row, costs: Table, given: Table, forced: Mapping[int, int]) -> list[int]:
    """Return the levels of a good plan: a local search from several starts.

    A move gives one model another level, or exchanges a model's level with its parent's; each
    that saves is made, until none does. The starts are all alone, the best star, that star two
    levels deep, and eight with levels by chance, the same ones each time. Models with a
    *forced* parent start as deep as they may lie.
    """
    import numpy as np

    search = _Search(np.array(alone), np.array(costs), np.array(given))
    deepest = _deepest(len(alone), forced, len(given) - 1)
    starts = [[0] * len(alone), *_stars(alone, costs), *_scattered(len(alone), len(given))]
    for start in starts:
        for j, most in enumerate(deepest):
            start[j] = most if j in forced else min(start[j], most)
    found = [search.improve(start, deepest) for start in starts]
    return min(found, key=search.cost)


class _Search:
    """Plans of one family, compared by cost."""

    def __init__(
        self,
        alone: npt.NDArray[np.float64],
        costs: npt.NDArray[np.float64],
        given: npt.NDArray[np.float64],
    ) -> None:
        """Search over the given costs; ``costs`` is (n, n), ``given`` (levels, n)."""
        self._alone, self._costs, self._given = alone, costs, given
        self._numbers = list(range(len(alone)))

    def prices(self, levels: Sequence[int]) -> tuple[npt.NDArray[np.float64], list[int]]:
        """Return what each model costs, and the model that would be its parent."""
        import numpy as np

        at = np.asarray(levels)
        able = np.where(at[:, None] < at[None, :], self._costs, inf)
        parents = able.argmin(0)
        within = np.minimum(able[parents, self._numbers], self._given[at, self._numbers])
        return np.where(at == 0, self._alone, within), parents.tolist()

    def cost(self, levels: Sequence[int]) -> float:
        """Return what all models cost."""
        return float(self.prices(levels)[0].sum())

    def improve(self, levels: list[int], deepest: Sequence[int]) -> list[int]:
        """Return *levels* after every move that saves."""
        best = self.cost(levels)
        again = True
        while again:
            again = False
            for j in range(len(levels)):
                move = min(self._moves(levels, j, deepest), key=self.cost)
                cost = self.cost(move)
                if cost < best:
                    levels, best, again = move, cost, True
        return levels

    def _moves(self, levels: list[int], j: int, deepest: Sequence[int]) -> Iterator[list[int]]:
        for level in range(deepest[j] + 1):
            yield [*levels[:j], level, *levels[j + 1 :]]
        parent = self.prices(levels)[1][j]
        if levels[j] <= deepest[parent] and levels[parent] <= deepest[j]:
            swapped = list(levels)
            swapped[j], swapped[parent] = levels[parent], levels[j]
            yield swapped


def _deepest(n: int, forced: Mapping[int, int], depth: int) -> list[int]:
    """Return how deep each model may lie, so that all forced below it still fit."""
    most = [depth] * n
    for _ in range(depth):
        for child, parent in forced.items():
            most[parent] = min(most[parent], most[child] - 1)
    return most


def _stars(alone: Row, costs: Table) -> list[list[int]]:
    """Return the best star, on one level and on two; who is cheaper alone stays alone."""
    n = len(alone)
    prices = [
        alone[i] + sum(min(alone[j], costs[i][j]) for j in range(n) if j != i) for i in range(n)
    ]
    centre = min(range(n), key=lambda i: prices[i])
    joins = [j != centre and costs[centre][j] < alone[j] for j in range(n)]
    return [[level * joined for joined in joins] for level in (1, 2)]


def _scattered(n: int, levels: int) -> list[list[int]]:
    """Return starts by chance: digits of SHA-256, so that a plan can be made again."""
    texts = (f"{start}/{j}".encode() for start in range(_SCATTERED) for j in range(n))
    drawn = [hashlib.sha256(text).digest()[0] % levels for text in texts]
    return [drawn[at : at + n] for at in range(0, len(drawn), n)]


def _members(chosen: int) -> list[int]:
    return [j for j in range(chosen.bit_length()) if chosen >> j & 1]
