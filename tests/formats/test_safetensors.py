"""The header of a safetensors file: what is read, and what is refused."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makers import Weights, floats, safetensors, safetensors_of
from otium.errors import BadHeader
from otium.formats.extent import Extent
from otium.formats.safetensors import LONGEST_HEADER, read_safetensors

GOOD = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def read(data: bytes) -> list[Extent]:
    return read_safetensors(io.BytesIO(data), len(data), "model.safetensors")


def header(**entries: object) -> bytes:
    return json.dumps(entries).encode()


def test_header_and_tensors_are_found_in_the_order_of_their_bytes() -> None:
    data = safetensors([floats("b", 0, 3), floats("a", 9, 2)])
    start, b, a = read(data)
    assert (start.offset, start.name) == (0, "")
    assert (b.name, b.dtype, b.shape, b.length) == ("b", "F32", (3,), 12)
    assert (a.name, a.offset, a.end) == ("a", b.end, len(data))


def test_metadata_spaces_scalars_and_empty_tensors_are_allowed() -> None:
    text = header(
        __metadata__={"format": "pt"},
        scalar={"dtype": "U8", "shape": [], "data_offsets": [0, 1]},
        empty={"dtype": "F32", "shape": [0, 4], "data_offsets": [1, 1]},
    )
    extents = read(safetensors_of(text + b"   ", b"x"))
    assert [extent.length for extent in extents[1:]] == [1, 0]


def test_types_smaller_than_a_byte_are_counted_in_bits() -> None:
    text = header(a={"dtype": "F4", "shape": [4], "data_offsets": [0, 2]})
    assert read(safetensors_of(text, b"xx"))[1].length == 2


@given(st.lists(st.tuples(st.text(max_size=5), st.integers(0, 20)), unique_by=lambda t: t[0]))
def test_extents_cover_a_sound_file_exactly_once(entries: list[tuple[str, int]]) -> None:
    tensors = [Weights(name, bytes(size), (size,), "U8") for name, size in entries]
    tensors = [tensor for tensor in tensors if tensor.name != "__metadata__"]
    data = safetensors(tensors)
    extents = read(data)
    assert extents[0].offset == 0
    assert [one.end for one in extents[:-1]] == [one.offset for one in extents[1:]]
    assert extents[-1].end == len(data)
    assert {one.name for one in extents[1:]} == {tensor.name for tensor in tensors}


BAD = {
    "shorter than a header": b"\x01\x02",
    "claims": (2 << 30).to_bytes(8, "little") + b"{}",
    "are left in the file": (100).to_bytes(8, "little") + b"{}",
    "not a JSON object": safetensors_of(b"[]"),
    "cannot be read": safetensors_of(b"{"),
    "Expected `str`": safetensors_of(header(__metadata__={"n": 1})),
    "given twice": safetensors_of(b'{"a": %s, "a": %s}' % ((json.dumps(GOOD["a"]).encode(),) * 2)),
    "overlaps": safetensors_of(
        header(**GOOD, b={"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}), bytes(12)
    ),
    "leaves a gap": safetensors_of(
        header(a={"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}), bytes(12)
    ),
    "does not have the size": safetensors_of(
        header(a={"dtype": "F32", "shape": [2], "data_offsets": [0, 12]}), bytes(12)
    ),
    "does not have the size of": safetensors_of(
        header(a={"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}), bytes(8)
    ),
    "ends beyond": safetensors_of(header(**GOOD), bytes(7)),
    "belong to no tensor": safetensors_of(header(**GOOD), bytes(9)),
    "unknown type": safetensors_of(
        header(a={"dtype": "F33", "shape": [2], "data_offsets": [0, 8]}), bytes(8)
    ),
    "end on a byte": safetensors_of(
        header(a={"dtype": "F4", "shape": [3], "data_offsets": [0, 2]}), bytes(2)
    ),
    "Expected `int` >= 0": safetensors_of(
        header(a={"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}), bytes(8)
    ),
    "unknown field": safetensors_of(
        header(a={"dtype": "F32", "shape": [2], "data_offsets": [0, 8], "x": 1}), bytes(8)
    ),
}


@pytest.mark.parametrize("why", BAD)
def test_an_unsound_header_is_refused(why: str) -> None:
    with pytest.raises(BadHeader, match="is not a sound safetensors file") as caught:
        read(BAD[why])
    assert why in str(caught.value) or "gap before it" in str(caught.value)


def test_a_shape_that_only_fits_after_overflow_is_refused() -> None:
    entry = {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}
    with pytest.raises(BadHeader):
        read(safetensors_of(header(a=entry)))


@pytest.mark.parametrize("junk", [b"[" * 200_000, b'{"a":' * 200_000, b'{"a":' + b"[0," * 90_000])
def test_deep_nesting_is_refused_and_not_followed(junk: bytes) -> None:
    with pytest.raises(BadHeader):
        read(safetensors_of(b"{" + junk))


def test_a_header_of_junk_costs_little_memory() -> None:
    junk = b'{"a":[' + b"{}," * (LONGEST_HEADER // 8) + b"{}]}"
    data = safetensors_of(junk)
    tracemalloc.start()
    with pytest.raises(BadHeader):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(junk)


@given(st.integers(0), st.binary(max_size=4))
def test_a_sound_file_with_any_bytes_changed_never_crashes(at: int, patch: bytes) -> None:
    data = bytearray(safetensors([floats("a", 0, 4), floats("b", 1, 4)]))
    at %= len(data)
    data[at : at + len(patch)] = patch
    try:
        extents = read(bytes(data))
    except BadHeader:
        return
    assert extents[-1].end == len(data)
