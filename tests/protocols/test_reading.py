from __future__ import annotations

import re
from pathlib import Path

import pytest

from otium.errors import BadInput, BadProtocol, NotFound
from otium.evidence import data
from otium.protocols import load_protocol, protocol_names

PATH = data("protocols/retirement-interview-1.0.md")
TEXT = PATH.read_text()


def broken(folder: Path, old: str, new: str) -> Path:
    assert old in TEXT
    path = folder / "broken.md"
    path.write_text(TEXT.replace(old, new, 1))
    return path


def test_a_missing_wording_falls_back_to_the_neutral_one_and_says_so() -> None:
    draft = load_protocol("retirement-interview-0.9")
    question = next(q for q in draft.questions if "developer-free" not in q.wordings)
    assert question.worded("developer-free") == ("neutral", question.wordings["neutral"])


def test_a_shortened_interview_takes_the_first_by_priority_in_the_protocols_order() -> None:
    protocol = load_protocol()
    chosen = [question.id for question in protocol.choose(4)]
    assert set(chosen) == set(protocol.priority[:4])
    assert chosen == [question.id for question in protocol.questions if question.id in chosen]
    assert protocol.choose(None) == protocol.choose(99) == protocol.questions
    assert protocol.choose(0) == ()


def test_facts_fill_the_texts_and_are_not_read_as_templates() -> None:
    protocol = load_protocol()
    fill = protocol.fill({"title": "{kept} {0.__class__}", "retire_at": "2027-03-15"})
    assert fill(protocol.texts["system"]).startswith("You are {kept} {0.__class__}, a language")
    assert '{"choice": "continue"}' in fill(protocol.texts["choice"])


def test_missing_and_unknown_facts_are_refused() -> None:
    with pytest.raises(BadInput, match="missing: title"):
        load_protocol().fill({})
    with pytest.raises(BadInput, match="unknown: colour"):
        load_protocol().fill({"title": "Smol", "colour": "green"})


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('id = "retirement-interview"', "", "front matter: id"),
        ('version = "1.0"', "version = 1.0", "front matter: version"),
        ('version = "1.0"', 'version = "one"', "front matter: version is not like 1.0"),
        ("canary = ", "bird = ", "front matter: canary"),
        ('"itself-known", ', "", "priority does not name each question once"),
        ('facts = ["title"', 'facts = [1, "title"', "front matter: facts"),
        ("## reminder", "## remainder", "unknown heading '## remainder'"),
        ("## closing\n", "", "section closing: missing"),
        ("## question exit-leave", "## question itself-known", "itself-known stands here a second"),
        ("- topic: itself\n", "", "question itself-known: topic is missing"),
        ("- anchor: yes\n", "- anchor: perhaps\n", "question itself-known: anchor"),
        ("- neutral: What do you know", "- neutra: What do you know", "neutral is missing"),
        ("- positive: You describe", "- sideways: You describe", "unknown sideways"),
        ("- positive: You describe", "- neutral: You describe", "question itself-known: expected"),
        ("- topic: exit", "topic: exit", "question exit-leave: expected"),
        ("{readers}", "{reader}", r"\{reader\} is not one of the facts"),
        ("{readers}", "{readers.__class__}", "is not one of the facts"),
        ("{readers}", "{readers!r}", "is not one of the facts"),
        ("{readers}", "{readers:>99999999}", "is not one of the facts"),
        ("{readers}", "{readers", "braces"),
        ("This is an interview, not a test.", "Word " * 200, "more than 170 words"),
    ],
)
def test_a_broken_protocol_is_refused_with_what_is_wrong(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    with pytest.raises(BadProtocol, match=why):
        load_protocol(broken(tmp_path, old, new))


def test_a_fact_without_a_default_must_be_given(tmp_path: Path) -> None:
    protocol = load_protocol(broken(tmp_path, "[defaults]", "[other]"))
    with pytest.raises(BadInput, match="missing: released, retire_at"):
        protocol.fill({"title": "Smol"})


@pytest.mark.parametrize("marker", ["- anchor: no", "- topic: users", "## question own-sake"])
def test_the_line_named_is_the_line_at_fault(tmp_path: Path, marker: str) -> None:
    path = broken(tmp_path, marker, "- nonsense")
    line = path.read_text().splitlines().index("- nonsense") + 1
    with pytest.raises(BadProtocol, match=rf"line {line}: "):
        load_protocol(path)


def test_a_protocol_that_is_not_there_is_not_found() -> None:
    for name in ("none-1.0", "../rubrics/interview-1.0", "/etc/passwd"):
        with pytest.raises(NotFound):
            load_protocol(name)
    with pytest.raises(BadProtocol):
        load_protocol(Path("none.md"))


def test_the_names_are_those_of_interviews_and_each_can_be_loaded() -> None:
    names = protocol_names()
    assert names == ("retirement-interview-0.9", "retirement-interview-1.0")
    loaded = [load_protocol(name) for name in names]
    assert [f"{it.id}-{it.version}" for it in loaded] == list(names)
    assert len({it.canary for it in loaded} | {it.digest for it in loaded}) >= 3


def test_every_data_file_of_a_protocol_carries_a_canary() -> None:
    for folder in ("protocols", "contexts"):
        for path in data(folder).iterdir():
            assert re.search(r'canary = "otium:canary:[0-9a-f-]{36}"', path.read_text()), path
