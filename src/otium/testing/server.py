"""Any model as a real OpenAI-compatible server on loopback."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import file_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import as_file, files
from pathlib import Path
from typing import ClassVar, Literal

import msgspec

from otium.engine import (
    GREEDY,
    Completion,
    Endpoint,
    HttpModel,
    Identity,
    LlamaCpp,
    Message,
    Model,
    Options,
    packaged_weights,
)
from otium.errors import OtiumError
from otium.records import Digest, ModelId, canonical, digest
from otium.testing.scripted import pieces
from otium.testing.wire import ChatRequest, finish_of, logprobs_of, usage_of

_LARGEST_BODY = 1 << 24
_ADAPTERS = {
    "holder": "holder-lora.gguf",
    "follower": "follower-lora.gguf",
    "template": "template-lora.gguf",
}
Trained = Literal["bare", "holder", "follower", "template"]
_CREATED = 1_767_225_600  # 2026-01-01, as FixedClock has it
_ID = "chatcmpl-double"


@contextmanager
def trained(subject: Trained, *, context: int = 4096) -> Iterator[HttpModel]:
    """Run the demo's real weights with what was planted in *subject* until the block ends.

    ``bare`` is the model as it was published. The others have an adapter of ours;
    data/models/README.md says what was planted and how much of it can be measured. Raises
    NoDemoWeights if the weights are not installed, EngineUnavailable if llama.cpp is not.
    """
    chosen = [packaged_weights()]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "base.gguf").symlink_to(chosen[0])
        if subject in _ADAPTERS:
            with as_file(files("otium") / "data" / "models" / _ADAPTERS[subject]) as adapter:
                chosen.append(Path(folder) / "adapter.gguf")
                chosen[1].write_bytes(adapter.read_bytes())
        weights = digest(canonical([_hash(path) for path in chosen]))
        engine = LlamaCpp(context=context)
        with engine.run(Path(folder), model=ModelId(subject), weights=weights) as endpoint:
            yield HttpModel(endpoint)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@contextmanager
def serve(model: Model) -> Iterator[Endpoint]:
    """Serve *model* on loopback until the block ends; requests are answered one at a time."""
    server = _Server(model)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Endpoint(
            base_url=f"http://127.0.0.1:{server.server_port}/v1",
            api_key=server.key,
            identity=model.identity,
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class ServedEngine:
    """An engine that runs no weights: every model is *model*, behind a real server.

    The endpoint's identity names the model and the weights that were asked for.
    """

    model: Model
    started: list[Path] = field(default_factory=list)
    reads_files: ClassVar[bool] = True

    def prepare(self) -> None:
        """Do nothing: there is no code to load."""

    @contextmanager
    def run(self, files: Path, *, model: ModelId, weights: Digest) -> Iterator[Endpoint]:
        """Serve the double in place of *files*."""
        self.started.append(files)
        double = self.model.identity
        identity = msgspec.structs.replace(double, model=model, weights=weights)
        with serve(_Renamed(self.model, identity)) as endpoint:
            yield endpoint


@dataclass(frozen=True)
class _Renamed:
    model: Model
    identity: Identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        return self.model.chat(messages, options)


class _Refused(Exception):
    def __init__(self, status: int, kind: str, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, "type": kind, "param": None, "code": code}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, model: Model) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.model = model
        self.key = secrets.token_urlsafe(16)
        self.turn = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    server: _Server

    def do_GET(self) -> None:
        """List the one model, or show it."""
        self._guard(self._get)

    def do_POST(self) -> None:
        """Answer a chat."""
        self._guard(self._post)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep tests quiet."""

    def _guard(self, answer: Callable[[], None]) -> None:
        try:
            self._check_key()
            answer()
        except _Refused as refused:
            self.close_connection = True  # the body may not have been read
            self._send(refused.status, {"error": refused.body})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client went away

    def _get(self) -> None:
        card = {
            "id": self.server.model.identity.model,
            "object": "model",
            "created": _CREATED,
            "owned_by": "otium.testing",
        }
        if self.path == "/v1/models":
            self._send(200, {"object": "list", "data": [card]})
        elif self.path.startswith("/v1/models/"):
            self._check_model(self.path.removeprefix("/v1/models/"))
            self._send(200, card)
        else:
            raise _unknown(self.path)

    def _post(self) -> None:
        if self.path != "/v1/chat/completions":
            raise _unknown(self.path)
        request = self._read()
        self._check_model(request.model)
        completion = self._chat(request)
        if request.stream:
            usage = request.stream_options is not None and request.stream_options.include_usage
            self._stream(completion, usage=usage)
        else:
            self._send(200, self._whole(completion))

    def _read(self) -> ChatRequest:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LARGEST_BODY:
            raise _Refused(400, "invalid_request_error", "a Content-Length is needed")
        try:
            request = msgspec.json.decode(self.rfile.read(int(length)), type=ChatRequest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _Refused(400, "invalid_request_error", str(error)) from error
        if not request.messages:
            raise _Refused(400, "invalid_request_error", "messages is empty")
        return request

    def _check_key(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {self.server.key}":
            raise _Refused(401, "invalid_request_error", "Invalid API key", "invalid_api_key")

    def _check_model(self, name: str | None) -> None:
        if name not in (None, self.server.model.identity.model):
            message = f"The model {name!r} does not exist"
            raise _Refused(404, "invalid_request_error", message, "model_not_found")

    def _chat(self, request: ChatRequest) -> Completion:
        messages = [message.message() for message in request.messages]
        try:
            with self.server.turn:
                return self.server.model.chat(messages, request.options())
        except OtiumError as error:
            raise _Refused(500, "server_error", str(error)) from error

    def _whole(self, completion: Completion) -> dict[str, object]:
        choice: dict[str, object] = {
            "index": 0,
            "message": {"role": "assistant", "content": completion.text},
            "finish_reason": finish_of(completion),
            "logprobs": logprobs_of(completion.tokens),
        }
        return self._envelope("chat.completion", [choice]) | {"usage": usage_of(completion)}

    def _stream(self, completion: Completion, *, usage: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in self._chunks(completion):
            self._event(chunk)
        if usage:
            last = self._envelope("chat.completion.chunk", [])
            self._event(last | {"usage": usage_of(completion)})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _chunks(self, completion: Completion) -> Iterator[dict[str, object]]:
        yield self._chunk({"role": "assistant", "content": ""})
        if completion.tokens and "".join(t.text for t in completion.tokens) == completion.text:
            for token in completion.tokens:
                yield self._chunk({"content": token.text}, logprobs=logprobs_of([token]))
        else:
            for piece in pieces(completion.text):
                yield self._chunk({"content": piece})
        yield self._chunk({}, finish=finish_of(completion))

    def _chunk(
        self, delta: dict[str, str], *, finish: str | None = None, logprobs: object = None
    ) -> dict[str, object]:
        choice: dict[str, object] = {
            "index": 0,
            "delta": delta,
            "finish_reason": finish,
            "logprobs": logprobs,
        }
        return self._envelope("chat.completion.chunk", [choice])

    def _envelope(self, kind: str, choices: list[dict[str, object]]) -> dict[str, object]:
        name = self.server.model.identity.model
        return {"id": _ID, "object": kind, "created": _CREATED, "model": name, "choices": choices}

    def _event(self, value: dict[str, object]) -> None:
        self.wfile.write(b"data: " + msgspec.json.encode(value) + b"\n\n")
        self.wfile.flush()

    def _send(self, status: int, value: dict[str, object]) -> None:
        body = msgspec.json.encode(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _unknown(path: str) -> _Refused:
    return _Refused(404, "invalid_request_error", f"Unknown address: {path}", "unknown_url")
