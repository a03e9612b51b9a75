"""A log with roles, entry by entry, and who may sign in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from otium.authority import Judge, Judgement, actor_for, authorised
from otium.ledger import Entry, EntrySignature
from otium.notes import RoleKey, encode64
from otium.records import Actor, Instant, later

ORIGIN = "house.example/log"
START = Instant("2026-01-01T00:00:00Z")


@dataclass
class House:
    """The entries of a log, and the private keys that were ever made for it."""

    keys: dict[str, RoleKey]
    entries: list[Entry] = field(default_factory=list)

    def entry(self, kind: str, body: dict[str, object] | None = None, **more: str) -> Entry:
        """Return an unsigned entry, a day after the last one."""
        last = self.entries[-1].time if self.entries else START
        return Entry(
            type=kind,
            time=later(last, days=1),
            actor=Actor(more.get("actor", actor_for(kind))),
            subject=more.get(
                "subject", "house" if kind.startswith(("key", "archive")) else "alder"
            ),
            body=body or {},
        )

    def signed(self, entry: Entry, *names: str, at: Instant | None = None) -> Entry:
        """Return *entry* signed by the keys of these names."""
        return sign(entry, *(self.keys[name] for name in names), at=at)

    def say(self, kind: str, *names: str, **body: object) -> Entry:
        """Append an entry signed by these keys."""
        self.entries.append(self.signed(self.entry(kind, body), *names))
        return self.entries[-1]

    def judged(self, *more: Entry) -> Judgement:
        """Judge the log with some entries more."""
        return authorised([*self.entries, *more], ORIGIN)

    def why(self, entry: Entry) -> str | None:
        """Return why one more entry would not be authorised."""
        judge = Judge(ORIGIN)
        for one in self.entries:
            judge.judge(one)
        return judge.judge(entry)

    def grant(self, name: str, *roles: str, by: str = "root-1") -> RoleKey:
        """Make a key and grant it roles."""
        self.keys[name] = RoleKey.generate(name)
        self.say("key.granted", by, key=self.keys[name].vkey, roles=list(roles))
        return self.keys[name]


def sign(entry: Entry, *keys: RoleKey, at: Instant | None = None, origin: str = ORIGIN) -> Entry:
    """Return *entry* as version 2 with the signatures of *keys*."""
    when = at or entry.time
    sigs = tuple(
        EntrySignature(
            key=key.id, time=when, sig=encode64(key.sign(entry.signing_payload(origin, when)))
        )
        for key in keys
    )
    return Entry.convert({**entry.plain(), "v": 2, "sigs": [it.plain() for it in sigs]})


def founded_house() -> House:
    """Return a log with a root, a house key and a second person's."""
    house = House({name: RoleKey.generate(name) for name in ("root-1", "house-1", "second-1")})
    house.say("archive.created", "root-1", root=[house.keys["root-1"].vkey])
    house.say(
        "key.granted",
        "root-1",
        key=house.keys["house-1"].vkey,
        roles=["steward", "archivist", "researcher", "decider", "auditor"],
    )
    house.say("key.granted", "root-1", key=house.keys["second-1"].vkey, roles=["steward"])
    return house
