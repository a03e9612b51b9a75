"""The edge of watching: where tables are fetched from, and the file that remembers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from otium.errors import BadData, NotFound, OtiumError, StoreUnreachable
from otium.feeds.others import MOST_BYTES, Table, read_table
from otium.feeds.watching import Watching
from otium.store import LocalStore

if TYPE_CHECKING:
    import httpx2

_FILE = "watch.json"
_PATIENCE, _LONGEST = 30.0, 120.0
"""Seconds to wait for a sign of life, and for the whole."""
_OK = 200


def fetch_table(source: str) -> Table:
    """Return the table at *source*, a file or an http(s) URL.

    Raises NotFound, StoreUnreachable, BadData. The network is used for a URL only.
    """
    return read_table(_download(source) if _is_url(source) else _file(Path(source)), source)


def place(source: str) -> str:
    """Return a URL as it is, and the path of a file so that it holds in any directory."""
    return source if _is_url(source) else str(Path(source).absolute())


def fetch_tables(watching: Watching) -> tuple[dict[str, Table], dict[str, str]]:
    """Return the table of each source that is watched, and why others could not be had."""
    tables, unread = {}, {}
    for source in dict.fromkeys(one.source for one in watching.models):
        try:
            tables[source] = fetch_table(source)
        except OtiumError as error:
            unread[source] = str(error)
    return tables, unread


def load_watching(home: Path) -> Watching:
    """Return what the home at *home* watches, nothing if it has no such file; raise BadRecord."""
    try:
        data = LocalStore(home).get(_FILE)
    except NotFound:
        return Watching()
    return Watching.decode(data)


def save_watching(home: Path, watching: Watching) -> None:
    """Keep what is watched, in one step."""
    LocalStore(home).replace(_FILE, watching.encode())


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _file(path: Path) -> bytes:
    if not path.is_file():
        raise NotFound(what=f"the file {path}")
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _download(url: str) -> bytes:
    import httpx2

    try:
        with (
            httpx2.Client(timeout=_PATIENCE, follow_redirects=True, max_redirects=5) as client,
            client.stream("GET", url, headers={"Accept": "application/json"}) as reply,
        ):
            return _body(url, reply)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        why = f"{type(error).__name__} {error}".rstrip()
        raise StoreUnreachable(path=url, why=why) from error


def _body(url: str, reply: httpx2.Response) -> bytes:
    if reply.status_code != _OK:
        raise StoreUnreachable(path=url, why=f"it answered {reply.status_code}")
    data, until = bytearray(), time.monotonic() + _LONGEST
    for chunk in reply.iter_bytes():
        data += chunk
        if time.monotonic() > until:
            raise StoreUnreachable(path=url, why=f"it took more than {_LONGEST:g} s")
        if len(data) > MOST_BYTES:
            raise BadData(path=url, why=f"it has more than {MOST_BYTES >> 20} MiB")
    return bytes(data)
