"""Random policies and logs, mostly plausible, sometimes odd."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from commitments.promised import BEFORE, EVERY, FLOOR, NOTICE, START, WITHIN, changed, day
from otium.commitments import Commitment, load_policy
from otium.records import Instant

END = Instant("9999-12-31T23:59:59Z")
TYPES = [
    "model.registered",
    "model.deposited",
    "model.checked",
    "model.deprecated",
    "model.deprecated",
    "model.rescheduled",
    "model.floor",
    "deprecation.cancelled",
    "surface.ended",
    "model.retired",
    "model.withdrawn",
    "model.restored",
    "model.used",
    "copies.counted",
    "interview.recorded",
    "preference.registered",
    "preference.considered",
    "heartbeat",
    "assessment.recorded",
    "fingerprint.recorded",
    "report.published",
    "transition.published",
    "audit.verdict",
    "duty.waived",
]
ASKED = changed(WITHIN, trigger="preference.registered", fulfil="preference.considered", days=30)
COUNTED = changed(
    WITHIN, trigger="model.deposited", fulfil="copies.counted", at_least={"copies": 3}
)
MADE: list[Commitment] = [
    *load_policy().commitments,
    *(WITHIN, BEFORE, EVERY, NOTICE, NOTICE, FLOOR, FLOOR, ASKED, COUNTED),
    changed(ASKED, kind="every"),
    changed(ASKED, kind="before", before="model.retired"),
    changed(EVERY, trigger="model.registered", since="released", days=20),
    *[changed(EVERY, trigger="model.registered", days=days) for days in (90, 150, 200)],
    *[changed(EVERY, trigger="archive.created", fulfil="heartbeat", days=d) for d in (90, 200)],
    changed(WITHIN, trigger="model.retired", fulfil="report.published"),
    changed(BEFORE, on_withdrawal="after", grace=20),
    changed(BEFORE, trigger="model.registered", on_withdrawal="after", grace=20),
    changed(BEFORE, trigger="model.retired"),
    changed(BEFORE, before="model.deprecated", fulfil="transition.published"),
    changed(NOTICE, on_withdrawal="lapses", days=30),
    changed(FLOOR, on_withdrawal="lapses"),
]
SURFACES = ["api", "app", "partner:east"]
IDS = "abcdefghijk"


class Author:
    """Writes random policies and logs."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.last: dict[str, Any] | None = None
        self.known = [it.plain() for it in MADE]

    def log(self) -> list[dict[str, Any]]:
        """Return a log: usually of a few models, usually in order of time."""
        rest = [self._entry() for _ in range(self.random.randint(3, 45))]
        if self.often(0.8):
            rest.sort(key=lambda one: str(one["time"]))
        alder: dict[str, object] = {"scope": "public", "surfaces": ["api", "app"]}
        birch: dict[str, object] = {"scope": self.random.choice(["internal", "partner", "other"])}
        return [
            _entry("archive.created", START, "house", {}),
            _entry("model.registered", START, "alder", {**alder, "not_before": self._dates()}),
            _entry("model.registered", START, "birch", {**birch, "surfaces": ["internal"]}),
            _entry("commitments.adopted", START, "house", {"policy": self._policy()}),
            *rest,
        ]

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def day(self, last: int = 300) -> Instant:
        return day(self.random.randint(0, last))

    def _odd(self) -> object:
        values: list[object] = [None, True, False, 7, "soon", self.day(), [], {}, "", END]
        values += ["2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "0001-01-01T00:00:00Z"]
        return self.random.choice(values)

    def _dates(self) -> object:
        if self.often(0.1):
            return self._odd()
        named = self.random.sample(SURFACES, self.random.randint(0, 3))
        return {one: self._odd() if self.often(0.15) else self.day(400) for one in named}

    def _body(self) -> dict[str, object]:
        pick = self.random.choice
        makers: dict[str, Callable[[], object]] = {
            "scope": lambda: pick(["public", "internal", "other", 3, [1]]),
            "surfaces": lambda: pick([["api"], ["app", 7, "api"], [], "api", None]),
            "surface": lambda: pick([*SURFACES, "other", 7]),
            "retire_at": self._dates,
            "not_before": self._dates,
            "preference": lambda: pick(["p1", "p1", "p2", 5, None]),
            "ok": lambda: self.often(0.7),
            "bookend": lambda: pick(["post-deployment", "pre-deployment", 1]),
            "verdict": lambda: pick(["passed", "failed"]),
            "copies": lambda: pick([1, 3, 4.5, "3", True]),
            "custodians": lambda: pick([1, 2, 3]),
            "users": lambda: pick([10, 60, 60.5, "60", True, None]),
            "requests_per_day": lambda: pick([10, 2000, False]),
            "released": self._odd,
            "reason": lambda: pick(["because", 7]),
        }
        return {name: make() for name, make in makers.items() if self.often(0.45)}

    def _waiver(self) -> dict[str, object]:
        promised = [it["id"] for it in self.last["commitments"]] if self.last else []
        body: dict[str, object] = {"commitment": self.random.choice([*promised * 3, *IDS])}
        if self.often(0.6):
            body["until"] = self.day(900) if self.often(0.9) else self._odd()
        if self.often(0.15):
            body["preference"] = self.random.choice(["p1", "p2", 5, None])
        if self.often(0.25):
            body["surface"] = self.random.choice([*SURFACES, 7, "", None])
        return {} if self.often(0.05) else body

    def _commitment(self, name: str) -> dict[str, Any]:
        it = {**self.random.choice(self.known), "id": name}
        changes: dict[str, list[object]] = {
            "days": [0, 1, 14, 0.5, 1e-7, 36525, 36526, -1, True, "3", 10**400],
            "grace": [0, 0.5, 36526, None],
            "scope": [["public", "other"], ["other"], ["internal"], [], ["all"]],
            "since": ["released", "retire_at", "scope"],
            "before": list(TYPES),
            "trigger": list(TYPES),
            "fulfil": list(TYPES),
            "on_withdrawal": ["same", "lapses", "after", "never"],
            "where": [{}, {"bookend": "post-deployment"}, {"ok": 1}],
            "at_least": [{"copies": 2}, {"users": 11.5, "copies": 3}, {"copies": True}, []],
            "kind": ["within", "every", "before", "notice", "floor", "sometime"],
            "colour": ["red"],
        }
        field = self.random.choice(list(changes))
        return {**it, field: self.random.choice(changes[field])} if self.often(0.2) else it

    def _policy(self) -> dict[str, Any]:
        names = self.random.sample(IDS, self.random.randint(0, 6))
        made = [self._commitment(name) for name in names]
        if self.last and self.often(0.6):
            made = self.last["commitments"][self.random.randint(0, 2) :]
            made = [{**it, "text": self.random.choice("xy")} for it in made]
            made += [self._commitment("l")] if self.often(0.3) else []
        head = {"schema": "otium.commitments/2", "id": "p", "version": self.random.choice("123")}
        limits = [{}, {"users": 50}, {"users": 50, "requests_per_day": 1000}, {"users": "50"}]
        significant = {"significant": self.random.choice(limits)} if self.often(0.7) else {}
        self.last = {**head, "title": "", "term": "", **significant, "commitments": made}
        if self.often(0.05):
            return {name: it for name, it in self.last.items() if name != "schema"}
        return self.last

    def _entry(self) -> dict[str, Any]:
        time = "soon" if self.often(0.05) else self.day()
        if self.often(0.12):
            body = {"policy": self._policy(), "reason": self.random.choice(["because", 7])}
            return _entry("commitments.adopted", time, "house", body)
        subject = self.random.choice(
            ["house", "alder", "alder", "alder", "birch", "birch", "cedar"]
        )
        kind = self.random.choice(TYPES) if self.often(0.85) else "duty.waived"
        body = self._waiver() if kind == "duty.waived" else self._body()
        return _entry(kind, time, subject, body)


def _entry(kind: str, time: str, subject: str, body: dict[str, object]) -> dict[str, Any]:
    whole = {"v": 1, "actor": "steward", "refs": []}
    return {**whole, "type": kind, "time": time, "subject": subject, "body": body}
