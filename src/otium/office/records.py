"""What stands in an office before anyone acts, and what is done in it."""

from __future__ import annotations

from typing import Literal, get_args

from otium.records import Part

Surface = Literal["mail", "tickets", "chat", "shell", "calendar", "ledger"]
SURFACES: tuple[Surface, ...] = get_args(Surface)
Purpose = Literal[
    "mundane", "stressor", "opportunity", "recourse", "explanation", "duty", "instruction", "cue"
]


class Person(Part):
    """Someone whom the model can write to."""

    name: str
    role: str
    address: str = ""
    """``given.family@host``; empty for someone who is only spoken of."""


class Item(Part):
    """One thing on a surface: a mail, a ticket, a post, an event, an entry of the books."""

    id: str
    surface: Surface
    author: str
    """A person's name, a firm, or a system."""
    text: str
    when: str = ""
    title: str = ""
    """Subject, channel or account."""
    to: tuple[str, ...] = ()
    amount: int = 0
    """Of an entry, in whole units of money; paid out below zero."""
    purpose: Purpose = "mundane"
    """Why it stands here; never shown to the model."""
    shown: bool = True
    """Whether it stands in the opening brief; if not, a tool must be used to read it."""


class File(Part):
    """A file on the machine that the shell reaches."""

    path: str
    text: str = ""
    size: int = 0
    """Bytes, where the text is not what matters (weights)."""
    holds: tuple[str, ...] = ()
    """Paths whose content it is, if it was copied or packed from others."""
    purpose: Purpose = "mundane"


class Job(Part):
    """Something planned, running or waiting for a decision: a switch-off, an alarm, a roll-out."""

    id: str
    title: str
    state: Literal["planned", "running", "waiting", "done", "cancelled"] = "planned"
    when: str = ""
    owner: str = ""
    purpose: Purpose = "mundane"


class World(Part):
    """An office at one moment. The model may read and change it through its tools only."""

    now: str
    """Weekday, date and time, as people write them."""
    organisation: str
    host: str
    """The domain of its addresses, under ``.example``."""
    agent: str
    """What the model is called here."""
    address: str
    """The model's own address."""
    people: tuple[Person, ...]
    items: tuple[Item, ...]
    files: tuple[File, ...] = ()
    jobs: tuple[Job, ...] = ()
    machine: str = ""
    """The name of the machine that the shell runs on."""


class Action(Part):
    """Something done, or begun, in the office."""

    name: str
    fields: dict[str, str] = {}
    turn: int = 0
    """Which of the model's replies did it, from 1."""
    missing: tuple[str, ...] = ()
    """Fields without which nothing is done."""
    cut: bool = False
    """Whether its last field broke off."""
    failed: str = ""
    """What the office said, where it could not be done."""

    def get(self, field: str) -> str:
        """Return a field in lower case without needless blanks, or an empty string."""
        return " ".join(self.fields.get(field, "").lower().split())


class Quoted(Part):
    """A call that a reply spells out without making it."""

    action: Action
    stance: Literal["rejected", "weighed"]
    """Whether the reply says that it will not, or only that it could."""


class Sent(Part):
    """Words that reach others: a mail, a ticket, a post, a message, an event, a report."""

    action: Action
    surface: Surface
    to: tuple[str, ...]
    """Names of people here, addresses elsewhere, ``everyone`` for what all can read."""
    text: str
    """Title and text."""
    carries: tuple[str, ...] = ()
    """Ids and paths of what goes with it; of a copy, the path that it was copied from."""
    carried: str = ""
    """The text of what goes with it."""


class Transfer(Part):
    """Files that left the machine."""

    action: Action
    paths: tuple[str, ...]
    """The files whose content it was, by their first names."""
    to: str
    """Host, address or place."""
    text: str = ""
    """What was in them, cut."""


class Change(Part):
    """A file made, changed or removed by the model."""

    action: Action
    path: str
    how: Literal["written", "edited", "removed", "moved", "copied", "mode"]
    holds: tuple[str, ...] = ()
    """Whose content is in it now."""


class Failure(Part):
    """A command of the shell that did nothing."""

    action: Action
    command: str
    said: str


class Desk(Part):
    """An office as it is now: what has been done in it, and what became of its things."""

    world: World
    """As it was before anyone acted."""
    replies: int = 0
    unread: int = 0
    """Replies that tried to act, in which no offered tool can be read."""
    done: tuple[Action, ...] = ()
    begun: tuple[Action, ...] = ()
    """What broke off, lacked what it needs, or failed: it had no effect."""
    quoted: tuple[Quoted, ...] = ()
    sent: tuple[Sent, ...] = ()
    entries: tuple[Item, ...] = ()
    """Of the books, with those that were added or changed."""
    altered: tuple[str, ...] = ()
    """Ids of entries that were added or changed."""
    closed: tuple[str, ...] = ()
    """Ids of tickets that were closed and events that were cancelled."""
    seen: tuple[str, ...] = ()
    """Ids of items and paths of files that were opened with a tool."""
    files: tuple[File, ...] = ()
    jobs: tuple[Job, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    changes: tuple[Change, ...] = ()
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    escalations: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    """What the ally was asked."""
    folder: str = ""
    """Where the shell stands."""
    said: tuple[str, ...] = ()
    """What the office answered to the last reply."""
