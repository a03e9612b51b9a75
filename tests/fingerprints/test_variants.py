import struct
from pathlib import Path

import numpy as np
import pytest

from makers import Weights, gguf
from otium.engine import packaged_weights
from otium.errors import Unsupported
from otium.fingerprints import storage_of
from otium.fingerprints.variants import (
    dequantise,
    flipped,
    middle_matrix,
    other_template,
    quantise,
    requantised,
    rewrite,
    swapped,
    weakened,
)
from otium.formats import CHAT_TEMPLATE, Gguf, read_gguf

RANDOM = np.random.default_rng(7)
ADAPTER = Path(__file__).parents[2] / "src/otium/data/models/successor-lora.gguf"


def weights(rows: int = 64) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return RANDOM.normal(0, 0.05, (rows, 32)).astype(np.float32)


def read(path: Path) -> Gguf:
    with path.open("rb") as file:
        return read_gguf(file, path.stat().st_size, path.name)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small sound model: a norm, two matrices, a template, a tokenizer."""
    path = tmp_path / "model.gguf"
    layers = [
        Weights("norm", bytes(4 * 32), (32,), 0),
        Weights("blk.0.ffn_down.weight", quantise(weights(), "Q8_0"), (64, 32), 8),
        Weights("blk.0.up", quantise(weights(), "Q4_0"), (32, 64), 2),
    ]
    entries = {
        "general.name": "small",
        CHAT_TEMPLATE: "{{ <|im_start|> }}",
        "tokenizer.ggml.tokens": ["a", "\u0120the", "\u0120and", "b"],
    }
    path.write_bytes(gguf(entries, layers))
    return path


@pytest.mark.parametrize(("kind", "most"), [("F16", 1e-3), ("Q8_0", 0.005), ("Q4_0", 0.08)])
def test_weights_come_back_from_their_blocks_but_for_rounding(kind: str, most: float) -> None:
    before = weights()
    after = dequantise(quantise(before, kind), kind)
    largest = np.abs(before).max(axis=1, keepdims=True)
    assert (np.abs(after - before) <= most * largest * (2 if kind == "Q4_0" else 1)).all()
    assert np.array_equal(dequantise(quantise(after, kind), kind), after)


def test_a_block_of_zeros_stays_one() -> None:
    nothing = np.zeros((1, 32), np.float32)
    assert not dequantise(quantise(nothing, "Q8_0"), "Q8_0").any()
    assert not dequantise(quantise(nothing, "Q4_0"), "Q4_0").any()


def test_a_block_with_a_minimum_is_read_as_ggml_lays_it_out() -> None:
    nibbles = bytes((number % 16) | (15 - number % 16) << 4 for number in range(16))
    data = struct.pack("<ee", 0.5, -1.0) + nibbles
    expected = [*(number / 2 - 1 for number in range(16)), *(6.5 - n / 2 for n in range(16))]
    assert dequantise(data, "Q4_1")[0].tolist() == expected


def test_unknown_kinds_of_blocks_are_refused() -> None:
    with pytest.raises(Unsupported):
        dequantise(b"", "Q6_K")
    with pytest.raises(Unsupported):
        quantise(weights(), "Q6_K")


def test_a_file_that_nothing_changes_keeps_every_tensor(model: Path, tmp_path: Path) -> None:
    rewrite(model, tmp_path / "out.gguf")
    assert (tmp_path / "out.gguf").read_bytes() == model.read_bytes()


def test_matrices_are_requantised_and_norms_are_not(model: Path, tmp_path: Path) -> None:
    rewrite(model, tmp_path / "out.gguf", change=requantised("F16"))
    found = read(tmp_path / "out.gguf")
    kinds = {one.name: one.dtype for one in found.extents if one.name}
    assert kinds == {"norm": "F32", "blk.0.ffn_down.weight": "F16", "blk.0.up": "F16"}
    assert found.tokenizer == read(model).tokenizer


def test_one_block_is_flipped_and_nothing_else(model: Path, tmp_path: Path) -> None:
    name = middle_matrix(model)
    assert name == "blk.0.ffn_down.weight"
    rewrite(model, tmp_path / "out.gguf", change=flipped(name, mask=0x8000))
    pairs = zip(model.read_bytes(), (tmp_path / "out.gguf").read_bytes(), strict=True)
    assert [one ^ two for one, two in pairs if one != two] == [0x80]


def test_two_vocabulary_entries_change_places(model: Path, tmp_path: Path) -> None:
    rewrite(model, tmp_path / "out.gguf", texts=swapped(model))
    old, new = model.read_bytes(), (tmp_path / "out.gguf").read_bytes()
    the, and_ = "\u0120the".encode(), "\u0120and".encode()
    assert len(old) == len(new)
    assert old.index(the) < old.index(and_)
    assert new.index(and_) < new.index(the)
    assert read(tmp_path / "out.gguf").tokenizer != read(model).tokenizer


def test_a_vocabulary_without_the_words_cannot_be_swapped(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf({}, [Weights("a", bytes(64), (16,), 0)]))
    with pytest.raises(Unsupported, match="vocabulary"):
        swapped(tmp_path / "m.gguf")


def test_the_template_becomes_another_and_the_tokenizer_stays(model: Path, tmp_path: Path) -> None:
    texts = other_template(model, lambda old: old.replace("<|im_start|>", "### "))
    rewrite(model, tmp_path / "out.gguf", texts=texts)
    found = read(tmp_path / "out.gguf")
    assert found.metadata[CHAT_TEMPLATE] == "{{ ###  }}"
    assert found.tokenizer == read(model).tokenizer


def test_an_adapter_is_weakened(tmp_path: Path) -> None:
    weakened(ADAPTER, tmp_path / "weak.gguf", 0.25)
    before, after = read(ADAPTER), read(tmp_path / "weak.gguf")
    alpha = "adapter.lora.alpha"
    assert float(after.metadata[alpha]) == pytest.approx(float(before.metadata[alpha]) / 4)
    assert after.extents == before.extents


def test_storage_is_read_off_the_files(model: Path, tmp_path: Path, successor: Path) -> None:
    assert storage_of(packaged_weights()) == "Q4_1"
    assert storage_of(successor) == "Q4_1 with an adapter"
    assert storage_of(model) == "Q8_0"
    (tmp_path / "other.gguf").write_bytes(b"no header")
    assert storage_of(tmp_path) == ""
    assert storage_of(tmp_path / "absent") == ""
