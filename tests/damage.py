"""Coded bytes with harm done to them, and what a decoder may do then: refuse, or say other values.

Run as a program it does the same under a kernel that was built elsewhere, so that tests can
have one with AddressSanitizer: ``python damage.py KERNEL.so COUNT SEED BEYOND``.
"""

from __future__ import annotations

import ctypes
import random
import struct
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from otium import codec, entropy
from otium.entropy.kernel import Stream
from otium.errors import BadData

Bytes = npt.NDArray[np.uint8]


class Sample(NamedTuple):
    """Something coded, and how to decode it."""

    name: str
    coded: bytes
    decode: Callable[[bytes], bytes]
    tables: int
    """Where the header of its (last) stream lies."""


def samples(seed: int) -> list[Sample]:
    """Return small streams and pieces of each kind."""
    rng = np.random.default_rng(seed)
    made = [_integers(rng, count, wide) for count in (3, 700, 5000, 33000) for wide in (4, 1 << 28)]
    for name, bits in (("BF16", 16), ("F16", 16), ("F32", 32), ("F8_E4M3", 8), ("F8_E5M2", 8)):
        base, data = _related(rng, name, bits)
        for bases in ([], [codec.Base(base.tobytes(), name)]):
            coded = codec.encode(data.tobytes(), name, 64, bases)
            made.append(_piece(f"{name} {coded.codec}", coded, data.tobytes(), bases))
    retrained = _floats(rng, 4096)
    origin = (np.abs(retrained) * np.exp(rng.normal(0, 0.1, 4096))).astype(np.float32)
    bases = [codec.Base(origin.tobytes(), "F32")]
    coded = codec.encode(retrained.tobytes(), "F32", 64, bases)
    made.append(_piece(f"F32 {coded.codec}", coded, retrained.tobytes(), bases))
    made += _derived(rng)
    codes = rng.integers(0, 20, 3000, np.uint8).tobytes()
    made.append(_piece("bytes", codec.encode(codes, "U8", 64), codes, []))
    return made


def _integers(rng: np.random.Generator, count: int, wide: int) -> Sample:
    contexts = rng.integers(0, 9, count, np.uint8)
    values = (rng.laplace(0, 1, count) * wide * (contexts + 1) / 9).astype(np.int64)
    values = np.clip(values, -(2**31), 2**31 - 1).astype(np.int32)
    coded = entropy.encode_integers(values, contexts)

    def decode(data: bytes) -> bytes:
        return entropy.decode_integers(data, contexts)[0].tobytes()

    return Sample(f"{count} integers", coded, decode, 0)


def _floats(rng: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
    return rng.normal(0, 0.02, count).astype(np.float32)


def _related(rng: np.random.Generator, name: str, bits: int) -> tuple[Bytes, Bytes]:
    """Return bytes of floats, and of others that are a few steps from them."""
    plain = _floats(rng, 8192)
    if name == "F16":
        base = plain.astype(np.float16).view(np.uint16)
    elif bits == 8:
        base = (rng.normal(60, 9, plain.size)).astype(np.uint8)
    else:
        base = (plain.view(np.uint32) >> (32 - bits)).astype(f"u{bits // 8}")
    steps = rng.integers(0, 3, base.size) * (rng.random(base.size) < 0.4)
    return base.view(np.uint8), (base + steps.astype(base.dtype)).view(np.uint8)


def _derived(rng: np.random.Generator) -> list[Sample]:
    """Return pieces that follow from a base: merged, permuted and cast, and scaled to int8."""
    base = _floats(rng, 4096).reshape(64, 64)
    up, down = _floats(rng, 64 * 4).reshape(64, 4), _floats(rng, 4 * 64).reshape(4, 64)
    adapter = codec.Adapter(down.tobytes(), "F32", up.tobytes(), "F32", 4, 2.0)
    merged = (base + 2.0 * up.astype(np.float64) @ down).astype(np.float32)
    halves = base.reshape(2, 2, 16, 64).swapaxes(1, 2).astype(np.float16)
    scale = (np.abs(base).max(1) / 127).astype(np.float32)
    codes = np.rint(base / scale[:, None]).astype(np.int8)
    scales = codec.Scales(scale.tobytes(), "F32")
    offers = [
        ("merged", merged.tobytes(), "F32", codec.Base(base.tobytes(), "F32", adapter=adapter)),
        ("permuted", halves.tobytes(), "F16", codec.Base(base.tobytes(), "F32", (2, 0))),
        ("int8", codes.tobytes(), "I8", codec.Base(base.tobytes(), "F32", scales=scales)),
    ]
    return [
        _piece(name, codec.encode(data, dtype, 64, [offer]), data, [offer])
        for name, data, dtype, offer in offers
    ]


def _piece(name: str, coded: codec.Coded, data: bytes, bases: list[codec.Base]) -> Sample:
    buffers = bases[coded.base].buffers() if coded.base is not None else []

    def decode(stored: bytes) -> bytes:
        return bytes(codec.decode(coded.codec, stored, len(data), buffers))

    stored = bytes(coded.stored)
    assert decode(stored) == data, name
    return Sample(name, stored, decode, _last_stream(stored))


def _last_stream(stored: bytes) -> int:
    """Return where the last stream of a piece begins; -1 if there is none."""
    for at in range(min(len(stored), 400) - 1, -1, -1):
        try:
            if entropy.read_stream(stored, at).end == len(stored):
                return at
        except BadData:
            continue
    return -1


def harmed(sample: Sample, chance: random.Random) -> bytes:
    """Return the sample's bytes with one of many kinds of harm."""
    data = bytearray(sample.coded)
    kind = chance.randrange(9)
    if kind == 0:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[min(chance.randrange(64), len(data) - 1)] = chance.randrange(256)
    elif kind == 2:
        del data[chance.randrange(len(data)) :]
    elif kind == 3:
        at, length = chance.randrange(len(data)), chance.randrange(1, 40)
        data[at : at + length] = chance.randbytes(length)
    elif kind == 4:
        return chance.randbytes(chance.randrange(200))
    elif kind == 5:
        at = chance.randrange(len(data))
        data[at:at] = chance.randbytes(chance.randrange(1, 9))
    elif kind == 6 and len(data) > 44:
        extreme = chance.choice([0, 2**31 - 1, 2**31, 2**32 - 1, 2**31 - 300, 1 << 16, 255])
        struct.pack_into("<I", data, 4 * chance.randrange(11), extreme)
    elif sample.tables >= 0:
        return _tables_harmed(bytes(data), sample.tables, chance)
    return bytes(data)


def _tables_harmed(data: bytes, at: int, chance: random.Random) -> bytes:
    """Change the tables of a stream so that they can still be read: they reach the loops."""
    count, split, lanes, length = struct.unpack_from("<IBBH", data, at)
    plain = bytearray(zlib.decompress(data[at + 8 : at + 8 + length], -15))
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(plain))
        if plain[place] != 255:
            plain[place] = chance.choice([0, 1, 2, chance.randrange(81), plain[place] ^ 1])
    if chance.random() < 0.3:  # give the rest to the last symbol that a table can have
        plain = plain[: 2 + plain[0] + 1] + bytearray([255]) + bytes(255) + b"\xff"
        plain[1] = 0
        plain[2 : 2 + plain[0] + 1] = bytes(plain[0] + 1)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = squeeze.compress(bytes(plain)) + squeeze.flush()
    rest = data[at + 8 + length + length % 2 :]
    if chance.random() < 0.2:
        split = chance.choice([0, 1, 7, 24, 25, 26, 254, 255])
    head = struct.pack("<IBBH", count, split, lanes, len(packed))
    return data[:at] + head + packed + bytes(len(packed) % 2) + rest


def outcomes(sample: Sample, data: bytes, kernels: list[str]) -> set[bytes | None]:
    """Return what the kernels make of *data*: bytes, or None where they refuse it."""
    found: set[bytes | None] = set()
    for name in kernels:
        with entropy.forced(name):
            try:
                found.add(sample.decode(data))
            except BadData:
                found.add(None)
    return found


def main(library: str, count: int, seed: int, beyond: int) -> None:
    """Decode *count* harmed samples with the kernel *library*, at each of its levels.

    With streams said to go on *beyond* their end, a sanitizer must complain.
    """
    told = entropy.Coded.stream

    def stream(coded: entropy.Coded) -> Stream:
        known = told(coded)
        known.size += beyond
        return known

    entropy.Coded.stream = stream  # type: ignore[method-assign, assignment]
    sanitized = ctypes.CDLL(library)
    for name in ("encode", "delta_symbols", "raw_buckets", "raw_split"):
        getattr(sanitized, f"otium_{name}").restype = ctypes.c_uint64
    import_module("otium.entropy.kernel").__dict__["_library"] = lambda: sanitized
    chance, refused = random.Random(seed), 0
    compiled = entropy.kernel_names()[1:]
    for name in compiled:
        with entropy.forced(name):
            made = samples(seed)
        for _ in range(count // len(compiled)):
            sample = chance.choice(made)
            refused += None in outcomes(sample, harmed(sample, chance), [name])
    sys.stdout.write(f"refused {refused} of {count} under {' '.join(compiled)}\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
