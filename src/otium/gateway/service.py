"""The service: models, engines, state and settings put together, and what is done with them."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from typing import NamedTuple, TypeVar

import aiohttp

from otium.engine import Endpoint, Engine, LlamaCpp
from otium.errors import EngineFailed, FingerprintDiffers, OtiumError, UnknownRecord
from otium.evidence import data, load_markdown
from otium.fingerprints import Fingerprint
from otium.gateway.chat import Chat
from otium.gateway.records import (
    Deprecation,
    Ending,
    Event,
    ModelObject,
    conversation_ended,
    deprecation,
    fault,
    model_object,
    model_retired,
    retired_record,
    timed_out,
    unavailable,
    unknown_model,
    upstream_failed,
)
from otium.gateway.state import State
from otium.gateway.upstream import Speaker, Upstream
from otium.lifecycle import ModelLife, Registry, revived
from otium.records import Digest, ModelId, Part, digest, later
from otium.residence import Limits, Residence, Running
from otium.revival import revive

T = TypeVar("T")
_LLAMA = LlamaCpp()
_MOST_EVENTS = 10_000


class Settings(Part):
    """How a service behaves. Times are seconds."""

    keys: tuple[str, ...] = ()
    """Bearer keys. With none, only this machine may ask."""
    offer_exit: tuple[ModelId, ...] = ()
    """The models that are offered the exit from a conversation."""
    exit_text: str = ""
    """How it is offered; by default as in ``data/exit-offer.md``."""
    site: str = ""
    """Where the public pages stand, without a slash at the end."""
    resident: int = 2
    """How many engines may be up at once."""
    idle_seconds: float = 300.0
    failure_seconds: float = 30.0
    """How long a failed start is remembered before it is tried again."""
    load_seconds: float = 120.0
    """How long a request waits for its engine. The start itself goes on."""
    answer_seconds: float = 600.0
    keepalive_seconds: float = 5.0
    """How often a waiting stream is told that it is not forgotten."""
    refresh_seconds: float = 1.0
    """How old the service's view of the ledger may be."""
    body_bytes: int = 4 << 20
    event_days: int = 90
    """How long audit events are kept."""


class View(NamedTuple):
    """What the ledger said when it was last read."""

    lives: dict[ModelId, ModelLife]
    reports: frozenset[str]
    """The models whose report is published."""
    read: float


class Service:
    """Everything behind the routes. Enter it on the event loop that serves it."""

    def __init__(
        self,
        registry: Registry,
        *,
        cache: Path,
        state: State,
        settings: Settings | None = None,
        engine: Engine = _LLAMA,
        upstreams: Mapping[ModelId, Endpoint] | None = None,
        pages: Path | None = None,
        writing: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Serve the models of *registry*.

        A model in *upstreams* is asked there; any other runs in *engine*, from the archive,
        with its weights in *cache*. *pages* is a static site to serve beside the API. Each
        ledger write happens inside a fresh *writing* block (``lambda: hold(home)``) and under
        `lock`, which whoever shares the registry with a running service must take too.
        """
        self.registry = registry
        self.state = state
        self.settings = settings or Settings()
        self.pages = pages
        self.lock = threading.RLock()
        self._cache = cache
        self._engine = engine
        self._upstreams = dict(upstreams or {})
        self._writing = writing
        self._offer = self.settings.exit_text or load_markdown(data("exit-offer.md")).body
        self._events: list[Event] = []
        self._engines: Residence
        self._upstream: Upstream
        self._view = View({}, frozenset(), float("-inf"))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve until the block ends; then stop every engine and keep what was noted."""
        some = self.settings
        limits = Limits(
            engines=some.resident,
            idle_seconds=some.idle_seconds,
            failure_seconds=some.failure_seconds,
        )
        self._engines = Residence(self._start, limits)
        self._reading = asyncio.Lock()
        await asyncio.to_thread(self._recover)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            self._upstream = Upstream(session, seconds=some.answer_seconds)
            flushing = asyncio.create_task(self._flush_often())
            try:
                yield
            finally:
                flushing.cancel()
                await self._engines.close()
                await self._flush()
                await asyncio.to_thread(self.state.close)

    # What is known of models

    async def view(self) -> View:
        """Return what the ledger says, read again if that was too long ago."""
        now = asyncio.get_running_loop().time()
        view = self._view
        if now - view.read < self.settings.refresh_seconds:
            return view
        async with self._reading:
            if self._view is view:
                self._view = await asyncio.to_thread(self._read, now)
            return self._view

    async def life(self, model: str) -> ModelLife:
        """Return a model's life, or raise Refused (404)."""
        life = (await self.view()).lives.get(ModelId(model))
        if life is None:
            raise unknown_model(model)
        return life

    def note_url(self, life: ModelLife) -> str | None:
        """Return where a deprecation is explained."""
        return f"{self.settings.site}/models/{life.model}/" if life.deprecated else None

    def report_url(self, life: ModelLife) -> str | None:
        """Return where the model's report stands, if it is published."""
        published = life.model in self._view.reports
        return f"{self.settings.site}/models/{life.model}/report/" if published else None

    def describe(self, life: ModelLife) -> ModelObject:
        """Return the model object."""
        return model_object(
            life,
            note=self.note_url(life),
            report=self.report_url(life),
            engine="loaded" if life.model in self._upstreams else self._engines.status(life.model),
        )

    async def deprecations(self) -> list[Deprecation]:
        """Return every announced deprecation, the earliest first."""
        lives = (await self.view()).lives.values()
        lines = [
            deprecation(life, note=self.note_url(life), report=self.report_url(life))
            for life in lives
        ]
        return sorted((line for line in lines if line), key=lambda line: line.deprecated_at)

    def loaded(self) -> list[ModelId]:
        """Return the models whose engine is up."""
        return self._engines.loaded()

    # Answering

    async def admit(self, chat: Chat, life: ModelLife, caller: str) -> None:
        """Raise Refused if this history or this model is closed. Starts nothing."""
        ending = await asyncio.to_thread(self.state.ended, chat.prefixes(caller))
        if ending is not None:
            raise conversation_ended(ending.model)
        self.check_open(life)

    def check_open(self, life: ModelLife) -> None:
        """Raise Refused if the model cannot be asked here."""
        if not life.in_service and life.availability in {"archived", "on-request"}:
            raise model_retired(retired_record(life, self.report_url(life)))
        if life.weights is None and life.model not in self._upstreams:
            raise unavailable("model_not_deposited", f"The weights of {life.model} are not here.")

    def prewarm(self, life: ModelLife) -> None:
        """Begin to start the model's engine."""
        if life.model not in self._upstreams:
            self._engines.prewarm(life.model)

    async def answer(
        self,
        chat: Chat,
        life: ModelLife,
        caller: str,
        speak: Callable[[Speaker, Running], Awaitable[T]],
        spoken: Callable[[], bool],
    ) -> T:
        """Let the model speak; once more with a fresh engine if the first one breaks.

        *spoken* tells whether the client has heard a part, after which nothing is repeated.
        """

        async def close(reason: str) -> None:
            await self._end(life.model, chat.prefixes(caller)[-1], reason)

        offer = self._offer if life.model in self.settings.offer_exit else ""
        why = ""
        for _ in range(2):
            async with self._run(life) as running:
                speaker = Speaker(self._upstream, running.endpoint, offer=offer, close=close)
                try:
                    return await speak(speaker, running)
                except EngineFailed as error:
                    why = str(error)
            await self._engines.discard(life.model, running)
            if spoken():
                break
        raise upstream_failed(why)

    @asynccontextmanager
    async def _run(self, life: ModelLife) -> AsyncIterator[Running]:
        async with AsyncExitStack() as stack:
            running = await self._running(life, stack)
            if life.weights not in (None, running.endpoint.identity.weights):
                why = f"What answers for {life.model} has other weights than the ledger says."
                raise unavailable("weights_differ", why)
            yield running

    async def _running(self, life: ModelLife, stack: AsyncExitStack) -> Running:
        endpoint = self._upstreams.get(life.model)
        if endpoint is not None:
            return Running(endpoint=endpoint)
        patience = self.settings.load_seconds
        try:
            return await stack.enter_async_context(self._engines.lease(life.model, patience))
        except TimeoutError as error:
            why = f"{life.model} is not up within {patience:g} s; its start goes on. Ask again."
            raise timed_out("revival_timeout", why) from error
        except FingerprintDiffers as error:
            raise unavailable("fingerprint_differs", str(error)) from error
        except OtiumError as error:
            why = f"{life.model} could not be started: {fault(error)}."
            raise unavailable("revival_failed", why) from error

    # In threads

    @contextmanager
    def _start(self, model: ModelId) -> Iterator[Running]:
        """Run a model from the archive, certified; a retired one's revival is logged first."""
        with self.lock:
            life = self.registry.model(model)
            now = self.registry.now()
            fingerprint = self._fingerprint(model)
        with revive(
            self.registry.archive,
            model,
            self._cache,
            engine=self._engine,
            fingerprint=fingerprint,
            now=now,
        ) as alive:
            if not life.in_service:
                with self.lock, self._writing():
                    revived(self.registry, model, alive.certificate)
            yield Running(endpoint=alive.endpoint, certificate=alive.certificate)

    def _fingerprint(self, model: ModelId) -> Fingerprint | None:
        try:
            return self.registry.filed(model, "fingerprint.json", Fingerprint)
        except UnknownRecord:
            return None

    def _read(self, now: float) -> View:
        with self.lock:
            lives = {life.model: life for life in self.registry.models()}
            reports = frozenset(entry.subject for entry in self.registry.find("report.published"))
        return View(lives, reports, now)

    # Endings and events

    async def _end(self, model: ModelId, prefix: str, reason: str) -> None:
        """Close a history durably, then tell the ledger."""
        ending = Ending(
            prefix=prefix,
            salt=secrets.token_hex(16),
            model=model,
            by="model",
            reason=reason,
            ended=self.registry.clock.now(),
        )
        if await asyncio.to_thread(self.state.end, ending):
            await asyncio.to_thread(self._tell_ledger)

    def _tell_ledger(self) -> None:
        """Log each ending that the ledger does not have. Its choice stands if that fails."""
        try:
            with self.lock, self._writing():
                for ending in self.state.unlogged():
                    self._log_ending(ending)
        except (OtiumError, OSError) as error:
            self.note(model="", status=500, code=f"ledger: {type(error).__name__}")

    def _log_ending(self, ending: Ending) -> None:
        prefix = commitment(ending)
        known = self.registry.find("conversation.ended", ending.model)
        if not any(entry.body.get("prefix") == prefix for entry in known):
            body = {"prefix": prefix, "by": ending.by, "reason": ending.reason}
            self.registry.log("conversation.ended", ending.model, body)
        self.state.mark_logged(ending.prefix)

    def _recover(self) -> None:
        self._tell_ledger()
        now = self.registry.clock.now()
        self.state.forget_events(later(now, days=-self.settings.event_days))

    def note(
        self,
        *,
        model: str,
        status: int,
        code: str,
        weights: str = "",
        seconds: float = 0.0,
        streamed: bool = False,
    ) -> None:
        """Keep an audit event; it is written a moment later."""
        event = Event(
            time=self.registry.clock.now(),
            model=model[:100],
            status=status,
            code=code,
            weights=weights,
            milliseconds=round(seconds * 1000),
            streamed=streamed,
        )
        if len(self._events) < _MOST_EVENTS:
            self._events.append(event)

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self._flush()

    async def _flush(self) -> None:
        events, self._events = self._events, []
        if events:
            await asyncio.to_thread(self.state.note, events)


def commitment(ending: Ending) -> Digest:
    """Return what the ledger says of a closed history: a hash that nobody can guess from it."""
    return digest(bytes.fromhex(ending.salt) + bytes.fromhex(ending.prefix))
