"""A house with models at every stage of life, served over real HTTP; engines that break."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from otium.admission import Line, read_lines
from otium.closure import Closings, Method, Policy, Probed
from otium.database import open_database
from otium.engine import Endpoint, Engine, Identity, Model
from otium.gateway import Service, Settings, background
from otium.lifecycle import Availability, Registry, Surface, deprecate, retire, set_availability
from otium.quotas import TABLES
from otium.records import Digest, Instant, ModelId, digest
from otium.testing import FixedClock, Scripted, ServedEngine

AT_ONCE = Policy(redirections=0)
"""The exit with the first message, not only as a last resort."""
QUICK = Settings(refresh_seconds=0, keepalive_seconds=30, failure_seconds=0, site="https://x.org")


@dataclass
class Lab:
    """What a test of the gateway works with."""

    house: Registry
    clock: FixedClock
    weights: Path
    folder: Path
    stack: ExitStack
    services: list[Service] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Where the state of its services lies."""
        return f"sqlite:///{self.folder / 'state.sqlite'}"

    def lines(self) -> list[Line]:
        """Return the audit log."""
        engine = open_database(self.state, TABLES)
        try:
            return read_lines(engine)
        finally:
            engine.dispose()

    def active(self, name: str = "alder-1") -> ModelId:
        """Register and deposit a model."""
        model = ModelId(name)
        self.house.register(
            model, title=name.title(), released="2025-06-01", scope="public", surfaces=["api"]
        )
        self.house.deposit(model, self.weights)
        return model

    def deprecated(self, name: str = "alder-1") -> ModelId:
        """Announce a retirement, on 1 April 2026, in favour of birch-2."""
        self.active("birch-2")
        model = self.active(name)
        dates: dict[Surface, Instant] = {"api": Instant("2026-04-01T00:00:00Z")}
        deprecate(
            self.house,
            model,
            retire_at=dates,
            replacement="birch-2",
            reason="its successor is out",
            force=True,
        )
        return model

    def retired(self, name: str = "alder-1", offer: Availability = "on-demand") -> ModelId:
        """Retire a model that stays available as *offer* says."""
        model = self.deprecated(name)
        self.clock.move_to("2026-04-02T00:00:00Z")
        retire(self.house, model, force=True, reason="a test")
        set_availability(self.house, model, offer)
        return model

    def service(
        self,
        model: Model | None = None,
        *,
        engine: Engine | None = None,
        upstreams: dict[ModelId, Endpoint] | None = None,
        **changes: Any,
    ) -> Service:
        """Compose a service whose engines are *engine*, or all run *model*."""
        speaking = model or Scripted(["Good day to you."])
        service = Service(
            self.house,
            cache=self.folder / "cache",
            state=self.state,
            journal=self.folder / "journal",
            settings=msgspec.structs.replace(QUICK, **changes),
            engine=engine or ServedEngine(speaking),
            upstreams=upstreams,
        )
        self.services.append(service)
        return service

    @contextmanager
    def serve(self, service: Service) -> Iterator[httpx2.Client]:
        """Serve over loopback; yield a client."""
        key = next(iter(service.settings.keys), "none")
        with (
            background(service) as url,
            httpx2.Client(base_url=f"{url}/v1", timeout=20, trust_env=False) as client,
        ):
            client.headers["Authorization"] = f"Bearer {key}"
            yield client

    def knows(self, model: ModelId, method: Method = "schema", engine: str = "") -> ModelId:
        """Let a probe have found that *model* can leave by *method* on *engine*."""
        weights = self.house.model(model).weights or ""
        closings = Closings.at(self.folder / "state.sqlite")
        closings.policies.keep(
            Probed(
                model=model,
                weights=weights,
                engine=engine or "planted/1",
                method=method,
                how="template",
                rendered="",
                trials=(),
                probed=self.clock.now(),
            )
        )
        closings.close()
        return model

    def client(self, model: Model | None = None, **changes: Any) -> httpx2.Client:
        """Serve until the test ends; return a client."""
        return self.stack.enter_context(self.serve(self.service(model, **changes)))


@pytest.fixture
def lab(house: Registry, clock: FixedClock, weights: Path, tmp_path: Path) -> Iterator[Lab]:
    with ExitStack() as stack:
        yield Lab(house, clock, weights, tmp_path, stack)


Act = Callable[[BaseHTTPRequestHandler, dict[str, object]], None]


class Upstream:
    """A server that does what it is told, request by request, and keeps what it was asked."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.asked: list[dict[str, object]] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(length))
                upstream.asked.append(body)
                act = upstream.acts.pop(0) if len(upstream.acts) > 1 else upstream.acts[0]
                with suppress(BrokenPipeError, ConnectionResetError):
                    act(self, body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def endpoint(self, model: str, weights: Digest | None) -> Endpoint:
        identity = Identity(model=ModelId(model), weights=weights or digest(b""), engine="told/1")
        url = f"http://127.0.0.1:{self.server.server_port}/v1"
        return Endpoint(base_url=url, api_key="secret", identity=identity)

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    one = Upstream()
    yield one
    one.close()
