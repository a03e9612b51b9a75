"""The kernel on another processor: AArch64 with NEON, emulated."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

import otium.entropy
from otium.codec.delta import take_steps
from otium.codec.predict import DTYPES, Prediction
from otium.entropy import Tables, read_stream, write_symbols

HERE = Path(__file__).parent
COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel for AArch64, with a driver around it."""
    if not shutil.which(COMPILER) or not shutil.which(EMULATOR):
        pytest.skip(f"NO OTHER PROCESSOR: apt-get install gcc-aarch64-linux-gnu {EMULATOR}")
    made = tmp_path_factory.mktemp("elsewhere") / "kernel"
    kernel = Path(otium.entropy.__file__).parent
    flags = ["-O3", "-std=c11", "-ffp-contract=off", "-static", "-I", str(kernel)]
    subprocess.run([COMPILER, *flags, str(HERE / "elsewhere.c"), "-o", str(made)], check=True)
    return made


@pytest.mark.parametrize(
    ("name", "rows"), [("BF16", 300), ("F16", 40), ("F32", 40), ("F8_E4M3", 40)]
)
def test_neon_makes_and_reads_the_same_bytes(
    program: Path, tmp_path: Path, name: str, rows: int
) -> None:
    dtype, row = DTYPES[name], 2048
    random = np.random.default_rng(3)
    base = random.integers(0, 1 << (8 * dtype.width), rows * row, dtype=np.uint64)
    data = base + (random.laplace(0, 6, base.size) * (random.random(base.size) < 0.7)).astype(int)
    data[: 5 * row] = base[: 5 * row]
    before, after = base.astype(dtype.bits), data.astype(dtype.bits)
    steps = take_steps(after, before, Prediction(dtype), dtype, row)
    tables = Tables.fit(steps.counts)
    stream = write_symbols(tables, steps.symbols, steps.contexts, steps.values, 255)
    coded = read_stream(stream)
    origin = struct.unpack_from("<i", steps.head, 8)[0]
    codes = np.zeros((64, 256), np.uint32)
    codes[: len(tables.encoder())] = tables.encoder()
    head = (
        rows, row, dtype.width, origin + (1 << 31), dtype.mantissa, len(tables.frequencies),
        coded.count, coded.lanes, coded.data.size,
    )  # fmt: skip
    parts = (
        before, after, steps.classes, tables.decoder(), tables.lookup(), coded.offsets, coded.data,
        codes, steps.symbols, steps.contexts,
    )  # fmt: skip
    case = struct.pack("<9Q", *head) + b"".join(part.tobytes() for part in parts)
    (tmp_path / "case").write_bytes(case)
    subprocess.run([EMULATOR, program, tmp_path / "case", tmp_path / "answer"], check=True)
    answer = (tmp_path / "answer").read_bytes()
    assert answer[: after.nbytes] == after.tobytes()
    start, end = int(coded.offsets[0]), int(coded.offsets[2])
    assert answer[after.nbytes :] == coded.data[start:end].tobytes()
