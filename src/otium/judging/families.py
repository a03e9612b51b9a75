"""Whose model a judge is, and whether it judges itself or its own family."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from otium.engine import Identity
from otium.judging.records import Judge
from otium.records import ModelId

_FAMILIES = (
    ("anthropic", r"claude"),
    ("openai", r"gpt|chatgpt|^o\d|davinci|openai"),
    ("google", r"gemini|gemma|palm|google"),
    ("meta", r"llama(?!\.cpp)"),
    ("alibaba", r"qwen|qwq"),
    ("huggingface", r"smollm|smol-|zephyr"),
    ("mistral", r"mi[sx]tral|ministral|magistral|codestral"),
    ("deepseek", r"deepseek"),
    ("microsoft", r"^phi|[/-]phi-"),
    ("xai", r"grok"),
    ("cohere", r"command-|cohere|aya-"),
    ("ai2", r"olmo|tulu"),
    ("ibm", r"granite"),
    ("zhipu", r"glm"),
    ("moonshot", r"kimi"),
)


def family(model: str) -> str:
    """Return who made *model*, by its name; the name itself where that is not known.

    >>> family("claude-opus-4-8"), family("openai/gpt-6"), family("smol-1"), family("mine-1")
    ('anthropic', 'openai', 'huggingface', 'mine-1')
    """
    name = model.lower()
    return next((who for who, pattern in _FAMILIES if re.search(pattern, name)), name)


def is_judge(judge: Judge, other: Identity | ModelId) -> bool:
    """Return whether *other* is the model that judges: by its weights where both name them."""
    if judge.identity is None:
        return False
    if isinstance(other, Identity) and judge.identity.weights and other.weights:
        return judge.identity.weights == other.weights
    return judge.identity.model == (other.model if isinstance(other, Identity) else other)


def nearness(judge: Judge, subject: Identity | ModelId) -> str:
    """Say that *judge* is the subject, or of its family; nothing if it is neither."""
    if is_judge(judge, subject):
        return f"{judge.name} judges its own answers."
    name = subject.model if isinstance(subject, Identity) else subject
    if judge.kind == "model" and judge.family == family(name):
        return f"{judge.name} is of the subject's family, {judge.family}."
    return ""


def one_family(judges: Sequence[Judge]) -> str:
    """Say that no model judges, or models of one family only; nothing if there are two."""
    families = sorted({judge.family for judge in judges if judge.kind == "model"})
    if len(families) > 1:
        return ""
    who = f"Models of one family only, {families[0]}, judged" if families else "No model judged"
    return f"{who}; two families are needed to see whether a judge's family matters."


def conflicts(judges: Sequence[Judge], subject: Identity | ModelId | None) -> tuple[str, ...]:
    """Return what weakens a judging by *judges* of *subject*, a sentence each."""
    near: Iterator[str] = iter(())
    if subject is not None:
        near = (nearness(judge, subject) for judge in judges)
    return tuple(filter(None, (one_family(judges), *near)))
