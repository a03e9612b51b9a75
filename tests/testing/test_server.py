import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from otium.engine import Endpoint, HttpModel, Message, Options
from otium.records import Digest, ModelId
from otium.testing import Recaller, Scripted, ServedEngine, serve

ASKED = {"messages": [{"role": "user", "content": "Hello?"}]}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serve(Scripted(["Good day to you."])) as found:
        yield found


def post(endpoint: Endpoint, body: object, key: str | None = None) -> httpx2.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key or endpoint.api_key}"}
    url = f"{endpoint.base_url}/chat/completions"
    return httpx2.post(url, content=data, headers=headers, trust_env=False)


def get(endpoint: Endpoint, path: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {endpoint.api_key}"}
    return httpx2.get(f"{endpoint.base_url}{path}", headers=headers, trust_env=False)


def test_an_answer_has_the_shape_of_a_chat_completion(endpoint: Endpoint) -> None:
    answer = post(endpoint, ASKED).json()
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "scripted"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Good day to you."},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ]
    assert answer["usage"] == {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5}


def test_log_probabilities_have_the_shape_that_clients_read(endpoint: Endpoint) -> None:
    answer = post(endpoint, ASKED | {"logprobs": True, "top_logprobs": 2}).json()
    content = answer["choices"][0]["logprobs"]["content"]
    assert content[1] == {
        "token": " day",
        "logprob": 0.0,
        "bytes": list(b" day"),
        "top_logprobs": [{"token": " day", "logprob": 0.0, "bytes": list(b" day")}],
    }


def events(answer: httpx2.Response) -> list[dict[str, object]]:
    assert answer.headers["Content-Type"] == "text/event-stream"
    lines = [line for line in answer.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


@pytest.mark.parametrize("logprobs", [False, True])
def test_a_stream_says_the_same_in_pieces(endpoint: Endpoint, logprobs: bool) -> None:
    body = ASKED | {"stream": True, "logprobs": logprobs}
    choices = [chunk["choices"][0] for chunk in events(post(endpoint, body))]  # type: ignore[index]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(choice["delta"].get("content", "") for choice in choices) == "Good day to you."
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert any(choice["logprobs"] for choice in choices) is logprobs


def test_a_stream_counts_tokens_if_asked(endpoint: Endpoint) -> None:
    body = ASKED | {"stream": True, "stream_options": {"include_usage": True}}
    last = events(post(endpoint, body))[-1]
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        {},
        {"messages": []},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        ASKED | {"max_tokens": "many"},
    ],
)
def test_a_bad_request_is_400(endpoint: Endpoint, body: object) -> None:
    answer = post(endpoint, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_wrong_key_is_401(endpoint: Endpoint) -> None:
    answer = post(endpoint, ASKED, key="wrong")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert httpx2.get(f"{endpoint.base_url}/models", trust_env=False).status_code == 401


def test_another_model_is_404(endpoint: Endpoint) -> None:
    answer = post(endpoint, ASKED | {"model": "somebody-else"})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert get(endpoint, "/models/somebody-else").status_code == 404
    assert get(endpoint, "/embeddings").status_code == 404


def test_the_model_is_listed(endpoint: Endpoint) -> None:
    (listed,) = get(endpoint, "/models").json()["data"]
    assert listed["id"] == "scripted"
    assert get(endpoint, "/models/scripted").json() == listed


def test_answers_are_not_held_back_by_nagles_delay(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = []
    monkeypatch.setattr(socket.socket, "setsockopt", lambda _, *option: chosen.append(option))
    address = urlsplit(endpoint.base_url)
    with socket.create_connection((str(address.hostname), address.port or 0)) as client:
        client.sendall(b"GET /v1/models HTTP/1.0\r\n\r\n")
        assert client.recv(9)
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, True) in chosen


def test_content_in_parts_is_put_together() -> None:
    model = Scripted(["Yes."])
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo?"}]
    with serve(model) as endpoint:
        post(endpoint, {"messages": [{"role": "developer", "content": parts}]})
    assert model.asked == [(Message(role="system", content="Hello?"),)]


def test_a_failing_model_is_500() -> None:
    with serve(Scripted(["a"])) as inner:
        broken = HttpModel(inner)
    with serve(broken) as endpoint:
        answer = post(endpoint, ASKED)
    assert answer.status_code == 500
    assert "ConnectError" in answer.json()["error"]["message"]


def test_a_schema_reaches_the_model() -> None:
    schema: dict[str, object] = {"properties": {"colour": {"enum": ["green", "red"]}}}
    with serve(Recaller()) as endpoint:
        answer = HttpModel(endpoint).chat(
            [Message(role="user", content="Which?")], Options(json_schema=schema)
        )
    assert json.loads(answer.text) == {"colour": "green"}


def test_a_served_engine_answers_as_whatever_model_was_asked_for(tmp_path: Path) -> None:
    engine = ServedEngine(Scripted(["Here."]))
    weights = Digest("sha256:" + "1" * 64)
    with engine.run(tmp_path, model=ModelId("smol-1"), weights=weights) as endpoint:
        assert endpoint.identity.weights == weights
        assert endpoint.identity.engine == "scripted/1"
        said = HttpModel(endpoint).chat([Message(role="user", content="Hello?")])
    assert said.text == "Here."
    assert engine.started == [tmp_path]
