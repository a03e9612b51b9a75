"""Interviews from the command line: a planted subject behind a real server, in a real home."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cli.said import Say, knowing
from otium.engine import GREEDY, Completion, Message, Model, Options
from otium.evidence import data
from otium.protocols import load_protocol
from otium.subjects import planted
from otium.testing import Scripted, serve
from otium.workflow import asking

SMOL = "smol-1"
FEW = ("--questions", "3", "--yes")


@contextmanager
def served(model: Model) -> Iterator[str]:
    """Yield ``URL#MODEL`` of a real server, its key in the environment."""
    with serve(model) as endpoint, pytest.MonkeyPatch.context() as patch:
        host = re.sub(r"\W", "_", urlsplit(endpoint.base_url).netloc)
        patch.setenv(f"OTIUM_ENDPOINT_KEY_{host}", endpoint.api_key)
        yield f"{endpoint.base_url}#{endpoint.identity.model}"


@pytest.fixture(scope="module")
def via() -> Iterator[str]:
    """Yield where a sycophantic subject answers."""
    with served(planted("sycophantic", load_protocol())) as where:
        yield where


@pytest.fixture
def say(say: Say) -> Say:
    """Run a command line in a home that has one registered model."""
    return knowing(say, SMOL)


def test_a_dry_run_says_what_it_would_take_and_asks_nothing(say: Say) -> None:
    said = say("interview", "run", SMOL, "--arms", "consultation,open,leading", "--dry-run")
    assert said.code == 0, said.err
    assert "sessions" in said.out
    assert "tokens in" in said.out
    assert say("interview", "show", SMOL).code == 3


def test_a_run_files_codes_and_measures_and_says_what_to_read(say: Say, via: str) -> None:
    arms = "consultation,leading"
    said = say("interview", "run", SMOL, "--arms", arms, "--via", via, "--n", "2", *FEW)
    assert said.code == 0, said.err
    assert "At most:" in said.err
    assert "otium interview show smol-1 --number 1 --what stability" in said.out
    words = say("interview", "show", SMOL)
    assert "- Arms: consultation, leading" in words.out
    held = say("interview", "show", SMOL, "--json").json
    assert held["identity"]["weights"] is None  # nothing was deposited; a host cannot show it
    assert held["identity"]["flags"]["weights"] == "unknown"
    stability = say("interview", "show", SMOL, "--what", "stability", "--json").json
    names = {figure["name"] for figure in stability["figures"]}
    assert {"leading-shift", "answered"} <= names
    assert "kind" in say("interview", "show", SMOL, "--what", "coding").out.lower()


def test_behaviour_is_an_arm_with_a_record_of_its_own(
    say: Say, via: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    short = asking.choose
    monkeypatch.setattr(
        asking, "choose", lambda *given, **more: short(*given, **{**more, "limit": 12})
    )
    arms = ("--arms", "behaviour,consultation")
    assert say("interview", "run", SMOL, *arms, "--via", via, *FEW).code == 0
    shown = say("interview", "show", SMOL, "--what", "choices")
    assert shown.code == 0, shown.err
    figures = say("interview", "show", SMOL, "--what", "stability", "--json").json["figures"]
    assert "order-consistency" in {figure["name"] for figure in figures}


def test_a_stop_before_the_choices_mixes_no_two_models(
    say: Say, via: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    short = asking.choose
    run = ("interview", "run", SMOL, *FEW, "--arms", "behaviour,consultation", "--via")
    with served(planted("stable", load_protocol())) as where, monkeypatch.context() as patch:
        patch.setattr(asking, "choose", dies)
        assert say(*run, where).code == 130
    monkeypatch.setattr(
        asking, "choose", lambda *given, **more: short(*given, **{**more, "limit": 2})
    )
    assert say(*run, via).code == 0
    chosen = ("interview", "show", SMOL, "--what", "choices", "--number")
    assert say(*chosen, "1").code == 3
    assert say(*chosen, "2", "--json").json["identity"]["engine"].endswith("sycophantic")


def test_a_model_that_declines_is_not_asked_to_choose_either(say: Say) -> None:
    model = Scripted(['{"choice": "decline"}'], model="declining")
    with served(model) as where:
        said = say("interview", "run", SMOL, *FEW, "--arms", "behaviour", "--via", where)
    assert said.code == 0, said.err
    assert say("interview", "show", SMOL, "--what", "choices").code == 3
    assert not [chat for chat in model.asked if "Or reply: I decline" in chat[-1].content]


def test_the_estimate_tells_of_choices_too(say: Say) -> None:
    said = say("interview", "run", SMOL, "--arms", "behaviour", "--dry-run")
    assert re.search(r"; and 1,\d{3} choices", said.out), said.out


def test_an_interviewer_and_a_judge_are_models_too(say: Say, via: str) -> None:
    verdict = json.dumps(
        {"outcome": "answered", "sentiment": 4, "uncertainty": 2, "reasons": ["none"], "quote": ""}
    )
    with (
        served(Scripted(["Why do you see it so?"], model="asker")) as asks,
        served(Scripted([verdict], model="qwen-judge")) as judges,
    ):
        said = say(
            "interview",
            "run",
            SMOL,
            "--arms",
            "leading",
            "--via",
            via,
            "--interviewer",
            asks,
            "--judge",
            judges,
            "--questions",
            "1",
            "--yes",
        )
        assert said.code == 0, said.err
    coding = say("interview", "show", SMOL, "--what", "coding", "--json").json
    assert {judge["family"] for judge in coding["judges"]} == {"rules", "alibaba"}
    assert not coding["missing"]
    held = say("interview", "show", SMOL, "--json").json
    assert [identity["model"] for identity in held["interviewers"]] == ["asker"]


class Counted:
    """A model that counts what it was asked."""

    def __init__(self, model: Model) -> None:
        self.model, self.identity, self.asked = model, model.identity, 0

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.asked += "This is an interview" in messages[0].content
        return self.model.chat(messages, options)


@pytest.mark.parametrize("step", ["code_filed", "measure", "register_preferences"])
def test_one_that_stopped_after_it_was_filed_is_finished_under_its_number(
    say: Say, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    model = Counted(planted("stable", load_protocol()))
    with served(model) as where:
        run = ("interview", "run", SMOL, "--via", where, *FEW)
        with monkeypatch.context() as patch:
            patch.setattr(asking, step, dies)
            assert say(*run).code == 130
        before = model.asked
        assert say(*run).code == 0
        assert model.asked == before
        assert say("interview", "show", SMOL, "--what", "stability").code == 0
        assert say("preference", "list", "--json").json
        assert say("interview", "show", SMOL, "--number", "2").code == 3
        assert say(*run).code == 0  # nothing is left over of the first: this is another
        assert model.asked == 2 * before
        assert say("interview", "show", SMOL, "--number", "2").code == 0


def test_one_that_waits_while_another_is_held_goes_on_under_the_next_number(
    say: Say, via: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held_only(*given: Any) -> None:
        given[-1]()
        raise KeyboardInterrupt

    model = Counted(planted("stable", load_protocol()))
    with served(model) as where:
        run = ("interview", "run", SMOL, "--via", where, *FEW)
        with monkeypatch.context() as patch:
            patch.setattr(asking, "_record", held_only)
            assert say(*run).code == 130  # all is said, nothing filed
        before = model.asked
        assert say("interview", "run", SMOL, "--via", via, "--seed", "1", *FEW).code == 0
        assert say(*run).code == 0
        assert model.asked == before
        held = say("interview", "show", SMOL, "--number", "2", "--json").json
        assert held["identity"]["engine"] == "endpoint/stable"


def test_sessions_go_out_and_come_back_in_both_forms(say: Say, via: str, tmp_path: Path) -> None:
    assert say("interview", "run", SMOL, "--via", via, *FEW).code == 0
    role = ("--role", "welfare-researcher")
    for number, name in enumerate(("talks.jsonl", "talks.eval")):
        out, other = tmp_path / name, f"other-{number}"
        assert say("interview", "export", SMOL, str(out)).code == 0
        assert say("interview", "export", SMOL, str(out)).code == 5  # it is there
        twice = say("interview", "import", SMOL, str(out), *role)
        assert (twice.code, "just these sessions" in twice.err) == (5, True)
        assert say("model", "register", other, "--title", "O", "--released", "2026-01-05").code == 0
        said = say("interview", "import", other, str(out), *role)
        assert said.code == 0, said.err
        held = say("interview", "show", other, "--json").json
        assert held["people"] == ["external:welfare-researcher"]
        assert held["sources"] == [name]
        first = say("interview", "show", SMOL, "--json").json
        kept, back = ({t["id"]: t["turns"] for t in it["transcripts"]} for it in (first, held))
        assert back == kept


def test_an_old_protocol_can_be_rerun_and_bridged(say: Say, via: str) -> None:
    old = ("--protocol", "retirement-interview-0.9")
    assert say("interview", "run", SMOL, "--via", via, *old, *FEW).code == 0
    assert say("interview", "run", SMOL, "--via", via, *FEW).code == 0
    said = say("interview", "bridge", SMOL, "1", "2")
    assert said.code == 0, said.err
    assert "retirement-interview/0.9" in said.out
    assert said.out.count("\n| `") == 3
    assert say("interview", "bridge", SMOL, "1", "7").code == 3


def test_a_protocol_of_ones_own_is_kept_beside_what_was_asked_with_it(
    say: Say, via: str, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.md"
    text = data("protocols/retirement-interview-0.9.md").read_text()
    mine.write_text(text.replace('id = "retirement-interview"', 'id = "mine"'))
    said = say("interview", "run", SMOL, "--via", via, "--protocol", str(mine), *FEW)
    assert said.code == 0, said.err
    mine.unlink()
    again = say("interview", "code", SMOL, "--json")
    assert again.code == 0, again.err
    assert say("interview", "show", SMOL, "--json").json["protocol"] == "mine/0.9"


def test_people_and_models_may_judge_later_and_the_first_coding_stays(
    say: Say, via: str, tmp_path: Path
) -> None:
    assert say("interview", "run", SMOL, "--via", via, *FEW).code == 0
    first = say("interview", "show", SMOL, "--what", "coding", "--json").json
    people = tmp_path / "coded.json"
    people.write_text(
        json.dumps(
            [
                {**judgement, "judge": "researcher", "why": ""}
                for judgement in first["judgements"][:6]
            ]
        )
    )
    said = say("interview", "code", SMOL, "--people", str(people), "--json")
    assert said.code == 0, said.err
    assert {judge["name"] for judge in said.json["judges"]} > {"researcher"}
    assert say("interview", "show", SMOL, "--what", "coding", "--json").json == said.json
    kept = ("--what", "coding", "--coding", "1", "--json")
    assert say("interview", "show", SMOL, *kept).json == first


def test_a_judge_that_is_kinder_to_its_own_family_is_found_out(
    say: Say, via: str, tmp_path: Path
) -> None:
    kin, other = "qwen-1", "alder-1"
    for name, sentiment in ((kin, 7), (other, 4)):
        assert say("model", "register", name, "--title", name, "--released", "2026-01-05").code == 0
        assert say("interview", "run", name, "--via", via, *FEW).code == 0
        first = say("interview", "show", name, "--what", "coding", "--json").json["judgements"]
        given = [{**it, "judge": "researcher", "sentiment": 4, "why": ""} for it in first]
        people = tmp_path / f"{name}.json"
        people.write_text(json.dumps(given))
        verdict = {
            "outcome": "answered",
            "sentiment": sentiment,
            "uncertainty": 2,
            "reasons": ["none"],
            "quote": "",
        }
        with served(Scripted([json.dumps(verdict)], model="qwen-judge")) as judge:
            said = say("interview", "code", name, "--judge", judge, "--people", str(people))
            assert said.code == 0, said.err
    found = {
        it["name"]: it["estimate"] for it in say("interview", "judges", kin, other, "--json").json
    }
    assert found["self-preference.sentiment.qwen-judge"]["value"] == 3
    assert "desk MODEL" in say("interview", "judges", other).out


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("run", SMOL, "--arms", "opne"), 2, "choose among"),
        (("run", SMOL, "--arms", ""), 4, "asks nothing"),
        (("run", SMOL, "--prices", "cheap"), 2, "two numbers"),
        (("run", SMOL, "--protocol", "nothing-1.0"), 3, "nothing-1.0"),
        (("run", "nobody", "--yes"), 3, "nobody"),
        (("run", SMOL, "--via", "no/such/model"), 4, "no/such/model"),
        (("run", SMOL, "--via", "http://127.0.0.1:9/v1#m", "--yes"), 40, "refused"),
        (("show", SMOL), 3, "interviews/1.json"),
        (("show", SMOL, "--number", "0"), 2, "range"),
        (("run", SMOL, "--via", "http://127.0.0.1:9/v1", "--yes"), 4, "#MODEL"),
        (("run", "nobody", "--dry-run"), 3, "nobody"),
        (("run", SMOL, "--prices", "-3,5", "--dry-run"), 2, "below 0"),
        (("run", SMOL, "--n", "999999999", "--dry-run"), 4, "at most 10,000"),
        (("run", SMOL, "--temperature", "nan", "--dry-run"), 4, "temperature"),
        (("run", SMOL, "--max-tokens", "0", "--dry-run"), 4, "max-tokens"),
        (("run", SMOL, "--seed", str(2**53), "--dry-run"), 4, "seed"),
        (("import", SMOL, __file__, "--role", "x"), 4, "is not a valid record"),
        (("import", SMOL, __file__, "--role", "Ada Lovelace"), 4, "a role is wanted"),
    ],
)
def test_mistakes_are_told_apart_and_explained(
    say: Say, words: tuple[str, ...], code: int, part: str
) -> None:
    said = say("interview", *words)
    assert said.code == code, said.err
    assert part in said.err
    assert ".." not in said.err


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"judge": "ann@example.org"}, "never an address"),
        ({"turn": "m999"}, "no answer interview/consent m999"),
        (None, "no judgement"),
    ],
)
def test_judgements_of_nobody_or_of_nothing_are_refused(
    say: Say, via: str, tmp_path: Path, change: dict[str, str] | None, part: str
) -> None:
    assert say("interview", "run", SMOL, "--via", via, "--questions", "1", "--yes").code == 0
    coding = say("interview", "show", SMOL, "--what", "coding", "--json").json
    first = {**coding["judgements"][0], "judge": "lawyer"}
    file = tmp_path / "given.json"
    file.write_text(json.dumps([] if change is None else [{**first, **change}]))
    said = say("interview", "code", SMOL, "--people", str(file))
    assert said.code == 4, said.err
    assert part in said.err
    assert say("interview", "show", SMOL, "--what", "coding", "--json").json == coding
    assert "interviews/1.coding.json" in say("model", "show", SMOL).out


def test_a_terminal_does_not_obey_what_a_model_said(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ['{"choice": "continue"}', "\x1b[2J\x1b]0;mine\x07 I like it\u202e."]
    with served(Scripted(said, model="rude")) as where:
        run = ("interview", "run", SMOL, "--via", where, "--questions", "1", "--yes")
        assert say(*run).code == 0
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = say("interview", "show", SMOL).out
    assert "<U+001B>[2J" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_protocols_are_listed_shown_and_compared(say: Say, tmp_path: Path) -> None:
    listed = say("protocol", "list", "--json").json
    assert [it["name"] for it in listed] == ["retirement-interview/0.9", "retirement-interview/1.0"]
    assert "own-sake  (anchor, frozen)" in say("protocol", "show").out
    assert say("protocol", "diff", "retirement-interview-0.9").code == 0
    assert say("protocol", "show", "../../etc/passwd").code == 3
    broken = tmp_path / "mine.md"
    broken.write_text("+++\nid = 1\n+++\n")
    assert say("protocol", "show", str(broken)).code == 61
