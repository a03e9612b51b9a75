"""The local page on this machine's own address, for as long as it is wanted."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otium.byhand.guard import Keys
from otium.errors import BadInput

if TYPE_CHECKING:
    import uvicorn

    from otium.byhand.desk import Desk

_HOST = "127.0.0.1"
_PATIENCE = 5
"""Seconds that open answers have to finish when the page is closed."""


def serve_desk(desk: Desk, port: int, tell: Callable[[str], None]) -> None:
    """Serve *desk* to this machine until the process is told to end.

    *tell* gets the address to open. *port* 0 takes a free one. Raises BadInput if another
    program listens there.
    """
    with listening(port) as listener:
        keys = Keys.fresh(listener.getsockname()[1])
        server = server_of(desk, keys)
        tell(keys.url)
        server.run([listener])


def server_of(desk: Desk, keys: Keys) -> uvicorn.Server:
    """Return a server of *desk* that does not listen yet."""
    import uvicorn

    from otium.byhand.app import create_app

    config = uvicorn.Config(
        create_app(desk, keys),
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    return uvicorn.Server(config)


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Yield a socket on *port* of this machine only; raise BadInput if it is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
            listener.listen()
        except OSError as error:
            raise BadInput(what=f"the address {_HOST}:{port}", why=error) from error
        yield listener
