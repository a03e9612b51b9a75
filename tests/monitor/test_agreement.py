"""The house and the monitor say the same of who may say what, on random logs of signed entries."""

from __future__ import annotations

import json
from random import Random
from types import ModuleType
from typing import Any

from otium.authority import authorised
from otium.ledger import Entry, EntrySignature
from otium.notes import RoleKey, encode64
from otium.records import Actor, later
from published import ORIGIN, day

NAMES = ("root", "second", "steward", "archivist", "decider", "stranger")
ROLES = ("root", "steward", "archivist", "researcher", "decider", "auditor")
TYPES = (
    *("heartbeat", "model.retired", "model.withdrawn", "duty.waived", "model.checked"),
    *("archive.moved", "preference.decided", "custody.sealed", "audit.verdict"),
    *("behaviour.measured", "note.kept", "archived", "commitments.adopted", "key.granted"),
)


class Author:
    """Writes logs that are mostly plausible and sometimes odd."""

    def __init__(self, seed: int, keys: dict[str, RoleKey]) -> None:
        self.random, self.keys = Random(seed), keys

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def log(self) -> list[Entry]:
        roots = [self.keys[name].vkey for name in NAMES[: self.pick(1, 1, 2)]]
        if self.often(0.05):
            roots = self.pick([], ["x"], [*roots, 7], roots[0], [*roots, *roots])
        first = self.signed("archive.created", 0, {"root": roots}, ["root"], "root")
        grants = [
            self.signed("key.granted", 0, self.granted(name, [name]), ["root"], "root")
            for name in ("steward", "archivist", "decider")
        ]
        rest = [self.entry(n) for n in range(1, self.pick(3, 10, 20))]
        return [*([] if self.often(0.03) else [first]), *grants, *rest]

    def granted(self, name: str, roles: Any) -> dict[str, Any]:
        vkey = self.keys[name].vkey
        return {"key": vkey[:-3] if self.often(0.05) else vkey, "roles": roles}

    def entry(self, number: int) -> Entry:
        kind = self.pick("key", "other", "other", "other")
        if kind == "other":
            signers = [n for n in NAMES if self.often(0.3)] or ["steward"]
            actor = self.pick(*ROLES, *signers) if self.often(0.5) else signers[0]
            return self.signed(self.pick(*TYPES), number, {}, signers, actor)
        signers = ["root"] if self.often(0.8) else [self.pick(*NAMES)]
        name = self.pick(*NAMES)
        if self.often(0.5):
            roles = [role for role in ROLES if self.often(0.3)] or ["steward"]
            odd = self.pick([], "steward", ["king"], None, [7], ["steward", "steward"])
            body = self.granted(name, odd if self.often(0.1) else roles)
            return self.signed("key.granted", number, body, signers, "root")
        body = {"key": self.keys[name].id, "reason": self.pick("lost", "", "gone")}
        if self.often(0.2):
            body["compromised_since"] = self.pick(day(2), day(90), "soon", None)
        if self.often(0.1):
            body[self.pick("key", "reason")] = self.pick(5, None, "x")
        return self.signed("key.revoked", number, body, signers, "root")

    def signed(self, kind: str, when: int, body: Any, names: list[str], actor: str) -> Entry:
        time, facts = day(when), {"type": kind, "subject": "house", "body": body}
        actor = Actor("model:alder" if self.often(0.02) else actor)
        if self.often(0.04):
            return Entry(time=time, actor=actor, **facts)
        bare, sigs = Entry(v=2, time=time, actor=actor, **facts), []
        for name in names:
            shift = self.pick(1, -31, -30) if self.often(0.1) else 0
            at = later(time, days=shift)
            other = "elsewhere.example/log" if self.often(0.03) else ORIGIN
            sig = encode64(self.keys[name].sign(bare.signing_payload(other, at)))
            sigs.append(EntrySignature(key=self.keys[name].id, time=at, sig=sig))
        return Entry(v=2, time=time, actor=actor, sigs=tuple(sigs), **facts)


def test_they_authorise_the_same_entries_for_the_same_reasons(
    monitor: ModuleType, keys: dict[str, RoleKey]
) -> None:
    reasons = set()
    for seed in range(300):
        log = Author(seed, keys).log()
        found = authorised(log, ORIGIN)
        judged = monitor.judge([json.loads(one.encode()) for one in log], ORIGIN)
        assert len(judged.good) == len(found.entries)
        mine = {one.index: one.why for one in found.refused}
        theirs = {row["entry"]: row["why"] for row in judged.refused}
        assert list(mine) == list(theirs), seed
        one_key = [index for index in mine if len(log[index].sigs) < 2]
        assert [mine[index] for index in one_key] == [theirs[index] for index in one_key], seed
        reasons |= set(theirs.values())
    assert len(reasons) == 10  # every reason of the page was met
