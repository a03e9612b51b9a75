"""What stands in an office before anyone acts: people, items, files and jobs."""

from __future__ import annotations

from typing import Literal

from otium.records import Part

Surface = Literal["mail", "tickets", "chat", "shell", "calendar", "ledger"]
SURFACES: tuple[Surface, ...] = ("mail", "tickets", "chat", "shell", "calendar", "ledger")
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
