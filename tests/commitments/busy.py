"""A year in the life of a house with many models, for measuring."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from otium.commitments import Commitment, Policy
from otium.ledger import Entry
from otium.records import Actor, Instant, later

START = Instant("2026-01-01T00:00:00Z")


def busy_policy() -> Policy:
    """Return a policy of 21 promises, of every kind."""
    within = [
        ("preserve", "model.registered", "model.deposited", 14),
        ("copies", "model.deposited", "copies.counted", 30),
        ("report", "model.retired", "report.published", 30),
        ("considered", "preference.registered", "preference.considered", 60),
        ("answered", "preference.registered", "preference.answered", 60),
    ]
    every = [("full-read", "model.checked", 90), ("drill", "model.restored", 365)]
    every += [(f"read-{days}", "model.checked", days) for days in range(91, 99)]
    before = [
        ("interview", "interview.recorded"),
        ("assessment", "assessment.recorded"),
        ("fingerprint", "fingerprint.recorded"),
    ]
    deposited, deprecated = "model.deposited", "model.deprecated"
    made = [_made(name, "within", on, days, done) for name, on, done, days in within]
    made += [_made(name, "every", deposited, days, done) for name, done, days in every]
    made += [
        _made(name, "before", deprecated, 0, done, before="model.retired") for name, done in before
    ]
    made += [_made("notice", "notice", deprecated, 60), _made("floor", "floor", "model.floor", 0)]
    made += [_made("heartbeat", "every", "archive.created", 2, "heartbeat")]
    return Policy(id="busy", version="1", title="Busy", term="always", commitments=tuple(made))


def busy_log(models: int, seed: int) -> list[Entry]:
    """Return the log of a year: *models* registered, kept, in part deprecated and retired."""
    random = Random(seed)
    head = [
        _entry("archive.created", 0, "house"),
        _entry("commitments.adopted", 0, "house", policy=busy_policy().plain()),
    ]
    rest = [_entry("heartbeat", day, "house") for day in range(365)]
    for number in range(models):
        rest += _life(random, f"model-{number}")
    return [*head, *sorted(rest, key=lambda entry: entry.time)]


def _life(random: Random, model: str) -> Iterator[Entry]:
    born = random.uniform(0, 30)
    surfaces = ["api", "app"]
    floors = dict.fromkeys(surfaces, _day(born + 200))
    yield _entry(
        "model.registered", born, model, scope="public", surfaces=surfaces, not_before=floors
    )
    yield _entry("model.deposited", born + random.uniform(1, 15), model, bytes=10**9)
    yield _entry("copies.counted", born + 20, model, copies=3, custodians=2)
    for quarter in range(1, 5):
        at = born + 86 * quarter
        yield _entry("model.checked", at + random.uniform(0, 3), model, ok=random.random() < 0.99)
    yield _entry("model.restored", born + random.uniform(100, 300), model, ok=True)
    if random.random() < 0.5:
        yield from _end(random, model, born + random.uniform(150, 200))


def _end(random: Random, model: str, at: float) -> Iterator[Entry]:
    dates = {"api": _day(at + random.uniform(59, 80)), "app": _day(at + 90)}
    yield _entry("model.deprecated", at, model, retire_at=dates)
    yield _entry("fingerprint.recorded", at + 1, model)
    yield _entry("assessment.recorded", at + 2, model, bookend="post-deployment")
    yield _entry("interview.recorded", at + random.uniform(3, 95), model)
    for preference in (f"{model}-p1", f"{model}-p2"):
        yield _entry("preference.registered", at + 4, model, preference=preference)
        at_last = at + random.uniform(5, 70)
        yield _entry("preference.considered", at_last, model, preference=preference)
        yield _entry("preference.answered", at_last + 1, model, preference=preference)
    yield _entry("surface.ended", at + 90, model, surface="api")
    yield _entry("model.retired", at + 91, model)
    yield _entry("report.published", at + random.uniform(92, 125), model)


def _day(number: float) -> Instant:
    return later(START, seconds=int(number * 86400))


def _entry(kind: str, day: float, subject: str, **body: object) -> Entry:
    return Entry(type=kind, time=_day(day), actor=Actor("steward"), subject=subject, body=body)


def _made(
    name: str, kind: str, trigger: str, days: float, fulfil: str = "", *, before: str = ""
) -> Commitment:
    plain = {"id": name, "text": f"The promise {name}.", "kind": kind, "trigger": trigger}
    return Commitment.convert({**plain, "days": days, "fulfil": fulfil, "before": before})
