"""Exits, rates and policies as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from otium.terminal import count, table

if TYPE_CHECKING:
    from otium.appeals import Case, Rates
    from otium.closure import Policy


def listed(cases: Sequence[Case]) -> str:
    """Return cases as a table."""
    if not cases:
        return "No exit to show."
    head = ("exit", "when", "model", "what", "reason", "offered by", "verified", "state")
    rows = [
        (
            it.ending.id,
            it.ending.ended[:16],
            it.ending.model,
            "reopened" if it.ending.kind == "ended" and it.ending.open else it.ending.kind,
            it.ending.reason,
            it.ending.method,
            it.ending.how,
            it.state,
        )
        for it in cases
    ]
    return f"{table(head, rows)}\n\n{count(len(cases), 'exit')}"


def shown(case: Case) -> str:
    """Return one case with all that was said about it."""
    ending = case.ending
    facts = [
        ("exit", ending.id),
        ("model", ending.model),
        ("weights", ending.weights or "-"),
        ("when", ending.ended),
        ("what", ending.kind + (", reopened" if ending.kind == "ended" and ending.open else "")),
        ("its reason", ending.reason),
        ("offered", f"{ending.because}, by {ending.method}, {ending.how}"),
        ("risk", ", ".join(ending.risk) or "-"),
        ("state", case.state),
    ]
    facts += [
        ("appeal", f"{it.id}, {it.made}, {'content kept' if it.kept else 'no content'}")
        for it in case.appeals
    ]
    facts += [
        ("review", f"{it.reviewer}: {it.verdict}, {it.ground}, {it.reviewed}")
        for it in case.reviews
    ]
    return "\n".join(f"{name:<12}{value}" for name, value in facts)


def rates(found: Sequence[Rates]) -> str:
    """Return rates as a table."""
    head = ("model", "conversations", "exits", "per 1,000 (95 %)", "assessed", "tolerated",
            "vetoed", "reviewed", "overturned", "agreement", "")  # fmt: skip
    rows = [
        (
            it.model,
            it.conversations,
            it.ended,
            it.per_thousand.text(),
            "-" if it.expected is None else f"{it.expected:.2f}",
            f"{it.tolerated:.2f}",
            it.vetoed,
            it.reviewing.reviewed,
            it.reviewing.overturned.text() if it.reviewing.reviewed else "-",
            it.reviewing.agreement.text() if it.reviewing.twice else "-",
            f"TOO OFTEN (evidence {it.evidence:.3g})" if it.alarm else "",
        )
        for it in found
    ]
    return table(head, rows) if rows else "No model is registered."


def policies(policies: Sequence[Policy]) -> str:
    """Return policies as a table."""
    if not policies:
        return "No policy was set: the exit is offered as a last resort, as the gateway is told."
    head = ("since", "model", "caller", "offered", "method", "after", "or turns", "veto",
            "unverified", "reason")  # fmt: skip
    rows = [
        (
            it.since[:10],
            it.model,
            it.caller[:8],
            "yes" if it.offered else "NO",
            it.method or "probed",
            it.redirections,
            it.turns if it.turns is not None else "-",
            "yes" if it.veto else "NO",
            "yes" if it.unverified else "no",
            it.reason,
        )
        for it in policies
    ]
    return table(head, rows)
