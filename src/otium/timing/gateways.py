"""The gateway beside a direct connection and a peer, in the same run: latency, CPU, memory.

Rounds take turns, so that whatever else the machine does hits all alike. CPU is that of the whole
process tree, by the kernel's account in nanoseconds; latency is of one request after another.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import msgspec

from otium.bench import Goal, Spread
from otium.errors import BadInput
from otium.timing.served import EVENTS, MODEL, SLOW

_MOST_STREAMS = 10_000
_SPARE_FILES = 60
"""What a gateway has open beside its streams: listener, databases, log, journal."""
_AT_ONCE = 20
_START_SECONDS = 120
_MICRO = 1e6
_RESTING = 0.03
"""Seconds of CPU in three tenths of one: less is the sharing of limits, and no work."""


class Way(msgspec.Struct, frozen=True):
    """What one way to the engine costs. Microseconds; one figure for each round."""

    name: str
    first_byte: tuple[float, ...]
    """Median time to the first byte of a whole answer, one request after another."""
    request: tuple[float, ...]
    """CPU of a whole answer."""
    event: tuple[float, ...]
    """CPU of a streamed event, 20 streams at one event each 10 ms."""
    idle_bytes: int
    """Resident memory before any request."""


class Streams(msgspec.Struct, frozen=True):
    """Slow streams, all open at once."""

    opened: int
    complete: int
    """Those of which every event arrived."""
    bytes_each: float
    """Resident memory of the gateway that each took."""


class GatewayReport(msgspec.Struct, frozen=True):
    """What was measured."""

    rounds: int
    ways: tuple[Way, ...]
    streams: Streams | None
    goals: tuple[Goal, ...]
    notes: tuple[str, ...]


class _Measured:
    def __init__(self, name: str, port: int, pid: int, key: str = "none") -> None:
        self.name = name
        self.key = key
        self.port = port
        self.pid = pid
        self.first: list[float] = []
        self.request: list[float] = []
        self.event: list[float] = []
        self.idle = _resident(pid)

    def shown(self) -> Way:
        return Way(
            name=self.name,
            first_byte=tuple(self.first),
            request=tuple(self.request),
            event=tuple(self.event),
            idle_bytes=self.idle,
        )


def gateway_bench(
    *,
    rounds: int = 5,
    quick: bool = False,
    peer_command: str | None = None,
    streams: int = _MOST_STREAMS,
) -> GatewayReport:
    """Measure; *peer_command* starts a peer, with ``{port}`` and ``{upstream}`` filled in."""
    requests = 100 if quick else 500
    most = _room()
    with ExitStack() as stack:
        port, pid = stack.enter_context(_process("stub"))
        upstream = f"http://127.0.0.1:{port}/v1"
        ways = [_Measured("direct", port, pid)]
        for name, features in (("otium", "plain"), ("otium, all features", "all")):
            ways.append(stack.enter_context(_gateway(name, upstream, features)))
        if peer_command:
            ways.append(_Measured("peer", *stack.enter_context(_peer(peer_command, upstream))))
        for number in range(1 if quick else rounds):
            turn = number % len(ways)
            for way in (*ways[turn:], *ways[:turn]):
                _measure(way, requests, warm=number == 0)
        slow, notes = None, []
        wanted = min(streams, most)
        if wanted:
            slow = _slow(stack.enter_context(_gateway("fresh", upstream, "all")), wanted)
        if wanted < streams:
            notes.append(f"{wanted} slow streams: this machine lets a process open so few files")
    shown = tuple(way.shown() for way in ways)
    return GatewayReport(
        rounds=len(shown[0].first_byte),
        ways=shown,
        streams=slow,
        goals=tuple(_goals(shown, slow)),
        notes=tuple(notes),
    )


def _goals(ways: tuple[Way, ...], slow: Streams | None) -> Iterator[Goal]:
    direct, plain, every = ways[:3]
    added = [(a - b) / 1000 for a, b in zip(plain.first_byte, direct.first_byte, strict=True)]
    yield _goal("added time to first byte, p50", "ms", 0.15, added)
    yield _goal("CPU of a whole answer", "µs", 60, plain.request)
    yield _goal("CPU of a streamed event", "µs", 45, plain.event)
    more = [a - b for a, b in zip(every.request, plain.request, strict=True)]
    yield _goal("all features on, a request", "µs", 50, more)
    more = [a - b for a, b in zip(every.event, plain.event, strict=True)]
    yield _goal("all features on, an event", "µs", 3, more)
    if slow:
        yield _goal("slow streams that lost an event", "", 0, [slow.opened - slow.complete])
        yield _goal("memory of a slow stream", "KB", 12, [slow.bytes_each / 1000])


def _goal(what: str, unit: str, target: float, figures: list[float] | tuple[float, ...]) -> Goal:
    return Goal(
        what=what,
        unit=unit,
        better="less",
        target=target,
        reached=median(figures),
        spread=Spread.of(figures),
    )


# Processes


def _key(folder: str) -> str:
    """Make a key with budgets and limits that are never reached; return its secret."""
    from otium.admission import Scope, open_keys
    from otium.quotas import read_budget, read_rate
    from otium.records import Instant

    keys = open_keys(f"sqlite:///{folder}/state.sqlite")
    rates = [read_rate(f"1000000000 {unit}/second") for unit in ("requests", "tokens")]
    budgets = [read_budget(f"1000000000000 {unit}/day") for unit in ("requests", "tokens")]
    now = Instant("2026-01-01T00:00:00Z")
    made = keys.create("a bench", Scope(models=(MODEL,)), now=now, budgets=budgets, rates=rates)
    keys.engine.dispose()
    return made.secret


@contextmanager
def _process(what: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """Run a function of `otium.timing.served`; yield its port and process id."""
    port = _free_port()
    given = ", ".join(repr(argument) for argument in (port, *arguments))
    code = f"from otium.timing.served import {what}; {what}({given})"
    with _running([sys.executable, "-c", code], port, dict(os.environ)) as pid:
        yield port, pid


@contextmanager
def _gateway(name: str, upstream: str, features: str) -> Iterator[_Measured]:
    with tempfile.TemporaryDirectory() as folder:
        key = _key(folder) if features == "all" else "none"
        with _process("gateway", upstream, features, folder) as (port, pid):
            yield _Measured(name, port, pid, key)


@contextmanager
def _peer(command: str, upstream: str) -> Iterator[tuple[int, int]]:
    port = _free_port()
    filled = command.replace("{port}", str(port)).replace("{upstream}", upstream)
    environment = {**os.environ, "OPENAI_API_KEY": "stub"}
    # LiteLLM asks nobody for a key here, and says that this is dangerous: it listens on loopback.
    environment["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"
    with _running(shlex.split(filled), port, environment) as pid:
        yield port, pid


@contextmanager
def _running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[int]:
    try:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise BadInput(what=f"the command {command[0]!r}", why=str(error)) from error
    try:
        _await(process, port)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            ended = process.poll() is not None
            if ended or time.monotonic() > deadline:
                why = "it ended at once" if ended else "nobody listened in time"
                command = str(process.args[0] if isinstance(process.args, list) else process.args)
                raise BadInput(what=f"the command {command!r}", why=why) from None
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _tree(pid: int) -> list[int]:
    found, ahead = [], [pid]
    while ahead:
        one = ahead.pop()
        found.append(one)
        for path in Path(f"/proc/{one}/task").glob("*/children"):
            ahead += [int(child) for child in path.read_text().split()]
    return found


def _cpu(pid: int) -> float:
    """Return the CPU microseconds of a process and its children."""
    # Linux' clock of another process, which goes on counting threads that have ended.
    clocks = [(~one << 3) | 2 for one in _tree(pid)]
    return sum(time.clock_gettime_ns(clock) for clock in clocks) / 1000


def _resident(pid: int) -> int:
    pages = [int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in _tree(pid)]
    return sum(pages) * resource.getpagesize()


# Load


def _request(way: _Measured, words: str, *, stream: bool) -> bytes:
    messages = [{"role": "user", "content": f"{words} " + 10 * "hello there "}]
    body = json.dumps({"model": MODEL, "messages": messages, "stream": stream}).encode()
    lines = (
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: 127.0.0.1:{way.port}",
        f"Authorization: Bearer {way.key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _measure(way: _Measured, requests: int, *, warm: bool) -> None:
    asked = _request(way, "whole", stream=False)
    with socket.create_connection(("127.0.0.1", way.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(50 if warm else 5):
            _ask(connection, asked)
        if warm:
            _rest(way.pid)
        before = _cpu(way.pid)
        times = [_ask(connection, asked) for _ in range(requests)]
        way.request.append((_cpu(way.pid) - before) / requests)
    way.first.append(median(times) * _MICRO)
    before = _cpu(way.pid)
    done = asyncio.run(_streams(way, "paced", _AT_ONCE, lambda: None))
    if done != _AT_ONCE:
        raise BadInput(what=f"the streams of {way.name}", why=f"{done} of {_AT_ONCE} came whole")
    way.event.append((_cpu(way.pid) - before) / (_AT_ONCE * EVENTS))


def _rest(pid: int) -> None:
    """Wait until a process has nothing to do: an exit is probed beside the first requests."""
    for _ in range(50):
        before = _cpu(pid)
        time.sleep(0.3)
        if _cpu(pid) - before < _RESTING:
            return


def _ask(connection: socket.socket, asked: bytes) -> float:
    """Ask once; return the seconds to the first byte."""
    began = time.perf_counter()
    connection.sendall(asked)
    data = connection.recv(65536)
    first = time.perf_counter() - began
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, rest = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise BadInput(what="the answer", why=data[:300].decode("latin-1"))
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2])
    while len(rest) < length:
        rest += connection.recv(65536)
    return first


async def _streams(way: _Measured, words: str, count: int, opened: Callable[[], None]) -> int:
    """Hold *count* streams at once; return how many came whole. Calls *opened* when all are."""
    asked = _request(way, words, stream=True)
    events = SLOW[0] if words == "slow" else EVENTS
    begun, first = 0, asyncio.Event()
    gate = asyncio.Semaphore(200)

    async def one() -> bool:
        nonlocal begun
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", way.port, limit=4096)
            writer.write(asked)
            data = await reader.read(4096)
        begun += 1
        if begun == count:
            first.set()
        seen = data.count(b"data: {")
        tail = data[-64:]
        while b"[DONE]" not in tail:
            data = await reader.read(4096)
            if not data:
                break
            whole = tail + data
            seen += whole.count(b"data: {") - tail.count(b"data: {")
            tail = whole[-64:]
        writer.close()
        return b"[DONE]" in tail and seen >= events

    async def watch() -> None:
        await first.wait()
        opened()

    watching = asyncio.create_task(watch())
    done = await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)
    watching.cancel()
    return sum(1 for whole in done if whole is True)


def _room() -> int:
    """Return how many streams a process may hold, as many files allowed as can be.

    Each takes two in the gateway. What is started from here inherits the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(0, (hard - _SPARE_FILES) // 2)


def _slow(way: _Measured, count: int) -> Streams:
    """Hold slow streams in a gateway that nobody asked before: its free memory would hide some."""
    most = 0

    def opened() -> None:
        nonlocal most
        most = _resident(way.pid)

    complete = asyncio.run(_streams(way, "slow", count, opened))
    if not most:
        raise BadInput(what="the slow streams", why=f"{count} were never open at once")
    return Streams(opened=count, complete=complete, bytes_each=(most - way.idle) / count)
