"""What part a tensor plays in a model, whatever its file calls it.

One model is found under many names: Hugging Face's, llama.cpp's, and with the prefixes that
wrappers add. A role is the same text for all of them. ``docs/formats/sketch-1.md`` fixes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

WIDTHS = {
    "F64": 8.0, "F32": 4.0, "F16": 2.0, "BF16": 2.0,
    "F8_E4M3": 1.0, "F8_E5M2": 1.0, "F8_E4M3FNUZ": 1.0, "F8_E5M2FNUZ": 1.0,
    "Q8_0": 34 / 32, "Q6_K": 210 / 256, "Q5_K": 176 / 256, "Q5_1": 24 / 32, "Q5_0": 22 / 32,
    "Q4_K": 144 / 256, "Q4_1": 20 / 32, "Q4_0": 18 / 32, "Q3_K": 110 / 256, "Q2_K": 84 / 256,
}  # fmt: skip
"""Bytes that a weight takes, for each type whose weights a sketch can read."""

LEAST = 1024
"""Weights. Smaller tensors are left out: norms and biases say little and move much."""

_WRAPPERS = {
    "model", "transformer", "language_model", "base_model", "module", "_orig_mod", "backbone",
    "bert", "roberta", "distilbert", "electra", "gpt_neox", "llama", "text_model", "weight",
}  # fmt: skip
_LAYERS = frozenset({"layers", "layer", "h", "blk", "block", "blocks"})
# Rows of these are reordered by llama.cpp's converter, or fused and split by one loader or other.
_REORDERED = re.compile(
    r"(^|[._])(q|k|wq|wk|query|key|qkv|q_proj|k_proj|qkv_proj|query_key_value|c_attn|w_?pack"
    r"|in_proj_weight|attn_q|attn_k|attn_qkv)($|[._])",
    re.IGNORECASE,
)
_PARTS = {
    "v": "attn_v self_attn.v_proj attn.v_proj attention.self.value attention.v_lin "
    "attention.value attention.wv self_attention.v_proj",
    "o": "attn_output self_attn.o_proj self_attn.out_proj attn.out_proj attention.output.dense "
    "attention.out_lin attention.wo self_attn.dense self_attention.dense attention.dense",
    "gate": "ffn_gate mlp.gate_proj feed_forward.w1 ffn.lin_gate",
    "up": "ffn_up mlp.up_proj feed_forward.w3 intermediate.dense mlp.fc1 fc1 ffn.lin1 "
    "mlp.dense_h_to_4h mlp.fc_in",
    "down": "ffn_down mlp.down_proj feed_forward.w2 output.dense mlp.fc2 fc2 ffn.lin2 "
    "mlp.dense_4h_to_h mlp.fc_out",
    "router": "ffn_gate_inp block_sparse_moe.gate mlp.gate",
    "gate.shared": "ffn_gate_shexp mlp.shared_expert.gate_proj mlp.shared_experts.gate_proj",
    "up.shared": "ffn_up_shexp mlp.shared_expert.up_proj mlp.shared_experts.up_proj",
    "down.shared": "ffn_down_shexp mlp.shared_expert.down_proj mlp.shared_experts.down_proj",
    "embed": "token_embd embed_tokens embeddings.word_embeddings word_embeddings wte "
    "tok_embeddings embed_in",
    "head": "output lm_head embed_out",
    "positions": "position_embd embeddings.position_embeddings wpe embed_positions",
    "types": "token_types embeddings.token_type_embeddings",
}
PART_OF = {name: part for part, names in _PARTS.items() for name in names.split()}
_EXPERT = re.compile(r"(?:block_sparse_moe|mlp)\.experts\.(\d+)\.(w1|w2|w3|\w+_proj)")
_EXPERT_PARTS = {
    "w1": "gate", "gate_proj": "gate", "w3": "up", "up_proj": "up", "w2": "down",
    "down_proj": "down",
}  # fmt: skip
_STACKED = re.compile(r"ffn_(gate|up|down)_exps$")
_GGUF = re.compile(r"(^|\.)blk\.\d+\.|^(token_embd|position_embd|token_types)\.")
_DIMENSIONS_STACKED = 3


class TensorView(Protocol):
    """One tensor as it lies in a file, of which single weights can be read."""

    @property
    def name(self) -> str:
        """What the file calls it."""

    @property
    def dtype(self) -> str:
        """Its type, in the words of safetensors or GGUF."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, in the order that the file gives."""

    def read(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset* on, counted from the tensor's first."""


@dataclass(frozen=True)
class Place:
    """A matrix of weights: a tensor, or one expert's part of a stacked one."""

    role: str
    tensor: TensorView
    first: int
    """How many weights of the tensor lie before it."""
    rows: int
    width: int
    """The weights in a row."""

    @property
    def weights(self) -> int:
        """How many weights it has."""
        return self.rows * self.width


def places(tensors: Sequence[TensorView]) -> list[Place]:
    """Return the matrices that a sketch may sample, by role.

    Where two play one role, as in a folder with the same model twice, that of the wider type
    is taken, then the first.
    """
    names = {tensor.name for tensor in tensors}
    prefixed = [_segments(tensor.name) for tensor in tensors]
    both = {"encoder", "decoder"} <= {word for words in prefixed for word in words}
    found: dict[str, Place] = {}
    for tensor, words in zip(tensors, prefixed, strict=True):
        if tensor.dtype not in WIDTHS or _REORDERED.search(tensor.name):
            continue
        kept = [word for word in words if both or word not in {"encoder", "decoder"}]
        for place in _matrices(tensor, role(kept), reverse=_fastest_first(tensor, names)):
            rival = found.get(place.role)
            if rival is None or WIDTHS[tensor.dtype] > WIDTHS[rival.tensor.dtype]:
                found[place.role] = place
    return [found[name] for name in sorted(found)]


def role(words: Sequence[str]) -> str:
    """Return the role of a tensor whose name has these *words*, wrappers left out."""
    for at in range(len(words) - 1):
        if words[at] in _LAYERS and words[at + 1].isdecimal():
            stack = [*words[:at], words[at + 1]]
            return ".".join([*stack, _part(".".join(words[at + 2 :]))])
    return _part(".".join(words))


def _part(name: str) -> str:
    expert = _EXPERT.fullmatch(name)
    if expert:
        part = _EXPERT_PARTS.get(expert[2], expert[2])
        return f"{part}.{expert[1]}"
    return PART_OF.get(name, name)


def _segments(name: str) -> list[str]:
    """Return the words of a name, without those that only wrap."""
    return [word for word in name.split(".") if word not in _WRAPPERS]


def _fastest_first(tensor: TensorView, names: set[str]) -> bool:
    """Say whether the file is a GGUF one, which gives the length of a row first."""
    if _GGUF.search(tensor.name) or tensor.dtype.startswith("Q"):
        return True
    return tensor.name == "output.weight" and "token_embd.weight" in names


def _matrices(tensor: TensorView, name: str, *, reverse: bool) -> Iterator[Place]:
    shape = tensor.shape[::-1] if reverse else tensor.shape
    stacked = _STACKED.search(name)
    if stacked and len(shape) == _DIMENSIONS_STACKED:
        experts, rows, width = shape
        stem = name.removesuffix(stacked[0]) + stacked[1]
        parts = [(f"{stem}.{n}", n * rows * width, rows, width) for n in range(experts)]
    else:
        parts = [(name, 0, shape[0], prod(shape[1:]))] if len(shape) > 1 else []
    for text, first, rows, width in parts:
        if rows > 1 and width > 1 and rows * width >= LEAST:
            yield Place(text, tensor, first, rows, width)


def role_of(name: str) -> str:
    """Return the role of a tensor by its name alone, query and key projections among them."""
    words = [word for word in _segments(name) if word not in {"encoder", "decoder"}]
    part = role(words)
    for mark, names in _QUERIES.items():
        for known in names.split():
            if part == known or part.endswith(f".{known}"):
                return part.removesuffix(known) + mark
    return part


_QUERIES = {
    "q": "attn_q self_attn.q_proj attention.self.query",
    "k": "attn_k self_attn.k_proj attention.self.key",
}
