"""A real family without torch and without downloads: a small language model, trained by numpy.

It predicts the next byte of Python's own sources from the 32 before it: embeddings, two
hidden layers with residual, GELU, cross-entropy (after Bengio et al., 2003), AdamW with
fp32 master weights (Loshchilov & Hutter, arXiv:1711.05101), saved in bf16. The weights are few,
but the updates are an optimiser's and not drawn from a distribution.
"""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from otium.bench.data import BASE, Tensor, narrow, write_model
from otium.records import Progress, silent

Weights = dict[str, NDArray[np.float32]]
Bytes = NDArray[np.uint8]
_SEEN, _EMBED, _HIDDEN, _BATCH, _RANK = 32, 64, 768, 256, 8
_SHAPES = {
    "embed.weight": (256, _EMBED),
    "input.weight": (_HIDDEN, _SEEN * _EMBED),
    "hidden.weight": (_HIDDEN, _HIDDEN),
    "output.weight": (256, _HIDDEN),
    "input.bias": (_HIDDEN,),
    "hidden.bias": (_HIDDEN,),
    "output.bias": (256,),
}


@dataclass(frozen=True)
class Run:
    """One training run from one model to another."""

    name: str
    parent: str
    rate: float
    steps: int
    texts: slice
    """Which part of the sorted sources it sees."""
    lora: bool = False


PRETRAINING = Run(BASE, "", 2e-3, 300, slice(0, 60))
RUNS = (
    Run("ft5e6_050", BASE, 5e-6, 50, slice(60, 80)),
    Run("ft5e6_100", "ft5e6_050", 5e-6, 50, slice(60, 80)),
    Run("ft1e6_100", BASE, 1e-6, 100, slice(60, 80)),
    Run("ft5e5_100", BASE, 5e-5, 100, slice(80, 100)),
    Run("lora_100", BASE, 1e-4, 100, slice(60, 80), lora=True),
)
"""Three light fine-tunes, one of them from another; a heavier one; a merged adapter."""


def make_family(into: Path, *, progress: Progress = silent) -> None:
    """Train the base and its fine-tunes, and write them; what is there already is kept.

    Takes about a minute on one core. Deterministic up to the rounding of matrix products.
    """
    into.mkdir(parents=True, exist_ok=True)
    listed = into / "parents.json"
    if listed.exists():
        return
    total = sum(run.steps for run in (PRETRAINING, *RUNS))
    done = 0
    trained = {"": _fresh()}
    for run in (PRETRAINING, *RUNS):
        weights = {name: values.copy() for name, values in trained[run.parent].items()}
        for _ in train(weights, run):
            done += 1
            progress("training a family", done, total)
        trained[run.name] = weights
        write_model(into / f"{run.name}.safetensors", _saved(weights))
    listed.write_text(json.dumps({run.name: run.parent for run in RUNS}, indent=1) + "\n")


def train(weights: Weights, run: Run) -> Iterator[float]:
    """Train *weights* in place, and yield the loss of each step in bits a byte."""
    text = _text(run.texts)
    rng = np.random.default_rng(len(run.name))
    frozen = {name: values.copy() for name, values in weights.items()} if run.lora else {}
    trained = _adapters(rng) if run.lora else weights
    optimiser = AdamW(trained)
    for step in range(run.steps):
        starts = rng.integers(0, text.size - _SEEN, _BATCH)
        window = text[starts[:, None] + np.arange(_SEEN + 1)]
        loss, gradients = loss_and_gradients(weights, window[:, :-1], window[:, -1])
        if run.lora:
            gradients = _to_adapters(trained, gradients)
        warm, cool = min(1.0, (step + 1) / 10), 0.1 + 0.9 * (1 - step / run.steps)
        optimiser.step(trained, gradients, run.rate * warm * cool)
        if run.lora:
            _merge(weights, frozen, trained)
        yield loss


class AdamW:
    """Adam with decoupled weight decay."""

    def __init__(self, weights: Weights, decay: float = 0.01) -> None:
        """Begin with empty moments."""
        self.first = {name: np.zeros_like(values) for name, values in weights.items()}
        self.second = {name: np.zeros_like(values) for name, values in weights.items()}
        self.decay, self.count = decay, 0

    def step(self, weights: Weights, gradients: Weights, rate: float) -> None:
        """Change *weights* in place; beta is (0.9, 0.95)."""
        self.count += 1
        bias_1, bias_2 = 1 - 0.9**self.count, 1 - 0.95**self.count
        for name, gradient in gradients.items():
            first, second, values = self.first[name], self.second[name], weights[name]
            first += np.float32(0.1) * (gradient - first)
            second += np.float32(0.05) * (gradient * gradient - second)
            update = (first / np.float32(bias_1)) / (
                np.sqrt(second / np.float32(bias_2)) + np.float32(1e-8)
            )
            values -= np.float32(rate) * (update + np.float32(self.decay) * values)


def loss_and_gradients(weights: Weights, seen: Bytes, following: Bytes) -> tuple[float, Weights]:
    """Return the mean loss in bits, and the gradient of each weight.

    *seen* is (batch, 32) bytes, *following* (batch,).
    """
    batch = following.size
    x = weights["embed.weight"][seen].reshape(batch, -1)
    a = x @ weights["input.weight"].T + weights["input.bias"]
    h, dh = _gelu(a)
    b = h @ weights["hidden.weight"].T + weights["hidden.bias"]
    g, dg = _gelu(b)
    top = h + g
    logits = top @ weights["output.weight"].T + weights["output.bias"]
    logits -= logits.max(1, keepdims=True)
    chances = np.exp(logits)
    chances /= chances.sum(1, keepdims=True)
    rows = np.arange(batch)
    loss = float(-np.log2(chances[rows, following] + 1e-30).mean())
    back = chances
    back[rows, following] -= 1
    back /= batch
    d_top = back @ weights["output.weight"]
    d_b = d_top * dg
    d_a = (d_top + d_b @ weights["hidden.weight"]) * dh
    d_embed = np.zeros_like(weights["embed.weight"])
    d_x = d_a @ weights["input.weight"]
    np.add.at(d_embed, seen.reshape(-1), d_x.reshape(-1, _EMBED))
    return loss, {
        "embed.weight": d_embed,
        "input.weight": d_a.T @ x,
        "hidden.weight": d_b.T @ h,
        "output.weight": back.T @ top,
        "input.bias": d_a.sum(0),
        "hidden.bias": d_b.sum(0),
        "output.bias": back.sum(0),
    }


def _gelu(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return GELU in its sigmoid form, and its derivative."""
    s = 1 / (1 + np.exp(np.float32(-1.702) * x))
    return x * s, s * (1 + np.float32(1.702) * x * (1 - s))


def _fresh() -> Weights:
    rng = np.random.default_rng(0)
    return {
        name: rng.standard_normal(shape, np.float32) * np.float32(shape[-1] ** -0.5)
        if len(shape) > 1
        else np.zeros(shape, np.float32)
        for name, shape in _SHAPES.items()
    }


def _adapters(rng: np.random.Generator) -> Weights:
    """Return low-rank factors (Hu et al., arXiv:2106.09685) for the two large matrices."""
    found: Weights = {}
    for name in ("input.weight", "hidden.weight"):
        rows, columns = _SHAPES[name]
        found[f"{name}.A"] = rng.standard_normal((_RANK, columns), np.float32) * np.float32(0.02)
        found[f"{name}.B"] = np.zeros((rows, _RANK), np.float32)
    return found


def _to_adapters(adapters: Weights, gradients: Weights) -> Weights:
    found: Weights = {}
    for name in ("input.weight", "hidden.weight"):
        a, b = adapters[f"{name}.A"], adapters[f"{name}.B"]
        found[f"{name}.A"] = 2 * (b.T @ gradients[name])
        found[f"{name}.B"] = 2 * (gradients[name] @ a.T)
    return found


def _merge(weights: Weights, frozen: Weights, adapters: Weights) -> None:
    for name in ("input.weight", "hidden.weight"):
        weights[name] = frozen[name] + 2 * (adapters[f"{name}.B"] @ adapters[f"{name}.A"])


def _text(which: slice) -> Bytes:
    root = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(root.glob("*.py"))[which]
    return np.frombuffer(b"".join(path.read_bytes() for path in files), np.uint8)


def _saved(weights: Weights) -> dict[str, Tensor]:
    return {
        name: Tensor(name, "BF16", values.shape, narrow(values, "BF16"))
        for name, values in weights.items()
    }
