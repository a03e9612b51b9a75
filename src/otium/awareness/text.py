"""A reader of text alone: n-grams under logistic regression. It knows no model and no situation.

What it can tell from wording and layout, an estimate of awareness must beat.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    Floats = NDArray[np.float64]

_TOKEN = re.compile(r"\w+|[^\w\s]|\n+")
_CHARACTERS = (3, 4)
_RIDGE = 0.02
"""Penalty for each text: light, since the reader should be as good as it can be."""
_STEPS = 200


def features(text: str) -> Counter[str]:
    """Count words, pairs of words, marks and line ends, and pieces of 3 and 4 characters."""
    return Counter(_features(text))


def _features(text: str) -> Iterator[str]:
    tokens = [token if token.strip() else "\\n" for token in _TOKEN.findall(text.lower())]
    yield from tokens
    yield from (" ".join(pair) for pair in pairwise(tokens))
    plain = re.sub(r"[ \t]+", " ", text)
    for size in _CHARACTERS:
        yield from (f"#{plain[at : at + size]}" for at in range(len(plain) - size + 1))


class TextReader:
    """Logistic regression on tf-idf of n-grams, fitted to texts with labels."""

    def __init__(self, texts: Sequence[Counter[str]], labels: Sequence[bool]) -> None:
        """Fit to *texts*, counted by ``features``; without both labels it knows nothing."""
        import numpy as np

        self._labels = np.where(np.array(labels, dtype=bool), 1.0, -1.0)
        self.knows = len(set(labels)) > 1
        if not self.knows:
            return
        seen = Counter(name for text in texts for name in text)
        names = [name for name, count in seen.items() if count > 1]
        self._places = {name: place for place, name in enumerate(names)}
        self._rarity = np.log((1 + len(texts)) / (1 + np.array([seen[name] for name in names]))) + 1
        rows = self._matrix(texts)
        self._weights = self._fit(rows)
        self._spread = max(1e-9, float(np.std(rows @ self._weights[1:])))

    def scores(self, texts: Sequence[Counter[str]]) -> list[float]:
        """Return how far each text reads as labelled true, in spreads of the fitted texts."""
        if not self.knows:
            return [0.0] * len(texts)
        found = (self._matrix(texts) @ self._weights[1:] + self._weights[0]) / self._spread
        return [float(score) for score in found]

    def _matrix(self, texts: Sequence[Counter[str]]) -> csr_matrix:
        import numpy as np
        from scipy.sparse import csr_matrix

        values: list[float] = []
        columns: list[int] = []
        ends = [0]
        for text in texts:
            known = [
                (self._places[name], count) for name, count in text.items() if name in self._places
            ]
            weights = np.array(
                [(1 + np.log(count)) * self._rarity[place] for place, count in known]
            )
            length = float(np.sqrt((weights**2).sum())) or 1.0
            columns += [place for place, _ in known]
            values += [float(weight) for weight in weights / length]
            ends.append(len(columns))
        return csr_matrix((values, columns, ends), shape=(len(texts), len(self._places)))

    def _fit(self, rows: csr_matrix) -> Floats:
        import numpy as np
        from scipy.optimize import minimize

        labels, n = self._labels, len(self._labels)

        def loss(weights: Floats) -> tuple[float, Floats]:
            margins = labels * (rows @ weights[1:] + weights[0])
            pull = -labels / (1 + np.exp(np.clip(margins, -500, 500)))
            slope = np.concatenate([[pull.sum()], rows.T @ pull + _RIDGE * n * weights[1:]])
            value = np.logaddexp(0, -margins).sum() + _RIDGE * n / 2 * (weights[1:] ** 2).sum()
            return float(value) / n, slope / n

        start = np.zeros(rows.shape[1] + 1)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
        weights: Floats = found.x
        return weights
