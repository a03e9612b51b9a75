"""What engines and the rooms above pass to one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from otium.errors import Withheld
from otium.records import Digest, ModelId, Part

Finish = Literal["stop", "length", "withheld"]
"""How an answer ended: by itself, at our limit of tokens, or its host kept all or part of it."""


class Message(Part):
    """One message of a chat, as the model sees it."""

    role: Literal["system", "user", "assistant"]
    content: str


class Options(Part):
    """How to sample. The default is greedy, as recorded sessions need."""

    max_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0
    top_logprobs: int = 0
    """How many alternatives to return for each token, 0 for none."""
    json_schema: dict[str, object] | None = None
    """Constrain the answer to this JSON schema."""


class Token(Part):
    """One generated token with its natural-log probability and the likeliest alternatives."""

    text: str
    logprob: float
    top: dict[str, float] = {}


class Completion(Part):
    """What a model answered."""

    text: str
    finish: Literal["stop", "length"]
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens: tuple[Token, ...] = ()
    """Empty unless ``top_logprobs`` was asked for and the engine gives log-probabilities."""
    withheld: str = ""
    """Why the host, not the model, kept back all or part of it, in its own word, such as
    ``content_filter``; empty if it did not."""

    @property
    def ended(self) -> Finish:
        """Return how it ended, as records keep it: what was kept back is no silence."""
        return "withheld" if self.withheld else self.finish


class Identity(Part):
    """Exactly which weights answer, and what runs them."""

    model: ModelId
    weights: Digest | None
    """None where a host cannot show which weights answer."""
    engine: str
    """Name and version, ``llama.cpp/xllamacpp-2026.10.11549``."""
    flags: dict[str, str] = {}
    """Settings that can change an answer: threads, context, cache."""


class Model(Protocol):
    """The one engine seam: something that answers chats and says exactly what it is."""

    @property
    def identity(self) -> Identity:
        """Return which weights answer and what runs them."""
        ...

    def chat(self, messages: Sequence[Message], options: Options = ...) -> Completion:
        """Answer *messages*; raise EngineFailed if the engine cannot."""
        ...


def ask(model: Model, messages: Sequence[Message], options: Options = Options()) -> Completion:  # noqa: B008 - immutable
    """Return what *model* itself answers; raise Withheld if its host kept any of it back.

    For whoever would take what is left for the model's own words. Raises EngineFailed.
    """
    answer = model.chat(messages, options)
    if answer.withheld:
        raise Withheld(model=model.identity.model, why=answer.withheld)
    return answer


class Endpoint(Part):
    """Where an OpenAI-compatible server for one model listens: on loopback, or somebody else's."""

    base_url: str
    """Ends in ``/v1``."""
    api_key: str
    identity: Identity
    served_as: str = ""
    """The model's name at a server that is not ours: what a request to it must say."""
