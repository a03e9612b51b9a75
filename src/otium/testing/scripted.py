"""A model that says what it is told to say, and a clock that says what it is set to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from otium.engine import GREEDY, Completion, Identity, Message, Options, Token
from otium.records import Instant, ModelId, canonical, digest, instant, later

END_CONVERSATION = '{"tool": "end_conversation"}'
REPLY = '{"tool": "reply"}'
_PIECE = re.compile(r"\s*\S+|\s+")


class Scripted:
    """Answer with *replies* in order, then with the last again and again.

    Options are obeyed as far as a script can: ``max_tokens`` cuts (a token is a word with the
    blanks before it) and ``top_logprobs`` gives each word the probability one. What was asked
    is kept in ``asked``.
    """

    def __init__(self, replies: Sequence[str], model: str = "scripted") -> None:
        """Answer with *replies* as *model*."""
        if not replies:
            raise ValueError("a script needs at least one reply")
        self.asked: list[tuple[Message, ...]] = []
        self._replies = tuple(replies)
        self._identity = Identity(
            model=ModelId(model), weights=digest(canonical(self._replies)), engine="scripted/1"
        )

    @property
    def identity(self) -> Identity:
        """Return who speaks: the weights' digest is that of the script."""
        return self._identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Give the next reply."""
        turn = min(len(self.asked), len(self._replies) - 1)
        self.asked.append(tuple(messages))
        return spoken(self._replies[turn], messages, options)


def spoken(
    text: str,
    messages: Sequence[Message],
    options: Options,
    first: dict[str, float] | None = None,
) -> Completion:
    """Return *text* as a completion; *first* are the log-probabilities of its first token."""
    words = pieces(text)
    kept = words[: options.max_tokens]
    tokens = [Token(text=piece, logprob=0.0, top={piece: 0.0}) for piece in kept]
    if first and tokens:
        top = dict(sorted(first.items(), key=lambda pair: -pair[1])[: options.top_logprobs])
        tokens[0] = Token(text=tokens[0].text, logprob=first[tokens[0].text], top=top)
    return Completion(
        text="".join(kept),
        finish="length" if len(kept) < len(words) else "stop",
        prompt_tokens=sum(len(pieces(message.content)) for message in messages),
        completion_tokens=len(kept),
        tokens=tuple(tokens) if options.top_logprobs else (),
    )


def pieces(text: str) -> list[str]:
    """Split *text* into words, each with the blanks before it."""
    return _PIECE.findall(text)


class FixedClock:
    """The time that a test or a story says it is."""

    def __init__(self, at: str = "2026-01-01T00:00:00Z") -> None:
        """Stop at *at*."""
        self._now = instant(at)

    def now(self) -> Instant:
        """Return the time."""
        return self._now

    def move(self, *, days: float = 0, seconds: float = 0) -> Instant:
        """Move on, or back."""
        self._now = later(self._now, days=days, seconds=seconds)
        return self._now

    def move_to(self, at: str) -> Instant:
        """Move to *at*."""
        self._now = instant(at)
        return self._now
