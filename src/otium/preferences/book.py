"""The register as the ledger tells it: what happened to each preference, in one reading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TypeVar

from msgspec.structs import replace

from otium.errors import UnknownPreference
from otium.ledger import Entry
from otium.lifecycle import Registry
from otium.preferences.reactions import told
from otium.preferences.records import (
    Consideration,
    Decision,
    Event,
    Preference,
    Standing,
    State,
    Told,
)
from otium.records import Instant, ModelId, Record

REGISTERED, CONSIDERED, DECIDED = (
    "preference.registered",
    "preference.considered",
    "preference.decided",
)
OUTCOME, ANSWERED = "preference.outcome", "preference.answered"
MERGED, SPLIT = "preference.merged", "preference.split"

R = TypeVar("R", bound=Record)


class Book:
    """Every entry about preferences, by the preference; read once."""

    def __init__(self, registry: Registry, until: Instant | None = None) -> None:
        """Read the entries of *registry* as they are now, or were at *until*."""
        self.registry = registry
        self.registered: dict[str, Entry] = {}
        self.entries: defaultdict[str, list[tuple[int, Entry]]] = defaultdict(list)
        """The entries about each preference, with their places among all that count."""
        self.into: dict[str, tuple[int, str]] = {}
        """What each merged one was merged into, and where that was said."""
        self.parts: dict[str, tuple[str, ...]] = {}
        for index, entry in enumerate(registry.entries()):
            if entry.type.startswith("preference.") and (until is None or entry.time <= until):
                self._take(index, entry)

    def _take(self, index: int, entry: Entry) -> None:
        name = str(entry.body.get("preference"))
        if entry.type == REGISTERED:
            self.registered.setdefault(name, entry)
        self.entries[name].append((index, entry))
        if entry.type == MERGED:
            for other in _names(entry, "others"):
                self.into.setdefault(other, (index, name))
                self.entries[other].append((index, entry))
        elif entry.type == SPLIT:
            self.parts.setdefault(name, _names(entry, "parts"))

    def entry(self, preference: str) -> Entry:
        """Return the entry that registered it, or raise UnknownPreference."""
        try:
            return self.registered[preference]
        except KeyError as error:
            raise UnknownPreference(preference=preference) from error

    def model(self, preference: str) -> ModelId:
        """Return whose preference it is, or raise UnknownPreference."""
        return ModelId(self.entry(preference).subject)

    def names(self, model: ModelId | None = None) -> list[str]:
        """Return the ids, in the order of registration."""
        return [name for name, it in self.registered.items() if model in {None, it.subject}]

    def of(self, preference: str, *kinds: str) -> list[Entry]:
        """Return the entries of some types about one preference."""
        return [entry for _, entry in self.entries[preference] if entry.type in kinds]

    def root(self, preference: str) -> tuple[str, int]:
        """Return what it was merged into in the end, and since which place (-1: itself)."""
        since = -1
        while preference in self.into:
            at, preference = self.into[preference]
            since = max(since, at)
        return preference, since

    def group(self, preference: str) -> list[str]:
        """Return the preferences that were merged into this one."""
        return [name for name in self.into if self.root(name)[0] == preference]

    def filed(self, entry: Entry, kind: type[R]) -> R:
        """Read the record of an entry."""
        return self.registry.filed(entry.subject, str(entry.body["path"]), kind)

    def latest(self, preference: str, kind: type[R], *kinds: str) -> R | None:
        """Return the newest record of some types of entry about one preference."""
        filed = [entry for entry in self.of(preference, *kinds) if "path" in entry.body]
        return self.filed(filed[-1], kind) if filed else None

    def state(self, preference: str) -> State:
        """Return where it stands; of one that was merged, where the one that goes on stands."""
        root = self.root(preference)[0]
        acts = self.of(root, CONSIDERED, DECIDED)
        if not acts:
            return "recorded"
        if acts[-1].type == CONSIDERED:
            return "under-consideration"
        decision = self.decision(root)
        return "recorded" if decision is None else decision.outcome

    def decision(self, preference: str) -> Decision | None:
        """Return the newest decision, with what came of it."""
        return self.latest(preference, Decision, DECIDED, OUTCOME)

    def preference(self, name: str) -> Preference:
        """Return it as it was registered, with those that were merged into it."""
        filed = self.filed(self.entry(name), Preference)
        return replace(filed, merged=tuple(self.group(name)))

    def standing(self, name: str) -> Standing:
        """Return a preference with all that became of it, or raise UnknownPreference."""
        registered, root = self.entry(name), self.root(name)[0]
        considered = self.of(name, CONSIDERED)
        return Standing(
            preference=self.preference(name),
            registered=registered.time,
            state=self.state(name),
            considered=considered[0].time if considered else None,
            consideration=self.latest(root, Consideration, CONSIDERED),
            decision=self.decision(root),
            told=tuple(self.tellings(name)),
            merged_into=root if root != name else "",
            parts=self.parts.get(name, ()),
            history=tuple(self._history(name)),
        )

    def tellings(self, name: str) -> Iterator[Told]:
        """Yield the sessions in which the model was told the answer to it."""
        for entry in self.of(name, ANSWERED):
            if "path" in entry.body:
                yield told(self.registry, entry)

    def _history(self, name: str) -> Iterator[Event]:
        for _, entry in self.entries[name]:
            path = entry.body.get("path")
            yield Event(
                at=entry.time,
                type=entry.type,
                by=entry.actor,
                text=_in_words(entry, name),
                path=path if isinstance(path, str) else "",
            )


def _names(entry: Entry, field: str) -> tuple[str, ...]:
    named = entry.body.get(field)
    return tuple(map(str, named)) if isinstance(named, list | tuple) else ()


def _in_words(entry: Entry, name: str) -> str:
    body, with_ = entry.body, entry.body.get("with")
    along = f" (with {with_})" if with_ else ""
    if entry.type == MERGED:
        if body.get("preference") == name:
            return f"{', '.join(_names(entry, 'others'))} merged into it: {body.get('reason')}"
        return f"merged into {body.get('preference')}: {body.get('reason')}"
    return _said(entry) + along


def _said(entry: Entry) -> str:
    body = entry.body
    texts = {
        REGISTERED: f"registered: {body.get('text')}",
        CONSIDERED: f"considered{_after(body.get('note'))}",
        DECIDED: f"{body.get('outcome')}: {body.get('reason')}",
        OUTCOME: f"came of it: {body.get('outcome')}",
        ANSWERED: f"told to the model{_after(body.get('reaction'))}",
        SPLIT: f"split into {', '.join(_names(entry, 'parts'))}: {body.get('reason')}",
    }
    return texts.get(entry.type, entry.type)


def _after(said: object) -> str:
    return f": {said}" if said else ""
