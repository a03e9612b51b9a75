"""Counters, gauges and histograms, as the Prometheus text format 0.0.4 writes them.

Values are changed on one thread, at a microsecond each; text is made when it is asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

Labels = tuple[str, ...]

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_MOST_SERIES = 10_000
_REST = "other"


class Counter:
    """Counts, by labels. Beyond 10,000 kinds the rest is counted together."""

    kind = "counter"

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        """Count under *name*; *text* is the help."""
        self.name = name
        self.text = text
        self.labels = tuple(labels)
        self._values: dict[Labels, float] = {}

    def add(self, labels: Labels = (), by: float = 1) -> None:
        """Count *by* more."""
        values = self._values
        if labels in values:
            values[labels] += by
        elif len(values) < _MOST_SERIES:
            values[labels] = by
        else:
            rest = (_REST,) * len(self.labels)
            values[rest] = values.get(rest, 0) + by

    def lines(self) -> Iterator[str]:
        """Yield a line for each series."""
        for labels, value in self._values.items():
            yield f"{self.name}{_braced(self.labels, labels)} {_number(value)}"


class Gauge:
    """A value that is looked up when it is asked for."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        look: Callable[[], Mapping[Labels, float]],
    ) -> None:
        """Show what *look* returns under *name*."""
        self.name = name
        self.text = text
        self.labels = tuple(labels)
        self._look = look

    def lines(self) -> Iterator[str]:
        """Yield a line for each series."""
        for labels, value in self._look().items():
            yield f"{self.name}{_braced(self.labels, labels)} {_number(value)}"


class Histogram:
    """Times in seconds, by labels."""

    kind = "histogram"

    def __init__(
        self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float] = _SECONDS
    ) -> None:
        """Gather under *name*, in *buckets* that rise."""
        self.name = name
        self.text = text
        self.labels = tuple(labels)
        self._buckets = tuple(buckets)
        self._series: dict[Labels, tuple[list[int], list[float]]] = {}

    def add(self, labels: Labels, seconds: float) -> None:
        """Take one measurement in."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = ([0] * (len(self._buckets) + 1), [0.0])
        series[0][bisect_left(self._buckets, seconds)] += 1
        series[1][0] += seconds

    def lines(self) -> Iterator[str]:
        """Yield the lines of each series."""
        names = (*self.labels, "le")
        for labels, (counts, total) in self._series.items():
            running = 0
            for bound, count in zip((*self._buckets, None), counts, strict=True):
                running += count
                edge = "+Inf" if bound is None else _number(bound)
                yield f"{self.name}_bucket{_braced(names, (*labels, edge))} {running}"
            braced = _braced(self.labels, labels)
            yield f"{self.name}_sum{braced} {_number(total[0])}"
            yield f"{self.name}_count{braced} {running}"


class Metrics:
    """All that one process counts."""

    CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        """Begin with nothing."""
        self._all: list[Counter | Gauge | Histogram] = []

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """Return a new counter; its name should end in ``_total``."""
        made = Counter(name, text, labels)
        self._all.append(made)
        return made

    def gauge(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        look: Callable[[], Mapping[Labels, float]],
    ) -> None:
        """Show what *look* returns, each time the text is asked for."""
        self._all.append(Gauge(name, text, labels, look))

    def histogram(
        self, name: str, text: str, labels: Sequence[str] = (), buckets: Sequence[float] = _SECONDS
    ) -> Histogram:
        """Return a new histogram of seconds."""
        made = Histogram(name, text, labels, buckets)
        self._all.append(made)
        return made

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        lines: list[str] = []
        for one in self._all:
            help_text = one.text.replace("\\", r"\\").replace("\n", r"\n")
            lines += [f"# HELP {one.name} {help_text}", f"# TYPE {one.name} {one.kind}"]
            lines += one.lines()
        return "".join(f"{line}\n" for line in lines).encode()


def _braced(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
