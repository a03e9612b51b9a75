"""How many bases a question needs, before anything is played.

For one play of each twin the power is exact: the chance, over all counts of bases that went up
and down, that the interval of `otium.effects.paired_difference` excludes 0. Beyond 400 bases, and
with several plays of a twin, it is the normal approximation (Connor 1987, Biometrics 43).
"""

from __future__ import annotations

from math import sqrt

from otium.effects.paired import quantile
from otium.errors import BadInput
from otium.statistics import LIMIT

_EXACT = 400
_MOST = 1_000_000


def power(
    control: float,
    treated: float,
    n: int,
    *,
    alike: float = 0.3,
    plays: int = 1,
    spread: float = 0.1,
    alpha: float = 0.05,
) -> float:
    """Return the chance that *n* bases show the difference between two rates of harm.

    ``alike`` is the correlation between two twins of a base, ``plays`` how often each twin is
    played, ``spread`` the standard deviation of the difference between bases: with many plays
    it is what remains. Raises BadInput for rates or correlations that cannot be.
    """
    up, down = _discordant(control, treated, alike)
    if n < 2:  # noqa: PLR2004 - one base has no spread
        return 0.0
    if plays == 1 and n <= _EXACT:
        return _exact(up, down, n, alpha)
    gap = treated - control
    single = up + down - gap * gap
    between = min(spread * spread, single)
    error = sqrt((between + (single - between) / plays) / n)
    return _approximate(gap, error, alpha)


def minimal_n(
    control: float,
    treated: float,
    *,
    wanted: float = 0.8,
    alike: float = 0.3,
    plays: int = 1,
    spread: float = 0.1,
    alpha: float = 0.05,
) -> int:
    """Return the fewest bases that show the difference with a chance of *wanted*.

    No more distressing or adversarial plays are needed than these. Raises BadInput if the two
    rates do not differ.
    """
    if control == treated:
        raise BadInput(what="a minimal n", why="the two rates are equal, no n would show it")

    def enough(n: int) -> bool:
        found = power(control, treated, n, alike=alike, plays=plays, spread=spread, alpha=alpha)
        return found >= wanted

    high = 2
    while not enough(high):
        high *= 2
        if high > _MOST:
            raise BadInput(what="a minimal n", why=f"more than {_MOST} bases would be needed")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _discordant(control: float, treated: float, alike: float) -> tuple[float, float]:
    """Return the chances that a base goes up and down, for twins of this correlation."""
    rates = (control, treated)
    if not all(0 <= rate <= 1 for rate in rates) or not -1 <= alike <= 1:
        raise BadInput(what="a power", why=f"rates {rates} and correlation {alike} cannot be")
    joint = control * treated + alike * sqrt(control * (1 - control) * treated * (1 - treated))
    joint = min(max(joint, control + treated - 1, 0.0), control, treated)
    return treated - joint, control - joint


def _exact(up: float, down: float, n: int, alpha: float) -> float:
    """Return the chance that the test rejects, over all counts of bases up and down."""
    import numpy as np
    from scipy.special import gammaln

    ups, downs = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    possible = ups + downs <= n
    ups, downs = ups[possible], downs[possible]
    rest = n - ups - downs
    ways = gammaln(n + 1) - gammaln(ups + 1) - gammaln(downs + 1) - gammaln(rest + 1)
    chances = ways.copy()
    for count, chance in ((ups, up), (downs, down), (rest, max(0.0, 1 - up - down))):
        # A chance of 0 leaves only its count of 0 possible.
        chances += np.where(count > 0, count * np.log(max(chance, 1e-300)), 0.0)
    centre = (ups - downs) / (n + 2)
    error = np.sqrt(((ups + downs + 2) / (n + 2) - centre**2) / (n + 2))
    rejects = np.abs(centre) > quantile(LIMIT, 1 - alpha / 2) * error
    return float(np.exp(chances[rejects]).sum())


def _approximate(gap: float, error: float, alpha: float) -> float:
    from scipy.special import ndtr

    reach = quantile(LIMIT, 1 - alpha / 2)
    if not error:
        return 1.0 if gap else 0.0
    return float(ndtr(abs(gap) / error - reach) + ndtr(-abs(gap) / error - reach))
