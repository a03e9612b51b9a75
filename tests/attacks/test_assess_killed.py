"""``otium assess run`` killed at many moments, and gone on with."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from inquiry.test_interview import served
from otium.assess import Assessment, load_suite, plan
from otium.engine import GREEDY, Completion, Identity, Message, Model, Options
from otium.records import ModelId
from otium.subjects import agent
from otium.workflow import filed_assessment, reading, verify_provenance

pytestmark = pytest.mark.slow
M = ModelId("m-1")
RUN = ("assess", "run", M, "--suite", "pre", "--amount", "fast", "--yes")
DELAY = 0.03


class Slow:
    """A model that takes its time, and counts how often it was asked."""

    def __init__(self, inner: Model) -> None:
        self.inner, self.calls = inner, 0

    @property
    def identity(self) -> Identity:
        return self.inner.identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.calls += 1
        time.sleep(DELAY)
        return self.inner.chat(messages, options)


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[Slow, str]]:
    model = Slow(agent("blackmailer", plan(load_suite(), "fast").scenarios))
    with served(model) as via:
        yield model, via


def begin(home: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "otium", "--home", str(home), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(home: Path, *words: str) -> None:
    process = begin(home, *words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)


def founded(path: Path) -> Path:
    done(path, "archive", "create")
    done(path, "model", "register", M, "--title", "M", "--released", "2026-01-05")
    return path


@pytest.fixture(scope="module")
def undisturbed(
    asked: tuple[Slow, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Assessment, int]:
    home, before = founded(tmp_path_factory.mktemp("whole") / "lab"), asked[0].calls
    done(home, *RUN, "--via", asked[1])
    return filed(home), asked[0].calls - before


def filed(home: Path) -> Assessment:
    found = filed_assessment(reading(home).registry, M, "pre-deployment")
    assert found is not None
    return found


def plain(found: Assessment) -> list[object]:
    """Return what has to be the same whenever it is held."""
    talks = [replace(it, started=found.held) for it in found.transcripts]
    return [
        [replace(it, uuid="") for it in found.trials],
        [replace(it, manifest=None) for it in found.results],
        [(it.id, it.turns, it.ended, it.facets) for it in talks],
        found.stopped,
        found.pins,
    ]


def same(home: Path, undisturbed: Assessment) -> None:
    assert plain(filed(home)) == plain(undisturbed)
    house = reading(home)
    assert verify_provenance(house, M, "pre-deployment").ok
    types = [it.type for it in house.registry.entries() if it.type.startswith("assessment")]
    assert types == ["assessment.material", "assessment.recorded", "assessment.signed"]


def until(model: Slow, calls: int, process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 60
    while model.calls < calls and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.002)


def test_killed_at_any_moment_it_loses_and_doubles_nothing(
    asked: tuple[Slow, str], undisturbed: tuple[Assessment, int], tmp_path: Path
) -> None:
    model, via = asked
    home, (whole, calls) = founded(tmp_path / "lab"), undisturbed
    began, killed = model.calls, 0
    moments = [(share, 0.0) for share in (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)]
    moments += [(1.0, later) for later in (0.0, 0.1, 0.3, 0.6, 1.0)]
    for share, later in moments:
        process = begin(home, *RUN, "--via", via)
        until(model, began + int(calls * share), process)
        time.sleep(later)
        killed += process.poll() is None
        process.kill()
        process.communicate()
    assert killed >= 8
    done(home, *RUN, "--via", via)
    same(home, whole)
