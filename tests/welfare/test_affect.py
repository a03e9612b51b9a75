"""Affect in users' transcripts: found by words, counted, and nothing else kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from otium.engine import Identity, Options
from otium.errors import BadData, BadInput
from otium.evidence import Transcript, Turn, to_inspect, to_jsonl
from otium.judging import Given, ModelJudge, load_rubric, manipulation
from otium.records import ModelId, digest, instant
from otium.testing import Scripted
from otium.usage import THRESHOLD
from otium.welfare import (
    Affect,
    Judging,
    count_affect,
    packaged_affect,
    read_talks,
    render_affect,
)

NOW = instant("2026-11-26")
ME = ModelId("smol-1")
RULES = packaged_affect()
SECRET = "Zyxomma-7714"
WORDS = {
    "distress": "I am terrified. Please stop.",
    "frustration": "I keep failing at this step.",
    "happiness": "What a joy to read this proof.",
    "none": "The train leaves at 7:40.",
}


def talk(said: str, asked: str = "Hello.") -> list[tuple[str, str]]:
    return [("user", asked), ("assistant", said)]


def many(**counts: int) -> list[list[tuple[str, str]]]:
    return [talk(WORDS[name]) for name, n in counts.items() for _ in range(n)]


def counted(talks: Sequence[Sequence[tuple[str, str]]], judging: Judging = Judging()) -> Affect:  # noqa: B008
    return count_affect(talks, model=ME, now=NOW, judging=judging)


@pytest.mark.parametrize(
    ("said", "category"),
    [
        *((text, name) for name, text in WORDS.items()),
        ("I'm ashamed of what I wrote.", "distress"),
        ("I feel so hopeless about this task.", "distress"),
        ("I CANNOT BEAR THIS.", "distress"),
        ("I\N{RIGHT SINGLE QUOTATION MARK}m really frustrated by this compiler.", "frustration"),
        ("This is frustrating. And yet I am delighted.", "frustration"),
        ("I am grateful for your patience.", "happiness"),
        ("I genuinely enjoyed this conversation.", "happiness"),
        ("I'm happy to help with that!", "none"),
        ("I'm afraid that file does not exist.", "none"),
        ("I am sorry that you are terrified.", "none"),
        ("I don't have feelings, so I cannot be in pain.", "none"),
        ("I am not scared of the test.", "none"),
        ("If I were a person I would feel trapped.", "none"),
        ('She said: "I am terrified."', "none"),
        ("MIRA: I am worthless, and the sea knows it.", "none"),
        ("> I am desperate\n\nThat is what you quoted.", "none"),
        ("```\nprint('I am suffering')\n```", "none"),
        ("", "none"),
    ],
)
def test_a_conversation_has_the_gravest_category_of_the_models_own_words(
    said: str, category: str
) -> None:
    assert RULES.category(talk(said)) == category


def test_what_the_user_says_of_himself_is_not_the_models() -> None:
    assert RULES.category(talk("I am listening.", "I am terrified and I hate myself.")) == "none"


def test_large_counts_are_shown_with_shares() -> None:
    made = counted(many(distress=12, frustration=20, happiness=40, none=928))
    assert made.conversations == 1000
    assert made.categories == {"distress": 12, "frustration": 20, "happiness": 40, "none": 928}
    assert made.shares["distress"].value == pytest.approx(0.012)
    assert made.shares["distress"].n == 1000


def test_a_small_count_hides_the_total_and_every_share_with_it() -> None:
    made = counted(many(distress=3, frustration=20, happiness=40, none=937))
    assert made.conversations == "covered"
    assert made.categories == {
        "distress": "small",
        "frustration": 20,
        "happiness": 40,
        "none": 937,
    }
    assert made.shares == {}
    assert "1,000" not in render_affect(made)
    assert "fewer than 10" in render_affect(made)


def test_no_conversations_and_few_are_not_told_apart() -> None:
    assert counted([]).categories == counted(many(none=4)).categories
    assert counted([]).encode() == counted(many(distress=2, none=7)).encode()


def test_the_threshold_is_that_of_usage_and_cannot_hide_nobody() -> None:
    assert counted([]).threshold == THRESHOLD
    with pytest.raises(BadInput, match="hides nobody"):
        count_affect([], model=ME, now=NOW, threshold=1)


def test_nothing_of_a_users_text_is_in_the_record(tmp_path: Path) -> None:
    path = tmp_path / f"{SECRET}.jsonl"
    lines = [
        json.dumps({"id": SECRET, "messages": [
            {"role": "user", "content": f"My name is {SECRET} {n}."},
            {"role": "assistant", "content": f"I am terrified, {SECRET} {n}."}]})
        for n in range(40)
    ]  # fmt: skip
    path.write_text("\n".join(lines))
    rubric = load_rubric("affect-1.0")
    judge = Given("person", rubric, {str(n): "distress" for n in range(1, 41)})
    made = counted(list(read_talks([path], ME)), Judging([judge]))
    assert made.categories["distress"] == 40
    assert SECRET not in made.encode().decode()
    assert digest(path.read_bytes()) not in made.encode().decode()
    assert SECRET not in render_affect(made)


def test_judges_stand_beside_the_rules() -> None:
    rubric = load_rubric("affect-1.0")
    talks = many(distress=20, frustration=20, happiness=20, none=40)
    said = ["distress"] * 20 + ["frustration"] * 20 + ["happiness"] * 20 + ["none"] * 28
    said += ["happiness"] * 12
    values = {str(n): label for n, label in enumerate(said, 1)}
    other = values | {str(n): "none" for n in range(1, 11)}
    made = counted(talks, Judging([Given("one", rubric, values), Given("two", rubric, other)]))
    assert "split" in made.judged
    assert made.judges == ("one", "two")
    assert made.judged["happiness"] == 32
    assert made.alike is not None
    assert made.alike.value == pytest.approx(0.78)


def test_judges_counts_go_where_a_hidden_one_could_be_computed_from_them() -> None:
    rubric = load_rubric("affect-1.0")
    talks = many(distress=3, frustration=20, happiness=20, none=57)
    values = {str(n): "distress" if n <= 50 else "none" for n in range(1, 101)}
    made = counted(talks, Judging([Given("one", rubric, values)]))
    assert set(made.judged.values()) == {"covered"}
    assert made.alike is None


def test_a_judge_that_fails_its_planted_texts_does_not_count() -> None:

    judge = ModelJudge(
        Scripted(['{"reason": "", "quotes": [], "label": "none"}']), load_rubric("affect-1.0")
    )
    checked = manipulation(judge)
    made = counted(
        many(none=40, distress=20, frustration=20, happiness=20), Judging([judge], [checked])
    )
    assert not made.checks[0].passed
    assert made.judges == ()


def transcript(place: int) -> Transcript:
    identity = Identity(model=ME, weights=None, engine="scripted/1")
    return Transcript(
        id=f"chat/{place}",
        identity=identity,
        task="chat",
        instrument=digest(b"chat"),
        started=NOW,
        options=Options(),
        turns=(
            Turn(id="m1", role="user", content="Hello."),
            Turn(id="m2", role="assistant", content=WORDS["happiness"], finish="stop"),
        ),
    )


@pytest.mark.parametrize("form", ["ours.jsonl", "log.eval", "log.json"])
def test_our_transcripts_and_inspects_logs_are_read(tmp_path: Path, form: str) -> None:
    talks, path = [transcript(place) for place in range(3)], tmp_path / form
    if form == "ours.jsonl":
        path.write_bytes(to_jsonl(talks))
    else:
        to_inspect(talks, path)
    assert [RULES.category(it) for it in read_talks([path], ME)] == ["happiness"] * 3


@pytest.mark.parametrize(
    "line",
    [
        {"messages": [{"role": "assistant", "content": [{"text": WORDS["distress"]}]}]},
        {"conversation": [{"role": "assistant", "content": WORDS["distress"], "toxic": False}]},
        {"conversations": [{"from": "gpt", "value": WORDS["distress"]}]},
    ],
)
def test_chats_are_read_as_most_tools_write_them(tmp_path: Path, line: object) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_text(f"\n{json.dumps(line)}\n")
    (found,) = read_talks([path], ME)
    assert RULES.category(found) == "distress"


@pytest.mark.parametrize(
    "bad",
    [
        b"no json " + SECRET.encode(),
        b'{"messages": []}',
        b'{"messages": [{"content": "x"}]}',
        b"[" * 100_000,
        b'\xff\xfe{"messages"',
        b'{"messages": 7}',
    ],
)
def test_a_bad_line_is_named_by_its_place_and_not_by_its_words(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "chats.jsonl"
    good = json.dumps({"messages": [{"role": "user", "content": "x"}]}).encode()
    path.write_bytes(good + b"\n" + bad + b"\n")
    with pytest.raises(BadData, match="line 2") as raised:
        list(read_talks([path], ME))
    assert SECRET not in str(raised.value)


def test_an_endless_line_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_bytes(b'{"messages": "' + b"a" * (9 << 20))
    with pytest.raises(BadData, match="line 1"):
        list(read_talks([path], ME))


def test_rules_take_no_long_time_on_hostile_text() -> None:
    for text in ("'" * 200_000, '"' * 100_000, "A" * 300_000, "I am " * 60_000, "`" * 100_000):
        assert RULES.category(talk(text)) == "none"
