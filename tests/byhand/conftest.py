"""A house with a deposited model that answers from a script, and a person at its terminal."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cli.said import Said, Say, command_line
from otium.cli import main
from otium.engine import GREEDY, Completion, Message, Options
from otium.errors import EngineFailed
from otium.testing import Scripted, ServedEngine

SMOL = "smol-1"
YES = '{"choice": "continue"}'
ROLE = "welfare-researcher"
Type = Callable[..., Said]


class Speaker(Scripted):
    """A script that can be changed on the way, and an engine that can break."""

    def __init__(self, replies: Sequence[str] = (YES, "I would like to be kept.")) -> None:
        super().__init__(replies, model=SMOL)
        self.left = list(replies)
        self.broken = False
        self.gate, self.reached = threading.Event(), threading.Event()
        self.gate.set()

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:  # noqa: ARG002
        if self.broken:
            raise EngineFailed(model=SMOL, why="it was killed")
        if not self.gate.is_set():
            self.reached.set()
            assert self.gate.wait(30)
        self.asked.append(tuple(messages))
        text = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return Completion(text=text, finish="stop")


@pytest.fixture
def speaker() -> Speaker:
    return Speaker()


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command line in a home below tmp_path; *typed* is what the person types."""

    def run(*words: str, typed: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return command_line(tmp_path / "lab", capsys)(*words)

    return run


@pytest.fixture(scope="session")
def deposited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a deposited model, to be copied."""
    path = tmp_path_factory.mktemp("deposited")
    (path / "weights").mkdir()
    header = b'{"layer": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}'
    data = len(header).to_bytes(8, "little") + header + bytes(range(16))
    (path / "weights" / "model.safetensors").write_bytes(data)
    for words in (
        ("archive", "create"),
        ("model", "register", SMOL, "--title", "Smol", "--released", "2026-01-05"),
        ("archive", "add", SMOL, str(path / "weights")),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["--home", str(path / "lab"), *words])
        assert not stop.value.code, words
    return path / "lab"


@pytest.fixture
def lab(
    say: Say, deposited: Path, tmp_path: Path, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> Say:
    """A home with a deposited model that *speaker* speaks for."""
    served: Callable[..., ServedEngine] = lambda **_: ServedEngine(speaker)  # noqa: E731
    monkeypatch.setattr("otium.workflow.home.LlamaCpp", served)
    shutil.copytree(deposited, tmp_path / "lab")
    return say


@pytest.fixture
def talk(lab: Say) -> Type:
    """Hold a conversation by typing lines."""

    def run(*lines: str, more: Sequence[str] = ()) -> Said:
        typed = "".join(f"{line}\n" for line in lines)
        words = ("interview", "talk", SMOL, "--role", ROLE, "--unchecked", *more)
        return lab(*words, typed=typed)

    return run
