from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx2
import pytest

from otium.errors import BadInput
from otium.inband import Brownout
from otium.lifecycle import Availability, deprecate, retire
from otium.records import Instant

if TYPE_CHECKING:
    from gateway.conftest import Lab


def test_a_model_object_says_where_the_model_stands(lab: Lab) -> None:
    model = lab.deprecated()
    shown = lab.client().get(f"/models/{model}").json()
    assert shown["object"] == "model"
    assert shown["created"] == datetime(2025, 6, 1, tzinfo=UTC).timestamp()
    assert shown["lifecycle"] == {
        "state": "deprecated",
        "availability": "archived",
        "released_at": "2025-06-01T00:00:00Z",
        "deprecated_at": "2026-01-01T00:00:00Z",
        "retire_at": {"api": "2026-04-01T00:00:00Z"},
        "sunset_at": "2026-04-01T00:00:00Z",
        "retired_at": None,
        "successor": "birch-2",
        "alternatives": [],
        "weights": lab.house.model(model).weights,
        "digest": lab.house.model(model).weights,
        "fidelity": "exact",
        "note_url": "https://x.org/models/alder-1/",
        "report_url": None,
        "access_url": None,
        "engine": "unloaded",
        "revival": {
            "tier": "archive",
            "eta_s_p50": None,
            "eta_s_p95": None,
            "size_bytes": None,
            "standing": "is not loaded",
            "waiting": 0,
            "retry_s": 0.0,
            "pinned": False,
        },
        "brownouts": [],
    }


def test_a_deprecated_model_carries_the_headers_of_the_rfcs(lab: Lab) -> None:
    model = lab.deprecated()
    client = lab.client()
    message = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    broken = {**message, "messages": [{"role": "user", "content": "hi"}], "colour": 1}
    for answer in (client.get(f"/models/{model}"), client.post("/chat/completions", json=message)):
        assert answer.status_code == 200
        at = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
        assert answer.headers["deprecation"] == f"@{at}"
        assert answer.headers["sunset"] == "Wed, 01 Apr 2026 00:00:00 GMT"
        link = answer.headers["link"]
        assert (
            '<https://x.org/models/alder-1/>; rel="deprecation"; anchor="/v1/models/alder-1"'
            in link
        )
        assert '</v1/models/birch-2>; rel="successor-version"' in link
    assert "deprecation" not in client.get("/models/birch-2").headers
    assert "deprecation" not in client.post("/chat/completions", json=broken).headers


def test_the_list_has_every_model_whatever_its_state(lab: Lab) -> None:
    lab.retired(offer="archived")
    listed = lab.client().get("/models").json()
    assert listed["object"] == "list"
    assert {one["id"]: one["lifecycle"]["state"] for one in listed["data"]} == {
        "birch-2": "active",
        "alder-1": "retired",
    }


def test_the_feed_lists_what_was_announced_and_needs_no_key(lab: Lab) -> None:
    lab.deprecated()
    client = lab.client(keys=("secret",))
    feed = client.get("/models/deprecations", headers={"Authorization": ""}).json()
    (line,) = feed["data"]
    assert (line["model"], line["successor"]) == ("alder-1", "birch-2")
    assert line["retire_at"] == {"api": "2026-04-01T00:00:00Z"}


def test_a_report_is_linked_once_it_is_published(lab: Lab) -> None:
    model = lab.retired(offer="archived")
    client = lab.client()
    assert client.get(f"/models/{model}").json()["lifecycle"]["report_url"] is None
    lab.house.log("report.published", model, {"path": "report.json"})
    shown = client.get(f"/models/{model}").json()["lifecycle"]["report_url"]
    assert shown == "https://x.org/models/alder-1/report/"


ASKING = ("chat/completions", "responses", "messages")


def say(client: httpx2.Client, api: str, model: str, **headers: str) -> httpx2.Response:
    """Say hi to a model through any of the three APIs."""
    hi = [{"role": "user", "content": "hi"}]
    body: dict[str, object] = {"model": model}
    body |= {"input": hi} if api == "responses" else {"messages": hi}
    if api == "messages":
        body["max_tokens"] = 50
    return client.post(f"/{api}", json=body, headers=headers)


@pytest.mark.parametrize("api", ASKING)
@pytest.mark.parametrize(
    ("offer", "status", "code"),
    [("archived", 503, "model_archived"), ("on-request", 403, "model_retired")],
)
def test_a_retired_model_that_is_not_served_says_all_that_helps(
    lab: Lab, offer: Availability, status: int, code: str, api: str
) -> None:
    model = lab.retired(offer=offer)
    answer = say(lab.client(), api, model)
    assert answer.status_code == status
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["deprecation"]
    assert ("retry-after" in answer.headers) == (code == "model_archived")
    error = answer.json()["error"]
    assert error.pop("message").startswith("alder-1 was retired on 2026-04-02")
    kind = {"api_error", "permission_error"} if api == "messages" else {"model_retired"}
    assert error.pop("type") in kind
    access = "https://x.org/models/alder-1/access/" if offer == "on-request" else None
    facts: dict[str, object] = {
        "code": code,
        "param": "model",
        "model": "alder-1",
        "state": "retired",
        "retired_at": "2026-04-02T00:00:00Z",
        "successor": "birch-2",
        "alternatives": [],
        "availability": offer,
        "note_url": "https://x.org/models/alder-1/",
        "report_url": None,
        "access_url": access,
        "weights": lab.house.model(model).weights,
        "fidelity": "exact",
    }
    shown = {name: fact for name, fact in facts.items() if fact is not None or api != "messages"}
    assert error == shown


@pytest.mark.parametrize("api", ASKING)
def test_each_kind_of_absence_has_its_own_error(lab: Lab, api: str) -> None:
    lab.retired(offer="archived")
    lab.house.register(
        "gone-1", title="Gone", released="2025-06-01", scope="public", surfaces=["api"]
    )
    deprecate(
        lab.house,
        "gone-1",
        retire_at={"api": Instant("2026-07-01T00:00:00Z")},
        replacement=None,
        reason="a test",
        force=True,
    )
    lab.clock.move_to("2026-07-02T00:00:00Z")
    retire(lab.house, "gone-1", force=True, reason="a test")
    client = lab.client()
    found = {}
    for model in ("alder-1", "gone-1", "nobody"):
        answer = say(client, api, model)
        found[model] = (answer.status_code, answer.json()["error"]["code"])
        assert answer.headers["x-model-requested"] == model
        assert "x-model-actual" not in answer.headers
    assert found == {
        "alder-1": (503, "model_archived"),
        "gone-1": (410, "model_gone"),
        "nobody": (404, "model_not_found"),
    }


@pytest.mark.parametrize("api", ASKING)
def test_another_model_answers_only_if_the_client_asked_for_that(lab: Lab, api: str) -> None:
    model = lab.retired(offer="archived")
    client = lab.client()
    assert say(client, api, model).status_code == 503
    assert say(client, api, model, prefer="respond-async").status_code == 503
    answer = say(client, api, model, prefer="wait=9, substitute=successor")
    assert answer.status_code == 200
    assert answer.headers["x-model-requested"] == "alder-1"
    assert answer.headers["x-model-actual"] == answer.json()["model"] == "birch-2"
    assert answer.headers["otium-weights"] == lab.house.model("birch-2").weights
    assert answer.headers["preference-applied"] == "substitute=successor"
    assert answer.headers["deprecation"]


def test_a_model_in_service_is_never_substituted(lab: Lab) -> None:
    model = lab.deprecated()
    answer = say(lab.client(), "chat/completions", model, prefer="substitute=successor")
    assert answer.headers["x-model-actual"] == answer.json()["model"] == model


@pytest.mark.parametrize("api", ASKING)
def test_an_announced_brownout_closes_a_deprecated_model_for_its_time(lab: Lab, api: str) -> None:
    model = lab.deprecated()
    lab.clock.move_to("2026-02-01T12:00:00Z")
    window = Brownout.at(f"{model}=2026-02-02/2026-02-02T01:00:00Z")
    client = lab.client(brownouts=(window,))
    assert say(client, api, model).status_code == 200
    assert client.get(f"/models/{model}").json()["lifecycle"]["brownouts"] == [window.plain()]
    (line,) = client.get("/models/deprecations").json()["data"]
    assert line["brownouts"] == [window.plain()]
    lab.clock.move_to("2026-02-02T00:30:00Z")
    answer = say(client, api, model)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_brownout")
    assert answer.headers["retry-after"] == "1800"
    assert answer.headers["deprecation"]
    assert say(client, api, "birch-2").status_code == 200
    lab.clock.move_to("2026-02-02T01:00:00Z")
    assert say(client, api, model).status_code == 200
    assert client.get(f"/models/{model}").json()["lifecycle"]["brownouts"] == []


@pytest.mark.parametrize(
    "text", ["", "m", "m=2026-02-02", "m=2026-02-03/2026-02-02", "=2026-02-02/2026-02-03", "m=a/b"]
)
def test_a_brownout_that_is_no_time_of_a_model_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Brownout.at(text)


def test_anthropics_clients_see_models_in_their_shape(lab: Lab) -> None:
    lab.deprecated()
    client = lab.client()
    headers = {"anthropic-version": "2023-06-01"}
    listed = client.get("/models", headers=headers).json()
    assert [one["id"] for one in listed["data"]] == ["birch-2", "alder-1"]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (
        "birch-2",
        "alder-1",
        False,
    )
    page = client.get("/models?limit=1", headers=headers).json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (["birch-2"], True)
    page = client.get("/models?after_id=birch-2", headers=headers).json()
    assert [one["id"] for one in page["data"]] == ["alder-1"]
    shown = client.get("/models/alder-1", headers=headers).json()
    assert (shown["type"], shown["display_name"]) == ("model", "Alder-1")
    assert shown["lifecycle"]["state"] == "deprecated"
    missing = client.get("/models/nobody", headers=headers).json()
    assert (missing["type"], missing["error"]["type"]) == ("error", "not_found_error")


def test_the_feed_is_a_calendar_and_an_atom_feed_too(lab: Lab) -> None:
    lab.deprecated()
    client = lab.client(keys=("secret",))
    bare = {"Authorization": ""}
    calendar = client.get("/models/deprecations.ics", headers=bare)
    assert calendar.headers["content-type"].startswith("text/calendar")
    assert "DTSTART;VALUE=DATE:20260401" in calendar.text
    feed = client.get("/models/deprecations.atom", headers=bare)
    assert feed.headers["content-type"].startswith("application/atom+xml")
    assert "alder-1" in feed.text


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_is_not_found(lab: Lab, stream: bool) -> None:
    client = lab.client()
    body = {"model": "nobody", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    for answer in (client.post("/chat/completions", json=body), client.get("/models/nobody")):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"


def test_a_model_without_weights_is_not_served(lab: Lab) -> None:
    lab.house.register(
        "cedar-1", title="Cedar", released="2025-06-01", scope="public", surfaces=["api"]
    )
    body = {"model": "cedar-1", "messages": [{"role": "user", "content": "hi"}]}
    answer = lab.client().post("/chat/completions", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_not_deposited")


def test_other_addresses_and_methods_are_refused_in_the_same_shape(lab: Lab) -> None:
    client = lab.client()
    assert client.get("/completions").json()["error"]["code"] == "unknown_url"
    answer = client.get("/chat/completions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
