"""The command line."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from otium.reference import FORMS, read, tokenizer_of
from otium.reference.__main__ import main
from reference.peers import FIXTURES

SYSTEM = ["--chat", "--system", "Be brief."]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A random model with a tokenizer."""
    shutil.copytree(FIXTURES / "llama3", tmp_path / "model")
    said = json.loads((FIXTURES / "tokenizer-smollm.json").read_text())["tokenizer"]
    vocabulary = said["model"]["vocab"]
    said["model"]["merges"] = []
    said["model"]["vocab"] = {text: n for text, n in vocabulary.items() if n < 258}
    (tmp_path / "model" / "tokenizer.json").write_text(json.dumps(said))
    return tmp_path / "model"


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(arguments) == 0
    return capsys.readouterr().out.splitlines()


def test_each_token_is_a_line(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = lines(capsys, str(model), "Hello", "--tokens", "5", "--logprobs", "3")
    assert len(found) == 5
    as_json = lines(capsys, str(model), "Hello", "--tokens", "5", "--logprobs", "3", "--json")
    for line, said in zip(found, map(json.loads, as_json), strict=True):
        assert line.split()[:2] == [str(said["token"]), f"{said['logprob']:.4f}"]
        assert len(said["top"]) == 3


def test_a_prompt_may_come_from_standard_input(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = lines(capsys, str(model), "Hello", "--tokens", "4", "--json")
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello"))
    assert lines(capsys, str(model), "-", "--tokens", "4", "--json") == given
    assert lines(capsys, str(model), "Hello", "--tokens", "4", "--json", "--double") != given


def test_a_chat_needs_a_form_that_is_known(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(model), "Hello", *SYSTEM]) == 1
    said = capsys.readouterr()
    assert "no chat template" in said.err
    assert "--template" in said.err
    named = [str(model), "Hi", *SYSTEM, "--template", "llama3", "--json", "--tokens", "1"]
    written = FORMS["llama3"].render([("system", "Be brief."), ("user", "Hi")])
    assert lines(capsys, *named) == lines(capsys, str(model), written, "--json", "--tokens", "1")


def test_text_is_printed_as_it_comes(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = lines(capsys, str(model), "Hello", "--tokens", "9", "--json")
    tokens = [json.loads(line)["token"] for line in said]
    assert main([str(model), "Hello", "--tokens", "9"]) == 0
    assert capsys.readouterr().out == tokenizer_of(read(model)).decode(tokens) + "\n"
