"""The worked examples of the format page, as data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from otium.commitments import Policy
from otium.ledger import Entry
from otium.records import Actor, Instant

_PAGE = Path(__file__).parents[2] / "docs" / "formats" / "commitments-2.md"
_NAMES = {"Worked example": ["POLICY"], "Second example": ["FIRST", "SECOND"]}


class Example(NamedTuple):
    """What an example of the page says."""

    policies: list[Policy]
    entries: list[Entry]
    now: Instant
    tables: list[list[list[str]]]
    """The cells of each table of results, without its head."""


def example(title: str) -> Example:
    """Read one example of the page."""
    _, _, text = _PAGE.read_text().partition(f"\n## {title}\n")
    text = text.partition("\n## ")[0]
    found = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    plain = dict(zip(_NAMES[title], found, strict=True))
    (log,) = re.findall(r"```\n(0 .*?)```", text, re.DOTALL)
    (now,) = re.findall(r"\*now\* = `([^`]+)`:", text)
    tables = re.findall(r"\|---.*\n((?:\|.*\n?)+)", text)
    return Example(
        policies=[Policy.convert(json.loads(one)) for one in found],
        entries=[_entry(line, plain) for line in log.splitlines()],
        now=Instant(now),
        tables=[[_cells(row) for row in table.splitlines()] for table in tables],
    )


def _entry(line: str, policies: dict[str, str]) -> Entry:
    _, time, kind, subject, body = line.split(maxsplit=4)
    for name, policy in policies.items():
        body = body.replace(f'"policy": {name}', f'"policy": {policy}')
    return Entry(
        type=kind,
        time=Instant(time),
        actor=Actor("steward"),
        subject=subject,
        body=json.loads(body),
    )


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]
