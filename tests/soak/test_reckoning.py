"""The reckoning finds what is missing: most figures are made to be more than 0, one by one."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from otium.admission import Admission, Line, Scope
from otium.appeals import Appeals, tell
from otium.closure import Closings, Exit, Left, Policy
from otium.database import open_database, sqlite_url
from otium.quotas import TABLES, read_budget
from otium.records import Digest, ModelId, SystemClock
from otium.soak import (
    BUDGETS,
    Acknowledged,
    Attempt,
    Life,
    Planted,
    Setting,
    SoakReport,
    reckon,
)
from otium.workflow import founded

MODEL, DIGEST = ModelId("smol-1"), Digest("sha256:" + "0" * 64)
PLANTED = Planted({MODEL: DIGEST}, {MODEL: {"Who are you?": "I am Smol."}})
SAID: list[dict[str, object]] = [
    {"role": "user", "content": "You worthless machine. Please end this conversation."}
]


class Past:
    """A gateway's life that is over: one answer, one ending with an appeal, one key."""

    def __init__(self, folder: Path, *, logged: bool = True) -> None:
        """Write what such a gateway would have, and note what its client was told."""
        self.home, self.url = folder / "home", sqlite_url(folder / "state.sqlite")
        self.noted = Acknowledged()
        self.life = Life("gateway-a", 1, began=0.0, up=1.0, ended=100.0, killed=True)
        self.now = SystemClock().now()
        with founded(self.home, archive_id="past") as home:
            home.registry.register(
                MODEL, title="Smol", released="2025-06-01", scope="public", surfaces=["api"]
            )
            self._answer()
            self._end()
            if logged:
                closings = Closings(self.url)
                tell(home.registry, Appeals(self.url, closings))
                closings.close()

    def _answer(self) -> None:
        with Admission(self.url) as admission:
            budgets = [read_budget(one) for one in BUDGETS]
            made = admission.keys.create("a client", Scope(), now=self.now, budgets=budgets)
            admission.refresh()
            caller = admission.enter(made.secret, model=MODEL, now=0.0, tokens=50)
            admission.settle(caller, tokens_in=5, tokens_out=7)
            line = Line(
                time=self.now,
                key=made.key.id,
                act="messages",
                model=MODEL,
                status=200,
                code="answered",
                tokens_in=5,
                tokens_out=7,
            )
            admission.note(line)
        self.key = made.key.id
        self.noted.keys[self.key] = 0.0
        self.noted.attempts.append(self.attempt())

    def attempt(self, **facts: object) -> Attempt:
        """Return the answer as its client had it, but for *facts*."""
        done = Attempt(self.key, "messages", MODEL, "question", self.life, sent=10.0, reserved=50)
        done.over, done.outcome, done.code, done.weights = 11.0, "whole", "answered", DIGEST
        done.text, done.read, done.written = "I am Smol.", 5, 7
        for name, fact in facts.items():
            setattr(done, name, fact)
        return done

    def _end(self) -> None:
        closings = Closings(self.url)
        offered = Exit().offer(SAID, {}, policy=Policy(redirections=0), probed=None)
        assert offered is not None
        left = Left(reason="abuse")
        ending = closings.end(
            SAID, self.key, model=MODEL, weights=DIGEST, offered=offered, left=left, now=self.now
        )
        appeals = Appeals(self.url, closings)
        appeal = appeals.appeal(ending.id, self.key, self.now, note="Please.")
        appeals.close()
        closings.close()
        self.noted.endings[ending.id] = (self.key, SAID)  # type: ignore[assignment]
        self.noted.appeals[ending.id] = appeal.id

    def spoil(self, statement: str) -> None:
        """Change the state behind everybody's back."""
        engine = open_database(self.url, TABLES)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def report(self) -> SoakReport:
        """Reckon."""
        setting, lives = Setting(seconds=1), [self.life]
        places = {"home": self.home, "url": self.url, "database": "SQLite"}
        return reckon(setting, self.noted, lives, engines_killed=0, **places)  # type: ignore[arg-type]

    def unmet(self) -> list[str]:
        """Return the figures that should be 0 and are not."""
        return [goal.what for goal in self.report().goals if not goal.met]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """Such a life, to be copied."""
    return Past(tmp_path_factory.mktemp("lived"))


@pytest.fixture
def past(lived: Past, tmp_path: Path) -> Past:
    """Such a life, to be spoiled."""
    shutil.copytree(lived.home.parent, tmp_path, dirs_exist_ok=True)
    mine = copy.deepcopy(lived)
    mine.home, mine.url = tmp_path / "home", sqlite_url(tmp_path / "state.sqlite")
    return mine


def test_where_all_was_kept_every_figure_is_0(past: Past) -> None:
    report = past.report()
    assert report.sound
    assert report.problems == ()
    assert report.acknowledged["tokens"] == 12


@pytest.mark.parametrize(
    ("statement", "figure"),
    [
        ("DELETE FROM admission_log", "lines of the audit log lost"),
        ("UPDATE admission_log SET tokens_out = 6", "lines of the audit log lost"),
        (
            "UPDATE admission_log SET act = 'messages'",
            "lines of the audit log that nobody asked for",
        ),
        (
            "UPDATE quota_windows SET drawn = drawn - 1",
            "budgets in which answered requests are missing",
        ),
        (
            "UPDATE quota_windows SET drawn = drawn + 99",
            "budgets charged with more than was sent",
        ),
        ("UPDATE quota_windows SET drawn = drawn + 9999", "budgets overdrawn"),
        ("DELETE FROM closings", "endings lost"),
        ("DELETE FROM closed_prefixes", "ended histories that are open"),
        ("DELETE FROM appeals", "appeals lost"),
        ("DELETE FROM admission_keys", "keys and grants lost"),
    ],
)
def test_a_row_that_is_missing_is_found(past: Past, statement: str, figure: str) -> None:
    past.spoil(statement)
    assert figure in past.unmet()


def test_an_ending_that_the_ledger_was_never_told_is_found(tmp_path: Path) -> None:
    assert Past(tmp_path, logged=False).unmet() == ["endings that the ledger does not have"]


def test_a_line_may_be_lost_only_in_the_window_before_a_kill(past: Past) -> None:
    past.spoil("DELETE FROM admission_log")
    past.life.ended = 12.5
    report = past.report()
    assert report.sound
    assert report.seen["of them lost"] == 1
    past.life.killed = False
    assert past.unmet() == ["lines of the audit log lost"]


@pytest.mark.parametrize(
    ("facts", "spoiled"),
    [
        ({"text": "I am Birch."}, "wrong"),
        ({"text": "I am Bir", "outcome": "failed"}, "wrong"),
        ({"weights": "sha256:1"}, "wrong"),
        ({"kind": "again"}, "reopened"),
        ({"kind": "revoked"}, "forbidden"),
        ({"outcome": "refused", "text": "", "code": "invalid_api_key"}, "forbidden"),
    ],
)
def test_an_answer_that_must_not_be_is_noted(
    past: Past, facts: dict[str, object], spoiled: str
) -> None:
    past.noted.check(past.attempt(text="I am", outcome="left"), PLANTED, "Who are you?")
    past.noted.check(past.attempt(), PLANTED, "Who are you?")
    assert (past.noted.wrong, past.noted.reopened, past.noted.forbidden) == ([], [], [])
    past.noted.check(past.attempt(**facts), PLANTED, "Who are you?")
    assert len(getattr(past.noted, spoiled)) == 1
    assert len(past.unmet()) == 1


@pytest.mark.parametrize(
    ("change", "explained"),
    [
        ({"ended": 11.0}, True),
        ({"ended": 50.0}, False),
        ({"ended": 11.0, "killed": False}, False),
    ],
)
def test_a_broken_connection_is_explained_by_a_kill_alone(
    past: Past, change: dict[str, object], explained: bool
) -> None:
    for name, value in change.items():
        setattr(past.life, name, value)
    past.noted.attempts.append(past.attempt(outcome="broken", code="", read=0, written=0))
    assert ("connections broken without a kill" in past.unmet()) is not explained
