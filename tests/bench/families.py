"""Small models for the tests of the bench."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from otium.bench.data import Model, Tensor, disturbed, narrow, write_model

SHAPES = {"embed.weight": (96, 256), "up.weight": (256, 256), "norm.weight": (256,)}


def base_model(seed: int = 0) -> Model:
    """Return a model whose rows have scales of their own, as trained ones do."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in SHAPES.items():
        scales = np.exp(rng.standard_normal((shape[0], 1))) * 0.03
        values = (rng.standard_normal(shape) * scales.reshape(-1, *[1] * (len(shape) - 1))).astype(
            np.float32
        )
        found[name] = Tensor(name, "BF16", shape, narrow(values, "BF16"))
    return found


def write_family(into: Path) -> Path:
    """Write a base, two fine-tunes of which one is of the other, and an adapter."""
    into.mkdir()
    base = base_model()
    first = disturbed(base, 0.001)
    models = {"base": base, "ft1": first, "ft2": disturbed(first, 0.0011)}
    for name, model in models.items():
        write_model(into / f"{name}.safetensors", model)
    adapter = {"a": base["norm.weight"]._replace(name="a")}
    write_model(into / "adapter.safetensors", adapter)
    (into / "parents.json").write_text(json.dumps({"ft2": "ft1"}))
    return into
