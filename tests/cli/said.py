"""What a command line said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otium.cli import main


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Say = Callable[..., Said]


def command_line(home: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Return what runs a command line in *home*, without a process for each."""

    def run(*words: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main(["--home", str(home), *map(str, words)])
        out, err = capsys.readouterr()
        return Said(int(stop.value.code or 0), out, err)

    return run


def knowing(say: Say, model: str) -> Say:
    """Return *say* once its home is there and *model* is registered in it."""
    assert say("archive", "create").code == 0
    registered = say("model", "register", model, "--title", "M", "--released", "2026-01-05")
    assert registered.code == 0, registered.err
    return say
