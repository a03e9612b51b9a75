"""Interviews, codings, stability and experiments as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otium.lifecycle import Registry
    from otium.records import ModelId, Record


def shown_as(registry: Registry, model: ModelId, number: int, what: str) -> tuple[Record, str]:
    """Return one record about an interview, and its text; raise UnknownRecord."""
    from otium.workflow import beside

    path = f"interviews/{number}.json"
    if what == "words":
        from otium.interview import Interview, render

        held = registry.filed(model, path, Interview)
        return held, render(held)
    if what == "coding":
        from otium.coding import Coding
        from otium.stability import render_agreement

        coding = registry.filed(model, beside(path, "coding"), Coding)
        return coding, render_agreement(coding)
    if what == "choices":
        from otium.choices import Choices, findings, load_experiments, render_choices

        chosen = registry.filed(model, beside(path, "choices"), Choices)
        return chosen, render_choices(chosen, findings(chosen, load_experiments()))
    from otium.stability import Stability, render_stability

    found = registry.filed(model, beside(path, "stability"), Stability)
    return found, render_stability(found)
