from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from otium.lifecycle import Availability

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
        "retired_at": None,
        "successor": "birch-2",
        "weights": lab.house.model(model).weights,
        "note_url": "https://x.org/models/alder-1/",
        "report_url": None,
        "engine": "unloaded",
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


@pytest.mark.parametrize(("offer", "status"), [("archived", 410), ("on-request", 403)])
def test_a_retired_model_that_is_not_served_says_all_that_helps(
    lab: Lab, offer: Availability, status: int
) -> None:
    model = lab.retired(offer=offer)
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    answer = lab.client().post("/chat/completions", json=body)
    assert answer.status_code == status
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["deprecation"]
    error = answer.json()["error"]
    assert error.pop("message").startswith("alder-1 was retired on 2026-04-02")
    assert error == {
        "type": "model_retired",
        "code": "model_retired",
        "param": "model",
        "model": "alder-1",
        "retired": "2026-04-02T00:00:00Z",
        "successor": "birch-2",
        "availability": offer,
        "report": None,
        "weights": lab.house.model(model).weights,
    }


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
