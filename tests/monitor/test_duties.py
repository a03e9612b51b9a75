from __future__ import annotations

import json
import re
from types import ModuleType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audited import PROGRAM
from otium.ledger import Entry
from otium.lifecycle import Policy, duties, past_breaches, policy_in_force
from otium.records import Actor, Instant, later

PAGE = PROGRAM.parents[3] / "docs" / "formats" / "commitments-1.md"
START = Instant("2026-01-01T00:00:00Z")
COMPARED = ("commitment", "subject", "state", "due", "fulfilled")


def compared(duty: Any) -> tuple[object, ...]:
    return tuple(duty[name] for name in COMPARED)


def test_the_worked_example_of_the_page_is_what_it_computes(monitor: ModuleType) -> None:
    text = PAGE.read_text().partition("## Worked example")[2]
    parts = re.search(r"```json\n(.*?)```.*?```\n(.*?)```(.*)", text, re.DOTALL)
    assert parts is not None
    policy, log, rest = parts.groups()
    entries = []
    for line in log.splitlines():
        _, time, kind, subject, body = line.split(None, 4)
        body = json.loads(body.replace("POLICY", policy))
        entries.append({"type": kind, "time": time, "subject": subject, "body": body})
    now = re.search(r"\*now\* = `(.*?)`", rest)[1]  # type: ignore[index]
    rows = [row.split(" | ") for row in re.findall(r"^\| (.*) \|$", rest, re.MULTILINE)[1:]]
    expected = [tuple(None if cell == "null" else cell for cell in row[:5]) for row in rows]
    assert len(expected) > 10
    found = monitor.duties(json.loads(policy), entries, now)
    assert [compared(duty) for duty in found] == expected


TYPES = (
    "archive.created",
    "model.registered",
    "model.deposited",
    "model.checked",
    "model.deprecated",
    "assessment.recorded",
    "model.retired",
    "preference.registered",
    "preference.considered",
    "commitments.adopted",
    "heartbeat",
)
SUBJECTS = ("house", "alder", "birch", "cedar")
day = st.integers(-5, 120)
times = st.one_of(
    day.map(lambda number: later(START, days=number)),
    st.tuples(day, st.integers(-1, 1)).map(lambda x: later(START, days=x[0], seconds=x[1])),
    st.sampled_from(["", "2026-02-30T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01"]),
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "scope": st.sampled_from(["public", "other", "significant-internal", 3]),
        "ok": st.sampled_from([True, False, 0, None]),
        "bookend": st.sampled_from(["pre-deployment", "post-deployment"]),
        "preference": st.sampled_from(["p1", "p2", 7]),
        "released": times,
        "retire_at": st.one_of(
            st.dictionaries(st.sampled_from(["api", "app"]), times, max_size=2), st.just("soon")
        ),
    },
)


@st.composite
def commitments(draw: st.DrawFn, number: int) -> dict[str, object]:
    kind = draw(st.sampled_from(["within", "before", "every", "notice"]))
    made: dict[str, object] = {
        "id": f"c{number}",
        "text": draw(st.sampled_from(["", "words"])),
        "kind": kind,
        "trigger": draw(st.sampled_from([*TYPES[:2], *TYPES[4:8]])),
        "days": draw(st.sampled_from([0, 0.5, 1, 7, 30, 60, 36525])),
        "fulfil": "" if kind == "notice" else draw(st.sampled_from(TYPES)),
    }
    if draw(st.booleans()):
        made["where"] = draw(st.sampled_from([{}, {"bookend": "post-deployment"}]))
    if kind == "before" or draw(st.booleans()):
        made["before"] = draw(st.sampled_from(["model.retired", "heartbeat", ""]))
    if draw(st.booleans()):
        made["since"] = draw(st.sampled_from(["time", "released"]))
        made["scope"] = draw(st.sampled_from([["public"], ["public", "other"], []]))
    return made


@st.composite
def policies(draw: st.DrawFn) -> dict[str, object]:
    return {
        "schema": "otium.commitments/1",
        "id": "p",
        "version": draw(st.sampled_from(["1", "2"])),
        "title": "P",
        "term": "t",
        "commitments": [draw(commitments(n)) for n in range(draw(st.integers(0, 4)))],
    }


@st.composite
def logs(draw: st.DrawFn) -> list[dict[str, Any]]:
    choices = draw(st.lists(policies(), min_size=1, max_size=3))
    size = draw(st.integers(0, 25))
    made = []
    for number in range(size):
        kind = draw(st.sampled_from(TYPES)) if number else "archive.created"
        body = draw(bodies)
        if kind == "commitments.adopted":
            broken = [None, {**choices[0], "more": 1}, {**choices[0], "id": 5}]
            body = {"policy": draw(st.sampled_from([*choices * 3, *broken]))}
        subject = draw(st.sampled_from(SUBJECTS)) if number else "house"
        made.append({"type": kind, "time": draw(times), "subject": subject, "body": body})
    return made


def as_entries(log: list[dict[str, Any]]) -> list[Entry]:
    return [Entry(actor=Actor("steward"), **entry) for entry in log]


@settings(max_examples=100, deadline=None)
@given(logs(), day, st.booleans())
def test_it_computes_on_any_log_what_the_house_computes(
    monitor: ModuleType, log: list[dict[str, Any]], when: int, sort: bool
) -> None:
    now = later(START, days=when)
    if sort:
        log.sort(key=lambda entry: entry["time"])
    entries = as_entries(log)
    past = [compared(duty.plain()) for duty in past_breaches(entries, now)]
    assert [compared(duty) for duty in monitor.past_breaches(log, now)] == past
    adopted = monitor.adoptions(monitor.Log(log, now).entries)
    policy = policy_in_force(entries[: len(monitor.Log(log, now).entries)])
    assert (adopted[-1][1] if adopted else None) == (policy and filled(policy))
    for _, one in adopted:
        mine = duties(Policy.convert(one), entries, now)
        theirs = monitor.duties(one, log, now)
        assert [compared(duty) for duty in theirs] == [compared(duty.plain()) for duty in mine]


def filled(policy: Policy) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(policy.encode())
    return plain
