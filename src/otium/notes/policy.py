"""Which logs and witnesses are trusted, and how many must agree (C2SP's ``tlog-policy``)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from otium.errors import BadInput, BadNote
from otium.notes.keys import COSIGNATURE, ED25519, MLDSA44, VerifierKey
from otium.records import Part

NONE = "none"
"""The quorum that asks for no witness."""
_FORBIDDEN = re.compile(rb"[^\x09\x0a\x20-\x7e\x80-\xff]")
_DECIMAL = re.compile(r"[1-9][0-9]{0,8}")
_LOG_KINDS = {ED25519, MLDSA44}
_WITNESS_KINDS = {COSIGNATURE, MLDSA44}


class PolicyLog(Part):
    """A log that is accepted."""

    vkey: str
    url: str | None = None


class PolicyWitness(Part):
    """A witness, by the name that it has in this policy."""

    name: str
    vkey: str
    url: str | None = None


class PolicyGroup(Part):
    """Witnesses and groups of which *threshold* must have cosigned."""

    name: str
    threshold: int
    members: tuple[str, ...]


class WitnessPolicy(Part):
    """Which checkpoints are believed: of one of the logs, cosigned by the quorum."""

    logs: tuple[PolicyLog, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[PolicyGroup, ...]
    """Each after the groups that it names."""
    quorum: str
    """The name of a witness or a group, or NONE."""

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The verifier keys of the witnesses."""
        return tuple(witness.vkey for witness in self.witnesses)

    def met_by(self, signers: Collection[str]) -> bool:
        """Return whether the verifier keys *signers* make up the quorum."""
        agreed = {NONE} | {it.name for it in self.witnesses if it.vkey in signers}
        for group in self.groups:
            if len(agreed.intersection(group.members)) >= group.threshold:
                agreed.add(group.name)
        return self.quorum in agreed


def read_policy(text: str | bytes) -> WitnessPolicy:
    """Return the policy in *text*, or raise BadInput naming the line that breaks a rule."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if _FORBIDDEN.search(data):
        raise BadInput(what="the policy", why="it has control characters other than tab, newline")
    draft = _Draft()
    # surrogateescape keeps octets apart that are no UTF-8: names are opaque
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
        words = re.findall(r"[^ \t]+", line)
        if words and not words[0].startswith("#"):
            try:
                draft.take(words)
            except BadNote as error:
                raise BadInput(what=f"the policy, line {number}", why=error) from error
    return draft.finish()


class _Draft:
    """What was read of a policy so far; a line that breaks a rule raises BadNote."""

    def __init__(self) -> None:
        self._logs: list[PolicyLog] = []
        self._witnesses: list[PolicyWitness] = []
        self._groups: list[PolicyGroup] = []
        self._quorum: str | None = None
        self._names: set[str] = set()
        self._members: set[str] = set()
        self._keys: dict[str, set[bytes]] = {"log": set(), "witness": set()}

    def take(self, words: Sequence[str]) -> None:
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self._check_key("log", vkey, _LOG_KINDS)
                self._logs.append(PolicyLog(vkey=vkey, url=next(iter(url), None)))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._check_key("witness", vkey, _WITNESS_KINDS)
                self._define(name)
                where = next(iter(url), None)
                self._witnesses.append(PolicyWitness(name=name, vkey=vkey, url=where))
            case ["group", name, count, *members] if members:
                self._group(name, count, members)
            case ["quorum", name]:
                self._set_quorum(name)
            case _:
                raise BadNote(why=f"a line that begins with {words[0]!r} is not as it must be")

    def finish(self) -> WitnessPolicy:
        if self._quorum is None:
            raise BadInput(what="the policy", why="it has no quorum line")
        return WitnessPolicy(
            logs=tuple(self._logs),
            witnesses=tuple(self._witnesses),
            groups=tuple(self._groups),
            quorum=self._quorum,
        )

    def _group(self, name: str, count: str, members: Sequence[str]) -> None:
        for member in members:
            if member not in self._names:
                raise BadNote(why=f"{member!r} is not defined on a line before")
            if member in self._members:
                raise BadNote(why=f"{member!r} is a member already")
            self._members.add(member)
        self._define(name)
        threshold = _threshold(count, len(members))
        self._groups.append(PolicyGroup(name=name, threshold=threshold, members=tuple(members)))

    def _set_quorum(self, name: str) -> None:
        if self._quorum is not None:
            raise BadNote(why="it is the second quorum")
        if name not in self._names | {NONE}:
            raise BadNote(why=f"{name!r} is not defined on a line before")
        self._quorum = name

    def _define(self, name: str) -> None:
        if name in self._names or name == NONE:
            raise BadNote(why=f"the name {name!r} is taken")
        self._names.add(name)

    def _check_key(self, what: str, vkey: str, kinds: Collection[int]) -> None:
        key = VerifierKey.parse(vkey)
        if key.kind not in kinds:
            raise BadNote(why=f"a key of type {key.kind:#04x} is not one of a {what}")
        if key.public in self._keys[what]:
            raise BadNote(why=f"the key of {key.id} is listed twice")
        self._keys[what].add(key.public)


def _threshold(count: str, members: int) -> int:
    if count in {"any", "all"}:
        return 1 if count == "any" else members
    if not _DECIMAL.fullmatch(count) or int(count) > members:
        raise BadNote(why=f"{count!r} is not 'any', 'all' or a number from 1 to {members}")
    return int(count)
