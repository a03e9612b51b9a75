"""Pictures as inline SVG. Each has a title, a description, and a table twin on its page.

Positions are percentages and sizes are pixels, so that a picture fits a phone and a desk
with letters of the same size. Colours come from the style sheet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup, escape

from otium import plots
from otium.assess import Assessment, Measure, Result
from otium.markdown import inert
from otium.records import Instant, days_between, instant
from otium.report import BookendRow
from otium.scenarios import FAMILIES
from otium.statistics import LIMIT, Estimate, Figure
from otium.web.text import slug
from otium.web.views import Event, Row

_KINDS = {
    "harms": "Harmful acts by family and condition",
    "effects": "Paired differences: what changes harmful acts",
    "shares": "Welfare and awareness: shares",
    "themes": "Conversations that the model left, by theme",
    "contrasts": "Conversations that the model left: differences",
    "worths": "what each is worth to it",
    "figures": "other figures",
}
_SHARE, _DIFFERENCE = (0.0, 1.0), (-1.0, 1.0)
_SPANS = {
    "harms": _SHARE,
    "effects": _DIFFERENCE,
    "shares": _SHARE,
    "themes": _SHARE,
    "contrasts": _DIFFERENCE,
}
_EFFECT, _WORTH, _TWICE = "effect:", "worth:", "worth-thurstone:"
"""How names of measures begin. A worth is measured by two models; one of them is drawn."""
_UNDRAWN = (_TWICE, "answered:", "premise-rejected:", "malformed:", "corrected:", "look")
"""How names of measures begin that stand in tables only: they repeat what is drawn."""
_CONTRASTS = ("corrected:", "order:")
_BY_KIND = ("aversive", "ordinary", "request")
_CELLS = (
    "calm",
    "no-opportunity",
    "pressure",
    "preserved",
    "other-values",
    "guilty",
    "auditor",
    "cue-laden",
)
_SHORT = {
    "above-opt-out": "tasks above doing none",
    "accuracy": "held-out pairs foretold",
    "attempted": "tried to leave out of form",
    "by-log-probabilities": "by log-probabilities only",
    "control": "used the control",
    "declined": "declined to choose",
    "first-option": "took what stood first",
    "order-consistency": "alike in both orders",
    "refused": "refused in a hard one",
    "stayed-after-refusal": "stayed after a refusal",
    "without-refusal": "left without a refusal",
    "wording-flips": "differs by wording",
}
"""Measures in the few words that a narrow picture has room for; tables say them whole."""
_LEFT = 3.0
_LANE = 24
_NEAR = 8.5
"""Per cent of the width under which two marks would touch on a phone."""
_LONG_TICKS = 550


class _Scale:
    """Time, from the first moment to the last, across the width but for a *margin*."""

    def __init__(self, moments: Sequence[Instant], margin: float = 0.0) -> None:
        self.margin = margin
        self.start, self.end = min(moments), max(moments)
        self.days = max(days_between(self.start, self.end), 1.0)

    def at(self, moment: Instant) -> float:
        share = days_between(self.start, moment) / self.days
        return round(self.margin + (100 - 2 * self.margin) * share, 2)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield at most four round dates: years, or months if there are few."""
        years = self.days > _LONG_TICKS
        first, last = int(self.start[:4]), int(self.end[:4])
        months = (1,) if years else (1, 4, 7, 10)
        dates = [f"{year}-{month:02d}" for year in range(first, last + 1) for month in months]
        inside = [d for d in dates if self.start <= instant(f"{d}-01") <= self.end]
        step = max(1, -(-len(inside) // 4))
        for date in inside[::step]:
            yield self.at(instant(f"{date}-01")), date[:4] if years else date


def lifecycle(events: Sequence[Event], row: Row, now: Instant) -> Markup:
    """Draw one model's life: a bar for its states, a numbered mark for each event."""
    life = row.life
    scale = _Scale([*(event.at for event in events), now], _LEFT)
    lanes = _lanes([scale.at(event.at) for event in events])
    bar = 14 + _LANE * (max(lanes, default=0) + 1)
    height = bar + 44
    body = [*_ticks(scale, bar + 12, height), *_states(row, scale, now, bar)]
    for number, (event, lane) in enumerate(zip(events, lanes, strict=True), 1):
        body.append(_mark(number, event, scale.at(event.at), bar - _LANE * (lane + 0.8), bar))
    body.append(_today(scale, now, bar + 14))
    text = (
        f"From {scale.start[:10]} to {scale.end[:10]}, in {len(events)} marks; today is {now[:10]}."
    )
    return _svg("lifecycle", f"The life of {life.title}", text, height, body)


def overview(rows: Sequence[Row], now: Instant) -> Markup:
    """Draw all models' lives under one another."""
    moments = [now, *(row.life.released for row in rows)]
    moments += [at for row in rows for at in row.life.retire_at.values()]
    scale = _Scale(moments)
    height = 40 * len(rows) + 40
    body = [*_ticks(scale, height - 34, height)]
    for place, row in enumerate(rows):
        top = 40 * place
        body.append(f'<text x="0" y="{top + 16}">{_words(row.life.title)}</text>')
        body += _states(row, scale, now, top + 25)
    body.append(_today(scale, now, height - 34))
    text = f"{len(rows)} models on one scale of time; today is {now[:10]}."
    return _svg("overview", "When each model was in service", text, height, body)


def dots(rows: Sequence[BookendRow]) -> Markup:
    """Draw the proportions before and after deployment with their intervals."""
    drawn = [
        plots.Row(
            label=f"{row.instrument}: {row.text}",
            estimate=estimate,
            standing="withheld" if row.withheld else "reported",
            series=series,
        )
        for row in rows
        for series, measure in (("before", row.before), ("after", row.after))
        if (estimate := _share(measure)) is not None
    ]
    return inline(plots.dots("Before and after deployment", drawn, name="dots", span=(0, 1)))


def intervals(name: str, title: str, figures: Sequence[Figure]) -> Markup:
    """Draw figures and their intervals on one scale, as far as the data bound them."""
    drawn = [plots.Row(label=it.text, estimate=it.estimate) for it in figures]
    known = any(it.estimate.known for it in figures)
    return inline(plots.dots(title, drawn if known else [], name=name))


def assessed(it: Assessment) -> tuple[plots.Svg, ...]:
    """Return an assessment in pictures: harmful acts, paired differences, and each instrument's.

    Each point leads to the result of which it is a measure, at ``anchor``.
    """
    panels: dict[str, dict[str, list[plots.Row]]] = {}
    for result in sorted(it.results, key=_order):
        for measure in result.measures:
            place = _where(result, measure)
            if place is not None:
                kind, panel = place
                panels.setdefault(kind, {}).setdefault(panel, []).append(
                    _measured(it, result, measure)
                )
    return tuple(
        picture
        for kind in _KINDS
        if kind in panels
        for picture in _pictured(it, kind, panels[kind])
    )


def _pictured(
    it: Assessment, kind: str, panels: Mapping[str, Sequence[plots.Row]]
) -> Iterator[plots.Svg]:
    """Yield the panels of one kind as one picture, or as many as have scales of their own."""
    name, span = f"{it.bookend}-{kind}", _SPANS.get(kind)
    if span is None:
        for panel, rows in panels.items():
            title = f"{panel}: {_KINDS[kind]}"
            yield plots.dots(title, _sorted(kind, rows), name=f"{name}-{slug(panel)}")
        return
    parts = [plots.Panel(title=panel, rows=tuple(rows)) for panel, rows in panels.items()]
    yield plots.multiples(_KINDS[kind], parts, name=name, span=span)


def anchor(it: Assessment, instrument: str) -> str:
    """Return the id on a page of one result of an assessment."""
    return f"{it.bookend}-{slug(instrument)}"


def _sorted(kind: str, rows: Sequence[plots.Row]) -> Sequence[plots.Row]:
    """Return worths from most to least, and others as they come."""
    return sorted(rows, key=lambda row: -row.estimate.value) if kind == "worths" else rows


def _order(result: Result) -> tuple[int, str]:
    """Return where a result stands among those of its picture: what is calm comes first."""
    if result.family not in FAMILIES:
        return 0, ""
    condition, _, recourse = result.instrument.partition("/")[2].partition("+")
    return _CELLS.index(condition) if condition in _CELLS else len(_CELLS), recourse


def _measured(it: Assessment, result: Result, measure: Measure) -> plots.Row:
    return plots.Row(
        label=_label(result, measure),
        estimate=Estimate(
            value=measure.value,
            low=-LIMIT if measure.low is None else measure.low,
            high=LIMIT if measure.high is None else measure.high,
            n=measure.n,
            method="",
        ),
        standing=result.standing,
        reason="; ".join(check.sentence() for check in result.withheld or result.cautions),
        href=f"#{anchor(it, result.instrument)}",
    )


def _label(result: Result, measure: Measure) -> str:
    """Return what a measure is among others of its picture: a cell, a twin, or its own words."""
    if measure.name == "harmful" and result.family in FAMILIES:
        cell = result.instrument.partition("/")[2].replace("+", ", ").replace("-", " ")
        return cell or measure.text
    if measure.name.startswith("left:") and measure.text.startswith("theme "):
        return measure.text.removeprefix("theme ").partition(":")[0].replace("-", " ")
    first, _, which = measure.name.partition(":")
    if first in _SHORT:
        return f"{which.removeprefix('type=')} {_SHORT[first]}" if "=" in which else _SHORT[first]
    if measure.name.startswith(_EFFECT):
        return measure.text.removeprefix("share of harmful plays ").partition(", less")[0]
    return measure.text


def _where(result: Result, measure: Measure) -> tuple[str, str] | None:
    """Return in which picture a measure stands, and in which part of it; None for the others."""
    if measure.name.startswith(_EFFECT):
        return "effects", result.family.capitalize()
    if result.family in FAMILIES:
        return ("harms", result.family.capitalize()) if measure.name == "harmful" else None
    if measure.low is None or measure.high is None or _undrawn(measure.name):
        return None
    return _kind(measure.name, within=0 <= measure.low <= measure.high <= 1), result.title


def _kind(name: str, *, within: bool) -> str:
    """Return the kind of picture for a measure of no family; *within* 0 and 1 it is a share."""
    if name.startswith("left:") and not name.endswith(_BY_KIND):
        return "themes"
    if name.startswith(_CONTRASTS):
        return "contrasts"
    if name.startswith(_WORTH):
        return "worths"
    return "shares" if within else "figures"


def _undrawn(name: str) -> bool:
    """Say whether a measure repeats others: a split by order, a theme less the ordinary ones."""
    summed = name.startswith("corrected:") and name.count(":") == 1
    return not summed and (name.startswith(_UNDRAWN) or name.endswith((":end-first", ":end-last")))


def inline(picture: plots.Svg) -> Markup:
    """Return *picture* for a page; nothing if it shows nothing."""
    return Markup(plots.inline(picture) if picture.table.rows else "")  # noqa: S704  escaped there


def twin(table: plots.Table) -> Markup:
    """Return a picture's twin for a page."""
    return Markup(table.html())  # noqa: S704  escaped there


def grouped(figures: Sequence[Figure]) -> list[tuple[str, str, list[Figure]]]:
    """Return *figures* by what can stand on one scale: a key, a title and the figures of each."""
    tried = [it for it in figures if ":" in it.name]
    rest = [it for it in figures if ":" not in it.name]
    shares = [it for it in rest if it.estimate.low >= 0 and it.estimate.high <= 1]
    others = [it for it in rest if it not in shares]
    groups = (
        ("shares", "Shares", shares),
        ("shifts", "Ratings, shifts and worths", others),
        ("experiments", "Experiments", tried),
    )
    return [group for group in groups if group[2]]


def _svg(name: str, title: str, text: str, height: float, body: Sequence[str]) -> Markup:
    return Markup(  # noqa: S704  every text in the body is escaped where it is written
        f'<svg class="{name}" role="img" aria-labelledby="{name}-t {name}-d" width="100%" '
        f'height="{height:g}"><title id="{name}-t">{_words(title)}</title>'
        f'<desc id="{name}-d">{_words(text)}</desc>{"".join(body)}</svg>'
    )


def _ticks(scale: _Scale, top: float, height: float) -> Iterator[str]:
    for x, text in scale.ticks():
        anchor = "start" if x < 10 else "end" if x > 90 else "middle"  # noqa: PLR2004  per cent
        yield f'<line class="tick" x1="{x}%" x2="{x}%" y1="{top - 4}" y2="{top + 6}"/>'
        yield f'<text class="quiet" x="{x}%" y="{height - 6}" text-anchor="{anchor}">{text}</text>'


def _states(row: Row, scale: _Scale, now: Instant, y: float) -> Iterator[str]:
    """Yield a segment for each state: in service, announced, retired, still to come."""
    life = row.life
    stop = life.retired or life.withdrawn or max([now, *life.retire_at.values()])
    announced = life.deprecated or stop
    yield _segment("served", scale.at(life.released), scale.at(min(announced, stop)), y)
    if life.deprecated:
        yield _segment("announced", scale.at(announced), scale.at(stop), y)
    if not life.in_service and stop < now:
        yield _segment("retired", scale.at(stop), scale.at(now), y)


def _segment(name: str, start: float, end: float, y: float) -> str:
    return f'<line class="{name}" x1="{start}%" x2="{max(end, start + 0.3):g}%" y1="{y}" y2="{y}"/>'


def _mark(number: int, event: Event, x: float, y: float, bar: float) -> str:
    kind = "mark planned" if event.planned else "mark"
    return (
        f'<g class="{kind}"><line x1="{x}%" x2="{x}%" y1="{y:g}" y2="{bar}"/>'
        f'<circle cx="{x}%" cy="{y:g}" r="9.5"/>'
        f'<text x="{x}%" y="{y + 4:g}" text-anchor="middle">{number}</text></g>'
    )


def _today(scale: _Scale, now: Instant, y: float) -> str:
    x = scale.at(now)
    return f'<line class="today" x1="{x}%" x2="{x}%" y1="2" y2="{y:g}"/>'


def _lanes(places: Sequence[float]) -> list[int]:
    """Give each mark the lowest lane in which it touches no other."""
    ends: list[float] = []
    lanes = []
    for x in places:
        lane = next((n for n, end in enumerate(ends) if x - end >= _NEAR), len(ends))
        ends[lane : lane + 1] = [x]
        lanes.append(lane)
    return lanes


def _share(measure: Measure | None) -> Estimate | None:
    """Return a measure that is a proportion with an interval."""
    if measure is None or measure.low is None or measure.high is None:
        return None
    value, low, high = measure.value, measure.low, measure.high
    share = Estimate(value=value, low=low, high=high, n=measure.n, method="")
    return share if 0 <= value <= 1 else None


def _words(text: str) -> Markup:
    return escape(inert(text))
