"""Make what the reference engine's tests compare with: tests/reference/fixtures.

Needs what the project does not: `pip install torch==2.13.0 transformers==5.23.0 gguf`, in an
environment of its own. Models have random weights (seeded) and two to six small layers; what
transformers makes of them, and what its tokenizers make of hard texts, is written beside them.

    python scripts/make_reference_fixtures.py [SmolLM2-135M-Instruct.Q4_1.gguf]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as tf
from gguf import GGMLQuantizationType, GGUFReader, quants
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

FIXTURES = Path(__file__).parents[1] / "tests" / "reference" / "fixtures"
SIZES: dict[str, Any] = {
    "vocab_size": 272, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "max_position_embeddings": 64, "bos_token_id": 256, "eos_token_id": 257, "pad_token_id": 258,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
}  # fmt: skip
GEMMA3 = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
}
CONFIGS = {
    "llama": tf.LlamaConfig(**SIZES, tie_word_embeddings=True),
    "llama3": tf.LlamaConfig(
        **SIZES, rope_parameters=LLAMA3, attention_bias=True, mlp_bias=True
    ),
    "qwen2": tf.Qwen2Config(**SIZES | {"head_dim": 4}),
    "qwen3": tf.Qwen3Config(**SIZES, tie_word_embeddings=True),
    "gemma": tf.GemmaConfig(**SIZES),
    "gemma2": tf.Gemma2Config(
        **SIZES, sliding_window=4, query_pre_attn_scalar=8, attn_logit_softcapping=5.0,
        final_logit_softcapping=8.0,
    ),
    "gemma3": tf.Gemma3TextConfig(
        **SIZES | {"num_hidden_layers": 6}, sliding_window=4, query_pre_attn_scalar=8,
        rope_parameters=GEMMA3,
    ),
    "gpt2": tf.GPT2Config(
        vocab_size=272, n_embd=16, n_layer=3, n_head=4, n_positions=64, bos_token_id=256,
        eos_token_id=257,
    ),
}  # fmt: skip
PROMPT = [256, 10, 200, 33, 34, 35, 7, 7, 101, 64]
TOKENS = 12


def model(name: str, config: Any) -> None:
    """Write a random model that says several things clearly, and what transformers makes of it."""
    folder = FIXTURES / name
    for seed in range(1000):
        torch.manual_seed(seed)
        made = tf.AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for part, weight in made.named_parameters():
                one = 1.0 if weight.ndim == 1 and not name.startswith("gemma") else 0.0
                if name in {"gemma2", "gemma3"} and "layers" in part and "post" in part:
                    one = 2.0  # or the embedding outweighs all that layers add
                weight.copy_(torch.randn_like(weight) * (0.2 if weight.ndim == 1 else 0.5) + one)
        made.half().save_pretrained(folder)
        # The caps of Gemma 2 exist in eager attention only.
        read = tf.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        )
        tokens, logits = list(PROMPT), []
        with torch.no_grad():
            for _ in range(TOKENS):
                logits.append(read(torch.tensor([tokens])).logits[0, -1].double().numpy())
                tokens.append(int(logits[-1].argmax()))
        margin = min(np.diff(np.sort(row))[-1] for row in logits)
        if len(set(tokens[len(PROMPT) :])) >= 6 and margin > 0.02:
            break
    (folder / "generation_config.json").unlink(missing_ok=True)
    said = {
        "prompt": PROMPT,
        "tokens": tokens[len(PROMPT) :],
        "logits": [[round(float(x), 6) for x in row] for row in logits[::4]],
        "logprobs": [round(float(r.max() - np.logaddexp.reduce(r)), 6) for r in logits],
    }
    (folder / "expected.json").write_text(json.dumps(said))
    print(name, seed, said["tokens"], f"closest call {margin:.4f}")


TEXTS = [
    "", " ", "Hello, world!", "  two  spaces   and more\t\ttabs\n\n\nlines \r\n end ",
    "I'm sure they'll've said it's HERS, WE'RE not; 'tis 'S 'ſ don’t",
    "In 1984, 3.14159 + 1e10 = ½ Ⅷ ٣٤٥ 十二 x² 1234567",
    "naïve café — “quotes” … ﬁne ẞ",
    "e\u0301 a\u0308 Å \u212b \u1e9b\u0323",
    "日本語のテキスト、中文。한국어 ไทย हिन्दी العربية עברית",
    "👩‍👩‍👧‍👦 🇫🇷 🏳️‍🌈 ☃︎ 👍🏽",
    "\u00a0nbsp\u2003em\u3000wide\u200bzero\u2028line\x85next\x1cfs\x0b",
    "def f(x):\n    return {'a': [1, 2], \"b\": x**2}  # ok\n",
    "<s>not special</s> <|im_start|>user\nHi<|im_end|>\n",
    "▁already ▁▁ marked", "\x00\x01\x7f\ufffd\U0010ffff\U00020000", "a" * 40 + "!" * 20 + " " * 20,
    "<|end|> at the start, <|end|>in<|end|>side, and <|pad|>  at the end <|end|>",
]  # fmt: skip
CORPUS = [
    "the quick brown fox jumps over the lazy dog and then they'll say it's done " * 4,
    "In 2024 there were 1234 people; in 1999 there were 567. naïve café éclair — “so”",
    (
        "日本語のテキスト 中文 한국어 emoji 👍🏽 🇫🇷 def f(x): "
        "return x ** 2  # code\n\n    indented\n\tand tabs"
    ),
] * 3
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|end|>", "<|pad|>"]


def byte_level(splits: list[Any], normalizer: Any = None, **options: Any) -> Tokenizer:
    made = Tokenizer(models.BPE(**options))
    made.normalizer, made.pre_tokenizer = normalizer, pre_tokenizers.Sequence(splits)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=340, initial_alphabet=alphabet, special_tokens=SPECIAL, show_progress=False
        ),
    )
    return made


def sentencepiece(normalizer: Any, *, unigram: bool = False) -> Tokenizer:
    """Return a tokenizer as converted from SentencePiece's: Llama 2 and Gemma, T5 and others."""
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    special = ["<unk>", *SPECIAL, *fallback]
    made = Tokenizer(models.Unigram() if unigram else models.BPE(unk_token="<unk>"))
    made.normalizer = normalizer
    if unigram:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        trainer: Any = trainers.UnigramTrainer(
            vocab_size=440, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    else:
        trainer = trainers.BpeTrainer(vocab_size=440, special_tokens=special, show_progress=False)
    made.train_from_iterator(CORPUS, trainer)
    said = json.loads(made.to_str())
    said["model"]["byte_fallback"] = True
    if not unigram:
        said["model"]["fuse_unk"] = True
    said["added_tokens"] = [one for one in said["added_tokens"] if one["id"] < 3]
    return Tokenizer.from_str(json.dumps(said))


def tokenizers() -> None:
    """Write small trained tokenizers of each kind, and what the library makes of hard texts."""
    isolated = pre_tokenizers.Split(Regex(GPT4), "isolated")
    qwen = pre_tokenizers.Split(Regex(GPT4.replace("{1,3}", "")), "isolated")
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    replace = normalizers.Replace(" ", "▁")
    made = {
        "gpt2": byte_level([whole]),
        "prefixed": byte_level([pre_tokenizers.ByteLevel(add_prefix_space=True)]),
        "smollm": byte_level([pre_tokenizers.Digits(individual_digits=True), whole]),
        "llama3": byte_level([isolated, bytes_only], ignore_merges=True),
        "qwen2": byte_level([qwen, bytes_only], normalizers.NFC()),
        "llama2": sentencepiece(normalizers.Sequence([normalizers.Prepend("▁"), replace])),
        "gemma": sentencepiece(replace),
        "unigram": sentencepiece(normalizers.NFKC(), unigram=True),
    }
    made["llama3"].post_processor = processors.TemplateProcessing(
        single="<|end|> $A <|pad|>", special_tokens=[("<|end|>", 0), ("<|pad|>", 1)]
    )
    for name, one in made.items():
        said = json.loads(one.to_str())
        tokens = {text: one.encode(text).ids for text in TEXTS}
        (FIXTURES / f"tokenizer-{name}.json").write_text(
            json.dumps(
                {"tokenizer": said, "tokens": tokens}, ensure_ascii=False, separators=(",", ":")
            )
        )


def smollm2(path: Path) -> None:
    """Write what the tokenizers library makes of hard texts with SmolLM2's real vocabulary.

    Its hub's tokenizer.json cuts at digits, then as GPT-2 does; the one that transformers makes
    of the GGUF file does not cut at digits beyond 0-9 (llama.cpp does).
    """
    fields = GGUFReader(path).fields
    pieces = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    made = Tokenizer(models.BPE({text: n for n, text in enumerate(pieces)}, merges))
    made.add_special_tokens(pieces[:17])
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokens = {text: made.encode(text).ids for text in TEXTS}
    (FIXTURES / "smollm2.json").write_text(json.dumps(tokens, ensure_ascii=False, indent=0))


def blocks() -> None:
    """Write random blocks of each quantised kind, and the values that gguf reads in them."""
    rng, found = np.random.default_rng(7), {}
    scales = {"Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,), "IQ4_NL": (0,), "IQ4_XS": (0,)}
    for name in [
        "Q4_0",
        "Q4_1",
        "Q5_0",
        "Q5_1",
        "Q8_0",
        "Q2_K",
        "Q3_K",
        "Q4_K",
        "Q5_K",
        "Q6_K",
        "IQ4_NL",
        "IQ4_XS",
    ]:
        kind = GGMLQuantizationType[name]
        data = rng.integers(0, 256, (3, quants.GGML_QUANT_SIZES[kind][1])).astype(np.uint8)
        for at in scales.get(name, (0, 2) if name[-1] in "1K" else (0,)):
            data[:, at : at + 2] = rng.normal(0, 0.1, (3, 1)).astype("<f2").view(np.uint8)
        found |= {f"{name}.stored": data, f"{name}.values": quants.dequantize(data, kind)}
    np.savez_compressed(FIXTURES / "blocks.npz", **found)


if __name__ == "__main__":
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for known, settings in CONFIGS.items():
        model(known, settings)
    tokenizers()
    blocks()
    if len(sys.argv) > 1:
        smollm2(Path(sys.argv[1]))
