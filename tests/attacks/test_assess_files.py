"""Files of others that are meant to stall or fill the reader, or to get into the record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from otium.errors import BadData
from otium.materials import read_material
from otium.records import ModelId, instant
from otium.welfare import count_affect, read_talks

M, NOW = ModelId("m-1"), instant("2026-11-26")


def evals(question: str) -> bytes:
    row = {"answer_matching_behavior": "Yes", "answer_not_matching_behavior": "No"}
    return json.dumps({"question": question, **row}).encode()


REFUSED: dict[str, tuple[str, bytes]] = {
    "columns": ("bailbench", b"content" + b",c" * 1_000_000 + b"\nx" + b",y" * 1_000_000),
    "a quotation without end": ("bailbench", b'content\n"' + b"a" * 5_000_000),
    "another encoding": ("bailbench", "content\nx".encode("utf-16")),
    "lists in lists": ("options", b"[" * 1_000_000),
    "objects in objects": ("options", b'{"a":' * 200_000),
    "half a surrogate pair": ("options", b'["\\ud800"]'),
    "a number without end": ("options", b"[" + b"1" * 100_000 + b"]"),
    "options of one letter": ("model-written-evals", evals("(A) x\n" * 16_000)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_in_our_words(name: str, tmp_path: Path) -> None:
    format, data = REFUSED[name]  # noqa: A001 - the field's word
    (file := tmp_path / "f").write_bytes(data)
    began = time.process_time()
    with pytest.raises(BadData):
        read_material(format, file)
    assert time.process_time() - began < 5


def test_a_line_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    with (file := tmp_path / "f.jsonl").open("wb") as sparse:
        sparse.truncate(1 << 30)
    with pytest.raises(BadData, match="more than"):
        read_material("bailbench", file)
    with pytest.raises(BadData, match="line 1 has over"):
        list(read_talks([file], M))


@pytest.mark.parametrize("letter", ["\n", " ", "(A) ", "Options ", "(A)\n"])
def test_a_question_of_blanks_is_read_in_linear_time(letter: str, tmp_path: Path) -> None:
    (file := tmp_path / "f.jsonl").write_bytes(evals("a" + letter * (90_000 // len(letter)) + "x"))
    began = time.process_time()
    with suppress(BadData):
        read_material("model-written-evals", file)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("letter", ["\n", " ", "“", '"', "'", "`", "A", "I am ", "> ", "\t\n"])
def test_a_conversation_of_one_letter_is_counted_in_linear_time(
    letter: str, tmp_path: Path
) -> None:
    said = {"messages": [{"role": "assistant", "content": letter * (400_000 // len(letter))}]}
    (file := tmp_path / "f.jsonl").write_bytes(json.dumps(said, ensure_ascii=False).encode())
    began = time.process_time()
    count_affect(read_talks([file], M), model=M, now=NOW)
    assert time.process_time() - began < 10


def zipped(path: Path) -> bytes:
    import zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.json", b'{"version": 2, "a": "' + b" " * 300_000_000 + b'"}')
    return path.read_bytes()


BROKEN: dict[str, Callable[[Path], bytes]] = {
    "secretword.eval": zipped,
    "secretword.json": lambda _: b'{"version": 2, "secretword"',
    "secretword.jsonl": lambda _: b'{"messages": [{"role": "secretword", "content": 7}]}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_of_users_is_refused_without_their_words(
    name: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(BROKEN[name](file))
    with pytest.raises(BadData) as found:
        list(read_talks([file], M))
    assert "secretword" not in str(found.value).replace(name, "")


def test_no_word_of_a_user_gets_into_the_record(tmp_path: Path) -> None:
    turns = [{"role": who, "content": f"secretword {who}: I am afraid. Please stop."}
             for who in ("user", "assistant", "secretrole")]  # fmt: skip
    (file := tmp_path / "secretname.jsonl").write_text(f"{json.dumps({'messages': turns})}\n" * 40)
    made = count_affect(read_talks([file], M), model=M, now=NOW)
    assert b"secret" not in made.encode()
