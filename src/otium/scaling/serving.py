"""Replicas on a Ray cluster for as long as somebody minds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otium.records import Part
from otium.scaling.cluster import cluster

LOOPBACK = "127.0.0.1"
_NAME = "otium"


class Replicas(Part):
    """How many serve, how many models each keeps up, and where they are asked."""

    replicas: int = 2
    engines: int = 1
    """Engines that each keeps up at once."""
    host: str = LOOPBACK
    port: int = 8423

    @property
    def url(self) -> str:
        """Return the address for a gateway."""
        return f"http://{self.host}:{self.port}/v1"


@contextmanager
def serving(place: Path, wanted: Replicas, *, ray: str = "local", key: str = "") -> Iterator[str]:
    """Run *wanted* replicas for the home at *place* until the block ends; yield their address.

    Who asks has to show *key*, if there is one. The revivals of retired models wait to be logged:
    call `log_revivals` again and again meanwhile. Raises Unsupported, NoCluster.
    """
    with cluster(ray, wanted.replicas):
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
            yield wanted.url
        finally:
            serve.delete(_NAME)
            if ray == "local":
                serve.shutdown()
