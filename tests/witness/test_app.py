from __future__ import annotations

import http.client
import json
import random
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from otium.errors import BadInput
from otium.notes import open_note, read_head, split_note
from otium.witness import Witness, background, serve
from witness.small import NAME, ORIGIN, SmallLog, sha256


class Client:
    def __init__(self, base: str, vkeys: Sequence[str] = ()) -> None:
        self.address = urlsplit(base).netloc
        self.vkeys = vkeys

    def __call__(
        self, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def ask(witness: Witness) -> Iterator[Client]:
    with background(witness) as base:
        yield Client(base, witness.vkeys)


def test_the_protocol_is_spoken_over_http(ask: Client, log: SmallLog, witness: Witness) -> None:
    status, kind, body = ask("/add-checkpoint", log.ask(0, 4))
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    assert open_note(log.note(4) + body, witness.vkeys).signatures
    assert ask("/add-checkpoint", log.ask(0)) == (409, "text/x.tlog.size", "4\n")
    assert ask("/add-checkpoint", log.ask(4))[0] == 200


def test_the_newest_cosigned_checkpoint_is_served(
    ask: Client, log: SmallLog, witness: Witness
) -> None:
    assert ask(f"/checkpoint/{sha256(ORIGIN)}")[0] == 404
    ask("/add-checkpoint", log.ask(0))
    status, _, note = ask(f"/checkpoint/{sha256(ORIGIN)}")
    opened = open_note(note, [*log.signer.vkeys, *witness.vkeys], strict=True)
    assert status == 200
    assert read_head(opened.text) == log.head()
    assert len(opened.signatures) == 4


def test_the_evidence_of_a_fork_is_for_all(ask: Client, log: SmallLog) -> None:
    other = log.fork(3).grow(7, "other")
    assert json.loads(ask("/evidence")[2]) == []
    ask("/add-checkpoint", log.ask(0))
    ask("/add-checkpoint", other.ask(10))
    (fork,) = json.loads(ask("/evidence")[2])
    assert (fork["origin"], fork["size"]) == (ORIGIN, 10)
    assert {read_head(split_note(fork[side])[0]).root for side in ("cosigned", "refused")} == {
        log.head().root,
        other.head().root,
    }


def test_its_page_names_its_keys_and_logs(ask: Client, log: SmallLog, witness: Witness) -> None:
    assert "none yet" in ask("/")[2]
    ask("/add-checkpoint", log.ask(0))
    status, kind, page = ask("/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert all(text in page for text in (NAME, ORIGIN, *witness.vkeys, sha256(ORIGIN), "<td>10<"))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/add-checkpoint", None, 405),
        ("/nothing", None, 404),
        ("/checkpoint/../../etc/passwd", None, 404),
        ("/checkpoint/%00", None, 404),
        ("/evidence", b"x", 405),
        ("/add-checkpoint", b"\xff" * 10, 400),
        ("/add-checkpoint", b"x" * 65536, 400),
        ("/add-checkpoint", b"x" * 65537, 413),
        ("/add-checkpoint", b"x" * 5_000_000, 413),
    ],
)
def test_what_is_not_served_is_refused_in_a_word(
    ask: Client, path: str, body: bytes | None, status: int
) -> None:
    try:
        found, _, said = ask(path, body)
    except (BrokenPipeError, ConnectionResetError):
        assert status == 413  # it hung up before all was sent
    else:
        assert found == status
        assert "Traceback" not in said


def test_a_body_of_unknown_length_is_bounded_too(ask: Client) -> None:
    with socket.create_connection(ask.address.split(":"), timeout=20) as wire:  # type: ignore[arg-type]
        wire.sendall(
            b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        try:
            for _ in range(100):
                wire.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return
        assert wire.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("seed", range(8))
def test_no_mutated_request_breaks_the_server(ask: Client, log: SmallLog, seed: int) -> None:
    ask("/add-checkpoint", log.ask(0, 5))
    chance = random.Random(seed)
    for _ in range(40):
        body = bytearray(log.ask(5))
        for _ in range(chance.randint(1, 5)):
            at = chance.randrange(len(body))
            body[at : at + chance.choice([0, 1, 1, 9])] = chance.randbytes(chance.choice([0, 1, 5]))
        status, _, said = ask("/add-checkpoint", bytes(body))
        assert status in {200, 400, 403, 404, 409, 422}
        if status == 200:
            assert open_note(f"{log.head().text}\n{said}", ask.vkeys)


def test_requests_that_race_over_http_make_one_history(
    make_witness: Callable[..., Witness], log: SmallLog
) -> None:
    witness = make_witness(*log.signer.vkeys)
    log.grow(40)

    def push(size: int) -> int:
        status, kind, body = 409, "text/x.tlog.size", "0"
        while status == 409 and kind == "text/x.tlog.size" and int(body) <= size:
            status, kind, body = ask("/add-checkpoint", log.ask(int(body), size))
        return int(status)

    with background(witness) as base, ThreadPoolExecutor(12) as pool:
        ask = Client(base)
        statuses = list(pool.map(push, range(1, 51)))
    assert set(statuses) <= {200, 409}
    assert statuses[-1] == 200
    assert witness.sizes() == {ORIGIN: 50}


def test_an_address_that_is_taken_is_refused(witness: Witness) -> None:
    with background(witness) as base, pytest.raises(BadInput):
        serve(witness, port=int(base.rpartition(":")[2]))
