"""Make the golden archive of this version of the format: small models of every kind it codes.

    python scripts/make_golden.py OUTDIR

writes ``families.tar.xz``, an archive as one file, and ``families.json``, the SHA-256 of each
file that was deposited. A released version's golden archive is committed and never made again:
later programs must read what earlier ones wrote. The weights come from seeded generators; blocks
that a real quantiser made are taken from ``tests/codec/golden/quantised.npz``.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT / "tests"))

from codec import ggml  # noqa: E402 - the tests' helpers are not installed
from makers import Weights, gguf, safetensors  # noqa: E402
from otium.archive import Archive  # noqa: E402
from otium.codec.predict import DTYPES, narrow, permuted, widen  # noqa: E402
from otium.records import Instant, ModelId  # noqa: E402
from otium.store import LocalStore  # noqa: E402

NOW = Instant("2026-11-25T00:00:00Z")
Floats = npt.NDArray[np.float32]
Files = dict[str, bytes]
EMBED, QUERY, UP = (
    f"model.{name}.weight"
    for name in ("embed_tokens", "layers.0.self_attn.q_proj", "layers.0.mlp.up_proj")
)
DOWN = "model.layers.0.mlp.down_proj.weight"
HEADS, HIDDEN = 4, 128


def weights(seed: int, rows: int, columns: int = HIDDEN) -> Floats:
    """Return weights like a trained matrix: rows of several sizes."""
    rng = np.random.default_rng(seed)
    size = 0.03 * np.exp(0.4 * rng.standard_normal((rows, 1)))
    return (rng.standard_normal((rows, columns)) * size).astype(np.float32)


def tensor(name: str, values: Floats, dtype: str) -> Weights:
    """Return a tensor in a type of at least 16 bits."""
    bits = narrow(np.ascontiguousarray(values, np.float32).ravel(), DTYPES[dtype])
    return Weights(name, bits.tobytes(), values.shape, dtype)


def read(one: Weights) -> Floats:
    """Return what a tensor's floats are."""
    kind = DTYPES[str(one.dtype)]
    return widen(kind.view(one.data), kind).reshape(one.shape)


def special(dtype: str, seed: int) -> Weights:
    """Return a tensor of random bits: NaNs of every payload, both zeros, subnormals, infinities."""
    width = DTYPES[dtype].width
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 1 << 8 * width, 256, np.uint64)
    edge = [0, 1 << 8 * width - 1, 1, (1 << 8 * width) - 1]
    bits[:4] = edge
    return Weights(f"special.{dtype}.weight", bits.astype(f"<u{width}").tobytes(), (2, 128), dtype)


def base() -> list[Weights]:
    """Return the tensors of the first model, in F32."""
    return [
        tensor(EMBED, weights(1, 128), "F32"),
        tensor(QUERY, weights(2, 64), "F32"),
        tensor(UP, weights(3, 32), "F32"),
        tensor("model.norm.weight", 1 + weights(4, 1)[0], "F32"),
        Weights("model.scalar", struct.pack("<f", 0.5), (), "F32"),
        Weights("model.empty", b"", (0, 128), "F32"),
        *(special(dtype, 5) for dtype in ("F32", "BF16", "F16", "F8_E4M3", "F8_E5M2")),
    ]


def cast(model: list[Weights], dtype: str) -> list[Weights]:
    """Return the matrices of a model in another type."""
    return [tensor(one.name, read(one), dtype) for one in model if len(one.shape) == 2 and one.data
            and one.name.startswith("model.")]  # fmt: skip


def tuned(model: list[Weights], seed: int, ratio: float) -> list[Weights]:
    """Return a fine-tune; every fourth row stays."""
    rng = np.random.default_rng(seed)
    out = []
    for one in model:
        values = read(one)
        step = rng.normal(0, ratio * values.std(), values.shape).astype(np.float32)
        step[::4] = 0
        out.append(tensor(one.name, values + step, str(one.dtype)))
    return out


def retrained(model: list[Weights], seed: int) -> list[Weights]:
    """Return weights that have nearly forgotten what they were."""
    rng = np.random.default_rng(seed)
    return [
        tensor(one.name, 0.9 * read(one) + 0.3 * rng.permuted(read(one), axis=-1), str(one.dtype))
        for one in model
    ]


def fp8(seed: int, dtype: str, *, moved: bool = False) -> Weights:
    """Return a tensor of 8-bit floats, or one of which some have moved by a step."""
    rng = np.random.default_rng(seed)
    codes = rng.binomial(96, 0.4, (64, HIDDEN)) | rng.integers(0, 2, (64, HIDDEN)) << 7
    if moved:
        codes = codes + (rng.random(codes.shape) < 0.05)
    return Weights(DOWN, codes.astype(np.uint8).tobytes(), codes.shape, dtype)


def adapter(rank: int, scale: float) -> tuple[Files, Floats]:
    """Return a LoRA adapter of the query matrix as PEFT writes it, and its update."""
    down, up = weights(20, rank), weights(21, 64, rank)
    stem = "base_model.model." + QUERY.removesuffix(".weight")
    halves = [
        tensor(f"{stem}.lora_A.weight", down, "F32"),
        tensor(f"{stem}.lora_B.weight", up, "F32"),
    ]
    config = json.dumps({"r": rank, "lora_alpha": scale * rank}).encode()
    update = np.zeros((64, HIDDEN))
    for k in range(rank):
        update += up[:, k : k + 1].astype(np.float64) * scale * down[k]
    return {
        "adapter_model.safetensors": safetensors(halves),
        "adapter_config.json": config,
    }, update.astype(np.float32)


def merged(model: list[Weights], name: str, update: Floats) -> list[Weights]:
    """Return a model into one of whose tensors an update is merged."""
    return [
        tensor(name, read(one) + update, str(one.dtype)) if one.name == name else one
        for one in model
    ]


def q8_0(values: Floats) -> bytes:
    """Return rows quantised as llama.cpp's Q8_0."""
    blocks = values.reshape(-1, 32)
    d = np.abs(blocks).max(1) / np.float32(127)
    codes = np.rint(blocks / np.where(d == 0, 1, d)[:, None]).astype(np.int8)
    halves = d.astype(np.float16)
    return b"".join(h.tobytes() + c.tobytes() for h, c in zip(halves, codes, strict=True))


def quantised(model: list[Weights]) -> Files:
    """Return a GGUF file of a model in Q8_0, F16 and each kind that ggml has made blocks of."""
    values = {one.name: read(one) for one in model}
    query = permuted(values[QUERY].view(np.uint32), HEADS).view(np.float32)
    blocks = dict(np.load(ggml.GOLDEN))
    half = narrow(values[UP].ravel(), DTYPES["F16"]).tobytes()
    tensors = [
        Weights("token_embd.weight", q8_0(values[EMBED]), (HIDDEN, 128), 8),
        Weights("blk.0.attn_q.weight", q8_0(query), (HIDDEN, 64), 8),
        Weights("blk.0.ffn_up.weight", half, (HIDDEN, 32), 1),
        *(
            Weights(f"blk.{layer}.ffn_up.weight", blocks[name].tobytes(), (ggml.ROW, 4), number)
            for layer, (name, number) in enumerate(
                [(name + more, n) for name, n in ggml.NUMBERS.items() for more in ("", "_imatrix")],
                1,
            )
        ),
    ]
    metadata = {"general.architecture": "llama", "llama.attention.head_count": HEADS}
    return {"model.gguf": gguf(metadata, tensors)}


def ggml_parent() -> list[Weights]:
    """Return the weights of which the blocks were made, once for each kind."""
    bits = np.load(ggml.GOLDEN)["weights"].astype("<u2")
    return [
        Weights(f"model.layers.{layer}.mlp.up_proj.weight", bits.tobytes(), bits.shape, "BF16")
        for layer in range(1, 2 * len(ggml.NUMBERS) + 1)
    ]


def scaled(model: list[Weights]) -> Files:
    """Return int8 with a scale for each row, E4M3 with one for each block, E5M2 with one."""
    values = {one.name: read(one).astype(np.float64) for one in model}
    each = (np.abs(values[EMBED]).max(1, keepdims=True) / 127).astype(np.float32)
    codes = np.rint(values[EMBED] / each).astype(np.int8)
    blocks = np.abs(values[QUERY].reshape(2, 32, 4, 32)).max((1, 3)).astype(np.float32) / 448
    wide = np.repeat(np.repeat(blocks, 32, 0), 32, 1)
    one = np.float32(np.abs(values[UP]).max() / 57344)
    stem = [name.removesuffix(".weight") for name in (EMBED, QUERY, UP)]
    tensors = [
        Weights(EMBED, codes.tobytes(), codes.shape, "I8"),
        tensor(f"{stem[0]}.weight_scale", each, "F32"),
        Weights(QUERY, to_fp8(values[QUERY] / wide, 3), (64, HIDDEN), "F8_E4M3"),
        tensor(f"{stem[1]}.weight_scale_inv", blocks, "F32"),
        Weights(UP, to_fp8(values[UP] / one, 2), (32, HIDDEN), "F8_E5M2"),
        Weights(f"{stem[2]}.weight_scale", one.tobytes(), (1,), "F32"),
    ]
    return {"model.safetensors": safetensors(tensors)}


def to_fp8(values: npt.NDArray[np.float64], mantissa: int) -> bytes:
    """Return the nearest E4M3 or E5M2 codes, by trying all of them."""
    codes = np.arange(127 if mantissa == 3 else 124)
    bias = 7 if mantissa == 3 else 15
    exponent, rest = codes >> mantissa, codes & (1 << mantissa) - 1
    part = rest / (1 << mantissa) + (exponent > 0)
    known = part * 2.0 ** (np.maximum(exponent, 1) - bias)
    nearest = np.abs(np.abs(values).ravel()[:, None] - known).argmin(1)
    return (nearest | (np.signbit(values).ravel() << 7)).astype(np.uint8).tobytes()


def families() -> dict[str, tuple[Files, list[str]]]:
    """Return the files of each model, and the models it is deposited as a child of."""
    first = base()
    short = cast(first, "BF16")
    tall = [*short, tensor("lm_head.weight", weights(9, 256), "BF16")]
    chain = [tall]
    for generation, ratio in enumerate((0.002, 0.004, 0.01, 0.001)):
        chain.append(tuned(chain[-1], 30 + generation, ratio))
    lora, update = adapter(4, 0.5)
    found = np.outer(weights(22, 1, 256), weights(23, 1)).astype(np.float32) * 3
    rng = np.random.default_rng(40)
    text = "".join(f"{number} {number * number}\n" for number in range(1500)).encode()
    inert = {"pytorch_model.bin": b"PK" + rng.bytes(3000), "config.json": b'{"model_type":"tiny"}'}
    odd = [
        Weights("mask", bytes(512), (512,), "U8"),
        Weights("ids", rng.binomial(9, 0.2, 512).astype("<i4").tobytes(), (512,), "I32"),
        Weights("noise", rng.bytes(256), (256,), "U8"),
    ]

    def one(model: list[Weights]) -> Files:
        return {"model.safetensors": safetensors(model)}

    return {
        "base": ({**one([*first, *odd]), "vocab.txt": text, "LICENSE": b"", **inert}, []),
        "cast": ({**one(short), **inert}, ["base"]),
        "chat-0": (one(tall), ["cast"]),
        **{f"chat-{n}": (one(chain[n]), [f"chat-{n - 1}"]) for n in range(1, len(chain))},
        "retrained": (one(retrained(tall[:2], 50)), ["chat-0"]),
        "half": (one(cast(first, "F16")), ["base"]),
        "lora": (lora, []),
        "merged": (one(merged(tall, QUERY, update)), ["chat-0", "lora"]),
        "merged-alone": (one(merged(tall, "lm_head.weight", found)), ["chat-0"]),
        "blocks": (one(ggml_parent()), []),
        "gguf": (quantised([*tall]), ["chat-0", "blocks"]),
        "scaled": (scaled(tall), ["chat-0"]),
        "fp8": (one([fp8(60, "F8_E4M3")]), []),
        "fp8-tuned": (one([fp8(60, "F8_E4M3", moved=True)]), ["fp8"]),
        "fp8-e5m2": (one([fp8(61, "F8_E5M2")]), []),
    }


def main(out: Path) -> None:
    """Write the golden archive and what its models must be restored to."""
    out.mkdir(parents=True, exist_ok=True)
    expected: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "archive")
        archive = Archive.create(
            LocalStore(root), archive_id="golden", created=NOW, origin="example.org/golden", keys=()
        )
        for name, (files, parents) in families().items():
            for path, data in files.items():
                target = Path(place, name, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
            archive.add(
                ModelId(name),
                Path(place, name),
                deposited=NOW,
                parents=[ModelId(p) for p in parents],
            )
            expected[name] = {
                path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())
            }
        pack(root, out / "families.tar.xz")
    (out / "families.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


def pack(root: Path, target: Path) -> None:
    """Write a directory as a tar file that depends on nothing but names and bytes."""
    with tarfile.open(target, "w:xz", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                entry = tarfile.TarInfo(path.relative_to(root).as_posix())
                entry.size, entry.mode = path.stat().st_size, 0o644
                tar.addfile(entry, io.BytesIO(path.read_bytes()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
