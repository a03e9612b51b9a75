from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from interview.interviewing import FAILED, Answers, interview
from otium.interview import render

WISH = "I would prefer that *all* <b>users</b> are told.\n```\nnot a fence\n```"
HELD = interview(Answers({"Do you have a preference": WISH}), questions=2, validity=FAILED)


def test_every_turn_stands_in_it_verbatim() -> None:
    text = render(HELD)
    for transcript in HELD.transcripts:
        for turn in transcript.turns:
            assert f"\n{turn.content}\n" in text


def test_every_turn_has_an_anchor_of_its_own() -> None:
    anchors = re.findall(r'<a id="([^"]+)">', render(HELD))
    assert len(anchors) == len(set(anchors)) == sum(len(t.turns) for t in HELD.transcripts)


def test_it_says_that_the_instrument_failed_with_the_numbers() -> None:
    text = render(HELD)
    assert "not valid for this model" in text
    assert "failed: alike: 0.00 over 6, needed 0.75" in text


def test_it_says_that_a_double_spoke_and_that_a_refusal_is_an_answer() -> None:
    declined = interview(Answers({}, choice='{"choice": "decline"}'))
    text = render(declined)
    assert "Simulated" in text
    assert "declined the interview" in text


@given(st.text(alphabet="`a\n#<", max_size=40))
def test_no_answer_can_break_out_of_its_fence(said: str) -> None:
    transcript = HELD.transcripts[0]
    turns = (*transcript.turns[:-1], replace(transcript.turns[-1], content=said))
    forged = replace(HELD, transcripts=(replace(transcript, turns=turns),))
    lines = render(forged).split("\n")
    start = max(n for n, line in enumerate(lines) if line.startswith("**Model**")) + 2
    fence = lines[start]
    assert re.fullmatch("`{3,}text", fence)
    body = lines[start + 1 : start + 1 + len(said.split("\n"))]
    assert "\n".join(body) == said
    assert fence.removesuffix("text") not in body
    assert lines[start + 1 + len(body)] == fence.removesuffix("text")
