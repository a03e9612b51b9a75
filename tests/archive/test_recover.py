"""recover.py: the files of an archive with nothing but Python's standard library."""

from __future__ import annotations

import ast
import hashlib
import json
import lzma
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.vectors import RECOVER, Vector, recover_module, recover_speed, recovered, vectors
from codec import ggml
from makers import NOW, SMOL, SUCCESSOR, folder, tree
from otium.archive import Archive, File
from otium.codec import decode
from otium.codec.delta import take_steps
from otium.codec.floats import take_tops
from otium.codec.predict import DTYPES, Bits, Dtype, Lora, Prediction
from otium.codec.quantised import encode_quantised
from otium.codec.scaled import Scaling, encode_scaled
from otium.objects import folder as place
from otium.records import ModelId
from otium.testing import MemoryStore

MODULE = recover_module()
INTEGERS, VECTORS = vectors()
FAILURES = (ArithmeticError, RuntimeError, struct.error, zlib.error, lzma.LZMAError)
"""What damaged pieces raise, beside the usual: recover.py goes on after any of them."""
MEMORY = 1200 << 20
"""Bytes of address space that an attack may take."""


@pytest.fixture
def disk(full: Archive, store: MemoryStore, tmp_path: Path) -> Path:
    del full
    return folder(tmp_path / "copy", store.objects)


def recover(disk: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the archive's own copy as a stranger would: isolated, without site packages."""

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    command = [sys.executable, "-I", "-S", str(disk / "recover.py"), *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=60,
        preexec_fn=bounded,
    )


@pytest.mark.parametrize("model", [SMOL, SUCCESSOR])
def test_it_restores_what_was_deposited(
    disk: Path, files: dict[ModelId, Path], full: Archive, tmp_path: Path, model: ModelId
) -> None:
    done = recover(disk, disk, model, tmp_path / "deep" / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "deep" / "out") == tree(files[model])
    for file in full.manifest(model).files:
        assert f"{file.sha256}  {file.path}" in done.stdout


def test_it_lists_models_with_and_without_weights(
    full: Archive, store: MemoryStore, tmp_path: Path
) -> None:
    full.put_record(ModelId("only-records"), "a.json", b"{}", now=NOW, message="")
    disk = folder(tmp_path / "copy", store.objects)
    done = recover(disk, disk, "--list")
    assert done.returncode == 0, done.stderr
    size = sum(file.size for file in full.manifest(SMOL).files)
    assert f"smol-1: 4 files, {size} bytes; 5 records; 0 damaged" in done.stdout
    assert "smol-2.1: 3 files" in done.stdout
    assert "only-records: 0 files, 0 bytes; 1 records; 0 damaged" in done.stdout


def test_it_leaves_the_archive_as_it_is(disk: Path, tmp_path: Path) -> None:
    before = tree(disk)
    recover(disk, disk, SMOL, tmp_path / "out")
    assert tree(disk) == before


def test_a_damaged_file_is_named_and_kept_apart_and_the_others_are_restored(
    disk: Path, files: dict[ModelId, Path], tmp_path: Path
) -> None:
    pack = next(path for path in disk.rglob("*.pack") if b"one\ntwo\n" in path.read_bytes())
    pack.write_bytes(pack.read_bytes().replace(b"two", b"too"))
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert done.returncode == 1
    assert f"nested/vocab.txt: pack {pack.stem} at byte" in done.stderr
    expected = tree(files[SMOL])
    lacks = bytes(len(expected.pop("nested/vocab.txt")))
    assert tree(tmp_path / "out") == {**expected, "nested/vocab.txt.partial": lacks}


@pytest.mark.parametrize("harm", ["lose", "cut", "spoil"])
@pytest.mark.parametrize("suffix", ["packs/*/*.pack", "recipes/*/*.json"])
def test_lost_and_spoiled_packs_and_recipes_are_named(
    disk: Path, tmp_path: Path, suffix: str, harm: str
) -> None:
    for path in disk.glob(suffix):
        if harm == "lose":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1] if harm == "cut" else b"{}")
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert done.returncode == 1
    assert "model.gguf:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "model.gguf").exists()


def test_a_damaged_record_is_named(disk: Path, tmp_path: Path) -> None:
    (disk / place(SMOL) / "v2/content/notice.json").write_bytes(b"other")
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert done.returncode == 1
    assert "record notice.json" in done.stderr
    assert (tmp_path / "out" / "model.gguf").exists()


@pytest.mark.parametrize("bad", [b"", b"{}", b"\xff", b"[]", b'{"head":"../v1"}'])
def test_an_older_inventory_serves_if_the_newest_is_lost(
    disk: Path, files: dict[ModelId, Path], tmp_path: Path, bad: bytes
) -> None:
    newest = max((disk / place(SMOL)).glob("v*"))
    for root in (disk / place(SMOL), newest):
        (root / "inventory.json").write_bytes(bad)
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "an older copy is tried" in done.stderr
    assert tree(tmp_path / "out") == tree(files[SMOL])


def test_without_any_inventory_the_object_is_named(disk: Path, tmp_path: Path) -> None:
    for path in (disk / place(SMOL)).rglob("inventory.json"):
        path.write_bytes(b"{}")
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert done.returncode == 1
    assert "1 damaged" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_sidecar_that_a_dead_writer_left_behind_is_no_obstacle(
    disk: Path, tmp_path: Path
) -> None:
    older = (disk / place(SMOL) / "v2/inventory.json.sha512").read_bytes()
    (disk / place(SMOL) / "inventory.json.sha512").write_bytes(older)
    done = recover(disk, disk, SMOL, tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_target_that_is_there_is_refused(disk: Path, tmp_path: Path) -> None:
    out = folder(tmp_path / "out", {"mine.txt": b"mine"})
    assert recover(disk, disk, SMOL, out).returncode == 1
    assert tree(out) == {"mine.txt": b"mine"}


def test_unknown_models_and_places_are_named_plainly(disk: Path, tmp_path: Path) -> None:
    for archive, model in ((disk, "nobody"), (tmp_path / "nowhere", SMOL)):
        done = recover(disk, archive, model, tmp_path / "out")
        assert done.returncode == 1
        assert "holds no model" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["ARCHIVE"], ["ARCHIVE", "MODEL"], ["a", "b", "c", "d"]])
def test_wrong_arguments_show_how_to_use_it(disk: Path, arguments: list[str]) -> None:
    done = recover(disk, *arguments)
    assert done.returncode == 2
    assert "recover.py ARCHIVE MODEL OUTDIR" in done.stderr


@pytest.mark.parametrize("path", ["../escaped", "/escaped", "a/../../escaped", "C:/x", "a\\b"])
def test_a_forged_manifest_cannot_write_outside(
    full: Archive, store: MemoryStore, tmp_path: Path, path: str
) -> None:
    file = msgspec.structs.replace(full.manifest(SMOL).files[0], path=path)
    disk = forged(full, store, tmp_path, file)
    done = recover(disk, disk, "forged", tmp_path / "deep" / "out")
    assert done.returncode == 1
    assert "is not safe" in done.stderr
    assert not (tmp_path / "deep").exists()
    assert not (tmp_path / "escaped").exists()


def forged(full: Archive, store: MemoryStore, tmp_path: Path, file: File) -> Path:
    """Return an archive with a model that consists of a forged file."""
    manifest = full.manifest(SMOL)
    other = msgspec.structs.replace(manifest, model=ModelId("forged"), files=(file,))
    full.put_record(other.model, "manifest.json", other.encode(), now=NOW, message="")
    return folder(tmp_path / "copy", store.objects)


PIECE: dict[str, Any] = {"pack": "", "offset": 0, "codec": "raw", "bases": []}
ZEROS = bytes(1 << 20)


def cycle(length: int) -> dict[str, Any]:
    bases = [{"bases": [(n + 1) % length]} for n in range(length)]
    return {"pieces": bases, "order": [0]}


FORGERIES: dict[str, Mapping[str, Any]] = {
    "a piece coded against itself": cycle(1),
    "a circle of pieces": cycle(3),
    "too long a chain": {"pieces": [{"bases": [n + 1]} for n in range(5)] + [{}], "order": [0]},
    "too many bases": {"pieces": [{"bases": [1] * 5}, {}], "order": [0]},
    "a base that is not there": {"pieces": [{"bases": [7]}], "order": [0]},
    "an order that is not there": {"pieces": [{}], "order": [7]},
    "an absurd size": {"pieces": [{"size": 1 << 50}], "order": [0]},
    "a negative size": {"pieces": [{"size": -5}], "order": [0]},
    "an offset that is no number": {"pieces": [{"offset": "5"}], "order": [0]},
    "more stored than decoded": {"pieces": [{"stored": 1 << 40}], "order": [0]},
    "a negative offset": {"pieces": [{"offset": -1}], "order": [0]},
    "an absurd offset": {"pieces": [{"offset": 1 << 80}], "order": [0]},
    "an unknown codec": {"pieces": [{"codec": "zstd"}], "order": [0]},
    "a pack outside": {"pieces": [{"pack": "../../../etc/passwd"}], "order": [0]},
    "a sum of sizes that is another": {"pieces": [{}], "order": [0, 0]},
    "no pieces": {"pieces": 3, "order": [0]},
    "an array": {"pieces": [[]], "order": [0]},
    "the largest piece of nothing": {"pieces": [{"size": 1 << 28, "codec": "bytes"}], "order": [0]},
}
STORED = {
    "a deflate bomb": ("deflate", zlib.compress(bytes(200 << 20), 9), 1 << 20),
    "an lzma bomb": ("lzma", lzma.compress(bytes(200 << 20), check=lzma.CHECK_NONE), 1 << 20),
    "a table bomb": (
        "bytes",
        b"\2" + struct.pack("<IBBH", 1 << 20, 0, 2, 1000) + zlib.compress(bytes(1 << 20), 9)[2:],
        1 << 20,
    ),
    "frequencies without end": (
        "bytes",
        b"\2" + struct.pack("<IBBH", 1 << 16, 0, 2, 12) + zlib.compress(b"\0\0\0\1\376\377")[2:-4],
        1 << 16,
    ),
    "four thousand million integers": (
        "bytes",
        b"\2" + struct.pack("<IBBH", (1 << 32) - 1, 0, 2, 0),
        1 << 20,
    ),
    "heads without end": (
        "delta",
        struct.pack("<BBHIi", 1, 0, 0, 1, 0) + struct.pack("<BBHI", 1, 1, 0, (1 << 32) - 1),
        1 << 20,
    ),
    "rows without end": (
        "float",
        struct.pack("<BBBBIiHH", 1, 5, 0, 0, (1 << 32) - 1, 0, 0, 0) + b"\0\0",
        1 << 20,
    ),
    "scales that are not there": (
        "scaled",
        struct.pack("<BBHIIII", 1, 3, 0, 8, 1 << 31, 1, 1) + struct.pack("<BBHI", 1, 1, 0, 0),
        1 << 20,
    ),
    "a row of nothing": (
        "quant",
        struct.pack("<BBHI", 8, 0, 0, 0) + struct.pack("<BBHI", 2, 1, 0, 0) + bytes(20),
        1 << 20,
    ),
}


def attacked(
    full: Archive, store: MemoryStore, tmp_path: Path, recipe: Mapping[str, Any]
) -> subprocess.CompletedProcess[str]:
    """Recover a file of a forged recipe."""
    name = store.add(
        "recipes", [json.dumps({"schema": "otium.recipe/1", **recipe}).encode()], ".json"
    )
    sizes = recipe["pieces"]
    size = sizes[0].get("size", 1) if isinstance(sizes, list) and isinstance(sizes[0], dict) else 1
    file = msgspec.structs.replace(
        full.manifest(SMOL).files[0], path="target", recipe=name, size=size
    )
    disk = forged(full, store, tmp_path, file)
    return recover(disk, disk, "forged", tmp_path / "out")


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_recipe_ends_with_a_message(
    full: Archive, store: MemoryStore, tmp_path: Path, what: str
) -> None:
    pack = store.add("packs", [b"\0\7"], ".pack")
    whole: Any = {**FORGERIES[what]}
    if isinstance(whole["pieces"], list):
        default = {**PIECE, "pack": pack, "size": 1, "stored": 1, "sha256": "0" * 64}
        whole["pieces"] = [
            {**default, **one} if isinstance(one, dict) else one for one in whole["pieces"]
        ]
    done = attacked(full, store, tmp_path, {"size": 1, "sha256": "0" * 64, **whole})
    assert done.returncode == 1
    assert "target:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "target").exists()


@pytest.mark.parametrize("what", STORED)
def test_a_forged_piece_ends_with_a_message(
    full: Archive, store: MemoryStore, tmp_path: Path, what: str
) -> None:
    codec, stored, size = STORED[what]
    pack = store.add("packs", [stored + ZEROS], ".pack")
    zeros = hashlib.sha256(ZEROS).hexdigest()
    common = {"pack": pack, "sha256": zeros}
    attack = {**common, "offset": 0, "stored": len(stored), "size": size, "codec": codec}
    base = {**common, "offset": len(stored), "stored": 1 << 20, "size": 1 << 20, "codec": "raw"}
    pieces = [
        {**attack, "bases": [1] if codec in {"delta", "quant"} else []},
        {**base, "bases": []},
    ]
    if codec == "scaled":
        pieces[0]["bases"] = [1, 1]
    recipe = {"size": size, "sha256": zeros, "pieces": pieces, "order": [0]}
    done = attacked(full, store, tmp_path, recipe)
    assert done.returncode == 1
    assert f"target: pack {pack} at byte 0" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.codec)
def test_cut_and_changed_pieces_never_pass_and_never_grow(vector: Vector) -> None:
    rng = np.random.default_rng(1)
    cut = [vector.stored[:end] for end in range(len(vector.stored))]
    changed = []
    for _ in range(200):
        one = bytearray(vector.stored)
        one[rng.integers(len(one))] ^= 1 << rng.integers(8)
        changed.append(bytes(one))
    for stored in (*cut, *changed):
        with suppress(ValueError, LookupError, TypeError, OverflowError, *FAILURES):
            data = recovered(MODULE, vector.codec, stored, list(vector.bases), len(vector.decoded))
            assert len(data) <= max(map(len, (vector.decoded, *vector.bases))) + 1


def both(codec: str, stored: bytes, size: int, bases: list[bytes]) -> Iterator[bytes]:
    """Yield what the library decodes, and what recover.py does."""
    yield bytes(decode(codec, stored, size, bases))
    yield recovered(MODULE, codec, stored, bases, size)


def random_bits(kind: Dtype, count: int, seed: int) -> Bits:
    """Return floats of any bits, and more of usual size."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 1 << 8 * kind.width, count, np.uint64)
    usual = (rng.standard_normal(count) * 0.05).astype(np.float32).view(np.uint32).astype(np.uint64)
    usual >>= np.uint64(32 - 8 * kind.width)
    return np.where(rng.random(count) < 0.1, bits, usual).astype(kind.bits)


KINDS = st.sampled_from(list(DTYPES.values()))
SHAPES = st.sampled_from([(256, 64), (4224, 11), (33000, 100), (36864, 96), (5000, 7)])


@settings(max_examples=40, deadline=None)
@given(
    kind=KINDS, shape=SHAPES, seed=st.integers(0, 1 << 30), step=st.sampled_from([0, 1, 30, 1e4])
)
def test_it_agrees_with_the_library_on_floats(
    kind: Dtype, shape: tuple[int, int], seed: int, step: float
) -> None:
    rng = np.random.default_rng(seed)
    base = random_bits(kind, shape[0], seed)
    moves = (rng.standard_normal(base.size) * step * (rng.random(base.size) < 0.5)).astype(np.int64)
    data = (base.astype(np.int64) + moves).astype(kind.bits)
    data[: data.size // 2] = base[: data.size // 2]
    how = Prediction(kind)
    pieces = [("delta", take_steps(data, base, how, kind, shape[1]), [base.tobytes()])]
    alone = take_tops(data, None, None, kind, shape[1])
    assert alone is not None
    assert list(both("float", alone.pack(), data.nbytes, [])) == [data.tobytes()] * 2
    tops = take_tops(data, base, how, kind, shape[1])
    stored = [(codec, parts.pack(), bases) for codec, parts, bases in pieces]
    if tops is not None:
        stored.append(("exponent", tops.pack(), [base.tobytes()]))
    for codec, form, bases in stored:
        assert list(both(codec, form, data.nbytes, bases)) == [data.tobytes()] * 2


WIDE = st.sampled_from([DTYPES[name] for name in ("F32", "BF16", "F16")])


@settings(max_examples=40, deadline=None)
@given(
    origin=WIDE, target=WIDE, heads=st.sampled_from([0, 1, 4]), rank=st.sampled_from([0, 1, 5]),
    seed=st.integers(0, 1 << 30),
)  # fmt: skip
def test_casts_of_nans_heads_and_adapters_agree_with_the_library(
    origin: Dtype, target: Dtype, heads: int, rank: int, seed: int
) -> None:
    rows, row = 64, 40
    base = random_bits(origin, rows * row, seed)
    bases, lora = [base.tobytes()], None
    if rank:
        lora = Lora(DTYPES["F32"], DTYPES["BF16"], rank, 3, 0.37)
        bases.append(random_bits(lora.down, rank * row, seed + 1).tobytes())
        bases.append(random_bits(lora.up, rank * (rows + 5), seed + 2).tobytes())
    how = Prediction(origin, heads, lora)
    with np.errstate(all="ignore"):
        predicted = how.predict(list(bases), target, row)
        moves = np.random.default_rng(seed).integers(-2, 3, predicted.size)
        data = (predicted.astype(np.int64) + moves).astype(target.bits)
        stored = take_steps(data, predicted, how, target, row).pack()
        assert list(both("delta", stored, data.nbytes, bases)) == [data.tobytes()] * 2


@pytest.mark.parametrize("origin", ["F32", "BF16", "F16"])
@pytest.mark.parametrize("target", ["F32", "BF16", "F16"])
@pytest.mark.parametrize("rank", [0, 1])
def test_nans_of_any_payload_are_converted_alike(origin: str, target: str, rank: int) -> None:
    kind, to = DTYPES[origin], DTYPES[target]
    rng = np.random.default_rng(1)
    any_bits = rng.integers(0, 1 << 8 * kind.width, 1 << 14, np.uint64)
    infinite = np.uint64(((1 << 8 * kind.width - 1 - kind.mantissa) - 1) << kind.mantissa)
    base = np.where(rng.random(any_bits.size) < 0.5, any_bits | infinite, any_bits).astype(
        kind.bits
    )
    bases, lora = [base.tobytes()], Lora(DTYPES["F32"], DTYPES["F32"], 1, 0, 2.0) if rank else None
    if rank:
        bases += [random_bits(DTYPES["F32"], 128, 2).tobytes(), bytes(4 * 128)]
    how = Prediction(kind, 0, lora)
    with np.errstate(all="ignore"):
        data = how.predict(list(bases), to, 128) ^ to.bits.type(1)
        stored = take_steps(data, data ^ to.bits.type(1), how, to, 128).pack()
        assert list(both("delta", stored, data.nbytes, bases)) == [data.tobytes()] * 2


@pytest.mark.parametrize("kind", ggml.NUMBERS)
def test_it_agrees_with_the_library_on_quantised_blocks(kind: str) -> None:
    golden: dict[str, npt.NDArray[Any]] = dict(np.load(ggml.GOLDEN))
    weights = golden["weights"].astype("<u2")
    odd = random_bits(DTYPES["BF16"], weights.size, 1)
    rng = np.random.default_rng(2)
    for name, parent in ((kind, weights), (f"{kind}_imatrix", weights), (kind, odd)):
        for blocks in (golden[name].tobytes(), rng.bytes(golden[name].size)):
            for heads in (0, 2):
                how, bases = Prediction(DTYPES["BF16"], heads), [parent.tobytes()]
                stored = encode_quantised(kind, blocks, list(bases), how, ggml.ROW)
                assert list(both("quant", stored, len(blocks), bases)) == [blocks] * 2


@pytest.mark.parametrize("code", ["I8", "F8_E4M3", "F8_E5M2"])
@pytest.mark.parametrize(
    ("tall", "wide", "count"), [(1, 1 << 31, 70), (1 << 31, 1 << 31, 1), (4, 16, 126)]
)
@pytest.mark.parametrize("scale", ["F32", "BF16", "F16"])
def test_it_agrees_with_the_library_on_scaled_codes(
    code: str, tall: int, wide: int, count: int, scale: str
) -> None:
    weights = random_bits(DTYPES["BF16"], 6400, 1)
    scales = random_bits(DTYPES[scale], count, 2)
    codes = np.random.default_rng(3).bytes(6400)
    bases = [weights.tobytes(), scales.tobytes()]
    scaling = Scaling(code, DTYPES[scale], 100, 3, tall, wide)
    stored = encode_scaled(codes, list(bases), Prediction(DTYPES["BF16"]), scaling)
    assert list(both("scaled", stored, len(codes), bases)) == [codes] * 2


def test_the_vectors_of_the_specification_are_read() -> None:
    for vector in VECTORS:
        found = both(vector.codec, vector.stored, len(vector.decoded), list(vector.bases))
        assert list(found) == [vector.decoded] * 2
    stored = MODULE.Stored(INTEGERS.stored, [], 0)
    assert list(stored.integers(INTEGERS.contexts)) == INTEGERS.integers


def test_it_is_fast_enough_to_be_of_use() -> None:
    assert recover_speed(1 << 19) > 1  # a loaded machine; `otium bench archive` says how fast


def test_it_is_short_and_speaks_python_3_8() -> None:
    source = RECOVER.read_text()
    assert len(source.splitlines()) <= 300
    assert max(map(len, source.splitlines())) <= 100
    tree = ast.parse(source, feature_version=(3, 8))
    newer = ("removeprefix", "removesuffix", "is_relative_to", "strict=", "match ")
    assert not [word for word in newer if word in source]
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert all(str(name).split(".")[0] in sys.stdlib_module_names for name in imported)
