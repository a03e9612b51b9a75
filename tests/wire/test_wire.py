"""Both clients do the same, whatever a server does; ours is fed broken HTTP too."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.wire import Client, Events, Lines, Session, WireError, connection, lines, session

Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CLIENTS = [Lines, Session]
both = pytest.mark.parametrize("kind", CLIENTS)


@asynccontextmanager
async def serving(act: Act) -> AsyncIterator[tuple[str, list[int]]]:
    """Serve with *act* after each request; yield the address and how many connections came."""
    connections: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                await act(reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/x", connections
    finally:
        server.close()


def say(*parts: bytes, close: bool = False, pause: float = 0) -> Act:
    async def act(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause)
        if close:
            raise ConnectionError

    return act


def run(kind: Callable[[], Client], act: Act, ask: Callable[[Client, str], Awaitable[None]]) -> int:
    """Do *ask* against a server; return how many connections it took."""

    async def main() -> int:
        async with serving(act) as (url, connections):
            client = kind()
            try:
                await ask(client, url)
            finally:
                await client.close()
            await asyncio.sleep(0.02)
            return len(connections)

    return asyncio.run(main())


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def read(client: Client, url: str, seconds: float = 5) -> tuple[int, bytes]:
    async with client.post(url, b"{}", key="k", seconds=seconds) as reply:
        return reply.status, await reply.read()


async def parts(client: Client, url: str) -> list[bytes]:
    found = []
    async with client.post(url, b"{}", key="k", seconds=5) as reply:
        while part := await reply.part():
            found.append(part)
    return found


@both
def test_a_connection_is_used_again(kind: Callable[[], Client]) -> None:
    async def ask(client: Client, url: str) -> None:
        for _ in range(3):
            assert await read(client, url) == (200, b"hello")

    assert run(kind, say(WHOLE), ask) == 1


@both
@pytest.mark.parametrize(
    "sent",
    [
        [HEAD, b"5\r\nhello\r\n", b"0\r\n\r\n"],
        [HEAD + b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\n", WHOLE],
        [b"HTTP/1.1 200 OK\r\nConte", b"nt-Length: 5\r\n", b"\r\nhel", b"lo"],
    ],
)
def test_a_body_comes_whole_however_it_is_framed(
    kind: Callable[[], Client], sent: list[bytes]
) -> None:
    async def ask(client: Client, url: str) -> None:
        assert await read(client, url) == (200, b"hello")
        assert b"".join(await parts(client, url)) == b"hello"

    assert run(kind, say(*sent, pause=0.001), ask) == 1


@both
def test_a_body_of_a_megabyte_comes_whole(kind: Callable[[], Client]) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1_000_000

    async def ask(client: Client, url: str) -> None:
        assert await read(client, url) == (200, b"a" * 1_000_000)

    assert run(kind, say(whole), ask) == 1


@both
def test_a_body_without_a_length_ends_with_the_connection(kind: Callable[[], Client]) -> None:
    async def ask(client: Client, url: str) -> None:
        for _ in range(2):
            assert await read(client, url) == (200, b"hello")

    assert run(kind, say(b"HTTP/1.1 200 OK\r\n\r\n", b"hello", close=True), ask) == 2


@both
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        HEAD + b"5\r\nhel",
        HEAD + b"5\r\nhello\r\n",
        HEAD + b"zz\r\nhello\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    ],
)
def test_what_breaks_off_or_is_no_http_is_an_error(kind: Callable[[], Client], sent: bytes) -> None:
    async def ask(client: Client, url: str) -> None:
        with pytest.raises(WireError):
            await read(client, url)

    run(kind, say(sent, close=True), ask)


@both
def test_a_server_that_hangs_is_left_in_time(kind: Callable[[], Client]) -> None:
    async def ask(client: Client, url: str) -> None:
        with pytest.raises(TimeoutError):
            await read(client, url, seconds=0.05)

    for sent in (b"", HEAD, HEAD + b"5\r\nhello\r\n"):
        run(kind, say(sent, pause=0.3), ask)


@both
def test_a_server_that_accepts_nobody_is_left_in_time(kind: Callable[[], Client]) -> None:
    async def main() -> None:
        with ExitStack() as stack:
            full = stack.enter_context(socket.socket())
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            client = kind()
            with pytest.raises(TimeoutError):
                await read(client, f"http://127.0.0.1:{full.getsockname()[1]}/v1", seconds=0.2)
            await client.close()

    asyncio.run(asyncio.wait_for(main(), 10))


@both
def test_a_body_beyond_all_answers_is_an_error(
    kind: Callable[[], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (connection, session):
        monkeypatch.setattr(module, "MOST_WHOLE", 100_000)
    block = b"10000\r\n" + b"x" * 65536 + b"\r\n"

    async def ask(client: Client, url: str) -> None:
        with pytest.raises(WireError, match="more than 100000 bytes"):
            await read(client, url)

    run(kind, say(HEAD, *[block] * 40), ask)


def test_connections_that_servers_closed_are_forgotten() -> None:
    async def main() -> None:
        client = Lines()
        for _ in range(3):
            async with serving(say(WHOLE, close=True)) as (url, _):
                for _ in range(3):
                    assert await read(client, url) == (200, b"hello")
                    await asyncio.sleep(0.02)
        assert not client._all
        await client.close()

    asyncio.run(main())


def test_after_a_crowd_few_connections_are_kept_and_none_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "_MOST_IDLE", 4)
    monkeypatch.setattr(lines, "_REST", 0.1)

    async def ask(client: Client, url: str) -> None:
        assert isinstance(client, Lines)
        await asyncio.gather(*[read(client, url) for _ in range(20)])
        await asyncio.sleep(0.02)
        assert len(client._all) == 4
        await asyncio.sleep(0.3)
        assert not client._all
        assert await read(client, url) == (200, b"hello")

    assert run(Lines, say(WHOLE, pause=0.02), ask) == 21


@both
def test_a_refused_connection_is_an_error(kind: Callable[[], Client]) -> None:
    async def ask(client: Client, url: str) -> None:
        del url
        with pytest.raises(WireError):
            await read(client, "http://127.0.0.1:1/v1")

    run(kind, say(WHOLE), ask)


def test_an_idle_connection_that_was_closed_meanwhile_costs_no_answer() -> None:
    async def ask(client: Client, url: str) -> None:
        assert await read(client, url) == (200, b"hello")
        await asyncio.sleep(0.05)
        assert await read(client, url) == (200, b"hello")

    assert run(Lines, say(WHOLE, close=True), ask) == 2


@both
def test_a_stream_that_is_left_early_gives_its_connection_up(kind: Callable[[], Client]) -> None:
    async def ask(client: Client, url: str) -> None:
        for _ in range(2):
            async with client.post(url, b"{}", key="k", seconds=5) as reply:
                assert await reply.part() == b"hello"

    assert run(kind, say(HEAD, b"5\r\nhello\r\n", pause=0.01), ask) == 2


@both
def test_a_slow_reader_makes_the_server_wait(kind: Callable[[], Client]) -> None:
    sent = 0

    async def act(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(HEAD)
        for _part in range(1000):
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536
        writer.write(b"0\r\n\r\n")

    async def ask(client: Client, url: str) -> None:
        async with client.post(url, b"{}", key="k", seconds=20) as reply:
            got = len(await reply.part())
            await asyncio.sleep(0.3)
            assert sent < 20 << 20
            while part := await reply.part():
                got += len(part)
            assert got == 1000 * 65536

    run(kind, act, ask)


def test_a_key_cannot_add_a_header() -> None:
    async def ask(client: Client, url: str) -> None:
        with pytest.raises(WireError):
            client.post(url, b"{}", key="k\r\nX: y", seconds=1)

    run(Lines, say(WHOLE), ask)


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=80), st.booleans(), st.integers(1, 40))
def test_no_bytes_of_a_server_do_anything_but_answer_or_fail(
    noise: bytes, framed: bool, cut: int
) -> None:
    data = HEAD + noise if framed else noise

    async def ask(client: Client, url: str) -> None:
        with suppress(WireError, TimeoutError):
            await read(client, url, seconds=1)

    run(Lines, say(data[:cut], data[cut:], close=True), ask)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=9).map(lambda x: x.replace(b"\n", b"").strip())), st.data())
def test_events_are_the_same_however_they_are_cut(said: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(b": x\n\ndata: " + one + b"\r\n\r\n" for one in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    events, found = Events(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += events.feed(stream[start:end])
    assert found == said


def test_an_endless_line_is_an_error() -> None:
    with pytest.raises(ValueError, match="10 bytes"):
        Events(longest=10).feed(b"data: " + b"x" * 20)
