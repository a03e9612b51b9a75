"""Real ggml quantisers, if the package libggml-python is installed, and blocks they have made.

Run as a program, it writes `golden/quantised.npz` anew (that needs libggml-python and gguf).
"""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]

GOLDEN = Path(__file__).parent / "golden" / "quantised.npz"
NUMBERS = {
    "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8,
    "Q2_K": 10, "Q3_K": 11, "Q4_K": 12, "Q5_K": 13, "Q6_K": 14,
}  # fmt: skip
SIZES = {
    "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34),
    "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176),
    "Q6_K": (256, 210),
}  # fmt: skip
"""Weights and bytes of a block, as ggml.h has them."""
ROW = 512


def library() -> ctypes.CDLL | None:
    """Return ggml, or None where it is not installed."""
    found = importlib.util.find_spec("libggml")
    if found is None or not found.submodule_search_locations:
        return None
    loaded = ctypes.CDLL(str(Path(found.submodule_search_locations[0], "lib64/libggml-base.so")))
    loaded.ggml_quantize_chunk.restype = ctypes.c_size_t
    return loaded


def quantise(
    ggml: ctypes.CDLL, kind: str, weights: Weights, importance: Weights | None = None
) -> bytes:
    """Return rows of *weights* as ggml quantises them."""
    rows, row = weights.shape
    per_block, size = SIZES[kind]
    out = np.zeros(rows * row // per_block * size, np.uint8)
    flat = np.ascontiguousarray(weights)
    ggml.ggml_quantize_chunk(
        ctypes.c_int(NUMBERS[kind]),
        ctypes.c_void_p(flat.ctypes.data),
        ctypes.c_void_p(out.ctypes.data),
        *(ctypes.c_int64(n) for n in (0, rows, row)),
        ctypes.c_void_p(None if importance is None else importance.ctypes.data),
    )
    return out.tobytes()


def bfloat16(weights: Weights) -> npt.NDArray[np.uint16]:
    """Return *weights* rounded to bfloat16, as bits."""
    bits = weights.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def widened(bits: npt.NDArray[np.uint16]) -> Weights:
    """Return bfloat16 bits as the floats they are."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def made(rows: int, row: int, seed: int) -> npt.NDArray[np.uint16]:
    """Return weights like a trained layer's, in bfloat16: heavy tails, rows of several sizes."""
    rng = np.random.default_rng(seed)
    size = 0.03 * np.exp(0.3 * rng.standard_normal((rows, 1)))
    return bfloat16((rng.standard_t(6, (rows, row)) * size).astype(np.float32))


def importance(row: int, seed: int) -> Weights:
    """Return an importance matrix for rows of that length."""
    return np.exp(np.random.default_rng(seed).standard_normal(row)).astype(np.float32)


def write_golden() -> None:
    """Write weights, their quantised blocks, and what the package gguf reads from these."""
    import gguf  # type: ignore[import-not-found, unused-ignore]

    ggml = library()
    assert ggml is not None
    weights = made(4, ROW, 1)
    weights[1, :256], weights[2, 32:64] = 0, 0  # a block and a sub-block without any weight
    matter = importance(ROW, 2)
    arrays: dict[str, npt.NDArray[np.generic]] = {"weights": weights, "importance": matter}
    for kind, number in NUMBERS.items():
        for name, given in ((kind, None), (f"{kind}_imatrix", matter)):
            blocks = np.frombuffer(quantise(ggml, kind, widened(weights), given), np.uint8)
            arrays[name] = blocks
        rows = arrays[kind].reshape(len(weights), -1)[:1]
        read = gguf.dequantize(rows, gguf.GGMLQuantizationType(number))
        arrays[f"{kind}_weights"] = np.asarray(read, np.float32).ravel()
    GOLDEN.parent.mkdir(exist_ok=True)
    np.savez_compressed(GOLDEN, **arrays)  # type: ignore[arg-type, unused-ignore]


if __name__ == "__main__":
    write_golden()
