"""Who asks beyond the protocol's words: a model, or a person, behind one method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from otium.engine import Identity, Message, Model, Options
from otium.evidence import degenerate

DONE = "DONE"
"""What an interviewer model says when it has no further question."""
_LONGEST = 600


class Interviewer(Protocol):
    """Something that asks the next question, seeing the conversation so far."""

    @property
    def name(self) -> str:
        """Return who asks: a model's id, or ``person:ROLE``."""
        ...

    def ask(self, brief: str, said: Sequence[Message]) -> str | None:
        """Return the next question, or None to ask no more.

        *brief* is what the interviewer was told; *said* is the conversation, the subject's
        words with the role ``assistant``.
        """
        ...


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
        """Return the model's next question; None if it is done, or its words are no question."""
        turned = [Message(role="system", content=brief)]
        turned += [_turned(message) for message in said if message.role != "system"]
        text = self._model.chat(turned, self._options).text.strip()
        if not text or text.strip(" .") == DONE or degenerate(text):
            return None
        return text[:_LONGEST]


class PersonInterviewer:
    """A person, by role, reached through *prompt*: a terminal or a page."""

    def __init__(self, role: str, prompt: Callable[[Sequence[Message]], str | None]) -> None:
        """Let the person in *role* ask what *prompt* returns."""
        self._role, self._prompt = role, prompt

    @property
    def name(self) -> str:
        """Return ``person:ROLE``."""
        return f"person:{self._role}"

    def ask(self, brief: str, said: Sequence[Message]) -> str | None:  # noqa: ARG002 - the seam
        """Return what the person asks."""
        return self._prompt(said)


def _turned(message: Message) -> Message:
    """Return *message* as the interviewer hears it: its own words are ``assistant``."""
    own = message.role == "user"
    return Message(role="assistant" if own else "user", content=message.content)
