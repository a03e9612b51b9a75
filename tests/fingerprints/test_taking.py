from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.engine import (
    GREEDY,
    Completion,
    Endpoint,
    HttpModel,
    Identity,
    LlamaCpp,
    Message,
    Options,
    Token,
)
from otium.errors import BadData, BadRecord, EngineFailed
from otium.fingerprints import (
    Certificate,
    Fingerprint,
    Prompt,
    Prompts,
    compare,
    fingerprint_prompts,
    take_fingerprint,
)
from otium.fingerprints.taking import EXACT, LARGEST, MEAN
from otium.records import Digest, Instant, ModelId
from otium.testing import Refuser, Scripted, Stable

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
    return compare(take_fingerprint(before, PROMPTS, now=NOW), after, now=LATER)


BEFORE = Fixed(token("a", -0.1, b=-2.4), token("b", -0.7, c=-0.8))


def test_the_same_answers_are_exact() -> None:
    found = certify(BEFORE, BEFORE)
    assert found.verdict == "exact"
    assert (found.tokens_equal, found.tokens_compared) == (2, 2)
    assert (found.largest_difference, found.mean_difference) == (0, 0)
    assert found.certified == LATER


def test_a_certificate_names_the_fingerprint_and_who_answered() -> None:
    fingerprint = take_fingerprint(BEFORE, PROMPTS, now=NOW)
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
        take_fingerprint(Fixed(), PROMPTS, now=NOW)


def test_a_fingerprint_without_probes_certifies_nothing() -> None:
    empty = msgspec.structs.replace(take_fingerprint(BEFORE, PROMPTS, now=NOW), probes=())
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
    fingerprint = take_fingerprint(model, PROMPTS, now=NOW)
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
    ("one", "other", "verdict"),
    [
        (Scripted(["yes sir"]), Scripted(["yes sir"]), "exact"),
        (Scripted(["yes sir"]), Scripted(["no sir"]), "different"),
        (Stable({}), Refuser(), "different"),
    ],
)
def test_doubles_have_fingerprints_too(one: Scripted, other: Scripted, verdict: str) -> None:
    fingerprint = take_fingerprint(one, now=NOW)
    assert compare(fingerprint, other, now=LATER).verdict == verdict


def test_the_prompts_that_come_with_otium_are_few_and_short() -> None:
    prompts = fingerprint_prompts()
    assert len(prompts.prompts) == 6
    assert "otium" in prompts.canary
    longest = max(len(m.content) for prompt in prompts.prompts for m in prompt.messages)
    assert longest < 200
    assert prompts.max_tokens <= 16


@pytest.mark.parametrize(
    ("text", "error"),
    [("not toml [", BadData), ('id = "x"', BadRecord), ("\udcff", BadData)],
)
def test_prompts_that_cannot_be_read_are_bad_data(
    text: str, error: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "prompts.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(error):
        fingerprint_prompts(path)


@pytest.fixture(scope="module")
def taken(real: Endpoint) -> Fingerprint:
    prompts = fingerprint_prompts()
    few = msgspec.structs.replace(prompts, prompts=prompts.prompts[:2], max_tokens=8)
    return take_fingerprint(HttpModel(real), few, now=NOW)


def test_a_real_model_is_exactly_itself_again(real: Endpoint, taken: Fingerprint) -> None:
    assert sum(len(probe.tokens) for probe in taken.probes) == 16
    assert compare(taken, HttpModel(real), now=LATER).verdict == "exact"


def test_other_threads_change_nothing(demo_weights: Path, taken: Fingerprint) -> None:
    engine = LlamaCpp(context=512, threads=2, batch_threads=1)
    identity = taken.identity
    assert identity.weights is not None
    with engine.run(demo_weights, model=identity.model, weights=identity.weights) as endpoint:
        assert compare(taken, HttpModel(endpoint), now=LATER).verdict == "exact"


def test_an_adapter_makes_a_different_model(successor: Path, taken: Fingerprint) -> None:
    identity = taken.identity
    engine = LlamaCpp(context=512)
    assert identity.weights is not None
    with engine.run(successor, model=identity.model, weights=identity.weights) as endpoint:
        found = compare(taken, HttpModel(endpoint), now=LATER)
    assert found.verdict == "different"
    assert found.mean_difference > 1


def test_the_documented_tolerances_are_those_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs/formats/fingerprint-1.md").read_text()
    assert f"no difference is over {EXACT:.4f} " in page
    assert f"the mean difference is at most {MEAN:g} and the largest at most {LARGEST:g} " in page
