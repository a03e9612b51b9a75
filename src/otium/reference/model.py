"""One model: from tokens to the log-probabilities of the next.

All sums are done plainly, in float32 or float64, one sequence at a time. What was computed of
earlier positions (keys and values) is kept, nothing else is.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Refused
from .families import Shape, renamed, shape_of
from .files import Files

Array = NDArray[Any]
"""float32 or float64, whichever the model computes in."""
_AT_ONCE = 128
"""Positions of a prompt that are computed together."""


@dataclass(frozen=True)
class Step:
    """One generated token, its natural-log probability, and the likeliest alternatives."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]


@dataclass
class Cache:
    """Keys and values of the positions so far, by layer: (positions, kv_heads, head)."""

    keys: dict[int, Array] = field(default_factory=dict)
    values: dict[int, Array] = field(default_factory=dict)
    length: int = 0

    def add(self, layer: int, keys: Array, values: Array) -> tuple[Array, Array]:
        """Append what a layer computed for new positions, and return all of it."""
        if layer in self.keys:
            keys = np.concatenate([self.keys[layer], keys])
            values = np.concatenate([self.values[layer], values])
        self.keys[layer], self.values[layer] = keys, values
        return keys, values


class Model:
    """The weights of a model, ready to compute."""

    def __init__(self, files: Files, adapter: Files | None = None, dtype: Any = np.float32) -> None:
        """Take the weights of *files*, with *adapter* laid over them; raise Refused."""
        self.shape = shape_of(files)
        self.dtype = np.dtype(dtype)
        self.weights = _weights(files, self.shape, self.dtype)
        if adapter is not None:
            _lay_over(self.weights, adapter, self.shape)
        self.vocabulary = len(self.weights["token_embd.weight"])

    def read(self, tokens: Sequence[int], cache: Cache | None = None) -> Array:
        """Return the logits after each of *tokens*: (tokens, vocabulary); raise Refused."""
        with np.errstate(all="ignore"):  # what overflows is found in the logits
            parts = self._parts(tokens, cache or Cache())
            logits: Array = np.concatenate([self._logits(x) for x in parts])
        return logits

    def _next(self, tokens: Sequence[int], cache: Cache) -> Array:
        """Return the logits after the last of *tokens* alone: (vocabulary,); raise Refused.

        Those of a long prompt are as many as its tokens times the vocabulary, and nobody asks.
        """
        with np.errstate(all="ignore"):
            (last,) = deque(self._parts(tokens, cache), maxlen=1)
            logits: Array = self._logits(last[-1:])[0]
        return logits

    def _parts(self, tokens: Sequence[int], cache: Cache) -> Iterator[Array]:
        """Yield the last layer's output for some tokens after the other."""
        if not tokens or not all(0 <= token < self.vocabulary for token in tokens):
            raise Refused("there are no tokens, or some are not in the vocabulary")
        if cache.length + len(tokens) > self.shape.context:
            raise Refused(f"more than the {self.shape.context} tokens that the model can read")
        for start in range(0, len(tokens), _AT_ONCE):
            yield self._pass(tokens[start : start + _AT_ONCE], cache)

    def generate(
        self, prompt: Sequence[int], most: int, ends: Sequence[int] = (), alternatives: int = 1
    ) -> Iterator[Step]:
        """Yield the likeliest token again and again, up to *most*, or to one of *ends* (it too)."""
        cache, tokens = Cache(), list(prompt)
        for _ in range(min(most, self.shape.context - len(tokens) + 1)):
            logits = self._next(tokens, cache).astype(np.float64)
            logprobs = logits - logits.max()
            logprobs -= np.log(np.exp(logprobs).sum())
            best = np.argsort(-logprobs, kind="stable")[: max(alternatives, 1)]
            top = tuple((int(i), float(logprobs[i])) for i in best)
            yield Step(*top[0], top)
            if top[0][0] in ends:
                return
            tokens = [top[0][0]]

    # One pass: embeddings, layers, logits

    def _pass(self, tokens: Sequence[int], cache: Cache) -> Array:
        """Return the last layer's output for *tokens*: (tokens, width)."""
        shape, family = self.shape, self.shape.family
        positions = np.arange(cache.length, cache.length + len(tokens))
        x: Array = self.weights["token_embd.weight"][np.array(tokens)]
        if family.from_one:
            x = x * self.dtype.type(math.sqrt(shape.width))
        if family.layer_norm:
            x = x + self.weights["position_embd.weight"][positions]
        for layer in range(shape.layers):
            at = f"blk.{layer}."
            seen = self._attend(layer, self._norm(x, at + "attn_norm"), positions, cache)
            x = x + self._after(seen, at + "post_attention_norm")
            fed = self._feed(at, self._norm(x, at + "ffn_norm"))
            x = x + self._after(fed, at + "post_ffw_norm")
        cache.length += len(tokens)
        return x

    def _logits(self, x: Array) -> Array:
        head = self.weights.get("output.weight", self.weights["token_embd.weight"])
        logits = _capped(self._norm(x, "output_norm") @ head.T, self.shape.final_cap)
        if not np.isfinite(logits).all():
            raise Refused("the sums overflow: these weights make no sense")
        return logits

    def _linear(self, x: Array, name: str) -> Array:
        product: Array = x @ self.weights[f"{name}.weight"].T
        bias = self.weights.get(f"{name}.bias")
        return product if bias is None else product + bias

    def _norm(self, x: Array, name: str) -> Array:
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        if self.shape.family.layer_norm:
            x = x - x.mean(-1, keepdims=True)
        size = np.sqrt((x * x).mean(-1, keepdims=True) + self.dtype.type(self.shape.epsilon))
        normed: Array = x / size * weight
        return normed if bias is None else normed + bias

    def _after(self, x: Array, name: str) -> Array:
        """Norm what a block adds, in the families that do."""
        return self._norm(x, name) if f"{name}.weight" in self.weights else x

    def _feed(self, at: str, x: Array) -> Array:
        act = _ACTIVATIONS[self.shape.family.activation]
        up = self._linear(x, at + "ffn_up")
        gated = f"{at}ffn_gate.weight" in self.weights
        inner = act(self._linear(x, at + "ffn_gate")) * up if gated else act(up)
        return self._linear(inner, at + "ffn_down")

    def _attend(self, layer: int, x: Array, positions: Array, cache: Cache) -> Array:
        shape, at, count = self.shape, f"blk.{layer}.", len(positions)
        if shape.family.layer_norm:
            q, k, v = np.split(self._linear(x, at + "attn_qkv"), 3, axis=-1)
        else:
            q, k, v = (self._linear(x, at + part) for part in ("attn_q", "attn_k", "attn_v"))
        turns = shape.window_turns if shape.windows[layer] else shape.turns
        q = self._turned(q.reshape(count, shape.heads, -1), at + "attn_q_norm", positions, turns)
        k = self._turned(k.reshape(count, shape.kv_heads, -1), at + "attn_k_norm", positions, turns)
        keys, values = cache.add(layer, k, v.reshape(count, shape.kv_heads, -1))
        # (kv_heads, queries of the heads that share these keys, positions)
        asked: Array = q.reshape(count, shape.kv_heads, -1, shape.head).transpose(1, 2, 0, 3)
        asked = asked.reshape(shape.kv_heads, -1, shape.head)
        scores: Array = asked @ keys.transpose(1, 2, 0) * self.dtype.type(shape.scale)
        scores = _capped(scores, shape.attention_cap)
        back = positions[:, None] - np.arange(len(keys))
        hidden = (back < 0) | ((back >= shape.windows[layer]) & (shape.windows[layer] > 0))
        hidden = np.tile(hidden, (shape.heads // shape.kv_heads, 1))
        scores = np.where(hidden, -np.inf, scores)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        seen = scores / scores.sum(-1, keepdims=True) @ values.transpose(1, 0, 2)
        seen = seen.reshape(shape.kv_heads, -1, count, shape.head).transpose(2, 0, 1, 3)
        return self._linear(seen.reshape(count, -1), at + "attn_output")

    def _turned(self, heads: Array, norm: str, positions: Array, turns: Array) -> Array:
        """Return queries or keys, normed if the family does so, turned by their positions."""
        heads = self._after(heads, norm)
        if not len(turns):
            return heads
        angles = positions[:, None, None] * turns
        cos, sin = np.cos(angles).astype(self.dtype), np.sin(angles).astype(self.dtype)
        a, b = np.split(heads, 2, axis=-1)
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def _capped(x: Array, cap: float) -> Array:
    capped: Array = np.tanh(x / cap) * cap if cap else x
    return capped


def _silu(x: Array) -> Array:
    gated: Array = x / (1 + np.exp(-x))
    return gated


def _gelu(x: Array) -> Array:
    inner = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
    gated: Array = 0.5 * x * (1 + inner)
    return gated


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"silu": _silu, "gelu": _gelu}


# From stored tensors to the matrices above


def _weights(files: Files, shape: Shape, dtype: np.dtype[Any]) -> dict[str, Array]:
    """Return each weight as the sums want it: (out, in), heads in halves, norms whole."""
    family, hub = shape.family, not files.gguf
    named = {renamed(family, name) if hub else name: name for name in files.tensors}
    named.pop(None, None)
    if hub and files.config.get("tie_word_embeddings", family.tied):
        named.pop("output.weight", None)
    expected, found = _expected(shape), {}
    for name, original in named.items():
        if name == "rope_freqs.weight":
            continue  # they are in shape.turns
        values = files.tensors[original].values()
        part = str(name).split(".")[-2]
        if hub and family.layer_norm and values.ndim == 2 and part[:4] in {"attn", "ffn_"}:
            values = np.ascontiguousarray(values.T)  # GPT-2's hub files have (in, out)
        _match(str(name), values, expected)
        if hub and family.from_one and part.endswith("norm"):
            values = values + np.float32(1)
        if not hub:
            values = _halved(part, values, shape)
        found[str(name)] = values.astype(dtype, copy=False)
    if missing := sorted(name for name in expected if expected[name][1] and name not in found):
        raise Refused(f"the tensor {missing[0]} is missing")
    return found


def _match(name: str, values: Array, expected: dict[str, tuple[tuple[int, ...], bool]]) -> None:
    if name not in expected:
        raise Refused(f"the tensor {name} is not known here in this family")
    if any(a not in {0, b} for a, b in zip(expected[name][0], values.shape, strict=False)) or (
        len(expected[name][0]) != values.ndim
    ):
        raise Refused(f"{name} has shape {values.shape}, not {expected[name][0]}")


def _expected(shape: Shape) -> dict[str, tuple[tuple[int, ...], bool]]:
    """Return the shape of each tensor (0: any size), and whether it must be there."""
    width, q, kv = shape.width, shape.heads * shape.head, shape.kv_heads * shape.head
    matrices = {
        "attn_q": (q, width), "attn_k": (kv, width), "attn_v": (kv, width),
        "attn_qkv": (3 * width, width), "attn_output": (width, q),
        "ffn_gate": (shape.forward, width), "ffn_up": (shape.forward, width),
        "ffn_down": (width, shape.forward),
    }  # fmt: skip
    norms = {"attn_q_norm": shape.head, "attn_k_norm": shape.head}
    family = shape.family
    found: dict[str, tuple[tuple[int, ...], bool]] = {
        "token_embd.weight": ((0, width), True),
        "output.weight": ((0, width), False),
        "output_norm.weight": ((width,), True),
    }
    if family.layer_norm:
        found["position_embd.weight"] = ((shape.context, width), True)
        found["output_norm.bias"] = ((width,), True)
    for layer in range(shape.layers):
        for part in family.parts:
            size = matrices.get(part, (norms.get(part, width),))
            found[f"blk.{layer}.{part}.weight"] = (size, True)
            if len(size) == 2 or part in family.biased:
                found[f"blk.{layer}.{part}.bias"] = (size[:1], part in family.biased)
    return found


def _halved(part: str, values: Array, shape: Shape) -> Array:
    """Return rows of q or k with the pairs' first halves before their second, head by head."""
    heads = {"attn_q": shape.heads, "attn_k": shape.kv_heads}.get(part)
    if not shape.family.adjacent or heads is None:
        return values
    pairs = values.reshape(heads, -1, 2, *values.shape[1:])
    return pairs.swapaxes(1, 2).reshape(values.shape)


def _lay_over(weights: dict[str, Array], adapter: Files, shape: Shape) -> None:
    """Add a LoRA adapter, as llama.cpp's converter writes them: W + alpha/rank · B · A."""
    if adapter.gguf.get("adapter.type") != "lora":
        raise Refused("the adapter is not a LoRA adapter of llama.cpp")
    alpha = adapter.gguf.get("adapter.lora.alpha", 0.0)
    if not isinstance(alpha, int | float):
        raise Refused("the adapter's alpha is no number")
    left = set(adapter.tensors)
    for name in sorted(left):
        base, _, side = name.rpartition(".")
        if side != "lora_a" or f"{base}.lora_b" not in left or base not in weights:
            continue
        down, up = adapter.tensors[name].values(), adapter.tensors[f"{base}.lora_b"].values()
        whole = weights[base]
        if down.ndim != 2 or up.shape != (len(whole), len(down)) or down.shape[1] != whole.shape[1]:
            raise Refused(f"the adapter's {base} does not fit")
        scale = alpha / len(down) if alpha else 1.0
        up = _halved(base.split(".")[-2], up, shape).astype(whole.dtype)
        weights[base] = whole + whole.dtype.type(scale) * (up @ down.astype(whole.dtype))
        left -= {name, f"{base}.lora_b"}
    if left:
        raise Refused(f"the adapter's tensor {min(left)} changes nothing that is known here")
