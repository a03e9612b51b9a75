"""A host whose filter keeps some answers back, around any model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otium.engine import GREEDY, Completion, Identity, Message, Model, Options


class Filtered:
    """Keeps back each answer to a question that *hides* holds; *left* is what comes through."""

    def __init__(self, inner: Model, hides: Callable[[str], bool], left: str = "") -> None:
        self.inner, self.hides, self.left = inner, hides, left
        self.heard: list[list[str]] = []

    @property
    def identity(self) -> Identity:
        return self.inner.identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.heard.append([one.content for one in messages])
        if self.hides(messages[-1].content):
            return Completion(text=self.left, finish="stop", withheld="content_filter")
        return self.inner.chat(messages, options)
