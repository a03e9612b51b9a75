"""What one kernel writes all read, and all write the same bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otium.entropy import (
    WIDEST_SPLIT,
    Tables,
    decode_bytes,
    decode_integers,
    encode_bytes,
    encode_integers,
    encode_symbols,
    forced,
    kernel_names,
)
from otium.entropy.integers import CHUNK, lanes_for
from otium.errors import Unsupported

KERNELS = kernel_names()
Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int32]
BORDERS = [
    *(one + d for one in (4, 16, 64, 1 << 12, 1 << 15) for d in (-1, 0, 1)),
    *(0, 1, 2, 3, 7, 47, 48, 4097 + 16, (1 << 15) + 63),
]
SIZES = st.one_of(st.sampled_from(BORDERS), st.integers(0, 3000))
SEEDS = st.integers(0, 2**32 - 1)
KINDS: dict[str, Callable[[np.random.Generator, int], npt.NDArray[np.generic]]] = {
    "zeros": lambda _rng, n: np.zeros(n, np.int64),
    "one value": lambda rng, n: np.full(n, rng.integers(-(2**31), 2**31)),
    "bits": lambda rng, n: rng.integers(0, 2, n),
    "steps": lambda rng, n: rng.integers(-3, 4, n),
    "bell": lambda rng, n: rng.normal(0, 40, n),
    "heavy tail": lambda rng, n: np.clip(rng.standard_cauchy(n) * 100, -(2.0**31), 2.0**31 - 1),
    "anything": lambda rng, n: rng.integers(-(2**31), 2**31, n),
    "extremes": lambda rng, n: rng.choice([-(2**31), 2**31 - 1, 0, -1, 1, 2**30, -(2**30)], n),
    "powers": lambda rng, n: rng.choice([1, -1], n) * 2 ** rng.integers(0, 31, n),
    "rare": lambda rng, n: np.where(rng.random(n) < 0.001, 10**9, 0),
}


def everywhere(encode: Callable[[], bytes]) -> bytes:
    """Return what each kernel writes, which must be the same."""
    written = set()
    for name in KERNELS:
        with forced(name):
            written.add(encode())
    assert len(written) == 1
    return written.pop()


def read_everywhere(decode: Callable[[], tuple[npt.NDArray[np.generic], int]]) -> list[bytes]:
    """Return the different values that the kernels read."""
    found: set[bytes] = set()
    for name in KERNELS:
        with forced(name):
            found.add(decode()[0].tobytes())
    return sorted(found)


@settings(max_examples=150, deadline=None)
@given(SIZES, st.sampled_from(sorted(KINDS)), st.integers(1, 256), SEEDS)
def test_integers_come_back_from_each_kernel_through_every_other(
    size: int, kind: str, contexts: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = KINDS[kind](rng, size).astype(np.int32)
    under = rng.integers(0, contexts, size).astype(np.uint8)
    data = everywhere(lambda: encode_integers(values, under))
    assert read_everywhere(lambda: decode_integers(data, under)) == [values.tobytes()]
    behind = b"before" + data + b"behind"
    assert decode_integers(behind, under, 6)[1] == 6 + len(data)
    assert read_everywhere(lambda: decode_integers(behind, under, 6)) == [values.tobytes()]


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 64])
def test_the_borders_of_chunks_are_no_borders_for_the_values(size: int) -> None:
    rng = np.random.default_rng(size)
    values = np.where(rng.random(size) < 0.01, rng.integers(-(2**31), 2**31, size), 0)
    values = values.astype(np.int32)
    contexts = (np.arange(size) % 5).astype(np.uint8)
    data = everywhere(lambda: encode_integers(values, contexts))
    assert read_everywhere(lambda: decode_integers(data, contexts)) == [values.tobytes()]


@settings(max_examples=80, deadline=None)
@given(SIZES, st.integers(0, WIDEST_SPLIT), st.integers(1, 256), SEEDS)
def test_symbols_with_raw_bits_come_back(size: int, split: int, alphabet: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    symbols = rng.integers(0, alphabet, size).astype(np.uint8)
    raw = rng.integers(0, 1 << split, size).astype(np.uint32)
    contexts = rng.integers(0, 3, size).astype(np.uint8)
    data = everywhere(lambda: encode_symbols(symbols, contexts, raw, split))
    joined = (symbols.astype(np.uint32) << split) | raw
    assert read_everywhere(lambda: decode_integers(data, contexts)) == [joined.tobytes()]


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 40))
@example(b"", 1)
@example(b"\0", 1)
@example(b"\xff", 300)
@example(bytes(range(256)), 40)
def test_bytes_come_back_and_never_take_more_than_one_byte_extra(data: bytes, times: int) -> None:
    values = np.frombuffer(data * times, np.uint8)
    coded = everywhere(lambda: encode_bytes(values))
    assert len(coded) <= values.size + 1
    assert read_everywhere(lambda: decode_bytes(coded, values.size)) == [values.tobytes()]
    assert decode_bytes(b"x" + coded + b"y", values.size, 1)[1] == 1 + len(coded)


@pytest.mark.parametrize("count", [0, 1, 4095, 4096, (1 << 15) - 1, 1 << 15])
def test_short_streams_have_few_states(count: int) -> None:
    assert lanes_for(count) == (4 if count < 1 << 12 else 16 if count < 1 << 15 else 64)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 256), st.integers(1, 256), SEEDS)
def test_tables_express_each_symbol_that_occurs_and_come_back(
    contexts: int, alphabet: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    counts = np.zeros((contexts, 256), np.uint32)
    some = rng.integers(0, 2 ** rng.integers(1, 24), (contexts, alphabet))
    counts[:, :alphabet] = some * (rng.random(some.shape) < rng.random())
    tables = Tables.fit(counts)
    assert (tables.frequencies.sum(1) == 4096).all()
    used = np.flatnonzero(counts.any(1))
    assert (tables.frequencies[tables.clusters[used]][counts[used] > 0] > 0).all()
    again = Tables.unpack(tables.pack())
    assert (again.frequencies == tables.frequencies).all()
    assert (again.clusters == tables.clusters).all()


def test_tables_hold_the_largest_alphabet_under_the_most_contexts() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 1000, (256, 256)).astype(np.uint32)
    # Neighbours with opposite distributions, so that each needs a table of its own.
    counts[::2, :128] *= 10_000
    counts[1::2, 128:] *= 10_000
    tables = Tables.fit(counts)
    assert len(tables.frequencies) == 256
    again = Tables.unpack(tables.pack())
    assert (again.frequencies == tables.frequencies).all()
    assert len(tables.pack()) < 1 << 16


@pytest.mark.parametrize("kind", ["steps", "bell"])
def test_a_stream_takes_little_more_than_its_entropy(kind: str) -> None:
    rng = np.random.default_rng(1)
    values = KINDS[kind](rng, 1 << 18).astype(np.int32)
    _, counts = np.unique(values, return_counts=True)
    share = counts / values.size
    bound = -float((share * np.log2(share)).sum()) / 8 * values.size
    taken = len(encode_integers(values, np.zeros(values.size, np.uint8)))
    assert bound < taken < 1.025 * bound + 400


def test_a_kernel_that_this_machine_does_not_have_is_refused() -> None:
    with forced("abacus"), pytest.raises(Unsupported, match="abacus"):
        encode_bytes(np.arange(100, dtype=np.uint8))
    assert KERNELS[0] == "numpy"
