"""A model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from otium.engine.records import Completion, Endpoint, Identity, Message, Options, Token
from otium.errors import EngineFailed

if TYPE_CHECKING:
    import httpx2

GREEDY = Options()
_FILTER = "content_filter"
_CONNECT = 10.0
_LONGEST_REASON = 400
_LARGEST = 32 << 20
"""Bytes of an answer: a hundred times what thousands of tokens with their neighbours take."""


class _Alternative(msgspec.Struct):
    token: str
    logprob: float | None
    bytes: list[int] | None = None

    def value(self) -> float:
        """Return the log-probability; broken weights give none."""
        if self.logprob is None:
            raise ValueError("a log-probability is not a number: the weights may be damaged")
        return self.logprob

    def text(self) -> str:
        """Return the token's exact text; bytes that are not UTF-8 alone are escaped."""
        return bytes(self.bytes).decode(errors="backslashreplace") if self.bytes else self.token


class _Token(_Alternative):
    top_logprobs: list[_Alternative] = []


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Answer(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Answer
    finish_reason: str
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Response(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage = msgspec.field(default_factory=_Usage)


class _Fault(msgspec.Struct):
    code: str | int | None = None


class _Failure(msgspec.Struct):
    error: _Fault


class HttpModel:
    """The model that answers at *endpoint*.

    Each request is uncached and carries its seed, so that a recorded session can be repeated.
    Connections are not kept, so nothing has to be closed. Safe to use from several threads.
    """

    def __init__(self, endpoint: Endpoint, *, served_as: str = "", timeout: float = 600.0) -> None:
        """Speak to *endpoint*; wait at most *timeout* seconds for each part of an answer.

        *served_as* is the model's name at a host that is not ours: it is then asked in the
        standard's own words only, since such a host may refuse what it does not know.
        """
        self.endpoint = endpoint
        self._served_as = served_as or endpoint.served_as
        self._timeout = timeout

    @property
    def identity(self) -> Identity:
        """Return which weights answer and what runs them."""
        return self.endpoint.identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Answer *messages*; raise EngineFailed if the endpoint cannot.

        An endpoint that gives no log-probabilities although asked leaves ``tokens`` empty. What
        a host's own filter keeps back is ``withheld``: it is no failure of the engine, which may
        answer the next.
        """
        body = request(messages, options, self._served_as or self.identity.model)
        if self._served_as:
            del body["cache_prompt"]
        status, answer = self._post(msgspec.json.encode(body))
        if status != 200 and _filtered(answer):  # noqa: PLR2004
            return Completion(text="", finish="stop", withheld=_FILTER)
        if status != 200:  # noqa: PLR2004
            raise self._failed(f"HTTP {status}: {_reason(answer)}")
        try:
            return _completion(msgspec.json.decode(answer, type=_Response), options)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
            raise self._failed(f"malformed answer: {error}") from error

    def _post(self, body: bytes) -> tuple[int, bytes]:
        import httpx2

        url = self.endpoint.base_url.rstrip("/") + "/chat/completions"
        try:
            # No proxy from the environment may come between us and a loopback engine.
            with (
                httpx2.Client(
                    timeout=httpx2.Timeout(self._timeout, connect=_CONNECT),
                    trust_env=False,
                    verify=url.startswith("https:"),
                ) as client,
                client.stream("POST", url, content=body, headers=self._headers()) as answer,
            ):
                return answer.status_code, self._whole(answer)
        except httpx2.TimeoutException as error:
            raise self._failed(f"no answer within {self._timeout:g} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._failed(f"{type(error).__name__}: {error}") from error

    def _whole(self, answer: httpx2.Response) -> bytes:
        """Read an answer of bearable size, in no more time than its beginning may take."""
        until, data = time.monotonic() + self._timeout, bytearray()
        for piece in answer.iter_bytes():
            data += piece
            if len(data) > _LARGEST:
                raise self._failed(f"an answer of more than {_LARGEST:,} bytes")
            if time.monotonic() > until:
                raise self._failed(f"an answer that did not end within {self._timeout:g} s")
        return bytes(data)

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.endpoint.api_key}",
            "Content-Type": "application/json",
            "Connection": "close",
            "Accept-Encoding": "identity",  # a few bytes must not unfold into many
        }

    def _failed(self, why: str) -> EngineFailed:
        return EngineFailed(model=self.identity.model, why=why)


def request(messages: Sequence[Message], options: Options, model: str) -> dict[str, object]:
    """Return the body of a chat completion request."""
    body: dict[str, object] = {
        "model": model,
        "messages": messages,
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
        "cache_prompt": False,
        "stream": False,
    }
    if options.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": options.top_logprobs}
    if options.json_schema is not None:
        form = {"name": "answer", "strict": True, "schema": options.json_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body


def _completion(response: _Response, options: Options) -> Completion:
    if len(response.choices) != 1:
        raise ValueError(f"{len(response.choices)} choices")
    choice = response.choices[0]
    if choice.finish_reason not in ("stop", "length", _FILTER):
        raise ValueError(f"finish_reason {choice.finish_reason!r}")
    withheld = _FILTER if choice.finish_reason == _FILTER else ""
    said = choice.message.content
    if said is None:
        # A refusal is the model's own words, in a field of its own under a schema.
        said = choice.message.refusal or ""
        withheld = withheld or ("" if said else "no content")
    return Completion(
        text=said,
        finish="length" if choice.finish_reason == "length" else "stop",
        prompt_tokens=response.usage.prompt_tokens,
        completion_tokens=response.usage.completion_tokens,
        tokens=tuple(_tokens(choice.logprobs)) if options.top_logprobs else (),
        withheld=withheld,
    )


def _filtered(body: bytes) -> bool:
    """Return whether an error says that a host's filter refused the prompt (Azure's form)."""
    try:
        return msgspec.json.decode(body, type=_Failure).error.code == _FILTER
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _tokens(logprobs: _Logprobs | None) -> Iterator[Token]:
    for token in (logprobs and logprobs.content) or ():
        top: dict[str, float] = {}
        for alternative in token.top_logprobs:
            top.setdefault(alternative.text(), alternative.value())
        yield Token(text=token.text(), logprob=token.value(), top=top)


def _reason(body: bytes) -> str:
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = body.decode(errors="replace")
    error = value.get("error", value) if isinstance(value, Mapping) else value
    text = error.get("message", error) if isinstance(error, Mapping) else error
    return str(text)[:_LONGEST_REASON]
