"""Deposits that are meant to harm, or are merely broken: refused, and the archive unchanged.

Each maker writes one into a fresh directory and returns the path to deposit.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from makers import NOW, SMOL, archive_in, floats, folder, gguf, gguf_of, info, safetensors, text
from otium.errors import BadDeposit, BadHeader, NoWeights, UnsafePath
from otium.testing import MemoryStore

SOUND = safetensors([floats("a", 0, 64)])
Maker = Callable[[Path], Path]


def sound(path: Path, **more: bytes) -> Path:
    return folder(path, {"model.safetensors": SOUND, **more})


def nothing_there(path: Path) -> Path:
    return path / "missing"


def no_weights(path: Path) -> Path:
    return folder(path, {"README.md": b"weights follow", "config.json": b"{}"})


def empty_directory(path: Path) -> Path:
    path.mkdir()
    return path


def header_without_tensors(path: Path) -> Path:
    return folder(path, {"model.safetensors": safetensors([])})


def empty_weights(path: Path) -> Path:
    return sound(path, **{"extra.bin": b""})


def truncated_safetensors(path: Path) -> Path:
    return folder(path, {"model.safetensors": SOUND[:-1]})


def safetensors_cut_in_its_header(path: Path) -> Path:
    return folder(path, {"model.safetensors": SOUND[:20]})


def bytes_after_the_last_tensor(path: Path) -> Path:
    return folder(path, {"model.safetensors": SOUND + b"#!/bin/sh"})


def header_of_two_gigabytes(path: Path) -> Path:
    return folder(path, {"model.safetensors": struct.pack("<Q", 2 << 30) + b'{"a":1}'})


def header_of_two_gigabytes_that_is_there(path: Path) -> Path:
    path = folder(path, {"model.safetensors": struct.pack("<Q", 2 << 30) + b"{"})
    with (path / "model.safetensors").open("r+b") as file:
        file.truncate(3 << 30)  # sparse: it takes no room
    return path


def offsets_outside_the_file(path: Path) -> Path:
    entry = {"dtype": "F32", "shape": [1 << 20], "data_offsets": [0, 4 << 20]}
    header = json.dumps({"a": entry}).encode()
    return folder(path, {"model.safetensors": struct.pack("<Q", len(header)) + header + bytes(64)})


def truncated_gguf(path: Path) -> Path:
    return folder(path, {"model.gguf": gguf({}, [floats("a", 0, 64)])[:-1]})


def gguf_cut_in_its_header(path: Path) -> Path:
    return folder(path, {"model.gguf": gguf({"general.name": "x" * 99}, [])[:60]})


def gguf_with_offsets_outside_the_file(path: Path) -> Path:
    return folder(path, {"model.gguf": gguf_of([], [info("a", (8,), 0, 1 << 40)], bytes(64))})


def gguf_that_claims_a_billion_tensors(path: Path) -> Path:
    return folder(path, {"model.gguf": b"GGUF" + struct.pack("<IQQ", 3, 10**9, 0) + bytes(64)})


def gguf_that_claims_a_text_of_two_gigabytes(path: Path) -> Path:
    claim = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2 << 30)
    return folder(path, {"model.gguf": claim + bytes(64)})


def gguf_full_of_long_texts(path: Path) -> Path:
    long = struct.pack("<IQ", 8, 15 << 20)
    path = folder(path, {"model.gguf": b"GGUF" + struct.pack("<IQQ", 3, 0, 6)})
    with (path / "model.gguf").open("r+b") as file:
        file.seek(0, os.SEEK_END)
        for number in range(6):
            file.write(text(f"k{number}") + long)
            file.seek(15 << 20, os.SEEK_CUR)
        file.truncate()
    return path


def gguf_of_another_byte_order(path: Path) -> Path:
    return folder(path, {"model.gguf": b"GGUF" + struct.pack(">IQQ", 3, 0, 0) + bytes(64)})


def link_out_of_the_tree(path: Path) -> Path:
    (path.parent / "secret.txt").write_text("secret")
    sound(path)
    (path / "notes.txt").symlink_to("../secret.txt")
    return path


def link_to_an_absolute_path(path: Path) -> Path:
    sound(path)
    (path / "notes.txt").symlink_to("/etc/hostname")
    return path


def link_to_a_directory_outside(path: Path) -> Path:
    folder(path.parent / "elsewhere", {"secret.txt": b"secret"})
    sound(path)
    (path / "more").symlink_to("../elsewhere")
    return path


def link_to_a_directory_inside(path: Path) -> Path:
    sound(path, **{"real/a.txt": b"a"})
    (path / "again").symlink_to("real")
    return path


def link_to_itself(path: Path) -> Path:
    sound(path)
    (path / "loop.bin").symlink_to("loop.bin")
    return path


def link_to_nothing(path: Path) -> Path:
    sound(path)
    (path / "gone.bin").symlink_to("missing")
    return path


def pipe(path: Path) -> Path:
    sound(path)
    os.mkfifo(path / "model.bin")
    return path


def socket_file(path: Path) -> Path:
    sound(path)
    here = Path.cwd()
    os.chdir(path)  # the name of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("model.bin")
    finally:
        os.chdir(here)
    return path


def device(path: Path) -> Path:
    sound(path)
    (path / "model.bin").symlink_to("/dev/zero")
    return path


def only_a_device(path: Path) -> Path:
    path.mkdir()
    return Path("/dev/zero")


def unreadable_tokenizer_config(path: Path) -> Path:
    return sound(path, **{"tokenizer_config.json": b"[" * 100_000})


def huge_tokenizer_config(path: Path) -> Path:
    sound(path, **{"tokenizer_config.json": b"{"})
    with (path / "tokenizer_config.json").open("r+b") as file:
        file.truncate(1 << 30)
    return path


NAMES = {
    "backslash": "a\\b.txt",
    "colon": "C:evil.txt",
    "question mark": "what?.txt",
    "line feed": "a\nb.txt",
    "escape": "\x1b[2J.txt",
    "trailing dot": "a.txt.",
    "trailing space": "a.txt ",
    "dots only": "...",
    "device": "NUL.txt",
    "lower case device": "com1",
    "decomposed accent": "cafe\u0301.txt",
    "not UTF-8": os.fsdecode(b"\xff\xfe.txt"),
    "long path": "/".join(["d" * 200] * 6),
}


def named(name: str) -> Maker:
    return lambda path: sound(path, **{name: b"x"})


def same_name_but_for_case(path: Path) -> Path:
    return sound(path, **{"Config.json": b"{}", "config.json": b"{}"})


REFUSED: list[tuple[Maker, type[BadDeposit], str]] = [
    (nothing_there, BadDeposit, "is not there"),
    (no_weights, NoWeights, "holds no weights"),
    (empty_directory, NoWeights, "holds no weights"),
    (header_without_tensors, NoWeights, "holds no weights"),
    (empty_weights, BadDeposit, "empty weights file"),
    (truncated_safetensors, BadHeader, "ends beyond the file"),
    (safetensors_cut_in_its_header, BadHeader, "left in the file"),
    (bytes_after_the_last_tensor, BadHeader, "belong to no tensor"),
    (header_of_two_gigabytes, BadHeader, "claims 2147483648 bytes"),
    (header_of_two_gigabytes_that_is_there, BadHeader, "claims 2147483648 bytes"),
    (offsets_outside_the_file, BadHeader, "ends beyond the file"),
    (truncated_gguf, BadHeader, "ends beyond the file"),
    (gguf_cut_in_its_header, BadHeader, "more than the file can hold"),
    (gguf_with_offsets_outside_the_file, BadHeader, "ends beyond the file"),
    (gguf_that_claims_a_billion_tensors, BadHeader, "claims 1000000000 tensors"),
    (gguf_that_claims_a_text_of_two_gigabytes, BadHeader, "claims 2147483648 bytes of text"),
    (gguf_full_of_long_texts, BadHeader, "bytes of text"),
    (gguf_of_another_byte_order, BadHeader, "little-endian"),
    (link_out_of_the_tree, UnsafePath, "leads out"),
    (link_to_an_absolute_path, UnsafePath, "leads out"),
    (link_to_a_directory_outside, UnsafePath, "leads out"),
    (link_to_a_directory_inside, BadDeposit, "a folder"),
    (link_to_itself, BadDeposit, "leads nowhere"),
    (link_to_nothing, BadDeposit, "leads nowhere"),
    (pipe, BadDeposit, "a pipe"),
    (socket_file, BadDeposit, "a socket"),
    (device, UnsafePath, "leads out"),
    (only_a_device, BadDeposit, "a device"),
    (unreadable_tokenizer_config, BadHeader, "not a sound JSON file"),
    (huge_tokenizer_config, BadDeposit, "is larger than"),
    (same_name_but_for_case, BadDeposit, "the same as"),
    *[(named(name), BadDeposit, "name") for name in NAMES.values()],
]
IDS = [maker.__name__ for maker, _, _ in REFUSED if maker.__name__ != "<lambda>"] + list(NAMES)


@pytest.mark.parametrize(("make", "error", "why"), REFUSED, ids=IDS)
def test_a_hostile_deposit_is_refused_and_changes_nothing(
    tmp_path: Path, make: Maker, error: type[BadDeposit], why: str
) -> None:
    store = MemoryStore()
    archive = archive_in(store)
    archive.add(SMOL, sound(tmp_path / "before"), deposited=NOW)
    before = dict(store.objects)
    path = make(tmp_path / "hostile")
    tracemalloc.start()
    for attempt in (archive.plan, lambda path: archive.add(SMOL, path, deposited=NOW)):
        with pytest.raises(error) as caught:
            attempt(path)
        assert why in str(caught.value)
        assert caught.value.exit_code == 22
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert store.objects == before
    assert peak < 128 << 20


@pytest.mark.parametrize(
    "path", ["../x.bin", "a/../../x.bin", "/etc/passwd", "..", "a/..", "a//b", "./a", "a/.", ""]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    from otium.formats import check_path

    with pytest.raises(BadDeposit):
        check_path(path)


def test_code_in_a_deposit_is_kept_and_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    code = f"import pathlib; pathlib.Path({str(trap)!r}).touch()".encode()
    pickle = b"cbuiltins\nexec\n(V" + code + b"\ntR."
    path = sound(tmp_path / "w", **{"model.bin": pickle, "modeling.py": code})
    archive = archive_in(MemoryStore())
    archive.add(SMOL, path, deposited=NOW)
    archive.restore(SMOL, tmp_path / "out")
    assert (tmp_path / "out" / "model.bin").read_bytes() == pickle
    assert not trap.exists()


def test_a_template_in_a_deposit_is_kept_and_never_rendered(tmp_path: Path) -> None:
    template = "{{ cycler.__init__.__globals__.os.system('false') }}{% for x in range(10**9) %}"
    path = folder(
        tmp_path / "w",
        {"model.gguf": gguf({"tokenizer.chat_template": template}, [floats("a", 0, 1)])},
    )
    archive = archive_in(MemoryStore())
    archive.add(SMOL, path, deposited=NOW)
    assert archive.record(SMOL, "chat_template.jinja") == template.encode()
