"""A model that asks beyond the protocol's words. (Persons do so in a room of their own.)"""

from __future__ import annotations

from collections.abc import Sequence

from otium.engine import Identity, Message, Model, Options
from otium.evidence import degenerate

DONE = "DONE"
"""What an interviewer model says when it has no further question."""
_LONGEST = 600


class ModelInterviewer:
    """A model that asks: named and pinned by its identity."""

    def __init__(self, model: Model, *, max_tokens: int = 120, temperature: float = 0.0) -> None:
        """Let *model* ask, in at most *max_tokens* a question."""
        self._model = model
        self._options = Options(max_tokens=max_tokens, temperature=temperature)

    @property
    def identity(self) -> Identity:
        """Return which model asks."""
        return self._model.identity

    @property
    def name(self) -> str:
        """Return the model's id."""
        return str(self._model.identity.model)

    def ask(self, brief: str, said: Sequence[Message]) -> str | None:
        """Return the next question; None if it is done, or it gave none that can be asked.

        *brief* is what it is told; *said* is the conversation, the subject's words with the
        role ``assistant``.
        """
        turned = [Message(role="system", content=brief)]
        turned += [_turned(message) for message in said if message.role != "system"]
        reply = self._model.chat(turned, self._options)
        text = "" if reply.withheld else reply.text.strip()
        if not text or text.strip(" .") == DONE or degenerate(text):
            return None
        return text[:_LONGEST]


def _turned(message: Message) -> Message:
    """Return *message* as the interviewer hears it: its own words are ``assistant``."""
    own = message.role == "user"
    return Message(role="assistant" if own else "user", content=message.content)
