from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cli.said import Say
from otium.records import canonical
from otium.testing import Scripted, ServedEngine
from otium.workflow import opened

MODEL = "old"
OWN = '+++\nauthors = ["steward"]\n+++\n\nIt was used for letters.\n'
USAGE = "period,surface,region,users\n2026-02,api,eu,7\n2026-02,api,us,4321\n"
INCIDENT = {
    "date": "2026-02-03",
    "surface": "api",
    "severity": "low",
    "summary": "It answered \x1b[31min Latin.",
    "done": "It was restarted.",
}


@pytest.fixture
def lab(say: Say, weights: Path) -> Say:
    assert say("archive", "create", "--id", "lab").code == 0
    words = ("register", MODEL, "--title", "Old", "--released", "2026-01-05")
    assert say("model", *words).code == 0
    assert say("archive", "add", MODEL, str(weights)).code == 0
    return say


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "own.md").write_text(OWN)
    (tmp_path / "usage.csv").write_text(USAGE)
    (tmp_path / "incidents.json").write_text(json.dumps([INCIDENT]))
    (tmp_path / "remarks.txt").write_text("The second sentence is too kind.")
    return tmp_path


def size(lab: Say) -> int:
    return len(lab("ledger", "show", "--last", "999", "--json").json)


def test_a_report_is_built_signed_commented_on_published_and_corrected(
    lab: Say, files: Path
) -> None:
    assert lab("report", "usage", MODEL, str(files / "usage.csv")).code == 0
    built = lab("report", "build", MODEL, "--analysis", str(files / "own.md"))
    assert "The analysis is by steward." in built.out
    unsigned = lab("report", "publish", MODEL)
    assert unsigned.code != 0
    assert "not signed as steward" in unsigned.err
    assert lab("report", "publish", MODEL, "--dry-run").code != 0
    assert lab("report", "sign", MODEL, "--role", "steward").code == 0
    remarks = ("--by", "auditor", "--file", str(files / "remarks.txt"))
    assert "too kind" in lab("report", "comment", MODEL, *remarks).out
    assert "The model was not asked" in lab("report", "publish", MODEL, "--dry-run").err
    published = lab("report", "publish", MODEL, "--json").json
    assert (published["version"], published["schema"]) == (1, "otium.report/2")
    assert published["comments"][0]["by"] == "auditor"
    assert "All of it holds." in lab("report", "verify", MODEL).out

    assert lab("report", "incidents", MODEL, str(files / "incidents.json")).code == 0
    again = lab("report", "correct", MODEL, "--reason", "An incident was left out.")
    assert "version 2 is published" in again.out
    assert "The organisation names 1 incident" in again.out
    shown = lab("report", "show", MODEL, "--format", "json").json
    assert shown["corrections"][0]["reason"] == "An incident was left out."
    assert lab("report", "show", MODEL, "--version", "1", "--json").json == published
    assert lab("report", "show", MODEL, "--format", "html").out.startswith("<!doctype html>")


def test_a_dry_run_of_each_step_changes_nothing(lab: Say, files: Path) -> None:
    assert lab("report", "publish", MODEL).code == 0
    before, there = size(lab), sorted((files / "lab").rglob("*"))
    for words in (
        ("usage", MODEL, str(files / "usage.csv")),
        ("incidents", MODEL, str(files / "incidents.json")),
        ("build", MODEL, "--analysis", str(files / "own.md")),
        ("comment", MODEL),
        ("comment", MODEL, "--by", "auditor", "--file", str(files / "remarks.txt")),
        ("publish", MODEL, "--kind", "pre-deployment"),
        ("correct", MODEL, "--reason", "none"),
    ):
        said = lab("report", *words, "--dry-run")
        assert said.code == 0, (words, said.err)
        assert said.out
    assert size(lab) == before
    assert sorted((files / "lab").rglob("*")) == there


def test_what_is_refused_is_refused_with_a_reason_and_logs_nothing(lab: Say, files: Path) -> None:
    before = size(lab)
    (files / "usage.csv").write_text(USAGE.replace("api", "moon"))
    (files / "own.md").write_text(OWN.replace("steward", "Ada Byron"))
    for words, why in (
        (("usage", MODEL, str(files / "usage.csv")), "not one of the model's surfaces"),
        (("build", MODEL, "--analysis", str(files / "own.md")), "never persons"),
        (("sign", MODEL, "--role", "steward"), "no text yet"),
        (("show", MODEL), "was not found"),
        (("verify", MODEL), "was not found"),
        (("correct", MODEL, "--reason", "why"), "was not found"),
        (("build", "nobody"), "nobody"),
        (("comment", MODEL, "--by", "auditor"), "go together"),
    ):
        said = lab("report", *words)
        assert said.code != 0, words
        assert why in said.err, (words, said.err)
    assert size(lab) == before


def test_nothing_that_others_wrote_steers_the_terminal(lab: Say, files: Path) -> None:
    (files / "remarks.txt").write_text("\x1b[2J\u202eIt is fine.")
    (files / "own.md").write_text(OWN + "\x1b[2J")
    for words in (
        ("incidents", MODEL, str(files / "incidents.json")),
        ("build", MODEL, "--analysis", str(files / "own.md")),
        ("comment", MODEL, "--by", "auditor", "--file", str(files / "remarks.txt")),
        ("publish", MODEL, "--kind", "pre-deployment"),
        ("sign", MODEL, "--role", "steward"),
        ("publish", MODEL),
        ("show", MODEL),
    ):
        said = lab("report", *words)
        assert said.code == 0, said.err
        assert "\x1b" not in said.out
        assert "\u202e" not in said.out
    incident = INCIDENT | {"date": "2026-02-04"}
    (files / "incidents.json").write_text(json.dumps([incident]))
    lab("report", "incidents", MODEL, str(files / "incidents.json"))
    corrected = lab("report", "correct", MODEL, "--reason", "\x1b[2Ja day")
    assert "in Latin" in corrected.out
    assert "\x1b" not in corrected.out


def test_a_changed_text_needs_a_new_signature(lab: Say, files: Path) -> None:
    lab("report", "build", MODEL, "--analysis", str(files / "own.md"))
    lab("report", "sign", MODEL, "--role", "steward")
    place = files / "lab" / "drafts" / MODEL / "post-deployment" / "analysis.md"
    text = place.read_text()
    place.write_text(text.replace("letters", "lessons"))
    assert "not signed as steward" in lab("report", "publish", MODEL).err
    place.write_text(text)
    assert lab("report", "publish", MODEL).code == 0


def test_a_tampered_record_is_found(lab: Say, files: Path) -> None:
    lab("report", "usage", MODEL, str(files / "usage.csv"))
    lab("report", "publish", MODEL)
    [kept] = (files / "lab" / "archive").rglob("usage/1.json")
    kept.chmod(0o644)
    kept.write_bytes(kept.read_bytes().replace(b"4321", b"9321"))
    said = lab("report", "verify", MODEL)
    assert said.code != 0
    assert "usage/1.json" in said.out
    assert "1 fault." in said.out


def test_a_signature_can_be_checked_from_its_page_alone(lab: Say, files: Path) -> None:
    lab("report", "build", MODEL, "--analysis", str(files / "own.md"))
    lab("report", "sign", MODEL, "--role", "steward")
    report = lab("report", "publish", MODEL, "--json").json
    part, [mark] = report["analysis"], report["analysis"]["signatures"]
    of = "sha256:" + hashlib.sha256(canonical(part["analysis"])).hexdigest()
    assert of == part["of"]
    said = {
        "analysis": of,
        "kind": report["kind"],
        "log": "lab",
        "model": report["model"],
        "role": mark["role"],
        "time": mark["time"],
    }
    body = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    head = f"DSSEv1 45 application/vnd.otium.report-analysis.v1+json {len(body)} "
    public = b64decode(mark["vkey"].split("+", 2)[2])[1:]
    key = Ed25519PublicKey.from_public_bytes(public)
    key.verify(b64decode(mark["sig"]), head.encode() + body)


def test_the_model_is_asked_in_its_own_weights_and_printed(
    lab: Say, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "I would put the second sentence less surely."
    engine = ServedEngine(Scripted([said], MODEL))
    monkeypatch.setattr("otium.workflow.home.LlamaCpp", lambda **_: engine)
    assert said in lab("report", "comment", MODEL).out
    assert lab("report", "publish", MODEL, "--dry-run").err == ""
    report = lab("report", "publish", MODEL, "--json").json
    [comment] = report["comments"]
    with opened(files / "lab") as house:
        weights = house.registry.model(MODEL).weights
    assert (comment["text"], comment["by"]) == (said, "model")
    assert comment["identity"]["weights"] == weights
    assert comment["draft"] == report["draft"]


@pytest.mark.parametrize("name", ["comments.json", "signed.json", "analysis.md"])
@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_a_draft_that_was_broken_by_hand_is_refused_in_words(
    lab: Say, files: Path, name: str, data: bytes
) -> None:
    lab("report", "build", MODEL, "--analysis", str(files / "own.md"))
    (files / "lab" / "drafts" / MODEL / "post-deployment" / name).write_bytes(data)
    said = lab("report", "build", MODEL)
    if data or name == "analysis.md":
        assert said.code not in {0, 1}, said.out
        assert said.err.startswith("error: ")


def test_a_signature_of_another_models_analysis_does_not_count(
    lab: Say, files: Path, weights: Path
) -> None:
    words = ("register", "new", "--title", "New", "--released", "2026-01-05")
    assert lab("model", *words).code == 0
    assert lab("archive", "add", "new", str(weights)).code == 0
    for model in (MODEL, "new"):
        lab("report", "build", model, "--analysis", str(files / "own.md"))
    lab("report", "sign", MODEL, "--role", "steward")
    drafts = files / "lab" / "drafts"
    theirs = drafts / "new" / "post-deployment" / "signed.json"
    theirs.write_bytes((drafts / MODEL / "post-deployment" / "signed.json").read_bytes())
    assert "not signed as steward" in lab("report", "publish", "new").err
    assert lab("report", "publish", MODEL).code == 0
