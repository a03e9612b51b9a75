"""What stored bytes stand for, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from otium.reference.blocks import GGML, SAFETENSORS, Refused, Stored
from reference.peers import FIXTURES

KINDS = {kind.name: kind for kind in GGML.values()}
RECORDED = np.load(FIXTURES / "blocks.npz")
QUANTISED = sorted({name.split(".")[0] for name in RECORDED.files})


@pytest.mark.parametrize("name", QUANTISED)
def test_quantised_blocks_stand_for_the_values_that_gguf_reads(name: str) -> None:
    data, values = RECORDED[f"{name}.stored"], RECORDED[f"{name}.values"]
    kind = KINDS[name]
    assert (kind.size, kind.weights) == (data.shape[1], values.shape[1])
    found = Stored(values.shape, kind, data.reshape(-1)).values()
    assert np.array_equal(found.view(np.uint32), values.view(np.uint32))


def test_every_quantised_kind_was_compared() -> None:
    assert set(QUANTISED) == {kind.name for kind in GGML.values() if kind.weights > 1}


@pytest.mark.parametrize("name", ["F16", "F32", "F64", "BF16"])
def test_floats_stand_for_themselves(name: str) -> None:
    values = np.array([0.0, -0.0, 1.5, -2.0, 2.0**-14, 1.0 + 2**-7], np.float32)
    forms = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
    if name == "BF16":
        data = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    else:
        data = values.astype(forms[name]).tobytes()
    found = Stored((6,), SAFETENSORS[name], np.frombuffer(data, np.uint8)).values()
    assert found.tobytes() == values.tobytes()


def test_numbers_that_are_not_finite_are_refused() -> None:
    data = np.array([1, np.nan], "<f4").view(np.uint8)
    with pytest.raises(Refused, match="finite"):
        Stored((2,), SAFETENSORS["F32"], data).values()
