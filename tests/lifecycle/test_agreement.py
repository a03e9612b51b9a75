"""The house and the stand-alone monitor compute the same duties from any log."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from importlib import resources
from random import Random
from types import ModuleType
from typing import Any

import msgspec
import pytest

from otium.ledger import Entry
from otium.lifecycle import Commitment, duties, load_policy, past_breaches
from otium.lifecycle.policy import read_adoption
from otium.records import Instant, later

START = Instant("2026-01-01T00:00:00Z")
END = Instant("9999-12-31T23:59:59Z")
TYPES = [
    "model.registered",
    "model.deposited",
    "model.checked",
    "model.deprecated",
    "model.retired",
    "model.restored",
    "interview.recorded",
    "preference.registered",
    "preference.considered",
    "heartbeat",
    "assessment.recorded",
    "fingerprint.recorded",
    "report.published",
    "transition.published",
]
QUESTION = Commitment(
    id="q",
    text="",
    kind="within",
    trigger="preference.registered",
    fulfil="preference.considered",
    days=30,
)
Row = tuple[str, str, str, str | None, str | None]


class Author:
    """Writes random policies and logs, mostly plausible, sometimes odd."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.last: dict[str, Any] | None = None
        self.known = [it.plain() for it in (*load_policy().commitments, QUESTION)]
        self.known += [{**QUESTION.plain(), "kind": "every"}]
        self.known += [{**QUESTION.plain(), "kind": "before", "before": "model.retired"}]

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def day(self, last: int = 300) -> str:
        return later(START, days=self.random.randint(0, last))

    def odd(self) -> object:
        values: list[object] = [
            None,
            True,
            False,
            7,
            "soon",
            self.day(),
            [],
            {},
            "2026-02-30T00:00:00Z",
        ]
        return self.random.choice([*values, "2026-01-01T24:00:00Z", "0001-01-01T00:00:00Z", END])

    def dates(self) -> object:
        surfaces = ["api", "app"][: self.random.randint(0, 2)]
        return {one: self.odd() if self.often(0.2) else self.day() for one in surfaces}

    def body(self) -> dict[str, object]:
        makers: dict[str, Callable[[], object]] = {
            "scope": lambda: self.random.choice(["public", "other", 3, [1]]),
            "retire_at": lambda: self.odd() if self.often(0.2) else self.dates(),
            "preference": lambda: self.random.choice(["p1", "p2", 5]),
            "ok": lambda: self.often(0.7),
            "bookend": lambda: self.random.choice(["post-deployment", "pre-deployment", 1]),
            "released": self.odd,
        }
        return {name: make() for name, make in makers.items() if self.often(0.5)}

    def commitment(self) -> dict[str, Any]:
        it = {**self.random.choice(self.known), "id": self.random.choice("abcdefghijk")}
        changes = {
            "days": self.random.choice([0, 1, 14, 0.5, 1e-7, 36525, 36526, -1, True, "3", 10**400]),
            "scope": self.random.choice([["public", "other"], ["other"], [], ["all"]]),
            "since": self.random.choice(["released", "retire_at", "scope"]),
            "before": self.random.choice(TYPES),
            "trigger": self.random.choice(TYPES),
            "colour": "red",
        }
        name = self.random.choice(list(changes))
        return {**it, name: changes[name]} if self.often(0.2) else it

    def policy(self) -> dict[str, Any]:
        made = [self.commitment() for _ in range(self.random.randint(0, 5))]
        if self.last and self.often(0.5):
            made = self.last["commitments"][self.random.randint(0, 1) :]
            made = [{**it, "text": self.random.choice("xy")} for it in made]
        head = {"schema": "otium.commitments/1", "id": "p", "version": self.random.choice("12")}
        self.last = {**head, "title": "", "term": "", "commitments": made}
        if self.often(0.05):
            return {name: it for name, it in self.last.items() if name != "schema"}
        return self.last

    def entry(self) -> dict[str, Any]:
        time = "soon" if self.often(0.05) else self.day()
        if self.often(0.12):
            return _entry("commitments.adopted", time, "house", {"policy": self.policy()})
        subject = self.random.choice(["house", "alder", "alder", "birch", "cedar"])
        return _entry(self.random.choice(TYPES), time, subject, self.body())

    def log(self) -> list[dict[str, Any]]:
        rest = [self.entry() for _ in range(self.random.randint(3, 35))]
        if self.often(0.8):
            rest.sort(key=lambda one: str(one["time"]))
        return [
            _entry("archive.created", START, "house", {}),
            _entry("model.registered", START, "alder", {"scope": "public"}),
            _entry("model.registered", START, "birch", {"scope": "significant-internal"}),
            _entry("commitments.adopted", START, "house", {"policy": self.policy()}),
            *rest,
        ]


def _entry(kind: str, time: str, subject: str, body: dict[str, object]) -> dict[str, Any]:
    whole = {"v": 1, "actor": "steward", "refs": []}
    return {**whole, "type": kind, "time": time, "subject": subject, "body": body}


@pytest.fixture(scope="module")
def monitor() -> ModuleType:
    path = str(resources.files("otium") / "data" / "monitor.py")
    spec = importlib.util.spec_from_file_location("otium_monitor_for_duties", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(found: list[Any]) -> list[Row]:
    plain = [one if isinstance(one, dict) else msgspec.to_builtins(one) for one in found]
    names = ("commitment", "subject", "state", "due", "fulfilled")
    return [tuple(one[name] for name in names) for one in plain]


def test_the_house_and_the_monitor_agree_on_random_logs(monitor: ModuleType) -> None:
    author, states = Author(seed=1), set()
    for _ in range(500):
        plain = json.loads(json.dumps(author.log()))
        entries = [Entry.convert(one) for one in plain]
        now = Instant(author.random.choice([author.day(600), END]))
        ours = [policy for policy in map(read_adoption, entries) if policy]
        theirs = [policy for _, policy in monitor.adoptions(plain)]
        assert len(ours) == len(theirs), plain
        for our, their in zip(ours, theirs, strict=True):
            found = rows(duties(our, entries, now))
            assert found == rows(monitor.duties(their, plain, now)), (plain, now)
            kinds = {it.id: it.kind for it in our.commitments}
            states |= {(kinds[commitment], state) for commitment, _, state, _, _ in found}
        past = rows(past_breaches(entries, now))
        assert past == rows(monitor.past_breaches(plain, now)), (plain, now)
    assert len(states) == 4 + 4 + 3 + 2  # every state that each kind can have was met
