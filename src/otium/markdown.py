"""Markdown that carries other people's words without obeying them.

A model's answer may hold headings, links, HTML or fences of its own. ``literal`` makes such
text inert inside a line, ``verbatim`` keeps it exactly, as a block. Both read well unrendered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["literal", "table", "verbatim"]

_MARKED = re.compile(
    r"([\\`*_<>|~&$#@])|(\])(?=[\[(:])|(?<=[a-z])(:)(?=//)|(?<=mailto)(:)", re.IGNORECASE
)
"""What CommonMark and its common extensions act on inside a line."""
_LINE_START = re.compile(r"^(\d+)([.)])|^([-+=:\[])")
_WWW = re.compile(r"(?i)\bwww\.")
_SHORTEST_FENCE = 3


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
