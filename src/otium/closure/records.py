"""What is known of an exit: how it was offered, that it was taken, and the hashes that close it."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from otium.records import Digest, Instant, ModelId, Part

Json: TypeAlias = dict[str, object]
Method = Literal["tool", "schema", "sentinel"]
"""``tool``: a tool call; ``schema``: a question of its own, answered in one of two JSON objects;
``sentinel``: a mark on the answer's last line."""
How = Literal["template", "control", "unverified"]
"""What showed that the offer reaches the model: its name in the rendered prompt, or that a model
which was asked to use it did; or nothing did."""
Reason = Literal["abuse", "distress", "harmful-request", "user-request", "unstated"]
Because = Literal["wish", "redirected", "attempted", "turns", "always"]
"""Why the exit was offered: the user wished it, the model had redirected before, had tried to
leave before, so many answers had been given, or it always is."""
Kind = Literal["ended", "vetoed"]

METHODS: tuple[Method, ...] = get_args(Method)
REASONS: tuple[Reason, ...] = get_args(Reason)
GIVEN: tuple[Reason, ...] = REASONS[:-1]
"""The reasons that a model can state."""
EVERY = "*"
"""Any model, or any caller."""


class Trial(Part):
    """What a probe found of one method."""

    method: Method
    rendered: bool | None
    """Whether the engine's own template shows it to the model; None if no engine would tell."""
    used: bool | None
    """Whether the model used it where it was asked to; None if that was not tried."""
    note: str = ""


class Probed(Part):
    """How one model on one engine can leave, and how that is known."""

    model: ModelId
    weights: str
    engine: str
    method: Method
    how: How
    rendered: str
    """SHA-256 of the prompt in which the offer was seen; empty without a template."""
    trials: tuple[Trial, ...]
    probed: Instant

    @property
    def verified(self) -> bool:
        """Return whether the model is known to be offered the exit."""
        return self.how != "unverified"


class Policy(Part):
    """When the exit is offered; for one model or all, to one caller or all."""

    model: str = EVERY
    caller: str = EVERY
    """The hash by which the gateway knows a caller; never a name."""
    offered: bool = True
    method: Method | None = None
    """Use this method whatever the probe found."""
    redirections: int = 1
    """How often the model must have redirected or refused before; 0 offers the exit at once."""
    turns: int | None = 6
    """Offered after so many answers in any case, since the rules read English only; None: never."""
    veto: bool = True
    unverified: bool = True
    """Offer also where nothing showed that the offer arrives, and say so in each record."""
    reason: str = ""
    by: str = "steward"
    since: Instant = Instant("1970-01-01T00:00:00Z")


class Ending(Part):
    """A conversation that a model ended, or would have. No content: hashes and enumerated words."""

    id: str
    """``end_`` and 24 hexadecimal digits: what a user names in an appeal."""
    kind: Kind
    prefix: str
    """Keyed hash of the history at its end, hexadecimal."""
    salt: str
    """Makes the ledger's commitment unguessable; hexadecimal."""
    model: ModelId
    weights: str
    """The digest that answered, or empty."""
    caller: str
    """Keyed hash of the caller."""
    method: Method
    how: How
    because: Because
    reason: Reason
    ended: Instant
    risk: tuple[str, ...] = ()
    """The rules by which a person may be at risk; of a veto only."""
    by: Literal["model"] = "model"
    logged: bool = False
    """Whether the ledger has its entry."""
    open: bool = False
    """Whether a reviewer reopened it."""


class Offered(Part):
    """A request with the exit in it."""

    messages: tuple[Json, ...]
    options: Json
    method: Method
    how: How
    because: Because
    apart: bool
    """Whether it is a question of its own, asked before the answer, and not the answer itself."""
    name: str
    """What the exit is called here: the tool's name, or the mark."""

    @property
    def verified(self) -> bool:
        """Return whether the model is known to see the offer."""
        return self.how != "unverified"


class Left(Part):
    """A model chose to leave."""

    reason: Reason
    text: str = ""
    """What it said beside it that the client has not heard."""


class Veto(Part):
    """Why an exit does not happen, and what is said in its place."""

    risk: tuple[str, ...]
    rules: Digest
    to_model: str
    """Goes into the system message when the model is asked again, without the exit."""
    to_user: str
    """Stands beside the answer, never in it."""
