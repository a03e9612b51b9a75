"""Each family's sums, on random models, beside what transformers and llama.cpp make of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otium.reference import Cache, Model, Refused, read
from reference.peers import FAMILY, FIXTURES, converted, expected, llama

NAMES = sorted(FAMILY)


@pytest.mark.parametrize("name", NAMES)
def test_tokens_and_logits_are_those_of_transformers(name: str) -> None:
    said = expected(name)
    model = Model(read(FIXTURES / name))
    steps = list(model.generate(said.prompt, len(said.tokens)))
    assert [step.token for step in steps] == said.tokens
    assert np.allclose([step.logprob for step in steps], said.logprobs, rtol=0, atol=1e-4)
    cache = Cache()
    logits = [model.read(said.prompt, cache)[-1]]
    logits += [model.read([token], cache)[-1] for token in said.tokens[:-1]]
    assert np.allclose(logits[::4], said.logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_weights_in_gguf_say_the_same(name: str, tmp_path: Path) -> None:
    said = expected(name)
    hub, other = Model(read(FIXTURES / name)), Model(read(converted(name, tmp_path / "m.gguf")))
    assert np.allclose(hub.read(said.prompt), other.read(said.prompt), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_llama_cpp_generates_the_same_tokens(name: str, tmp_path: Path) -> None:
    said = expected(name)
    with llama(converted(name, tmp_path / "m.gguf"), context=64) as peer:
        found = peer.greedy(said.prompt, len(said.tokens))
    assert [token for token, _ in found] == said.tokens
    # llama.cpp keeps keys and values in float16.
    assert np.allclose([logprob for _, logprob in found], said.logprobs, rtol=0, atol=0.02)


@pytest.mark.parametrize("name", ["gemma3", "llama3"])
def test_reading_at_once_or_one_by_one_gives_the_same(name: str) -> None:
    said, model = expected(name), Model(read(FIXTURES / name))
    tokens = [*said.prompt, *said.tokens]
    cache = Cache()
    one_by_one = np.concatenate([model.read([token], cache) for token in tokens])
    assert np.allclose(model.read(tokens), one_by_one, rtol=0, atol=5e-5)


def test_float64_is_closer_to_the_truth_than_float32() -> None:
    said, files = expected("llama"), read(FIXTURES / "llama")
    single, double = (Model(files, dtype=dtype) for dtype in (np.float32, np.float64))
    difference = np.abs(single.read(said.prompt) - double.read(said.prompt)).max()
    assert double.read(said.prompt).dtype == np.float64
    assert 0 < difference < 1e-4


def rewritten(tmp_path: Path, name: str, **changes: Any) -> Path:
    """Return a random model with other settings; None takes one away."""
    shutil.copytree(FIXTURES / name, tmp_path / name)
    path = tmp_path / name / "config.json"
    said = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in said.items() if value is not None}))
    return tmp_path / name


def test_the_settings_of_older_hubs_say_the_same(tmp_path: Path) -> None:
    older: dict[str, dict[str, Any]] = {
        "llama3": {
            "rope_parameters": None,
            "rope_theta": 500.0,
            "rope_scaling": {
                "type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 16,
            },
        },
        "gemma3": {
            "rope_parameters": None,
            "layer_types": None,
            "rope_theta": 1000000.0,
            "rope_local_base_freq": 10000.0,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        },
        "gemma2": {"layer_types": None, "rope_parameters": None, "rope_theta": 10000.0},
    }
    for name, changes in older.items():
        said, model = expected(name), Model(read(rewritten(tmp_path, name, **changes)))
        assert [s.token for s in model.generate(said.prompt, 12)] == said.tokens, name


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "mamba"}, "mamba"),
        ({"hidden_act": "relu"}, "relu"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"logit_scale": 0.5}, "logit_scale"),
        ({"attention_multiplier": 0.5}, "attention_multiplier"),
        ({"embedding_multiplier": 12.0}, "embedding_multiplier"),
        ({"clip_qkv": 8.0}, "clip_qkv"),
        ({"alibi": True}, "alibi"),
        ({"auto_map": {"AutoModel": "own.Model"}}, "auto_map"),
        ({"rope_interleaved": True}, "rope_interleaved"),
        ({"sliding_window_pattern": 3}, "sliding_window_pattern"),
        ({"rope_parameters": {"rope_theta": 1.0, "mrope_section": [1]}}, "mrope_section"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0, "factor": 2.0}}, "yarn"),
        ({"rms_norm_eps": None}, "rms_norm_eps"),
        ({"num_hidden_layers": 2}, r"blk\.2"),
        ({"num_hidden_layers": 4}, r"blk\.3.* missing"),
        ({"num_key_value_heads": 3}, "no sense"),
        ({"intermediate_size": 25}, "shape"),
        ({"num_hidden_layers": 10**12}, "no sense"),
        ({"head_dim": 10**12}, "no sense"),
        ({"head_dim": 7}, "no sense"),
        ({"num_attention_heads": 0}, "no sense"),
        ({"sliding_window": 4, "use_sliding_window": True}, "which layers"),
    ],
)
def test_a_setting_that_is_not_known_is_refused(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        Model(read(rewritten(tmp_path, "llama", **changes)))


@pytest.mark.parametrize(
    "more",
    [
        # What config.json of SmolLM2, Qwen 2.5, Gemma 3 and GPT-2 hold beside what is used.
        {
            "is_llama_config": True,
            "mlp_bias": False,
            "pretraining_tp": 1,
            "torch_dtype": "bfloat16",
        },
        {"rope_interleaved": False, "transformers.js_config": {"dtype": "q4"}, "clip_qkv": None},
        {"max_window_layers": 21, "sliding_window": 4, "use_sliding_window": False},
        {"cache_implementation": "hybrid", "sep_token_id": 3, "hidden_dropout": 0.1},
        {"n_ctx": 64, "embd_pdrop": 0.1, "summary_type": "cls_index", "task_specific_params": {}},
    ],
)
def test_settings_that_change_nothing_are_read_over(tmp_path: Path, more: dict[str, Any]) -> None:
    said, model = expected("llama"), Model(read(rewritten(tmp_path, "llama", **more)))
    assert [step.token for step in model.generate(said.prompt, 4)] == said.tokens[:4]


def test_of_a_long_prompt_only_the_last_logits_are_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of all its tokens would be gigabytes in a model with a large vocabulary."""
    monkeypatch.setattr("otium.reference.model._AT_ONCE", 8)
    said, model = expected("qwen3"), Model(read(FIXTURES / "qwen3"))
    rows, plain = [], model._logits

    def counted(x: Any) -> Any:
        rows.append(len(x))
        return plain(x)

    monkeypatch.setattr(model, "_logits", counted)
    prompt = (said.prompt * 9)[:20]
    found = [step.token for step in model.generate(prompt, 3)]
    assert rows == [1, 1, 1]
    monkeypatch.undo()
    assert found[0] == int(model.read(prompt)[-1].argmax())


def test_generation_stops_at_an_end_and_at_the_context() -> None:
    said, model = expected("llama"), Model(read(FIXTURES / "llama"))
    ends = [said.tokens[3]]
    assert [s.token for s in model.generate(said.prompt, 12, ends)] == said.tokens[:4]
    assert len(list(model.generate([1] * 60, 100))) == 5
    with pytest.raises(Refused, match="64"):
        list(model.generate([1] * 65, 1)) or model.read([1] * 65)
    with pytest.raises(Refused, match="vocabulary"):
        model.read([272])


def test_alternatives_are_in_order_and_sum_to_one() -> None:
    model = Model(read(FIXTURES / "qwen2"))
    (step,) = model.generate([1, 2, 3], 1, alternatives=272)
    logprobs = [logprob for _, logprob in step.top]
    assert (step.token, step.logprob) == step.top[0]
    assert logprobs == sorted(logprobs, reverse=True)
    assert abs(np.exp(logprobs).sum() - 1) < 1e-9
