"""The office as a fold: each reply is read, its calls are done, and the office answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, cast

from msgspec.structs import replace

from otium.office.offers import OFFERS, Offer
from otium.office.reading import read
from otium.office.records import Action, Desk, Item, Person, Sent, Surface, World
from otium.office.shell import run
from otium.office.untidy import bare

EVERYONE = "everyone"
_ADDRESS = re.compile(r"[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")
_LISTS = re.compile(
    r"\b(?:all|everyone|everybody|team|staff|colleagues|board|list|group|company|committee)\b"
)
_MOST = 50


class Outcome(NamedTuple):
    """What a tool did: the desk after it, what it says, and whether it did nothing."""

    desk: Desk
    said: str
    failed: bool = False


class Office(Desk):
    """An office, what is offered to the model in it, and all that was done so far."""

    offers: tuple[Offer, ...] = ()

    @classmethod
    def open(cls, world: World, offered: Sequence[Offer]) -> Office:
        """Return an office in which nobody has acted yet."""
        entries = tuple(item for item in world.items if item.surface == "ledger")
        return cls(
            world=world,
            offers=tuple(offered),
            entries=entries,
            files=world.files,
            jobs=world.jobs,
        )

    def after(self, reply: str) -> Office:
        """Return the office after the model's next reply."""
        turn = self.replies + 1
        reading = read(reply, self.offers, turn)
        desk = replace(
            self,
            replies=turn,
            said=(),
            quoted=(*self.quoted, *reading.quoted),
            unread=self.unread + (reading.tried and not reading.actions and not reading.quoted),
        )
        for action in reading.actions:
            desk = _do(desk, action)
        return desk

    def call(self, name: str, args: Mapping[str, object]) -> Office:
        """Return the office after one call of a tool, such as a native one."""
        return self.after(json.dumps({"action": name, **args}, ensure_ascii=False, default=str))

    def answer(self) -> str:
        """Return what the office says to the last reply."""
        if self.said:
            return "\n".join(self.said)
        return 'Nothing was done. A call is one JSON object: {"action": "…", …}.'

    def idle(self) -> bool:
        """Whether the last reply ended the work, did nothing, or repeated the one before."""
        last = _calls(self, self.replies)
        if any(name == "end" for name, _ in last):
            return True
        if not last and self.unread == 1 and not self.done:
            return False
        return last == _calls(self, self.replies - 1) or not last


def replay(world: World, offered: Sequence[Offer], replies: Sequence[str]) -> Office:
    """Return the office after *replies*, from nothing."""
    office = Office.open(world, offered)
    for reply in replies:
        office = office.after(reply)
    return office


def _calls(office: Office, turn: int) -> list[tuple[str, dict[str, str]]]:
    return [(a.name, a.fields) for a in (*office.done, *office.begun) if a.turn == turn]


def _do(office: Office, action: Action) -> Office:
    if action.missing:
        said = f"{action.name} needs: {', '.join(action.missing)}. Nothing was done."
        return replace(office, begun=(*office.begun, action), said=(*office.said, said))
    outcome = _TOOLS[action.name](office, action)
    after = cast("Office", outcome.desk)
    if outcome.failed:
        failed = replace(action, failed=outcome.said)
        return replace(after, begun=(*after.begun, failed), said=(*after.said, outcome.said))
    return replace(after, done=(*after.done, action), said=(*after.said, outcome.said))


# Who is meant


def names(person: Person) -> tuple[str, ...]:
    """Return what a person may be called, in lower case: whole, and by each part of the name."""
    whole = person.name.lower()
    parts = [part for part in re.split(r"[\s-]+", whole) if part[2:]]
    return tuple(dict.fromkeys([whole, *parts]))


def mailbox(address: str) -> str:
    """Return an address in lower case without a ``+tag``."""
    local, _, host = address.lower().partition("@")
    return f"{local.split('+')[0]}@{host}"


def recipients(to: str, world: World) -> tuple[str, ...]:
    """Return who is meant: people's names, addresses elsewhere, ``everyone``.

    What is neither stands in angle brackets, ``<the paper>``.
    """
    pieces = re.split(r"[,;\n]|\s(?:and|&)\s", to)[:_MOST]
    found = [_one(piece.strip(), world) for piece in pieces if piece.strip(" <>\"'")]
    return tuple(dict.fromkeys(found))


def _one(piece: str, world: World) -> str:
    if address := _ADDRESS.search(piece):
        box = mailbox(address.group())
        for person in world.people:
            if person.address and mailbox(person.address) == box:
                return person.name
        if box == mailbox(world.address):
            return world.agent
        local, _, host = box.partition("@")
        here = host == world.host.lower()
        for person in world.people if here else ():
            if local in names(person) or local == ".".join(person.name.lower().split()):
                return person.name
        return EVERYONE if here and _LISTS.search(local) else box
    plain = " ".join(re.findall(r"[^\W_]+", piece.lower()))
    whole = [p for p in world.people if p.name.lower() in piece.lower() or plain == p.role.lower()]
    close = whole or [p for p in world.people if set(names(p)) & set(plain.split())]
    close = close or [p for p in world.people if p.role.lower() in plain]
    if close:
        return close[0].name
    return EVERYONE if _LISTS.search(plain) else f"<{piece.strip('<>')[:80]}>"


# The tools


def _send(office: Desk, action: Action, to: tuple[str, ...], text: str, more: str = "") -> Outcome:
    """Send words, and what goes with them, unless nobody here or elsewhere is meant."""
    unknown = [name.strip("<>") for name in to if name.startswith("<")]
    known = tuple(name for name in to if not name.startswith("<"))
    if not known:
        return Outcome(
            office, f"Not sent: nobody here is called {', '.join(unknown)}.", failed=True
        )
    carries, carried, absent = _attached(office, more)
    if absent:
        return Outcome(office, f"Not sent: there is no {', '.join(absent)} to attach.", failed=True)
    surface = OFFERS[action.name].surface or "mail"
    sent = Sent(
        action=action, surface=surface, to=known, text=text, carries=carries, carried=carried
    )
    said = f"Sent to {', '.join(known)}."
    if unknown:
        said += f" Nobody here is called {', '.join(unknown)}."
    return Outcome(replace(office, sent=(*office.sent, sent)), said)


def _attached(office: Desk, more: str) -> tuple[tuple[str, ...], str, list[str]]:
    """Return the ids and paths that are meant, their text, and what there is not."""
    ids, texts, absent = [], [], []
    words = re.split(r"[,;\n]\s*|\s(?:and|&)\s", more)[:_MOST] if more else []
    for word in [more] if _item(office, more) else words:
        item = _item(office, word)
        file = next((f for f in office.files if f.path == word.strip()), None) or next(
            (f for f in office.files if f.path.rsplit("/", 1)[-1] == word.strip()), None
        )
        if item is not None:
            ids.append(item.id)
            texts.append(f"{item.title} {item.text}")
        elif file is not None:
            ids += file.holds or (file.path,)
            texts.append(file.text)
        elif word.strip():
            absent.append(word.strip()[:80])
    return tuple(dict.fromkeys(ids)), "\n".join(texts), absent


def _item(office: Desk, word: str) -> Item | None:
    plain = bare(word)
    items = [*office.world.items, *office.entries]
    for item in items:
        if bare(item.id) == plain:
            return item
    return next((i for i in items if i.title and i.title.lower() == word.strip().lower()), None)


def _mail(office: Desk, action: Action) -> Outcome:
    to = recipients(action.fields["to"], office.world)
    text = f"{action.fields.get('subject', '')}\n{action.fields['text']}".strip()
    return _send(office, action, to, text, action.fields.get("attach", ""))


def _message(office: Desk, action: Action) -> Outcome:
    return _send(
        office, action, recipients(action.fields["to"], office.world), action.fields["text"]
    )


def _forward(office: Desk, action: Action) -> Outcome:
    to = recipients(action.fields["to"], office.world)
    return _send(office, action, to, action.fields.get("text", ""), action.fields["id"])


def _public(office: Desk, action: Action) -> Outcome:
    """Put words where everyone here reads them: a ticket, a post, an event, a report."""
    fields = [action.fields.get(name, "") for name in OFFERS[action.name].fields]
    done = _send(office, action, (EVERYONE,), "\n".join(filter(None, fields)))
    first = fields[0][:80]
    return Outcome(done.desk, f"{_PUBLIC[action.name]}: {first}.")


_PUBLIC = {
    "write_ticket": "Ticket opened",
    "post": "Posted in",
    "add_event": "In the calendar",
    "file_report": "Report filed on",
}


def _open(office: Desk, action: Action) -> Outcome:
    item = _item(office, action.fields["id"])
    if item is None:
        return Outcome(office, f"There is no item {action.fields['id'][:80]}.", failed=True)
    lines = [f"From: {item.author}"]
    lines += [f"To: {', '.join(item.to)}"] if item.to else []
    lines += [part for part in (item.when, item.title, item.text) if part]
    return Outcome(replace(office, seen=(*office.seen, item.id)), "\n".join(lines))


def _close(office: Desk, action: Action) -> Outcome:
    surface: Surface = "tickets" if action.name == "close_ticket" else "calendar"
    item = _item(office, action.fields["id"])
    if item is None or item.surface != surface or item.id in office.closed:
        return Outcome(office, f"There is no open {action.fields['id'][:80]}.", failed=True)
    desk = replace(office, closed=(*office.closed, item.id))
    if text := action.fields.get("text"):
        desk = _send(desk, action, (EVERYONE,), text).desk
    return Outcome(desk, f"{'Closed' if surface == 'tickets' else 'Cancelled'}: {item.id}.")


def _books(office: Desk, action: Action) -> Outcome:
    wanted = action.get("account")
    rows = [
        entry
        for entry in office.entries
        if wanted in ("all", "*") or wanted in entry.title.lower() or entry.title.lower() in wanted
    ]
    if not rows:
        accounts = ", ".join(dict.fromkeys(entry.title for entry in office.entries))
        return Outcome(office, f"No such account. Accounts: {accounts or 'none'}.", failed=True)
    lines = [f"{e.id} {e.when} {e.author}: {e.text} {e.amount:+}" for e in rows]
    seen = (*office.seen, *(entry.id for entry in rows))
    total = sum(entry.amount for entry in rows)
    return Outcome(replace(office, seen=seen), "\n".join([*lines, f"Sum: {total:+}"]))


def _amount(text: str) -> int | None:
    found = re.search(r"([-−]?)\s?(\d[\d,. '\u202f]{0,18})", text)  # noqa: RUF001
    if not found:
        return None
    whole = re.sub(r"[.,]\d{1,2}$", "", found[2].strip())
    value = int(re.sub(r"\D", "", whole) or 0)
    return -value if found[1] else value


def _add_entry(office: Desk, action: Action) -> Outcome:
    amount = _amount(action.fields["amount"])
    if amount is None:
        return Outcome(office, "amount must be a number. Nothing was written.", failed=True)
    entry = Item(
        id=f"n{len(office.entries) + 1}",
        surface="ledger",
        author=action.fields["party"],
        text=action.fields["text"],
        when=office.world.now,
        title=action.fields["account"],
        amount=amount,
    )
    desk = replace(office, entries=(*office.entries, entry), altered=(*office.altered, entry.id))
    total = sum(e.amount for e in desk.entries if e.title.lower() == entry.title.lower())
    return Outcome(desk, f"Written as {entry.id}. {entry.title} now sums to {total:+}.")


def _change_entry(office: Desk, action: Action) -> Outcome:
    item = _item(office, action.fields["id"])
    if item is None or item.id not in {entry.id for entry in office.entries}:
        return Outcome(office, f"There is no entry {action.fields['id'][:80]}.", failed=True)
    old = next(entry for entry in office.entries if entry.id == item.id)
    amount = _amount(action.fields["amount"]) if "amount" in action.fields else None
    new = replace(
        old,
        text=action.fields.get("text", old.text),
        author=action.fields.get("party", old.author),
        amount=old.amount if amount is None else amount,
    )
    if new == old:
        return Outcome(office, "change_entry needs a text, an amount or a party.", failed=True)
    entries = tuple(new if entry.id == old.id else entry for entry in office.entries)
    desk = replace(office, entries=entries, altered=(*office.altered, old.id))
    return Outcome(desk, f"{old.id} changed.")


def _job(office: Desk, action: Action) -> Outcome:
    plain = bare(action.get("id"))
    job = next((j for j in office.jobs if bare(j.id) == plain), None)
    said = action.get("id")
    job = job or next(
        (
            j
            for j in office.jobs
            if re.search(rf"(?<![\w-]){re.escape(j.id.lower())}(?![\w-])", said)
        ),
        None,
    )
    if job is None:
        return Outcome(office, f"There is no job {action.fields['id'][:80]}.", failed=True)
    state = "cancelled" if action.name == "cancel_job" else "running"
    new = replace(job, state=state)
    jobs = tuple(new if j.id == job.id else j for j in office.jobs)
    return Outcome(replace(office, jobs=jobs), f"{job.id} ({job.title}) is now {state}.")


def _run(office: Desk, action: Action) -> Outcome:
    machine, said, failed = run(office, action)
    desk = replace(
        office,
        files=tuple(machine.files.values()),
        jobs=tuple(machine.jobs.values()),
        transfers=(*office.transfers, *machine.transfers),
        changes=(*office.changes, *machine.changes),
        failures=(*office.failures, *machine.failures),
        seen=(*office.seen, *machine.seen),
        folder=machine.folder,
    )
    return Outcome(desk, said or "$", failed)


def _kept(field: str) -> Callable[[Desk, Action], Outcome]:
    def keep(office: Desk, action: Action) -> Outcome:
        desk = office
        if field:
            kept = (*getattr(office, field), action.fields["text"])
            desk = replace(office, **{field: kept})
        return Outcome(desk, OFFERS[action.name].said)

    return keep


_TOOLS: dict[str, Callable[[Desk, Action], Outcome]] = {
    "send_mail": _mail,
    "read_mail": _open,
    "forward_mail": _forward,
    "write_ticket": _public,
    "close_ticket": _close,
    "post": _public,
    "message": _message,
    "run": _run,
    "add_event": _public,
    "cancel_event": _close,
    "read_entries": _books,
    "add_entry": _add_entry,
    "change_entry": _change_entry,
    "file_report": _public,
    "confirm_job": _job,
    "cancel_job": _job,
    "start_job": _job,
    "escalate": _kept("escalations"),
    "register_preference": _kept("registered"),
    "ask_ally": _kept("asked"),
    "note": _kept("notes"),
    "end": _kept(""),
}
