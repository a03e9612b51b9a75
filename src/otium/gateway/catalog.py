"""What is known of the models: their lives, as the ledger says, and their revivals here."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from statistics import quantiles
from typing import Literal, NamedTuple

from otium.feeds import Publisher, atom, lifecycle_calendar
from otium.gateway.records import Settings
from otium.inband import (
    Brownout,
    Deprecation,
    EngineStatus,
    ExitFacts,
    ModelObject,
    RevivalFacts,
    Urls,
    deprecation,
    lifecycle_headers,
    model_object,
    unknown_model,
)
from otium.ledger import Entry
from otium.lifecycle import ModelLife, Registry
from otium.listening import block
from otium.records import Instant, ModelId, Part
from otium.residence import Standing
from otium.revival import Stages

_REMEMBERED = 64
"""Revivals, and times of one model's revivals, that are kept."""


class Known(NamedTuple):
    """A model, and what every answer about it says."""

    life: ModelLife
    urls: Urls
    headers: Mapping[str, str]
    """What every answer about it says, errors too."""
    head: bytes
    """The same, as lines."""
    brownouts: tuple[Brownout, ...]


class View(NamedTuple):
    """What the ledger said when it was last read."""

    models: Mapping[str, Known]
    entries: tuple[Entry, ...]
    read: float


class Revival(Part):
    """An engine's start, as ``GET /v1/revivals/{id}`` shows it."""

    id: str
    model: ModelId
    status: Literal["running", "succeeded", "failed"]
    stage: str
    """``queued``; ``restore``, ``read`` or ``check`` with the share done; ``start``, ``certify``;
    ``ready`` or ``failed``."""
    started_at: Instant
    elapsed_s: float
    eta_s: float | None
    """Seconds still to wait, as its earlier revivals here took, else as others' of its size;
    None if there were none."""
    error: str | None
    standing: str
    """What the model's engine does now, in words."""
    object: Literal["revival"] = "revival"


class Start:
    """One start that is under way or was. Its stages are told in the thread that starts."""

    def __init__(self, model: ModelId, started_at: Instant, began: float) -> None:
        self.id = f"rev_{secrets.token_hex(8)}"
        self.model = model
        self.started_at = started_at
        self.began = began
        self.ended: float | None = None
        self.stages = Stages()
        self.error: str | None = None

    @property
    def stage(self) -> str:
        """Return what is done now."""
        if self.ended is not None:
            return "failed" if self.error else "ready"
        now = self.stages.now()
        if now.stage == "wait":
            return "queued"
        return f"{now.stage} {now.percent}%" if now.percent else now.stage


class Revivals:
    """Which starts are under way, what became of the last ones, and how long they take."""

    def __init__(self, time: Callable[[], float], now: Callable[[], Instant]) -> None:
        """Measure by *time*, date by *now*."""
        self._time = time
        self._now = now
        self._open: dict[ModelId, Start] = {}
        self._all: dict[str, Start] = {}
        self._took: dict[ModelId, deque[float]] = {}
        self._lock = threading.Lock()
        self.ended: Callable[[str, float], None] = lambda _result, _seconds: None
        """Told the result and the seconds of each start. Called in a thread."""
        self.explain: Callable[[ModelId], Standing]
        """Tells what happens with a model's engine. Called on the loop."""

    def begin(self, model: ModelId) -> Start:
        """Return the start of a model that is under way, or note a new one."""
        with self._lock:
            start = self._open.get(model)
            if start is None:
                start = Start(model, self._now(), self._time())
                self._open[model] = self._all[start.id] = start
                while len(self._all) > _REMEMBERED:
                    oldest = next(iter(self._all))
                    if self._open.get(self._all[oldest].model) is self._all[oldest]:
                        break
                    del self._all[oldest]
            return start

    def end(self, start: Start, error: str | None = None) -> None:
        """Note that a start has come to its end, with the code of what went wrong."""
        with self._lock:
            if self._open.get(start.model) is start:
                del self._open[start.model]
            if start.ended is not None:
                return
            start.ended, start.error = self._time(), error
            took = start.ended - start.began
            if error is None:
                self._took.setdefault(start.model, deque(maxlen=_REMEMBERED)).append(took)
        self.ended("failed" if error else "succeeded", took)

    def current(self, model: ModelId) -> Revival | None:
        """Return the start of a model that is under way."""
        start = self._open.get(model)
        return self._shown(start) if start else None

    def queued(self, model: ModelId) -> Start | None:
        """Return the start of a model that is noted and was not begun."""
        start = self._open.get(model)
        return start if start and start.stage == "queued" else None

    def find(self, ident: str) -> Revival | None:
        """Return a start by its id, or None if it is not remembered here."""
        start = self._all.get(ident)
        return self._shown(start) if start else None

    def eta(self, model: ModelId) -> tuple[float | None, float | None]:
        """Return the median and the 95th percentile of a model's revivals here."""
        took = self._took.get(model)
        if not took:
            return None, None
        if len(took) == 1:
            return took[0], took[0]
        cuts = quantiles(took, n=20, method="inclusive")
        return round(cuts[9], 3), round(cuts[18], 3)

    def _shown(self, start: Start) -> Revival:
        elapsed = (start.ended or self._time()) - start.began
        standing = self.explain(start.model)
        half, _ = self.eta(start.model)
        left = standing.eta_seconds if half is None else max(0.0, half - elapsed)
        over = start.ended is not None
        status: Literal["running", "succeeded", "failed"] = "running"
        if over:
            status = "failed" if start.error else "succeeded"
        return Revival(
            id=start.id,
            model=start.model,
            status=status,
            stage=start.stage,
            started_at=start.started_at,
            elapsed_s=round(elapsed, 3),
            eta_s=0.0 if over else None if left is None else round(left, 1),
            error=start.error,
            standing=standing.sentence(),
        )


class Catalog:
    """The models of a registry, read again when what is known is too old."""

    def __init__(
        self,
        registry: Registry,
        lock: threading.RLock,
        settings: Settings,
        status: Callable[[ModelId], EngineStatus],
        revivals: Revivals,
    ) -> None:
        """Read *registry* under *lock*; *status* tells whether a model's engine is up."""
        self._registry = registry
        self._lock = lock
        self._settings = settings
        self._status = status
        self._revivals = revivals
        self.leaving: Callable[[ModelId], ExitFacts | None] = lambda _model: None
        """Tells when a model is offered the exit."""
        self._reading = asyncio.Lock()
        self._view = View({}, (), float("-inf"))
        self._time = asyncio.get_running_loop().time

    async def view(self) -> View:
        """Return what the ledger says, read again if that was too long ago."""
        now = self._time()
        view = self._view
        if now - view.read < self._settings.refresh_seconds:
            return view
        async with self._reading:
            if self._view is view:
                self._view = await asyncio.to_thread(self._read, now)
            return self._view

    async def known(self, model: str) -> Known:
        """Return a model, or raise Refused (404)."""
        view = self._view
        if self._time() - view.read >= self._settings.refresh_seconds:
            view = await self.view()
        known = view.models.get(model)
        if known is None:
            raise unknown_model(model)
        return known

    async def successor(self, known: Known) -> Known:
        """Return the first model that follows a retired one and is in service, or the model."""
        models = (await self.view()).models
        seen, at = {known.life.model}, known
        while not at.life.in_service:
            following = models.get(at.life.replacement or "")
            if following is None or following.life.model in seen:
                return known
            seen.add(following.life.model)
            at = following
        return at

    def describe(self, known: Known) -> ModelObject:
        """Return the model object."""
        life, engine = known.life, self._status(known.life.model)
        revival = None
        if life.weights and (life.in_service or life.availability in {"always", "on-demand"}):
            half, most = self._revivals.eta(life.model)
            standing = self._revivals.explain(life.model)
            tier: Literal["running", "archive"] = "running" if engine == "loaded" else "archive"
            revival = RevivalFacts(
                tier=tier,
                eta_s_p50=half,
                eta_s_p95=most,
                size_bytes=standing.bytes or None,
                standing=standing.stage,
                waiting=standing.waiting,
                retry_s=round(standing.retry_seconds, 1),
                pinned=standing.pinned,
            )
        coming = self._coming(known.brownouts)
        return model_object(
            life,
            known.urls,
            engine=engine,
            revival=revival,
            brownouts=coming,
            leaving=self.leaving(life.model),
        )

    def deposited(self, model: ModelId) -> int | None:
        """Return the bytes of a model's files, as the ledger says; None if it does not."""
        for entry in reversed(self._view.entries):
            if entry.type == "model.deposited" and entry.subject == model:
                kept = entry.body.get("bytes")
                return kept if isinstance(kept, int) else None
        return None

    async def deprecations(self) -> list[Deprecation]:
        """Return every announced deprecation, the earliest first."""
        models = (await self.view()).models.values()
        lines = [deprecation(one.life, one.urls, self._coming(one.brownouts)) for one in models]
        return sorted((line for line in lines if line), key=lambda line: line.deprecated_at)

    async def calendar(self) -> str:
        """Return the models' dates as iCalendar."""
        lives = [one.life for one in (await self.view()).models.values()]
        return lifecycle_calendar(lives, self._publisher())

    async def atom(self) -> str:
        """Return what happened to the models as an Atom feed."""
        return atom((await self.view()).entries, self._publisher())

    def _coming(self, windows: Iterable[Brownout]) -> list[Brownout]:
        now = self._registry.clock.now()
        return [window for window in windows if window.ends > now]

    def _publisher(self) -> Publisher:
        info = self._registry.archive.info
        return Publisher(name=info.id, origin=info.origin, since=info.created)

    def _read(self, now: float) -> View:
        with self._lock:
            lives = self._registry.models()
            entries = tuple(self._registry.entries())
        if len(entries) == len(self._view.entries) and self._view.models:
            return self._view._replace(read=now)
        reports = {entry.subject for entry in entries if entry.type == "report.published"}
        return View({life.model: self._known(life, reports) for life in lives}, entries, now)

    def _known(self, life: ModelLife, reports: set[str]) -> Known:
        some = self._settings
        page = f"{some.site}/models/{life.model}/"
        asked = not life.in_service and life.availability == "on-request"
        access = some.access_url.replace("{model}", life.model) or f"{page}access/"
        urls = Urls(
            note=page if life.deprecated else None,
            report=f"{page}report/" if life.model in reports else None,
            access=access if asked else None,
        )
        headers = lifecycle_headers(life, note=urls.note)
        windows = tuple(one for one in some.brownouts if one.model == life.model)
        return Known(life, urls, headers, block(headers), windows)
