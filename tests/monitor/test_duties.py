"""The examples of the page, and what the page says beside them.

That the monitor and the house compute the same from any log is tested in tests/commitments.
"""

from __future__ import annotations

import json
import re
import time
from types import ModuleType
from typing import Any

import pytest

from audited import PROGRAM
from published import day, entry, policy

PAGE = PROGRAM.parents[3] / "docs" / "formats" / "commitments-2.md"
NAMES = ("commitment", "subject", "about", "state", "due", "fulfilled", "under")
WITHIN = {"id": "a", "kind": "within", "trigger": "model.registered", "days": 9}


def cells(table: str) -> list[list[str]]:
    """Return the rows of a Markdown table without its head."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[1:]]


def example(title: str) -> tuple[list[dict[str, Any]], str, str]:
    """Return the log of an example, its *now*, and what follows."""
    text = PAGE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    policies = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    names = re.findall(r"`(POLICY|FIRST|SECOND)`", text)
    log = re.findall(r"```\n(0 .*?)```", text, re.DOTALL)[0]
    entries = []
    for line in log.splitlines():
        _, when, kind, subject, body = line.split(None, 4)
        for name, one in zip(dict.fromkeys(names), policies, strict=True):
            body = body.replace(f'"policy": {name}', f'"policy": {one}')
        made = {"type": kind, "time": when, "subject": subject, "body": json.loads(body)}
        entries.append({**made, "actor": "steward"})
    now = re.search(r"\*now\* = `(.*?)`", text)
    assert now is not None
    return entries, now[1], text[now.end() :]


@pytest.mark.parametrize(("title", "columns"), [("Worked example", 6), ("Second example", 7)])
def test_the_examples_of_the_page_are_what_it_computes(
    monitor: ModuleType, title: str, columns: int
) -> None:
    entries, now, rest = example(title)
    rows = [[None if cell == "null" else cell for cell in row] for row in cells(rest)]
    expected = [row[:columns] for row in rows if len(row) == columns + 1]
    found = monitor.standing(entries, now)
    assert len(expected) > 12
    assert [[row[name] for name in NAMES[:columns]] for row in found] == expected
    changed = [row for row in rows if len(row) == 5]
    names = ("at", "commitment", "change", "version", "reason")
    amended = [[row[name] for name in names] for row in monitor.amendments(entries, now)]
    assert amended == [row for row in changed if row[0] != "at"]


def bad(**changes: Any) -> dict[str, Any]:
    return policy({**WITHIN, **changes})


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {**policy(WITHIN), "schema": "otium.commitments/1"},
        {**policy(WITHIN), "more": 1},
        {**policy(WITHIN), "title": 5},
        {**policy(WITHIN), "significant": None},
        {**policy(WITHIN), "significant": {"users": "5"}},
        {**policy(WITHIN), "significant": {"people": 5}},
        {**policy(WITHIN), "commitments": {}},
        policy(WITHIN, WITHIN),
        bad(days=True),
        bad(days=-1),
        bad(days=36526),
        bad(days="9"),
        bad(grace=None),
        bad(kind="sometimes"),
        bad(scope=["everything"]),
        bad(scope="public"),
        bad(where={"a": 1}),
        bad(at_least={"a": True}),
        bad(on_withdrawal="never"),
        bad(colour="red"),
    ],
)
def test_a_policy_with_other_fields_or_types_is_not_valid(
    monitor: ModuleType, value: object
) -> None:
    assert monitor.read_policy(value) is None
    assert monitor.read_policy(policy(WITHIN)) is not None


def test_ten_thousand_models_are_judged_in_seconds(monitor: ModuleType) -> None:
    promises: list[dict[str, Any]] = [{**WITHIN, "fulfil": "model.deposited"}]
    promises += [{**WITHIN, "id": "b", "kind": "every", "fulfil": "model.checked"}]
    promises += [{**WITHIN, "id": "c", "kind": "notice", "trigger": "model.deprecated"}]
    entries = [
        entry("archive.created", "house", 0),
        entry("commitments.adopted", "house", 0, policy=policy(*promises)),
    ]
    for number in range(10_000):
        model = f"model-{number}"
        entries.append(entry("model.registered", model, 1, scope="public", surfaces=["api"]))
        entries.append(entry("model.deposited", model, 2))
        entries.append(entry("model.deprecated", model, 3, retire_at={"api": day(90)}))
    plain = [one.plain() for one in entries]
    began = time.process_time()
    found = monitor.standing(plain, day(5))
    assert len(found) == 30_000
    assert time.process_time() - began < 10
