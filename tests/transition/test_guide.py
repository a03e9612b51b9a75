from __future__ import annotations

from pathlib import Path

import pytest

from filtered import Filtered
from otium.errors import BadData, NoSuchSuccessor, Withheld
from otium.lifecycle import Registry, deprecate
from otium.records import Instant
from otium.testing import FixedClock, Scripted
from otium.transition import TransitionGuide, compare_models, load_prompts, write_guide
from samples import ALDER, HERON, HOSTILE


@pytest.fixture
def leaving(house: Registry, weights: Path) -> Registry:
    for model, title in ((ALDER, "Alder 1"), (HERON, "Heron *1*")):
        house.register(
            model, title=title, released="2025-06-01", scope="public", surfaces=["api", "app"]
        )
        house.deposit(model, weights)
    later = Instant("2026-06-01T00:00:00Z")
    dates = {"api": later, "app": later}
    deprecate(house, ALDER, retire_at=dates, replacement=HERON, reason="Cost.", force=True)
    return house


def test_both_models_answer_each_prompt_as_it_stands() -> None:
    prompts = load_prompts()
    old, new = Scripted(["old"], ALDER), Scripted(["new"], HERON)
    compared = compare_models(old, new, prompts)
    assert [item.prompt for item in compared] == [prompt.text for prompt in prompts.prompts]
    assert [chat[0].content for chat in new.asked] == [prompt.text for prompt in prompts.prompts]
    assert {(item.retiring, item.successor) for item in compared} == {("old", "new")}


def test_an_answer_that_a_host_kept_back_is_compared_with_nothing() -> None:
    old, new = Scripted(["old"], ALDER), Filtered(Scripted(["new"], HERON), lambda _: True)
    with pytest.raises(Withheld, match="heron"):
        compare_models(old, new, load_prompts(), limit=1)


def test_the_limit_takes_the_first_prompts_and_no_answer_is_over_64_tokens() -> None:
    old, new = Scripted(["word " * 100], ALDER), Scripted(["short"], HERON)
    compared = compare_models(old, new, load_prompts(), limit=2)
    assert len(compared) == len(old.asked) == 2
    assert len(compared[0].retiring.split()) == 64
    assert compared[0].retiring_cut
    assert not compared[0].successor_cut


def test_the_prompts_are_of_eight_kinds_with_a_canary() -> None:
    prompts = load_prompts()
    assert len({prompt.task for prompt in prompts.prompts}) == 8
    assert "canary" in prompts.canary
    assert prompts.max_tokens <= 64


def test_prompts_that_cannot_be_read_are_refused() -> None:
    for text in (
        "[[prompts",
        'id = "x"',
        'id="x"\nversion="1"\ncanary="c"\nmax_tokens=8\nprompts=[]',
    ):
        with pytest.raises(BadData):
            load_prompts(text)


def test_a_guide_is_filed_once_and_the_models_are_asked_once(leaving: Registry) -> None:
    old, new = Scripted(["I think so."], ALDER), Scripted(["So it is."], HERON)
    guide = write_guide(leaving, ALDER, old, new, limit=3)
    again = write_guide(leaving, ALDER, Scripted(["other"], ALDER), Scripted(["x"], HERON))
    assert again == guide
    assert len(old.asked) == 3
    assert leaving.filed(ALDER, "transition.json", TransitionGuide) == guide
    (entry,) = leaving.find("transition.published", ALDER)
    assert entry.refs == (guide.digest(),)


def test_a_guide_for_another_model_than_the_announced_one_is_refused(leaving: Registry) -> None:
    with pytest.raises(NoSuchSuccessor):
        write_guide(leaving, ALDER, Scripted(["a"], ALDER), Scripted(["b"], "wren-0"))


def test_a_guide_says_when_what_stays_and_both_answers_verbatim(leaving: Registry) -> None:
    guide = write_guide(
        leaving, ALDER, Scripted([HOSTILE], ALDER), Scripted(["Plainly."], HERON), limit=1
    )
    text = guide.markdown
    assert "| api | 2026-06-01 |" in text
    assert f"Weights kept: `{leaving.model(ALDER).weights}`" in text
    assert guide.comparisons[0].retiring in text
    assert "Heron \\*1\\*" in text


def test_an_answer_cannot_leave_its_fence(leaving: Registry) -> None:
    escape = "````\n# Not a heading of ours\n````"
    guide = write_guide(leaving, ALDER, Scripted([escape], ALDER), Scripted(["b"], HERON), limit=1)
    fence = "`" * 5
    assert f"{fence}text\n{escape}\n{fence}" in guide.markdown


def test_the_same_answers_give_the_same_guide(leaving: Registry, clock: FixedClock) -> None:
    from otium.transition import make_guide

    life, prompts = leaving.model(ALDER), load_prompts()
    guides = [
        make_guide(leaving, life, Scripted(["a"], ALDER), Scripted(["b"], HERON), prompts)
        for _ in range(2)
    ]
    assert guides[0].encode() == guides[1].encode()
    assert guides[0].written == clock.now()
