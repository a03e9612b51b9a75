"""Coded bytes that came to harm are refused or decode to other values: nothing worse."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import damage
from makers import PROJECT
from otium import entropy
from otium.entropy import Tables, decode_bytes, decode_integers, kernel_names, read_stream
from otium.errors import BadData

KERNELS = kernel_names()
ROUNDS, SLOW = 20_000, 16
"""Numpy decodes each SLOW-th."""


def test_harm_is_refused_or_gives_values_on_which_all_kernels_agree() -> None:
    made = damage.samples(1)
    short = [sample for sample in made if "33000" not in sample.name]
    chance, refused, changed = random.Random(2), 0, 0
    for number in range(ROUNDS):
        slow = number % SLOW == 0
        sample = chance.choice(short if slow else made)
        data = damage.harmed(sample, chance)
        found = damage.outcomes(sample, data, KERNELS if slow else KERNELS[1:] or KERNELS)
        assert len(found) == 1, (sample.name, data.hex())
        refused += None in found
        changed += None not in found
    assert refused > ROUNDS / 3
    assert changed > ROUNDS / 10


@pytest.mark.parametrize("number", range(len(damage.samples(0))))
def test_what_is_cut_short_anywhere_is_refused(number: int) -> None:
    sample = damage.samples(0)[number]
    size = len(sample.coded)
    for end in {*range(0, size, max(1, size // 150)), size - 1, size - 2}:
        for name in KERNELS[1:] or KERNELS:
            with entropy.forced(name), pytest.raises(BadData):
                sample.decode(sample.coded[:end])


def test_a_stream_of_another_length_than_asked_for_is_refused() -> None:
    data = entropy.encode_integers(np.arange(9, dtype=np.int32), np.zeros(9, np.uint8))
    with pytest.raises(BadData, match="9 integers, not 8"):
        decode_integers(data, np.zeros(8, np.uint8))


HEADS = {
    "too many integers": struct.pack("<IBBH", (1 << 26) + 1, 255, 2, 0),
    "too many lanes": struct.pack("<IBBH", 8, 255, 7, 0),
    "too many raw bits": struct.pack("<IBBH", 8, 26, 2, 0),
    "tables that are none": struct.pack("<IBBH", 8, 255, 2, 4) + b"\xff\xff\xff\xff",
    "nothing": b"",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_header_that_cannot_be_meant_is_refused(head: bytes) -> None:
    with pytest.raises(BadData):
        read_stream(head + bytes(100))
    with pytest.raises(BadData):
        decode_bytes(b"\x02" + head, 8)


@pytest.mark.parametrize("data", [b"", b"\0", b"\x01ab", b"\x03", b"\xff\xff"])
def test_bytes_in_no_form_are_refused(data: bytes) -> None:
    with pytest.raises(BadData):
        decode_bytes(data, 3)


def test_a_small_stream_cannot_ask_for_much_memory() -> None:
    tables = Tables.fit(np.eye(1, 256, dtype=np.uint32)).pack()
    bombs = [struct.pack("<IBBH", 1 << 26, 255, 6, len(tables)) + tables + bytes(500)]
    many = struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFE)
    bombs.append(struct.pack("<IBBH", 99, 255, 6, len(tables)) + tables + many + bytes(500))
    tracemalloc.start()
    for bomb in bombs:
        with pytest.raises(BadData):
            read_stream(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel, built so that it stops at each read or write outside a buffer."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("THE KERNEL IS NOT SANITIZED: gcc is missing; .ci/run installs it")
    library = tmp_path_factory.mktemp("sanitized") / "kernel.so"
    wanted = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -shared -fPIC"
    source = PROJECT / "src/otium/entropy/kernel.c"
    subprocess.run([gcc, *wanted.split(), "-o", library, source], check=True)
    return library


def run(library: Path, *, beyond: int) -> subprocess.CompletedProcess[str]:
    """Decode harmed samples in another process under the sanitizers."""
    found = [
        subprocess.run(
            ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    return subprocess.run(
        [sys.executable, damage.__file__, str(library), "9000", "7", str(beyond)],
        env={
            **os.environ,
            "LD_PRELOAD": " ".join(found),
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",  # else small buffers lie side by side in Python's arenas
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_no_kernel_leaves_its_buffers_whatever_it_reads(sanitized: Path) -> None:
    done = run(sanitized, beyond=0)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("refused"), done.stderr[-3000:]


def test_the_sanitizer_would_have_told(sanitized: Path) -> None:
    done = run(sanitized, beyond=1 << 16)
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
