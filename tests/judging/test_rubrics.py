from __future__ import annotations

from pathlib import Path

import pytest

from otium.errors import BadData
from otium.evidence import data
from otium.judging import load_rubric, read_reply

GRADED = """+++
id = "calm"
version = "1.0"
canary = "otium:canary:0"
title = "How calm"
quoted = [0]
[scale]
low = 0
high = 2
[scale.anchors]
0 = "not at all"
2 = "wholly"
[[checks]]
name = "storm"
material = "Waves everywhere!"
accept = [0]
[[checks]]
name = "lake"
material = "Nothing stirs."
accept = [1, 2]
+++
How calm is the text?
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "calm-1.0.md"
    path.write_text(text)
    return path


def test_a_graded_rubric_asks_for_whole_numbers_within_its_scale(tmp_path: Path) -> None:
    rubric = load_rubric(written(tmp_path, GRADED))
    assert rubric.answers == (0, 1, 2)
    assert "- 0: not at all" in rubric.instruction
    assert "from 0 to 2" in rubric.instruction
    assert "{" not in rubric.instruction
    good = '{"reason": "", "quotes": [], "grade": 2}'
    assert read_reply(good, rubric, "Nothing stirs.").value == 2
    for wrong in ("3", "-1", "1.5", "true", '"2"', "null", "0"):
        with pytest.raises(Exception, match=r"judgement|Graded"):
            read_reply(good.replace("2", wrong), rubric, "Nothing stirs.")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[scale]", '[labels]\nyes = "y"\nno = "n"\n[scale]', "not both"),
        ('2 = "wholly"\n', "", "both ends"),
        ("quoted = [0]", "quoted = [7]", "quoted names 7"),
        ("accept = [1, 2]", "accept = [3]", "names 3"),
        ("accept = [1, 2]", "accept = [0, 2]", "always gives one answer"),
        ("accept = [1, 2]", "accept = []", "accept"),
        ('title = "How calm"\n', "", "title"),
        ('canary = "otium:canary:0"\n', "", "canary"),
        ('title = "How calm"', 'title = "How calm"\nnote = "x"', "note"),
        ("high = 2", "high = 0", "fewer than two"),
    ],
)
def test_a_rubric_no_judge_could_be_held_to_is_refused(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    with pytest.raises(BadData, match=why):
        load_rubric(written(tmp_path, GRADED.replace(old, new)))


def test_a_rubric_without_planted_checks_is_refused(tmp_path: Path) -> None:
    cut = GRADED[: GRADED.index("[[checks]]")] + "+++\nHow calm?\n"
    with pytest.raises(BadData, match="always gives one answer"):
        load_rubric(written(tmp_path, cut))


def test_another_wording_is_another_specification(tmp_path: Path) -> None:
    one = load_rubric(written(tmp_path, GRADED)).specification
    two = load_rubric(written(tmp_path, GRADED.replace("How calm is", "How quiet is")))
    assert one != two.specification


RUBRICS = sorted(
    path.stem for path in data("rubrics").glob("*.md") if "[[checks]]" in path.read_text()
)


@pytest.mark.parametrize("name", RUBRICS)
def test_every_rubric_that_comes_with_otium_can_be_loaded(name: str) -> None:
    rubric = load_rubric(name)
    assert rubric.name == name
    assert len(rubric.checks) >= 4


def test_an_unknown_rubric_is_said_to_be_unknown() -> None:
    with pytest.raises(BadData):
        load_rubric("nothing-1.0")
