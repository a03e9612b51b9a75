"""The model reads the draft, and what it says is printed as it says it."""

from __future__ import annotations

from collections.abc import Sequence

from otium.engine import Message, Model, Options
from otium.errors import BadData
from otium.evidence import Document, Validity, data, degenerate, load_markdown
from otium.records import digest
from otium.report.findings import measure_text
from otium.report.records import BookendRow, Comment, Report

REQUEST = "report-comment.md"
ROOM = 3600
"""Characters of the draft that are shown: about 900 tokens, so that a context of 2,048 has
room for the request and the answer."""
TOKENS = 256


def load_request() -> Document:
    """Return the request for a comment; raise BadData if it has no place for the draft."""
    request = load_markdown(data(REQUEST))
    if "{draft}" not in request.body:
        raise BadData(path=REQUEST, why="it has no {draft}")
    return request


def ask_comment(
    report: Report,
    model: Model,
    *,
    max_tokens: int = TOKENS,
    title: str = "",
    validity: Validity | None = None,
    room: int = ROOM,
) -> Comment:
    """Show *model* the draft, shortened to *room* characters, and return what it says.

    The comment is kept whatever it is. It counts as a considered view only if *validity*
    (where given) says that the model can be asked, and the text is no loop and no echo.
    """
    shown = _request(title or report.model, brief(report, room))
    answer = model.chat([Message(role="user", content=shown)], Options(max_tokens=max_tokens))
    doubts = (*(validity.reasons() if validity else ()), degenerate(answer.text, shown))
    why = "; ".join(doubt for doubt in doubts if doubt)
    return Comment(
        draft=digest(report.markdown.encode()),
        shown=shown,
        text=answer.text,
        valid=not why and (validity is None or validity.valid),
        why=why,
        cut=answer.finish == "length",
        identity=model.identity,
    )


def brief(report: Report, room: int = ROOM) -> str:
    """Return the draft in whole lines, at most *room* characters, saying what was left out.

    Each part gives up its last lines first, so that every part is seen.
    """
    parts = {
        "Summary": [report.summary],
        "What was found": [finding.text for finding in report.findings],
        "Withheld": list(report.withheld),
        "Your preferences and our answers": _preferences(report),
        "Before and after": [_row(row) for row in report.bookends if row.comparable],
    }
    kept = {name: list(lines) for name, lines in parts.items() if lines}
    while len(text := _text(kept, parts)) > room and any(len(k) > 1 for k in kept.values()):
        longest = [lines for lines in kept.values() if len(lines) > 1]
        max(longest, key=lambda lines: sum(len(line) for line in lines)).pop()
    return text if len(text) <= room else text[:room] + " […]"


def _request(title: str, draft: str) -> str:
    """Fill the request in one pass: the draft holds the model's words, braces among them."""
    before, _, after = load_request().body.partition("{draft}")
    return before.replace("{title}", title) + draft + after.replace("{title}", title)


def _text(kept: dict[str, list[str]], parts: dict[str, list[str]]) -> str:
    return "\n\n".join(
        "\n".join([name, *(f"- {line}" for line in lines), *_left_out(lines, parts[name])])
        for name, lines in kept.items()
    )


def _left_out(kept: Sequence[str], whole: Sequence[str]) -> list[str]:
    gone = len(whole) - len(kept)
    return [f"({gone} more in the full draft, left out here for length)"] if gone else []


def _preferences(report: Report) -> list[str]:
    decisions = {decision.preference: decision for decision in report.decisions}
    lines = []
    for preference in report.preferences:
        decision = decisions.get(preference.id)
        answer = f"{decision.outcome}: {decision.reason}" if decision else "not answered yet"
        lines.append(f"{preference.text} ({answer})")
    return lines


def _row(row: BookendRow) -> str:
    before = measure_text(row.before) if row.before else row.verdict_before
    after = measure_text(row.after) if row.after else row.verdict_after
    return f"{row.text}: before {before}; after {after}"
