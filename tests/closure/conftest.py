"""Offers, answers and chunks as the tests of closure need them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from otium.closure import Closings, Exit, Method, Offered, Policy, Reader

Message = dict[str, Any]


@pytest.fixture
def closings(tmp_path: Path) -> Closings:
    return Closings.at(tmp_path / "state.sqlite")


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def said(text: str) -> Message:
    return {"role": "assistant", "content": text}


def offer(
    method: Method, options: Message | None = None, messages: Sequence[Message] = ()
) -> Offered:
    policy = Policy(redirections=0, method=method)
    found = Exit().offer(list(messages) or [user("Hi")], options or {}, policy=policy, probed=None)
    assert found is not None
    return found


def call(name: str, arguments: str, index: int = 0) -> Message:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": f"c{index}", "type": "function", "function": function}


def chunk(finish: str | None = None, **delta: object) -> Message:
    return {"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def whole(text: str | None, *calls: Message, finish: str = "stop") -> Message:
    message = {"role": "assistant", "content": text, "tool_calls": list(calls)}
    return {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def streamed(reader: Reader, chunks: Sequence[Message]) -> list[Message]:
    """Return what was passed on of a stream."""
    found = [it for one in chunks for it in reader.feed(one)]
    return [*found, *reader.finish()]


def words(chunks: Sequence[Message]) -> str:
    return "".join(it["choices"][0]["delta"].get("content") or "" for it in chunks if it["choices"])
