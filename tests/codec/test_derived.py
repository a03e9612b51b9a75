"""What a piece owes to its relatives is found, and takes few bytes: planted truths."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.test_round_trips import round_trip, special
from otium.codec import Adapter, Base
from otium.codec.lowrank import find_factors
from otium.codec.predict import DTYPES, narrow, permuted, widen

Floats = npt.NDArray[np.float32]
WIDE = ("F32", "F16", "BF16")
SHAPE = (256, 512)


def weights(seed: int, rows: int = SHAPE[0], columns: int = SHAPE[1]) -> Floats:
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.normal(0, 0.4, (rows, 1)))
    return (rng.normal(0, 0.02, (rows, columns)) * scale).astype(np.float32)


def bits(values: Floats, dtype: str) -> bytes:
    return narrow(np.ascontiguousarray(values).ravel(), DTYPES[dtype]).tobytes()


def floats(data: bytes, dtype: str) -> Floats:
    return widen(np.frombuffer(data, DTYPES[dtype].bits), DTYPES[dtype])


def xor_and_zlib(data: bytes, base: bytes) -> int:
    """Return what the usual way takes: XOR, the bytes of one place together, zlib."""
    mixed = np.frombuffer(data, np.uint8) ^ np.frombuffer(base, np.uint8)
    return len(zlib.compress(mixed.reshape(-1, 2).T.tobytes(), 9))


@pytest.mark.parametrize("origin", WIDE)
@pytest.mark.parametrize("dtype", WIDE)
def test_a_cast_takes_next_to_nothing_where_it_loses_bits_and_little_where_it_cannot(
    dtype: str, origin: str
) -> None:
    base = bits(weights(1), origin)
    data = bits(floats(base, origin).reshape(SHAPE), dtype)
    coded = round_trip(data, dtype, SHAPE[1], [Base(base, origin)])
    assert (coded.codec, coded.base) == ("delta", 0)
    assert len(coded.stored) < 100


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("heads", [1, 2, 8, 64])
def test_rows_in_the_order_of_llama_cpp_take_next_to_nothing(dtype: str, heads: int) -> None:
    base = bits(weights(2), "BF16")
    rows = np.frombuffer(base, np.uint16).reshape(SHAPE)
    moved = permuted(rows, heads)
    assert heads == 128 or not (moved == rows).all()
    data = bits(floats(moved.tobytes(), "BF16"), dtype)
    coded = round_trip(data, dtype, SHAPE[1], [Base(base, "BF16", (heads, 0))])
    assert len(coded.stored) < 100


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(WIDE),
    st.sampled_from(WIDE),
    st.sampled_from(WIDE),
    st.integers(1, 33),
    st.integers(0, 2**32 - 1),
)
def test_a_merge_of_a_known_adapter_takes_next_to_nothing(
    dtype: str, down_type: str, up_type: str, rank: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    first, rows = int(rng.integers(0, 9)), 64
    base = bits(weights(seed, rows, 128), dtype)
    down = bits(rng.normal(0, 0.05, (rank, 128)).astype(np.float32), down_type)
    up = bits(rng.normal(0, 0.05, (first + rows + 3, rank)).astype(np.float32), up_type)
    a = floats(down, down_type).reshape(rank, 128).astype(np.float64)
    b = floats(up, up_type).reshape(-1, rank).astype(np.float64)[first : first + rows] * 0.7
    merged = (floats(base, dtype).reshape(rows, 128) + b @ a).astype(np.float32)
    adapter = Adapter(down, down_type, up, up_type, rank, 0.7, first)
    coded = round_trip(bits(merged, dtype), dtype, 128, [Base(base, dtype, adapter=adapter)])
    # The sum's last bits depend on its order: rare steps of one unit in F32.
    assert len(coded.stored) < 0.05 * len(base)


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("scale", [1.0, -0.0, 1e300, float("nan"), float("inf")])
def test_an_adapter_with_any_values_does_no_harm(dtype: str, scale: float) -> None:
    rng = np.random.default_rng(1)
    base, data, up, down = (special(rng, dtype, n).tobytes() for n in (4096, 4096, 256, 256))
    adapter = Adapter(down, dtype, up, dtype, 4, scale)
    offers = [Base(base, dtype, adapter=adapter)]
    round_trip(data, dtype, 64, offers)
    round_trip(base, dtype, 64, offers)


@pytest.mark.parametrize("rank", [1, 2, 4, 8, 16])
def test_an_update_of_low_rank_that_nobody_kept_is_found_and_saves(rank: int) -> None:
    rng = np.random.default_rng(rank)
    base = bits(weights(rank, 512, 768), "BF16")
    size = 0.004 / np.sqrt(rank)
    update = size * rng.normal(0, 1, (512, rank)) @ rng.normal(0, 1, (rank, 768))
    data = bits(floats(base, "BF16").reshape(512, 768) + update.astype(np.float32), "BF16")
    coded = round_trip(data, "BF16", 768, [Base(base, "BF16")])
    assert coded.factors is not None
    assert coded.factors.rank == rank
    factors = len(coded.factors.down) + len(coded.factors.up)
    assert factors == 2 * rank * (512 + 768)
    assert len(coded.stored) + factors < 0.8 * len(without_factors(data, base, 768))


def without_factors(data: bytes, base: bytes, row: int) -> bytes:
    from otium.codec.delta import take_steps
    from otium.codec.predict import Prediction

    kind = DTYPES["BF16"]
    return take_steps(kind.view(data), kind.view(base), Prediction(kind), kind, row).pack()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1e-5, 1e-3, 1e-2])
def test_in_noise_no_low_rank_is_found(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    base = bits(weights(seed), "BF16")
    noise = rng.normal(0, size, SHAPE).astype(np.float32)
    data = bits(floats(base, "BF16").reshape(SHAPE) + noise, "BF16")
    kind = DTYPES["BF16"]
    assert find_factors(kind.view(base), kind.view(data), kind, SHAPE[1]) is None
    assert round_trip(data, "BF16", SHAPE[1], [Base(base, "BF16")]).factors is None


@pytest.mark.parametrize("zeros", [1, 4, 8, 13, 16])
def test_floats_that_end_in_zeros_do_not_pay_for_them(zeros: int) -> None:
    plain = bits(weights(3), "F32")
    data = (np.frombuffer(plain, np.uint32) >> zeros << zeros).astype(np.uint32).tobytes()
    coded, whole = round_trip(data, "F32", SHAPE[1]), round_trip(plain, "F32", SHAPE[1])
    saved = len(whole.stored) - len(coded.stored)
    assert saved > 0.98 * zeros * SHAPE[0] * SHAPE[1] / 8


@pytest.mark.parametrize(
    ("ratio", "most"), [(0.0003, 0.5), (0.001, 0.5), (0.01, 0.7), (0.05, 0.85)]
)
def test_a_small_update_takes_less_than_half_of_xor_and_zlib(ratio: float, most: float) -> None:
    rng = np.random.default_rng(9)
    plain = weights(9, 1024, 1024)
    base = bits(plain, "BF16")
    update = rng.normal(0, ratio * plain.std(), plain.shape).astype(np.float32)
    data = bits(floats(base, "BF16").reshape(plain.shape) + update, "BF16")
    coded = round_trip(data, "BF16", 1024, [Base(base, "BF16")])
    assert coded.codec == "delta"
    assert len(coded.stored) < most * xor_and_zlib(data, base)


def test_a_retrained_tensor_is_never_larger_than_by_itself() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        plain = weights(seed)
        base = bits(plain, "BF16")
        other = plain * np.exp(rng.normal(0, 0.2 + 0.2 * seed, SHAPE)).astype(np.float32)
        data = bits(other, "BF16")
        alone = round_trip(data, "BF16", SHAPE[1])
        coded = round_trip(data, "BF16", SHAPE[1], [Base(base, "BF16")])
        assert len(coded.stored) <= len(alone.stored)
        if seed < 3:
            assert coded.codec in {"exponent", "delta"}
            assert len(coded.stored) < 0.97 * len(alone.stored)


def test_the_best_of_several_bases_is_taken() -> None:
    near, far = weights(11), weights(12)
    data = bits(near + np.float32(1e-4), "BF16")
    bases = [Base(bits(far, "BF16"), "BF16"), Base(bits(near, "BF16"), "BF16")]
    assert round_trip(data, "BF16", SHAPE[1], bases).base == 1
    assert round_trip(data, "BF16", SHAPE[1], bases[::-1]).base == 0
