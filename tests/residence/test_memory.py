from __future__ import annotations

import socket
import subprocess
import sys

from otium.engine import Endpoint, Identity
from otium.records import ModelId
from otium.residence import Running, measure

_HOLDER = """
import os, socket, sys
held = bytearray(os.urandom(1)) * int(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
if len(sys.argv) > 2 and os.fork() == 0:
    more = bytearray(b"x") * int(sys.argv[1])
    print("forked", flush=True)
    sys.stdin.read()
    os._exit(0)
sys.stdin.read()
"""


def running(url: str) -> Running:
    identity = Identity(model=ModelId("a"), weights=None, engine="double/1")
    return Running(endpoint=Endpoint(base_url=url, api_key="", identity=identity))


def measured(*arguments: str, lines: int = 1) -> int | None:
    command = [sys.executable, "-c", _HOLDER, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        return measure(running(f"http://127.0.0.1:{int(said[0])}/v1"))


def test_what_a_process_holds_is_measured_by_its_port() -> None:
    small, large = measured("1000000"), measured("40000000")
    assert small is not None
    assert large is not None
    assert 38_000_000 < large - small < 42_000_000


def test_processes_that_share_a_port_count_together_and_shared_pages_once() -> None:
    one, two = measured("40000000"), measured("40000000", "fork", lines=2)
    assert one is not None
    assert two is not None
    assert 38_000_000 < two - one < 48_000_000


def test_what_cannot_be_seen_has_no_size() -> None:
    assert measure(running("https://api.example.org/v1")) is None
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert measure(running(f"http://127.0.0.1:{unused.getsockname()[1]}/v1")) is None
    with socket.create_server(("127.0.0.1", 0)) as own:  # this process is not an engine
        assert measure(running(f"http://127.0.0.1:{own.getsockname()[1]}/v1")) is None
