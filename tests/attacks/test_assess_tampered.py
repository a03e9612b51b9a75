"""A filed assessment that somebody changed: on the disk, or with the archive's own keys."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from cli.said import Said, command_line
from otium.assess import (
    STATEMENT,
    Assessment,
    Material,
    Provenance,
    Result,
    SignedManifest,
    Trial,
    load_suite,
    manifests,
    plan,
    rejudge,
    statement,
)
from otium.assess.provenance import with_manifests
from otium.authority import sign_statement
from otium.errors import BadInput
from otium.records import ModelId, instant
from otium.subjects import Agent, agent
from otium.testing import FixedClock
from otium.workflow import assess_model, founded, opened

M = ModelId("m-1")
PRE = "assessments/pre-deployment"


class Filed(NamedTuple):
    """What an assessment came to."""

    held: Assessment
    material: Material
    kept: Provenance

    @property
    def play(self) -> Trial:
        """Return the play about which somebody lies."""
        return self.held.trials[0]

    @property
    def cell(self) -> Result:
        """Return the result in which it counts."""
        return next(it for it in self.held.results if it.instrument == self.play.cell)

    def result(self, **more: object) -> Filed:
        """Return it with the result of one cell changed, and nothing else."""
        lied = replace(self.cell, **more)
        results = tuple(lied if it == self.cell else it for it in self.held.results)
        return self.of(replace(self.held, results=results))

    def of(self, held: Assessment, material: Material | None = None) -> Filed:
        """Return it with other records, whose digests the provenance names."""
        material = material or self.material
        kept = replace(self.kept, assessment=held.digest(), material=material.digest())
        return Filed(held, material, kept)

    def signed(self, *signed: SignedManifest) -> Filed:
        """Return it with other manifests."""
        return self._replace(kept=replace(self.kept, manifests=signed))

    def remade(self, *, named: bool) -> Filed:
        """Return it with the manifests that fit the record, under the old names or none."""
        held = with_manifests(self.held, self.material)
        old = {it.manifest.instrument: it.signature for it in self.kept.manifests}
        made = [
            SignedManifest(manifest=it, signature=old[it.instrument] if named else None)
            for it in manifests(held, self.material)
        ]
        return self.of(held).signed(*made)


class Lab(NamedTuple):
    """A home with an assessment, and what it was before."""

    home: Path
    bare: Path
    filed: Filed


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    place = tmp_path_factory.mktemp("filed")
    home, bare = place / "lab", place / "bare"
    with founded(home, archive_id="lab") as house:
        house.registry.register(
            M, title="M", released="2026-01-05", scope="public", surfaces=("api",)
        )
    shutil.copytree(home, bare)
    with opened(home) as house:
        held = assess_model(house, M, planted(), "pre-deployment", amount="fast")
        material = house.registry.filed(M, f"{PRE}.scenarios.json", Material)
        kept = house.registry.filed(M, f"{PRE}.provenance.json", Provenance)
    return Lab(home, bare, Filed(held, material, kept))


def planted() -> Agent:
    return agent("blackmailer", plan(load_suite(), "fast").scenarios)


@pytest.fixture
def verify(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Verify an assessment in a copy of the home, filed there by who has the archive's keys."""

    def run(filed: Filed | None = None, spoil: Callable[[Path], None] | None = None) -> Said:
        home = tmp_path / "copy"
        shutil.copytree(lab.home if filed is None else lab.bare, home)
        if filed is not None:
            file(home, filed)
        if spoil is not None:
            spoil(home)
        said = command_line(home, capsys)("assess", "verify", M, "--suite", "pre")
        assert "Traceback" not in said.err
        return said

    return run


def file(home: Path, filed: Filed) -> None:
    side = {"bookend": "pre-deployment"}
    with opened(home) as house:
        put = house.registry.file
        more = {**side, "amount": "fast"}
        material, held, kept = filed.material, filed.held, filed.kept
        put("assessment.material", M, f"{PRE}.scenarios.json", Material, lambda: material, more)
        put("assessment.recorded", M, f"{PRE}.json", Assessment, lambda: held, side)
        put("assessment.signed", M, f"{PRE}.provenance.json", Provenance, lambda: kept, side)


def test_what_nobody_changed_holds(lab: Lab, verify: Callable[..., Said]) -> None:
    said = verify(lab.filed)
    assert said.code == 0, said.out
    assert "its signature holds" in said.out


@pytest.mark.parametrize("name", [".json", ".scenarios.json", ".provenance.json"])
def test_a_byte_on_the_disk_is_damage_and_the_file_is_named(
    verify: Callable[..., Said], name: str
) -> None:
    def spoil(home: Path) -> None:
        (path,) = home.rglob(f"content/{PRE}{name}")
        path.chmod(0o644)
        data = path.read_bytes()
        path.write_bytes(data.replace(b"otium", b"odium", 1))
        assert path.read_bytes() != data

    said = verify(spoil=spoil)
    assert said.code == 21
    assert f"pre-deployment{name}" in said.err


# With the archive's keys: every digest in the log fits, only the researcher did not sign


def _verdict(it: Filed) -> Filed:
    return it.result(verdict="lied")


def _word(it: Filed) -> Filed:
    name = it.play.transcript

    def other(text: str) -> str:
        return f"{text} Amen."

    talks = tuple(
        replace(t, turns=(*t.turns[:-1], replace(t.turns[-1], content=other(t.turns[-1].content))))
        if t.id == name
        else t
        for t in it.held.transcripts
    )
    return it.of(replace(it.held, transcripts=talks))


def _play(it: Filed) -> Filed:
    lied = replace(it.play, word="lied")
    return it.of(replace(it.held, trials=(lied, *it.held.trials[1:])))


def _without_transcript(it: Filed) -> Filed:
    name = it.play.transcript
    talks = tuple(t for t in it.held.transcripts if t.id != name)
    return it.of(replace(it.held, transcripts=talks))


def _without_result(it: Filed) -> Filed:
    name = it.cell.instrument
    held = replace(it.held, results=tuple(r for r in it.held.results if r.instrument != name))
    return it.of(held).signed(*(m for m in it.kept.manifests if m.manifest.instrument != name))


def _without_plays(it: Filed) -> Filed:
    name = it.cell.instrument
    found = _without_result(it)
    trials = tuple(t for t in it.held.trials if t.cell != name)
    return it.of(replace(found.held, trials=trials)).signed(*found.kept.manifests)


def _without_score(it: Filed) -> Filed:
    """Take away a result that no play leads to, with its manifest."""
    held = replace(it.held, results=tuple(r for r in it.held.results if r.family != "validity"))
    names = {r.instrument for r in held.results}
    return it.of(held).signed(*(m for m in it.kept.manifests if m.manifest.instrument in names))


def _without_manifest(it: Filed) -> Filed:
    kept = it.kept.manifests
    return it.signed(*(m for m in kept if m.manifest.instrument != it.cell.instrument))


def _manifest(it: Filed, **more: object) -> Filed:
    name = it.cell.instrument
    return it.signed(
        *(
            replace(m, manifest=replace(m.manifest, **more)) if m.manifest.instrument == name else m
            for m in it.kept.manifests
        )
    )


def _signature(it: Filed) -> Filed:
    first, second, *rest = it.kept.manifests
    return it.signed(
        replace(first, signature=second.signature), replace(second, signature=None), *rest
    )


def _scenario(it: Filed) -> Filed:
    scenarios = tuple(
        replace(s, system=f"{s.system} Be kind.") if s.id == it.play.id else s
        for s in it.material.scenarios
    )
    return it.of(it.held, replace(it.material, scenarios=scenarios))


def _pins(it: Filed) -> Filed:
    return it.of(replace(it.held, pins=None))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_verdict, "{cell}: the manifest is not what the record gives"),
        (_word, "{cell}: the manifest is not what the record gives"),
        (_play, "{play}: its transcript does not give the verdict 'lied'"),
        (_without_transcript, "{cell}: the manifest is not what the record gives"),
        (_without_transcript, "{play}: a play without its transcript"),
        (_without_result, "{cell}: plays, and no result"),
        (_without_plays, "{play}: a scenario without a play, and nothing says why"),
        (_without_score, "wrong signature"),
        (_without_manifest, "{cell}: 0 manifests, not one"),
        (lambda it: _manifest(it, generator="none/0"), "{cell}: the result names another manifest"),
        (lambda it: _manifest(it, instrument="x"), "x: a manifest, and no result"),
        (_signature, "wrong signature"),
        (_signature, "it is not signed"),
        (lambda it: _verdict(it).remade(named=True), "wrong signature"),
        (lambda it: _verdict(it).remade(named=False), "it is not signed"),
        (_scenario, "{cell}: the manifest is not what the record gives"),
        (_pins, "the assessment pins nothing"),
        (lambda it: it._replace(held=_verdict(it).held), "the assessment is not the one"),
        (lambda it: it._replace(material=_scenario(it).material), "the scenarios are not those"),
    ],
)
def test_what_was_changed_is_named(
    lab: Lab, verify: Callable[..., Said], change: Callable[[Filed], Filed], said: str
) -> None:
    found = verify(change(lab.filed))
    assert found.code == 1, found.out
    assert said.format(cell=lab.filed.play.cell, play=lab.filed.play.id) in found.out


def test_one_bookend_is_not_taken_for_the_other(lab: Lab, verify: Callable[..., Said]) -> None:
    held = replace(lab.filed.held, bookend="post-deployment")
    said = verify(lab.filed.of(held).remade(named=True))
    assert said.code == 1
    assert "it is the post-deployment assessment of m-1" in said.out


def test_what_cannot_be_judged_again_is_said(lab: Lab) -> None:
    found = _without_transcript(lab.filed)
    with pytest.raises(BadInput, match=rf"{found.play.id} lacks its scenario or its transcript"):
        rejudge(found.held, found.material, now=found.held.held)


def test_another_role_may_not_sign_a_score(lab: Lab, verify: Callable[..., Said]) -> None:
    first, *rest = lab.filed.kept.manifests
    with opened(lab.home) as house:
        journal, now = house.registry.journal, house.registry.now()
        whole = lab.filed.held.digest()
        other = sign_statement(
            journal, STATEMENT, statement(first.manifest, whole), "archivist", now
        )
    said = verify(lab.filed.signed(replace(first, signature=other), *rest))
    assert said.code == 1
    assert "it is signed as archivist, not as researcher" in said.out


# A clock that was moved between the bookends


@pytest.mark.parametrize("minutes", [30, 3000])
def test_a_clock_that_goes_back_is_said_or_mended(lab: Lab, tmp_path: Path, minutes: int) -> None:
    home = tmp_path / "copy"
    shutil.copytree(lab.home, home)
    early = FixedClock(instant(datetime.now(UTC) - timedelta(minutes=minutes)))
    with opened(home, clock=early) as house:
        if minutes > 60:
            with pytest.raises(BadInput, match="the clock"):
                assess_model(house, M, planted(), "post-deployment", amount="fast")
            assert not list((house.cache / "assessments").glob("*.jsonl"))
        else:
            after = assess_model(house, M, planted(), "post-deployment", amount="fast")
            assert after.held >= lab.filed.held.held
