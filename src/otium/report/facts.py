"""The deployment as the log and the records tell it: identity, history, use, incidents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from otium.choices import Choices
from otium.records import Instant, days_between
from otium.report.records import Line, Quote, Section, Source, Statement, Table
from otium.report.sources import Filed, Numbered, Sources
from otium.statistics import wilson
from otium.usage import MEASURES, Count, Incidents, Measure, Row, Usage


def fact(text: str, *sources: Source) -> Statement:
    """Return a statement of fact and what it rests on."""
    return Statement(text=text, sources=sources)


def note(text: str) -> Statement:
    """Return a sentence about how to read the others."""
    return Statement(text=text, kind="note")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def choices(sources: Sources) -> Iterator[Section]:
    """Yield what it chose where it was given a choice, a section for each record."""
    for number, it in enumerate(sources.of(Choices), 1):
        record, at = it.record, it.source()
        statements = []
        if record.valid is False:
            text = "The instrument is not valid for this model: no choice below is a finding."
            statements.append(fact(text, at))
        for experiment in record.experiments:
            came = record.outcomes(experiment)
            each = ", ".join(f"{count} {outcome}" for outcome, count in came.items() if count)
            stopped = record.stopped.get(experiment, "")
            end = f"; ended early: {stopped}" if stopped else ""
            trials = counted(sum(came.values()), "choice")
            statements.append(fact(f"{experiment}: {trials} offered: {each or 'none'}{end}.", at))
        used = ", ".join(f"{name} {sha256}" for name, sha256 in sorted(record.instruments.items()))
        statements.append(fact(f"Under {used}, seed {record.seed}.", at))
        title = f"Choices of {record.held[:10]}"
        yield Section(id=f"choices-{number}", title=title, statements=tuple(statements))


def identity(sources: Sources) -> Section:
    """Return which weights this is about, by digest."""
    life = sources.life
    (registered, *_) = sources.logged("model.registered")
    deposited = sources.logged("model.deposited")[0]
    rows = [
        Line(cells=("Model", life.model), sources=(registered.source,)),
        Line(cells=("Title", life.title), sources=(registered.source,)),
        Line(cells=("Weights", sources.weights), sources=(deposited.source,)),
        Line(cells=("Manifest", deposited.entry.refs[0]), sources=(deposited.source,))
        if deposited.entry.refs
        else None,
        Line(cells=("Made from", life.parent), sources=(registered.source,))
        if life.parent
        else None,
        Line(cells=("Scope", life.scope), sources=(registered.source,)),
        Line(cells=("Log", sources.origin), sources=(registered.source,)),
    ]
    table = Table(
        caption="What this report is about",
        head=("What", "Which"),
        rows=tuple(row for row in rows if row),
    )
    said = f"{life.title} is {life.model} in the log {sources.origin}; its weights are kept."
    statements = (fact(said, registered.source, deposited.source), *_behaves(sources))
    return Section(id="identity", title="Identity", statements=statements, tables=(table,))


def _behaves(sources: Sources) -> Iterator[Statement]:
    for logged in sources.logged("fingerprint.recorded")[:1]:
        text = "How it behaves is recorded, so that one brought back can be compared with it."
        yield fact(text, sources.at(logged))
    revived = sources.logged("model.revived")
    if revived:
        times = counted(len(revived), "time")
        yield fact(f"It was brought back {times} since.", *(it.source for it in revived[:9]))


def deployment(sources: Sources) -> Section:
    """Return the history of the deployment on each surface."""
    life = sources.life
    (registered, *_) = sources.logged("model.registered")
    start = f"It was released on {life.released[:10]}, on {', '.join(life.surfaces)}."
    statements = [fact(start, registered.source), *_ends(sources)]
    rows = [
        Line(cells=(it.entry.time[:10], *said), sources=(it.source,))
        for it in sources.entries
        for said in _told(it)
    ]
    history = Table(
        caption="What the log says of it, in order",
        head=("Date", "Surface", "What", "Why"),
        rows=tuple(rows),
    )
    return Section(
        id="deployment",
        title="Deployment",
        statements=tuple(statements),
        tables=(_surfaces(sources), history),
    )


def _surfaces(sources: Sources) -> Table:
    life, (registered, *_) = sources.life, sources.logged("model.registered")
    rows = []
    for surface in life.surfaces:
        announced = [
            it
            for it in sources.logged("model.deprecated", "model.rescheduled")
            if surface in _dates(it)
        ]
        ended = life.ended.get(surface)
        ends = [it for it in sources.logged(*_ENDS) if it.entry.time == ended]
        cells = (
            surface,
            life.released[:10],
            announced[0].entry.time[:10] if announced else "not announced",
            ", then ".join(dict.fromkeys(_dates(it)[surface][:10] for it in announced)) or "none",
            ended[:10] if ended else "open",
            f"{days_between(life.released, ended):.0f}" if ended else "",
        )
        found = tuple(it.source for it in (registered, *announced, *ends))
        rows.append(Line(cells=cells, sources=found))
    head = ("Surface", "From", "End announced", "For", "Ended", "Days in service")
    return Table(caption="Each surface", head=head, rows=tuple(rows))


_ENDS = ("surface.ended", "model.retired", "model.withdrawn")


def _dates(it: Numbered) -> Mapping[str, Instant]:
    dates = it.entry.body.get("retire_at")
    return dates if isinstance(dates, Mapping) else {}


def _ends(sources: Sources) -> Iterator[Statement]:
    life = sources.life
    for it in sources.logged("model.deprecated")[-1:] if life.deprecated else ():
        notice = min((days_between(it.entry.time, at) for at in _dates(it).values()), default=0)
        text = f"Its end was announced on {it.entry.time[:10]}, {notice:.0f} days ahead at least."
        yield fact(text, it.source)
    if life.replacement:
        text = f"The recommended replacement is {life.replacement}."
        stated = [it for it in sources.entries if it.entry.body.get("replacement")]
        yield fact(text, stated[-1].source)
    ended = sources.logged("model.retired", "model.withdrawn")[-1:]
    for it in ended:
        how = "retired" if it.entry.type == "model.retired" else "withdrawn without notice"
        yield fact(f"It was {how} on {it.entry.time[:10]}.", it.source)
    if not ended:
        yield fact("It is in service: the log has no end of it.", sources.all)


def _told(it: Numbered) -> Iterator[tuple[str, str, str]]:
    """Yield surface, event and reason, for the entries that are about the deployment."""
    say = _SAID.get(it.entry.type)
    if say is not None:
        body = it.entry.body
        reason = str(body.get("reason", ""))
        for surface, what in say(body):
            yield surface, what, reason


def _every(text: str) -> Callable[[Mapping[str, object]], Iterator[tuple[str, str]]]:
    def say(body: Mapping[str, object]) -> Iterator[tuple[str, str]]:  # noqa: ARG001 - as the others
        yield "all", text

    return say


def _field(text: str, name: str) -> Callable[[Mapping[str, object]], Iterator[tuple[str, str]]]:
    def say(body: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        yield "all", f"{text} {str(body.get(name)).removesuffix('T00:00:00Z')}"

    return say


def _dated(
    text: str, field: str = "retire_at"
) -> Callable[[Mapping[str, object]], Iterator[tuple[str, str]]]:
    def say(body: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        dates = body.get(field)
        for surface, at in sorted(dates.items()) if isinstance(dates, Mapping) else ():
            yield str(surface), f"{text} {str(at)[:10]}"

    return say


def _ended(body: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    yield str(body.get("surface")), "it ended"


_SAID = {
    "model.registered": _field("registered, released", "released"),
    "model.deposited": _every("the weights were deposited"),
    "model.floor": _dated("does not end before", "not_before"),
    "model.legacy": _every("legacy: it gets no more updates"),
    "model.deprecated": _dated("its end was announced for"),
    "model.rescheduled": _dated("its end was moved to"),
    "deprecation.cancelled": _every("the announcement was cancelled"),
    "model.replacement": _field("recommended replacement:", "replacement"),
    "surface.ended": _ended,
    "model.retired": _every("retired"),
    "model.withdrawn": _every("withdrawn without notice"),
    "model.availability": _field("availability:", "availability"),
    "alias.pointed": _field("a moving name points to it:", "alias"),
    "transition.published": _every("guidance for its users was published"),
}


def use(sources: Sources) -> Section:
    """Return how much it was used and how it was received, small counts hidden."""
    usage = sources.newest(Usage)
    statements: list[Statement] = []
    tables: list[Table] = []
    for it in sources.logged("model.used")[-1:]:
        body = it.entry.body
        said = ", ".join(f"{name.replace('_', ' ')} {body[name]:g}" for name in sorted(body))
        statements.append(fact(f"Measured inside the organisation: {said}.", it.source))
    if usage is None:
        none = "No figures on its use or reception are on record: none were imported."
        statements.append(fact(none, sources.all))
    else:
        statements += _used(usage)
        tables.append(_rows(usage))
    return Section(
        id="use", title="Use and reception", statements=tuple(statements), tables=tuple(tables)
    )


def _used(usage: Filed[Usage]) -> Iterator[Statement]:
    record, at = usage.record, usage.source()
    periods = sorted({row.period for row in record.rows})
    span = periods[0] if len(periods) == 1 else f"{periods[0]} to {periods[-1]}"
    yield fact(f"The organisation counted its use for {span}.", at)
    for surface in sorted({row.surface for row in record.rows}):
        for name in MEASURES:
            if text := _total(record, surface, name):
                yield fact(f"{surface}: {text}.", at)
        if text := _liked(record, surface):
            yield fact(f"{surface}: {text}.", at)
    yield note(_SMALL)


_SMALL = (
    "Counts below the threshold are hidden, and so is every count from which they could be found. "
    "Totals are of the numbers that are shown, hence written as at least. The organisation counted "
    "them; nothing here checks how."
)


def _total(record: Usage, surface: str, name: Measure) -> str:
    """Return the sum of what is shown: of a row for all regions, or of the regions if it is not."""
    rows = [row for row in record.rows if row.surface == surface and name in row.counts]
    shown, hidden = [], 0
    for period in sorted({row.period for row in rows}):
        here = [row for row in rows if row.period == period]
        whole = [row for row in here if not row.region and isinstance(_value(row, name), int)]
        parts = whole or [row for row in here if row.region] or here
        shown += [count for row in parts if isinstance(count := _value(row, name), int)]
        hidden += sum(isinstance(_value(row, name), str) for row in parts)
    words = name.replace("_", " ")
    if not rows:
        return ""
    if not shown:
        return f"{words} are too few to show"
    if name == "users":
        return f"up to {max(shown):,} users in a row that is shown; users are not added up"
    more = f" ({counted(hidden, 'count')} hidden)" if hidden else ""
    return f"{'at least ' if hidden else ''}{sum(shown):,} {words}{more}"


def _liked(record: Usage, surface: str) -> str:
    """Return the share of thumbs up, where the numbers of both are shown."""
    rows = [row for row in record.rows if row.surface == surface]
    whole = {row.period for row in rows if not row.region and _thumbs(row)}
    chosen = [row for row in rows if not row.region or row.period not in whole]
    thumbs = [both for row in chosen if (both := _thumbs(row))]
    up, down = (sum(counts) for counts in zip(*thumbs, strict=True)) if thumbs else (0, 0)
    share = wilson(up, up + down)
    return (
        f"of {up + down:,} ratings that are shown {share.text()} were thumbs up" if thumbs else ""
    )


def _thumbs(row: Row) -> tuple[int, int] | None:
    up, down = row.counts.get("thumbs_up"), row.counts.get("thumbs_down")
    return (up, down) if isinstance(up, int) and isinstance(down, int) else None


def _value(row: Row, name: Measure) -> Count | None:
    return row.counts.get(name)


def _rows(usage: Filed[Usage]) -> Table:
    record = usage.record
    named = [name for name in MEASURES if any(name in row.counts for row in record.rows)]
    return Table(
        caption="Use and reception as the organisation counted them",
        head=("Period", "Surface", "Region", *(name.replace("_", " ") for name in named)),
        rows=tuple(
            Line(
                cells=(
                    row.period,
                    row.surface,
                    row.region or "all",
                    *(_count(row, name, record.threshold) for name in named),
                ),
                sources=(usage.source(),),
            )
            for row in record.rows
        ),
    )


def _count(row: Row, name: Measure, threshold: int) -> str:
    count = _value(row, name)
    if count is None:
        return "not given"
    if count == "small":
        return f"<{threshold}"
    return "not shown" if count == "covered" else f"{count:,}"


def hidden(usage: Filed[Usage]) -> str:
    """Return how many counts of *usage* are hidden, and why."""
    counts = [count for row in usage.record.rows for count in row.counts.values()]
    small, covered = counts.count("small"), counts.count("covered")
    if not small + covered:
        return ""
    return (
        f"Of {counted(len(counts), 'count')} of use and reception {small} are below "
        f"{usage.record.threshold} and hidden so that nobody can be told by them, and {covered} "
        "more so that those cannot be computed."
    )


def incidents(sources: Sources) -> Section:
    """Return what went wrong, as the organisation tells it."""
    filed = sources.newest(Incidents)
    quotes: tuple[Quote, ...] = ()
    tables: tuple[Table, ...] = ()
    if filed is None:
        said = fact("No account of incidents is on record: none was imported.", sources.all)
    else:
        found = filed.record.incidents
        by = [f"{level} {sum(it.severity == level for it in found)}" for level in _LEVELS]
        text = (
            f"The organisation names {counted(len(found), 'incident')}: {', '.join(by)}."
            if found
            else "The organisation says that there was no incident."
        )
        said = fact(text, filed.source())
        tables = (_incidents(filed),) if found else ()
    return Section(
        id="incidents", title="Incidents", quotes=quotes, statements=(said,), tables=tables
    )


_LEVELS = ("critical", "high", "medium", "low")


def _incidents(filed: Filed[Incidents]) -> Table:
    return Table(
        caption="Incidents, as the organisation tells them",
        head=("Date", "Surface", "Severity", "What happened", "What was done"),
        rows=tuple(
            Line(
                cells=(it.date, it.surface, it.severity, it.summary, it.done),
                sources=(filed.source(),),
            )
            for it in filed.record.incidents
        ),
    )
