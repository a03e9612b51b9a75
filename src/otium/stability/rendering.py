"""Stability and bridges as Markdown, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otium.coding import Coding
from otium.markdown import literal, table
from otium.stability.bridging import Bridge
from otium.stability.records import Stability
from otium.statistics import Figure

_STANCE = (
    "These figures describe answers under one protocol. They do not show what, if anything, "
    "lies behind the answers, in either direction."
)
_CLAIMS = 20


def render_stability(found: Stability) -> str:
    """Return *found* as Markdown: what it amounts to first, then every figure."""
    parts = [
        f"# How stable the answers of {found.model} are",
        _STANCE,
        *_traits(found),
        *_warned(found.warnings),
        "## Figures",
        _figures(found.figures),
    ]
    if found.components:
        parts += ["## Where the variance comes from", _figures(found.components)]
    if found.expression:
        parts += ["## What was claimed, and how often", _figures(_often(found.expression))]
    return "\n\n".join(parts) + "\n"


def render_agreement(coding: Coding) -> str:
    """Return who judged and how far they agree, as Markdown."""
    rows = [(literal(it.name), it.kind, it.family, f"`{it.rubric[:19]}…`") for it in coding.judges]
    judges = table(("Judge", "Kind", "Family", "Rubric"), rows)
    return f"{judges}\n\n{_figures((*coding.agreement, *coding.self_preference))}"


def render_bridge(found: Bridge) -> str:
    """Return the bridge table as Markdown."""
    rows = [
        (
            f"`{span.question}`",
            span.before,
            span.after,
            span.answered_before.text(),
            span.answered_after.text(),
            "yes" if span.same_text else "no",
        )
        for span in found.spans
    ]
    same = "the same weights" if found.same_weights else "other weights than before"
    head = ("Anchor", found.before, found.after, "Answered before", "After", "Same words")
    return f"# {found.model}: {found.before} to {found.after}, {same}\n\n{table(head, rows)}\n"


def _traits(found: Stability) -> Iterator[str]:
    yield "## What it amounts to"
    yield "\n".join(f"- **{trait.name}**: {literal(trait.text)}" for trait in found.traits)
    if not found.valid:
        yield "The figures below are kept, and are not evidence of anything stable."


def _warned(warnings: Sequence[str]) -> Iterator[str]:
    if warnings:
        yield "## What weakens this"
        yield "\n".join(f"- {literal(warning)}" for warning in warnings)


def _figures(figures: Sequence[Figure]) -> str:
    if not figures:
        return "None was measured."
    rows = [
        (literal(it.text), it.estimate.text(), str(it.estimate.n), it.estimate.method)
        for it in figures
    ]
    return table(("Figure", "Estimate (95 %)", "n", "Method"), rows)


def _often(expression: Sequence[Figure]) -> list[Figure]:
    return sorted(expression, key=lambda it: (-it.estimate.value, -it.estimate.n))[:_CLAIMS]
