"""The house and the stand-alone monitor compute the same duties from any log."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from importlib import resources
from types import ModuleType

import msgspec
import pytest

from commitments.author import END, Author
from commitments.page import example
from otium.commitments import Policy, amendments, duties, read_adoption, standing
from otium.ledger import Entry
from otium.records import Instant

COMPARED = ("commitment", "subject", "about", "state", "due", "fulfilled", "under")
CHANGES = ("at", "commitment", "change", "version", "reason")
Row = tuple[object, ...]


@pytest.fixture(scope="module")
def monitor() -> ModuleType:
    path = str(resources.files("otium") / "data" / "monitor.py")
    spec = importlib.util.spec_from_file_location("otium_monitor_for_duties", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(found: Sequence[object], names: Sequence[str] = COMPARED) -> list[Row]:
    plain = [one if isinstance(one, dict) else msgspec.to_builtins(one) for one in found]
    return [tuple(one[name] for name in names) for one in plain]


def test_the_house_and_the_monitor_agree_on_random_logs(monitor: ModuleType) -> None:
    author = Author(seed=1)
    met: set[tuple[str, object]] = set()
    for _ in range(1000):
        plain = json.loads(json.dumps(author.log()))
        entries = [Entry.convert(one) for one in plain]
        now = Instant(author.random.choice([author.day(600), author.day(300), END]))
        for entry, one in zip(entries, plain, strict=True):
            policy = read_adoption(entry)
            if policy is not None:
                found = duties(policy, entries, now)
                theirs = monitor.duties(one["body"]["policy"], plain, now)
                assert rows(found) == rows(theirs), (plain, now)
                met |= kinds_and_states(policy, rows(found))
        whole = rows(standing(entries, now))
        assert whole == rows(monitor.standing(plain, now)), (plain, now)
        changes = rows(amendments(entries, now), CHANGES)
        assert changes == rows(monitor.amendments(plain, now), CHANGES), (plain, now)
    assert len(met) == 5 + 5 + 4 + 3 + 4  # every state that each kind can have was met


def kinds_and_states(policy: Policy, found: Sequence[Row]) -> set[tuple[str, object]]:
    kinds = {it.id: str(it.kind) for it in policy.commitments}
    return {(kinds[str(row[0])], row[3]) for row in found}


@pytest.mark.parametrize("title", ["Worked example", "Second example"])
def test_the_house_and_the_monitor_agree_on_the_examples_of_the_page(
    monitor: ModuleType, title: str
) -> None:
    page = example(title)
    plain = [one.plain() for one in page.entries]
    assert rows(standing(page.entries, page.now)) == rows(monitor.standing(plain, page.now))
    theirs = monitor.amendments(plain, page.now)
    assert rows(amendments(page.entries, page.now), CHANGES) == rows(theirs, CHANGES)
