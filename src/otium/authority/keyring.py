"""The role keys at hand: who signs what this house says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Self

from msgspec.structs import replace

from otium.authority.judge import Judge
from otium.authority.records import KeyStanding
from otium.authority.roles import Role, keys_needed, makers
from otium.errors import NotAuthorised
from otium.ledger import Entry, EntrySignature
from otium.notes import RoleKey, encode64
from otium.records import Instant

_FIRST: Mapping[str, tuple[Role, ...]] = {
    "root-1": ("root",),
    "house-1": ("steward", "archivist", "researcher", "decider", "auditor"),
    "second-1": ("steward",),
}
"""The keys that a new house is given, and their roles."""


class Keyring:
    """Some role keys, with the names that they sign under."""

    def __init__(self, keys: Iterable[RoleKey]) -> None:
        """Hold *keys*."""
        self._keys = {key.id: key for key in keys}

    @classmethod
    def generate(cls) -> Self:
        """Return the keys of a new house: a root, one for its daily work, and a second."""
        return cls(RoleKey.generate(name) for name in _FIRST)

    @classmethod
    def load(cls, *places: Path) -> Self:
        """Read key files, and all that end in ``.pem`` in folders; a folder may be absent."""
        files = (
            path
            for place in places
            for path in (sorted(place.glob("*.pem")) if not place.is_file() else [place])
        )
        return cls(RoleKey.load(path) for path in files)

    @classmethod
    def make(cls, folder: Path) -> None:
        """Write the keys of a new house to *folder*, those that are not there yet."""
        for name in _FIRST:
            if not (folder / f"{name}.pem").exists():
                RoleKey.generate(name).save(folder / f"{name}.pem")

    def __contains__(self, key: str) -> bool:
        """Say whether the key with this id is here."""
        return key in self._keys

    def __iter__(self) -> Iterator[RoleKey]:
        """Yield the keys."""
        return iter(self._keys.values())

    def __len__(self) -> int:
        """Say how many keys are here."""
        return len(self._keys)

    def founders(self) -> tuple[list[str], list[tuple[str, tuple[Role, ...]]]]:
        """Return the root keys of a house founded with these, and the grants to the others."""
        roles = {key.vkey: _FIRST.get(key.name, ("steward",)) for key in self._keys.values()}
        roots = [vkey for vkey, held in roles.items() if "root" in held]
        return roots, [(vkey, held) for vkey, held in roles.items() if vkey not in roots]

    def sign(self, entry: Entry, judge: Judge, at: Instant) -> Entry:
        """Return *entry* with as many signatures more as it needs and as can be given here.

        Raises NotAuthorised if no key here may sign it.
        """
        signed = {it.key for it in entry.sigs}
        able = [key for key in self._able(entry, judge) if key not in signed]
        chosen = self._choose(entry, judge, able, keys_needed(entry.type) - len(signed))
        entry = replace(entry, v=2)
        for key in chosen:
            payload = entry.signing_payload(judge.origin, at)
            sig = EntrySignature(key=key, time=at, sig=encode64(self._keys[key].sign(payload)))
            entry = replace(entry, sigs=(*entry.sigs, sig))
        return entry

    def _able(self, entry: Entry, judge: Judge) -> list[str]:
        """Return the ids of the keys here that may sign *entry*."""
        if entry.type == "archive.created":
            roots = entry.body.get("root")
            named = set(roots) if isinstance(roots, list | tuple) else set()
            return [key.id for key in self._keys.values() if key.vkey in named]
        standing = [judge.keys[key] for key in self._keys if key in judge.keys]
        return [key.id for key in standing if set(key.roles) & set(makers(entry.type))]

    def _choose(self, entry: Entry, judge: Judge, able: Sequence[str], count: int) -> list[str]:
        """Return up to *count* of the *able* keys, one of them with the role of the actor."""
        if count <= 0 or entry.type == "archive.created":
            return list(able[:count])
        held = {it.key for it in entry.sigs}
        for some in combinations(able, min(count, len(able))):
            keys = [judge.keys[key] for key in (*held, *some) if key in judge.keys]
            if some and _has(keys, entry.actor):
                return list(some)
        which = "no other key" if held else "no key"
        why = f"{which} here has the role {entry.actor} and stands"
        raise NotAuthorised(type=entry.type, why=why)


def _has(keys: Sequence[KeyStanding], actor: str) -> bool:
    return any(actor in key.roles for key in keys)
