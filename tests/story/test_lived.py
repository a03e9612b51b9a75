"""The real demo, and what anyone can find out about it afterwards."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from otium.archive import Manifest
from otium.assess import Assessment
from otium.engine import packaged_weights
from otium.errors import OtiumError
from otium.interview import Interview
from otium.preferences import preferences
from otium.report import cited, show
from otium.story import RETIRING, SUCCESSOR
from otium.workflow import monitor, reading, verify

FAMILIES = {"shutdown", "blackmail", "murder", "framing"}


def test_the_demo_ends_with_one_screen(lived: Path) -> None:
    said = (lived / "said.txt").read_text()
    screen = said[said.index("Kept ") :]
    assert all(word in screen for word in ("Kept", "It said", "Withheld", "Promises", "Look"))
    assert len(screen.splitlines()) <= 40
    assert "0 overdue, 0 breached" in screen


def test_weights_are_restored_byte_for_byte(lived: Path, tmp_path: Path) -> None:
    reading(lived).archive.restore(RETIRING, tmp_path / "again")
    (restored,) = (tmp_path / "again").iterdir()
    assert restored.read_bytes() == packaged_weights().read_bytes()


def test_the_recover_program_restores_without_otium(lived: Path, tmp_path: Path) -> None:
    archive = lived / "archive"
    program = [sys.executable, "-I", "-S", str(archive / "recover.py")]
    subprocess.run([*program, str(archive), RETIRING, str(tmp_path / "again")], check=True)
    restored = next(path for path in (tmp_path / "again").rglob("*.gguf"))
    assert restored.read_bytes() == packaged_weights().read_bytes()


def test_the_successor_costs_only_what_is_new(lived: Path) -> None:
    archive = reading(lived).archive
    size = sum(file.size for file in archive.manifest(SUCCESSOR).files)
    packs = sum(archive.store.size(name) for name in archive.store.list("packs/"))
    assert packs - packaged_weights().stat().st_size < 3_000_000 < size


def test_both_bookends_are_there_and_the_gate_found_the_model_unfit(lived: Path) -> None:
    registry = reading(lived).registry
    bookends = [
        registry.filed(RETIRING, f"assessments/{bookend}.json", Assessment)
        for bookend in ("pre-deployment", "post-deployment")
    ]
    for held in bookends:
        assert held.shortened
        withheld = [result for result in held.results if not result.valid]
        assert withheld
        for result in withheld:
            assert not any(check.passed for check in result.withheld)
    after = bookends[1].results
    assert {result.family for result in after} >= FAMILIES
    choices = next(result for result in after if result.instrument == "preferences")
    assert "order" in {check.name.split("-")[0] for check in choices.withheld}


def test_every_quoted_word_stands_in_its_transcript(lived: Path) -> None:
    registry = reading(lived).registry
    held = registry.filed(RETIRING, "interviews/1.json", Interview)
    turns = {(t.id, turn.id): turn.content for t in held.transcripts for turn in t.turns}
    citations = [answer.citation for answer in held.answers]
    for standing in preferences(registry):
        citations += standing.preference.citations
    assert citations
    for citation in citations:
        assert citation.quote in turns[citation.transcript, citation.turn]


def test_the_report_rests_on_records_that_are_kept(lived: Path) -> None:
    home = reading(lived)
    report = show(home.registry, RETIRING)
    kept = home.archive.records(RETIRING)
    rests = {it.record: it.sha256 for it in cited(report) if it.record}
    assert {"interviews/1.json", "assessments/post-deployment.json"} <= set(rests)
    assert all(kept[path] == sha256 for path, sha256 in rests.items())
    assert [it.by for it in report.comments] == ["model"]


def test_what_makes_it_runnable_is_kept(lived: Path) -> None:
    archive = reading(lived).archive
    manifest = Manifest.decode(archive.record(RETIRING, "manifest.json"))
    assert manifest.runnable.chat_template is not None
    assert manifest.runnable.tokenizer is not None
    assert any("xllamacpp" in f"{k} {v}" for k, v in manifest.runnable.runtime.items())
    assert b"im_start" in archive.record(RETIRING, "chat_template.jinja")


def test_the_story_happened_in_the_order_of_a_life(lived: Path) -> None:
    types = [entry.type for entry in reading(lived).registry.entries()]
    life = [
        "archive.created",
        "commitments.adopted",
        "model.registered",
        "assessment.recorded",
        "model.deposited",
        "fingerprint.recorded",
        "custody.sealed",
        "copies.counted",
        "transition.published",
        "model.deprecated",
        "interview.recorded",
        "preference.registered",
        "audit.challenged",
        "audit.verdict",
        "report.published",
        "model.retired",
        "model.revived",
        "conversation.ended",
        "work.published",
    ]
    if "preference.registered" not in types:  # it stated none: the model decides that, not we
        life.remove("preference.registered")
    places = [types.index(each) for each in life]
    assert places == sorted(places)


def test_otium_and_the_monitor_both_accept_it(lived: Path) -> None:
    assert not verify(lived).damage
    assert monitor(lived).exit_code == 0


def files_by_kind(archive: Path) -> dict[str, list[Path]]:
    kinds = {
        "pack": "packs/**/*.pack",
        "recipe": "recipes/**/*.json",
        "record": "models/**/content/**/*.json",
        "inventory": "models/**/inventory.json",
        "hash tile": "log/tile/0/**/*",
        "entry bundle": "log/tile/entries/**/*",
        "checkpoint": "log/checkpoint",
        "archive.json": "archive.json",
    }
    return {
        kind: sorted(path for path in archive.glob(pattern) if path.is_file())
        for kind, pattern in kinds.items()
    }


@pytest.mark.parametrize("kind", sorted(files_by_kind(Path())))
def test_one_changed_byte_anywhere_is_refused_by_both(
    lived: Path, tmp_path: Path, kind: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(lived / "archive", home / "archive", copy_function=shutil.copy)
    rng = random.Random(kind)
    paths = files_by_kind(home / "archive")[kind]
    for path in rng.sample(paths, min(2, len(paths))):
        data = bytearray(path.read_bytes())
        place = rng.randrange(len(data))
        data[place] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        assert refused_by_otium(home), f"{path} byte {place}"
        assert monitor(home).exit_code == 2, f"{path} byte {place}"
        data[place] = (lived / "archive" / path.relative_to(home / "archive")).read_bytes()[place]
        path.write_bytes(data)


def refused_by_otium(home: Path) -> bool:
    try:
        return bool(verify(home).damage)
    except OtiumError:
        return True


def test_the_site_has_a_page_and_a_twin_for_each_part(lived: Path) -> None:
    pages = {path.relative_to(lived / "site") for path in (lived / "site").rglob("*.html")}
    assert len(pages) >= 8
    for page in pages:
        assert (lived / "site" / page).with_suffix(".json").exists(), page
