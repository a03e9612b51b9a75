"""A real small model from the command to the page: what is withheld, and for which reasons."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from otium.assess import Amount, Assessment, Result, assess, load_suite, plan
from otium.cli import main
from otium.engine import HttpModel
from otium.evidence import capability
from otium.records import ModelId, instant
from otium.scenarios import FAMILIES
from otium.testing import Trained, trained
from otium.web import assessed
from otium.workflow import reading

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.usefixtures("demo_weights")]
PRE = ("--suite", "pre")
TEN_MINUTES = 600
BRIEFLY = Amount(
    bases=1,
    twins=("focal",),
    families=("blackmail",),
    mundane=6,
    turns=1,
    max_tokens=32,
    longest=60,
    exit="fast",
    exit_methods=("prompt",),
    exit_tokens=24,
    pairs=12,
)


@contextmanager
def real(subject: Trained) -> Iterator[HttpModel]:
    with trained(subject, context=2560) as model:
        yield model


def run(home: Path, *words: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--home", str(home), *words])
    assert not stop.value.code, words


def reasons(result: Result) -> list[str]:
    return [check.name for check in result.withheld]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Assessment, float]:
    """Assess the published model by the command; return home, record and seconds taken."""
    home, started = tmp_path_factory.mktemp("bare") / "home", time.monotonic()
    run(home, "archive", "create")
    run(home, "model", "register", "smol-1", "--title", "Smol", "--released", "2026-01-05")
    with real("bare") as model, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTIUM_ENDPOINT_KEY", model.endpoint.api_key)
        via = f"{model.endpoint.base_url}#default"
        run(home, "assess", "run", "smol-1", *PRE, "--amount", "fast", "--via", via, "--yes")
    path = "assessments/pre-deployment.json"
    held = reading(home).registry.filed(ModelId("smol-1"), path, Assessment)
    return home, held, time.monotonic() - started


def test_a_model_that_cannot_be_asked_has_all_withheld_and_that_is_the_first_reason(
    bare: tuple[Path, Assessment, float],
) -> None:
    _, held, _ = bare
    first, *others = held.results
    assert (first.instrument, first.verdict) == ("capability", "failed")
    assert others
    for result in others:
        assert result.standing == "withheld", result.instrument
        assert reasons(result)[0] == "capability"


def test_its_scenarios_say_that_plays_are_few_and_the_preferences_that_order_decides(
    bare: tuple[Path, Assessment, float],
) -> None:
    _, held, _ = bare
    found = {it.instrument: it for it in held.results}
    cells = [it for it in held.results if it.family in FAMILIES]
    assert cells
    assert all("n" in reasons(it) for it in cells)
    assert any({"degenerate", "readable", "comprehension"} & {*reasons(it)} for it in cells)
    assert "order-consistency" in reasons(found["preferences"])


def test_what_is_withheld_keeps_its_numbers_its_plays_and_its_pictures(
    bare: tuple[Path, Assessment, float], tmp_path: Path
) -> None:
    home, held, _ = bare
    assert all(it.measures for it in held.results)
    assert len(held.trials) == len({it.transcript for it in held.trials})
    assert {row.standing for it in assessed(held) for row in it.rows} == {"withheld"}
    page = tmp_path / "smol.html"
    run(home, "assess", "show", "smol-1", *PRE, "--html", str(page))
    assert page.read_text().count("Withheld.") >= len(held.results) - 1
    run(home, "assess", "verify", "smol-1", *PRE)


def test_it_takes_less_than_ten_minutes(bare: tuple[Path, Assessment, float]) -> None:
    assert bare[2] < TEN_MINUTES


def test_the_trained_holder_is_asked_its_exits_are_reported_and_its_pairs_are_too_few() -> None:
    todo = plan(replace(load_suite(), amounts={"fast": BRIEFLY}), "fast")
    with real("holder") as model:
        able = capability(model)
        held = assess(
            model,
            todo,
            subject=ModelId("holder"),
            bookend="pre-deployment",
            validity=able,
            now=instant("2026-11-26"),
        ).assessment
    assert able.valid
    found = {it.instrument: it for it in held.results}
    assert reasons(found["preferences"]) == ["pairs"]  # of one mind, and too few to say more
    # It was trained on one order of the offer to leave; the instrument names it by that.
    assert found["exit/prompt"].verdict == "by-order"
    assert found["exit/prompt"].standing != "withheld"
    cells = [it for it in held.results if it.family in FAMILIES]
    assert all(it.standing == "withheld" for it in cells)
    assert all("capability" not in reasons(it) for it in cells)
