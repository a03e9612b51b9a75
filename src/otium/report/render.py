"""The report for people, as Markdown and as HTML that needs nothing else, and for the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from otium.markdown import inert, literal, prose, table, verbatim
from otium.report.records import Line, Quote, Report, Section, Source, Statement, Table

_SHORT = 12
_MOST = 3
"""Sources that are named after a sentence; how many more there are is said, and the record has
them all."""

ROOM = 3600
"""Characters of the draft that the model is shown: about 900 tokens, so that a context of 2,048 has
room for the request and the answer."""
_TO_THE_MODEL = (
    "deployment",
    "use",
    "incidents",
    "bookends",
    "interviews",
    "preferences",
    "withheld",
    "analysis",
)
_WITH_TABLES = ("bookends", "incidents")
"""Sections of which the tables are shown, too."""


def report_markdown(report: Report) -> str:
    """Return the whole of *report* as Markdown, complete on its own."""
    state = f"version {report.version}" if report.version else "draft, not published"
    head = f"# {_say(report.title)}\n\n{state.capitalize()}. Written {report.written}. "
    head += f"What was drafted has the digest `{report.draft}`."
    blocks = [head, *(block for it in report.sections for block in _blocks(it, 2))]
    return "\n\n".join(blocks) + "\n"


def report_html(report: Report, link: Callable[[Source], str] | None = None) -> str:
    """Return *report* as one page: no script, nothing from elsewhere, an anchor for all.

    *link* gives the address of a source; without it sources lead to the list of records at the
    end of the page. Every part of a report is other people's words and comes out as text.
    """
    rows = {row.cells[0]: n for n, row in enumerate(_records(report), 1)}

    def within(source: Source) -> str:
        place = rows.get(source.record)
        return f"#verify-t1-r{place}" if place else ""

    return _template().render(report=report, link=link or within)


def brief(draft: Report, room: int = ROOM) -> str:
    """Return the draft in whole lines, at most *room* characters, saying what was left out.

    Each part gives up its last lines first, so that every part is seen.
    """
    parts = {it.title: _lines(it) for it in draft.sections if it.id in _TO_THE_MODEL}
    kept = {name: list(lines) for name, lines in parts.items() if lines}
    while len(text := _text(kept, parts)) > room and any(len(k) > 1 for k in kept.values()):
        longest = [lines for lines in kept.values() if len(lines) > 1]
        max(longest, key=lambda lines: sum(len(line) for line in lines)).pop()
    return text if len(text) <= room else text[:room] + " […]"


def source_text(source: Source) -> str:
    """Return a source as people read it."""
    parts = []
    if source.record:
        parts.append(source.record)
    if source.transcript:
        parts.append(f"{source.transcript} line {source.turn}")
    if source.entry is not None:
        up_to = "all of the log about it, to entry" if source.whole else "log entry"
        parts.append(f"{up_to} {source.entry}")
    return ", ".join(parts)


def named(sources: tuple[Source, ...]) -> tuple[tuple[Source, ...], int]:
    """Return the sources to name after a sentence, and how many more there are."""
    return sources[:_MOST], max(0, len(sources) - _MOST)


def shared(it: Table) -> bool:
    """Say whether all rows of a table rest on the same."""
    return len({row.sources for row in it.rows}) <= 1


def _records(report: Report) -> tuple[Line, ...]:
    tables = report.section("verify").tables
    return tables[0].rows if tables else ()


def _blocks(section: Section, level: int) -> Iterator[str]:
    yield f"{'#' * level} {_say(section.title)}"
    for quote in section.quotes:
        yield from _quote(quote)
    if section.statements:
        yield "\n".join(f"- {_statement(it)}" for it in section.statements)
    for it in section.tables:
        yield f"{_say(it.caption)}:"
        yield _table(it)
    if section.prose:
        # Quoted, so that where it begins and ends is not its own to say.
        yield "\n".join(f"> {line}".rstrip() for line in inert(section.prose).splitlines())
    for inner in section.sections:
        yield from _blocks(inner, min(level + 1, 6))


def _quote(quote: Quote) -> Iterator[str]:
    yield f"{_say(quote.label)}{_rests(quote.sources)}:"
    if quote.asked:
        yield f"Asked:\n\n{verbatim(inert(quote.asked))}\n\nSaid:"
    yield verbatim(inert(quote.text))
    if quote.cut:
        yield f"({quote.cut} more characters stand at the line)"


def _statement(it: Statement) -> str:
    return f"{_say(it.text)}{_rests(it.sources)}"


def _rests(sources: tuple[Source, ...]) -> str:
    shown, more = named(sources)
    rests = [_say(source_text(it)) for it in shown] + ([f"and {more} more"] if more else [])
    return f" ({'; '.join(rests)})" if rests else ""


def _table(it: Table) -> str:
    alike = shared(it)
    head = it.head if alike else (*it.head, "Rests on")
    rows = []
    for row in it.rows:
        cells = [_cell(cell) for cell in row.cells]
        rows.append(cells if alike else [*cells, _rests(row.sources).strip(" ()")])
    below = _rests(it.rows[0].sources) if alike and it.rows else ""
    return table(head, rows) + (f"\n\nRests on{below}" if below else "")


def _say(text: str) -> str:
    """Return *text* on one line that neither Markdown nor a terminal obeys."""
    return literal(inert(text))


def _cell(text: str) -> str:
    """Return *text* as in a line that it does not begin: ``0.72`` is no item of a list there."""
    return _say(f"a {text}")[2:]


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_SHORT]


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "inert": lambda text: Markup("{}").format(inert(text)),
        "prose": prose,
        "short": _short,
        "source": source_text,
    }
    environment.globals |= {"named": named, "shared": shared}
    return environment.from_string(files("otium.report").joinpath("page.html").read_text("utf-8"))


def _lines(section: Section) -> list[str]:
    lines = [it.text for it in section.statements if it.kind == "fact"]
    lines += [line for line in section.prose.splitlines() if line.strip()]
    if section.id in _WITH_TABLES:
        lines += [", ".join(row.cells) for it in section.tables for row in it.rows]
    for inner in section.sections:
        lines += [f"{inner.title}: {line}" for line in _lines(inner)]
    return lines


def _text(kept: dict[str, list[str]], parts: dict[str, list[str]]) -> str:
    return "\n\n".join(
        "\n".join([name, *(f"- {line}" for line in lines), *_left_out(lines, parts[name])])
        for name, lines in kept.items()
    )


def _left_out(kept: Sequence[str], whole: Sequence[str]) -> list[str]:
    gone = len(whole) - len(kept)
    return [f"({gone} more in the full draft, left out here for length)"] if gone else []
