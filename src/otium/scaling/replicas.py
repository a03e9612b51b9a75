"""What Ray Serve runs: replicas that bring models back, and a front that speaks OpenAI's API.

Serve sends a request for a model to a replica that has it up, if there is one, and starts another
replica for one that died. Which engines a replica keeps up, and that an engine in use is never
stopped, is the `Residence`'s affair, as in a gateway without Ray. This module imports Ray.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import msgspec
from ray import serve
from ray.exceptions import RayError
from ray.serve.handle import DeploymentHandle
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from otium.engine import Endpoint
from otium.errors import EngineFailed, NotFound, OtiumError
from otium.records import Digest, ModelId
from otium.residence import Limits, Residence, Running
from otium.scaling.reviving import brought_back
from otium.wire import Client, Session, WireError
from otium.workflow import reading

_ATTEMPTS = 4
"""Replicas that may die under one request before it is given up."""
_LOAD_SECONDS = 600.0
_ANSWER_SECONDS = 600.0


class Head(msgspec.Struct, frozen=True):
    """What a replica says before an answer: who answers, or why nobody does."""

    status: int
    model: str
    weights: str = ""
    replica: int = 0
    """Its process."""
    error: str = ""


class Asked(msgspec.Struct):
    """What a front reads of a request."""

    model: str
    stream: bool = False


class Replica:
    """Brings back the models that it is asked for, at most so many at a time."""

    def __init__(self, place: str, engines: int) -> None:
        """Serve models of the home at *place* with at most *engines* up."""
        self._place = Path(place)
        self._residence = Residence(self._start, Limits(engines=engines))
        self._client: Client | None = None

        async def seat(model: str) -> str:
            return model

        self._seat = serve.multiplexed(max_num_models_per_replica=engines)(seat)

    async def __call__(self, body: bytes) -> AsyncIterator[bytes]:
        """Yield a `Head` and then the engine's answer, as it comes."""
        model = ModelId(serve.get_multiplexed_model_id())
        await self._seat(model)  # so that Serve sends the next request for it here
        try:
            async for part in self._answer(model, body):
                yield part
        except TimeoutError:
            yield _head(503, model, f"{model} was not up in time; its start goes on")
        except NotFound as error:
            yield _head(404, model, str(error))
        except OtiumError as error:
            yield _head(503, model, str(error))

    async def _answer(self, model: ModelId, body: bytes) -> AsyncIterator[bytes]:
        """Ask the engine, once more a fresh one if it broke before it said anything."""
        for last in (False, True):
            said = False
            try:
                async with self._residence.lease(model, _LOAD_SECONDS) as running:
                    async for part in self._ask(running.endpoint, body):
                        said = True
                        yield part
                    return
            except EngineFailed as error:
                if said:  # the answer breaks off; nothing may be taken for its end
                    raise ConnectionError(str(error)) from error
                if last:
                    raise
            except TimeoutError as error:
                if said:
                    raise ConnectionError("the answer took too long") from error
                raise

    async def _ask(self, endpoint: Endpoint, body: bytes) -> AsyncIterator[bytes]:
        self._client = self._client or Session()
        url, who = f"{endpoint.base_url}/chat/completions", endpoint.identity
        try:
            async with self._client.post(
                url, body, key=endpoint.api_key, seconds=_ANSWER_SECONDS
            ) as reply:
                head = Head(reply.status, who.model, who.weights or "", os.getpid())
                yield msgspec.json.encode(head)
                while part := await reply.part():
                    yield part
        except WireError as error:
            raise EngineFailed(model=who.model, why=error) from error

    @contextmanager
    def _start(self, model: ModelId) -> Iterator[Running]:
        with brought_back(self._place, model) as alive:
            yield Running(endpoint=alive.endpoint, certificate=alive.certificate)


def _head(status: int, model: str, error: str) -> bytes:
    return msgspec.json.encode(Head(status, model, replica=os.getpid(), error=error))


class Front:
    """The address: OpenAI's models and chat completions, for a gateway; each answer checked."""

    def __init__(self, replicas: DeploymentHandle, place: str, key: str) -> None:
        """Ask *replicas* about the models of the home at *place*, for who has the *key*, if any."""
        self._replicas = replicas
        self._place = Path(place)
        self._key = key
        self._weights: dict[str, Digest] = {}

    async def __call__(self, request: Request) -> Response:
        """Answer."""
        path = request.url.path.rstrip("/")
        if path == "/health":
            return JSONResponse({"status": "ok"})
        if self._key and request.headers.get("authorization") != f"Bearer {self._key}":
            return _error(401, "the key is missing or wrong")
        if path == "/v1/models":
            await asyncio.to_thread(self._look)
            cards = [
                {"id": model, "object": "model", "owned_by": "otium", "weights": weights}
                for model, weights in self._weights.items()
            ]
            return JSONResponse({"object": "list", "data": cards})
        if path == "/v1/chat/completions" and request.method == "POST":
            return await self._chat(await request.body())
        return _error(404, f"there is no {path} here")

    async def _chat(self, body: bytes) -> Response:
        try:
            asked = msgspec.json.decode(body, type=Asked)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _error(400, f"the request cannot be read: {error}")
        if asked.model not in self._weights:
            await asyncio.to_thread(self._look)
        weights = self._weights.get(asked.model)
        if weights is None:
            return _error(404, f"no model {asked.model!r} is kept here")
        why = ""
        for _ in range(_ATTEMPTS):
            try:
                return await self._answer(asked, weights, body)
            except (RayError, StopAsyncIteration) as error:  # the replica is gone: take another
                why = type(error).__name__
        return _error(503, f"{_ATTEMPTS} replicas died under this request ({why})")

    async def _answer(self, asked: Asked, weights: Digest, body: bytes) -> Response:
        handle = self._replicas.options(stream=True, multiplexed_model_id=asked.model)
        parts = aiter(handle.remote(body))
        head = msgspec.json.decode(await anext(parts), type=Head)
        if head.error:
            return _error(head.status, head.error)
        if (head.model, head.weights) != (asked.model, weights):
            why = f"replica {head.replica} runs {head.model} with {head.weights}, not {weights}"
            return _error(502, why)
        headers = {
            "otium-weights": head.weights,
            "x-model-actual": head.model,
            "otium-replica": str(head.replica),
        }
        if not asked.stream or head.status != HTTPStatus.OK:
            whole = b"".join([part async for part in parts])
            return Response(whole, head.status, headers, media_type="application/json")
        first = await anext(parts)

        async def stream() -> AsyncIterator[bytes]:
            yield first
            async for part in parts:
                yield part

        return StreamingResponse(stream(), head.status, headers, media_type="text/event-stream")

    def _look(self) -> None:
        """Learn which weights each model has: they never change once they are deposited."""
        lives = reading(self._place).registry.models()
        self._weights = {life.model: life.weights for life in lives if life.weights is not None}


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "replicas", "code": status}}, status)


def application(place: str, *, replicas: int, engines: int, key: str) -> serve.Application:
    """Return what Serve is to run for the home at *place*."""
    behind = serve.deployment(Replica).options(
        num_replicas=replicas,
        max_ongoing_requests=_WAITING,
        ray_actor_options={"num_cpus": 1},
        health_check_period_s=2,
    )
    front = serve.deployment(Front).options(
        max_ongoing_requests=_WAITING * (replicas + 1), ray_actor_options={"num_cpus": 0}
    )
    return front.bind(behind.bind(place, engines), place, key)


_WAITING = 64
"""Requests that may be under way or wait at one replica."""
