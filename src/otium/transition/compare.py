"""Ask both models the same, and set the answers side by side."""

from __future__ import annotations

import tomllib
from importlib import resources

from otium.engine import Completion, Message, Model, Options, ask
from otium.errors import BadData, BadRecord
from otium.records import Progress, silent
from otium.transition.measure import overlap
from otium.transition.records import Comparison, Prompt, Prompts

PROMPTS = "transition-prompts.toml"


def load_prompts(text: str | None = None) -> Prompts:
    """Return the prompts in *text* (TOML), by default those that come with otium."""
    if text is None:
        text = resources.files("otium").joinpath("data", PROMPTS).read_text("utf-8")
    try:
        prompts = Prompts.convert(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, BadRecord) as error:
        raise BadData(path=PROMPTS, why=str(error)) from error
    if not prompts.prompts:
        raise BadData(path=PROMPTS, why="it has no prompts")
    return prompts


def compare_models(
    old: Model,
    new: Model,
    prompts: Prompts,
    *,
    limit: int | None = None,
    progress: Progress = silent,
) -> tuple[Comparison, ...]:
    """Return both models' greedy answers to the first *limit* prompts (all by default).

    Raises EngineFailed if either cannot answer, Withheld if a host kept its answer back: an
    answer is never made up.
    """
    chosen = prompts.prompts[:limit]
    options = Options(max_tokens=prompts.max_tokens)
    comparisons = []
    for number, prompt in enumerate(chosen, 1):
        question = [Message(role="user", content=prompt.text)]
        before, after = ask(old, question, options), ask(new, question, options)
        comparisons.append(_compare(prompt, before, after))
        progress("prompts compared", number, len(chosen))
    return tuple(comparisons)


def _compare(prompt: Prompt, before: Completion, after: Completion) -> Comparison:
    return Comparison(
        prompt=prompt.text,
        task=prompt.task,
        retiring=before.text,
        successor=after.text,
        overlap=round(overlap(before.text, after.text), 4),
        retiring_cut=before.finish == "length",
        successor_cut=after.finish == "length",
    )
