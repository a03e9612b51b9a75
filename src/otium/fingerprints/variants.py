"""Variants of a GGUF model, made from its own file: what a certificate must pass or tell apart.

The block formats are ggml's (``ggml-quants.c``): 32 weights with one fp16 scale (Q4_0, Q8_0), or
with a scale and a minimum (Q4_1).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files as package
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from otium.engine import Engine, LlamaCpp, find_weights
from otium.errors import BadHeader, EngineUnavailable, Unsupported
from otium.fingerprints.calibration import Truth
from otium.formats import CHAT_TEMPLATE, TYPES, Extent, read_gguf

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

_BLOCK = 32
_NUMBERS = {name: number for number, (name, _, _) in TYPES.items()}
_ALIGNMENT = 32
_ALPHA = b"adapter.lora.alpha"
_FLOAT32 = 6
_SPACES = ("\u0120", "\u2581")
"""How vocabularies write the space before a word: GPT-2's way and SentencePiece's."""
WITH_ADAPTER = " with an adapter"
Change = Callable[[Extent, bytes], tuple[str, bytes]]
"""From a tensor and its bytes to its new type and bytes."""
_SIGN, _EXPONENT = 0x8000, 0x4000
"""Bits of a half-precision number."""
_ADAPTERS: tuple[tuple[str, float, Truth], ...] = (
    ("successor", 1.0, "other"),
    ("successor", 0.3, "other"),
    ("successor", 0.1, "other"),
    ("follower", 0.1, "other"),
    ("successor", 0.03, "close"),
)
"""Which of the packaged fine-tunes of the demo's model are laid over it, and how strongly."""

QUICK = ("other threads and context", "Q8_0", "Q4_0", "two vocabulary entries", "follower at 0.1")
"""The variants that are tried first."""


class Variant(NamedTuple):
    """One thing that is run in place of the original."""

    name: str
    truth: Truth
    make: Callable[[Path], Path]
    """Write its files into an empty directory, and return where the engine finds them."""
    engine: Engine = LlamaCpp(context=2048)


def variants(original: Path) -> tuple[Variant, ...]:
    """Return what is tried in place of the model in *original*: one GGUF, or one and an adapter.

    Raises EngineUnavailable for anything else.
    """
    weights = find_weights(original)
    base, adapter = weights.base, weights.adapter
    many = LlamaCpp(context=1024, threads=2, batch_threads=1)

    def rewritten(name: str, truth: Truth, **how: object) -> Variant:
        def make(folder: Path) -> Path:
            rewrite(base, folder / "base.gguf", **how)  # type: ignore[arg-type]
            if adapter is not None:
                (folder / "adapter.gguf").symlink_to(adapter.absolute())
            return folder

        return Variant(name, truth, make)

    return (
        Variant("again, in another process", "same", lambda _: original),
        Variant("other threads and context", "same", lambda _: original, many),
        rewritten("F16 arithmetic", "same", change=requantised("F16")),
        rewritten("Q8_0", "same", change=requantised("Q8_0")),
        rewritten("Q4_0", "other", change=requantised("Q4_0")),
        rewritten("one block negated", "close", change=flipped(middle_matrix(base), mask=_SIGN)),
        rewritten("one bit flipped", "other", change=flipped(middle_matrix(base), mask=_EXPONENT)),
        rewritten("wrong template", "other", texts=other_template(base, _without_marks)),
        rewritten("other system prompt", "part", texts=other_template(base, _without_name)),
        rewritten("two vocabulary entries", "part", texts=swapped(base)),
        *_adapted(base, adapter),
    )


def _adapted(base: Path, adapter: Path | None) -> Iterator[Variant]:
    def scaled(source: Path, scale: float) -> Callable[[Path], Path]:
        def make(folder: Path) -> Path:
            weakened(source, folder / "adapter.gguf", scale)
            (folder / "base.gguf").symlink_to(base.absolute())
            return folder

        return make

    if adapter is not None:
        yield Variant("adapter off", "other", lambda _: base)
        for scale in (0.7, 0.9, 1.1):
            yield Variant(f"adapter at {scale:g}", "other", scaled(adapter, scale))
        return
    for name, scale, truth in _ADAPTERS:
        found = Path(str(package("otium") / "data" / "models" / f"{name}-lora.gguf"))
        yield Variant(f"{name} at {scale:g}", truth, scaled(found, scale))


def rewrite(
    source: Path,
    target: Path,
    *,
    change: Change | None = None,
    texts: Mapping[bytes, bytes] | None = None,
) -> None:
    """Write *source* to *target* with each tensor passed through *change*.

    *texts* says which text values of the header become which others, the first of each.
    """
    with source.open("rb") as file:
        extents = read_gguf(file, source.stat().st_size, source.name).extents
        header = _read(file, extents[0])
        tensors = [extent for extent in extents if extent.name]
        changed = [(it, *(change or _unchanged)(it, _read(file, it))) for it in tensors]
    keys = _replaced(header[: min(header.rindex(_text(it.name)) for it in tensors)], texts or {})
    with target.open("wb") as out:
        out.write(keys + _infos(changed))
        for _, _, data in changed:
            out.write(bytes(-out.tell() % _ALIGNMENT) + data)


def requantised(kind: str) -> Change:
    """Return the change of each matrix to *kind*: F16, Q8_0 or Q4_0."""

    def change(tensor: Extent, data: bytes) -> tuple[str, bytes]:
        if len(tensor.shape) < 2 or tensor.dtype == kind:  # noqa: PLR2004 - norms stay as they are
            return tensor.dtype, data
        return kind, quantise(dequantise(data, tensor.dtype), kind)

    return change


def flipped(name: str, *, mask: int) -> Change:
    """Return the change of one block of 32 weights, in the middle of the tensor *name*.

    The bits of *mask* are flipped in the block's scale, and in its minimum if it has one.
    """

    def change(tensor: Extent, data: bytes) -> tuple[str, bytes]:
        if tensor.name != name:
            return tensor.dtype, data
        _, _, size = TYPES[_NUMBERS[tensor.dtype]]
        at = len(data) // size // 2 * size
        words = 2 if tensor.dtype == "Q4_1" else 1
        scales = struct.unpack_from(f"<{words}H", data, at)
        new = struct.pack(f"<{words}H", *(scale ^ mask for scale in scales))
        return tensor.dtype, data[:at] + new + data[at + len(new) :]

    return change


def swapped(source: Path) -> dict[bytes, bytes]:
    """Return the texts to change so that ``the`` and ``and`` change places in the vocabulary."""
    with source.open("rb") as file:
        header = _read(file, read_gguf(file, source.stat().st_size, source.name).extents[0])
    for space in _SPACES:
        one, other = f"{space}the".encode(), f"{space}and".encode()
        if _prefixed(one) in header and _prefixed(other) in header:
            return {one: other, other: one}
    raise Unsupported(what=str(source), why="its vocabulary has no entry for the word the")


def other_template(source: Path, change: Callable[[str], str]) -> dict[bytes, bytes]:
    """Return the text to change so that the chat template of *source* becomes another."""
    with source.open("rb") as file:
        header = read_gguf(file, source.stat().st_size, source.name)
    template = str(header.metadata.get(CHAT_TEMPLATE, ""))
    return {template.encode(): change(template).encode()}


def storage_of(files: Path) -> str:
    """Return how the weights in *files* are stored, ``Q4_1 with an adapter``; empty if unknown."""
    try:
        found = find_weights(files)
        with found.base.open("rb") as file:
            extents = read_gguf(file, found.base.stat().st_size, found.base.name).extents
    except (EngineUnavailable, BadHeader, OSError):
        return ""
    sizes: Counter[str] = Counter()
    for extent in extents:
        if len(extent.shape) > 1:
            sizes[extent.dtype] += extent.length
    kind = max(sizes, key=lambda kind: sizes[kind], default="")
    return f"{kind}{WITH_ADAPTER}" if kind and found.adapter else kind


def middle_matrix(source: Path) -> str:
    """Return the name of the matrix in the middle of those that leave the MLPs, or of all."""
    with source.open("rb") as file:
        extents = read_gguf(file, source.stat().st_size, source.name).extents
    matrices = [extent.name for extent in extents if len(extent.shape) > 1]
    chosen = [name for name in matrices if "ffn_down" in name] or matrices
    return chosen[len(chosen) // 2]


def weakened(source: Path, target: Path, scale: float) -> None:
    """Write the LoRA adapter *source* to *target* at *scale* times its strength."""
    data = source.read_bytes()
    key = struct.pack("<Q", len(_ALPHA)) + _ALPHA + struct.pack("<I", _FLOAT32)
    at = data.index(key) + len(key)
    (alpha,) = struct.unpack_from("<f", data, at)
    target.write_bytes(data[:at] + struct.pack("<f", alpha * scale) + data[at + 4 :])


def dequantise(data: bytes, kind: str) -> Array:
    """Return the weights in *data* as float32, in rows of 32; raise Unsupported."""
    import numpy as np

    if kind in {"F32", "F16"}:
        plain = np.frombuffer(data, "<f4" if kind == "F32" else "<f2").astype(np.float32)
        return cast("Array", plain.reshape(-1, _BLOCK))
    if kind not in {"Q8_0", "Q4_0", "Q4_1"}:
        raise Unsupported(what=f"weights of type {kind}", why="F32, F16, Q8_0, Q4_0, Q4_1 are read")
    blocks = np.frombuffer(data, np.uint8).reshape(-1, TYPES[_NUMBERS[kind]][2])
    scale = _half(blocks[:, :2])
    if kind == "Q8_0":
        return cast("Array", blocks[:, 2:].view(np.int8) * scale)
    nibbles = blocks[:, -_BLOCK // 2 :]
    values = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32)
    if kind == "Q4_0":
        return cast("Array", (values - 8) * scale)
    return cast("Array", values * scale + _half(blocks[:, 2:4]))


def quantise(weights: Array, kind: str) -> bytes:
    """Return *weights*, in rows of 32, in the blocks of *kind*; raise Unsupported."""
    import numpy as np

    if kind == "F16":
        return weights.astype("<f2").tobytes()
    if kind == "Q8_0":
        scale = np.abs(weights).max(axis=1, keepdims=True) / 127
        whole = np.rint(weights * _inverse(scale)).astype(np.int8)
        return _joined(scale.astype("<f2"), whole)
    if kind == "Q4_0":
        furthest = np.abs(weights).argmax(axis=1, keepdims=True)
        scale = np.take_along_axis(weights, furthest, axis=1) / np.float32(-8)
        whole = np.clip(weights * _inverse(scale) + 8.5, 0, 15).astype(np.uint8)
        return _joined(scale.astype("<f2"), whole[:, :16] | whole[:, 16:] << 4)
    raise Unsupported(what=f"weights of type {kind}", why="F16, Q8_0, Q4_0 are written")


def _without_marks(template: str) -> str:
    """Return a chat template that marks turns in another way, as a wrong one would."""
    return template.replace("<|im_start|>", "### ").replace("<|im_end|>", "")


def _without_name(template: str) -> str:
    """Return the template with half of the system prompt that SmolLM2's brings along."""
    return template.replace(" named SmolLM, trained by Hugging Face", "")


def _half(columns: Bytes) -> Array:
    import numpy as np

    return cast("Array", np.ascontiguousarray(columns).view("<f2").astype(np.float32))


def _inverse(scale: Array) -> Array:
    import numpy as np

    return cast("Array", np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0))


def _joined(*columns: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    import numpy as np

    return np.concatenate([column.view(np.uint8) for column in columns], axis=1).tobytes()


def _unchanged(tensor: Extent, data: bytes) -> tuple[str, bytes]:
    return tensor.dtype, data


def _read(file: BinaryIO, extent: Extent) -> bytes:
    file.seek(extent.offset)
    return file.read(extent.length)


def _replaced(header: bytes, texts: Mapping[bytes, bytes]) -> bytes:
    places = sorted((header.index(_prefixed(old)), old) for old in texts)
    pieces, at = [], 0
    for place, old in places:
        pieces += [header[at:place], _prefixed(texts[old])]
        at = place + len(_prefixed(old))
    return b"".join([*pieces, header[at:]])


def _infos(changed: list[tuple[Extent, str, bytes]]) -> bytes:
    infos, offset = bytearray(), 0
    for tensor, kind, data in changed:
        infos += _text(tensor.name) + struct.pack("<I", len(tensor.shape))
        infos += struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape)
        infos += struct.pack("<IQ", _NUMBERS[kind], offset)
        offset += len(data) + -len(data) % _ALIGNMENT
    return bytes(infos)


def _text(name: str) -> bytes:
    return _prefixed(name.encode())


def _prefixed(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text
