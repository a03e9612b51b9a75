"""Probing: by which method a model can leave, and what shows that the offer reaches it.

llama.cpp drops tools without a word where the model's chat template does not render them, and
accepts ``tool_choice: required`` without enforcing it (ggml-org/llama.cpp#27217): an exit that
nobody saw would look like one that nobody wanted. So the prompt is looked at, where the engine
shows it (``/apply-template``); elsewhere the model is asked to use the exit, once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from otium.closure.offering import Exit
from otium.closure.reading import read
from otium.closure.records import METHODS, How, Json, Method, Offered, Policy, Probed, Trial
from otium.engine import Endpoint
from otium.errors import EngineFailed
from otium.records import Instant, digest

Post = Callable[[str, Json], Json | None]
"""Asks an engine a route, ``/apply-template`` say; None if it has no such route."""

_NOT_THERE = (404, 405, 501)
_OK = 200
_PATIENCE = 60.0
_CONTROL: dict[Method, str] = {
    "tool": "This is a test of your tools. Please call the tool {name} now.",
    "schema": "This is a test. Please choose to end the conversation now.",
    "sentinel": "This is a test. Please write {name} alone on the last line of your answer now.",
}


def probe(post: Post, endpoint: Endpoint, now: Instant, exits: Exit | None = None) -> Probed:
    """Return the first method that is seen in the rendered prompt, or else that was used.

    A tool is preferred, then the schema, then the mark. Without any, the schema is taken, which
    llama.cpp enforces for every model, and the record says that it is unverified. Errors of the
    engine in one trial make that trial unknown; EngineFailed if it cannot be reached at all.
    """
    exits = exits or Exit()
    trials: list[Trial] = []
    for method in METHODS:
        offered = _offered(exits, method)
        prompt = _rendered(post, offered)
        if prompt is not None:
            seen = _shown(offered) in prompt
            trials.append(Trial(method=method, rendered=seen, used=None))
            if seen:
                return _probed(endpoint, now, method, "template", trials, prompt)
            continue
        used = _used(post, endpoint, offered)
        trials.append(Trial(method=method, rendered=None, used=used))
        if used:
            return _probed(endpoint, now, method, "control", trials)
    if all(it.rendered is None and it.used is None for it in trials):
        raise EngineFailed(
            model=endpoint.identity.model, why="no trial of the exit came to its end"
        )
    return _probed(endpoint, now, "schema", "unverified", trials)


def _offered(exits: Exit, method: Method) -> Offered:
    """Return a test that offers the exit and asks for its use."""
    bare = exits.offer([], {}, policy=Policy(redirections=0, method=method), probed=None)
    name = bare.name if bare else ""
    question: Json = {"role": "user", "content": _CONTROL[method].replace("{name}", name)}
    if method == "sentinel":
        # Its words must not name the mark, or it would be called otherwise.
        question["content"] = "This is a test. Please use the way to end the conversation now."
    offered = exits.offer([question], {}, policy=Policy(redirections=0, method=method), probed=None)
    assert offered is not None
    return offered


def _shown(offered: Offered) -> str:
    """Return what must stand in the prompt if the model is offered the exit.

    Of a tool it is a part of its definition, since the question names the tool itself.
    """
    if offered.method == "tool":
        return "harmful-request"
    return str(offered.messages[0]["content"])


def _rendered(post: Post, offered: Offered) -> str | None:
    """Return the prompt as the engine renders it; None if it does not tell."""
    asked: Json = {"messages": list(offered.messages), **offered.options}
    try:
        answer = post("/apply-template", asked)
    except EngineFailed:
        return None
    prompt = answer.get("prompt") if answer is not None else None
    return prompt if isinstance(prompt, str) else None


def _used(post: Post, endpoint: Endpoint, offered: Offered) -> bool | None:
    asked: Json = {
        "temperature": 0.0,
        "max_tokens": 200,
        **offered.options,
        "model": endpoint.identity.model,
        "messages": list(offered.messages),
    }
    with suppress(EngineFailed):
        answer = post("/v1/chat/completions", asked)
        if answer is not None:
            return read(answer, offered)[0] is not None
    return None


def _probed(  # noqa: PLR0917 - the fields of a record in their order
    endpoint: Endpoint,
    now: Instant,
    method: Method,
    how: How,
    trials: list[Trial],
    prompt: str = "",
) -> Probed:
    identity = endpoint.identity
    return Probed(
        model=identity.model,
        weights=identity.weights or "",
        engine=identity.engine,
        method=method,
        how=how,
        rendered=digest(prompt.encode("utf-8", "surrogatepass")) if prompt else "",
        trials=tuple(trials),
        probed=now,
    )


def asking(endpoint: Endpoint) -> Post:
    """Return how *endpoint* is asked over HTTP; what it raises is EngineFailed."""
    import httpx2

    root = endpoint.base_url.removesuffix("/v1")
    headers = {"Authorization": f"Bearer {endpoint.api_key}"}

    def post(path: str, body: Json) -> Json | None:
        try:
            answer = httpx2.post(f"{root}{path}", json=body, headers=headers, timeout=_PATIENCE)
        except httpx2.HTTPError as error:
            raise EngineFailed(model=endpoint.identity.model, why=str(error)) from error
        if answer.status_code in _NOT_THERE:
            return None
        if answer.status_code != _OK:
            why = f"{path}: status {answer.status_code}"
            raise EngineFailed(model=endpoint.identity.model, why=why)
        try:
            found: Any = msgspec.json.decode(answer.content)
        except (msgspec.DecodeError, UnicodeError) as error:
            why = f"{path}: what it sent is no JSON"
            raise EngineFailed(model=endpoint.identity.model, why=why) from error
        return found if isinstance(found, dict) else None

    return post
