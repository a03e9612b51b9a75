"""The house's own Markdown (notices) as HTML: paragraphs, headings, lists, tables, emphasis.

Everything is escaped first; links and HTML are not understood on purpose. A model's words
never come through here: they are shown as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from otium.web.text import inert

_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\*([^*]+)\*"), r"<em>\1</em>"),
)
_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_RULE = re.compile(r"\|[\s:|-]+\|?")


def prose(text: str) -> Markup:
    """Return *text* as HTML; a first heading of level one is left out, as the page has it."""
    blocks = [block.strip("\n") for block in re.split(r"\n\s*\n", inert(text))]
    if blocks and blocks[0].startswith("# "):
        blocks = blocks[1:]
    return Markup("\n").join(_block(block.splitlines()) for block in blocks if block.strip())


def timed(text: str) -> Markup:
    """Return *text* as HTML in which each instant is marked, so that no line ends inside it."""
    return Markup(_INSTANT.sub(r"<time>\g<0></time>", str(escape(inert(text)))))  # noqa: S704  escaped


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
        '<div class="wide"><table><thead>{}</thead><tbody>{}</tbody></table></div>'
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
