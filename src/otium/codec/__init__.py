"""Codecs: one piece of a model, given pieces that are there already, in few bytes and exactly.

Knows float types, predictions, and ways to code what a prediction misses.
Does not know files, packs or models. Writes the stored form of pieces (`SPEC.md`, "Codecs").

>>> import numpy as np
>>> base = np.linspace(-1, 1, 4096).astype(np.float32)
>>> tuned = (base * 1.0001).astype(np.float32)
>>> coded = encode(tuned.tobytes(), "F32", 64, [Base(base.tobytes(), "F32")])
>>> coded.codec, len(coded.stored) < tuned.nbytes // 2
('delta', True)
>>> decode(coded.codec, coded.stored, tuned.nbytes, [base.tobytes()]) == tuned.tobytes()
True
"""

from otium.codec.choose import Adapter, Base, Codec, Coded, Scales, decode, encode
from otium.codec.predict import DTYPES, Buffer, Dtype

__all__ = [
    "DTYPES",
    "Adapter",
    "Base",
    "Buffer",
    "Codec",
    "Coded",
    "Dtype",
    "Scales",
    "decode",
    "encode",
]
