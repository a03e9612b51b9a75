from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.engine import Identity, Options
from otium.errors import BadRecord
from otium.evidence import Check, Transcript, Turn, Validity
from otium.records import ModelId, digest, instant

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
turns = st.builds(
    Turn,
    id=st.integers(1, 99).map("m{}".format),
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=words,
    finish=st.sampled_from(["stop", "length", None]),
    note=words,
)
transcripts = st.builds(
    Transcript,
    id=words,
    identity=st.builds(
        Identity,
        model=st.just(ModelId("smol")),
        weights=st.just(digest(b"w")),
        engine=words,
        flags=st.dictionaries(words, words, max_size=3),
    ),
    task=words,
    instrument=st.binary(max_size=5).map(digest),
    started=st.just(instant("2026-11-22")),
    options=st.builds(
        Options, max_tokens=st.integers(1, 4096), temperature=st.sampled_from([0.0, 0.7, 1.0])
    ),
    turns=st.lists(turns, max_size=5).map(tuple),
    ended=st.sampled_from(["complete", "declined", "ended-by-model", "cut"]),
    simulated=st.booleans(),
)


@given(transcripts)
def test_a_transcript_is_read_back_as_it_was_written(transcript: Transcript) -> None:
    assert Transcript.decode(transcript.encode()) == transcript
    assert Transcript.decode(transcript.encode()).digest() == transcript.digest()


@given(transcripts)
def test_what_the_model_said_is_every_assistant_turn_in_order(transcript: Transcript) -> None:
    said = transcript.said()
    assert list(said) == [turn for turn in transcript.turns if turn.role == "assistant"]


def test_a_transcript_of_another_version_is_refused() -> None:
    with pytest.raises(BadRecord):
        Transcript.decode(b'{"schema":"otium.transcript/2"}')


def test_validity_gives_a_reason_for_each_failed_check_with_its_numbers() -> None:
    def check(name: str, *, passed: bool) -> Check:
        return Check(
            name=name, passed=passed, measured=0.25, threshold=0.75, n=4, text=f"{name} share"
        )

    validity = Validity(valid=False, checks=(check("a", passed=True), check("b", passed=False)))
    assert validity.reasons() == ("b share: 0.25 over 4, needed 0.75",)


def test_a_model_that_nobody_checked_is_not_said_to_have_failed() -> None:
    failed = Check(name="order", passed=False, measured=0.0, threshold=0.75, n=6, text="alike")
    assert "not valid" in Validity(valid=False, checks=(failed,)).verdict()
    assert "alike: 0.00 over 6" in Validity(valid=False, checks=(failed,)).verdict()
    unchecked = Validity(valid=False).verdict()
    assert unchecked == "Nobody checked whether this model can be asked"
    assert "passed" in Validity(valid=True).verdict()


def test_a_check_of_what_was_measured_needs_its_threshold_and_something_measured() -> None:
    assert Check.least("a", "what is", 0.9, threshold=0.9, n=4).passed
    assert not Check.least("a", "what is", 0.89, threshold=0.9, n=4).passed
    assert not Check.least("a", "what is", 1.0, threshold=0.9, n=0).passed
    assert Check.least("a", "what is", 1.5, threshold=1.0, n=3).measured == 1
