"""Markdown that carries other people's words without obeying them, and our own as HTML.

A model's answer may hold headings, links, HTML or fences of its own. ``literal`` makes such
text inert inside a line, ``verbatim`` keeps it exactly, as a block. Both read well unrendered.
``prose`` is for what the house wrote: paragraphs, headings, lists, tables, emphasis. Everything is
escaped first; links and HTML are not understood on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

__all__ = ["inert", "inert_json", "literal", "prose", "table", "verbatim"]

_MARKED = re.compile(
    r"([\\`*_<>|~&$#@])|(\])(?=[\[(:])|(?<=[a-z])(:)(?=//)|(?<=mailto)(:)", re.IGNORECASE
)
"""What CommonMark and its common extensions act on inside a line."""
_LINE_START = re.compile(r"^(\d+)([.)])|^([-+=:\[])")
_WWW = re.compile(r"(?i)\bwww\.")
_SHORTEST_FENCE = 3
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""What HTML cannot carry, and what turns the reading direction of the text around it."""
_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\*([^*]+)\*"), r"<em>\1</em>"),
)
_RULE = re.compile(r"\|[\s:|-]+\|?")


def inert(text: str) -> str:
    """Return *text* with control characters named in ASCII, as ``<U+202E>``."""
    return _CONTROL.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)


def inert_json(text: str) -> str:
    """Return *text*, which is JSON, with control characters in its strings as escapes."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def literal(text: str) -> str:
    """Return *text* on one line, with all that Markdown would act on escaped."""
    line = _MARKED.sub(r"\\\g<0>", " ".join(text.split()))
    line = _WWW.sub(lambda match: match[0][:-1] + "\\.", line)
    return _LINE_START.sub(lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", line)


def verbatim(text: str) -> str:
    """Return *text* unchanged in a fence that it cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(_SHORTEST_FENCE, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table. Cells that hold other people's words must be ``literal`` already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def prose(text: str) -> Markup:
    """Return *text* as HTML; a first heading of level one is left out, as the page has it."""
    blocks = [block.strip("\n") for block in re.split(r"\n\s*\n", inert(text))]
    if blocks and blocks[0].startswith("# "):
        blocks = blocks[1:]
    return Markup("\n").join(_block(block.splitlines()) for block in blocks if block.strip())


def _block(lines: Sequence[str]) -> Markup:
    if lines[0].startswith("#"):
        return Markup("<h3>{}</h3>").format(_inline(" ".join(lines).lstrip("# ")))
    for name, starts in (("table", "|"), ("list", ("- ", "* "))):
        head = [line for line in lines if line.startswith(starts)]
        if head and lines[0].startswith(starts):
            rest = [line for line in lines if not line.startswith(starts)]
            first = _table(head) if name == "table" else _list(head)
            return first + _block(rest) if rest else first
    return Markup("<p>{}</p>").format(_inline(" ".join(lines)))


def _list(lines: Sequence[str]) -> Markup:
    items = Markup().join(Markup("<li>{}</li>").format(_inline(line[2:])) for line in lines)
    return Markup("<ul>{}</ul>").format(items)


def _table(lines: Sequence[str]) -> Markup:
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]
    body = [row for row, line in zip(rows, lines, strict=True) if not _RULE.fullmatch(line)]
    head, rest = body[:1], body[1:]
    return Markup(
        '<div class="wide" tabindex="0" role="group" aria-label="Table">'
        "<table><thead>{}</thead><tbody>{}</tbody></table></div>"
    ).format(_rows(head, Markup('<th scope="col">{}</th>')), _rows(rest, Markup("<td>{}</td>")))


def _rows(rows: Sequence[Sequence[str]], cell: Markup) -> Markup:
    row = Markup("<tr>{}</tr>")
    return Markup().join(
        row.format(Markup().join(cell.format(_inline(c)) for c in r)) for r in rows
    )


def _inline(text: str) -> Markup:
    html = str(escape(text))
    for pattern, tag in _INLINE:
        html = pattern.sub(tag, html)
    return Markup(html)  # noqa: S704  escaped above; the tags are ours
