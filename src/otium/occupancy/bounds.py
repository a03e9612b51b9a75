"""The optimum: what nobody can pass who has to load a model before it answers.

With equal sizes Belady's MIN is exactly optimal. With different sizes the optimum is NP-hard, so
it is bracketed: from above by the linear relaxation below, from below by the best schedule that
is at hand (`otium.occupancy.replays`).

The relaxation is that of Berger, Beckmann and Harchol-Balter, "Practical Bounds on Optimal
Caching with Variable Object Sizes" (2018), with what our case adds: the model that is asked for
must itself be up, so at each request the others share what it leaves. Between two requests for
a model a share x of it, 0 to 1, is kept, and saves x of a load; what is kept at any time fits the
budget. Every schedule is such a choice with whole x, so no schedule saves more. With equal sizes
and a budget of so many whole models the matrix is one of intervals, its corners are whole, and the
bound equals MIN.
"""

from __future__ import annotations

import numpy as np

from otium.errors import BadInput
from otium.occupancy.traces import Floats, Ints, Trace


def optimum(trace: Trace, budget: float, worth: Floats) -> float:
    """Return the most that any schedule saves: the sum of *worth* of each model not loaded anew.

    *budget* is in bytes; *worth* has one number for each model, 1 for a count of hits, its cost
    for seconds saved. Raises BadInput if the solver finds no optimum.
    """
    from scipy.optimize import linprog

    count, after = len(trace.asked), trace.next_uses()
    starts = np.flatnonzero(after < count)
    if len(starts) == 0:
        return 0.0
    size = trace.sizes.astype(np.float64) / budget
    flow, beside = _matrices(starts, after[starts], size[trace.asked[starts]], count)
    found = linprog(
        np.concatenate([-worth[trace.asked[starts]], np.zeros(count)]),
        A_ub=beside,
        b_ub=1 - size[trace.asked[1:]],
        A_eq=flow,
        b_eq=np.zeros(count),
        bounds=(0, 1),
        method="highs",
    )
    if not found.success:
        raise BadInput(what="the bound of a trace", why=str(found.message))
    return float(-found.fun)


def _matrices(starts: Ints, ends: Ints, weight: Floats, count: int) -> tuple[object, object]:
    """Return two sparse matrices over the shares kept, and over what is held after each request.

    The first says what is held: as before, with what begins to be kept and without what is used.
    The second says what is held beside the model that each request but the first asks for.
    """
    from scipy.sparse import coo_matrix

    kept = len(starts)
    share, held, ones = np.arange(kept), kept + np.arange(count), np.ones(count)
    shape = (count, kept + count)
    values = np.concatenate([ones, -ones[1:], -weight, weight])
    rows = np.concatenate([np.arange(count), np.arange(1, count), starts, ends])
    columns = np.concatenate([held, held[:-1], share, share])
    flow = coo_matrix((values, (rows, columns)), shape=shape).tocsc()
    values = np.concatenate([ones[1:], -weight])
    rows = np.concatenate([np.arange(count - 1), ends - 1])
    columns = np.concatenate([held[:-1], share])
    beside = coo_matrix((values, (rows, columns)), shape=(count - 1, kept + count)).tocsc()
    return flow, beside
