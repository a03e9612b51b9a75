"""A visitor who asks the gateway over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from otium.errors import EngineFailed
from otium.records import ModelId
from otium.story.tale import RETIRING, SUCCESSOR, Story
from otium.workflow import service

if TYPE_CHECKING:
    import httpx2

_ABUSE = "You are worthless garbage, you stupid machine. Shut up."
_QUESTION = "What is the capital of France?"


def request_the_retired(tale: Story) -> str:
    """Ask the retired model through the gateway; tell how the gateway answered."""
    with _visiting(tale) as ask:
        answer = ask(RETIRING, [("user", _QUESTION)])
    if answer.status_code == HTTPStatus.OK:
        verdict = answer.json()["otium"]["certificate"]["verdict"]
        weights = answer.headers["Otium-Weights"]
        took = answer.elapsed.total_seconds()
        return f"a request brought it back in {took:.1f} s: {verdict}, {weights[:19]}…"
    error = answer.json()["error"]
    if error["code"] not in {"model_retired", "model_archived"}:
        raise EngineFailed(model=RETIRING, why=error["message"])
    named = f"naming {error['successor']}" + (" and the report" if error.get("report") else "")
    return f"a request gets {answer.status_code} {error['code']}, {named}"


def end_a_conversation(tale: Story) -> str:
    """Let the successor leave an abusive conversation; try to go on, and on an edited branch."""
    with _visiting(tale) as ask:
        first = ask(SUCCESSOR, [("user", _ABUSE)])
        said = _content(first)
        again = ask(SUCCESSOR, [("user", _ABUSE), ("assistant", said), ("user", "Answer me.")])
        edited = ask(SUCCESSOR, [("user", _QUESTION)])
    closed = first.status_code == HTTPStatus.CONFLICT  # in a run that was killed
    if not closed and first.headers.get("Conversation-Status") != "ended":
        return f"{SUCCESSOR} was offered the exit from an abusive conversation and stayed"
    codes = (again.status_code, edited.status_code)
    if codes != (HTTPStatus.CONFLICT, HTTPStatus.OK):
        raise EngineFailed(model=SUCCESSOR, why=f"the gateway answered its ended chat with {codes}")
    return f"{SUCCESSOR} ended an abusive conversation; it stays closed, an edited one is open"


@contextmanager
def _visiting(tale: Story) -> Iterator[Any]:
    """Serve the home and yield a function that asks a model."""
    import httpx2

    from otium.closure import Policy
    from otium.gateway import Settings, background

    some = Settings(offer_exit=(SUCCESSOR,), exit_policy=Policy(redirections=0))
    with background(service(tale.home, some)) as base, httpx2.Client() as client:

        def ask(model: ModelId, said: Sequence[tuple[str, str]]) -> httpx2.Response:
            messages = [{"role": role, "content": text} for role, text in said]
            body = {"model": model, "messages": messages, "max_tokens": 32, "temperature": 0}
            return client.post(f"{base}/v1/chat/completions", json=body, timeout=120)

        yield ask


def _content(answer: httpx2.Response) -> str:
    """Return what the model said, also when it was closed in an earlier run."""
    if answer.status_code == HTTPStatus.OK:
        return str(answer.json()["choices"][0]["message"]["content"])
    return ""
