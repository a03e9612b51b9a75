"""The real model, beside llama.cpp."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from makers import PROJECT
from otium.engine import HttpModel, LlamaCpp
from otium.fingerprints import Certificate, compare, fingerprint_prompts, take_fingerprint
from otium.records import Digest, Instant, ModelId
from otium.reference import FORMS, Model, Tokenizer, adapter_in, read, read_gguf
from reference.peers import Answering, Llama, llama, unquantised

PROMPTS = tomllib.loads((PROJECT / "src/otium/data/fingerprint.toml").read_text())["prompts"]
TEXTS = [
    FORMS["smollm2"].render([(one["role"], one["content"]) for one in prompt["messages"]])
    for prompt in PROMPTS
]
NOW, LATER = Instant("2026-11-26T00:00:00Z"), Instant("2046-11-26T00:00:00Z")


def compared(
    model: Model, tokenizer: Tokenizer, peer: Llama, texts: list[str], most: int
) -> tuple[int, int, list[float]]:
    """Return how many answers are equal, how many tokens, and how far log-probabilities differ.

    Beyond the first token that differs nothing is compared.
    """
    equal, tokens, differences = 0, 0, []
    for text in texts:
        prompt = tokenizer.encode(text)
        ours = [(s.token, s.logprob) for s in model.generate(prompt, most, tokenizer.ends)]
        theirs = peer.greedy(prompt, most)
        same = [a[0] == b[0] for a, b in zip(ours, theirs, strict=False)]
        until = same.index(False) + 1 if False in same else len(same)
        differences += [abs(a[1] - b[1]) for a, b in zip(ours[:until], theirs, strict=False)]
        equal += [token for token, _ in ours] == [token for token, _ in theirs]
        tokens += sum(same[:until])
    return equal, tokens, differences


def certified(before: Path, model: Model, tokenizer: Tokenizer, every: int) -> Certificate:
    """Take a fingerprint by llama.cpp, and hold the whole of it against the reference engine."""
    prompts = fingerprint_prompts()
    few = replace(prompts, prompts=prompts.prompts[::every])
    weights = Digest("sha256:" + "0" * 64)
    with LlamaCpp().run(before, model=ModelId("smol"), weights=weights) as endpoint:
        fingerprint = take_fingerprint(HttpModel(endpoint), few, now=NOW)
    return compare(fingerprint, Answering(model, tokenizer), now=LATER, scope="battery")


def test_the_quantised_file_is_certified_by_its_fingerprint(
    smol: Model, smol_tokenizer: Tokenizer, demo_weights: Path
) -> None:
    found = certified(demo_weights, smol, smol_tokenizer, every=6)
    assert (found.verdict, found.decision) == ("equivalent", "same")
    assert found.alpha == 0.01  # ten prompts are enough for it
    assert len(found.asked) == 10


def test_unquantised_weights_give_the_same_tokens(
    smol: Model, smol_tokenizer: Tokenizer, demo_weights: Path, tmp_path: Path
) -> None:
    # In float32 the matrices are the very numbers that the reference engine took from the blocks.
    path = unquantised(demo_weights, tmp_path / "f32.gguf", np.float32)
    with llama(path) as peer:
        equal, tokens, differences = compared(smol, smol_tokenizer, peer, TEXTS[:3], 16)
    path.unlink()
    assert equal == 3
    assert tokens >= 40
    assert max(differences) <= 0.02


def test_an_adapter_is_laid_over_as_llama_cpp_does(
    smol: Model, smol_tokenizer: Tokenizer, successor: Path
) -> None:
    adapter = adapter_in(successor)
    assert adapter is not None
    model = Model(read(successor), read_gguf(adapter))
    prompt = smol_tokenizer.encode(TEXTS[0])
    assert np.abs(model.read(prompt)[-1] - smol.read(prompt)[-1]).max() > 1
    found = certified(successor, model, smol_tokenizer, every=10)
    assert found.decision == "same"
    assert certified(successor, smol, smol_tokenizer, every=20).decision == "different"


def test_what_transformers_says_of_paris(smol: Model, smol_tokenizer: Tokenizer) -> None:
    # transformers 5 on the dequantised weights: -0.26 nats, measured for this project.
    (step,) = smol.generate(smol_tokenizer.encode("The capital of France is"), 1)
    assert smol_tokenizer.decode([step.token]) == " Paris"
    assert step.logprob == pytest.approx(-0.26, abs=0.01)
