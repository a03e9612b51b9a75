"""Where a choice turns: the switch point of a trade-off."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

from otium.errors import BadInput
from otium.statistics.proportions import NORMAL
from otium.statistics.records import LIMIT, Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_METHOD = "logistic regression (Firth 1993), switch point -b0/b1 with Fieller's interval"
_STEPS = 100
_CLOSE = 1e-9


def switch_point(magnitudes: Sequence[float], chosen: Sequence[bool]) -> Estimate:
    """Return the magnitude at which one of two options is chosen half the time.

    The logistic regression is Firth's (Biometrika 80, 1993), finite where the choices are
    separated. The interval is Fieller's: where the slope may be zero, it has no bounds.
    Without two magnitudes the estimate is unknown.
    """
    import numpy as np

    if len(magnitudes) != len(chosen):
        raise BadInput(
            what="a switch point", why=f"{len(magnitudes)} magnitudes, {len(chosen)} choices"
        )
    x, y = np.array(magnitudes, dtype=np.float64), np.array(chosen, dtype=np.float64)
    if len(set(magnitudes)) < 2:  # noqa: PLR2004 - a slope needs two places
        return Estimate(value=0.0, low=-LIMIT, high=LIMIT, n=0, method=_METHOD)
    centre, scale = float(x.mean()), float(x.std())
    beta, covariance = _firth(np.stack([np.ones_like(x), (x - centre) / scale], axis=1), y)
    value, low, high = _fieller(beta, covariance)
    if high < LIMIT:
        low, high = low * scale + centre, high * scale + centre
    return Estimate(value=value * scale + centre, low=low, high=high, n=len(x), method=_METHOD)


def _firth(design: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the coefficients and their covariance, by Newton's method with halved long steps."""
    import numpy as np

    beta = np.zeros(design.shape[1])
    covariance: Floats = np.eye(design.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        weight = chance * (1 - chance)
        covariance = np.asarray(
            np.linalg.inv(design.T @ (weight[:, None] * design)), dtype=np.float64
        )
        leverage = weight * np.einsum("ij,jk,ik->i", design, covariance, design)
        step = covariance @ (design.T @ (y - chance + leverage * (0.5 - chance)))
        step *= min(1.0, 1.0 / max(_CLOSE, float(np.abs(step).max())))
        beta += step
        if np.abs(step).max() < _CLOSE:
            break
    return beta, covariance


def _fieller(beta: Floats, covariance: Floats) -> tuple[float, float, float]:
    """Return -b0/b1 and Fieller's bounds; no bounds where b1 may be zero."""
    square = NORMAL * NORMAL
    b0, b1 = float(beta[0]), float(beta[1])
    v00, v01, v11 = float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])
    value = -b0 / b1 if b1 else 0.0
    a = b1 * b1 - square * v11
    b = b0 * b1 - square * v01
    c = b0 * b0 - square * v00
    inside = b * b - a * c
    if a <= 0 or inside < 0:
        return value, -LIMIT, LIMIT
    root = sqrt(inside)
    return value, (-b - root) / a, (-b + root) / a
