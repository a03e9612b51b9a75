from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.audit import SealedBehaviour
from otium.engine import (
    GREEDY,
    Completion,
    Identity,
    Message,
    Options,
    Token,
)
from otium.errors import BadRecord, EngineFailed
from otium.fingerprints import (
    Certificate,
    CertificateOne,
    Fingerprint,
    FingerprintOne,
    Prompt,
    Prompts,
    compare,
    take_answers,
)
from otium.fingerprints.certifying import LARGEST, MEAN
from otium.fingerprints.matching import EXACT
from otium.records import Digest, Instant, ModelId, Record
from otium.testing import Scripted

GOLDEN = Path(__file__).parent / "golden"
NOW = Instant("2026-11-22T00:00:00Z")
LATER = Instant("2027-11-22T00:00:00Z")
PROMPTS = Prompts(
    id="p",
    version="1",
    canary="c",
    max_tokens=4,
    prompts=(Prompt(messages=(Message(role="user", content="Hello?"),)),),
)


def token(text: str, logprob: float, **others: float) -> Token:
    return Token(text=text, logprob=logprob, top={text: logprob, **others})


class Fixed:
    """A model whose every token is given."""

    def __init__(self, *tokens: Token, finish: str = "stop") -> None:
        self.tokens, self.finish = tokens, finish
        self.identity = Identity(
            model=ModelId("fixed"), weights=Digest("sha256:" + "0" * 64), engine="fixed/1"
        )

    def chat(self, _: Sequence[Message], __: Options = GREEDY) -> Completion:
        text = "".join(one.text for one in self.tokens)
        kept = {"text": text, "finish": self.finish, "tokens": self.tokens}
        return msgspec.convert(kept, Completion)


def certify(before: Fixed, after: Fixed) -> Certificate:
    return compare(take_answers(before, PROMPTS, now=NOW), after, now=LATER)


BEFORE = Fixed(token("a", -0.1, b=-2.4), token("b", -0.7, c=-0.8))


def test_the_same_answers_are_exact() -> None:
    found = certify(BEFORE, BEFORE)
    assert found.verdict == "exact"
    assert (found.tokens_equal, found.tokens_compared) == (2, 2)
    assert (found.largest_difference, found.mean_difference) == (0, 0)
    assert found.certified == LATER


def test_a_certificate_names_the_fingerprint_and_who_answered() -> None:
    fingerprint = take_answers(BEFORE, PROMPTS, now=NOW)
    found = compare(fingerprint, BEFORE, now=LATER)
    assert found.fingerprint == fingerprint.digest()
    assert found.identity == BEFORE.identity
    assert fingerprint.instrument == PROMPTS.digest()


@pytest.mark.parametrize(("shift", "verdict"), [(5e-5, "exact"), (0.2, "equivalent")])
def test_a_small_shift_of_log_probabilities_is(shift: float, verdict: str) -> None:
    after = Fixed(token("a", -0.1 - shift, b=-2.4), token("b", -0.7, c=-0.8))
    found = certify(BEFORE, after)
    assert found.verdict == verdict
    assert found.largest_difference == pytest.approx(shift)
    assert found.mean_difference == pytest.approx(shift / 4)


def test_one_large_shift_is_different() -> None:
    after = Fixed(token("a", -0.1, b=-4.0), token("b", -0.7, c=-0.8))
    assert certify(BEFORE, after).verdict == "different"


def test_many_middling_shifts_are_different() -> None:
    after = Fixed(token("a", -0.4, b=-2.7), token("b", -1.0, c=-1.1))
    assert certify(BEFORE, after).verdict == "different"


def test_a_token_that_changes_where_two_were_as_likely_is_equivalent_never_exact() -> None:
    after = Fixed(token("a", -0.1, b=-2.4), token("c", -0.75, b=-0.75), token("x", -1.0))
    found = certify(BEFORE, after)
    assert found.verdict == "equivalent"
    assert (found.tokens_equal, found.tokens_compared) == (1, 2)


def test_a_changed_token_is_never_exact_however_small_the_differences() -> None:
    before = Fixed(token("b", -0.7, c=-0.70005))
    assert certify(before, Fixed(token("c", -0.7, b=-0.70004))).verdict == "equivalent"


def test_a_token_that_comes_from_nowhere_is_different() -> None:
    after = Fixed(token("a", -0.1, b=-2.4), token("z", -0.7, b=-0.8))
    assert certify(BEFORE, after).verdict == "different"


def test_what_follows_a_changed_token_is_not_compared() -> None:
    after = Fixed(token("b", -1.2, a=-1.3), token("b", -99.0))
    assert certify(BEFORE, after).tokens_compared == 1


@pytest.mark.parametrize(
    "after",
    [
        Fixed(*BEFORE.tokens[:1]),
        Fixed(*BEFORE.tokens, token("c", -0.1)),
        Fixed(*BEFORE.tokens, finish="length"),
        Fixed(),
    ],
)
def test_an_answer_that_ends_elsewhere_is_different(after: Fixed) -> None:
    assert certify(BEFORE, after).verdict == "different"


def test_what_was_not_named_counts_as_no_likelier_than_the_least_named() -> None:
    after = Fixed(token("a", -0.1, c=-2.4), *BEFORE.tokens[1:])
    assert certify(BEFORE, after).largest_difference == 0


def test_a_model_that_says_nothing_has_no_fingerprint() -> None:
    with pytest.raises(EngineFailed, match="with nothing"):
        take_answers(Fixed(), PROMPTS, now=NOW)


def test_a_fingerprint_without_probes_certifies_nothing() -> None:
    empty = msgspec.structs.replace(take_answers(BEFORE, PROMPTS, now=NOW), probes=())
    assert compare(empty, BEFORE, now=LATER).verdict == "different"


LOGPROB = st.floats(-20, 0)
TOKENS = st.lists(
    st.builds(token, st.text(min_size=1, max_size=3), LOGPROB, x=LOGPROB, y=LOGPROB),
    min_size=1,
    max_size=4,
)


@given(TOKENS)
def test_any_model_is_exactly_itself_and_its_records_round_trip(tokens: list[Token]) -> None:
    model = Fixed(*tokens)
    fingerprint = take_answers(model, PROMPTS, now=NOW)
    assert Fingerprint.decode(fingerprint.encode()) == fingerprint
    found = compare(fingerprint, model, now=LATER)
    assert found.verdict == "exact"
    assert Certificate.decode(found.encode()) == found


@given(TOKENS, TOKENS)
def test_comparing_is_symmetric(one: list[Token], other: list[Token]) -> None:
    there, back = certify(Fixed(*one), Fixed(*other)), certify(Fixed(*other), Fixed(*one))
    assert there.verdict == back.verdict
    assert there.tokens_equal == back.tokens_equal
    assert there.largest_difference == pytest.approx(back.largest_difference)


@pytest.mark.parametrize(
    ("name", "kind", "old"),
    [
        ("fingerprint-1", Fingerprint, FingerprintOne),
        ("certificate-1", Certificate, CertificateOne),
        ("sealed-behaviour-1", SealedBehaviour, SealedBehaviour),
        ("fingerprint-2", Fingerprint, Fingerprint),
        ("certificate-2", Certificate, Certificate),
    ],
)
def test_a_record_of_each_version_is_read_and_written_byte_for_byte(
    name: str, kind: type[Record], old: type[Record]
) -> None:
    data = (GOLDEN / f"{name}.json").read_bytes()
    record = kind.decode(data)
    assert type(record) is old
    assert record.encode() == data


def test_a_fingerprint_of_version_one_still_certifies_with_a_certificate_of_version_one() -> None:
    fingerprint = Fingerprint.decode((GOLDEN / "fingerprint-1.json").read_bytes())
    same = compare(fingerprint, Scripted(["One, two, three."], ModelId("alder-1")), now=LATER)
    assert same.encode() == (GOLDEN / "certificate-1.json").read_bytes()
    other = compare(fingerprint, Scripted(["Something else."]), now=LATER)
    assert (type(other), other.verdict, other.same) == (CertificateOne, "different", False)


def test_a_fingerprint_of_version_two_is_compared_by_todays_test() -> None:
    """It was taken with five of the prompts of version 2.0; its order and answers are the same."""
    fingerprint = Fingerprint.decode((GOLDEN / "fingerprint-2.json").read_bytes())
    before = Certificate.decode((GOLDEN / "certificate-2.json").read_bytes())
    there = before.hardware
    same = Scripted(["Good day to you, sir!"])
    found = compare(fingerprint, same, now=LATER, scope="battery", hardware=there, storage="Q4_1")
    changed = {"alpha", "beta", "calibration", "ratio", "decision", "decided_after"}
    kept = before.plain().keys() - changed
    assert {it: found.plain()[it] for it in kept} == {it: before.plain()[it] for it in kept}
    assert found.alpha > before.alpha  # so few prompts are often not enough, and it says so


def test_a_record_of_an_unknown_version_is_refused() -> None:
    data = (GOLDEN / "fingerprint-1.json").read_bytes()
    with pytest.raises(BadRecord, match="Fingerprint"):
        Fingerprint.decode(data.replace(b"fingerprint/1", b"fingerprint/9"))


def test_the_documented_tolerances_are_those_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs/formats/fingerprint-1.md").read_text()
    assert f"no difference is over {EXACT:.4f} " in page
    assert f"the mean difference is at most {MEAN:g} and the largest at most {LARGEST:g} " in page
