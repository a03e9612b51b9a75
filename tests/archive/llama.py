"""A family of small language models, as a hub and llama.cpp's converter would hold them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from makers import Weights, folder, gguf, safetensors
from otium.codec.predict import DTYPES, narrow, permuted, widen

HIDDEN, HEADS, KV, VOCABULARY, FORWARD, LAYERS = 128, 4, 2, 600, 256, 3
Floats = npt.NDArray[np.float32]
Tensors = dict[str, Floats]
KINDS = {"F32": 0, "F16": 1, "BF16": 30}
PARTS = {
    "self_attn.q_proj": ("attn_q", HIDDEN, HIDDEN),
    "self_attn.k_proj": ("attn_k", HIDDEN * KV // HEADS, HIDDEN),
    "self_attn.v_proj": ("attn_v", HIDDEN * KV // HEADS, HIDDEN),
    "self_attn.o_proj": ("attn_output", HIDDEN, HIDDEN),
    "mlp.gate_proj": ("ffn_gate", FORWARD, HIDDEN),
    "mlp.up_proj": ("ffn_up", FORWARD, HIDDEN),
    "mlp.down_proj": ("ffn_down", HIDDEN, FORWARD),
}


def made(seed: int, *, layers: int = LAYERS) -> Tensors:
    """Return the tensors of a model, in BF16's values."""
    rng = np.random.default_rng(seed)

    def weights(rows: int, columns: int) -> Floats:
        size = 0.02 * np.exp(rng.normal(0, 0.3, (rows, 1)))
        return rounded((rng.normal(0, 1, (rows, columns)) * size).astype(np.float32))

    found = {"model.embed_tokens.weight": weights(VOCABULARY, HIDDEN)}
    for layer in range(layers):
        for part, (_, rows, columns) in PARTS.items():
            found[f"model.layers.{layer}.{part}.weight"] = weights(rows, columns)
    found["model.norm.weight"] = rounded(rng.normal(1, 0.1, HIDDEN).astype(np.float32))
    return found


def rounded(values: Floats, dtype: str = "BF16") -> Floats:
    """Return what is left of values in a shorter type."""
    kind = DTYPES[dtype]
    return widen(narrow(np.ascontiguousarray(values).ravel(), kind), kind).reshape(values.shape)


def tuned(model: Tensors, seed: int, ratio: float = 0.002) -> Tensors:
    """Return a fine-tune: each weight moved by *ratio* of the tensor's spread, about."""
    rng = np.random.default_rng(seed)
    return {
        name: rounded((w + rng.normal(0, ratio * w.std(), w.shape)).astype(np.float32))
        for name, w in model.items()
    }


def hub(path: Path, model: Tensors, dtype: str = "BF16", *, shards: int = 1) -> Path:
    """Write a model as a hub holds it, in one file or several."""
    names = list(model)
    files = {}
    for shard in range(shards):
        part = names[shard * len(names) // shards : (shard + 1) * len(names) // shards]
        tensors = [
            Weights(name, data(model[name], dtype), model[name].shape, dtype) for name in part
        ]
        last = f"-{shard + 1:05}-of-{shards:05}" if shards > 1 else ""
        files[f"model{last}.safetensors"] = safetensors(tensors)
    return folder(path, {**files, "config.json": b'{"model_type": "llama"}'})


def data(values: Floats, dtype: str) -> bytes:
    """Return the bytes of values in a type."""
    return narrow(np.ascontiguousarray(values).ravel(), DTYPES[dtype]).tobytes()


def converted(path: Path, model: Tensors, dtype: str) -> Path:
    """Write a model as llama.cpp's converter would: other names, and rows of q and k moved."""
    tensors = []
    for name, values in model.items():
        short = values
        for part, (other, _, _) in PARTS.items():
            name = name.replace(part, other)  # noqa: PLW2901
        heads = {"attn_q": HEADS, "attn_k": KV}.get(name.split(".")[-2], 0)
        if heads:
            moved = permuted(values.view(np.uint32), heads)
            short = np.ascontiguousarray(moved).view(np.float32)
        for old, new in (("model.layers", "blk"), ("model.embed_tokens", "token_embd")):
            name = name.replace(old, new)  # noqa: PLW2901
        name = name.replace("model.norm", "output_norm")  # noqa: PLW2901
        tensors.append(Weights(name, data(short, dtype), short.shape[::-1], KINDS[dtype]))
    facts: dict[str, object] = {
        "general.architecture": "llama",
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV,
    }
    return folder(path, {"model.gguf": gguf(facts, tensors)})


def adapter(path: Path, model: Tensors, seed: int, rank: int = 4) -> tuple[Path, Tensors]:
    """Write an adapter of some layers as PEFT does; return it, and the model it is merged into."""
    rng = np.random.default_rng(seed)
    merged, tensors, alpha = dict(model), [], 16
    for name in [n for n in model if "q_proj" in n or "v_proj" in n]:
        rows, columns = model[name].shape
        down = rng.normal(0, 0.05, (rank, columns)).astype(np.float32)
        up = rng.normal(0, 0.05, (rows, rank)).astype(np.float32)
        merged[name] = rounded(model[name] + (alpha / rank) * (up @ down))
        for half, values in (("lora_A", down), ("lora_B", up)):
            stem = f"base_model.model.{name.removesuffix('.weight')}.{half}.weight"
            tensors.append(Weights(stem, data(values, "F32"), values.shape, "F32"))
    config = json.dumps({"peft_type": "LORA", "r": rank, "lora_alpha": alpha}).encode()
    files = {"adapter_model.safetensors": safetensors(tensors), "adapter_config.json": config}
    return folder(path, files), merged


def scaled(path: Path, model: Tensors, block: int) -> Path:
    """Write a model in fp8 with a scale for each square block, as DeepSeek's are."""
    every = np.arange(127, dtype=np.uint8)
    exponent, part = every >> 3, (every & 7) / 8
    meant = np.where(exponent > 0, (1 + part) * 2.0 ** (exponent - 7.0), part * 2.0**-6)
    tensors = []
    for name, values in model.items():
        if values.ndim == 1 or "embed" in name:
            tensors.append(Weights(name, data(values, "BF16"), values.shape, "BF16"))
            continue
        rows, columns = values.shape
        tiles = np.abs(values).reshape(rows // block, block, columns // block, block)
        scale = (tiles.max((1, 3)) / 448).astype(np.float32)
        ratio = values / np.repeat(np.repeat(scale, block, 0), block, 1)
        size = np.abs(ratio).astype(np.float64)
        codes = np.searchsorted((meant[1:] + meant[:-1]) / 2, size).astype(np.uint8)
        codes |= np.signbit(ratio).astype(np.uint8) << 7
        tensors.append(Weights(name, codes.tobytes(), values.shape, "F8_E4M3"))
        tensors.append(Weights(f"{name}_scale_inv", scale.tobytes(), scale.shape, "F32"))
    return folder(path, {"model.safetensors": safetensors(tensors)})
