"""The families of models that are known here: a table, and how a file's settings fill it in.

A tensor has the name that llama.cpp's converter gives it, ``blk.3.attn_q.weight``; what a hub's
safetensors call it stands in the table. Sources: the modelling files of transformers 5
(``models/llama``, ``qwen2``, ``qwen3``, ``gemma``, ``gemma2``, ``gemma3``, ``gpt2``) and
``src/models/*.cpp`` of llama.cpp, 2026. A setting that is not known is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Refused
from .files import Files

Settings = Mapping[str, Any]
Frequencies = NDArray[np.float64]
"""By how many radians each pair of a head turns from one position to the next."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """What distinguishes one family's sums from another's."""

    parts: tuple[str, ...]
    """What each layer must have, beside attention and feed-forward, named as in GGUF files."""
    biased: tuple[str, ...] = ()
    """Which of a layer's parts must have a bias; others may have one."""
    names: Mapping[str, str]
    """A hub's name of a part: the name here."""
    activation: str = "silu"
    activations: tuple[str, ...] = ("silu",)
    """What a hub's settings call that."""
    layer_norm: bool = False
    """Means are subtracted, positions are learned, q, k and v are one matrix (GPT-2)."""
    adjacent: bool = False
    """In GGUF files, the rows of q and k are ordered for pairs that lie side by side."""
    from_one: bool = False
    """In a hub's files, the weights of norms are stored less one; embeddings are scaled."""
    slides: int = 0
    """Each layer but every n-th sees a window only, unless the settings list the layers."""
    tied: bool = False
    """The output matrix is the embedding, if a hub's settings do not say."""


_PARTS = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output",
          "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")  # fmt: skip
_HEADS = ("attn_q_norm", "attn_k_norm")
_AFTER = ("post_attention_norm", "post_ffw_norm")
_HUB = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
_HUB_AFTER = _HUB | {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
_HUB_GPT2 = {
    "wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "lm_head": "output",
    "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}  # fmt: skip
_GPT2 = ("attn_norm", "attn_qkv", "attn_output", "ffn_norm", "ffn_up", "ffn_down")
_MOST = 1 << 16
_TANH = ("gelu_pytorch_tanh", "gelu_new")

FAMILIES = {
    "llama": Family(parts=_PARTS, names=_HUB, adjacent=True),
    "qwen2": Family(parts=_PARTS, names=_HUB, biased=("attn_q", "attn_k", "attn_v")),
    "qwen3": Family(parts=_PARTS + _HEADS, names=_HUB),
    "gemma": Family(
        parts=_PARTS, names=_HUB, activation="gelu", activations=_TANH, from_one=True, tied=True
    ),
    "gemma2": Family(
        parts=_PARTS + _AFTER, names=_HUB_AFTER, activation="gelu", activations=_TANH,
        from_one=True, slides=2, tied=True,
    ),
    "gemma3": Family(
        parts=_PARTS + _HEADS + _AFTER, names=_HUB_AFTER, activation="gelu", activations=_TANH,
        from_one=True, slides=6, tied=True,
    ),
    "gpt2": Family(
        parts=_GPT2, biased=_GPT2, names=_HUB_GPT2, activation="gelu", activations=_TANH,
        layer_norm=True, tied=True,
    ),
}  # fmt: skip
_HUB_TYPES = {name: name for name in FAMILIES if name != "gemma3"} | {"gemma3_text": "gemma3"}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One model's sizes and numbers."""

    family: Family
    layers: int
    width: int
    heads: int
    kv_heads: int
    head: int
    forward: int
    context: int
    epsilon: float
    scale: float
    """By which a query's products with keys are multiplied."""
    turns: Frequencies
    window_turns: Frequencies
    """The same in layers that see a window only."""
    windows: tuple[int, ...]
    """How many positions back each layer sees, 0 for all."""
    attention_cap: float = 0.0
    final_cap: float = 0.0
    """Caps c, by c·tanh(x/c), on those products and on the logits; 0 for none."""


def shape_of(files: Files) -> Shape:
    """Return the sizes and numbers of a model; raise Refused for what is not known."""
    try:
        shape = _from_gguf(files) if files.gguf else _from_hub(files.config)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"a setting is missing or makes no sense: {error}") from error
    sizes = (shape.layers, shape.width, shape.heads, shape.kv_heads, shape.head, shape.forward)
    sound = all(0 < size < 1 << 24 for size in sizes) and shape.layers <= len(files.tensors)
    if not sound or shape.heads % shape.kv_heads or shape.head % 2:
        raise Refused(f"sizes that make no sense: {sizes}")
    return shape


# From the metadata of a GGUF file

_GGUF = {
    "block_count", "context_length", "embedding_length", "feed_forward_length", "vocab_size",
    "attention.head_count", "attention.head_count_kv", "attention.key_length",
    "attention.value_length", "attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon",
    "attention.sliding_window", "rope.dimension_count", "rope.freq_base", "rope.freq_base_swa",
    "rope.scaling.type", "rope.scaling.factor", "attn_logit_softcapping",
    "final_logit_softcapping",
}  # fmt: skip
_27B = {"gemma2": 46, "gemma3": 62}
"""The layers of Gemma's 27B models, whose queries are scaled otherwise; GGUF does not say so."""


def _from_gguf(files: Files) -> Shape:
    name = files.gguf["general.architecture"]
    family = _known(name, FAMILIES)
    prefix = f"{name}."
    said = {k.removeprefix(prefix): v for k, v in files.gguf.items() if k.startswith(prefix)}
    if unknown := sorted(set(said) - _GGUF):
        raise Refused(f"the setting {prefix}{unknown[0]} is not known here")
    width, heads = int(said["embedding_length"]), int(said["attention.head_count"])
    head = _small(said.get("attention.key_length", width // heads))
    if {head} != {said.get(k, head) for k in ("attention.value_length", "rope.dimension_count")}:
        raise Refused("heads of several sizes, or turned in part, are not known here")
    if said.get("rope.scaling.type", "none") not in {"none", "linear"}:
        raise Refused(f"rope scaling {said['rope.scaling.type']} is not known here")
    layers, window = _small(said["block_count"]), int(said.get("attention.sliding_window", 0))
    divisors = files.tensors.get("rope_freqs.weight")
    turned = 0 if family.layer_norm else head
    turns = _turns(turned, said.get("rope.freq_base", 10000.0)) / said.get("rope.scaling.factor", 1)
    norm = (
        "attention.layer_norm_epsilon" if family.layer_norm else "attention.layer_norm_rms_epsilon"
    )
    slid = _turns(head, said.get("rope.freq_base_swa", 10000.0)) if name == "gemma3" else turns
    return Shape(
        family=family, layers=layers, width=width, heads=heads,
        kv_heads=int(said.get("attention.head_count_kv", heads)), head=head,
        forward=int(said["feed_forward_length"]), context=int(said["context_length"]),
        epsilon=float(said[norm]),
        scale=1 / math.sqrt(width // heads if _27B.get(name) == layers else head),
        turns=turns / divisors.values().astype(np.float64) if divisors else turns,
        window_turns=slid,
        windows=_windows(family, layers, window),
        attention_cap=float(said.get("attn_logit_softcapping", 50.0 * (name == "gemma2"))),
        final_cap=float(said.get("final_logit_softcapping", 30.0 * (name == "gemma2"))),
    )  # fmt: skip


# From the config.json of a hub

_OTHERWISE: dict[str, Any] = {
    "partial_rotary_factor": 1.0, "quantization_config": None, "use_bidirectional_attention": False,
    "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False, "query_pre_attn_scalar": None, "rope_interleaved": False,
}  # fmt: skip
"""Settings that change the sums, and the only value that each may have."""
_HUB_SETTINGS = {
    *_OTHERWISE, "model_type", "vocab_size", "tie_word_embeddings",
    "hidden_activation", "activation_function", "hidden_act", "hidden_size", "intermediate_size",
    "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling", "rope_parameters",
    "rope_local_base_freq", "sliding_window", "use_sliding_window", "layer_types",
    "sliding_window_pattern", "_sliding_window_pattern", "attn_logit_softcapping",
    "final_logit_softcapping", "n_embd", "n_head", "n_layer", "n_inner", "n_positions",
    "layer_norm_epsilon",
    # These change nothing: biases are used where there are some, the rest is of training, of
    # other tasks, or of how the same sums are done.
    "attention_bias", "mlp_bias", "architectures", "dtype", "torch_dtype", "transformers_version",
    "transformers.js_config", "_name_or_path", "_attn_implementation_autoset", "is_llama_config",
    "use_cache", "cache_implementation", "pretraining_tp", "initializer_range", "max_window_layers",
    "n_ctx", "output_past", "reorder_and_upcast_attn", "task_specific_params", "tokenizer_class",
    "finetuning_task", "id2label", "label2id", "problem_type", "_num_labels", "unsloth_fixed",
    "unsloth_version",
}  # fmt: skip
_PATTERNS = ("sliding_window_pattern", "_sliding_window_pattern")
_NO_SUMS = re.compile(r"\w+_token_id|summary_\w+|\w*dropout|\w+_pdrop")
"""The same: settings that change nothing."""
_ROPE = {
    "rope_theta", "rope_type", "type", "factor", "low_freq_factor", "high_freq_factor",
    "original_max_position_embeddings",
}  # fmt: skip


def _from_hub(config: Settings) -> Shape:
    name = config["model_type"]
    family = FAMILIES[_HUB_TYPES[name]] if name in _HUB_TYPES else _known(name, {})
    gemma2 = family.slides > 0
    _check_listed(config, _HUB_SETTINGS)
    patterns = {} if config.get("layer_types") else dict.fromkeys(_PATTERNS, family.slides)
    for key, value in (_OTHERWISE | patterns).items():
        if config.get(key) not in (None, value) and not (gemma2 and key[:5] == "query"):
            raise Refused(f"{key} = {config[key]} in config.json is not known here")
    acts = [config.get(k) for k in ("hidden_activation", "activation_function", "hidden_act")]
    if next(filter(None, acts), None) not in family.activations:
        raise Refused(f"the activation {acts} is not known here for {name}")
    if family.layer_norm:
        return _from_gpt2(family, config)
    width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    layers = _small(config["num_hidden_layers"])
    head = _small(config.get("head_dim") or width // heads)
    ropes = config.get("rope_parameters") or {}
    whole = ropes.get("full_attention", ropes) or config.get("rope_scaling") or {}
    local = {"rope_theta": config.get("rope_local_base_freq", 10000.0)}
    turns = _scaled(head, {"rope_theta": config.get("rope_theta", 10000.0), **whole})
    slid = _scaled(head, ropes.get("sliding_attention", local)) if name == "gemma3_text" else turns
    window = int(config.get("sliding_window") or 0)
    if not gemma2 and not config.get("use_sliding_window"):
        window = 0
    kinds = config.get("layer_types")
    if kinds is None and window and not gemma2:
        raise Refused("config.json has a sliding window and does not say for which layers")
    return Shape(
        family=family, layers=layers, width=width, heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads), head=head,
        forward=int(config["intermediate_size"]), context=int(config["max_position_embeddings"]),
        epsilon=float(config["rms_norm_eps"]),
        scale=float(config["query_pre_attn_scalar"] if gemma2 else head) ** -0.5,
        turns=turns, window_turns=slid,
        windows=_listed(kinds, layers, window) if kinds else _windows(family, layers, window),
        attention_cap=float(config.get("attn_logit_softcapping") or 0),
        final_cap=float(config.get("final_logit_softcapping") or 0),
    )  # fmt: skip


def _check_listed(said: Settings, known: set[str]) -> None:
    """Raise Refused for a setting that could change the sums, for all that is known here."""
    for key, value in said.items():
        if value is not None and key not in known and not _NO_SUMS.fullmatch(key):
            raise Refused(f"the setting {key} in config.json is not known here")


def _from_gpt2(family: Family, config: Settings) -> Shape:
    width, heads, layers = (_small(config[key]) for key in ("n_embd", "n_head", "n_layer"))
    return Shape(
        family=family, layers=layers, width=width, heads=heads, kv_heads=heads, head=width // heads,
        forward=int(config.get("n_inner") or 4 * width), context=int(config["n_positions"]),
        epsilon=float(config["layer_norm_epsilon"]), scale=(width // heads) ** -0.5,
        turns=np.zeros(0), window_turns=np.zeros(0), windows=(0,) * layers,
    )  # fmt: skip


def _small(value: Any) -> int:
    """Return a number of layers or the size of a head, which lists and arrays are made of."""
    if not 0 < int(value) < _MOST:
        raise Refused(f"a size that makes no sense: {value}")
    return int(value)


def _known(name: object, families: Mapping[str, Family]) -> Family:
    if name not in families:
        raise Refused(f"the family {name} is not known here; known are {', '.join(FAMILIES)}")
    return families[str(name)]


def _windows(family: Family, layers: int, window: int) -> tuple[int, ...]:
    every = family.slides
    return tuple(window if every and (i + 1) % every else 0 for i in range(layers))


def _listed(kinds: list[str], layers: int, window: int) -> tuple[int, ...]:
    if len(kinds) != layers or set(kinds) - {"full_attention", "sliding_attention"}:
        raise Refused("layer_types in config.json are not known here")
    return tuple(window if kind == "sliding_attention" else 0 for kind in kinds)


def _turns(head: int, base: float) -> Frequencies:
    return float(base) ** (-np.arange(0, head, 2, dtype=np.float64) / max(head, 1))


def _scaled(head: int, rope: Settings) -> Frequencies:
    """Return frequencies as a hub's settings stretch them: not, all alike, or as Llama 3."""
    _check_listed(rope, _ROPE)
    turns = _turns(head, rope["rope_theta"])
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return turns
    if kind == "linear":
        return turns / float(rope["factor"])
    if kind != "llama3":
        raise Refused(f"rope scaling {kind} is not known here")
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    around = turns * float(rope["original_max_position_embeddings"]) / (2 * math.pi)
    kept = np.clip((around - low) / (high - low), 0, 1)
    return turns * (kept + (1 - kept) / float(rope["factor"]))


# Names of tensors

_LAYER = re.compile(r"(?:model\.layers|h)\.(\d+)\.(.+)")
_BUFFERS = re.compile(r".*(\.attn\.(masked_)?bias|\.rotary_emb\.inv_freq)")
"""What old files hold beside weights."""


def renamed(family: Family, name: str) -> str | None:
    """Return a GGUF file's name for a hub's tensor, None for what is no weight."""
    if _BUFFERS.fullmatch(name):
        return None
    part, _, kind = name.removeprefix("transformer.").rpartition(".")
    found = _LAYER.fullmatch(part)
    known = family.names.get(found[2] if found else part)
    if known is None or kind not in {"weight", "bias"}:
        raise Refused(f"the tensor {name} is not known here")
    return f"blk.{int(found[1])}.{known}.{kind}" if found else f"{known}.{kind}"
