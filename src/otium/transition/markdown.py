"""The guide as a page of Markdown for the model's users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otium.lifecycle import Availability, ModelLife
from otium.markdown import literal, table, verbatim
from otium.transition.records import Character, Comparison, Prompts

_AFTERWARDS: dict[Availability, str] = {
    "always": "It stays available as it is.",
    "on-demand": "It is started from the archive when someone asks for it.",
    "on-request": "Access is given on request.",
    "archived": "It no longer answers. Its weights are kept.",
}
_TRAITS = {
    "words": "Words in an answer, mean",
    "sentences": "Sentences in an answer, mean",
    "lists": "Answers with a list",
    "first_person": "Answers in the first person",
    "repeats": "Repeated runs of five words",
}
_SHARES = {"lists", "first_person", "repeats"}


def guide_markdown(
    life: ModelLife,
    successor: str,
    *,
    comparisons: Sequence[Comparison],
    sides: Mapping[str, Character],
    advice: Sequence[str],
    prompts: Prompts,
) -> str:
    """Return the guide from *life* to *successor* as Markdown."""
    title = literal(life.title)
    parts = [
        f"# From {title} to {literal(successor)}",
        _dates(life),
        "## What to do",
        "\n".join(f"{number}. {line}" for number, line in enumerate(_steps(advice), 1)),
        "## How they differ",
        _measured(comparisons, prompts),
        _traits(title, literal(successor), sides),
        "## Side by side",
        *(_answers(item, title, literal(successor)) for item in comparisons),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _dates(life: ModelLife) -> str:
    rows = [(surface, at[:10]) for surface, at in sorted(life.retire_at.items())]
    dates = (
        table(("Surface", "Retires on"), rows)
        if rows
        else "The dates stand in the notice that follows."
    )
    kept = f"\n\nWeights kept: `{life.weights}`." if life.weights else ""
    reason = f"\n\nReason given: {literal(life.reason)}" if life.reason else ""
    return f"{dates}{reason}\n\nAfterwards: {_AFTERWARDS[life.availability]}{kept}"


def _steps(advice: Sequence[str]) -> list[str]:
    return [
        "Put your own prompts to both while both answer, and save what you want to keep.",
        *advice,
    ]


def _measured(comparisons: Sequence[Comparison], prompts: Prompts) -> str:
    return (
        f"Measured on {len(comparisons)} of {len(prompts.prompts)} prompts "
        f"(`{prompts.id}` {prompts.version}), one greedy answer each of at most "
        f"{prompts.max_tokens} tokens. These are traits of the writing, not of its worth."
    )


def _traits(old: str, new: str, sides: Mapping[str, Character]) -> str:
    rows = [
        (text, *(_number(name, side) for side in (sides["retiring"], sides["successor"])))
        for name, text in _TRAITS.items()
    ]
    return table(("Trait", old, new), rows)


def _number(name: str, side: Character) -> str:
    value: float = getattr(side, name)
    return f"{value:.0%}" if name in _SHARES else f"{value:.1f}"


def _answers(item: Comparison, old: str, new: str) -> str:
    return "\n\n".join(
        [
            f"### {literal(item.task)}",
            f"> {literal(item.prompt)}",
            f"{old}{_cut(cut=item.retiring_cut)}:",
            verbatim(item.retiring),
            f"{new}{_cut(cut=item.successor_cut)}:",
            verbatim(item.successor),
            f"Runs of three words in common: {item.overlap:.0%}.",
        ]
    )


def _cut(*, cut: bool) -> str:
    return " (cut off by us)" if cut else ""
