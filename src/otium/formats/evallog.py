"""The logs that Inspect writes, ``.eval`` and ``.json``, as far as a session needs them.

Read without Inspect, so that no version of it is needed and nothing in a log can run; within
bounds, so that nobody's log can fill the memory. What is not named here is skipped.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, TypeVar

import msgspec

from otium.errors import BadData
from otium.formats.zipped import Zipped

VERSIONS = (1, 2)
"""The versions of the log's schema that are known."""
_SAMPLE = re.compile(r"samples/.+\.json")
_HEADS = ("header.json", "_journal/start.json")
"""The second of a log that was not finished."""
_NOTHING = msgspec.Raw(b"null")
T = TypeVar("T")


class Bounds(NamedTuple):
    """How much of a log from elsewhere is read, in bytes once it is unpacked."""

    file: int = 1 << 30
    member: int = 1 << 26
    """Of one sample with its events."""
    total: int = 1 << 30
    plain: int = 1 << 28
    """Of a log that is plain JSON."""
    samples: int = 100_000


BOUNDS = Bounds()


class LoggedCall(msgspec.Struct):
    """A tool that the model called."""

    function: str = ""
    arguments: Any = None


class LoggedMessage(msgspec.Struct):
    """One message, whose content may be in parts."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[dict[str, Any] | str] = ""
    id: str | None = None
    tool_calls: list[LoggedCall] | None = None
    function: str | None = None
    model: str | None = None
    metadata: dict[str, Any] | None = None


class LoggedChoice(msgspec.Struct):
    """One of the answers that a call gave."""

    message: LoggedMessage
    stop_reason: str = ""


class LoggedOutput(msgspec.Struct):
    """What a call gave."""

    choices: list[LoggedChoice] = []


class LoggedEvent(msgspec.Struct):
    """Something that happened; only a model's calls are looked into."""

    event: str = ""
    output: msgspec.Raw = _NOTHING


class LoggedLimit(msgspec.Struct):
    """Which limit stopped a sample."""

    type: str = ""


class LoggedSample(msgspec.Struct):
    """One session."""

    id: int | str
    epoch: int = 1
    messages: list[LoggedMessage] = []
    output: LoggedOutput | None = None
    metadata: dict[str, Any] | None = None
    store: dict[str, Any] | None = None
    limit: LoggedLimit | None = None
    error: dict[str, Any] | None = None
    choices: list[str] | None = None
    """The options of a multiple-choice question."""
    attachments: dict[str, str] = {}
    started_at: str | None = None
    events: list[LoggedEvent] = []


class LoggedDataset(msgspec.Struct):
    """Where the samples came from."""

    name: str | None = None


class LoggedSpec(msgspec.Struct):
    """What was run, on which model."""

    task: str
    model: str
    created: str
    task_version: int | str = 0
    task_args: dict[str, Any] = {}
    dataset: LoggedDataset | None = None
    model_generate_config: dict[str, Any] = {}
    packages: dict[str, str] = {}
    metadata: dict[str, Any] | None = None


class LoggedHead(msgspec.Struct):
    """The log but for its samples; of plain JSON, with them."""

    eval: LoggedSpec
    version: int = 1
    status: str = "started"
    samples: list[LoggedSample] | None = None


class EvalLog(NamedTuple):
    """A log: what was run, and its samples in the order of their ids."""

    head: LoggedHead
    samples: tuple[LoggedSample, ...]


def read_eval_log(path: Path, bounds: Bounds = BOUNDS) -> EvalLog:
    """Read a log that anyone made; raise BadData with the reason if it cannot be used."""
    path = Path(path)
    try:
        head, samples = _read(path, bounds)
        _check(head, samples, bounds)
    except (OSError, RecursionError, ValueError) as error:
        raise BadData(path=path.name, why=str(error) or type(error).__name__) from error
    return EvalLog(head, tuple(sorted(samples, key=lambda it: (str(it.id), it.epoch))))


def _read(path: Path, bounds: Bounds) -> tuple[LoggedHead, list[LoggedSample]]:
    size = path.stat().st_size
    with path.open("rb") as file:
        packed = file.read(2) == b"PK"
        if size > (most := bounds.file if packed else bounds.plain):
            raise ValueError(f"it has {size} bytes, more than {most}")
        if packed:
            return _unpack(file, path.name, bounds)
        file.seek(0)
        head = _decode(file.read(), LoggedHead)
    return head, head.samples or []


def _unpack(file: IO[bytes], name: str, bounds: Bounds) -> tuple[LoggedHead, list[LoggedSample]]:
    packed = Zipped(file, name, member=bounds.member, total=bounds.total)
    start = next((it for it in _HEADS if it in packed.names), None)
    if start is None:
        raise ValueError("it has neither a header nor a beginning")
    head = _decode(packed.read(start), LoggedHead)
    names = [it for it in packed.names if _SAMPLE.fullmatch(it)][: bounds.samples + 1]
    return head, [_decode(packed.read(it), LoggedSample) for it in names]


def _check(head: LoggedHead, samples: list[LoggedSample], bounds: Bounds) -> None:
    if head.version not in VERSIONS:
        raise ValueError(f"its version is {head.version}; {VERSIONS[-1]} is the last known")
    if not samples:
        raise ValueError(f"it holds no sample, and its status is {head.status}")
    if len(samples) > bounds.samples:
        raise ValueError(f"it holds more than {bounds.samples} samples")


def _decode(data: bytes, kind: type[T]) -> T:
    """Read JSON, also with the NaN and lone surrogates that Inspect writes and JSON forbids."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = json.loads(data.decode("utf-8", "replace"), parse_constant=lambda _: None)
    halves = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
    return msgspec.json.decode(halves.decode("utf-16", "replace"), type=kind)
