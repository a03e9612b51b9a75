"""A witness on the network. The server is loaded only when one is wanted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otium.errors import BadInput, LedgerError
from otium.witness.witness import Witness

if TYPE_CHECKING:
    import uvicorn

_PATIENCE = 5
"""Seconds that open answers have to finish when the service stops."""
_WAIT = 30


def serve(witness: Witness, host: str = "127.0.0.1", port: int = 8080) -> None:
    """Serve *witness* until the process is told to end; raise BadInput if it cannot listen."""
    with _listening(host, port) as listener:
        _server(witness).run([listener])


@contextmanager
def background(witness: Witness) -> Iterator[str]:
    """Serve *witness* to this machine in a thread until the block ends; yield its address."""
    with _listening("127.0.0.1", 0) as listener:
        server = _server(witness)
        thread = threading.Thread(target=server.run, args=([listener],), name="otium-witness")
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_WAIT)
            if thread.is_alive():
                raise LedgerError(message="The witness did not stop.")


def _server(witness: Witness) -> uvicorn.Server:
    import uvicorn

    from otium.witness.app import create_app

    config = uvicorn.Config(
        create_app(witness),
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    return uvicorn.Server(config)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only for sockets that name their protocol: it costs 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()  # so that who asks early waits, and is not refused
        except OSError as error:
            raise BadInput(what=f"the address {host}:{port}", why=error) from error
        yield listener
