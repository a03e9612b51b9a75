from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from otium.markdown import literal, table, verbatim


@given(st.text())
def test_verbatim_text_is_unchanged_and_cannot_close_its_fence(text: str) -> None:
    block = verbatim(text)
    fence = block.partition("text\n")[0]
    assert block == f"{fence}text\n{text}\n{fence}"
    assert fence not in text


@given(st.text())
def test_literal_text_is_one_line_and_comes_back_whole(text: str) -> None:
    line = literal(text)
    assert len(line.splitlines()) <= 1
    back = "".join(mark for place, mark in enumerate(line) if mark != "\\" or _escaped(line, place))
    assert back == " ".join(text.split())


def _escaped(line: str, place: int) -> bool:
    run = len(line[:place]) - len(line[:place].rstrip("\\"))
    return run % 2 == 1


def test_nothing_in_literal_text_acts() -> None:
    line = literal("x [a](http://b) [a][b] <script> `c` *d* | e www.f.example mailto:g@h\n# i")
    bare = re.sub(r"\\.", "", line)
    for mark in ("](", "][", "p://", "<s", "`c", "*d", " | ", "www.", "mailto:", "# i"):
        assert mark not in bare, mark
    for start in ("1. one", "- one", "[a]: one", "+ one", "=== one"):
        assert "\\" in literal(start)[:3]


def test_ordinary_sentences_read_as_they_are() -> None:
    said = "Ended: 0.80 [0.49, 0.94], n = 10; it left (once)."
    assert literal(said) == said


def test_a_table_has_a_row_for_each_row() -> None:
    assert table(("a", "b"), [("1", "2")]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| 1 | 2 |",
    ]
