r"""Listening: HTTP/1.1 for a public service, under uvicorn's server, at the least cost a request.

Knows connections, whole requests, the limits that hold before anyone is asked who they are, and
answers: whole, or a stream that waits for its reader. Does not know routes, models or keys: an
`Application` answers. Writes nothing.

uvicorn still owns the sockets, the signals and the drain; `Listener.connection` stands where its
own protocol class would. A request is parsed by llhttp (httptools), read to its end, and only
then given to one task, which ends if the client leaves. `over_asgi` asks an ASGI application.

>>> Request(b"GET", b"/v1/models?limit=1", {}).path
'/v1/models'
>>> block({"Retry-After": "5"})
b'retry-after: 5\r\n'
"""

from otium.listening.asgi import over_asgi
from otium.listening.connection import Connection
from otium.listening.listener import Application, Limits, Listener
from otium.listening.outlet import Outlet, block
from otium.listening.request import Request

__all__ = [
    "Application",
    "Connection",
    "Limits",
    "Listener",
    "Outlet",
    "Request",
    "block",
    "over_asgi",
]
