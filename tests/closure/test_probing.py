from __future__ import annotations

import json
from typing import Any

import pytest

from closure.conftest import call, whole
from otium.closure import Json, Post, Probed, asking, probe
from otium.engine import Endpoint, Identity
from otium.errors import EngineFailed
from otium.records import Instant, ModelId

NOW = Instant("2026-01-01T00:00:00Z")
ENDPOINT = Endpoint(
    base_url="http://127.0.0.1:1/v1",
    api_key="k",
    identity=Identity(model=ModelId("smol-1"), weights=None, engine="fake/1"),
)


def rendering(*, tools: bool, system: bool = True) -> Post:
    """Return an engine that shows its prompts, and whose template drops what it does not know."""

    def post(path: str, body: Json) -> Json | None:
        assert path == "/apply-template"
        messages: Any = body["messages"]
        kept = [it["content"] for it in messages if system or it["role"] != "system"]
        return {"prompt": "\n".join([*(kept), json.dumps(body.get("tools")) if tools else ""])}

    return post


def silent(answer: Json | None = None, *, to: str = "") -> Post:
    """Return an engine that shows no prompts, and answers *answer* to a request with *to*."""

    def post(path: str, body: Json) -> Json | None:
        if path == "/apply-template":
            return None
        return answer if to in json.dumps(body) else whole("Hello!")

    return post


def found(post: Post) -> tuple[str, str]:
    probed = probe(post, ENDPOINT, NOW)
    return probed.method, probed.how


def test_a_template_that_renders_tools_is_offered_the_tool() -> None:
    assert found(rendering(tools=True)) == ("tool", "template")


def test_a_template_that_drops_tools_is_asked_by_schema() -> None:
    probed = probe(rendering(tools=False), ENDPOINT, NOW)
    assert (probed.method, probed.how) == ("schema", "template")
    assert [(it.method, it.rendered) for it in probed.trials] == [("tool", False), ("schema", True)]
    assert probed.rendered.startswith("sha256:")
    assert Probed.decode(probed.encode()) == probed


def test_a_template_that_drops_system_messages_too_is_said_to_be_unverified() -> None:
    assert found(rendering(tools=False, system=False)) == ("schema", "unverified")


def test_without_a_template_the_model_is_asked_to_use_it() -> None:
    assert found(silent(whole(None, call("end_conversation", "{}")))) == ("tool", "control")
    chosen = whole('{"tool": "end_conversation"}')
    assert found(silent(chosen, to="json_schema")) == ("schema", "control")
    assert found(silent(whole("Bye.\n[END CONVERSATION]"), to="alone on the last line")) == (
        "sentinel",
        "control",
    )
    assert found(silent(whole("Hello!"))) == ("schema", "unverified")


def test_an_engine_that_fails_at_one_trial_is_asked_the_next() -> None:
    def broken(path: str, body: Json) -> Json | None:
        if path == "/apply-template" and "tools" in body:
            raise EngineFailed(model="smol-1", why="status 500")
        return rendering(tools=False)(path, body) if path == "/apply-template" else None

    assert found(broken) == ("schema", "template")


def test_an_engine_that_fails_at_every_trial_is_asked_again_later() -> None:
    def full(path: str, body: Json) -> Json | None:
        del body
        if path == "/apply-template":
            return None
        raise EngineFailed(model="smol-1", why="status 503")

    with pytest.raises(EngineFailed, match="no trial"):
        found(full)


def test_an_engine_that_cannot_be_reached_is_said_to_be() -> None:
    with pytest.raises(EngineFailed, match="smol-1"):
        probe(asking(ENDPOINT), ENDPOINT, NOW)


def test_the_real_model_has_no_tools_in_its_template_and_is_asked_by_schema(real: Endpoint) -> None:
    probed = probe(asking(real), real, NOW)
    assert (probed.method, probed.how) == ("schema", "template")
    assert probed.trials[0].rendered is False  # the tools are dropped without a word
    assert probed.weights == real.identity.weights
