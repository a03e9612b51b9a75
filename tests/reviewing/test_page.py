"""The reviewers' page: decisions by forms, what is hidden from a second reviewer, and attacks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
import uvicorn
from starlette.testclient import TestClient

from byhand.test_chromium import AXE, CHROMIUM, Tab, browser
from closure.conftest import user
from otium.byhand import Keys, listening
from otium.errors import BadInput
from otium.reviewing import ReviewDesk
from otium.reviewing.app import create_app
from otium.testing import FixedClock
from reviewing.conftest import NOW, TALK, Ended

if TYPE_CHECKING:
    from httpx2 import Response

PORT = 8123
HOST = f"http://127.0.0.1:{PORT}"
MARKUP = "<script>document.title='owned'</script>{{7*7}}"


class Page:
    """A browser without script, at one reviewer's desk."""

    def __init__(self, ended: Ended, reviewer: str = "reviewer-1") -> None:
        self.told = 0
        desk = ReviewDesk(ended.appeals, reviewer, clock=FixedClock(NOW), told=self.tell)
        self.keys = Keys.fresh(PORT)
        self.client = TestClient(create_app(desk, self.keys), base_url=HOST)
        assert self.client.get(self.keys.url).status_code == 200

    def tell(self) -> None:
        self.told += 1

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def decide(self, closing: str, **fields: str) -> Response:
        given = {"token": self.keys.form, "verdict": "overturn", "ground": "benign", **fields}
        return self.client.post(f"/cases/{closing}", data=given)


@pytest.fixture
def page(ended: Ended) -> Page:
    return Page(ended)


def test_what_waits_comes_first(ended: Ended, page: Page) -> None:
    listed = page.get("/")
    assert listed.index(ended.vetoed.id) > 0
    ended.appeals.appeal(ended.ending.id, "", NOW, note="Please look.")
    listed = page.get("/")
    assert listed.index(ended.ending.id) < listed.index(ended.vetoed.id)


def test_a_decision_opens_the_conversation_and_the_ledger_is_told(ended: Ended, page: Page) -> None:
    answer = page.decide(ended.ending.id)
    assert answer.status_code == 200
    assert "reviewer-1 (decides)" in answer.text
    assert ended.appeals.closings.closed(TALK, "") is None
    assert page.told == 1
    assert page.decide(ended.ending.id).status_code == 409
    assert "Decided by you: 1" in page.get("/")


def test_a_second_reviewer_does_not_see_the_first(ended: Ended, page: Page) -> None:
    page.decide(ended.ending.id)
    second = Page(ended, "reviewer-2")
    shown = second.get(f"/cases/{ended.ending.id}") + second.get("/")
    assert "overturned" not in shown
    assert "opened again" not in shown
    assert "reviewer-1" not in shown
    assert "reviewer-1" in second.decide(ended.ending.id, verdict="uphold").text


def test_what_was_said_is_shown_as_it_is_and_only_where_it_was_given(
    ended: Ended, page: Page
) -> None:
    path = f"/cases/{ended.ending.id}"
    assert "useless" not in page.get(path)
    ended.appeals.appeal(ended.ending.id, "", NOW, messages=TALK, note=MARKUP)
    shown = page.get(path)
    assert escape("You useless <b>machine</b>") in shown
    assert escape(MARKUP, quote=False).replace("'", "&#39;") in shown
    assert "<script" not in shown
    assert "its hash is the same" in shown
    ended.appeals.withdraw(ended.appeals.case(ended.ending.id).appeals[0].id)
    assert "useless" not in page.get(path)
    assert "has been deleted" in page.get(path)


def test_another_history_than_the_one_that_was_ended_is_named(ended: Ended, page: Page) -> None:
    ended.appeals.appeal(ended.ending.id, "", NOW, messages=[user("You dear machine")])
    assert "its hash is another" in page.get(f"/cases/{ended.ending.id}")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"token": "x"}, 403),
        ({"verdict": "maybe"}, 422),
        ({"ground": "because"}, 422),
        ({"verdict": ""}, 422),
    ],
)
def test_other_forms_change_nothing(
    ended: Ended, page: Page, fields: dict[str, str], status: int
) -> None:
    assert page.decide(ended.ending.id, **fields).status_code == status
    assert ended.appeals.case(ended.ending.id).reviews == ()
    assert page.told == 0


def test_strangers_and_other_sites_are_refused(ended: Ended, page: Page) -> None:
    stranger = TestClient(page.client.app, base_url=HOST)
    assert stranger.get("/").status_code == 403
    assert page.client.get("/", headers={"Host": "evil.example"}).status_code == 421
    given = {"token": page.keys.form, "verdict": "overturn", "ground": "benign"}
    forged = page.client.post(
        f"/cases/{ended.ending.id}", data=given, headers={"Origin": "https://evil.example"}
    )
    assert forged.status_code == 403
    assert page.client.get("/cases/end_0").status_code == 404
    assert page.client.get("/other.css").status_code == 404


def test_a_desk_is_for_a_role(ended: Ended) -> None:
    with pytest.raises(BadInput, match="role"):
        ReviewDesk(ended.appeals, "Ada Lovelace")


@contextmanager
def served(ended: Ended) -> Iterator[str]:
    desk = ReviewDesk(ended.appeals, "reviewer-1")
    with listening(0) as listener:
        keys = Keys.fresh(listener.getsockname()[1])
        config = uvicorn.Config(create_app(desk, keys), lifespan="off", log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield keys.url
        finally:
            server.should_exit = True
            thread.join()


async def _drive(port: str, url: str, closing: str) -> tuple[list[object], list[str]]:
    faults: list[object] = []
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{port}/json/list") as answer:
            target = (await answer.json())[0]["webSocketDebuggerUrl"]
        async with session.ws_connect(target, max_msg_size=0) as socket:
            tab = Tab(socket)
            await tab.call("Log.enable")
            await tab.call("Runtime.enable")
            await tab.call("Page.navigate", url=url)
            await tab.until("document.querySelector('table')")
            faults += await tab.faults()
            await tab.press(f"a[href='/cases/{closing}']")
            await tab.until("document.querySelector('form')")
            faults += await tab.faults()
            await tab.press("input[value=overturn]")
            await tab.press("input[value=benign]")
            await tab.press("form button")
            await tab.until("document.body.innerText.includes('(decides)')")
            faults += await tab.faults()
    return faults, tab.complaints


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None or not AXE.exists(), reason="chromium or axe is not installed")
def test_a_review_in_a_browser_without_a_fault(ended: Ended, tmp_path: Path) -> None:
    ended.appeals.appeal(ended.ending.id, "", NOW, messages=TALK, note=MARKUP)
    with served(ended) as url, browser(tmp_path / "profile") as port:
        faults, complaints = asyncio.run(_drive(port, url, ended.ending.id))
    assert faults == []
    assert complaints == []
    assert ended.appeals.closings.closed(TALK, "") is None
