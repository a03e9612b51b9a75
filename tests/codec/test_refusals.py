"""Bytes that cannot be what was stored are refused, and nothing larger than stated is made."""

from __future__ import annotations

import lzma
import tracemalloc
import zlib

import numpy as np
import pytest

import damage
from otium.codec import Base, Coded, decode, encode
from otium.entropy import forced, kernel_names
from otium.errors import BadData

RNG = np.random.default_rng(1)
PLAIN = RNG.normal(0, 0.02, 8192).astype(np.float32)
BASE = (PLAIN.view(np.uint32) >> 16).astype(np.uint16)
DATA = (BASE + RNG.integers(0, 2, BASE.size).astype(np.uint16)).tobytes()
OTHER = np.where(RNG.random(8192) < 0.5, -PLAIN, PLAIN) * np.exp(RNG.normal(0, 0.2, 8192))
RETRAINED = (OTHER.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()
CODES = RNG.binomial(30, 0.5, 2000).astype(np.uint8).tobytes()
TEXT = b"".join(b'"%d": %d,' % (n * 7919 % 1009, n) for n in range(900))
BASES = [Base(BASE.tobytes(), "BF16")]
PIECES: dict[str, tuple[Coded, bytes]] = {
    "raw": (encode(RNG.bytes(500), "", 1), b""),
    "deflate": (Coded("deflate", zlib.compress(DATA)), DATA),
    "lzma": (encode(TEXT, "", 1), TEXT),
    "bytes": (encode(CODES, "U8", 9), CODES),
    "float": (encode(DATA, "BF16", 64), DATA),
    "delta": (encode(DATA, "BF16", 64, BASES), DATA),
    "exponent": (
        encode(RETRAINED, "BF16", 64, BASES),
        RETRAINED,
    ),
}
KERNELS = kernel_names()
BASED = ("delta", "exponent")


def test_the_pieces_here_are_of_the_codecs_that_they_are_called_after() -> None:
    assert {name: coded.codec for name, (coded, _) in PIECES.items()} == {
        name: name for name in PIECES
    }


def bases_of(name: str) -> list[bytes]:
    return [BASE.tobytes()] if name in BASED else []


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("change", [-2, -1, 1, 2, 4096])
@pytest.mark.parametrize("name", PIECES)
def test_another_size_is_refused(name: str, change: int, kernel: str) -> None:
    coded, _ = PIECES[name]
    size = len(PIECES[name][1]) or len(coded.stored)
    with forced(kernel):
        for wrong in (size + change, 0, 1):
            with pytest.raises(BadData):
                decode(name, coded.stored, wrong, bases_of(name))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", BASED)
@pytest.mark.parametrize(
    "bases", [[], [b""], [BASE[:-1].tobytes()], [BASE.tobytes()[:-1]], [BASE.tobytes() * 2]]
)
def test_a_base_that_is_missing_or_has_another_size_is_refused(
    name: str, bases: list[bytes], kernel: str
) -> None:
    coded, data = PIECES[name]
    with forced(kernel), pytest.raises(BadData):
        decode(name, coded.stored, len(data), bases)


@pytest.mark.parametrize("codec", [*PIECES, "quant", "scaled", "zstd", ""])
@pytest.mark.parametrize("name", PIECES)
def test_the_bytes_of_another_codec_are_refused(name: str, codec: str) -> None:
    coded, data = PIECES[name]
    if codec in {name, "raw"} or {codec, name} == {"float", "exponent"}:
        return  # the last two have one form, which says itself whether it has a base
    for bases in ([], [BASE.tobytes()], [BASE.tobytes()] * 3):
        with pytest.raises(BadData):
            decode(codec, coded.stored, len(data) or len(coded.stored), bases)


@pytest.mark.parametrize("name", [name for name in PIECES if name != "raw"])
def test_nothing_larger_than_stated_is_made(name: str) -> None:
    coded, _ = PIECES[name]
    tracemalloc.start()
    with pytest.raises(BadData):
        decode(name, coded.stored, 100, bases_of(name))
    assert tracemalloc.get_traced_memory()[1] < 9 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("codec", ["deflate", "lzma"])
def test_a_decompression_bomb_is_refused_in_little_memory(codec: str) -> None:
    plain = bytes(64 << 20)
    bomb = zlib.compress(plain) if codec == "deflate" else lzma.compress(plain, preset=0)
    del plain
    tracemalloc.start()
    with pytest.raises(BadData):
        decode(codec, bomb, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_an_xz_file_that_asks_for_much_memory_is_refused() -> None:
    wide = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
    with pytest.raises(BadData):
        decode("lzma", lzma.compress(b"a", lzma.FORMAT_XZ, filters=wide), 1)


@pytest.mark.parametrize("name", PIECES)
def test_bytes_behind_each_codecs_piece_are_refused(name: str) -> None:
    coded, data = PIECES[name]
    with pytest.raises(BadData):
        decode(name, bytes(coded.stored) + b"\0", len(data) or 500, bases_of(name))


@pytest.mark.parametrize("number", range(len(damage.samples(0))))
def test_bytes_behind_a_piece_are_refused(number: int) -> None:
    sample = damage.samples(0)[number]
    if "integers" not in sample.name:
        with pytest.raises(BadData):
            sample.decode(sample.coded + b"\0")
