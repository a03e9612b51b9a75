r"""Formats: what other people's files look like, read as if each were an attack.

Knows the headers of safetensors and GGUF files, which paths every system can hold, what
makes a model runnable, and the logs of Inspect.
Does not know what becomes of the bytes. Writes nothing; reads headers, in bounded steps.

>>> from io import BytesIO
>>> file = BytesIO(b"\x02\0\0\0\0\0\0\0{}")
>>> [extent.length for extent in read_safetensors(file, 10, "empty.safetensors")]
[10]
"""

from otium.formats.evallog import (
    BOUNDS,
    Bounds,
    EvalLog,
    LoggedMessage,
    LoggedOutput,
    LoggedSample,
    LoggedSpec,
    read_eval_log,
)
from otium.formats.extent import Extent
from otium.formats.gguf import CHAT_TEMPLATE, TYPES, Gguf, gguf_value, read_gguf
from otium.formats.paths import check_path, check_paths
from otium.formats.runnable import Known, Runnable, describe, small_object
from otium.formats.safetensors import read_safetensors
from otium.formats.sources import INERT_WEIGHTS, Source, sources
from otium.formats.zipped import Zipped

__all__ = [
    "BOUNDS",
    "CHAT_TEMPLATE",
    "INERT_WEIGHTS",
    "TYPES",
    "Bounds",
    "EvalLog",
    "Extent",
    "Gguf",
    "Known",
    "LoggedMessage",
    "LoggedOutput",
    "LoggedSample",
    "LoggedSpec",
    "Runnable",
    "Source",
    "Zipped",
    "check_path",
    "check_paths",
    "describe",
    "gguf_value",
    "read_eval_log",
    "read_gguf",
    "read_safetensors",
    "small_object",
    "sources",
]
