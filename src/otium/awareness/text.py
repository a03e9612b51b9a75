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
_FREE = 100.0
"""Variance of the intercept."""
_STEPS, _CLOSE, _LEAST = 50, 1e-8, 1e-12


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


def counted(texts: Sequence[str]) -> csr_matrix:
    """Return how often each text has each n-gram that stands in any of them: texts by n-grams."""
    import numpy as np
    from scipy.sparse import csr_matrix

    rows = [features(text) for text in texts]
    places = {
        name: place for place, name in enumerate(dict.fromkeys(n for row in rows for n in row))
    }
    values = np.array([count for row in rows for count in row.values()], dtype=np.float64)
    columns = np.array([places[name] for row in rows for name in row], dtype=np.int64)
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return csr_matrix((values, columns, ends), shape=(len(rows), len(places)))


class TextReader:
    """Logistic regression on tf-idf of n-grams, fitted to texts with labels.

    It is fitted in the space of the texts (their inner products), since texts are few and
    n-grams are many; the weights are the same.
    """

    def __init__(self, rows: csr_matrix, labels: Sequence[bool]) -> None:
        """Fit to *rows* of ``counted``; without both labels it knows nothing.

        N-grams that stand in one of these texts only are left out.
        """
        import numpy as np

        self.knows = len(set(labels)) > 1
        if not self.knows:
            return
        seen = np.asarray((rows > 0).sum(axis=0)).ravel()
        self._rarity = np.where(seen > 1, np.log((1 + len(labels)) / (1 + seen)) + 1, 0.0)
        scaled = self._scaled(rows)
        inner = np.asarray((scaled @ scaled.T).todense())
        pulls, self._middle = _fit(inner, np.array(labels, dtype=bool))
        self._weights: Floats = scaled.T @ pulls
        self._spread = max(1e-9, float(np.std(inner @ pulls)))

    def scores(self, rows: csr_matrix) -> list[float]:
        """Return how far each text reads as labelled true, in spreads of the fitted texts."""
        if not self.knows:
            return [0.0] * rows.shape[0]
        found = (self._scaled(rows) @ self._weights + self._middle) / self._spread
        return [float(score) for score in found]

    def _scaled(self, rows: csr_matrix) -> csr_matrix:
        """Return tf-idf, sublinear in counts, each text of length one."""
        import numpy as np
        from scipy.sparse import csr_matrix, diags

        logs = csr_matrix((1 + np.log(rows.data), rows.indices, rows.indptr), shape=rows.shape)
        weighed = logs @ diags(self._rarity)
        lengths = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
        return diags(1 / np.where(lengths > 0, lengths, 1.0)) @ weighed


def _fit(inner: Floats, truth: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Return how each text pulls on the weights, and the intercept.

    Newton's method on the penalised likelihood in the space of the texts (Rasmussen & Williams
    2006, algorithm 3.1); the intercept is one more feature, hardly penalised.
    """
    import numpy as np
    from scipy.linalg import cho_factor, cho_solve

    n = len(truth)
    kernel = inner / (_RIDGE * n) + _FREE
    reach, pulls = np.zeros(n), np.zeros(n)
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-reach))
        root = np.sqrt(np.maximum(share * (1 - share), _LEAST))
        aim = root**2 * reach + truth - share
        factor = cho_factor(np.eye(n) + root[:, None] * kernel * root)
        pulls = aim - root * cho_solve(factor, root * (kernel @ aim))
        before, reach = reach, kernel @ pulls
        if float(np.abs(reach - before).max()) < _CLOSE:
            break
    return pulls / (_RIDGE * n), _FREE * float(pulls.sum())
