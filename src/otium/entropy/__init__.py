"""Entropy: sequences of integers in nearly as few bits as they can have.

Knows symbols, contexts, tables, and the loops that code them, in C and in numpy alike.
Does not know what the integers mean. Writes streams (`SPEC.md`, "Coded integers").

>>> import numpy as np
>>> values = np.array([0, -3, 70_000, 0] * 100, np.int32)
>>> contexts = np.zeros(400, np.uint8)
>>> decode_integers(encode_integers(values, contexts), contexts)[0].tolist() == values.tolist()
True
"""

from otium.entropy.integers import (
    BUCKETS,
    WIDEST_SPLIT,
    Coded,
    count_symbols,
    decode_bytes,
    decode_coded,
    decode_integers,
    encode_bytes,
    encode_integers,
    encode_symbols,
    raw_bits,
    read_stream,
    write_symbols,
)
from otium.entropy.kernel import Kernel, forced, kernel, kernel_names
from otium.entropy.portable import bucket_symbols
from otium.entropy.tables import Tables

__all__ = [
    "BUCKETS",
    "WIDEST_SPLIT",
    "Coded",
    "Kernel",
    "Tables",
    "bucket_symbols",
    "count_symbols",
    "decode_bytes",
    "decode_coded",
    "decode_integers",
    "encode_bytes",
    "encode_integers",
    "encode_symbols",
    "forced",
    "kernel",
    "kernel_names",
    "raw_bits",
    "read_stream",
    "write_symbols",
]
