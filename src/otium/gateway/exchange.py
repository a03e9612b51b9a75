"""One request to a model, from its first byte to its last: raw ASGI, whichever API it comes by."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from otium.admission import Caller
from otium.dialects import ENDED_STOP, Chat, Dialect, Json, Rendering, fields, refuse
from otium.errors import Refused
from otium.gateway.catalog import Known, raw
from otium.gateway.door import key_of
from otium.gateway.leaving import Speaker, Turn
from otium.gateway.records import draining, fault, too_large
from otium.gateway.service import Service
from otium.gateway.watch import Asked
from otium.residence import Running
from otium.wire import Outlet

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_PROMPT = 0.05
"""Seconds after which it is watched whether the client is still there."""
_ENDED = (b"conversation-status", b"ended")
_BETA = b"otium-conversation-ended"
_encode = msgspec.json.Encoder().encode
_run = secrets.token_hex(6)
_numbers = count(1)


class Exchange:
    """One request."""

    __slots__ = (
        "_asked",
        "_began",
        "_caller",
        "_chat",
        "_cut",
        "_dialect",
        "_given",
        "_known",
        "_left",
        "_loop",
        "_outlet",
        "_over",
        "_receive",
        "_rendering",
        "_scope",
        "_service",
        "_side",
        "_task",
        "_timer",
        "_turn",
        "_waking",
    )

    def __init__(
        self, service: Service, dialect: Dialect, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer what *scope* begins, in *dialect*."""
        self._service = service
        self._dialect = dialect
        self._scope = scope
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._outlet = Outlet(send, self._loop.time)
        self._asked = Asked(dialect.name, f"req_{_run}{next(_numbers):x}")
        self._given: dict[bytes, bytes] = {}
        self._caller: Caller | None = None
        self._chat: Chat
        self._known: Known
        self._turn: Turn
        self._rendering: Rendering | None = None
        self._task: asyncio.Task[Any]
        self._timer: asyncio.TimerHandle | None = None
        self._waking: asyncio.TimerHandle | None = None
        self._began = self._loop.time()
        self._side: set[asyncio.Task[None]] = set()
        self._left = False
        self._cut = False
        self._over = False
        """Whether all was said: nobody can leave or be cut off any more."""

    async def run(self) -> None:
        """Answer, note what happened, and leave nothing behind."""
        asked, began = self._asked, self._began
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        try:
            await self._run()
        except Refused as refused:
            await self._refuse(refused)
        except asyncio.CancelledError:
            if not (self._left or self._cut):
                raise
            self._task.uncancel()
            if self._cut:
                await self._part_early()
        except Exception as error:
            asked.code, asked.status = type(error).__name__, 500
            message = f"The service failed: {fault(error)}."
            await self._say(refuse(500, "internal_error", message, type="server_error"))
            raise
        finally:
            self._service.leave(self)
            midway = self._left or self._cut or self._outlet.spoken
            self._service.door.settle(self._caller, asked, midway=midway)
            for timer in (self._timer, self._waking):
                if timer is not None:
                    timer.cancel()
            for beside in self._side:
                beside.cancel()
            asked.seconds = self._loop.time() - began
            asked.first = max(0.0, self._outlet.first - began)
            self._service.watch.request(asked)

    # What the service may do to it

    def cut(self) -> None:
        """End it: the service or its patience is at an end."""
        if not self._over:
            self._cut = True
            self._task.cancel()

    def stalled(self, before: float) -> bool:
        """Tell whether the client has taken nothing since *before*."""
        return 0 < self._outlet.sending < before

    async def _part_early(self) -> None:
        asked = self._asked
        if self._outlet.sending:
            asked.code = "stalled"
            self._outlet.abort()
            return
        asked.code, asked.status = "draining", 503
        await self._say(draining())

    # Its course

    async def _run(self) -> None:
        service, asked = self._service, self._asked
        given = self._given = dict(self._scope["headers"])
        ident = asked.id.encode()
        self._outlet.headers = [(b"x-request-id", ident), (b"request-id", ident)]
        service.take(self)
        secret = key_of(given)
        key = service.door.know(secret)
        asked.caller = key.id if key else ""
        body = await self._read()
        self._timer = self._loop.call_later(_PROMPT, self._watch_client)
        self._chat = chat = self._dialect.read(body)
        asked.model, asked.streamed = chat.model, chat.stream
        await self._find(chat)
        known = self._known
        asked.size = len(body)
        most = service.door.most(self._chat, asked.size)
        self._caller = await service.door.admit(secret, known, most)
        self._outlet.headers += raw(service.door.headers(self._caller))
        self._turn = await service.admit(self._chat, known, self._caller)
        if not chat.stream and await self._come_back_later(known):
            return
        self._outlet.headers += [
            (b"x-model-actual", known.life.model.encode()),
            (b"otium-weights", service.weights(known).encode()),
        ]
        if chat.stream:
            await self._stream()
        else:
            await self._complete()

    async def _find(self, chat: Chat) -> None:
        """Find the model; put another in its place only if the client asked for that."""
        requested = chat.model.encode("ascii", "replace")
        self._outlet.headers.append((b"x-model-requested", requested))
        known = await self._service.catalog.known(chat.model)
        self._asked.known = True
        self._outlet.headers += known.headers
        if not known.life.in_service and self._prefers(b"substitute=successor"):
            following = await self._service.catalog.successor(known)
            if following is not known:
                self._chat = msgspec.structs.replace(chat, model=following.life.model)
                applied = (b"preference-applied", b"substitute=successor")
                self._outlet.headers.append(applied)
                known = following
        self._known = known

    def _prefers(self, what: bytes) -> bool:
        given = self._given.get(b"prefer")
        return given is not None and what in {one.strip() for one in given.lower().split(b",")}

    async def _come_back_later(self, known: Known) -> bool:
        """Answer 202 if the model has to be revived and the client would rather not wait."""
        if not self._prefers(b"respond-async"):
            return False
        revival = self._service.prewarm(known)
        if revival is None:
            return False
        wait = max(1, round(revival.eta_s or self._service.settings.keepalive_seconds))
        headers = {
            "Location": f"/v1/revivals/{revival.id}",
            "Retry-After": str(wait),
            "Preference-Applied": "respond-async",
        }
        self._asked.code, self._asked.status = "reviving", 202
        await self._outlet.whole(202, _encode(revival), raw(headers))
        return True

    async def _read(self) -> bytes:
        most = self._service.settings.body_bytes
        length = self._given.get(b"content-length", b"")
        told = int(length) if length.isdigit() else 0
        first = await self._receive()
        data: bytes = first.get("body", b"")
        if first.get("more_body", False):
            parts, size = [data], len(data)
            more = max(told, size) <= most
            while more:
                part = await self._receive()
                parts.append(part.get("body", b""))
                size += len(parts[-1])
                more = part.get("more_body", False) and size <= most
            data = b"".join(parts)
        if max(told, len(data)) > most:
            raise too_large(most)
        return data

    async def _complete(self) -> None:
        async def speak(speaker: Speaker, running: Running) -> None:
            self._asked.heard = 0
            answer = await speaker.complete(self._chat)
            stamp = self._stamp(running)
            self._count(answer)
            whole = self._dialect.whole(answer, self._chat, stamp)
            self._outlet.spoken = self._over = True
            ended = [_ENDED] if _is_ended(answer) else []
            await self._outlet.whole(200, _encode(whole), ended)

        await self._answer(speak)

    async def _stream(self) -> None:
        async def speak(speaker: Speaker, running: Running) -> None:
            rendering = self._dialect.stream(self._chat, self._stamp(running))
            asked = self._chat.options.get("stream_options")
            uncounted = not (isinstance(asked, dict) and asked.get("include_usage"))
            self._asked.heard = heard = 0
            async with aclosing(speaker.stream(self._chat)) as parts:
                async for chunks in parts:
                    self._asked.heard = heard = heard + len(chunks)
                    await self._write(chunks, rendering, uncounted=uncounted)

        self._keep_alive()
        await self._answer(speak)
        rendering = self._rendering
        if rendering is None:
            rendering = self._dialect.stream(self._chat, {"model": self._chat.model})
        if not self._outlet.begun:
            await self._outlet.write(b"")
        self._over = True
        await self._outlet.finish(rendering.close())

    async def _write(self, chunks: list[Json], rendering: Rendering, *, uncounted: bool) -> None:
        outlet, data = self._outlet, b""
        headers: tuple[tuple[bytes, bytes], ...] = ()
        for chunk in chunks:
            if "usage" in chunk or "conversation" in chunk:
                self._count(chunk)
                if uncounted and not chunk["choices"]:
                    continue
                if not outlet.begun and _is_ended(chunk):
                    headers = (_ENDED,)
            data += rendering.feed(chunk)
        if not data:
            return
        if not outlet.spoken:
            self._rendering = rendering
            outlet.spoken = True
            outlet.first = self._loop.time()
        await outlet.write(data, *headers)

    async def _answer(self, speak: Callable[[Speaker, Running], Coroutine[Any, Any, None]]) -> None:
        outlet = self._outlet
        await self._service.answer(self._turn, self._known, speak, lambda: outlet.spoken)
        if self._asked.code == "gone":
            self._asked.code = "answered"

    def _stamp(self, running: Running) -> Json:
        """Return what each answer says beside the model's words: what exactly answered."""
        self._asked.weights = running.endpoint.identity.weights or ""
        stamp: Json = {
            "model": self._chat.model,
            "otium": {"weights": self._asked.weights, "certificate": _certificate(running)},
        }
        if self._dialect.name == "messages" and _BETA in self._given.get(b"anthropic-beta", b""):
            stamp[ENDED_STOP] = True
        return stamp

    def _count(self, answer: Json) -> None:
        if _is_ended(answer):
            self._asked.code = "ended"
        usage = answer.get("usage")
        if isinstance(usage, dict):
            read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
            self._asked.read = read if isinstance(read, int) else 0
            self._asked.written = written if isinstance(written, int) else 0

    # What goes on beside it

    def _watch_client(self) -> None:
        self._beside(self._gone())

    async def _gone(self) -> None:
        """End the work when the client has left. An engine that is starting is not disturbed."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._over:
            self._left = True
            self._task.cancel()

    def _keep_alive(self) -> None:
        """Tell a client that waits for the first word what is being done, now and then."""
        seconds = self._service.settings.keepalive_seconds
        self._waking = self._loop.call_later(seconds, self._still_waiting)

    def _still_waiting(self) -> None:
        if not self._outlet.spoken:
            if not self._outlet.sending:
                self._beside(self._comment())
            self._keep_alive()

    async def _comment(self) -> None:
        model = self._known.life.model
        waited = self._loop.time() - self._began
        await self._outlet.write(f": {self._doing(model)} waited={waited:.0f}s\n\n".encode())

    def _doing(self, model: str) -> str:
        if self._service.status(self._known.life.model) == "loaded":
            return f"thinking model={model}"
        revival = self._service.revivals.current(self._known.life.model)
        stage = revival.stage if revival else "queued"
        known = revival is not None and revival.eta_s is not None
        eta = f"{revival.eta_s:.0f}s" if revival and known else "unknown"
        return f"reviving model={model} stage={stage} eta={eta}"

    def _beside(self, work: Coroutine[None, None, None]) -> None:
        """Do *work* in a task of its own, until the exchange is over."""
        task = asyncio.create_task(work)
        self._side.add(task)
        task.add_done_callback(self._side.discard)

    # Errors

    async def _refuse(self, refused: Refused) -> None:
        self._asked.code, self._asked.status = refused.code, refused.status
        await self._say(refused)

    async def _say(self, refused: Refused) -> None:
        """Answer with an error; in a stream that has begun, as its last event."""
        outlet = self._outlet
        if not outlet.begun:
            outlet.headers = [one for one in outlet.headers if one[0] not in _OF_ANSWERS]
            data = _encode(self._dialect.error(refused))
            await outlet.whole(refused.status, data, raw(refused.headers))
        elif self._asked.streamed:
            rendering = self._rendering or self._dialect.stream(self._chat, {})
            await outlet.finish(rendering.fail(refused))


_OF_ANSWERS = {b"otium-weights", b"x-model-actual", b"preference-applied"}


def _is_ended(answer: Json) -> bool:
    return fields(answer.get("conversation")).get("status") == "ended"


def _certificate(running: Running) -> Json | None:
    certificate = running.certificate
    if certificate is None:
        return None
    return {
        "digest": certificate.digest(),
        "verdict": certificate.verdict,
        "certified": certificate.certified,
        "fingerprint": certificate.fingerprint,
    }
