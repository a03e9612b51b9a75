from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import ggml
from otium.codec.blocks import KINDS, Integers, Plane
from otium.codec.predict import DTYPES, Prediction, permuted
from otium.codec.quantised import (
    Candidate,
    Stream,
    decode_quantised,
    encode_quantised,
    match,
    read_residuals,
    rebuild,
    residuals,
    write_residuals,
)
from otium.errors import BadData, BadInput

BF16 = Prediction(DTYPES["BF16"])
MADE = [k for kind in KINDS for k in (kind, f"{kind}_imatrix")]
LIMITS = {  # % of the blocks that a large tensor may cost, without and with an importance matrix
    "Q4_0": (0.5, 8), "Q4_1": (0.5, 12), "Q5_0": (0.5, 8), "Q5_1": (0.5, 9), "Q8_0": (0.5, 0.5),
    "Q2_K": (11, 16), "Q3_K": (6, 9), "Q4_K": (6, 7), "Q5_K": (4, 5), "Q6_K": (4, 4),
}  # fmt: skip

every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def golden() -> dict[str, npt.NDArray[np.generic]]:
    return dict(np.load(ggml.GOLDEN))


@pytest.fixture(scope="module")
def real() -> ctypes.CDLL:
    library = ggml.library()
    if library is None:
        pytest.skip("ggml's own quantisers are not here: uv pip install libggml-python")
    return library


@pytest.mark.parametrize("made", MADE)
def test_real_blocks_come_back_and_their_codes_are_known(
    golden: dict[str, npt.NDArray[np.generic]], made: str
) -> None:
    kind, data, parent = made.removesuffix("_imatrix"), golden[made].tobytes(), golden["weights"]
    streams = residuals(kind, data, ggml.widened(parent.astype(np.uint16)))
    wrong = float(np.mean(streams[-1].values != 0))
    assert wrong < (0.01 if "imatrix" in made and "K" not in kind else 0.001)
    stored = encode_quantised(kind, data, [parent.tobytes()], BF16, ggml.ROW)
    assert decode_quantised(stored, [parent.tobytes()]) == data


def test_scales_of_plain_kinds_are_known_too(golden: dict[str, npt.NDArray[np.generic]]) -> None:
    weights = ggml.widened(golden["weights"].astype(np.uint16))
    for kind in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"):
        for stream in residuals(kind, golden[kind].tobytes(), weights)[:-1]:
            assert not stream.values.any()


def test_the_golden_blocks_are_what_ggml_makes(
    golden: dict[str, npt.NDArray[np.generic]], real: ctypes.CDLL
) -> None:
    weights = ggml.widened(golden["weights"].astype(np.uint16))
    matter = golden["importance"].astype(np.float32)
    for kind in KINDS:
        assert ggml.quantise(real, kind, weights) == golden[kind].tobytes()
        assert ggml.quantise(real, kind, weights, matter) == golden[f"{kind}_imatrix"].tobytes()


@every_kind
@pytest.mark.parametrize("weighed", [False, True])
def test_a_quantised_tensor_costs_a_small_share(
    real: ctypes.CDLL, kind: str, weighed: bool
) -> None:
    parent = ggml.made(256, 2048, 3)
    matter = ggml.importance(2048, 4) if weighed else None
    data = ggml.quantise(real, kind, ggml.widened(parent), matter)
    stored = encode_quantised(kind, data, [parent.tobytes()], BF16, 2048)
    assert len(stored) / len(data) * 100 < LIMITS[kind][weighed]


@settings(max_examples=300)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    dtype=st.sampled_from(["BF16", "F16", "F32"]),
    seed=st.integers(0, 2**32),
    blocks=st.integers(0, 3),
)
def test_any_blocks_come_back_whatever_the_parent(
    kind: str, dtype: str, seed: int, blocks: int
) -> None:
    rng, known = np.random.default_rng(seed), KINDS[kind]
    data, count = rng.bytes(blocks * known.size), blocks * known.weights
    parent = rng.bytes(count * DTYPES[dtype].width)
    stored = encode_quantised(kind, data, [parent], Prediction(DTYPES[dtype]), known.weights)
    assert decode_quantised(stored, [parent]) == data


@every_kind
def test_another_program_predicts_the_same_bits(kind: str) -> None:
    weights = strange_weights()
    rng = np.random.default_rng(5)
    data = rng.bytes(weights.size // KINDS[kind].weights * KINDS[kind].size)
    streams = residuals(kind, data, weights)
    assert rebuild(kind, [stream.values for stream in streams], weights) == data
    finite = np.where(np.isfinite(weights), weights, 0).ravel().tolist()
    left = iter(streams)

    def take(contexts: bytes) -> list[int]:
        stream = next(left)
        assert contexts == stream.contexts.tobytes()
        return [int(v) for v in stream.values]

    assert plain_rebuild(kind, finite, take) == data


def test_rows_permuted_for_rotary_heads_are_predicted() -> None:
    parent = ggml.made(16, 256, 6)
    blocks = bytes(34 * 16 * 8)
    turned = permuted(parent, 2)
    direct = encode_quantised("Q8_0", blocks, [turned.tobytes()], BF16, 256)
    by_heads = Prediction(DTYPES["BF16"], heads=2)
    stored = encode_quantised("Q8_0", blocks, [parent.tobytes()], by_heads, 256)
    assert len(stored) == len(direct)
    assert decode_quantised(stored, [parent.tobytes()]) == blocks


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("heads", [0, 1])
def test_the_parent_is_found_among_siblings_with_its_heads(
    golden: dict[str, npt.NDArray[np.generic]], made: str, heads: int
) -> None:
    weights = golden["weights"].astype(np.uint16)
    parent = weights[[0, 2, 1, 3]] if heads else weights  # as before the converter
    assert not heads or np.array_equal(permuted(parent, heads), weights)
    changes = np.random.default_rng(7).integers(0, 4, parent.shape).astype(np.uint16)
    tensors = (ggml.made(4, ggml.ROW, 8), parent ^ changes, parent)
    candidates = [Candidate(DTYPES["BF16"], tensor.tobytes()) for tensor in tensors]
    kind, data = made.removesuffix("_imatrix"), golden[made].tobytes()
    found = match(kind, data, ggml.ROW, candidates, (0, 1))
    assert found is not None
    assert (found.number, found.heads) == (2, heads)
    assert match(kind, data, ggml.ROW, candidates[:1], (0, 1)) is None


def test_a_parent_of_another_size_is_no_candidate() -> None:
    candidate = Candidate(DTYPES["BF16"], bytes(100))
    assert match("Q8_0", bytes(34), 32, [candidate]) is None
    assert match("Q4_K", bytes(144), 100, [candidate]) is None


def test_a_parent_with_too_few_weights_is_refused() -> None:
    with pytest.raises(BadInput, match="31 weights, 32 codes"):
        residuals("Q8_0", bytes(34), np.zeros(31, np.float32))


@given(st.lists(st.integers(-(2**15), 2**15 - 1), max_size=40), st.integers(1, 5000))
def test_few_and_many_residuals_come_back(some: list[int], spread: int) -> None:
    values = np.zeros(len(some) * spread, np.int32)
    values[::spread] = some
    contexts = (np.arange(values.size) % 16).astype(np.uint8)
    written = b"ab" + write_residuals(Stream(values, contexts))
    read, end = read_residuals(written, contexts, 2)
    assert end == len(written)
    assert np.array_equal(read, values)


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_damage_is_named_or_changes_what_comes_back(where: int, byte: int) -> None:
    parent = ggml.made(2, 256, 9).tobytes()
    data = np.random.default_rng(10).bytes(2 * 144)
    stored = bytearray(encode_quantised("Q4_K", data, [parent], BF16, 256))
    stored[where % len(stored)] = byte
    for damaged in (stored, stored[: where % len(stored)]):
        try:
            decode_quantised(damaged, [parent])
        except BadData as error:
            assert "cannot be used" in str(error)  # noqa: PT017 sound bytes are no error here


def strange_weights() -> npt.NDArray[np.float32]:
    """Return real-looking rows with zeros, infinities, subnormals, ties and extremes in them."""
    x = ggml.widened(ggml.made(12, 512, 11))
    x[0, 40:400], x[1, 7], x[2, 9] = 0, np.inf, np.nan
    x[3, :256] *= 1e-6
    x[4, 100:132] *= 1e-40
    x[5, 5], x[6] = 3e38, x[6] * 1e6
    x[7] = np.rint(x[7] * 100)
    x[8, 32], x[8, 33] = 1, -1
    x[9] = -np.abs(x[9])
    x[10], x[10, ::3] = 0, -0.0
    x[11] = np.abs(x[11])
    x[11, 5:500:7], x[11, 6:500:9], x[11, 300:340] = 0, -0.0, -0.0
    return x


def plain_rebuild(kind: str, x: list[float], take: Callable[[bytes], list[int]]) -> bytes:
    """Do as `rebuild`, in floats of Python alone; slow, and written another way."""
    known, out = KINDS[kind], bytearray()
    size = known.weights // known.n_groups
    parts = [x[i : i + size] for i in range(0, len(x), size)]
    ideal = [plain_range(kind, part) for part in parts]
    groups = known.n_groups
    blocks = [ideal[i : i + groups] for i in range(0, len(ideal), groups)]
    d, units = plain_halves(kind, [[s for s, _ in block] for block in blocks], 1, take)
    m, lows = [0] * len(d), [0.0] * len(d)
    if known.dmin is not None:
        sign = 1 if known.scales else -1
        m, lows = plain_halves(kind, [[v for _, v in block] for block in blocks], sign, take)
    small: list[int] = []
    if known.scales is None:
        by = list(zip(units, lows, strict=True))
    else:
        small, by = plain_scales(kind, blocks, units, lows, take)
    guess, contexts = plain_codes(kind, parts, by)
    mask, n = (1 << known.codes.bits) - 1, known.weights
    codes = [(g + r) & mask for g, r in zip(guess, take(contexts), strict=True)]
    for b in range(len(d)):
        block = bytearray(known.size)
        struct.pack_into("<H", block, known.d, d[b])
        if known.dmin is not None:
            struct.pack_into("<H", block, known.dmin, m[b])
        if known.scales:
            plain_put(block, known.scales.planes, small[b * known.n_scales :])
        plain_put(block, known.codes.planes, codes[b * n : b * n + n])
        out += block
    return bytes(out)


def plain_range(kind: str, part: list[float]) -> tuple[float, float]:
    known = KINDS[kind]
    if known.extreme:
        far = max(part, key=abs) / known.extreme
        return (abs(far) if known.extreme > 0 else far), 0.0
    low = min([*part, 0.0] if known.min_of else part) + 0.0
    return (max(part) + 0.0 - low) / ((1 << known.codes.bits) - 1), 0.0 - low


def plain_halves(
    kind: str, ideal: list[list[float]], sign: int, take: Callable[[bytes], list[int]]
) -> tuple[list[int], list[float]]:
    small = KINDS[kind].scales
    if small is None:
        best = [block[0] if sign > 0 else 0.0 - block[0] for block in ideal]
    elif small.low < 0:
        best = [max(block, key=abs) / small.low for block in ideal]
    else:
        best = [max(block) / ((1 << small.bits) - 1) for block in ideal]
    inside = [min(max(v, -65504.0), 65504.0) for v in best]
    guess = [int.from_bytes(struct.pack("<e", v), "little") for v in inside]
    true = [(g + r) & 0xFFFF for g, r in zip(guess, take(bytes(len(guess))), strict=True)]
    read = [struct.unpack("<e", t.to_bytes(2, "little"))[0] for t in true]
    found = [v if abs(v) <= 65504 else 0.0 for v in read]
    if small is None:
        found = [b if g == t else v for b, g, t, v in zip(best, guess, true, found, strict=True)]
    return true, [v if sign > 0 else 0.0 - v for v in found]


def plain_scales(
    kind: str,
    blocks: list[list[tuple[float, float]]],
    units: list[float],
    lows: list[float],
    take: Callable[[bytes], list[int]],
) -> tuple[list[int], list[tuple[float, float]]]:
    known, small = KINDS[kind], KINDS[kind].scales
    assert small is not None
    mask, guess, contexts = (1 << small.bits) - 1, [], bytearray()
    for block, unit, low in zip(blocks, units, lows, strict=True):
        row = [(0, 0)] * known.n_scales
        for part, elements, by in ((0, known.scale_of, unit), (1, known.min_of, low)):
            for element, pair in zip(elements, block, strict=bool(elements)):
                best = round(min(max(pair[part] / by, small.low), small.low + mask)) if by else 0
                level = (best - small.low) >> (small.bits - 4)
                row[element] = ((best + small.zero) & mask, level + 16 * part)
        guess += [g for g, _ in row]
        contexts += bytes(c for _, c in row)
    true = [(g + r) & mask for g, r in zip(guess, take(bytes(contexts)), strict=True)]
    means = [((t - small.zero - small.low) & mask) + small.low for t in true]
    pairs = []
    for b, block in enumerate(blocks):
        row_means = means[b * known.n_scales : (b + 1) * known.n_scales]
        for j, (own, _) in enumerate(block):
            step = units[b] * row_means[known.scale_of[j]]
            low = lows[b] * row_means[known.min_of[j]] if known.min_of else 0.0
            pairs.append((step or own, low))
    return true, pairs


def plain_codes(
    kind: str, parts: list[list[float]], by: list[tuple[float, float]]
) -> tuple[list[int], bytes]:
    known, codes = KINDS[kind], KINDS[kind].codes
    bottom, mask = codes.low + codes.zero, (1 << codes.bits) - 1
    guess: list[int] = []
    contexts = bytearray()
    for part, (step, low) in zip(parts, by, strict=True):
        for x in part:
            if not step:
                guess.append(known.idle if math.copysign(1, step) < 0 else 0)
                contexts.append(8)
                continue
            exact = min(max((x + low) / step + codes.zero, bottom), bottom + mask)
            away = int(exact + 0.5) if exact >= 0 else int(exact - 0.5)
            whole = round(exact) if known.scales else away
            guess.append(whole & mask)
            contexts.append(min(15, int((exact - whole) * 16 + 8)))
    return guess, bytes(contexts)


def plain_put(block: bytearray, planes: tuple[Plane, ...], numbers: list[int]) -> None:
    for plane in planes:
        group = plane.stride * (8 - plane.shift) // plane.width
        for i in range(plane.length):
            byte = plane.base + i // group * plane.stride + i % plane.stride
            bits = numbers[plane.first + i] >> plane.at & ((1 << plane.width) - 1)
            block[byte] |= bits << plane.shift + plane.width * (i % group // plane.stride)


def test_integers_of_every_kind_fit_their_bits() -> None:
    for known in KINDS.values():
        for integers in (known.codes, known.scales):
            if isinstance(integers, Integers):
                assert max(p.at + p.width for p in integers.planes) == integers.bits
