"""Connections over real sockets: what holds for a stranger, and what a client may do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from uvicorn.server import ServerState

from otium.dialects import refuse
from otium.errors import Refused
from otium.listening import Limits, Listener, Outlet, Request, block

Work = Callable[[Request, Outlet], Coroutine[Any, Any, None]]
POST = b"POST /a HTTP/1.1\r\nHost: here\r\n"


class App:
    """Answers with what it was asked, and keeps what came of that."""

    def __init__(self, work: Work | None = None, unwelcome: Refused | None = None) -> None:
        self.asked: list[Request] = []
        self.came: list[str] = []
        self._work = work or self._echo
        self._unwelcome = unwelcome

    def welcome(self, request: Request) -> Refused | None:
        return self._unwelcome if request.target == b"/a" else None

    async def answer(self, request: Request, outlet: Outlet) -> None:
        self.asked.append(request)
        if (refused := request.refused) is not None:
            outlet.whole(refused.status, refused.code.encode(), block(refused.headers))
            return
        try:
            await self._work(request, outlet)
        finally:
            self.came.append(outlet.lost or ("ended" if outlet.ended else "open"))
            outlet.abort()

    @staticmethod
    async def _echo(request: Request, outlet: Outlet) -> None:
        outlet.whole(200, b"%b %b %b" % (request.method, request.target, bytes(request.body)))


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hear(self) -> tuple[int, bytes, bytes]:
        """Return the status, the head and the body of one whole answer."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head[9:12]), head, await self.reader.readexactly(length)

    async def ended(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), 5)


class Place:
    def __init__(self, listener: Listener, port: int) -> None:
        self.listener = listener
        self.port = port
        self.clients: list[Client] = []

    async def client(self, **more: Any) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, **more))
        self.clients.append(client)
        return client


@asynccontextmanager
async def serving(app: App, **limits: Any) -> AsyncIterator[Place]:
    listener, state = Listener(app, Limits(**limits)), ServerState()
    listener.open()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: listener.connection(server_state=state), "127.0.0.1", 0
    )
    place = Place(listener, server.sockets[0].getsockname()[1])
    try:
        yield place
    finally:
        for client in place.clients:
            client.writer.close()
        server.close()
        listener.close()
        await asyncio.sleep(0)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110  # what is waited for is the other side's
            await asyncio.sleep(0.01)


def run(work: Coroutine[Any, Any, None]) -> None:
    uvloop.run(work)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_requests_are_answered_in_order_however_they_are_cut(size: int) -> None:
    async def main() -> None:
        app = App()
        async with serving(app) as place:
            client = await place.client()
            asked = b"".join(
                POST.replace(b"/a", b"/%d" % n) + b"Content-Length: 2\r\n\r\nx%d" % n
                for n in range(5)
            )
            asked += (
                POST
                + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: t\r\n\r\n"
            )
            for at in range(0, len(asked), size):
                client.say(asked[at : at + size])
                await asyncio.sleep(0)
            heard = [(await client.hear())[2] for _ in range(6)]
            assert heard == [*(b"POST /%d x%d" % (n, n) for n in range(5)), b"POST /a abc"]
            assert b"t" not in app.asked[-1].headers
            assert place.listener.held == 0

    run(main())


def test_a_wish_for_another_protocol_is_not_heard_and_the_body_is_kept() -> None:
    async def main() -> None:
        wish = (
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
        )
        async with serving(App()) as place:
            for cut in (40, 4000):
                client = await place.client()
                asked = POST + wish + b"Content-Length: 4\r\n\r\nbody" + POST + b"\r\n"
                client.say(asked[:cut])
                await asyncio.sleep(0.02)
                client.say(asked[cut:])
                assert (await client.hear())[2] == b"POST /a body"
                assert (await client.hear())[2] == b"POST /a "

    run(main())


def test_a_body_is_taken_after_continue_and_not_read_from_who_is_not_welcome() -> None:
    async def main() -> None:
        wait = POST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        async with serving(App()) as place:
            client = await place.client()
            client.say(wait)
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.say(b"body")
            assert (await client.hear())[2] == b"POST /a body"
        async with serving(App(unwelcome=refuse(401, "no_key", "No."))) as place:
            client = await place.client()
            client.say(wait)
            status, head, _ = await client.hear()
            assert status == 401
            assert b"connection: close\r\n" in head
            client.say(b"body")
            assert await client.ended() == b""
            assert place.listener.held == 0

    run(main())


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"GET /" + 70_000 * b"x", "headers_too_large"),
        (b"GET / HTTP/1.1\r\nA: " + 70_000 * b"x" + b"\r\n\r\n", "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + 9000 * b"A: b1234\r\n", "headers_too_large"),
        (POST + b"Content-Length: 1001\r\n\r\n", "request_too_large"),
        (
            POST + b"Transfer-Encoding: chunked\r\n\r\n" + 1100 * b"1\r\nx\r\n",
            "request_too_large",
        ),
        (
            POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nT: " + 90_000 * b"x",
            "request_too_large",
        ),
        (b"no request\r\n\r\n", "bad_request"),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "bad_request"),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_request"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "bad_request"),
    ],
)
def test_what_is_too_large_or_no_request_is_refused_and_the_connection_closed(
    said: bytes, code: str
) -> None:
    async def main() -> None:
        app = App()
        async with serving(app, body_bytes=1000) as place:
            client = await place.client()
            for at in range(0, len(said), 50_000):
                client.say(said[at : at + 50_000])
                await asyncio.sleep(0.01)
            _, head, body = await client.hear()
            assert (body.decode(), b"connection: close" in head) == (code, True)
            assert await client.ended() == b""
            assert place.listener.held == 0
            assert len(app.asked) == 1

    run(main())


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"", b""),
        (b"POST /a HT", b"408"),
        (POST + b"Content-Length: 9\r\n\r\nx", b"408"),
        (POST + b"\r\n" + POST, b"200 408"),
    ],
)
def test_a_client_that_trickles_is_let_go(said: bytes, heard: bytes) -> None:
    async def main() -> None:
        app = App()
        async with serving(app, head_seconds=0.3, body_seconds=0.3) as place:
            client = await place.client()
            client.say(said)
            whole = await client.ended()
            statuses = [part[:3] for part in whole.split(b"HTTP/1.1 ")[1:]]
            assert b" ".join(statuses) == heard
            client.writer.close()
            await until(lambda: not place.listener.connections)

    run(main())


def test_all_that_is_being_read_has_one_bound() -> None:
    async def main() -> None:
        app = App()
        async with serving(app, reading_bytes=100_000) as place:
            half = POST + b"Content-Length: 60000\r\n\r\n" + 50_000 * b"x"
            first, second = await place.client(), await place.client()
            first.say(half)
            await until(lambda: place.listener.held > 50_000)
            second.say(half)
            assert (await second.hear())[2] == b"too_many_requests"
            first.say(10_000 * b"x")
            assert (await first.hear())[0] == 200
            assert place.listener.held == 0

    run(main())


@pytest.mark.parametrize("part", [b"POST /a HTTP/1.1\r\nHo", POST + b"Content-Length: 9\r\n\r\n{"])
def test_a_request_that_breaks_off_is_nobodys(part: bytes) -> None:
    async def main() -> None:
        app = App()
        async with serving(app) as place:
            client = await place.client()
            client.say(part)
            await until(lambda: place.listener.held)
            client.writer.close()
            await until(lambda: not place.listener.connections)
            assert app.asked == []
            assert place.listener.held == 0

    run(main())


@pytest.mark.parametrize("leave", ["close", "write_eof"])
def test_who_leaves_ends_the_work_and_who_half_closes_too(leave: str) -> None:
    async def main() -> None:
        async def wait(_: Request, outlet: Outlet) -> None:
            await outlet.write(b"begun")
            await asyncio.Event().wait()

        app = App(wait)
        async with serving(app) as place:
            client = await place.client()
            client.say(POST + b"\r\n")
            await client.reader.readuntil(b"begun")
            getattr(client.writer, leave)()
            await until(lambda: app.came == ["gone"])

    run(main())


@pytest.mark.parametrize("how", ["stream", "whole", "closing"])
def test_a_client_that_takes_nothing_is_let_go_also_of_the_last_words(how: str) -> None:
    async def main() -> None:
        async def much(_: Request, outlet: Outlet) -> None:
            data = 30_000_000 * b"x"
            if how == "stream":
                await outlet.write(data)
                outlet.finish(b"")
            else:
                outlet.whole(200, data)

        app = App(much)
        async with serving(app, stall_seconds=0.3) as place:
            client = await place.client(limit=1000)
            client.say(POST + (b"Connection: close\r\n\r\n" if how == "closing" else b"\r\n"))
            await until(lambda: app.came)
            await until(lambda: not place.listener.connections)
            assert app.came == ["stalled" if how == "stream" else "ended"]

    run(main())


def test_a_client_that_is_slow_is_not_let_go() -> None:
    async def main() -> None:
        async def much(_: Request, outlet: Outlet) -> None:
            outlet.whole(200, 12_000_000 * b"x")

        app = App(much)
        async with serving(app, stall_seconds=0.4) as place:
            client = await place.client(limit=100_000)
            client.say(POST + b"\r\n")
            seen = 0
            while seen < 12_000_000:
                part = await client.reader.read(1_000_000)
                assert part
                seen += len(part)
                await asyncio.sleep(0.01)

    run(main())


def test_a_server_that_ends_closes_who_is_idle_and_finishes_the_rest() -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def wait(_: Request, outlet: Outlet) -> None:
            await gate.wait()
            outlet.whole(200, json.dumps({}).encode())

        app = App(wait)
        async with serving(app) as place:
            idle, busy = await place.client(), await place.client()
            busy.say(POST + b"\r\n")
            await until(lambda: app.asked and len(place.listener.connections) == 2)
            for connection in list(place.listener.connections):
                connection.shutdown()
            assert await idle.ended() == b""
            gate.set()
            assert (await busy.hear())[0] == 200
            assert await busy.ended() == b""

    run(main())


def test_nothing_more_is_answered_to_who_takes_nothing() -> None:
    async def main() -> None:
        async def page(_: Request, outlet: Outlet) -> None:
            outlet.whole(200, 300_000 * b"x")

        app = App(page)
        async with serving(app, stall_seconds=0.3) as place:
            client = await place.client(limit=1000)
            await until(lambda: place.listener.connections)
            for _ in range(20):
                if place.listener.connections:
                    client.say(10 * (POST + b"\r\n"))
                await asyncio.sleep(0.05)
            await until(lambda: not place.listener.connections)
            assert len(app.asked) < 50

    run(main())


def test_who_takes_late_is_still_answered_in_order() -> None:
    async def main() -> None:
        async def page(request: Request, outlet: Outlet) -> None:
            outlet.whole(200, request.target + 1_000_000 * b"x")

        async with serving(App(page)) as place:
            client = await place.client(limit=1000)
            for n in range(12):
                client.say(POST.replace(b"/a", b"/%d" % n) + b"\r\n")
            await asyncio.sleep(0.1)
            for n in range(12):
                assert (await client.hear())[2].startswith(b"/%dx" % n)

    run(main())
