"""What the reference engine is compared with: recorded answers, and llama.cpp."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import numpy.typing as npt

from makers import Weights, gguf_of, info, text, value
from otium.engine import (
    GREEDY,
    Completion,
    Endpoint,
    Identity,
    LlamaCpp,
    Message,
    Options,
    Token,
)
from otium.records import Digest, ModelId
from otium.reference import FORMS, Files, Model, Step, Tokenizer, read
from otium.reference.families import FAMILIES, renamed
from otium.reference.files import Reader

FIXTURES = Path(__file__).parent / "fixtures"
FAMILY = {name: name for name in ("llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "gpt2")}
FAMILY["llama3"] = "llama"
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Expected:
    """What transformers said (``scripts/make_reference_fixtures.py``)."""

    prompt: list[int]
    tokens: list[int]
    logits: list[list[float]]
    """Before the first token and each fourth after it."""
    logprobs: list[float]


def expected(name: str) -> Expected:
    """Return what transformers said for one random model."""
    return Expected(**json.loads((FIXTURES / name / "expected.json").read_text()))


class Llama:
    """A running llama.cpp, asked in tokens."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Ask at *endpoint*."""
        self.base = endpoint.base_url.removesuffix("/v1")
        self.headers = {"Authorization": f"Bearer {endpoint.api_key}"}

    def ask(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer to one request."""
        done = httpx.post(f"{self.base}{path}", json=body, headers=self.headers, timeout=120)
        done.raise_for_status()
        return done.json()

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text, as the start of a prompt."""
        body = {"content": text, "add_special": True, "parse_special": True}
        found: list[int] = self.ask("/tokenize", body)["tokens"]
        return found

    def greedy(self, prompt: Sequence[int], most: int) -> list[tuple[int, float]]:
        """Return the likeliest tokens after *prompt*, each with its log-probability."""
        body = {"prompt": list(prompt), "n_predict": most, "temperature": 0, "n_probs": 1,
                "cache_prompt": False, "ignore_eos": False}  # fmt: skip
        said = self.ask("/completion", body)["completion_probabilities"]
        return [(one["id"], one["logprob"]) for one in said]


@contextmanager
def llama(files: Path, context: int = 512) -> Iterator[Llama]:
    """Run llama.cpp on a model's files."""
    digest = Digest("sha256:" + "0" * 64)
    with LlamaCpp(context=context).run(files, model=ModelId("peer"), weights=digest) as endpoint:
        yield Llama(endpoint)


class Answering:
    """The reference engine as a model that can be certified. It knows SmolLM2's form of a chat."""

    def __init__(self, model: Model, tokenizer: Tokenizer) -> None:
        """Answer with *model*."""
        self.model, self.tokenizer = model, tokenizer
        self.identity = Identity(model=ModelId("smol"), weights=None, engine="reference/1")

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Return the greedy answer."""
        said = FORMS["smollm2"].render([(one.role, one.content) for one in messages])
        prompt, ends = self.tokenizer.encode(said), self.tokenizer.ends
        steps = list(self.model.generate(prompt, options.max_tokens, ends, options.top_logprobs))
        ended = bool(steps) and steps[-1].token in ends
        text = self.tokenizer.decode([step.token for step in steps], special=False)
        tokens = tuple(self._token(step) for step in steps)
        return Completion(text=text, finish="stop" if ended else "length", tokens=tokens)

    def _token(self, step: Step) -> Token:
        top: dict[str, float] = {}
        for token, logprob in step.top:
            top.setdefault(self._text(token), logprob)
        return Token(text=self._text(step.token), logprob=step.logprob, top=top)

    def _text(self, token: int) -> str:
        """Return a token's text as llama.cpp writes it: the special ones have none."""
        if token in {one.token for one in self.tokenizer.added if one.special}:
            return ""
        return self.tokenizer.bytes_of(token).decode(errors="backslashreplace")


def unquantised(path: Path, into: Path, dtype: npt.DTypeLike) -> Path:
    """Write a GGUF file's metadata again, with all matrices in float16 or float32."""
    reader, files = Reader(path), read(path)
    reader.at = 24
    for _ in files.gguf:
        reader.text()
        reader.value(reader.number("<I"))
    head = bytes(reader.data[24 : reader.at])
    infos, at = b"", 0
    for name, stored in files.tensors.items():
        size = stored.values().size
        wide = len(stored.shape) == 1 or np.dtype(dtype) == np.float32
        infos += info(name, stored.shape[::-1], 0 if wide else 1, at)
        at += size * (4 if wide else 2) + -(size * (4 if wide else 2)) % 32
    start = b"GGUF" + struct.pack("<IQQ", 3, len(files.tensors), len(files.gguf)) + head + infos
    with into.open("wb") as file:
        file.write(start + bytes(-len(start) % 32))
        for stored in files.tensors.values():
            values = stored.values().astype(np.float32 if len(stored.shape) == 1 else dtype)
            file.write(values.tobytes() + bytes(-values.nbytes % 32))
    return into


def converted(name: str, into: Path) -> Path:
    """Write one random model as llama.cpp's converter would, in float32."""
    files, family = read(FIXTURES / name), FAMILIES[FAMILY[name]]
    tensors = []
    for original, stored in files.tensors.items():
        known = renamed(family, original) or ""
        values = _moved(files, FAMILY[name], known, stored.values())
        tensors.append(Weights(known, values.tobytes(), values.shape[::-1]))
    if name == "llama3":
        tensors.append(_divisors(files.config))
    infos, data = [], b""
    for tensor in tensors:
        infos.append(info(tensor.name, tensor.shape, 0, len(data)))
        data += tensor.data + bytes(-len(tensor.data) % 32)
    pairs = [
        text(key) + _value(item) for key, item in _metadata(FAMILY[name], files.config).items()
    ]
    into.write_bytes(gguf_of(pairs, infos, data))
    return into


def _value(item: object) -> bytes:
    """Return a metadata value as GGUF writes it; numbers with a point have four bytes."""
    return struct.pack("<If", 6, item) if isinstance(item, float) else value(item)


def _moved(files: Files, family: str, name: str, values: Floats) -> Floats:
    """Return a tensor as GGUF files of its family hold it."""
    part = name.split(".")[-2]
    if family.startswith("gemma") and part.endswith("norm"):
        return values + np.float32(1)
    if family == "gpt2" and values.ndim == 2 and part.startswith(("attn", "ffn")):
        return np.ascontiguousarray(values.T)
    heads = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}.get(part)
    if family == "llama" and heads:
        halves = values.reshape(files.config[heads], 2, -1, *values.shape[1:])
        return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(values.shape)
    return values


def _divisors(config: Mapping[str, Any]) -> Weights:
    """Return Llama 3's stretching of each frequency, as llama.cpp's converter computes it."""
    rope, size = config["rope_parameters"], config["head_dim"]
    found = []
    for frequency in rope["rope_theta"] ** (-np.arange(0, size, 2) / size):
        length, original = 2 * np.pi / frequency, rope["original_max_position_embeddings"]
        if length < original / rope["high_freq_factor"]:
            found.append(1.0)
        elif length > original / rope["low_freq_factor"]:
            found.append(rope["factor"])
        else:
            span = rope["high_freq_factor"] - rope["low_freq_factor"]
            smooth = (original / length - rope["low_freq_factor"]) / span
            found.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return Weights("rope_freqs.weight", np.array(found, np.float32).tobytes(), (size // 2,))


_KEYS = {
    "block_count": ("num_hidden_layers", "n_layer"),
    "context_length": ("max_position_embeddings", "n_positions"),
    "embedding_length": ("hidden_size", "n_embd"),
    "attention.head_count": ("num_attention_heads", "n_head"),
    "attention.head_count_kv": ("num_key_value_heads", "n_head"),
    "attention.sliding_window": ("sliding_window",),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "final_logit_softcapping": ("final_logit_softcapping",),
}


def _metadata(family: str, config: Mapping[str, Any]) -> dict[str, object]:
    said: dict[str, object] = {"general.architecture": family}
    for key, names in _KEYS.items():
        values = [config[name] for name in names if config.get(name) is not None]
        if values and (key[-6:] != "window" or family in {"gemma2", "gemma3"}):
            said[f"{family}.{key}"] = values[0]
    said[f"{family}.feed_forward_length"] = config.get("intermediate_size") or 64
    if family == "gpt2":
        said[f"{family}.attention.layer_norm_epsilon"] = config["layer_norm_epsilon"]
    else:
        head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        said |= {
            f"{family}.attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
            f"{family}.attention.key_length": head,
            f"{family}.attention.value_length": head,
        }
        said |= _rope(family, config["rope_parameters"], head)
    return said | _vocabulary()


def _rope(family: str, rope: Mapping[str, Any], head: int) -> dict[str, object]:
    whole = rope.get("full_attention", rope)
    said: dict[str, object] = {f"{family}.rope.freq_base": float(whole["rope_theta"])}
    if family == "llama":
        said[f"{family}.rope.dimension_count"] = head
    if whole["rope_type"] == "linear":
        said[f"{family}.rope.scaling.type"] = "linear"
        said[f"{family}.rope.scaling.factor"] = float(whole["factor"])
    return said


def _vocabulary() -> dict[str, object]:
    # Whole characters all: llama.cpp tells the tokens of a character together, once it is whole.
    special = [f"<|{n}|>" for n in range(16)]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": ["Ċ", "t", *(f"t{n}" for n in range(254)), *special],
        "tokenizer.ggml.token_type": [1] * 256 + [3] * 16,
        "tokenizer.ggml.merges": ["t t"],
        "tokenizer.ggml.bos_token_id": 256,
        "tokenizer.ggml.eos_token_id": 257,
        "tokenizer.ggml.add_bos_token": False,
    }
