from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.families import base_model
from otium.bench import coders
from otium.bench.coders import BitX, Coder, Otium, Z4ai, ZipNN, Zstd, planes
from otium.bench.data import Model, cast, disturbed, quantised

words = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=200)


OURS: list[Coder] = [Otium(), Otium(alone=True), BitX(), Zstd(3), Zstd(19)]
PEERS: list[Coder] = [ZipNN(), Z4ai()]


@pytest.mark.parametrize(
    "coder",
    [*OURS, *(pytest.param(peer, marks=pytest.mark.peers) for peer in PEERS)],
    ids=lambda coder: coder.name,
)
@pytest.mark.parametrize("dtype", ["BF16", "F32"])
@pytest.mark.parametrize("based", [True, False], ids=["given a base", "alone"])
def test_every_coder_gives_the_bytes_back(coder: Coder, dtype: str, based: bool) -> None:
    if missing := coder.missing():
        pytest.skip(missing)
    base = cast(base_model(), dtype)
    tuned = disturbed(base, 0.01)
    for name, tensor in tuned.items():
        other = base[name] if based else None
        before = bytes(bytearray(tensor.data))
        coded = coder.encode(tensor, other)
        assert coder.decode(coded, tensor, other) == tensor.data
        assert tensor.data == before, "a coder changed what it was given"


def test_what_is_not_installed_is_named_with_what_installs_it() -> None:
    class Absent(Zstd):
        modules = ("otium_no_such_module",)

    assert Absent(3).missing() == "pip install zstandard==0.25.0"


@given(words, words)
def test_the_compiled_planes_are_those_of_numpy(left: list[int], right: list[int]) -> None:
    size = min(len(left), len(right))
    a, b = (np.array(each[:size], "<u2") for each in (left, right))
    high, low = planes().split(a, b)
    expected = coders._split(a, b)
    assert (high == expected[0]).all()
    assert (low == expected[1]).all()
    for join in (planes().join, coders._join):
        out = np.empty_like(a)
        join(high, low, b, out)
        assert (out == a).all()


def test_without_a_compiler_numpy_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    planes.cache_clear()
    try:
        assert not planes().compiled
    finally:
        planes.cache_clear()


def test_otium_is_smaller_than_bitx_on_a_fine_tune() -> None:
    if missing := BitX().missing():
        pytest.skip(missing)
    base: Model = base_model()
    tuned = disturbed(base, 0.001)["up.weight"]
    ours = Otium().encode(tuned, base["up.weight"])
    theirs = BitX().encode(tuned, base["up.weight"])
    assert ours.size < 0.6 * theirs.size
    assert {piece.codec for piece in ours.pieces} == {"delta"}


def test_a_quantised_tensor_is_coded_against_its_parent() -> None:
    base = base_model()
    quant = quantised(base, "Q8_0")["up.weight"]
    coded = Otium().encode(quant, base["up.weight"])
    assert coded.size < len(quant.data) / 20
    assert Otium().decode(coded, quant, base["up.weight"]) == quant.data
