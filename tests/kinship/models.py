"""Small models in memory, in every form that one model is found in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otium.kinship.weights import from_fp8

Array = npt.NDArray[np.float32]
Model = dict[str, Array]

HIDDEN, WIDE, LAYERS, WORDS = 64, 160, 4, 1000


@dataclass(frozen=True)
class View:
    """A tensor in memory, as a file would hold it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def read(self, offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= len(self.data), (self.name, offset, length)
        return self.data[offset : offset + length]


def f32(array: Array) -> bytes:
    return array.astype("<f4").tobytes()


def f16(array: Array) -> bytes:
    return array.astype("<f2").tobytes()


def bf16(array: Array) -> bytes:
    bits = array.astype("<f4").view("<u4")
    data: bytes = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return data


def e4m3(array: Array) -> bytes:
    """Return the 8-bit floats nearest to the weights, by a table of all that there are."""
    table = np.array([from_fp8(byte, "F8_E4M3") for byte in range(127)], np.float32)
    edges = (table[1:] + table[:-1]) / 2
    codes = np.searchsorted(edges, np.abs(array)) | np.signbit(array) * 128
    data: bytes = codes.astype(np.uint8).tobytes()
    return data


def q8_0(array: Array) -> bytes:
    blocks = array.reshape(-1, 32)
    scale = (np.abs(blocks).max(1, keepdims=True) / 127).astype("<f2")
    codes = np.rint(blocks / np.maximum(scale.astype(np.float32), 1e-12)).astype("i1")
    return b"".join(s.tobytes() + c.tobytes() for s, c in zip(scale, codes, strict=True))


def q4_0(array: Array) -> bytes:
    blocks = array.reshape(-1, 32)
    peak = np.take_along_axis(blocks, np.abs(blocks).argmax(1)[:, None], 1)
    scale = (peak / -8).astype("<f2")
    codes = np.clip(np.rint(blocks / scale.astype(np.float32)) + 8, 0, 15).astype("u1")
    packed = codes[:, :16] | codes[:, 16:] << 4
    return b"".join(s.tobytes() + c.tobytes() for s, c in zip(scale, packed, strict=True))


CODINGS: Mapping[str, Callable[[Array], bytes]] = {
    "F32": f32,
    "F16": f16,
    "BF16": bf16,
    "Q8_0": q8_0,
    "Q4_0": q4_0,
    "F8_E4M3": e4m3,
}


def make(seed: int, words: int = WORDS) -> Model:
    """Return a small Llama-shaped model under Hugging Face's names."""
    rng = np.random.default_rng(seed)

    def tensor(*shape: int) -> Array:
        return (rng.standard_normal(shape) * rng.uniform(0.01, 0.05)).astype(np.float32)

    model = {"model.embed_tokens.weight": tensor(words, HIDDEN)}
    for n in range(LAYERS):
        layer = f"model.layers.{n}"
        for part in "qkvo":
            model[f"{layer}.self_attn.{part}_proj.weight"] = tensor(HIDDEN, HIDDEN)
        model[f"{layer}.mlp.gate_proj.weight"] = tensor(WIDE, HIDDEN)
        model[f"{layer}.mlp.up_proj.weight"] = tensor(WIDE, HIDDEN)
        model[f"{layer}.mlp.down_proj.weight"] = tensor(HIDDEN, WIDE)
        model[f"{layer}.input_layernorm.weight"] = tensor(HIDDEN)
    model["lm_head.weight"] = tensor(words, HIDDEN)
    return model


def tune(model: Model, size: float, seed: int) -> Model:
    """Return a fine-tune: each weight moved by *size* of its tensor's deviation."""
    rng = np.random.default_rng(seed)
    return {
        name: (w + size * w.std() * rng.standard_normal(w.shape)).astype(np.float32)
        for name, w in model.items()
    }


def views(model: Model, dtype: str = "F32") -> list[View]:
    """Return the model as safetensors files hold it."""
    return [View(name, dtype, w.shape, CODINGS[dtype](w)) for name, w in model.items()]


_GGUF = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
}


def gguf(model: Model, dtype: str) -> list[View]:
    """Return the model as llama.cpp holds it: its names, shapes reversed, queries reordered."""
    found = []
    for name, w in model.items():
        layer = re.fullmatch(r"model\.layers\.(\d+)\.(.*)\.weight", name)
        if layer:
            called = f"blk.{layer[1]}.{_GGUF[layer[2]]}.weight"
        else:
            called = "output.weight" if name == "lm_head.weight" else "token_embd.weight"
        rows = w[::-1] if re.search(r"attn_[qk]", called) else w
        kind = dtype if w.ndim > 1 else "F32"
        data = CODINGS[kind](np.ascontiguousarray(rows))
        found.append(View(called, kind, w.shape[::-1], data))
    return found
