"""Ask others over HTTP, bounded in time and size, without redirects; read a published log."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from otium.errors import NotFound, StoreUnreachable

if TYPE_CHECKING:
    import httpx2

_LARGEST = 256 * (2 + 0xFFFF)
"""Bytes of the largest entry bundle."""
_OK, _GONE = 200, {404, 410}
_PLACES = ("log/", "")
_TRIES = 2
_SLOWEST = 6
"""How many times the patience for a part an answer may take as a whole."""


class Reply(NamedTuple):
    """An answer."""

    status: int
    kind: str
    """Its content type, without parameters."""
    body: bytes


class Web:
    """Connections that are kept for as long as the block lasts."""

    def __init__(self, patience: float) -> None:
        """Wait *patience* seconds for each part of an answer."""
        self._patience = patience
        self._client: httpx2.Client | None = None

    def __enter__(self) -> Self:
        """Open."""
        import httpx2

        verify = ssl.create_default_context()
        self._client = httpx2.Client(timeout=self._patience, verify=verify)
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        assert self._client is not None
        self._client.close()

    def ask(self, url: str, body: bytes | None = None, *, most: int) -> Reply:
        """GET *url*, or POST *body* to it; try again once. Answers of up to *most* bytes.

        Raises StoreUnreachable.
        """
        import httpx2

        for left in reversed(range(_TRIES)):
            try:
                return self._once(url, body, most)
            except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
                if not left:
                    why = f"{type(error).__name__} {error}".rstrip()
                    raise StoreUnreachable(path=url, why=why) from error
        raise AssertionError

    def _once(self, url: str, body: bytes | None, most: int) -> Reply:
        assert self._client is not None
        method = "GET" if body is None else "POST"
        end = time.monotonic() + _SLOWEST * self._patience
        with self._client.stream(method, url, content=body) as answer:
            data = bytearray()
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) > most:
                    raise StoreUnreachable(path=url, why=f"it answers more than {most} bytes")
                if time.monotonic() > end:
                    raise StoreUnreachable(path=url, why="it answers too slowly")
            kind = answer.headers.get("content-type", "").partition(";")[0].strip()
            return Reply(answer.status_code, kind, bytes(data))


class Source(Protocol):
    """Where the files of a log are read, by their names below ``log/``."""

    def get(self, name: str) -> bytes:
        """Return a file; raise NotFound, or StoreUnreachable."""
        ...


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, name: str) -> bytes:
        try:
            with (self._root / name).open("rb") as file:
                return file.read(_LARGEST + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFound(what=self._root / name) from error
        except OSError as error:
            raise StoreUnreachable(path=self._root / name, why=error.strerror) from error


class _Address:
    def __init__(self, base: str, web: Web) -> None:
        self._base = base
        self._web = web

    def get(self, name: str) -> bytes:
        url = self._base + name
        reply = self._web.ask(url, most=_LARGEST)
        if reply.status in _GONE:
            raise NotFound(what=url)
        if reply.status != _OK:
            raise StoreUnreachable(path=url, why=f"it answers {reply.status}")
        return reply.body


@contextmanager
def open_source(where: str | Path, patience: float) -> Iterator[tuple[Source, bytes]]:
    """Yield the log at *where* and its checkpoint; raise NotFound if there is none."""
    if isinstance(where, str) and where.startswith(("http://", "https://")):
        with Web(patience) as web:
            yield _first([_Address(f"{where.rstrip('/')}/{place}", web) for place in _PLACES])
    else:
        yield _first([_Folder(Path(where) / place) for place in _PLACES])


def _first(sources: list[_Folder] | list[_Address]) -> tuple[Source, bytes]:
    """Return the first that has a checkpoint, with it."""
    *others, last = sources
    for source in others:
        try:
            return source, source.get("checkpoint")
        except NotFound:
            continue
    return last, last.get("checkpoint")
