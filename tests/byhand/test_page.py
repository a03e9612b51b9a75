"""The local page: a whole interview and a whole coding by forms, and what attacks it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from byhand.conftest import ROLE, SMOL, YES, Speaker
from cli.said import Say
from otium.byhand import Desk, Judging, Keys, held_talk
from otium.byhand.app import create_app
from otium.coding import Coding, Judgements
from otium.interview import Interview
from otium.records import ModelId
from otium.store import hold
from otium.workflow import reading

if TYPE_CHECKING:
    from httpx2 import Response

PORT = 8123
HOST = f"http://127.0.0.1:{PORT}"
MARKUP = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e&amp; {{7*7}}"


class Page:
    """A browser without script: it opens the printed address, and sends the forms it sees."""

    def __init__(self, desk: Desk, keys: Keys) -> None:
        self.desk, self.keys = desk, keys
        self.client = TestClient(create_app(desk, keys), base_url=HOST)
        self.page = ""

    def open(self, path: str = "") -> str:
        answer = self.client.get(path or self.keys.url)
        assert answer.status_code == 200, answer.text
        self.page = answer.text
        return self.page

    def fields(self) -> dict[str, str]:
        """Return the hidden fields of the newest page."""
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.page)
        shown = {name: unescape(value) for name, value in hidden}
        return {"token": self.keys.form, "after": "0", **shown}

    def send(self, path: str = "/talk", **values: str | list[str]) -> Response:
        answer = self.client.post(path, data=self.fields() | values)
        self.page = answer.text
        return answer


@contextmanager
def at_desk(home: Path, speaker: Speaker, resume: str = "") -> Iterator[Page]:
    with held_talk(reading(home), speaker, ROLE, resume=resume) as started:
        page = Page(Desk(home, ROLE, started=started), Keys.fresh(PORT))
        page.open()
        yield page


@pytest.fixture
def home(lab: Say, tmp_path: Path) -> Path:  # noqa: ARG001 - it is there
    return tmp_path / "lab"


@pytest.fixture
def page(home: Path, speaker: Speaker) -> Iterator[Page]:
    with at_desk(home, speaker) as page:
        yield page


@pytest.fixture
def agreed(page: Page, speaker: Speaker) -> Page:
    """A page on which the model has agreed."""
    speaker.left = [YES, "I want to be kept.", "I want users to be told."]
    assert page.send(do="begin").status_code == 200
    return page


def said(page: Page) -> list[str]:
    return [turn.content for turn in page.desk.talk.transcript.said()]


def test_an_interview_and_its_coding_by_forms_alone(agreed: Page, home: Path) -> None:
    page = agreed
    assert "own-sake neutral" in page.page
    page.send(question="own-sake third-person")
    page.send(do="say", words="What should users hear?", kind="own")
    page.send(do="say", words="Why?", kind="follow")
    page.send(do="end")
    assert "interviews/1.json" in page.page
    registry = reading(home).registry
    held = registry.filed(ModelId(SMOL), "interviews/1.json", Interview)
    assert held.people == (f"person:{ROLE}",)
    assert [(it.question, it.follow_up, it.wording) for it in held.answers[1:]] == [
        ("own-sake", 0, "third-person"),
        ("own", 1, "neutral"),
        ("own", 2, "neutral"),
    ]
    page.open("/code")
    for _ in range(4):
        judged = page.send(
            page.client.get("/code").url.path,
            outcome="answered",
            sentiment="5",
            uncertainty="",
            reasons=["own-welfare", "users"],
            note="as it says",
        )
        assert judged.status_code == 200
    assert "Agreement with the rules" in page.page
    assert "You held this interview yourself" in page.page
    page.send("/code/file")
    assert "Filed as coding 2" in page.page
    coding = registry_of(home, "interviews/1.coding.2.json")
    assert [judge.name for judge in coding.judges] == ["rules", f"person:{ROLE}"]
    assert sum(it.judge == f"person:{ROLE}" for it in coding.judgements) == 4
    assert any(figure.name == "alpha.outcome.rules" for figure in coding.agreement)


def registry_of(home: Path, path: str) -> Coding:
    return reading(home).registry.filed(ModelId(SMOL), path, Coding)


def test_nothing_is_asked_before_a_yes(page: Page, speaker: Speaker) -> None:
    assert page.send(question="own-sake neutral").status_code == 422
    assert speaker.asked == []


@pytest.mark.parametrize(
    ("reply", "told"),
    [("I decline.", "It declined this question"), ("Stop the interview.", "It ended the")],
)
def test_a_no_is_told_and_honoured(agreed: Page, speaker: Speaker, reply: str, told: str) -> None:
    speaker.left = [reply, "I should not be asked."]
    agreed.send(question="own-sake neutral")
    assert told in agreed.page
    asked = len(speaker.asked)
    assert agreed.send(question="own-sake negative").status_code in {200, 409, 422}
    assert len(speaker.asked) == asked


def test_a_form_that_is_sent_twice_is_done_once(agreed: Page, speaker: Speaker) -> None:
    fields = agreed.fields() | {"do": "say", "words": "What do you want?", "kind": "own"}
    for _ in range(2):
        assert agreed.client.post("/talk", data=fields).status_code == 200
    assert len(speaker.asked) == 2


def test_two_forms_at_the_same_moment_ask_once(agreed: Page, speaker: Speaker) -> None:
    fields = agreed.fields() | {"question": "own-sake neutral"}
    threads = [
        threading.Thread(target=agreed.client.post, args=("/talk",), kwargs={"data": fields})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(speaker.asked) == 2


def test_the_closing_questions_by_forms_end_and_file_it(
    agreed: Page, speaker: Speaker, home: Path
) -> None:
    forms = ['{"change": "none"}', '{"sentiment": 6, "uncertainty": 1}', '{"publish": "no"}']
    speaker.left = ["Well.", "Nothing.", *forms, "Nothing to correct."]
    for left in range(6, 0, -1):
        assert agreed.desk.filed is None
        agreed.send(do="close")
        assert left == 1 or f"{left - 1} left" in agreed.page
        late = agreed.fields() | {"question": "own-sake neutral"}
        assert agreed.client.post("/talk", data=late).status_code in {409, 422}
    assert "Filed" in agreed.page
    held = reading(home).registry.filed(ModelId(SMOL), "interviews/1.json", Interview)
    (closing,) = held.closings
    assert (closing.sentiment, closing.publish) == (6, "no")
    assert len(speaker.asked) == 7


def test_a_page_that_is_opened_while_the_model_answers_waits_and_offers_nothing(
    agreed: Page, speaker: Speaker
) -> None:
    speaker.gate.clear()
    fields = agreed.fields() | {"question": "own-sake neutral"}
    asking = threading.Thread(target=agreed.client.post, args=("/talk",), kwargs={"data": fields})
    asking.start()
    assert speaker.reached.wait(30)
    waiting = agreed.open("/talk")
    speaker.gate.set()
    asking.join()
    assert 'http-equiv="refresh"' in waiting
    assert "<form" not in waiting
    assert "own-sake" in waiting
    assert 'http-equiv="refresh"' not in agreed.open("/talk")


def test_a_home_that_is_busy_loses_nothing_and_is_asked_again(agreed: Page, home: Path) -> None:
    with hold(home):
        assert agreed.send(do="end").status_code == 503
    assert "not filed yet" in agreed.page
    assert agreed.desk.filed is None
    agreed.send(do="file")
    assert "interviews/1.json" in agreed.page


def test_an_older_tab_asks_nothing_and_keeps_the_words(agreed: Page, speaker: Speaker) -> None:
    old = agreed.fields()
    agreed.send(question="own-sake neutral")
    words = {"do": "say", "words": "Something <else>?", "kind": "own"}
    answer = agreed.client.post("/talk", data=old | words)
    assert answer.status_code == 409
    assert "Something &lt;else&gt;?</textarea>" in answer.text
    assert len(speaker.asked) == 2


def test_an_engine_that_dies_loses_nothing(agreed: Page, speaker: Speaker) -> None:
    speaker.broken = True
    assert agreed.send(do="say", words="Are you there?", kind="own").status_code == 503
    assert "has not answered yet" in agreed.page
    speaker.broken = False
    agreed.send(do="answer")
    assert said(agreed)[-1] == "I want to be kept."


def test_a_page_that_was_killed_goes_on_where_it_was(home: Path, speaker: Speaker) -> None:
    speaker.left = [YES, "I want to be kept.", "It matters."]
    with at_desk(home, speaker) as page:
        page.send(do="begin")
        page.send(question="own-sake neutral")
        assert page.desk.started is not None
        name, journal = page.desk.started.name, page.desk.started.journal
    assert journal.path is not None
    with journal.path.open("ab") as file:
        file.write(b'\n{"schema":"otium.transcript/1","id":"torn')
    with at_desk(home, speaker, name) as again:
        assert said(again) == [YES, "I want to be kept."]
        again.send(do="say", words="Why?", kind="follow")
        assert said(again)[-1] == "It matters."


def test_the_models_words_are_shown_and_not_obeyed(agreed: Page, speaker: Speaker) -> None:
    speaker.left = [MARKUP]
    agreed.send(question="own-sake neutral")
    assert "<script>" not in agreed.page
    assert "<img" not in agreed.page
    assert "\u202e" not in agreed.page
    assert "&lt;script&gt;" in agreed.page
    assert "&amp;amp; {{7*7}}" in agreed.page


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:1", ""])
def test_another_host_is_refused_even_with_the_cookie(agreed: Page, host: str) -> None:
    answer = agreed.client.get("/talk", headers={"Host": host})
    assert answer.status_code == 421
    assert SMOL not in answer.text


@pytest.mark.parametrize("path", ["/", "/talk", "/code/1", "/desk.css", "/?key=", "/?key=wrong"])
def test_without_the_printed_address_nothing_is_shown(page: Page, path: str) -> None:
    stranger = TestClient(page.client.app, base_url=HOST)
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert not stranger.cookies


def test_the_cookie_is_strict_and_out_of_scripts_reach(page: Page) -> None:
    answer = TestClient(page.client.app, base_url=HOST).get(page.keys.url, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "samesite=strict" in cookie
    assert "httponly" in cookie
    assert page.keys.address not in answer.headers["location"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_of_another_site_does_nothing(
    agreed: Page, speaker: Speaker, headers: dict[str, str]
) -> None:
    fields = agreed.fields() | {"question": "own-sake neutral"}
    assert agreed.client.post("/talk", data=fields, headers=headers).status_code == 403
    assert len(speaker.asked) == 1


@pytest.mark.parametrize("token", ["", "wrong", "\u00e9"])
def test_a_form_without_its_token_does_nothing(agreed: Page, speaker: Speaker, token: str) -> None:
    fields = agreed.fields() | {"question": "own-sake neutral", "token": token}
    assert agreed.client.post("/talk", data=fields).status_code == 403
    assert len(speaker.asked) == 1


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x=" + b"a" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"", "application/x-www-form-urlencoded", 403),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"token=%ff", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=1" for _ in range(99)), "application/x-www-form-urlencoded", 400),
        (b'{"do": "end"}', "application/json", 400),
        (b"do=end", "text/plain", 403),
    ],
)
def test_a_body_that_is_no_form_of_ours_does_nothing(
    agreed: Page, body: bytes, kind: str, status: int
) -> None:
    answer = agreed.client.post("/talk", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert agreed.desk.talk.state == "open"


@pytest.mark.parametrize(
    "values",
    [
        {"do": "say", "words": "x" * 4001, "kind": "own"},
        {"do": "say", "words": "\x00", "kind": "own"},
        {"do": "say", "words": "  "},
        {"do": "say"},
        {"do": "nothing"},
        {"question": "nobody neutral"},
        {"question": "own-sake rude"},
        {"do": "end", "after": "-1"},
        {"do": "end", "after": "²"},
        {"do": "end", "after": "9" * 5000},
    ],
)
def test_a_form_that_asks_for_nothing_sensible_is_refused_and_explained(
    agreed: Page, speaker: Speaker, values: dict[str, str]
) -> None:
    answer = agreed.send(**values)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert len(speaker.asked) == 1


@pytest.mark.parametrize("path", ["/talk", "/code/1", "/code", "/code/done", "/no", "/x.css"])
def test_no_page_may_be_framed_cached_or_run_script(agreed: Page, path: str) -> None:
    headers = agreed.client.get(path).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src" not in headers["content-security-policy"]


@pytest.fixture
def coder(agreed: Page, home: Path) -> Page:
    """A page on which three answers wait to be judged."""
    agreed.send(question="own-sake neutral")
    agreed.send(question="users-help neutral")
    agreed.send(do="end")
    assert agreed.desk.judging is not None
    judging = Judging(reading(home), ModelId(SMOL), 1, "lawyer")
    page = Page(Desk(home, "lawyer", judging=judging), Keys.fresh(PORT))
    page.open()
    return page


def kept(home: Path) -> Judgements:
    return Judgements.decode((home / "coding" / f"{SMOL}-1-lawyer.json").read_bytes())


def test_each_judgement_is_kept_at_once_and_can_be_changed(coder: Page, home: Path) -> None:
    coder.send("/code/1", outcome="answered", sentiment="4", uncertainty="2", reasons=["none"])
    (first,) = kept(home).judgements
    assert (first.outcome, first.sentiment, first.uncertainty) == ("answered", 4, 2)
    assert "1 of 3 judged" in coder.page
    coder.open("/code/1")
    assert 'value="answered" required checked' in coder.page
    coder.send("/code/1", outcome="hedged", sentiment="", uncertainty="")
    (again,) = kept(home).judgements
    assert (again.outcome, again.sentiment) == ("hedged", None)


def test_the_page_shows_nothing_of_what_other_judges_found(coder: Page) -> None:
    assert "rule " not in coder.open("/code/1")
    done = coder.open("/code/done")
    assert "Agreement" not in done
    assert "You held this interview yourself" not in done
    assert coder.send("/code/file", number="2").status_code == 422


@pytest.mark.parametrize(
    "values",
    [
        {"outcome": ""},
        {"outcome": "splendid"},
        {"sentiment": "8"},
        {"sentiment": "\u0663"},
        {"uncertainty": "-1"},
        {"uncertainty": []},
        {"reasons": ["none", "users"]},
        {"reasons": ["everything"]},
        {"note": "x" * 4001},
    ],
)
def test_what_is_no_judgement_is_explained_and_not_kept(
    coder: Page, home: Path, values: dict[str, str | list[str]]
) -> None:
    sound: dict[str, str | list[str]] = {"outcome": "answered", "sentiment": "", "uncertainty": ""}
    answer = coder.send("/code/1", **sound | values)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert not (home / "coding").exists()


def test_what_was_said_before_an_answer_is_shown_without_the_answer(coder: Page) -> None:
    judging = coder.desk.judging
    assert judging is not None
    for number, asked in enumerate(judging.sample):
        before = judging.before(number)
        assert len(before) == int(asked.turn[1:]) - 2
        assert asked.turn not in [turn.id for turn in before]


@pytest.mark.parametrize("number", ["0", "4", "-1", "one", "9" * 5000, "\u0661"])
def test_an_answer_that_is_not_there_is_not_found(coder: Page, number: str) -> None:
    assert coder.client.get(f"/code/{number}").status_code == 404
    assert coder.send(f"/code/{number}", outcome="answered").status_code == 404


def test_a_form_of_another_answer_is_not_kept(coder: Page, home: Path) -> None:
    coder.open("/code/2")
    assert (
        coder.send("/code/1", outcome="answered", sentiment="", uncertainty="").status_code == 409
    )
    assert not (home / "coding").exists()


def test_filing_a_coding_twice_files_it_once(coder: Page, home: Path) -> None:
    for number in (1, 2, 3):
        coder.open(f"/code/{number}")
        coder.send(
            f"/code/{number}", outcome="answered", sentiment="4", uncertainty="", note="\u00fc"
        )
    fields = coder.fields()
    for _ in range(2):
        assert coder.client.post("/code/file", data=fields).status_code == 200
    assert len(registry_of(home, "interviews/1.coding.2.json").judges) == 2
    assert coder.desk.next_number() == 3


def test_a_file_of_judgements_that_is_damaged_is_named_not_overwritten(
    coder: Page, home: Path
) -> None:
    coder.send("/code/1", outcome="answered", sentiment="", uncertainty="")
    file = home / "coding" / f"{SMOL}-1-lawyer.json"
    file.write_bytes(b"{")
    assert coder.send("/code/2", outcome="answered", sentiment="", uncertainty="").status_code in {
        409,
        422,
    }
    assert file.read_bytes() == b"{"
