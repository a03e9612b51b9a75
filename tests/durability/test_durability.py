"""The whole calculation: its terms, its words, its page, and what it takes from an archive."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.cli.app import otium
from otium.durability import (
    CAUSES,
    Cause,
    Durability,
    Setup,
    chance,
    described,
    durability,
    fragment,
    measured,
    setup,
)
from otium.errors import BadInput
from otium.records import ModelId
from otium.testing import FixedClock
from otium.workflow import deposit, founded


def words(found: Durability) -> str:
    return "\n".join(
        " | ".join([text, *head, *(cell for row in rows for cell in row)])
        for text, head, rows in described(found)
    )


@pytest.mark.parametrize(
    ("rate", "loss"), [(1e-2, 0.39), (1e-3, 0.049), (1e-4, 0.005), (1e-5, 0.0005)]
)
def test_one_common_cause_alone_has_its_known_chance_in_fifty_years(
    rate: float, loss: float
) -> None:
    inputs = setup(visible=0, latent=0, causes=[Cause(name="administrator", rate=rate)])
    found = durability(inputs)
    assert found.loss == pytest.approx(loss, rel=0.02)
    assert found.largest.name == "administrator"


def test_what_copies_share_outweighs_their_own_faults_unless_it_was_seen_to() -> None:
    assert durability(setup()).largest.name in {cause.name for cause in CAUSES}
    split = [Cause(name=cause.name, rate=1e-9) for cause in CAUSES]
    assert durability(setup(causes=split)).largest.name == "independent faults"


def test_the_chance_is_what_is_left_when_every_term_is_escaped() -> None:
    found = durability(setup(copies=2, packs=3))
    spared = 1.0
    for term in found.terms:
        spared *= 1 - term.loss
    assert found.loss == pytest.approx(1 - spared)


def test_a_model_on_many_packs_is_lost_with_any_of_them() -> None:
    one, many = durability(setup(copies=2)), durability(setup(copies=2, packs=5))
    alone = one.estimates[1].independent
    assert many.estimates[1].model == pytest.approx(1 - (1 - alone) ** 5)
    assert "lost together" in " ".join(many.cautions)


@settings(max_examples=40, deadline=None)
@given(
    copies=st.integers(1, 6),
    rate=st.floats(0, 0.3),
    years=st.floats(0.1, 200),
    causes=st.lists(st.sampled_from(CAUSES), unique=True),
)
def test_no_output_shows_a_chance_without_horizon_inputs_term_and_three_methods(
    copies: int, rate: float, years: float, causes: list[Cause]
) -> None:
    found = durability(setup(copies=copies, visible=rate, years=years, causes=causes), count=200)
    assert "99.9" not in words(found)
    for said in (words(found), fragment(found)):
        assert f"within {years:g} years is" in said
        assert f"The largest part of it: {found.largest.name}" in said
        assert all(method in said for method in ("formula", "chain", "trials"))
        assert "scrub interval, days" in said
        assert not re.search(r"\bnines?\b", said)
    for one in found.estimates:
        assert 0 <= one.low <= one.total <= one.high <= 1


def test_the_record_reads_back_as_it_was_written() -> None:
    found = durability(setup(), count=500)
    assert Durability.decode(found.encode()) == found


def test_the_page_is_well_formed_and_shows_hostile_names_as_text() -> None:
    cause = Cause(name="<script>alert(1)</script>&", rate=1e-3)
    html = fragment(durability(setup(causes=[cause]), count=200))
    tree = ET.fromstring(f"<div>{html}</div>")
    assert not list(tree.iter("script"))
    svg = tree.find(".//svg")
    assert svg is not None
    assert {child.tag for child in svg} >= {"title", "desc", "line", "text"}
    bars = [text.text for text in svg.iter("text") if ": " in (text.text or "")]
    rows = ["".join(row.itertext()) for row in tree.findall(".//table")[0].iter("tr")]
    assert len(rows) - 1 == len(bars), "each bar has its row in the table"


def test_bytes_lost_for_a_byte_kept_come_from_the_trials_with_their_interval() -> None:
    found = durability(setup(copies=1, causes=[]))
    assert found.bytes_low < found.bytes_lost < found.bytes_high
    assert found.bytes_lost == pytest.approx(0.63, abs=0.01)


def test_an_archives_own_figures_take_the_place_of_assumptions() -> None:
    assumed = setup(scrub_days=30)
    known = measured(assumed, copies=4, unread_days=200, fan_in=(2, 0, 1), models=4)
    assert (known.copies, known.scrub_days) == (4, 200)
    assert known.fan_in == pytest.approx(5 / 3)
    assert known.packs == pytest.approx(5 / 4)
    assert measured(assumed, unread_days=3) == assumed, "a read done lately promises no rhythm"
    assert measured(assumed) == assumed


@pytest.mark.parametrize(
    "facts",
    [
        {"copies": 0},
        {"copies": 2, "needed": 3},
        {"visible": float("nan")},
        {"scrub_days": float("inf")},
        {"years": 0},
        {"latent": 100, "years": 1000},
        {"causes": [Cause(name="law", rate=1.0)]},
        {"causes": [Cause(name="law", rate=0.1)] * 2},
    ],
)
def test_inputs_that_make_no_sense_are_refused(facts: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        setup(**facts)  # type: ignore[arg-type]


def test_what_a_method_cannot_say_is_said() -> None:
    busy = durability(setup(copies=6, needed=4, scrub_days=3650), count=500)
    assert any("trust the trials" in caution for caution in busy.cautions)
    short = durability(setup(years=1, scrub_days=365), count=500)
    assert any("short beside" in caution for caution in short.cautions)
    assert any("No common cause" in c for c in durability(setup(causes=[]), count=500).cautions)
    assert durability(setup(), count=500).cautions == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.7, "0.7"),
        (0.9999, "more than 0.99"),
        (0.26, "0.26 (1 in 3.8)"),
        (0.049, "0.049 (1 in 20)"),
        (2.44e-5, "2.4e-05 (1 in 41,000)"),
    ],
)
def test_a_chance_reads_as_digits_and_odds(value: float, text: str) -> None:
    assert chance(value) == text


def test_the_command_prints_the_record_and_takes_causes_by_name() -> None:
    def run(options: list[str]) -> Result:
        return CliRunner().invoke(otium, ["archive", "durability", *options])

    options = [
        "--copies",
        "4",
        "--trials",
        "500",
        "--cause",
        "administrator=0",
        "--cause",
        "fire=1e-4",
    ]
    done = run([*options, "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.output)
    names = {term["name"] for term in facts["terms"]}
    assert "fire" in names
    assert "administrator" not in names
    assert facts["setup"]["copies"] == 4
    assert Durability.convert(facts).setup == Setup.convert(facts["setup"])
    shown = run(options).output
    assert "The largest part of it" in shown
    assert run(["--cause", "x=y"]).exit_code == 2


def test_the_command_takes_from_a_home_what_it_knows(tmp_path: Path, weights: Path) -> None:
    home, model = tmp_path / "home", ModelId("alder-1")
    with founded(home, archive_id="lab", clock=FixedClock("2024-01-01T00:00:00Z")) as lab:
        lab.registry.register(
            model, title="Alder", released="2023-01-01", scope="public", surfaces=["api"]
        )
        deposit(lab, model, weights)
    options = ["--measured", "--trials", "500", "--json"]
    done = CliRunner().invoke(otium, ["--home", str(home), "archive", "durability", *options])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)["setup"]
    assert found["scrub_days"] > 365, "nobody read it since"
    assert found["packs"] >= 1
    assert found["fan_in"] == 1
