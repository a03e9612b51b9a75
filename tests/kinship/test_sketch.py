from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from kinship.models import HIDDEN, Model, View, bf16, f32, gguf, make, tune, views
from otium.kinship import SIZE, sketch, weights_of
from otium.kinship.roles import PART_OF
from otium.kinship.search import mean_bits

STRANGER = 5.0
"""Bits: more than any relative in these tests differs by."""


@pytest.fixture(scope="module")
def base() -> Model:
    return make(0)


def words(data: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    assert len(data) == SIZE
    return np.frombuffer(data, "<u2", offset=32)


def same(one: bytes, other: bytes) -> float:
    """Return the share of samples that are equal."""
    return float((words(one) == words(other)).mean())


def apart(one: bytes, other: bytes) -> float:
    return float(mean_bits(words(one)[None], words(other))[0])


def test_a_sketch_has_2080_bytes_and_says_how_many_weights_there_are(base: Model) -> None:
    data = sketch(views(base))
    sampled = sum(
        w.size for n, w in base.items() if w.ndim > 1 and ".q_" not in n if ".k_" not in n
    )
    assert len(data) == 2080
    assert weights_of(data) == sampled


def test_bf16_is_sampled_as_fp32_rounds_to_it(base: Model) -> None:
    assert sketch(views(base, "F32")) == sketch(views(base, "BF16"))


def test_fp16_differs_from_bf16_by_rounding_only(base: Model) -> None:
    one, other = sketch(views(base, "F16")), sketch(views(base, "BF16"))
    assert np.abs(words(one).astype(int) - words(other).astype(int)).max() <= 1
    assert same(one, other) > 0.9


def test_the_order_of_tensors_does_not_matter(base: Model) -> None:
    tensors = views(base)
    assert sketch(tensors[::-1]) == sketch(tensors)


def test_llama_cpp_names_and_shapes_give_the_same_sketch(base: Model) -> None:
    assert sketch(gguf(base, "BF16")) == sketch(views(base, "BF16"))


@pytest.mark.parametrize(("dtype", "most"), [("Q8_0", 3.0), ("Q4_0", STRANGER)])
def test_a_quantised_copy_is_nearer_than_any_stranger(base: Model, dtype: str, most: float) -> None:
    found = sketch(gguf(base, dtype))
    assert apart(found, sketch(views(base))) < most
    assert apart(found, sketch(views(make(1)))) > STRANGER + 1


def test_8_bit_floats_are_read_with_the_scales_of_their_tiles(base: Model) -> None:
    scaled: list[View] = []
    for view in views({name: w * 32 for name, w in base.items()}, "F8_E4M3"):
        scaled.append(view)
        if len(view.shape) > 1:
            tiles = (-(-view.shape[0] // 128), -(-view.shape[1] // 128))
            data = f32(np.full(tiles, 1 / 32, np.float32))
            scaled.append(View(f"{view.name}_scale_inv", "F32", tiles, data))
    assert apart(sketch(scaled), sketch(views(base))) < STRANGER - 1


def test_new_words_move_few_samples(base: Model) -> None:
    grown = make(0) | {
        name: np.concatenate([base[name], np.full((24, HIDDEN), 0.5, np.float32)])
        for name in ("model.embed_tokens.weight", "lm_head.weight")
    }
    assert same(sketch(views(grown)), sketch(views(base))) > 0.96


def test_a_tensor_more_or_less_moves_few_samples(base: Model) -> None:
    headed = base | {"score.weight": np.ones((32, HIDDEN), np.float32)}
    tied = {name: w for name, w in base.items() if name != "model.layers.2.mlp.up_proj.weight"}
    assert same(sketch(views(headed)), sketch(views(base))) > 0.95
    assert same(sketch(views(tied)), sketch(views(base))) > 0.9


def test_wrappers_prefixes_do_not_matter(base: Model) -> None:
    wrapped = {f"base_model.model.{name}": w for name, w in base.items()}
    assert sketch(views(wrapped)) == sketch(views(base))


def test_a_folder_with_the_model_twice_has_the_wider_one_sampled(base: Model) -> None:
    both = [*gguf(base, "Q4_0"), *views(base, "F32")]
    assert sketch(both) == sketch(views(base, "F32"))


def test_stacked_experts_are_sampled_like_single_ones() -> None:
    rng = np.random.default_rng(5)
    experts = rng.standard_normal((4, 32, 64)).astype(np.float32)
    single = [
        View(f"model.layers.0.mlp.experts.{n}.up_proj.weight", "BF16", (32, 64), bf16(w))
        for n, w in enumerate(experts)
    ]
    stacked = [View("blk.0.ffn_up_exps.weight", "BF16", (64, 32, 4), bf16(experts))]
    assert sketch(single) == sketch(stacked)


def test_each_step_of_training_is_seen_and_grows_with_it(base: Model) -> None:
    found = [
        apart(sketch(views(tune(base, size, 1), "BF16")), sketch(views(base, "BF16")))
        for size in (0.0005, 0.003, 0.03, 0.3)
    ]
    assert found == sorted(found)
    assert 0 < found[0] < found[-1] < STRANGER + 1.5


def test_models_of_integers_and_crumbs_have_no_sketch() -> None:
    assert sketch([]) == b""
    assert sketch([View("ids", "I64", (64, 64), bytes(64 * 64 * 8))]) == b""
    assert sketch([View("norm.weight", "F32", (5000,), bytes(20000))]) == b""
    assert sketch([View("tiny.weight", "F32", (8, 8), bytes(256))]) == b""
    assert sketch([View("empty.weight", "F32", (0, 4096), b"")]) == b""


def test_values_that_are_no_numbers_are_sampled_without_complaint() -> None:
    odd = np.resize(np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45], np.float32), (64, 64))
    assert set(words(sketch([View("odd.weight", "F32", (64, 64), f32(odd))]))) <= {
        0x7FC0,
        0x7F80,
        0xFF80,
        0x8000,
        0,
    }
    double = View("odd.weight", "F64", (64, 64), np.full(4096, 1e300).astype("<f8").tobytes())
    assert set(words(sketch([double]))) == {0x7F80}


@dataclass(frozen=True)
class Counting:
    """A view that counts the bytes read through it."""

    view: View
    read_bytes: list[int]

    @property
    def name(self) -> str:
        return self.view.name

    @property
    def dtype(self) -> str:
        return self.view.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.view.shape

    def read(self, offset: int, length: int) -> bytes:
        self.read_bytes.append(length)
        return self.view.read(offset, length)


def test_only_the_sampled_bytes_are_read(base: Model) -> None:
    counts: list[int] = []
    sketch([Counting(view, counts) for view in views(base, "F16")])
    assert counts == [2] * 1024


def test_a_name_without_meaning_is_sampled_all_the_same() -> None:
    view = View("w", "F32", (64, 64), f32(np.arange(4096, dtype=np.float32)))
    assert sketch([view]) != sketch([replace(view, name="x")])


def vector() -> list[View]:
    """Return the model of the test vector in docs/formats/sketch-1.md."""

    def tensor(name: str, *shape: int) -> View:
        numbers = np.arange(math.prod(shape)) * 7919 % 65521
        return View(
            name, "F32", shape, f32((numbers - 32760).astype(np.float32) / np.float32(32768))
        )

    return [
        tensor("model.embed_tokens.weight", 300, 64),
        tensor("model.layers.0.self_attn.v_proj.weight", 64, 64),
        tensor("model.layers.0.self_attn.q_proj.weight", 64, 64),
        tensor("model.layers.0.mlp.down_proj.weight", 64, 160),
        tensor("model.norm.weight", 64),
    ]


def test_the_test_vector_stays_for_ever() -> None:
    data = sketch(vector())
    assert hashlib.sha256(data).hexdigest() == (
        "0169f2097bd791eee3c0504033ccc05448a04926b6b33dcf5789617ebe329d88"
    )


def test_the_page_that_defines_the_sketch_has_its_test_vector() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats" / "sketch-1.md").read_text()
    data = sketch(vector())
    assert hashlib.sha256(data).hexdigest() in page
    assert data[:40].hex() in page
    words_in_table = {
        name
        for part in re.findall(r"^\| `[a-z.]+` \| `(.*)` \|$", page, re.MULTILINE)
        for name in part.split()
    }
    assert set(PART_OF) == words_in_table
