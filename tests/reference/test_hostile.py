"""Files that nobody vouches for end in one clear error."""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from makers import Weights, floats, gguf, gguf_of, info, safetensors, safetensors_of, text
from otium.reference import Model, Refused, adapter_in, read, tokenizer_of
from otium.reference.__main__ import main
from reference.peers import FIXTURES, converted, expected

HUGE = struct.pack("<Q", 1 << 62)
DEEP = b'{"a":' * 100_000


def pair(kind: int, value: bytes) -> list[bytes]:
    """Return one metadata entry, sound or not."""
    return [text("key") + struct.pack("<I", kind) + value]


GGUFS = {
    "empty": b"",
    "other magic": b"GGML" + bytes(20),
    "other version": b"GGUF" + struct.pack("<IQQ", 9, 0, 0),
    "huge counts": b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1 << 60),
    "huge key": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + HUGE,
    "huge text": gguf_of(pair(8, HUGE), []),
    "huge array of numbers": gguf_of(pair(9, struct.pack("<I", 4) + HUGE), []),
    "huge array of texts": gguf_of(pair(9, struct.pack("<I", 8) + HUGE), []),
    "array of arrays": gguf_of(pair(9, struct.pack("<IQ", 9, 1) + bytes(64)), []),
    "unknown type of value": gguf_of(pair(99, bytes(8)), []),
    "an array for a count": gguf({"split.count": ["a"]}, []),
    "alignment of nothing": gguf({"general.alignment": 0}, []),
    "one part of several": gguf({"split.count": 3}, []),
    "many dimensions": gguf_of([], [info("a", [1] * 9, 0, 0)], bytes(64)),
    "no weights": gguf_of([], [info("a", [0, 4], 0, 0)], bytes(64)),
    "unknown ggml type": gguf_of([], [info("a", [4], 99, 0)], bytes(64)),
    "half a block": gguf_of([], [info("a", [33], 2, 0)], bytes(64)),
    "a huge tensor": gguf_of([], [info("a", [1 << 40, 1 << 40], 0, 0)], bytes(64)),
    "a tensor behind the end": gguf_of([], [info("a", [4], 0, 1 << 50)], bytes(64)),
    "the same name twice": gguf_of([], [info("a", [4], 0, 0)] * 2, bytes(64)),
}
ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
SAFETENSORS = {
    "empty": b"",
    "huge header": HUGE + bytes(8),
    "header longer than the file": struct.pack("<Q", 99) + b"{}",
    "no JSON": safetensors_of(b"{"),
    "no UTF-8": safetensors_of(b"\xff\xff"),
    "deep JSON": safetensors_of(DEEP),
    "a list": safetensors_of(b"[]"),
    "no offsets": safetensors_of(json.dumps({"a": {}}).encode()),
    "a number for a tensor": safetensors_of(b'{"a": 7}'),
    "texts for offsets": safetensors_of(json.dumps({"a": ONE | {"data_offsets": "ab"}}).encode()),
    "negative": safetensors_of(json.dumps({"a": ONE | {"shape": [-2]}}).encode(), bytes(8)),
    "overlapping": safetensors_of(
        json.dumps({"a": ONE, "b": ONE | {"data_offsets": [4, 12]}}).encode(), bytes(12)
    ),
    "outside": safetensors_of(
        json.dumps({"a": ONE | {"data_offsets": [8, 16]}}).encode(), bytes(8)
    ),
    "many dimensions": safetensors_of(
        json.dumps({"a": ONE | {"shape": [1] * 70 + [2]}}).encode(), bytes(8)
    ),
    "a huge shape": safetensors_of(
        json.dumps({"a": ONE | {"shape": [1 << 60]}}).encode(), bytes(8)
    ),
}


@pytest.mark.parametrize("name", GGUFS)
def test_a_gguf_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(GGUFS[name])
    with pytest.raises(Refused):
        read(tmp_path)


@pytest.mark.parametrize("name", SAFETENSORS)
def test_a_safetensors_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(SAFETENSORS[name])
    with pytest.raises(Refused):
        read(tmp_path)


def refusing(run: Callable[[], object]) -> bool:
    """Return whether something is refused; any other error is a fault."""
    try:
        run()
    except Refused:
        return True
    return False


def whole(path: Path) -> None:
    """Do all that can be done with a model's files."""
    files = read(path)
    tokenizer_of(files).encode("Hello, world")
    list(Model(files).generate([1, 2], 2))


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    sound = converted("llama", tmp_path / "sound.gguf").read_bytes()
    cut = tmp_path / "cut" / "model.gguf"
    cut.parent.mkdir()
    for length in [*range(0, 200, 7), *range(200, len(sound) - 64, 1999)]:
        cut.write_bytes(sound[:length])
        assert refusing(lambda: whole(cut.parent)), length


@pytest.mark.parametrize("name", ["gguf", "hub"])
def test_files_with_wrong_bytes_are_refused_or_run(name: str, tmp_path: Path) -> None:
    chance, refused = random.Random(7), 0
    if name == "gguf":
        sound = {"model.gguf": converted("gemma2", tmp_path / "m").read_bytes()}
        span = 8000
    else:
        said = json.loads((FIXTURES / "tokenizer-llama3.json").read_text())["tokenizer"]
        names = ("model.safetensors", "config.json")
        sound = {one: (FIXTURES / "qwen3" / one).read_bytes() for one in names}
        sound["tokenizer.json"] = json.dumps(said).encode()
        span = 2000
    for _ in range(60):
        for path, data in sound.items():
            wrong = bytearray(data)
            for _ in range(chance.randrange(3)):
                wrong[chance.randrange(min(span, len(wrong)))] = chance.randrange(256)
            (tmp_path / "try").mkdir(exist_ok=True)
            (tmp_path / "try" / path).write_bytes(wrong)
        refused += refusing(lambda: whole(tmp_path / "try"))
    assert refused > 10


SPLIT = {"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Isolated"}
ADDED = {"id": 1, "content": "x", "special": True}
JSON_TYPES: dict[str, dict[str, Any]] = {
    "a number to prepend": {"normalizer": {"type": "Prepend", "prepend": 5}},
    "a number to replace by": {
        "normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": 5}
    },
    "a number to look for": {
        "normalizer": {"type": "Replace", "pattern": {"String": 5}, "content": ""}
    },
    "a list of normalizers that is none": {"normalizer": {"type": "Sequence", "normalizers": 5}},
    "a number to cut at": {"pre_tokenizer": SPLIT | {"pattern": {"String": 5}}},
    "a number for a space": {"pre_tokenizer": {"type": "Metaspace", "replacement": 5}},
    "a number for an added text": {"added_tokens": [ADDED | {"content": 5}]},
    "a text for an added token": {"added_tokens": [ADDED | {"id": "1"}]},
    "a negative token": {"added_tokens": [ADDED | {"id": -1}]},
    "texts for tokens": {"model": {"type": "BPE", "vocab": {"a": "b"}, "merges": []}},
    "a list for a vocabulary": {"model": {"type": "BPE", "vocab": ["a"], "merges": []}},
    "a number for a merge": {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [5]}},
    "a text for a score": {"model": {"type": "Unigram", "vocab": [["a", "b"]]}},
    "a number for a piece": {"model": {"type": "Unigram", "vocab": [[5, 0.5]]}},
    "a text for the unknown": {"model": {"type": "Unigram", "vocab": [["a", 0]], "unk_id": "a"}},
    "texts for tokens around": {
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "a"}}],
            "special_tokens": {"a": {"ids": ["a"]}},
        }
    },
}


@pytest.mark.parametrize("name", JSON_TYPES)
def test_json_of_another_type_in_a_tokenizer_is_refused(name: str, tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "llama3", tmp_path / "model")
    said = json.loads((FIXTURES / "tokenizer-llama3.json").read_text())["tokenizer"]
    path = tmp_path / "model" / "tokenizer.json"
    path.write_text(json.dumps(said))
    assert tokenizer_of(read(path.parent)).encode("a b")
    path.write_text(json.dumps(said | JSON_TYPES[name]))
    with pytest.raises(Refused):
        tokenizer_of(read(path.parent)).encode("a b")


def test_a_score_that_is_a_text_is_refused(tmp_path: Path) -> None:
    said = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["a", "b"],
        "tokenizer.ggml.scores": ["a", "b"],
    }
    (tmp_path / "m.gguf").write_bytes(gguf(said, []))
    with pytest.raises(Refused, match="scores"):
        tokenizer_of(read(tmp_path))


def test_what_no_check_foresaw_ends_in_an_error_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    converted("llama", tmp_path / "m.gguf")

    def failing(_: object) -> None:
        raise TypeError("a list where a number belongs")

    monkeypatch.setattr("otium.reference.__main__.tokenizer_of", failing)
    assert main([str(tmp_path), "Hello"]) == 1
    assert "make no sense: TypeError a list" in capsys.readouterr().err


def test_weights_that_overflow_are_refused(tmp_path: Path) -> None:
    made = converted("llama", tmp_path / "m.gguf").read_bytes()
    (tmp_path / "m.gguf").write_bytes(made[:-4000] + struct.pack("<f", 3e38) * 1000)
    with pytest.raises(Refused, match=r"overflow|finite"):
        Model(read(tmp_path)).read(expected("llama").prompt)


def test_folders_with_no_model_or_two_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="0 GGUF"):
        read(tmp_path)
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(gguf({}, []))
    with pytest.raises(Refused, match="2 GGUF"):
        read(tmp_path)


def test_adapters_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    converted("llama", tmp_path / "model.gguf")
    lora = {"general.type": "adapter", "adapter.type": "lora"}
    cases = {
        "no LoRA": gguf(lora | {"adapter.type": "other"}, []),
        "no number": gguf(lora | {"adapter.lora.alpha": "16"}, []),
        "does not fit": gguf(
            lora,
            [
                Weights("blk.0.attn_q.weight.lora_a", bytes(40), (5, 2)),
                Weights("blk.0.attn_q.weight.lora_b", bytes(256), (2, 32)),
            ],
        ),
        "nothing that is known": gguf(lora, [floats("blk.0.odd.weight.lora_a", 0, 4)]),
    }
    for data in cases.values():
        (tmp_path / "adapter.gguf").write_bytes(data)
        with pytest.raises(Refused, match="adapter"):
            Model(read(tmp_path), read(adapter_in(tmp_path) or tmp_path))
    (tmp_path / "second.gguf").write_bytes(gguf(lora, []))
    with pytest.raises(Refused, match="2 adapters"):
        adapter_in(tmp_path)


def test_shards_that_lack_a_tensor_or_have_it_twice_are_refused(tmp_path: Path) -> None:
    one = safetensors([floats("model.norm.weight", 0, 4)])
    for name in ("a", "b"):
        (tmp_path / f"{name}.safetensors").write_bytes(one)
    with pytest.raises(Refused, match="twice"):
        read(tmp_path)
    (tmp_path / "b.safetensors").unlink()
    index = {"weight_map": {"lm_head.weight": "b.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(Refused, match="in no file"):
        read(tmp_path)


def test_json_beside_the_weights_is_refused_when_it_is_none(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(safetensors([]))
    for data in (b"\xff", b"[]", DEEP):
        (tmp_path / "config.json").write_bytes(data)
        with pytest.raises(Refused, match=r"config\.json"):
            read(tmp_path)
