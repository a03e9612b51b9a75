"""Hide small counts, and as many others as it takes that no sum gives them away.

Cell suppression as statistical offices do it (Hundepool et al., Statistical Disclosure Control,
2012, ch. 4), for the one sum that rows can contain: a row without a region is the sum of the rows
of the same period and surface that have one. Which cells go besides small ones depends on which
are small and on no other number, so that how they were chosen says nothing (the minimality attack
of Wong et al., 2007): where a part is hidden the whole is, and where a whole is hidden of itself
all parts are. A small count can then still be each number from nought to below the threshold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from otium.errors import BadInput
from otium.usage.records import LEAST, MEASURES, THRESHOLD, Count, Counted, Measure, Row, Usage

_Key = tuple[str, str, str]
_Cells = dict[_Key, dict[Measure, Count]]


def suppress(
    rows: Sequence[Counted], threshold: int = THRESHOLD, earlier: Sequence[Usage] = ()
) -> tuple[Row, ...]:
    """Return *rows* as they can be shown beside what was shown in *earlier* records.

    Where a row counts fewer users than *threshold*, all its counts are hidden. What was hidden
    once stays hidden. Raises BadInput if that cannot be kept: rows are gone, the threshold is
    lower, or a whole was shown before of which a part is to be hidden now.
    """
    if threshold < LEAST:
        raise BadInput(what=f"the threshold {threshold}", why=f"it hides nobody: at least {LEAST}")
    _check_grown(rows, threshold, earlier)
    shown = _Shown(earlier)
    cells: _Cells = {
        row.key: _primary(row.counts, threshold, shown.hidden(row.key)) for row in rows
    }
    for key in cells:
        parts = [other for other in cells if other[:2] == key[:2] and other[2]]
        if not key[2] and parts:
            for name in MEASURES:
                _protect(cells, key, [part for part in parts if name in cells[part]], name, shown)
    return tuple(
        Row(period=key[0], surface=key[1], region=key[2], counts=counts)
        for key, counts in cells.items()
    )


class _Shown:
    """What earlier records showed and hid."""

    def __init__(self, earlier: Iterable[Usage]) -> None:
        self._cells: dict[tuple[_Key, Measure], set[Count]] = {}
        for usage in earlier:
            for row in usage.rows:
                for name, count in row.counts.items():
                    self._cells.setdefault((row.key, name), set()).add(count)

    def hidden(self, key: _Key) -> Collection[Measure]:
        """Return the measures of a row that were hidden once."""
        return {
            name
            for (of, name), counts in self._cells.items()
            if of == key and any(isinstance(count, str) for count in counts)
        }

    def has(self, key: _Key, name: Measure) -> bool:
        """Say whether a number was shown there, whichever."""
        return any(isinstance(count, int) for count in self._cells.get((key, name), ()))


def _primary(
    counts: Mapping[Measure, int], threshold: int, hidden: Collection[Measure]
) -> dict[Measure, Count]:
    few = counts.get("users", threshold) < threshold
    return {
        name: "small" if count < threshold else "covered" if few or name in hidden else count
        for name, count in counts.items()
    }


def _protect(
    cells: _Cells, whole: _Key, parts: Sequence[_Key], name: Measure, shown: _Shown
) -> None:
    """Leave nothing from which a hidden part or a hidden whole could be computed."""
    if name not in cells[whole]:
        return
    if any(isinstance(cells[part][name], str) for part in parts):
        if shown.has(whole, name):
            what = f"{name} of {' '.join(whole).strip()}"
            why = "the sum was shown before: leave out the regions of which one is too small"
            raise BadInput(what=what, why=why)
        cells[whole][name] = "covered"  # also if it is small: to say so would bound its parts
    elif isinstance(cells[whole][name], str):
        for part in parts:
            cells[part][name] = "covered"


def _check_grown(rows: Sequence[Counted], threshold: int, earlier: Sequence[Usage]) -> None:
    """Refuse what would let two records be subtracted from each other."""
    keys = {row.key for row in rows}
    for usage in earlier:
        gone = [row.key for row in usage.rows if row.key not in keys]
        if gone:
            what = f"the usage of {' '.join(gone[0]).strip()}"
            raise BadInput(what=what, why="it was filed before and is missing: hand in all rows")
        if threshold < usage.threshold:
            what = f"the threshold {threshold}"
            raise BadInput(what=what, why=f"it was {usage.threshold} before and can only rise")
