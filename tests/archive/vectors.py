"""The test vectors of SPEC.md, and recover.py as a module to try them on."""

from __future__ import annotations

import importlib.util
import textwrap
import time
from types import ModuleType
from typing import NamedTuple

import numpy as np

from makers import PROJECT
from otium.codec import Base, encode

SPEC = PROJECT / "src/otium/data/archive-spec.md"
RECOVER = PROJECT / "src/otium/data/recover.py"


class Vector(NamedTuple):
    """A piece as it is stored, and what it decodes to."""

    codec: str
    bases: tuple[bytes, ...]
    stored: bytes
    decoded: bytes


class IntegerVector(NamedTuple):
    """A stream of coded integers."""

    contexts: bytes
    integers: list[int]
    stored: bytes


def vectors() -> tuple[IntegerVector, list[Vector]]:
    """Return the vectors that SPEC.md prints."""
    shown = SPEC.read_text().split("### Test vectors\n")[1].split("\n## ")[0]
    found = []
    for block in shown.split("\n\n    ")[1:]:
        fields: list[tuple[str, str]] = []
        for line in textwrap.dedent("    " + block).splitlines():
            key, text = line[:9].strip(), line[9:].strip()
            if key:
                fields.append((key, text))
            elif text:
                fields[-1] = (fields[-1][0], fields[-1][1] + text)
        found.append(fields)
    first, rest = dict(found[0]), [(dict(fields), fields) for fields in found[1:]]
    integers = IntegerVector(
        bytes.fromhex(first["contexts"]),
        [int(number) for number in first["integers"].split()],
        bytes.fromhex(first["stored"]),
    )
    return integers, [
        Vector(
            one["codec"],
            tuple(bytes.fromhex(text) for key, text in fields if key == "base"),
            bytes.fromhex(one["stored"]),
            bytes.fromhex(one["decoded"]),
        )
        for one, fields in rest
    ]


def recover_module() -> ModuleType:
    """Return recover.py as a module."""
    spec = importlib.util.spec_from_file_location("recover", RECOVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recovered(
    module: ModuleType, codec: str, stored: bytes, bases: list[bytes], size: int
) -> bytes:
    """Return what recover.py makes of a stored piece."""
    data: bytes = module.CODECS[codec](module.Stored(stored, bases, size))
    return data


def recover_speed(weights: int = 1 << 21, step: float = 2.0) -> float:
    """Return at how many MB a second recover.py decodes a BF16 fine-tune, in processor time."""
    rng = np.random.default_rng(1)
    base = (rng.standard_normal(weights) * 0.03).astype("<f4").view("<u4") >> 16
    tuned = base + (rng.standard_normal(weights) * step).astype(np.int64)
    old, new = base.astype("<u2").tobytes(), tuned.astype("<u2").tobytes()
    coded = encode(new, "BF16", 1024, [Base(old, "BF16")])
    assert coded.codec == "delta"
    module, start = recover_module(), time.process_time()
    assert recovered(module, coded.codec, bytes(coded.stored), [old], len(new)) == new
    return len(new) / 1e6 / (time.process_time() - start)
