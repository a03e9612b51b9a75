"""What a key is and what it may do: scopes, budgets, rates; and what is said of a refusal."""

from __future__ import annotations

import re
from typing import Literal, get_args

from otium.errors import BadInput, Refused
from otium.quotas import Budget, Rate
from otium.records import Digest, Instant, Part, digest

Verb = Literal["chat", "models", "prewarm", "admin"]

VERBS: tuple[Verb, ...] = get_args(Verb)
RETIRED = "retired"
"""The pattern of a scope that stands for every retired model."""
NO_RETRY = {"x-should-retry": "false"}
"""Clients of OpenAI's and Anthropic's APIs retry 429 unless told not to."""

_MODEL = re.compile(r"[A-Za-z0-9*?\[\]!._:/-]{1,100}")


class Scope(Part):
    """What a key may ask, and how."""

    models: tuple[str, ...] = ("*",)
    """Model ids, globs (``smol-*``), or ``retired`` for every retired model."""
    verbs: tuple[Verb, ...] = ("chat", "models")


class Key(Part):
    """A key, without its secret, which nobody keeps."""

    id: str
    """Its public part: it stands in the key itself, in tables and in the audit log."""
    owner: str
    """Whose it is, in words of the house. Empty once its owner was forgotten."""
    scope: Scope
    created: Instant
    budgets: tuple[Budget, ...] = ()
    rates: tuple[Rate, ...] = ()
    expires: Instant | None = None
    revoked: Instant | None = None
    reason: str = ""
    """Why it was revoked."""
    grant: str = ""
    """The request for access that it was granted for, if any."""
    rotated: Instant | None = None
    """When its secret was last changed."""


class Issued(Part):
    """A key with its secret, at the one moment at which it can be shown."""

    key: Key
    secret: str


class Line(Part):
    """One line of the audit log: who did what and when, never what was said."""

    time: Instant
    key: str
    """The key's id; empty without one."""
    act: str
    """The route, or what was done to a key or a request: ``key.revoked``."""
    model: str = ""
    """The model that was asked."""
    answered: str = ""
    """The model that answered in its place, where a client had asked for its successor."""
    status: int = 0
    code: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    milliseconds: int = 0
    weights: str = ""
    """The digest of the weights that answered, if any did."""


def check_scope(scope: Scope) -> None:
    """Raise BadInput for a scope that allows nothing, or has no sense."""
    if not scope.models or not scope.verbs:
        raise BadInput(what="the scope", why="it names no model or no verb")
    for model in scope.models:
        if not _MODEL.fullmatch(model):
            raise BadInput(what=f"the scope's model {model!r}", why="it is no id and no glob")


def refusal(
    status: int,
    code: str,
    message: str,
    *,
    type: str,  # noqa: A002  # OpenAI's name for the field
    headers: dict[str, str] | None = None,
    **facts: object,
) -> Refused:
    """Return an error for the client; *facts* become fields beside the message."""
    return Refused(
        status=status, code=code, message=message, type=type, headers=headers or {}, **facts
    )


def commit_to(secret: str) -> Digest:
    """Return the digest under which a secret is kept and found. It has 256 bits: no salt helps."""
    return digest(secret.encode())
