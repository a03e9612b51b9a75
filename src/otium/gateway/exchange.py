"""One chat request from its first byte to its last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING

import msgspec

from otium.errors import Refused
from otium.gateway.chat import Chat, Json, read_chat
from otium.gateway.records import body, lifecycle_headers, refuse
from otium.gateway.service import Service
from otium.gateway.upstream import Speaker
from otium.lifecycle import ModelLife
from otium.residence import Running

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_KEPT = ("id", "object", "created", "choices", "usage", "system_fingerprint", "conversation")
"""What is passed on of an engine's answer: its own name for the model and its paths are not."""


class ChatRoute:
    """``POST /v1/chat/completions``."""

    def __init__(self, service: Service) -> None:
        """Serve *service*."""
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await _Exchange(self._service, scope["otium.caller"], receive, send).run(scope)


class _Outlet:
    """The response: one JSON body, or a stream that is begun as late as possible."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.headers: dict[str, str] = {}
        self.begun = False
        self.spoken = False
        """Whether the client has heard a part of the answer."""

    async def whole(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        await self._begin(status, "application/json", {**headers, "Content-Length": str(len(data))})
        await self._send({"type": "http.response.body", "body": data})

    async def emit(self, chunk: Json) -> None:
        if not self.begun:
            await self._begin(200, "text/event-stream", _status_header(chunk))
        self.spoken = True
        await self._write(b"data: " + msgspec.json.encode(chunk) + b"\n\n")

    async def comment(self, text: str) -> None:
        """Say something that clients of server-sent events pass over."""
        if not self.begun:
            await self._begin(200, "text/event-stream", {})
        await self._write(f": {text}\n\n".encode())

    async def refuse(self, refused: Refused) -> None:
        """Answer with an error; in a stream that has begun, as its last event."""
        if self.begun:
            await self._write(b"data: " + body(refused) + b"\n\n")
            await self._send({"type": "http.response.body", "body": b""})
            return
        self.headers.pop("Otium-Weights", None)
        await self.whole(refused.status, body(refused), refused.headers)

    async def finish(self) -> None:
        await self._write(b"data: [DONE]\n\n")
        await self._send({"type": "http.response.body", "body": b""})

    async def _begin(self, status: int, kind: str, headers: Mapping[str, str]) -> None:
        self.begun = True
        every = {"Content-Type": kind, "Cache-Control": "no-store", **self.headers, **headers}
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in every.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


class _Exchange:
    def __init__(self, service: Service, caller: str, receive: Receive, send: Send) -> None:
        self._service = service
        self._caller = caller
        self._receive = receive
        self._outlet = _Outlet(send)
        self._model = ""
        self._weights = ""
        self._code = "gone"
        self._status = 200
        self._streamed = False

    async def run(self, scope: Scope) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self._run(scope)
        except Refused as refused:
            self._code, self._status = refused.code, refused.status
            await self._outlet.refuse(refused)
        except Exception as error:
            self._code, self._status = type(error).__name__, 500
            raise
        finally:
            self._service.note(
                model=self._model,
                status=self._status,
                code=self._code,
                weights=self._weights,
                seconds=loop.time() - began,
                streamed=self._streamed,
            )

    async def _run(self, scope: Scope) -> None:
        chat = read_chat(await self._read(scope))
        self._model, self._streamed = chat.model, chat.stream
        life = await self._service.life(chat.model)
        self._outlet.headers = lifecycle_headers(life, note=self._service.note_url(life))
        await self._service.admit(chat, life, self._caller)
        await self._while_wanted(self._answer(chat, life))

    async def _read(self, scope: Scope) -> bytes:
        most = self._service.settings.body_bytes
        length = dict(scope["headers"]).get(b"content-length", b"")
        told = int(length) if length.isdigit() else 0
        data = bytearray()
        more = True
        while more and max(told, len(data)) <= most:
            part = await self._receive()
            data += part.get("body", b"")
            more = part.get("more_body", False)
        if max(told, len(data)) > most:
            message = f"The body is larger than {most} bytes."
            raise refuse(413, "request_too_large", message, headers={"Connection": "close"})
        return bytes(data)

    async def _while_wanted(self, work: Coroutine[None, None, None]) -> None:
        """Do *work* unless the client leaves. An engine that is starting is not disturbed."""
        working = asyncio.create_task(work)
        gone = asyncio.create_task(self._gone())
        try:
            await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, gone):
                task.cancel()
            await asyncio.gather(working, gone, return_exceptions=True)

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _answer(self, chat: Chat, life: ModelLife) -> None:
        self._outlet.headers["Otium-Weights"] = life.weights or "unknown"
        speak = self._stream(chat) if chat.stream else self._complete(chat)
        waiting = asyncio.create_task(self._keep_alive(life)) if chat.stream else None
        try:
            await self._service.answer(chat, life, self._caller, speak, lambda: self._outlet.spoken)
        finally:
            if waiting:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
        if chat.stream:
            await self._outlet.finish()

    def _complete(self, chat: Chat) -> Callable[[Speaker, Running], Awaitable[None]]:
        async def speak(speaker: Speaker, running: Running) -> None:
            answer = await speaker.complete(chat)
            stamped = self._stamp(answer, running)
            self._outlet.spoken = True
            await self._outlet.whole(200, msgspec.json.encode(stamped), _status_header(answer))

        return speak

    def _stream(self, chat: Chat) -> Callable[[Speaker, Running], Awaitable[None]]:
        async def speak(speaker: Speaker, running: Running) -> None:
            async def emit(chunk: Json) -> None:
                await self._outlet.emit(self._stamp(chunk, running))

            await speaker.stream(chat, emit)

        return speak

    def _stamp(self, answer: Json, running: Running) -> Json:
        """Return the answer under the name that was asked for, with what exactly answered."""
        self._code = "ended" if "conversation" in answer else self._code
        if self._code == "gone":
            self._code = "answered"
        kept = {name: answer[name] for name in _KEPT if name in answer}
        kept["model"] = self._model
        if not self._outlet.spoken:
            self._weights = running.endpoint.identity.weights or ""
            kept["otium"] = {"weights": self._weights, "certificate": _certificate(running)}
        return kept

    async def _keep_alive(self, life: ModelLife) -> None:
        seconds = self._service.settings.keepalive_seconds
        waited = 0.0
        while True:
            await asyncio.sleep(seconds)
            waited += seconds
            engine = self._service.describe(life).lifecycle.engine
            doing = "thinking" if engine == "loaded" else "starting"
            await self._outlet.comment(f"{life.model} is {doing}, {waited:.0f} s")


def _status_header(answer: Json) -> dict[str, str]:
    return {"Conversation-Status": "ended"} if "conversation" in answer else {}


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
