"""The service: models, engines, state and settings put together, and what is done with them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from typing import IO, Protocol, TypeVar

from otium.admission import Caller
from otium.asking import Upstream
from otium.dialects import Chat
from otium.engine import Endpoint, Engine, LlamaCpp
from otium.errors import EngineFailed, FingerprintDiffers, OtiumError, Refused, UnknownRecord
from otium.fingerprints import Fingerprint
from otium.gateway.catalog import Catalog, Known, Revival, Revivals, Start
from otium.gateway.door import Door
from otium.gateway.leaving import Leaving, Speaker, Turn
from otium.gateway.records import (
    Settings,
    draining,
    fault,
    timed_out,
    too_many,
    unavailable,
    upstream_failed,
)
from otium.gateway.watch import Watch
from otium.inband import EngineStatus, browned_out, closed, explained
from otium.lifecycle import Registry, revived
from otium.records import Digest, ModelId, SystemClock
from otium.residence import Limits, Residence, Running
from otium.revival import revive
from otium.telemetry import LogLines
from otium.wire import Lines, Session

T = TypeVar("T")
_LLAMA = LlamaCpp()


class Open(Protocol):
    """A request that is under way."""

    def cut(self) -> None:
        """End it: the service cannot wait any longer."""
        ...


class Service:
    """Everything behind the routes. Enter it on the event loop that serves it."""

    catalog: Catalog
    revivals: Revivals
    watch: Watch

    def __init__(
        self,
        registry: Registry,
        *,
        cache: Path,
        state: str,
        settings: Settings | None = None,
        engine: Engine = _LLAMA,
        upstreams: Mapping[ModelId, Endpoint] | None = None,
        pages: Path | None = None,
        writing: Callable[[], AbstractContextManager[object]] = nullcontext,
        journal: Path | None = None,
        log: IO[bytes] | None = None,
    ) -> None:
        """Serve the models of *registry*; *log* takes JSON lines, *pages* is a site beside the API.

        A model in *upstreams* is asked there; any other runs in *engine*, from the archive, with
        its weights in *cache*. Each ledger write happens inside a fresh *writing* block
        (``lambda: hold(home)``) and under `lock`, which whoever shares the registry takes too.
        *state* is the URL of the database of keys, audit log and ended conversations, which
        several services may share; in the folder *journal* a killed one leaves what it had drawn
        of budgets.
        """
        self.registry = registry
        self.settings = settings or Settings()
        self.door = Door(state, self.settings, journal)
        self.pages = pages
        self.lock = threading.RLock()
        self.draining = False
        self._cache = cache
        self._engine = engine
        self._upstreams = {
            model: _Fixed(Running(endpoint=at)) for model, at in (upstreams or {}).items()
        }
        self._writing = writing
        self._lines = LogLines(log)
        self._open: set[Open] = set()
        self._engines: Residence
        self._upstream: Upstream
        self._loop: asyncio.AbstractEventLoop | None = None
        self.leaving = Leaving(self.registry, state, self._held, self.settings, self._failed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve until the block ends; then stop every engine and keep what was noted."""
        some = self.settings
        self._loop = asyncio.get_running_loop()
        self.draining = False
        limits = Limits(
            engines=some.resident,
            idle_seconds=some.idle_seconds,
            failure_seconds=some.failure_seconds,
        )
        self._engines = Residence(self._start, limits)
        await asyncio.to_thread(self.door.open)
        self._compose(self._loop)
        await asyncio.to_thread(self.leaving.tell_ledger)
        client = Lines() if some.client == "own" else Session()
        self._upstream = Upstream(client, seconds=some.answer_seconds)
        minding = asyncio.create_task(self._mind())
        self.watch.log("started", models=len(self.registry.models()))
        try:
            yield
        finally:
            minding.cancel()
            await self._engines.close()
            await client.close()
            self.watch.log("stopped", open=len(self._open))
            self.watch.gather()
            await asyncio.to_thread(self.watch.flush)
            await asyncio.to_thread(self.leaving.close)
            await asyncio.to_thread(self.door.close)
            self._loop = None

    def _compose(self, loop: asyncio.AbstractEventLoop) -> None:
        some, now = self.settings, self.registry.clock.now
        self.watch = Watch(self.door.note, SystemClock().now, self._lines)
        self.revivals = Revivals(loop.time, now)
        self.revivals.ended = lambda *what: _told(loop, self.watch.revival, *what)
        self.catalog = Catalog(self.registry, self.lock, some, self.status, self.revivals)
        self.catalog.leaving = self.leaving.facts
        gauge = self.watch.metrics.gauge
        gauge("otium_open_requests", "Under way.", (), lambda: {(): len(self._open)})
        gauge("otium_engines_loaded", "Engines up.", (), lambda: {(): len(self.loaded())})
        lost = "Lines of the audit log that were not kept."
        gauge("otium_audit_dropped", lost, (), lambda: {(): self.door.dropped})
        gauge("otium_draining", "1 if about to end.", (), lambda: {(): int(self.draining)})

    # What is known of engines

    def status(self, model: ModelId) -> EngineStatus:
        """Return whether the model's engine is up."""
        return "loaded" if model in self._upstreams else self._engines.status(model)

    def loaded(self) -> list[ModelId]:
        """Return the models whose engine is up."""
        return self._engines.loaded()

    # Taking requests

    def take(self, request: Open) -> None:
        """Count a request as under way, or raise Refused if no more are taken."""
        if self.draining:
            raise draining()
        if len(self._open) >= self.settings.open_requests:
            raise too_many(self.settings.open_requests)
        self._open.add(request)

    def leave(self, request: Open) -> None:
        """Count a request as done."""
        self._open.discard(request)

    def drain(self) -> None:
        """Take no new work; end what is open when its time is over. Callable from any thread."""
        if self.draining or self._loop is None:
            return
        self.draining = True
        self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self.watch.log("draining", open=len(self._open))
        asyncio.get_running_loop().call_later(self.settings.drain_seconds, self._cut)

    def _cut(self) -> None:
        for request in list(self._open):
            request.cut()

    async def admit(self, chat: Chat, known: Known, caller: Caller | None) -> Turn:
        """Return the turn; raise Refused if history or model is closed. Starts nothing."""
        turn = await self.leaving.check(chat, known.life.model, caller.id if caller else "")
        self.check_open(known, caller)
        return turn

    def check_open(self, known: Known, caller: Caller | None) -> None:
        """Raise Refused if the model cannot be asked here."""
        life = known.life
        refused = closed(life, known.urls, granted=caller is not None and caller.opens)
        if refused is not None:
            raise refused
        if known.brownouts and life.state == "deprecated":
            now = self.registry.clock.now()
            for window in known.brownouts:
                if window.starts <= now < window.ends:
                    raise browned_out(life, known.urls, window, now)
        if life.weights is None and life.model not in self._upstreams:
            raise unavailable("model_not_deposited", f"The weights of {life.model} are not here.")

    def prewarm(self, known: Known) -> Revival | None:
        """Begin to start the model's engine; return its start, or None if it is up or all but."""
        model = known.life.model
        if self.status(model) == "loaded":
            return None
        self._begin(model)
        self._engines.prewarm(model)
        return self.revivals.current(model)

    def _begin(self, model: ModelId) -> None:
        """Note a start, unless the engine is up or coming up: then it was noted."""
        if self._engines.status(model) not in {"loaded", "loading"}:
            self.revivals.begin(model)

    async def answer(
        self,
        turn: Turn,
        known: Known,
        speak: Callable[[Speaker, Running], Awaitable[T]],
        spoken: Callable[[], bool],
    ) -> T:
        """Let the model speak; once more with a fresh engine if the first one breaks.

        *spoken* tells whether the client has heard a part, after which nothing is repeated.
        """
        model, why = known.life.model, ""
        for _ in range(2):
            fixed = self._upstreams.get(model)
            async with fixed or self._running(known) as running:
                endpoint = running.endpoint
                if known.life.weights not in (None, endpoint.identity.weights):
                    why = f"What answers for {model} has other weights than the ledger says."
                    raise unavailable("weights_differ", why)
                speaker = await self.leaving.speaker(self._upstream, endpoint, turn)
                broke = False
                try:
                    return await speak(speaker, running)
                except EngineFailed as error:
                    why, broke = str(error), True
                finally:
                    if not broke:
                        self.leaving.count(turn, speaker)
            if fixed is None:
                await self._engines.discard(model, running)
            if spoken():
                break
        raise upstream_failed(why)

    @asynccontextmanager
    async def _running(self, known: Known) -> AsyncIterator[Running]:
        async with AsyncExitStack() as stack:
            yield await self._enter(known, stack)

    async def _enter(self, known: Known, stack: AsyncExitStack) -> Running:
        model, patience = known.life.model, self.settings.load_seconds
        self._begin(model)
        try:
            return await stack.enter_async_context(self._engines.lease(model, patience))
        except TimeoutError as error:
            why = f"{model} is not up within {patience:g} s; its start goes on. Ask again."
            current = self.revivals.current(model)
            where = {"Location": f"/v1/revivals/{current.id}"} if current else {}
            late = timed_out("revival_timeout", why, **where)
            raise explained(late, known.life, known.urls) from error
        except Refused:
            raise
        except OtiumError as error:
            raise explained(_unrevived(model, error), known.life, known.urls) from error
        finally:
            self._settle(model)

    def _settle(self, model: ModelId) -> None:
        """Forget a start that was noted and never came to run, as of one that failed just now."""
        start = self.revivals.current(model)
        if start and start.stage == "queued" and self._engines.status(model) != "loading":
            self.revivals.end(self.revivals.begin(model), "revival_failed")

    # In threads

    @contextmanager
    def _start(self, model: ModelId) -> Iterator[Running]:
        """Run a model from the archive, certified; a retired one's revival is logged first."""
        start = self.revivals.begin(model)
        try:
            with self.lock:
                life = self.registry.model(model)
                now = self.registry.now()
                fingerprint = self._fingerprint(model)

            def progress(what: str, done: int, total: int) -> None:
                del what
                start.stage = f"read {100 * done // max(1, total)}%"

            start.stage = "read"
            with revive(
                self.registry.archive,
                model,
                self._cache,
                engine=_Staged(self._engine, start),
                fingerprint=fingerprint,
                now=now,
                progress=progress,
            ) as alive:
                if not life.in_service:
                    with self._held():
                        revived(self.registry, model, alive.certificate)
                self.revivals.end(start)
                yield Running(endpoint=alive.endpoint, certificate=alive.certificate)
        except BaseException as error:
            self.revivals.end(start, _code(error))
            raise

    def _fingerprint(self, model: ModelId) -> Fingerprint | None:
        try:
            return self.registry.filed(model, "fingerprint.json", Fingerprint)
        except UnknownRecord:
            return None

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self.lock, self._writing():
            yield

    def _failed(self, code: str) -> None:
        self.watch.failed(code)

    def _flush(self) -> None:
        self.watch.flush()
        self.leaving.closings.policies.flush()

    async def _mind(self) -> None:
        """Write what was noted, every second."""
        while True:
            await asyncio.sleep(1)
            try:
                self.watch.gather()
                await asyncio.to_thread(self._flush)
            except Exception as error:  # noqa: BLE001  # nothing may end the minding
                self.watch.log("not_written", why=type(error).__name__)


class _Fixed:
    """What runs elsewhere, and needs no lease."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def __aenter__(self) -> Running:
        return self._running

    async def __aexit__(self, *_: object) -> None:
        pass


class _Staged:
    """An engine that tells when it is started: until then the archive is read."""

    def __init__(self, engine: Engine, start: Start) -> None:
        self._engine = engine
        self._start = start

    def run(
        self, files: Path, *, model: ModelId, weights: Digest
    ) -> AbstractContextManager[Endpoint]:
        self._start.stage = "start"
        return self._engine.run(files, model=model, weights=weights)


def _told(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *facts: object) -> None:
    """Have *what* called on the loop, unless that has ended."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(what, *facts)


def _code(error: BaseException) -> str:
    return "fingerprint_differs" if isinstance(error, FingerprintDiffers) else "revival_failed"


def _unrevived(model: ModelId, error: OtiumError) -> Refused:
    if isinstance(error, FingerprintDiffers):
        return unavailable("fingerprint_differs", str(error))
    return unavailable("revival_failed", f"{model} could not be started: {fault(error)}.")
