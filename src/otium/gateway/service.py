"""The service: models, engines, state and settings put together, and what is done with them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
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
from otium.engine import Endpoint, Engine, External, LlamaCpp
from otium.errors import EngineFailed, FingerprintDiffers, OtiumError, Refused, UnknownRecord
from otium.fingerprints import Fingerprint
from otium.gateway.catalog import Catalog, Known, Revival, Revivals
from otium.gateway.door import Door
from otium.gateway.leaving import Leaving, Speaker, Turn
from otium.gateway.records import (
    Settings,
    check_weights,
    draining,
    not_started,
    not_yet,
    too_many,
    unavailable,
    upstream_failed,
)
from otium.gateway.watch import Watch
from otium.inband import EngineStatus, browned_out, closed, explained
from otium.lifecycle import ModelLife, Registry, revived
from otium.records import Digest, ModelId, Progress, SystemClock
from otium.residence import Residence, Running, Standing, estimate
from otium.revival import Cache, revive
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
    _engines: Residence
    _elsewhere: Residence
    """Engines of others: they take no room here."""
    _upstream: Upstream

    def __init__(
        self,
        registry: Registry,
        *,
        cache: Path | Cache,
        state: str,
        settings: Settings | None = None,
        engine: Engine = _LLAMA,
        upstreams: Mapping[ModelId, Endpoint | External] | None = None,
        pages: Path | None = None,
        writing: Callable[[], AbstractContextManager[object]] = nullcontext,
        journal: Path | None = None,
        log: IO[bytes] | None = None,
    ) -> None:
        """Serve the models of *registry*; *log* takes JSON lines, *pages* is a site beside the API.

        A model in *upstreams* is asked there: at an endpoint as it is, at an External one after a
        look and against its fingerprint. Any other runs in *engine*, from the archive, with its
        weights in *cache*. Each ledger write happens inside a fresh *writing* block
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
        self._upstreams = dict(upstreams or {})
        self._seen: dict[ModelId, Digest | None] = {}
        """The weights that hosts of others showed."""
        self._writing = writing
        self._lines = LogLines(log)
        self._open: set[Open] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.leaving = Leaving(registry, state, self._held, self.settings, self._failed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve until the block ends; then stop every engine and keep what was noted."""
        some = self.settings
        self._loop = asyncio.get_running_loop()
        self.draining = False
        await asyncio.to_thread(self.door.open)
        self._compose(self._loop)
        await asyncio.to_thread(self.leaving.tell_ledger)
        client = Lines() if some.client == "own" else Session()
        self._upstream = Upstream(client, seconds=some.answer_seconds)
        minding = asyncio.create_task(self._mind())
        pinning = asyncio.create_task(self._warm_pinned())
        self.watch.log("started", models=len(self.registry.models()))
        try:
            yield
        finally:
            minding.cancel()
            pinning.cancel()
            await asyncio.gather(self._engines.close(), self._elsewhere.close())
            await client.close()
            self.watch.gather()
            self.watch.log("stopped", open=len(self._open))
            await asyncio.to_thread(self.watch.flush)
            await asyncio.to_thread(self.leaving.close)
            await asyncio.to_thread(self.door.close)
            self._loop = None

    def _compose(self, loop: asyncio.AbstractEventLoop) -> None:
        some, now = self.settings, self.registry.clock.now
        self.watch = watch = Watch(self.door.note, SystemClock().now, self._lines)
        limits, tell = some.limits(), watch.engine
        self._engines = Residence(self._start, limits, sizes=self._size, tell=tell)
        elsewhere = some.limits_elsewhere()
        self._elsewhere = Residence(self._start, elsewhere, measure=lambda _: None, tell=tell)
        self.revivals = Revivals(loop.time, now)
        self.revivals.ended = lambda *what: _told(loop, self.watch.revival, *what)
        self.revivals.explain = self.explain
        self.catalog = Catalog(self.registry, self.lock, some, self.status, self.revivals)
        self.catalog.leaving = self.leaving.facts
        watch.gauge("otium_open_requests", "Under way.", lambda: len(self._open))
        watch.gauge("otium_engines_loaded", "Engines up.", lambda: len(self.loaded()))
        watch.gauge("otium_engines_bytes", "Set aside for engines.", lambda: self._engines.reserved)
        lost = "Lines of the audit log that were not kept."
        watch.gauge("otium_audit_dropped", lost, lambda: self.door.dropped)
        unread = "Times that keys could not be read, or rates and budgets not shared."
        watch.gauge("otium_admission_failures", unread, lambda: self.door.failures)
        watch.gauge("otium_draining", "1 if about to end.", lambda: int(self.draining))

    # What is known of engines

    def _of(self, model: ModelId) -> Residence:
        return self._elsewhere if model in self._upstreams else self._engines

    def explain(self, model: ModelId) -> Standing:
        """Return what happens with the model's engine, and why."""
        return self._of(model).explain(model)

    def status(self, model: ModelId) -> EngineStatus:
        """Return whether the model's engine is up. An endpoint that was given always is."""
        at = self._upstreams.get(model)
        return "loaded" if isinstance(at, Endpoint) else self._of(model).status(model)

    def loaded(self) -> list[ModelId]:
        """Return the models whose engine is up."""
        return self._engines.loaded() + self._elsewhere.loaded()

    def weights(self, known: Known) -> str:
        """Return the digest of what answers for a model, as far as it is known before it does."""
        elsewhere = isinstance(self._upstreams.get(known.life.model), External)
        digest = self._seen.get(known.life.model) if elsewhere else known.life.weights
        return digest or "unknown"

    def _size(self, model: ModelId) -> int | None:
        kept = self.catalog.deposited(model)
        return None if kept is None else estimate(kept)

    async def _warm_pinned(self) -> None:
        """Load the pinned models that can be asked."""
        models = (await self.catalog.view()).models
        for known in [models[one] for one in self.settings.pinned if one in models]:
            with suppress(Refused):
                self.check_open(known, None)
                self.prewarm(known)

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
        self._of(model).prewarm(model)
        self._settle(model)
        return self.revivals.current(model)

    def _begin(self, model: ModelId) -> None:
        """Note a start, unless the engine is up or coming up: then it was noted."""
        if self.status(model) not in {"loaded", "loading"}:
            self.revivals.begin(model)

    async def answer(
        self,
        turn: Turn,
        known: Known,
        speak: Callable[[Speaker, Running], Awaitable[T]],
        spoken: Callable[[], bool],
    ) -> T:
        """Let the model speak, as `Residence.serve` has it; *spoken*: a client has heard a part."""
        life, own = known.life, list[OtiumError]()
        engines, patience = self._of(life.model), self.settings.load_seconds

        async def work(running: Running) -> T:
            try:
                return await self._spoken(turn, life, speak, running)
            except OtiumError as error:
                own.append(error)
                raise

        self._begin(life.model)
        try:
            return await engines.serve(
                life.model, work, patience=patience, caller=turn.scope, again=lambda: not spoken()
            )
        except TimeoutError as error:
            late = not_yet(life.model, self.settings, self.revivals.current(life.model))
            raise explained(late, life, known.urls) from error
        except OtiumError as error:
            if error not in own:
                wait = self.explain(life.model).retry_seconds
                raise explained(not_started(life.model, error, wait), life, known.urls) from error
            if isinstance(error, EngineFailed):
                raise upstream_failed(str(error)) from error
            raise
        finally:
            self._settle(life.model)

    async def _spoken(
        self,
        turn: Turn,
        life: ModelLife,
        speak: Callable[[Speaker, Running], Awaitable[T]],
        running: Running,
    ) -> T:
        """Let the model speak; count the turn unless its engine broke."""
        speaker, broke = None, False
        try:
            check_weights(running, life)
            speaker = await self.leaving.speaker(self._upstream, running.endpoint, turn)
            return await speak(speaker, running)
        except EngineFailed:
            broke = True
            raise
        finally:
            if speaker and not broke:
                self.leaving.count(turn, speaker)

    def _settle(self, model: ModelId) -> None:
        """Forget a start that was noted and never came to run, as of one that failed just now."""
        if self.status(model) in {"failed", "unloaded"} and (start := self.revivals.queued(model)):
            self.revivals.end(start, "revival_failed")

    # In threads

    @contextmanager
    def _start(self, model: ModelId) -> Iterator[Running]:
        """Bring a model up, certified; a retired one's revival is logged first."""
        at = self._upstreams.get(model)
        if isinstance(at, Endpoint):
            yield Running(endpoint=at)
            return
        start = self.revivals.begin(model)
        try:
            with self.lock:
                life = self.registry.model(model)
            with self._alive(life, at or self._engine, start.stages) as running:
                if not life.in_service and life.weights:
                    with self._held():
                        revived(self.registry, model, running.certificate)
                self.revivals.end(start)
                yield running
        except BaseException as error:
            differs = isinstance(error, FingerprintDiffers)
            self.revivals.end(start, "fingerprint_differs" if differs else "revival_failed")
            raise

    @contextmanager
    def _alive(
        self, life: ModelLife, engine: Engine | External, stages: Progress
    ) -> Iterator[Running]:
        if isinstance(engine, External) and life.weights is None:
            yield Running(endpoint=engine.endpoint(life.model))
            return
        with self.lock:
            now, fingerprint = self.registry.now(), self._fingerprint(life.model)
            manifest = self.registry.manifest(life.model)
        with revive(
            self.registry.archive,
            life.model,
            self._cache,
            engine=engine,
            manifest=manifest,
            fingerprint=fingerprint,
            now=now,
            progress=stages,
        ) as alive:
            if isinstance(engine, External):
                self._seen[life.model] = alive.endpoint.identity.weights
            yield Running(endpoint=alive.endpoint, certificate=alive.certificate)

    def _fingerprint(self, model: ModelId) -> Fingerprint | None:
        try:
            return self.registry.filed(model, "fingerprint.json", Fingerprint)
        except UnknownRecord:
            return None

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._writing(), self.lock:  # whoever waits for the home keeps no reader waiting
            yield

    def _failed(self, code: str) -> None:
        self.watch.failed(code)

    def _flush(self) -> None:
        self.watch.flush()
        self.leaving.tidy()

    async def _mind(self) -> None:
        """Write what was noted, every second."""
        while True:
            await asyncio.sleep(1)
            try:
                self.watch.gather()
                await asyncio.to_thread(self._flush)
            except Exception as error:  # noqa: BLE001  # nothing may end the minding
                self.watch.log("not_written", why=type(error).__name__)


def _told(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *facts: object) -> None:
    """Have *what* called on the loop, unless that has ended."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(what, *facts)
