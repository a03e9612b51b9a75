"""Replicas on a Ray cluster for as long as somebody minds them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

from otium.errors import Held, NoCluster
from otium.records import Part
from otium.scaling.cluster import cluster
from otium.scaling.reviving import log_revivals
from otium.workflow import Home, turn

_NAME = "otium"
_LOOK = 0.1
"""Seconds between two looks for revivals."""


class Replicas(Part):
    """How many serve, how many models each keeps up, and where they are asked."""

    replicas: int = 2
    engines: int = 1
    """Engines that each keeps up at once."""
    host: str = "127.0.0.1"
    port: int = 8423

    @property
    def url(self) -> str:
        """Return the address for a gateway."""
        return f"http://{self.host}:{self.port}/v1"


@contextmanager
def serving(place: Path, wanted: Replicas, *, ray: str = "local", key: str = "") -> Iterator[str]:
    """Run *wanted* replicas for the home at *place* until the block ends; yield their address.

    Who asks has to show *key*, if there is one. The revivals of retired models wait to be logged:
    let somebody `mind` them. Raises Unsupported, NoCluster.
    """
    with cluster(ray, wanted.replicas):
        logging.getLogger("ray").setLevel(logging.WARNING)
        from ray import serve

        from otium.scaling.replicas import application

        serve.start(
            http_options={"host": wanted.host, "port": wanted.port, "location": "HeadOnly"},
            logging_config={"log_level": "WARNING", "enable_access_log": False},
        )
        try:
            serve.run(
                application(
                    str(place.absolute()),
                    replicas=wanted.replicas,
                    engines=wanted.engines,
                    key=key,
                ),
                name=_NAME,
                route_prefix="/",
            )
            _see(wanted, ray)
            yield wanted.url
        finally:
            serve.delete(_NAME)
            if ray == "local":
                serve.shutdown()


def _see(wanted: Replicas, ray: str) -> None:
    """Raise NoCluster if Serve, which may have run before, does not listen where it should."""
    try:
        connection = HTTPConnection(wanted.host, wanted.port, timeout=30)
        connection.request("GET", "/health")
        found = connection.getresponse().status
        connection.close()
    except OSError as error:
        why = f"nothing answers at {wanted.url}; its Serve may listen elsewhere ({error})"
        raise NoCluster(address=ray, why=why) from error
    if found != HTTPStatus.OK:
        raise NoCluster(address=ray, why=f"{wanted.url} answers {found}")


def mind(home: Home) -> None:
    """Log what replicas bring back, for ever; *home* is shared, and held for each entry."""
    while True:
        with suppress(Held):  # somebody else's turn
            log_revivals(home, lambda: turn(home))
        time.sleep(_LOOK)
