"""Whatever a piece holds comes back, in each kernel's bytes, and is never larger than raw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.codec import DTYPES, Base, Coded, decode, encode
from otium.entropy import forced, kernel_names

KERNELS = kernel_names()
FLOATS = sorted(DTYPES)
OTHERS = ["I8", "U8", "BOOL", "I16", "I32", "I64", "F64", "F8_E8M0", "F4", "C64", ""]
SEEDS = st.integers(0, 2**32 - 1)
ROWS = st.sampled_from([1, 2, 3, 5, 7, 64, 100, 127, 128, 129, 300])
Bits = npt.NDArray[np.unsignedinteger]


def widths(dtype: str) -> tuple[int, int]:
    """Return how many bits a float and its mantissa have."""
    return 8 * DTYPES[dtype].width, DTYPES[dtype].mantissa


def specials(dtype: str) -> list[int]:
    """Return zeros, subnormals, the ends of the range, infinities and NaN with payloads."""
    bits, mantissa = widths(dtype)
    sign, top = 1 << (bits - 1), (1 << (bits - 1)) - (1 << mantissa)
    sizes = [0, 1, (1 << mantissa) - 1, 1 << mantissa, top - 1, top, top + 1, sign - 1]
    return [*sizes, *(size | sign for size in sizes)]


def bell(rng: np.random.Generator, dtype: str, count: int) -> Bits:
    """Return floats as weights have them."""
    bits, mantissa = widths(dtype)
    values = rng.normal(0, 0.02, count).astype(np.float32)
    if dtype == "F16":
        return values.astype(np.float16).view(np.uint16)
    if bits == 8:
        middle = ((1 << (7 - mantissa)) // 2) << mantissa
        size = np.clip(rng.normal(middle, 6, count), 0, 127).astype(np.uint8)
        return size | (rng.integers(0, 2, count) << 7).astype(np.uint8)
    return (values.view(np.uint32) >> (32 - bits)).astype(f"u{bits // 8}")


def anything(rng: np.random.Generator, dtype: str, count: int) -> Bits:
    return rng.integers(0, 1 << widths(dtype)[0], count).astype(f"u{widths(dtype)[0] // 8}")


def special(rng: np.random.Generator, dtype: str, count: int) -> Bits:
    return rng.choice(np.array(specials(dtype), f"u{widths(dtype)[0] // 8}"), count)


def mixed(rng: np.random.Generator, dtype: str, count: int) -> Bits:
    return np.where(rng.random(count) < 0.01, special(rng, dtype, count), bell(rng, dtype, count))


def constant(rng: np.random.Generator, dtype: str, count: int) -> Bits:
    return np.repeat(mixed(rng, dtype, 1), count)


def short(rng: np.random.Generator, dtype: str, count: int) -> Bits:
    """Return floats that end in zeros."""
    low = widths(dtype)[1] // 2
    return (bell(rng, dtype, count) >> low << low).astype(f"u{widths(dtype)[0] // 8}")


def rows_of_zeros(rng: np.random.Generator, dtype: str, count: int) -> Bits:
    return np.where(np.arange(count) // 128 % 2, 0, bell(rng, dtype, count)).astype(
        f"u{widths(dtype)[0] // 8}"
    )


KINDS: dict[str, Callable[[np.random.Generator, str, int], Bits]] = {
    "bell": bell,
    "anything": anything,
    "special": special,
    "mixed": mixed,
    "constant": constant,
    "short": short,
    "rows of zeros": rows_of_zeros,
}


def tuned(rng: np.random.Generator, base: Bits, kind: str) -> Bits:
    """Return floats as a fine-tune leaves them."""
    if kind == "same":
        return base.copy()
    if kind == "few":
        return np.where(rng.random(base.size) < 0.001, base + base.dtype.type(1), base)
    if kind == "signs":
        sign = base.dtype.type(1 << (8 * base.itemsize - 1))
        return np.where(rng.random(base.size) < 0.5, base ^ sign, base)
    if kind == "steps":
        return base + rng.integers(-2, 3, base.size).astype(base.dtype)
    assert kind == "other"
    return rng.permutation(base)


def round_trip(data: bytes, dtype: str, row: int, bases: Sequence[Base] = ()) -> Coded:
    """Encode by one kernel, decode by each; see that all write the same and none wastes room."""
    written: dict[str, Coded] = {}
    for name in KERNELS:
        with forced(name):
            one = encode(data, dtype, row, bases)
            written[name] = one._replace(stored=bytes(one.stored))
    coded = written["numpy"]
    assert set(map(repr, written.values())) == {repr(coded)}
    assert len(coded.stored) <= len(data)
    buffers = list(bases[coded.base].buffers()) if coded.base is not None else []
    if coded.factors is not None:
        buffers += [coded.factors.down, coded.factors.up]
    for name in KERNELS:
        with forced(name):
            assert bytes(decode(coded.codec, coded.stored, len(data), buffers)) == data
    return coded


SIZES = st.one_of(st.sampled_from([0, 1, 2, 31, 32, 33, 128, 4096]), st.integers(0, 6000))


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(FLOATS), st.sampled_from(sorted(KINDS)), SIZES, ROWS, SEEDS)
def test_floats_come_back_by_themselves(
    dtype: str, kind: str, size: int, row: int, seed: int
) -> None:
    data = KINDS[kind](np.random.default_rng(seed), dtype, size)
    round_trip(data.tobytes(), dtype, row)


CHANGES = ["same", "few", "signs", "steps", "other"]


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(FLOATS),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(CHANGES),
    SIZES,
    st.tuples(ROWS, SEEDS),
)
def test_floats_come_back_against_a_base(
    dtype: str, kind: str, change: str, size: int, more: tuple[int, int]
) -> None:
    rng = np.random.default_rng(more[1])
    base = KINDS[kind](rng, dtype, size)
    data = tuned(rng, base, change)
    coded = round_trip(data.tobytes(), dtype, more[0], [Base(base.tobytes(), dtype)])
    if change == "same" and size * data.itemsize >= 256:
        assert len(coded.stored) < 64


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(FLOATS),
    st.sampled_from(FLOATS),
    st.sampled_from(sorted(KINDS)),
    SIZES,
    st.tuples(ROWS, SEEDS),
)
def test_a_base_of_any_type_and_value_does_no_harm(
    dtype: str, origin: str, kind: str, size: int, more: tuple[int, int]
) -> None:
    rng = np.random.default_rng(more[1])
    base = KINDS[kind](rng, origin, size)
    data = KINDS[kind](rng, dtype, size)
    bases = [Base(base.tobytes(), origin), Base(base[: size // 2].tobytes(), origin)]
    round_trip(data.tobytes(), dtype, more[0], bases)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(OTHERS), st.binary(max_size=200), st.integers(1, 60), ROWS)
def test_other_types_and_other_bytes_come_back(
    dtype: str, part: bytes, times: int, row: int
) -> None:
    base = Base(np.zeros(len(part) * times // 2, np.uint16).tobytes(), "BF16")
    round_trip(part * times, dtype, row, [base])


@pytest.mark.parametrize("dtype", FLOATS)
def test_every_float_that_there_is_comes_back(dtype: str) -> None:
    bits = widths(dtype)[0]
    every = np.arange(1 << min(bits, 16)).astype(f"u{bits // 8}") << max(0, bits - 16)
    every = every.astype(f"u{bits // 8}")
    round_trip(every.tobytes(), dtype, 256)
    round_trip(every[::-1].tobytes(), dtype, 256, [Base(every.tobytes(), dtype)])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("based", [False, True])
def test_a_piece_of_more_than_one_chunk_comes_back(dtype: str, based: bool) -> None:
    rng = np.random.default_rng(4)
    base = bell(rng, dtype, (1 << 19) + 3 * 640)
    data = tuned(rng, base, "steps")
    bases = [Base(base.tobytes(), dtype)] if based else []
    coded = round_trip(data.tobytes(), dtype, 640, bases)
    assert len(coded.stored) < (0.5 if based else 0.95) * data.nbytes


def test_the_same_piece_is_always_coded_the_same() -> None:
    rng = np.random.default_rng(5)
    base = bell(rng, "BF16", 1 << 18).reshape(-1, 512)
    low = rng.normal(0, 1e-3, (512, 8)).astype(np.float32)
    data = (base.ravel() + tuned(rng, np.zeros(1 << 18, np.uint16), "steps")).astype(np.uint16)
    bases = [Base(base.tobytes(), "BF16"), Base(low.tobytes(), "F32")]
    first = [bytes(encode(data.tobytes(), "BF16", 512, bases).stored) for _ in range(3)]
    assert len(set(first)) == 1


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("scale", [None, 2, 40, 3000])
def test_what_lies_around_a_piece_and_where_it_goes_change_nothing(
    kernel: str, dtype: str, scale: int | None
) -> None:
    rng = np.random.default_rng(6)
    base = bell(rng, dtype, 128 * 301)
    data, bases = base.tobytes(), list[bytes]()
    if scale is not None:
        steps = rng.laplace(0, scale, base.size) * np.repeat(rng.random(301) < 0.8, 128)
        data = (base + steps.astype(np.int64)).astype(base.dtype).tobytes()
        bases = [base.tobytes()]
    coded = encode(data, dtype, 128, [Base(one, dtype) for one in bases])
    stored = bytes(coded.stored)
    into = memoryview(bytearray(b"\xff" * (len(data) + 100)))
    with forced(kernel):
        for before, behind in ((b"", b""), (b"\xff", b"\xff" * 40_000), (b"\0" * 7, b"\1")):
            whole = memoryview(before + stored + behind)
            piece = whole[len(before) : len(before) + len(stored)]
            assert bytes(decode(coded.codec, piece, len(data), bases)) == data
            assert bytes(decode(coded.codec, piece, len(data), bases, into)) == data
    assert bytes(into[len(data) :]) == b"\xff" * 100
