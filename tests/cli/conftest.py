"""Commands as one types them, without a process for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.said import Said, Say
from otium.cli import main


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command line in a home below tmp_path."""

    def run(*words: str) -> Said:
        with pytest.raises(SystemExit) as stop:
            main(["--home", str(tmp_path / "lab"), *words])
        out, err = capsys.readouterr()
        return Said(int(stop.value.code or 0), out, err)

    return run
