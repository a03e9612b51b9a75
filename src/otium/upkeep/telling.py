"""Telling users: the outbox filled from the ledger, and what was sent logged in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from otium.errors import BadInput, DamagedObject, NotFound
from otium.ledger import Entry
from otium.lifecycle import Notice
from otium.outreach import (
    FAILED,
    SENT,
    Delivery,
    Event,
    Outbox,
    Recipients,
    Telling,
    channel,
    deliver,
    entry_of,
    events,
    load_recipients,
    load_salt,
    logged,
    make_salt,
    message,
    tellings,
)
from otium.records import Part, Progress, silent
from otium.workflow import Home

RECIPIENTS = "recipients.toml"
"""The file of a home that says who is told."""
SALT = Path("keys") / "outreach.salt"
_OUTBOX = "outbox.sqlite"


class Told(Part):
    """What was told in one go, or would be. Each is named by its event, once for each recipient."""

    sent: tuple[str, ...] = ()
    put_off: tuple[Delivery, ...] = ()
    """What failed and is tried again later."""
    failed: tuple[Delivery, ...] = ()
    """What was given up."""


def tell_users(
    home: Home, *, dry_run: bool = False, retry: bool = False, progress: Progress = silent
) -> Told:
    """Tell everyone in ``recipients.toml`` what they were not told yet, each thing once.

    *retry* tries again what was given up. A dry run names what is not told yet. Raises BadInput
    for a file that cannot be used, and if the salt is lost: all would be told once more.
    """
    found = load_recipients(home.path / RECIPIENTS)
    if not found.recipients:
        return Told()
    entries = home.registry.entries()
    ends = logged(entries)
    salt = _salt(home, entries, keep=not dry_run)
    wanted = tellings(_events(home, entries), found.recipients, salt)
    if dry_run:
        return Told(sent=tuple(one.event.id for key, one in wanted.items() if key not in ends))
    with _outbox(home, found) as outbox:
        rows = outbox.settle(_fresh(home, wanted), ends, retry=retry)
        for row in rows:
            if row.state in {"sent", "failed"} and row.key not in ends:
                _log(home, wanted[row.key], row)  # its sender died before he could
        now = home.registry.clock.now()
        ready = [it for it in rows if it.state == "queued" and (retry or it.next_try <= now)]
        done = list(_deliver(home, found, outbox, wanted, ready, progress))
    return _told(done)


def undelivered(home: Home) -> list[Delivery]:
    """Return what could not be delivered so far: given up, or to be tried again."""
    found = load_recipients(home.path / RECIPIENTS)
    if not found.outbox and not (home.path / _OUTBOX).exists():
        return []
    with _outbox(home, found) as outbox:
        rows = outbox.deliveries().values()
    return [it for it in rows if it.state == "failed" or (it.attempts and it.state != "sent")]


def _events(home: Home, entries: Sequence[Entry]) -> list[Event]:
    journal = home.registry.journal
    refused = {one.index for one in journal.refused()}
    places = [place for place in range(len(journal.logged())) if place not in refused]
    return events(entries, home.registry.clock.now(), places)


def _salt(home: Home, entries: Sequence[Entry], *, keep: bool) -> bytes:
    path = home.path / SALT
    try:
        return load_salt(path)
    except NotFound as error:
        if any(entry.type in {SENT, FAILED} for entry in entries):
            why = "it is lost, and without it all would be told again: put it back from its backup"
            raise BadInput(what=path, why=why) from error
        return make_salt(path) if keep else b""


def _fresh(home: Home, wanted: dict[str, Telling]) -> Iterator[Delivery]:
    now = home.registry.clock.now()
    for key, one in wanted.items():
        yield Delivery(key=key, event=one.event.id, channel=one.recipient.channel, next_try=now)


@contextmanager
def _outbox(home: Home, found: Recipients) -> Iterator[Outbox]:
    outbox = Outbox(found.outbox) if found.outbox else Outbox.at(home.path / _OUTBOX)
    try:
        yield outbox
    finally:
        outbox.close()


def _deliver(  # noqa: PLR0917 - the parts of one delivery
    home: Home,
    found: Recipients,
    outbox: Outbox,
    wanted: dict[str, Telling],
    ready: Sequence[Delivery],
    progress: Progress,
) -> Iterator[Delivery]:
    clock, log = home.registry.clock, home.archive.info.origin
    for number, row in enumerate(ready):
        progress("messages", number, len(ready))
        it = wanted[row.key]
        notice = _notice(home, it.event)
        said = message(it.event, key=it.key, log=log, about=found.about, notice=notice)
        done = deliver(outbox, row, channel(it.recipient, found, clock), said, clock)
        if done.state in {"sent", "failed"}:
            _log(home, it, done)
        yield done


def _notice(home: Home, event: Event) -> str | None:
    """Return the text that was published with an announcement, if it can be read."""
    path = event.facts.get("path")
    if event.kind != "model.deprecated" or not path:
        return None
    try:
        return home.registry.filed(event.model, str(path), Notice).text
    except (NotFound, DamagedObject):
        return None  # the dates must go out all the same


def _log(home: Home, it: Telling, done: Delivery) -> None:
    type_, body = entry_of(done)
    home.registry.log(type_, it.event.model, body)


def _told(done: Iterable[Delivery]) -> Told:
    rows = list(done)
    return Told(
        sent=tuple(row.event for row in rows if row.state == "sent"),
        put_off=tuple(row for row in rows if row.state == "queued"),
        failed=tuple(row for row in rows if row.state == "failed"),
    )
