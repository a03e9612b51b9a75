"""One request to a model, from when it is whole to its last byte, whichever API it came by."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from itertools import count
from typing import Any

import msgspec

from otium.admission import Caller
from otium.dialects import ENDED_STOP, Chat, Dialect, Json, Rendering, fields, refuse
from otium.errors import Refused
from otium.gateway.catalog import Known
from otium.gateway.door import key_of
from otium.gateway.leaving import Speaker, Turn
from otium.gateway.records import draining, fault
from otium.gateway.service import Service
from otium.gateway.watch import Asked
from otium.listening import Outlet, Request, block
from otium.records import ModelId
from otium.residence import Running

_ENDED = b"conversation-status: ended\r\n"
_SUBSTITUTED = b"preference-applied: substitute=successor\r\n"
_BETA = b"otium-conversation-ended"
_encode = msgspec.json.Encoder().encode
_run = secrets.token_hex(6)
_numbers = count(1)


class Exchange:
    """One request."""

    __slots__ = (
        "_asked",
        "_began",
        "_beta",
        "_caller",
        "_chat",
        "_comment",
        "_cut",
        "_dialect",
        "_head",
        "_known",
        "_loop",
        "_outlet",
        "_prefer",
        "_rendering",
        "_request",
        "_service",
        "_spoken",
        "_task",
        "_turn",
        "_waking",
    )

    def __init__(
        self, service: Service, dialect: Dialect, request: Request, outlet: Outlet
    ) -> None:
        """Answer *request*, made in *dialect*, by *outlet*."""
        self._service = service
        self._dialect = dialect
        self._request: Request | None = request
        self._outlet = outlet
        self._loop = asyncio.get_running_loop()
        self._began = time.perf_counter()
        self._asked = Asked(dialect.name, f"req_{_run}{next(_numbers):x}")
        self._head = b""
        """Header lines that an answer has and an error has not."""
        self._prefer = b""
        self._beta = False
        self._caller: Caller | None = None
        self._chat: Chat
        self._known: Known
        self._turn: Turn
        self._rendering: Rendering | None = None
        self._task: asyncio.Task[Any]
        self._waking: asyncio.TimerHandle | None = None
        self._comment: asyncio.Task[None] | None = None
        self._spoken = False
        """Whether the client has heard a part of the answer."""
        self._cut = False

    async def run(self) -> None:
        """Answer, note what happened, and leave nothing behind."""
        asked, task = self._asked, asyncio.current_task()
        assert task is not None
        self._task = task
        try:
            await self._run()
        except Refused as refused:
            self._refuse(refused)
        except asyncio.CancelledError:
            if not (self._outlet.lost or self._cut):
                raise
            task.uncancel()
            self._part_early()
        except Exception as error:
            asked.code, asked.status = type(error).__name__, 500
            message = f"The service failed: {fault(error)}."
            self._say(refuse(500, "internal_error", message, type="server_error"))
            raise
        finally:
            self._end()

    def _end(self) -> None:
        asked, outlet = self._asked, self._outlet
        self._service.leave(self)
        midway = bool(outlet.lost) or self._cut or self._spoken
        self._service.door.settle(self._caller, asked, midway=midway)
        for beside in (self._waking, self._comment):
            if beside is not None:
                beside.cancel()
        outlet.abort()
        asked.seconds = time.perf_counter() - self._began
        self._service.watch.request(asked)

    def cut(self) -> None:
        """End it: the service is at an end."""
        if not self._outlet.ended:
            self._cut = True
            self._task.cancel()

    def _part_early(self) -> None:
        asked, lost = self._asked, self._outlet.lost
        if lost:
            asked.code = lost
        else:
            asked.code, asked.status = "draining", 503
            self._say(draining())

    # Its course

    async def _run(self) -> None:
        service, secret = self._service, self._read()
        await self._find()
        chat, known, asked = self._chat, self._known, self._asked
        if service.door.guarded:
            most = service.door.most(chat, asked.size)
            self._caller = await service.door.admit(secret, known, most)
            self._outlet.head += block(service.door.headers(self._caller))
        self._turn = await service.admit(chat, known, self._caller)
        if chat.stream:
            await self._stream()
        elif not (self._prefers(b"respond-async") and self._come_back_later()):
            await self._complete()

    def _read(self) -> bytes:
        """Take what is needed from the request, and let go of it: a stream may be long.

        Returns the key that came with it.
        """
        request, self._request = self._request, None
        assert request is not None
        service, asked, headers = self._service, self._asked, request.headers
        ident = asked.id.encode()
        self._outlet.head += b"x-request-id: %b\r\nrequest-id: %b\r\n" % (ident, ident)
        service.take(self)
        if request.refused is not None:
            raise request.refused
        secret = key_of(headers)
        if key := service.door.know(secret):
            asked.caller = key.id
        self._prefer = headers.get(b"prefer", b"").lower()
        self._beta = _BETA in headers.get(b"anthropic-beta", b"")
        self._chat = chat = self._dialect.read(bytes(request.body))
        asked.size = len(request.body)
        asked.model, asked.streamed = chat.model, chat.stream
        return secret

    async def _find(self) -> None:
        """Find the model; put another in its place only if the client asked for that."""
        chat, outlet, catalog = self._chat, self._outlet, self._service.catalog
        outlet.head += b"x-model-requested: %b\r\n" % chat.model.encode()
        self._known = known = await catalog.known(chat.model)
        self._asked.known = True
        outlet.head += known.head
        if not known.life.in_service and self._prefers(b"substitute=successor"):
            following = await catalog.successor(known)
            if following is not known:
                self._chat = msgspec.structs.replace(chat, model=following.life.model)
                self._asked.answered = following.life.model
                self._head = _SUBSTITUTED
                self._known = following

    def _prefers(self, what: bytes) -> bool:
        return what in self._prefer and what in {one.strip() for one in self._prefer.split(b",")}

    def _come_back_later(self) -> bool:
        """Answer 202 if the model has to be revived: the client would rather not wait."""
        revival = self._service.prewarm(self._known)
        if revival is None:
            return False
        wait = max(1, round(revival.eta_s or self._service.settings.keepalive_seconds))
        headers = {
            "Location": f"/v1/revivals/{revival.id}",
            "Retry-After": str(wait),
            "Preference-Applied": "respond-async",
        }
        self._asked.code, self._asked.status = "reviving", 202
        self._outlet.whole(202, _encode(revival), block(headers))
        return True

    async def _complete(self) -> None:
        async def speak(speaker: Speaker, running: Running) -> None:
            self._asked.heard = 0
            answer = await speaker.complete(self._chat)
            stamp = self._stamp(running)
            self._count(answer)
            data = _encode(self._dialect.whole(answer, self._chat, stamp))
            ended = _ENDED if _is_ended(answer) else b""
            self._hear()
            self._outlet.whole(200, data, self._answering(running) + ended)

        await self._answer(speak)

    async def _stream(self) -> None:
        async def speak(speaker: Speaker, running: Running) -> None:
            self._rendering = rendering = self._dialect.stream(self._chat, self._stamp(running))
            asked = self._chat.options.get("stream_options")
            uncounted = not (isinstance(asked, dict) and asked.get("include_usage"))
            head = self._answering(running)
            self._asked.heard = heard = 0
            async with aclosing(speaker.stream(self._chat)) as parts:
                async for chunks in parts:
                    self._asked.heard = heard = heard + len(chunks)
                    await self._write(chunks, rendering, head, uncounted=uncounted)
            if not self._outlet.begun:
                await self._outlet.write(b"", head)

        self._keep_alive()
        await self._answer(speak)
        assert self._rendering is not None
        self._outlet.finish(self._rendering.close())

    async def _write(
        self, chunks: list[Json], rendering: Rendering, head: bytes, *, uncounted: bool
    ) -> None:
        outlet, data = self._outlet, b""
        for chunk in chunks:
            if "usage" in chunk or "conversation" in chunk:
                self._count(chunk)
                if uncounted and not chunk["choices"]:
                    continue
                if not outlet.begun and _is_ended(chunk):
                    head += _ENDED
            data += rendering.feed(chunk)
        if not data:
            return
        if not self._spoken:
            self._hear()
        await outlet.write(data, head)

    def _hear(self) -> None:
        self._spoken = True
        self._asked.first = time.perf_counter() - self._began

    async def _answer(self, speak: Callable[[Speaker, Running], Coroutine[Any, Any, None]]) -> None:
        await self._service.answer(self._turn, self._known, speak, lambda: self._spoken)
        if self._asked.code == "gone":
            self._asked.code = "answered"

    def _answering(self, running: Running | None) -> bytes:
        """Return the header lines of an answer: what exactly answers, as far as is known."""
        known = self._known
        found = running.endpoint.identity.weights if running else self._service.weights(known)
        lines = b"x-model-actual: %b\r\notium-weights: %b\r\n"
        return self._head + lines % (known.life.model.encode(), (found or "unknown").encode())

    def _stamp(self, running: Running) -> Json:
        """Return what each answer says beside the model's words: what exactly answered."""
        weights = running.endpoint.identity.weights
        self._asked.weights = weights or ""
        stamp: Json = {
            "model": self._chat.model,
            "otium": {"weights": weights, "certificate": _certificate(running)},
        }
        if self._beta and self._dialect.name == "messages":
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

    def _keep_alive(self) -> None:
        """Tell a client that waits for the first word what is being done, now and then."""
        seconds = self._service.settings.keepalive_seconds
        self._waking = self._loop.call_later(seconds, self._still_waiting)

    def _still_waiting(self) -> None:
        if not self._spoken:
            if self._comment is None or self._comment.done():
                self._comment = self._loop.create_task(self._say_doing())
            self._keep_alive()

    async def _say_doing(self) -> None:
        model = self._known.life.model
        waited = time.perf_counter() - self._began
        comment = f": {self._doing(model)} waited={waited:.0f}s\n\n".encode()
        await self._outlet.write(comment, self._answering(None))

    def _doing(self, model: ModelId) -> str:
        if self._service.status(model) == "loaded":
            return f"thinking model={model}"
        revival = self._service.revivals.current(model)
        stage = revival.stage if revival else "queued"
        known = revival is not None and revival.eta_s is not None
        eta = f"{revival.eta_s:.0f}s" if revival and known else "unknown"
        return f"reviving model={model} stage={stage} eta={eta}"

    # Errors

    def _refuse(self, refused: Refused) -> None:
        self._asked.code, self._asked.status = refused.code, refused.status
        self._say(refused)

    def _say(self, refused: Refused) -> None:
        """Answer with an error; in a stream that has begun, as its last event."""
        outlet = self._outlet
        if not outlet.begun:
            data = _encode(self._dialect.error(refused))
            outlet.whole(refused.status, data, block(refused.headers))
        elif not outlet.ended:
            rendering = self._rendering
            if rendering is None:
                rendering = self._dialect.stream(self._chat, {"model": self._chat.model})
            outlet.finish(rendering.fail(refused))


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
