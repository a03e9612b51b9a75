from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.families import base_model, write_family
from otium.bench.data import (
    BLOCKS,
    QUANTS,
    Model,
    Tensor,
    cast,
    change,
    cut,
    disturbed,
    narrow,
    quantised,
    read_family,
    read_model,
    write_model,
)
from otium.errors import BadData
from otium.formats import read_gguf

floats = st.floats(width=32, allow_nan=True, allow_infinity=True)


def test_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = base_model()
    write_model(tmp_path / "m.safetensors", model)
    assert read_model(tmp_path / "m.safetensors") == model


def test_files_of_other_shapes_are_not_of_the_family(tmp_path: Path) -> None:
    family = read_family(write_family(tmp_path / "f"))
    assert list(family.files) == ["base", "ft1", "ft2"]
    assert [family.parent(name) for name in family.tuned] == ["base", "ft1"]


def test_a_directory_without_a_base_is_no_family(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"base\.safetensors"):
        read_family(tmp_path)


@given(st.lists(floats, min_size=1, max_size=64))
def test_bf16_is_the_nearest_even(values: list[float]) -> None:
    wide = np.array(values, np.float32)
    tensor = Tensor("t", "BF16", (wide.size,), narrow(wide, "BF16"))
    back = tensor.values()
    finite = np.isfinite(wide) & np.isfinite(back)
    neighbours = np.abs(back[finite].astype(np.float64) - wide[finite])
    unit = np.spacing(np.abs(wide[finite])).astype(np.float64) * 2**16
    assert (neighbours <= unit / 2).all()
    assert (np.isnan(back) == np.isnan(wide)).all()
    assert narrow(back, "BF16") == tensor.data


@pytest.mark.parametrize("dtype", ["F16", "F32"])
def test_a_cast_keeps_names_shapes_and_small_values(dtype: str) -> None:
    model = base_model()
    wide = cast(model, dtype)
    assert {n: t.shape for n, t in wide.items()} == {n: t.shape for n, t in model.items()}
    for name, tensor in model.items():
        np.testing.assert_allclose(wide[name].values(), tensor.values(), rtol=1e-3, atol=1e-7)


def test_a_disturbance_is_the_same_for_everybody_and_of_the_size_asked_for() -> None:
    model = cast(base_model(), "F32")
    moved = disturbed(model, 0.01)
    assert moved == disturbed(model, 0.01)
    assert change(moved, model) == pytest.approx(0.01, rel=0.02)
    assert change(model, model) == 0


def write_gguf(path: Path, model: Model) -> None:
    """Write quantised tensors as a GGUF file that says no more than it must."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, len(model), 1)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    at = 0
    for name, tensor in model.items():
        shape = tensor.shape[::-1]
        head += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head += struct.pack("<IQ", QUANTS[tensor.dtype], at)
        at += len(tensor.data) + -len(tensor.data) % 32
    with path.open("wb") as file:
        file.write(head + b"\0" * (-len(head) % 32))
        for tensor in model.values():
            file.write(tensor.data + b"\0" * (-len(tensor.data) % 32))


@pytest.mark.parametrize("kind", QUANTS)
def test_quantised_rows_are_whole_blocks_near_the_weights(kind: str, tmp_path: Path) -> None:
    model = quantised(base_model(), kind)
    assert set(model) == {"embed.weight", "up.weight"}
    weights, size = BLOCKS[kind]
    for tensor in model.values():
        assert len(tensor.data) == tensor.weights // weights * size
    path = tmp_path / "m.gguf"
    write_gguf(path, model)
    with path.open("rb") as file:
        read = read_gguf(file, path.stat().st_size, path.name)
    named = {e.name: (e.dtype, e.shape, e.length) for e in read.extents if e.name}
    assert named == {n: (kind, t.shape[::-1], len(t.data)) for n, t in model.items()}


def test_a_q8_block_holds_its_weights() -> None:
    base = base_model()["up.weight"]
    blocks = np.frombuffer(quantised({base.name: base}, "Q8_0")[base.name].data, np.uint8)
    blocks = blocks.reshape(-1, 34)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    again = blocks[:, 2:].view(np.int8) * scale
    values = base.values().reshape(-1, 32)
    assert (np.abs(again - values) <= 0.57 * scale + 1e-7).all()


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 64))
def test_cuts_are_whole_rows_and_make_the_tensor(rows: int, row: int, most: int) -> None:
    data = np.arange(rows * row, dtype="<u2").tobytes()
    parts = list(cut(Tensor("t", "BF16", (rows, row), data), most))
    assert b"".join(part.data for part in parts) == data
    assert all(part.weights <= max(most, row) and part.row == row for part in parts)
