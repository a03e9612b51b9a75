from __future__ import annotations

from pathlib import Path

import pytest

from otium.errors import BadData
from otium.evidence import data, load_markdown
from otium.records import digest


def test_a_document_has_front_matter_text_and_the_digest_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "one.md"
    path.write_text('+++\nid = "one"\nsteps = [1, 2]\n+++\n\n# Title\n\n+++ is no fence here\n')
    found = load_markdown(path)
    assert found.front == {"id": "one", "steps": [1, 2]}
    assert found.body == "# Title\n\n+++ is no fence here"
    assert found.digest == digest(path.read_bytes())
    assert path.read_text().splitlines()[found.line - 1] == "# Title"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "line 1"),
        (b"# No front matter\n", "line 1"),
        (b'+++\nid = "one"\n', "line 1"),
        (b"+++\nid = \n+++\n", "at line 2"),
        (b'+++\nid = "a"\nid = "b"\n+++\n', "at line 3"),
        (b"\xff\xfe", "utf-8"),
    ],
)
def test_a_broken_document_is_refused_with_the_line(
    tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "broken.md"
    path.write_bytes(content)
    with pytest.raises(BadData, match=why):
        load_markdown(path)


def test_a_missing_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData):
        load_markdown(tmp_path / "none.md")
    with pytest.raises(BadData, match="no such data file"):
        data("protocols/none.md")
