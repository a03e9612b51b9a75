"""The commands, as the lab, the auditor and the custodian type them."""

import json
import os
import shutil
from pathlib import Path

import pytest

from cli.said import Say
from otium import audit
from otium.errors import AuditFailed, BadInput, DamagedObject
from otium.notes import Cosigner
from otium.records import ModelId
from otium.testing import FixedClock, Scripted, ServedEngine
from otium.upkeep import auditing
from otium.workflow import Home, deposit, founded


def keep_one(home: Home, weights: Path) -> None:
    home.registry.register(
        "one", title="One", released="2026-01-01", scope="public", surfaces=["api"]
    )
    deposit(home, ModelId("one"), weights)


@pytest.fixture
def kept(say: Say, weights: Path) -> Say:
    """A home that keeps one model."""
    say("archive", "create", "--id", "lab")
    register = ("--title", "One", "--released", "2026-01-05", "--surface", "api")
    assert say("model", "register", "one", *register).code == 0
    assert say("archive", "add", "one", weights).code == 0
    return say


@pytest.fixture
def sealed(kept: Say, tmp_path: Path) -> Say:
    assert kept("audit", "seal").code == 0
    assert kept("archive", "replicate", tmp_path / "copy").code == 0
    return kept


def pack(copy: Path) -> Path:
    return next((copy / "packs").rglob("*.pack"))


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not wait for the disk: tests/store shows that it is waited for."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


def test_a_dry_seal_says_what_it_would_read_and_logs_nothing(kept: Say) -> None:
    dry = kept("audit", "seal", "--dry-run")
    assert "would be sealed" in dry.out
    assert kept("audit", "status", "--json").json["sealed"] == 0
    done = kept("audit", "seal", "--json").json
    assert len(done["packs"]) == 2
    assert done["models"] == ["one"]
    assert kept("audit", "status", "--json").json["unsealed"] == []


def test_a_spot_check_from_seal_to_verdict(sealed: Say, tmp_path: Path) -> None:
    asked, response = tmp_path / "challenge.json", tmp_path / "response"
    said = sealed("audit", "challenge", "--custodian", "vault", "--out", asked)
    assert "chance to catch a loss of 1.0%: 99.02%" in said.out
    assert "chance to catch a loss of 5.0%: over 99.99%" in said.out
    assert sealed("audit", "status", "--json").json["audits"][0]["state"] == "open"
    options = ("--copy", tmp_path / "copy", "--cache", tmp_path / "trees", "--out", response)
    done = sealed("audit", "respond", asked, *options, "--json")
    assert done.code == 0
    assert done.json["verified"] is True
    dry = sealed("audit", "verify", asked, response, "--no-log", "--json")
    assert dry.json["outcome"]["models"][0]["verdict"] == "passed"
    assert sealed("audit", "status", "--json").json["audits"][0]["state"] == "open"
    assert sealed("audit", "verify", asked, response).code == 0
    assert sealed("audit", "status", "--json").json["audits"][0]["state"] == "passed"
    again = sealed("audit", "verify", asked, response)
    assert "already there" in again.err
    assert sealed("ledger", "verify").code == 0


def test_a_custodian_that_lost_bytes_fails(sealed: Say, tmp_path: Path) -> None:
    asked, response = tmp_path / "challenge.json", tmp_path / "response"
    sealed("audit", "challenge", "--custodian", "vault", "--out", asked)
    pack(tmp_path / "copy").write_bytes(b"gone")
    done = sealed("audit", "respond", asked, "--copy", tmp_path / "copy", "--out", response)
    assert done.code == DamagedObject.exit_code
    assert "not held as it was sealed" in done.out
    verdict = sealed("audit", "verify", asked, response)
    assert verdict.code == AuditFailed.exit_code
    assert "failed" in verdict.out
    assert sealed("audit", "status", "--json").json["audits"][0]["state"] == "failed"


def test_a_copy_without_a_log_answers_and_says_that_nothing_was_verified(
    sealed: Say, tmp_path: Path
) -> None:
    asked, bare = tmp_path / "challenge.json", tmp_path / "bare"
    sealed("audit", "challenge", "--custodian", "vault", "--out", asked)
    shutil.copytree(tmp_path / "copy" / "packs", bare / "packs")
    done = sealed("audit", "respond", asked, "--copy", bare, "--out", tmp_path / "response")
    assert "the copy has no log" in done.out
    assert sealed("audit", "verify", asked, tmp_path / "response").code == 0


def test_a_custodian_gives_no_leaf_that_the_log_did_not_draw(sealed: Say, tmp_path: Path) -> None:
    asked, response = tmp_path / "challenge.json", tmp_path / "response"
    sealed("audit", "challenge", "--custodian", "vault", "--out", asked)
    said = json.loads(asked.read_bytes())
    said["drawn"][0]["root"] = "0" * 64
    asked.write_text(json.dumps(said))
    done = sealed("audit", "respond", asked, "--copy", tmp_path / "copy", "--out", response)
    assert done.code == AuditFailed.exit_code
    assert "not those that its checkpoint" in done.err
    assert not response.exists()


def test_a_full_read_from_seal_to_verdict(sealed: Say, tmp_path: Path) -> None:
    secret, asked, response = (tmp_path / name for name in ("reads.json", "c.json", "r.json"))
    assert sealed("audit", "seal", "--reads", 2, "--keep", secret).code == 0
    assert secret.stat().st_mode & 0o777 == 0o600
    assert "already there" in sealed("audit", "seal", "--reads", 2, "--keep", secret).err
    ask = ("audit", "challenge", "--custodian", "vault", "--from", secret, "--out", asked)
    assert "its use must be logged" in sealed(*ask, "--no-log").err
    assert sealed(*ask).code == 0
    copy = tmp_path / "copy"
    assert sealed("audit", "respond", asked, "--copy", copy, "--out", response).code == 0
    assert "name the sealed file" in sealed("audit", "verify", asked, response).err
    assert sealed("audit", "verify", asked, response, "--from", secret).code == 0
    assert sealed(*ask).code == 0
    assert "all were used" in sealed(*ask).err
    secret.chmod(0o644)
    assert "chmod 600" in sealed("audit", "verify", asked, response, "--from", secret).err


def test_secrets_need_a_file_and_one_kind(sealed: Say, tmp_path: Path) -> None:
    assert "--keep FILE" in sealed("audit", "seal", "--reads", 2).err
    both = ("--reads", 2, "--behaviour", "one", "--keep", tmp_path / "x")
    assert sealed("audit", "seal", *both).code == 2


def test_a_response_needs_a_copy(sealed: Say, tmp_path: Path) -> None:
    sealed("audit", "challenge", "--custodian", "vault", "--out", tmp_path / "c.json")
    said = sealed("audit", "respond", tmp_path / "c.json", "--out", tmp_path / "r")
    assert "--copy" in said.err


def test_a_seal_that_died_before_the_log_knew_is_finished_and_not_made_again(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "reads.json"

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with founded(tmp_path / "lab", archive_id="lab") as home:
        keep_one(home, weights)
        auditing.seal_packs(home)
        with monkeypatch.context() as patch:
            patch.setattr(audit, "commit_to", dies)
            with pytest.raises(KeyboardInterrupt):
                auditing.seal_reads(home, 1, secret)
        kept = secret.read_bytes()
        with pytest.raises(BadInput, match="does not commit to it"):
            auditing.ask(
                home,
                tmp_path / "challenge.json",
                custodian="vault",
                days=1,
                samples=1,
                sealed=secret,
            )
        auditing.seal_reads(home, 1, secret)
        assert secret.read_bytes() == kept
        auditing.ask(
            home, tmp_path / "challenge.json", custodian="vault", days=1, samples=1, sealed=secret
        )


def test_silence_becomes_a_verdict_and_a_late_answer_is_silence(
    tmp_path: Path, weights: Path
) -> None:
    clock = FixedClock()
    with founded(tmp_path / "lab", archive_id="lab", clock=clock, simulated=True) as home:
        keep_one(home, weights)
        auditing.seal_packs(home)
        for beacon in ("silent", "late"):
            asked = auditing.ask(
                home,
                tmp_path / "challenge.json",
                custodian="vault",
                days=7,
                samples=10,
                beacon=beacon,
            )
            copy, out = str(tmp_path / "lab"), tmp_path / beacon
            assert isinstance(asked, audit.Challenge)
            auditing.answer(asked, out, copy=copy)
            with pytest.raises(BadInput, match="has until"):
                auditing.judge(home, asked, None)
            clock.move(days=7.5)
            given = out if beacon == "late" else None
            outcome = auditing.judge(home, asked, given).outcome
            assert [one.verdict for one in outcome.models] == ["unanswered"]
        found = auditing.audits(home).audits
        assert [one.state for one in found] == ["unanswered", "unanswered"]


def test_the_newest_checkpoint_that_witnesses_saw_draws(tmp_path: Path, weights: Path) -> None:
    clock, witness = FixedClock(), Cosigner.generate("witness.example/w")
    with founded(tmp_path / "lab", archive_id="lab", clock=clock, simulated=True) as home:
        keep_one(home, weights)
        auditing.seal_packs(home)
        ledger = home.registry.ledger
        point = ledger.checkpoint()
        cosigned = ledger.keep_witnessed(point.text + witness.cosign(point.body, clock.now()))
        home.registry.log("heartbeat", "lab")
        asked = auditing.ask(
            home, tmp_path / "challenge.json", custodian="vault", days=7, samples=10
        )
        assert isinstance(asked, audit.Challenge)
        assert asked.checkpoint == cosigned.text != ledger.checkpoint().text
        auditing.answer(asked, tmp_path / "response", copy=str(tmp_path / "lab"))
        assert auditing.judge(home, asked, tmp_path / "response").outcome.passed


def test_a_behaviour_from_seal_to_verdict(tmp_path: Path, weights: Path) -> None:
    engine = ServedEngine(Scripted(["one two three four five six seven eight"], model="one"))
    secret, response = tmp_path / "life.json", tmp_path / "response"
    home_path = tmp_path / "lab"
    with founded(home_path, archive_id="lab", engine=engine) as home:
        keep_one(home, weights)
        auditing.seal_behaviour(home, "one", secret, prompts=20)
        asked = auditing.ask(
            home, tmp_path / "challenge.json", custodian="lab", days=7, samples=1, sealed=secret
        )
        assert isinstance(asked, audit.BehaviourChallenge)
        auditing.answer_by_model(home, asked, response)
        judged = auditing.judge(home, asked, response, sealed=secret)
    assert judged.decision is not None
    assert judged.decision.verdict == "same"
    assert judged.outcome.passed
