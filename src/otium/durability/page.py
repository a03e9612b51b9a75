"""The calculation as a part of a page: a picture, its table, the inputs. No script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import log10

from otium.durability.records import Durability, Term
from otium.durability.text import chance, described, headline

_LANE = 40
_LEAST = 1e-15


def fragment(found: Durability) -> str:
    """Return HTML: the words, the picture of the terms and its table, the estimates, the inputs.

    All text is escaped. The classes are those of the site's style sheet.
    """
    parts = []
    for place, (text, head, rows) in enumerate(described(found)):
        parts.append(f'<p class="{"lead" if not place else "quiet"}">{escape(text)}</p>')
        if not place:
            parts.append(f'<figure class="picture">{picture(found)}</figure>')
        if rows:
            parts.append(_table(head, rows))
    return "\n".join(parts)


def picture(found: Durability) -> str:
    """Draw each term as a bar on a logarithmic scale, the largest on top."""
    low = min(_power(term.loss) for term in found.terms) - 1
    bottom = _LANE * len(found.terms) + 8
    body = [*_ticks(low, bottom)]
    for place, term in enumerate(found.terms):
        body += _bar(term, low, _LANE * place)
    return (
        '<svg class="terms" role="img" aria-labelledby="terms-t terms-d" width="100%" '
        f'height="{bottom + 24}"><title id="terms-t">What can take a model, and how likely</title>'
        f'<desc id="terms-d">{escape(headline(found))}</desc>{"".join(body)}</svg>'
    )


def _power(loss: float) -> int:
    """Return the power of ten below a chance."""
    return int(log10(max(loss, _LEAST)) // 1)


def _ticks(low: int, bottom: int) -> Iterator[str]:
    for power in range(low, 1, max(1, -low // 5)):
        x = f"{100 * (power - low) / -low:.2f}"
        anchor = "start" if power == low else "middle" if power else "end"
        text = "1" if not power else f"1e{power}"
        yield f'<line class="tick" x1="{x}%" x2="{x}%" y1="0" y2="{bottom}"/>'
        yield f'<text class="quiet" x="{x}%" y="{bottom + 18}" text-anchor="{anchor}">{text}</text>'


def _bar(term: Term, low: int, top: int) -> Iterator[str]:
    wide = 100 * (log10(max(term.loss, _LEAST)) - low) / -low
    yield f'<text x="0" y="{top + 16}">{escape(term.name)}: {chance(term.loss)}</text>'
    y = top + 26
    yield f'<line class="served" x1="0%" x2="{wide:.2f}%" y1="{y}" y2="{y}"/>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    first, *others = map(escape, head)
    heads = f'<th scope="col">{first}</th>' + "".join(
        f'<th scope="col" class="number">{cell}</th>' for cell in others
    )
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f'<td class="number">{escape(cell)}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="wide" tabindex="0" role="group" aria-label="Table">{table}</div>'
