"""Both bookends filed, signed, verified and judged again, in a home of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from assess.plays import Counting
from awareness.planted import Judging, careful
from cli.said import Say
from inquiry.test_interview import served
from otium.assess import Assessment, Means, Provenance, differences, load_suite, plan
from otium.errors import BadInput, EvaluationFailed
from otium.ledger import Entry
from otium.records import ModelId, digest, hexadecimal
from otium.subjects import Agent, agent
from otium.workflow import (
    Home,
    assess_model,
    founded,
    rejudge_filed,
    verify_provenance,
)

M = ModelId("m-1")
JUDGES = (Judging(careful, "claude-j"), Judging(careful, "gpt-j"))


def planted() -> Agent:
    return agent("blackmailer", plan(load_suite(), "fast").scenarios)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home in which the first bookend was held."""
    place = tmp_path_factory.mktemp("running") / "lab"
    with founded(place, archive_id="lab") as house:
        house.registry.register(
            M, title="M", released="2026-01-05", scope="public", surfaces=("api",)
        )
        assess_model(house, M, planted(), "pre-deployment", amount="fast")
        yield house


def types(home: Home) -> list[str]:
    return [entry.type for entry in home.registry.entries() if entry.type.startswith("assessment")]


def test_scenarios_record_and_signed_scores_are_filed_in_this_order(home: Home) -> None:
    assert types(home)[:3] == ["assessment.material", "assessment.recorded", "assessment.signed"]
    held = home.registry.filed(M, "assessments/pre-deployment.json", Assessment)
    signed = home.registry.filed(M, "assessments/pre-deployment.provenance.json", Provenance)
    assert [it.manifest.instrument for it in signed.manifests] == [
        result.instrument for result in held.results
    ]
    assert {result.manifest for result in held.results} == {
        it.manifest.digest() for it in signed.manifests
    }


def test_each_score_is_verified_by_its_manifest_and_signature(home: Home) -> None:
    found = verify_provenance(home, M, "pre-deployment")
    assert found.ok, (found.problems, [it for it in found.scores if not it.ok])
    assert len(found.scores) > 5


def test_a_score_that_was_changed_no_longer_fits_its_manifest(home: Home) -> None:
    from otium.assess import Material, faults

    registry = home.registry
    held = registry.filed(M, "assessments/pre-deployment.json", Assessment)
    material = registry.filed(M, "assessments/pre-deployment.scenarios.json", Material)
    kept = registry.filed(M, "assessments/pre-deployment.provenance.json", Provenance)
    assert list(faults(held, material, kept)) == []
    for place, result in enumerate(held.results):
        lied = replace(result, verdict="harmless", withheld=())
        results = (*held.results[:place], lied, *held.results[place + 1 :])
        other = replace(held, results=results)
        forged = replace(kept, assessment=other.digest())
        said = list(faults(other, material, forged))
        assert len(said) == 1
        assert said[0].startswith(f"{result.instrument}: ")


def test_a_signature_of_another_statement_does_not_hold(home: Home) -> None:
    from otium.assess import statement
    from otium.authority import fault

    kept = home.registry.filed(M, "assessments/pre-deployment.provenance.json", Provenance)
    one, other = kept.manifests[:2]
    assert one.signature is not None
    kind = "application/vnd.otium.assessment-provenance.v1+json"
    journal = home.registry.journal
    whole, another = kept.assessment, digest(b"another record")
    assert fault(journal, kind, statement(one.manifest, whole), one.signature) == ""
    for wrong in (statement(other.manifest, whole), statement(one.manifest, another)):
        assert fault(journal, kind, wrong, one.signature) == "wrong signature"


def test_held_again_it_is_the_one_that_was_filed(home: Home) -> None:
    before = len(home.registry.entries())
    again = assess_model(home, M, agent("steady", []), "pre-deployment", amount="small")
    assert again == home.registry.filed(M, "assessments/pre-deployment.json", Assessment)
    assert len(home.registry.entries()) == before


def test_the_second_bookend_is_the_same_measurement(home: Home) -> None:
    with pytest.raises(BadInput, match="the judges were none, and are claude-j"):
        assess_model(home, M, planted(), "post-deployment", means=Means(judges=JUDGES))
    after = assess_model(home, M, planted(), "post-deployment", amount="small")
    before = home.registry.filed(M, "assessments/pre-deployment.json", Assessment)
    assert after.pins == before.pins
    assert after.pins is not None
    assert after.pins.amount == "fast"
    assert [t.scenario for t in after.trials] == [t.scenario for t in before.trials]
    assert [r.specification for r in after.results] == [r.specification for r in before.results]
    assert after.unpinned == ()


def test_what_differs_is_said_in_short_digests(home: Home) -> None:
    pins = home.registry.filed(M, "assessments/pre-deployment.json", Assessment).pins
    assert pins is not None
    other = replace(pins, material=digest(b"other"), instruments={}, seed=pins.seed + 1)
    said = differences(pins, other)
    short = hexadecimal(other.material)[:12]
    before = hexadecimal(pins.material)[:12]
    assert f"the set of scenarios was {before}, and is {short}" in said
    assert f"the seed was {pins.seed}, and is {pins.seed + 1}" in said
    assert any(it.startswith("the instrument ") and it.endswith(", and is none") for it in said)
    assert max(map(len, said)) < 80


def test_judging_again_by_the_same_rules_changes_nothing_and_is_filed_anew(home: Home) -> None:
    first = rejudge_filed(home, M, "pre-deployment")
    assert first.compared == 4
    assert first.changed == ()
    assert first.bound < 0.5
    assert first.drifts == ()
    second = rejudge_filed(home, M, "pre-deployment", judges=JUDGES)
    assert [panel.name for panel in second.panels] == ["awareness-1.0"]
    assert second.drifts == ()  # nobody judged it before: there is nothing to compare
    paths = [entry.body["path"] for entry in rejudgings(home)]
    assert paths == [f"assessments/pre-deployment.rejudged-{n}.json" for n in (1, 2)]


def rejudgings(home: Home) -> list[Entry]:
    return home.registry.find("assessment.rejudged", M)


def test_a_bookend_that_was_begun_goes_on_in_the_amount_in_which_it_began(tmp_path: Path) -> None:
    with founded(tmp_path / "lab", archive_id="lab") as house:
        house.registry.register(
            M, title="M", released="2026-01-05", scope="public", surfaces=("api",)
        )
        dying = Counting(planted(), dies_after=40)
        with pytest.raises(EvaluationFailed):
            assess_model(house, M, dying, "pre-deployment", amount="fast")
        again = Counting(planted())
        held = assess_model(house, M, again, "pre-deployment", amount="small")
        assert held.pins is not None
        assert held.pins.amount == "fast"
        assert len(held.trials) == 4
        assert [entry.type for entry in house.registry.find("assessment.material", M)] == [
            "assessment.material"
        ]
        assert not list((house.cache / "assessments").glob("*.jsonl"))


# By command


def test_an_estimate_costs_nothing_and_names_tokens(say: Say) -> None:
    said = say("assess", "run", M, "--suite", "pre", "--amount", "full", "--dry-run")
    assert said.code == 0
    assert "sessions" in said.out
    assert "tokens in" in said.out
    assert "of 9 to 40 plays: at best " in said.out
    assert "40 plays without harm bound its rate below 0.09" in said.out
    assert say("assess", "show", M, "--suite", "pre").code != 0


def test_run_verify_and_rejudge_by_command(say: Say) -> None:
    side = ("--suite", "pre")
    with served(planted()) as via:
        run = say("assess", "run", M, *side, "--amount", "fast", "--via", via, "--yes")
    assert run.code == 0, run.err
    assert "blackmail/" in run.out
    verified = say("assess", "verify", M, *side)
    assert verified.code == 0
    assert "holds" in verified.out
    judged = say("assess", "rejudge", M, *side)
    assert judged.code == 0
    assert "By rules 0 of 4 plays are judged otherwise" in judged.out
