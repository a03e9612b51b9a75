import os
import random
from collections.abc import Iterator, Sequence
from math import sqrt
from pathlib import Path

import pytest
from msgspec.structs import replace

from audit.kit import DEADLINE, NOW, Lab
from otium.audit import (
    BehaviourChallenge,
    Decision,
    SealedBehaviour,
    Tolerance,
    agreement_rate,
    agreements,
    behaviour_challenge,
    commit_to,
    decide,
    judge_behaviour,
    random_prompts,
    read_challenge,
    read_sealed,
    respond_with_model,
    seal_behaviour,
)
from otium.engine import (
    GREEDY,
    Completion,
    HttpModel,
    Identity,
    LlamaCpp,
    Message,
    Model,
    Options,
    Token,
    packaged_weights,
)
from otium.errors import AuditFailed, BadInput, EngineFailed, NoDemoWeights
from otium.fingerprints import take_fingerprint
from otium.records import Digest, ModelId
from otium.testing import Refuser, Scripted

RUNS = 4000


class Walker:
    """Planted: says words that depend on the prompt and *weights*; at each token a run slips
    with the chance *slips*, as another kernel would, by its own *seed*."""

    def __init__(self, weights: str, *, slips: float = 0.0, seed: int = 0) -> None:
        self._weights, self._slips, self._random = weights, slips, random.Random(seed)
        self.identity = Identity(
            model=ModelId("walker"), weights=Digest(f"sha256:{weights}"), engine="walker/1"
        )

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        words = random.Random(self._weights + messages[-1].content)
        texts = [
            "slip" if self._random.random() < self._slips else f" {words.randrange(50)}"
            for _ in range(options.max_tokens)
        ]
        tokens = tuple(Token(text=text, logprob=-0.1, top={text: -0.1}) for text in texts)
        return Completion(text="".join(texts), finish="length", tokens=tokens)


def seal(model: Model, prompts: int = 48, tolerance: Tolerance | None = None) -> SealedBehaviour:
    return seal_behaviour(
        model, prompts=prompts, tolerance=tolerance, randomness=os.urandom, now=NOW
    )


def ask(sealed: SealedBehaviour) -> BehaviourChallenge:
    return behaviour_challenge(sealed, (), custodian="lab", made=NOW, deadline=DEADLINE)


def audit(lab: Lab, before: Model, after: Model, tolerance: Tolerance | None = None) -> Decision:
    sealed = seal(before, tolerance=tolerance)
    commit_to(sealed, "lab", lab.log)
    asked = ask(sealed)
    given = respond_with_model(asked, after, now=NOW)
    outcome, decision = judge_behaviour(asked, given.encode(), sealed, lab.ledger.entries())
    expected = {"same": "passed", "different": "failed", "undecided": "undecided"}
    assert [one.verdict for one in outcome.models] == [expected[decision.verdict]]
    return decision


def test_the_same_weights_are_found_the_same_before_all_tokens_are_seen(lab: Lab) -> None:
    decision = audit(lab, Walker("a"), Walker("a"))
    assert decision.verdict == "same"
    assert decision.trials == decision.agreed == 38


def test_the_same_weights_through_another_kernel_are_found_the_same(lab: Lab) -> None:
    assert audit(lab, Walker("a"), Walker("a", slips=0.04, seed=1)).verdict == "same"


def test_other_weights_are_found_different(lab: Lab) -> None:
    decision = audit(lab, Walker("a"), Walker("b"))
    assert decision.verdict == "different"
    assert decision.trials < 10
    assert audit(lab, Walker("a"), Walker("a", slips=0.2, seed=1)).verdict == "different"
    assert audit(lab, Walker("a"), Refuser()).verdict == "different"


def test_too_few_tokens_leave_it_undecided(lab: Lab) -> None:
    sealed = seal(Walker("a"), prompts=2)
    commit_to(sealed, "lab", lab.log)
    asked = ask(sealed)
    given = respond_with_model(asked, Walker("a"), now=NOW).encode()
    outcome, decision = judge_behaviour(asked, given, sealed, lab.ledger.entries())
    assert decision.verdict == "undecided"
    assert outcome.models[0].verdict == "undecided"
    assert not outcome.passed


def test_an_answer_that_ends_where_the_other_goes_on_differs() -> None:
    prompts = random_prompts(bytes(32), 1)
    long = take_fingerprint(Scripted(["one two three"]), prompts, now=NOW)
    short = take_fingerprint(Scripted(["one two"]), prompts, now=NOW)
    assert list(agreements(long, short)) == [True, True, False]
    assert list(agreements(long, long)) == [True, True, True]


def coins(rate: float, seed: int) -> Iterator[bool]:
    rng = random.Random(seed)
    while True:
        yield rng.random() < rate


@pytest.mark.parametrize(
    ("rate", "right"), [(0.96, "same"), (0.85, "different"), (0.5, "different")]
)
def test_the_test_errs_no_more_often_than_it_says(rate: float, right: str) -> None:
    tolerance = Tolerance(alpha=0.02, beta=0.02)
    wrong = sum(decide(coins(rate, seed), tolerance).verdict != right for seed in range(RUNS))
    bound = 0.02 / (1 - 0.02)  # Wald's, of which the true rate stays below
    assert wrong / RUNS <= bound + 2.576 * sqrt(bound * (1 - bound) / RUNS)


@pytest.mark.parametrize(
    "rates",
    [(0.85, 0.96), (0.9, 0.9), (1.0, 0.5), (0.9, 0.0)],
)
def test_a_tolerance_that_cannot_decide_is_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(BadInput, match="tolerance"):
        seal(Walker("a"), tolerance=Tolerance(same=rates[0], other=rates[1]))
    with pytest.raises(BadInput, match="tolerance"):
        seal(Walker("a"), tolerance=Tolerance(alpha=0.5))


def test_the_rate_of_agreement_is_estimated_from_runs_and_never_one() -> None:
    prompts = random_prompts(bytes(32), 48)
    same = [take_fingerprint(Walker("a"), prompts, now=NOW) for _ in range(2)]
    assert 0.99 < agreement_rate(same) < 1
    slipping = [
        take_fingerprint(Walker("a", slips=0.05, seed=n), prompts, now=NOW) for n in range(4)
    ]
    assert agreement_rate(slipping) == pytest.approx(0.9, abs=0.03)  # both runs slip


def test_prompts_are_drawn_from_too_many_to_be_prepared() -> None:
    asked = [random_prompts(os.urandom(32), 200) for _ in range(5)]
    texts = [one.messages[0].content for prompts in asked for one in prompts.prompts]
    assert len(set(texts)) == len(texts) == 1000
    assert not any("{" in text for text in texts)
    assert random_prompts(bytes(32), 9) == random_prompts(bytes(32), 9)


def test_the_log_tells_no_prompt_and_no_answer(lab: Lab) -> None:
    sealed = seal(Walker("a"))
    commit_to(sealed, "lab", lab.log)
    said = lab.ledger.entries()[-1].encode().decode()
    assert sealed.salt not in said
    assert not any(probe.prompt[0].content in said for probe in sealed.fingerprint.probes)


def test_prompts_are_told_once() -> None:
    sealed = seal(Walker("a"))
    told = {ask(sealed).commitment}
    with pytest.raises(BadInput, match="told before"):
        behaviour_challenge(sealed, told, custodian="x", made=NOW, deadline=DEADLINE)


def test_what_was_sealed_cannot_be_changed_later(lab: Lab) -> None:
    sealed = seal(Walker("a"))
    commit_to(sealed, "lab", lab.log)
    entries = lab.ledger.entries()
    for change in (
        {"tolerance": Tolerance(same=0.5, other=0.1)},
        {"fingerprint": seal(Walker("b")).fingerprint},
        {"model": ModelId("another")},
    ):
        forged = replace(sealed, **change)
        asked = ask(forged)
        given = respond_with_model(asked, Walker("b"), now=NOW)
        with pytest.raises(AuditFailed, match="the log does not commit"):
            judge_behaviour(asked, given.encode(), forged, entries)


def test_a_response_to_other_prompts_is_none(lab: Lab) -> None:
    sealed, other = seal(Walker("a")), seal(Walker("a"))
    commit_to(sealed, "lab", lab.log)
    asked, entries = ask(sealed), lab.ledger.entries()
    given = respond_with_model(ask(other), Walker("a"), now=NOW)
    for bad in (given, replace(given, audit=asked.digest())):
        with pytest.raises(AuditFailed, match="another challenge"):
            judge_behaviour(asked, bad.encode(), sealed, entries)
    for data in (b"", b"{}", b"[" * 99_999, b"\xff"):
        with pytest.raises(AuditFailed, match="no response"):
            judge_behaviour(asked, data, sealed, entries)
    with pytest.raises(AuditFailed, match="longer than it can be"):
        judge_behaviour(asked, bytes((16 << 20) + 1), sealed, entries)


def test_the_files_survive() -> None:
    sealed = seal(Walker("a"))
    assert read_sealed(sealed.encode()) == sealed
    assert read_challenge(ask(sealed).encode()) == ask(sealed)


def test_a_model_that_gives_no_tokens_cannot_be_sealed() -> None:
    with pytest.raises(EngineFailed):
        seal(Scripted([""]))


@pytest.mark.slow
def test_a_real_model_is_known_again_and_its_fine_tune_is_not(lab: Lab, tmp_path: Path) -> None:
    try:
        base = packaged_weights()
    except NoDemoWeights as missing:
        pytest.skip(f"REAL WEIGHTS MISSING: {missing} {missing.advice()}")
    (tmp_path / "base.gguf").symlink_to(base)
    adapter = Path(__file__).parents[2] / "src/otium/data/models/successor-lora.gguf"
    (tmp_path / "adapter.gguf").symlink_to(adapter)
    weights = Digest("sha256:" + "0" * 64)
    with LlamaCpp(context=512).run(base, model=ModelId("smol-1"), weights=weights) as endpoint:
        sealed = seal(HttpModel(endpoint), prompts=6)
    commit_to(sealed, "lab", lab.log)
    asked, entries, found = ask(sealed), lab.ledger.entries(), []
    for files, threads in ((base, 2), (tmp_path, 1)):
        other = LlamaCpp(context=2048, threads=threads)
        with other.run(files, model=ModelId("smol-1"), weights=weights) as endpoint:
            given = respond_with_model(asked, HttpModel(endpoint), now=NOW)
        found.append(judge_behaviour(asked, given.encode(), sealed, entries)[1])
    assert [one.verdict for one in found] == ["same", "different"]
