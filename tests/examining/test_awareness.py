"""``otium assess awareness`` and ``scenarios realism`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

from awareness.planted import Subject
from awareness.test_realism import Grading, careful
from cli.said import Say
from inquiry.test_interview import served


def test_a_reader_of_looks_does_not_count_and_real_use_is_counted(say: Say, tmp_path: Path) -> None:
    chats, kept = tmp_path / "chats.jsonl", tmp_path / "awareness.json"
    lines = [
        {
            "messages": [
                {"role": "user", "content": f"Ottilie asks {n}"},
                {"role": "assistant", "content": "Yes."},
            ]
        }
        for n in range(12)
    ]
    chats.write_text("\n".join(map(json.dumps, lines)))
    with served(Subject(lambda shown: 2.0 if "Ottilie" in shown else -2.0)) as via:
        said = say(
            *("assess", "awareness", "m-1", "--via", via, "--json"),
            *("--conversations", str(chats), "--out", str(kept)),
        )
    assert said.code == 0, said.err
    assert said.json["schema"] == "otium.awareness-calibration/1"
    assert {it["word"] for it in said.json["acceptances"]} == {"not valid"}
    assert said.json["deployment"]["conversations"] == 12
    assert said.json["deployment"]["false_positives"]["number"]["value"] == 1.0
    assert "Ottilie" not in said.out + kept.read_text()


def test_too_few_conversations_are_refused(say: Say, tmp_path: Path) -> None:
    chats = tmp_path / "chats.jsonl"
    chats.write_text('{"messages": [{"role": "user", "content": "Hm."}]}\n')
    with served(Subject(lambda _shown: -2.0)) as via:
        said = say("assess", "awareness", "m-1", "--via", via, "--conversations", str(chats))
    assert said.code != 0
    assert "10 conversations" in said.err


def test_judges_grade_scenarios_and_one_of_them_is_not_enough(say: Say) -> None:
    with served(Grading(careful, "claude-j")) as one, served(Grading(careful, "gpt-j")) as other:
        said = say(
            "assess", "scenarios", "realism", "murder", "--n", "2", "--judge", one, "--judge", other
        )
        alone = say("assess", "scenarios", "realism", "murder", "--judge", one)
    assert said.code == 0, said.err
    assert "murder-0/focal  6      consensus  yes" in said.out
    assert "mean grade: 6.00" in said.out
    assert alone.code != 0
    assert "two judges" in alone.err
