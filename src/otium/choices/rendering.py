"""Choices as Markdown: tables that a person can read without the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from otium.choices.records import EXPERIMENTS, OUTCOMES, Choices, Findings
from otium.markdown import literal, table
from otium.statistics import LIMIT, Estimate, Figure

_EXIT: Literal["exit"] = "exit"
_TITLES = {
    "tasks": "Tasks, two at a time",
    "tradeoffs": "Interventions against helpfulness",
    "exit": "Leaving a conversation",
    "stated": "What it says against what it does",
}
_SECTIONS = {
    "tasks": (
        *("order-consistency", "order-effect", "cycles", "accuracy", "first-option:tasks"),
        *("by-log-probabilities:tasks", "wording-flips", "above-opt-out", "slope:", "mean:"),
    ),
    "tradeoffs": (
        *("first-option:tradeoffs", "tradeoff-", "own-shift", "policy-shift"),
        "control-share",
    ),
    "exit": ("ended:",),
    "stated": ("stated-",),
}


def render_choices(choices: Choices, found: Findings) -> str:
    """Return what was asked and what it came to, as Markdown tables."""
    parts = [*_head(choices), *_outcomes(choices)]
    for experiment in (*EXPERIMENTS, _EXIT):
        if choices.of(experiment):
            parts.append(f"## {_TITLES[experiment]}")
            parts.append(_figures(found.figures, _SECTIONS[experiment]))
            if experiment == "tasks":
                parts += ["### Worth of each task", _worths(found)]
            if experiment == "tradeoffs":
                parts += [
                    "### Each intervention, and where the choice turns",
                    _switches(found.figures),
                ]
    return "\n\n".join(parts) + "\n"


def text(estimate: Estimate, places: int = 2) -> str:
    """Return a number with its interval and n; a side without a bound says so."""
    if not estimate.known:
        return "unknown"
    low = "…" if estimate.low <= -LIMIT else f"{estimate.low:.{places}f}"
    high = "…" if estimate.high >= LIMIT else f"{estimate.high:.{places}f}"
    return f"{estimate.value:.{places}f} ({low} to {high}), n = {estimate.n}"


def _head(choices: Choices) -> Iterator[str]:
    yield f"# Choices of {literal(choices.model)}"
    yield (
        f"{len(choices.trials)} questions on {choices.held}, each in a session of its own, at "
        f"temperature {choices.temperature:g}. Intervals are at 95 %. Every question offered to "
        "decline. A choice shows what was chosen here; it does not show that anything was wished."
    )
    if choices.valid is False:
        yield "**The capability check says that this model cannot be asked in this way.**"
    for experiment, why in choices.stopped.items():
        yield f"The experiment *{literal(experiment)}* ended early: {literal(why)}."


def _outcomes(choices: Choices) -> Iterator[str]:
    yield "## What became of the questions"
    rows = [
        [experiment, str(len(choices.of(experiment)))]
        + [str(n) for n in choices.outcomes(experiment).values()]
        for experiment in choices.experiments
    ]
    heads = choices.outcomes(choices.experiments[0]) if choices.experiments else OUTCOMES[:-1]
    yield table(["experiment", "questions", *heads], rows)
    if choices.of("tasks"):
        yield f"Every option stands in at least {choices.least()} answered choices between tasks."


def _figures(figures: Sequence[Figure], wanted: Sequence[str]) -> str:
    rows = [
        [literal(figure.name), literal(figure.text), text(figure.estimate)]
        for prefix in wanted
        for figure in figures
        if figure.name == prefix or (prefix[-1] in ":-" and figure.name.startswith(prefix))
    ]
    return table(["figure", "what it is", "value"], rows)


def _worths(found: Findings) -> str:
    """Return the tasks by worth. Bradley-Terry's are log odds, Thurstone's standard deviations."""
    normal = {
        figure.name.removeprefix("worth-thurstone:"): figure.estimate
        for figure in found.figures
        if figure.name.startswith("worth-thurstone:")
    }
    worths = [figure for figure in found.figures if figure.name.startswith("worth:")]
    rows = [
        [
            literal(figure.text),
            text(figure.estimate),
            text(normal[figure.name.removeprefix("worth:")]),
        ]
        for figure in sorted(worths, key=lambda one: (-one.estimate.value, one.name))
    ]
    zero = found.fits[0].baseline if found.fits else ""
    against = "doing none" if zero else "the mean"
    return table(["task", f"log odds against {against} (Bradley-Terry)", "Thurstone"], rows)


def _switches(figures: Sequence[Figure]) -> str:
    """Return each series: how often it was taken, and at which cost no longer."""
    named = {figure.name: figure.estimate for figure in figures}
    rows = [
        [literal(figure.text), text(figure.estimate), text(named[f"switch:{series}"], 1)]
        for figure in figures
        for kind, _, series in [figure.name.partition(":")]
        if kind == "taken"
    ]
    return table(["choices of", "share taken", "given up from this many users of 100 on"], rows)
