"""The how-to does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from makers import PROJECT, archive_in
from otium.exchange import export_huggingface, recognise
from otium.testing import MemoryStore


def test_the_how_to_runs(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    export_huggingface(files, tmp_path / "hub", repository="lab/smol")
    page = (PROJECT / "docs" / "how-to" / "move-models-in-and-out.md").read_text()
    names: dict[str, object] = {"Path": Path, "archive": archive_in(MemoryStore())}
    for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        exec(block, names)
    assert recognise(tmp_path / "image") == "oci"
    assert recognise(tmp_path / "bag") == "bagit"
    assert recognise(tmp_path / "cache") == "huggingface"
    assert names["verified"]
