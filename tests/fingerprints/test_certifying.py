import random
from collections.abc import Mapping, Sequence
from math import exp, log

import pytest
from msgspec.structs import replace

from otium.engine import GREEDY, Completion, Identity, Message, Options, Token
from otium.fingerprints import Certificate, Fingerprint, Scope, compare, take_fingerprint
from otium.fingerprints.matching import spread
from otium.records import Digest, Instant, ModelId

NOW = Instant("2026-11-22T00:00:00Z")
LATER = Instant("2027-11-22T00:00:00Z")
HERE = {"machine": "x86_64", "processor": "one", "cores": "2"}
OTHER = Digest("sha256:" + "1" * 64)
WORDS = tuple(f" w{number}" for number in range(12))


class Planted:
    """A model whose scores depend on the prompt; a run moves each by *noise* times their size."""

    def __init__(
        self, *, noise: float = 0.0, size: float = 3.0, seed: int = 0, only: float = 1.0
    ) -> None:
        self._noise, self._size, self._seed, self._only = noise, size, seed, only
        self.asked = 0
        self.identity = Identity(
            model=ModelId("planted"),
            weights=Digest("sha256:" + "0" * 64),
            engine="planted/1",
            flags={"threads": "1"},
        )

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.asked += 1
        content = messages[-1].content
        moved = random.Random(f"{content} {self._seed}")
        noise = self._noise if moved.random() < self._only else 0.0
        tokens, text = [], ""
        for _ in range(options.max_tokens):
            scores = random.Random(f"{content}{text}")
            plain = [scores.gauss(0, self._size) for _ in WORDS]
            seen = [one + moved.gauss(0, noise * self._size) for one in plain]
            total = log(sum(map(exp, seen)))
            ranked = sorted(zip(seen, WORDS, strict=True), reverse=True)[: options.top_logprobs]
            top = {word: score - total for score, word in ranked}
            best = ranked[0][1]
            tokens.append(Token(text=best, logprob=top[best], top=top))
            text += best
        return Completion(text=text, finish="length", tokens=tuple(tokens))


@pytest.fixture(scope="module")
def fingerprint() -> Fingerprint:
    return take_fingerprint(Planted(), now=NOW, hardware=HERE, storage="Q4_1")


def certify(fingerprint: Fingerprint, model: Planted, scope: Scope = "canary") -> Certificate:
    return compare(fingerprint, model, now=LATER, scope=scope, hardware=HERE)


@pytest.mark.parametrize(
    ("noise", "verdict"), [(0.0, "exact"), (0.03, "equivalent"), (0.3, "different")]
)
@pytest.mark.parametrize("scope", ["canary", "battery"])
def test_a_certificate_finds_what_was_planted(
    noise: float, verdict: str, scope: Scope, fingerprint: Fingerprint
) -> None:
    found = certify(fingerprint, Planted(noise=noise, seed=1), scope)
    assert found.verdict == verdict
    assert found.same == (verdict != "different")
    assert found.unexpected == (verdict != "exact")
    assert Certificate.decode(found.encode()) == found


@pytest.mark.parametrize(("noise", "most"), [(0.0, 12), (0.3, 4)])
def test_a_canary_asks_few_and_a_battery_all(
    noise: float, most: int, fingerprint: Fingerprint
) -> None:
    quick, whole = Planted(noise=noise), Planted(noise=noise)
    found = certify(fingerprint, quick)
    assert quick.asked == len(found.asked) <= most
    assert certify(fingerprint, whole, "battery").scope == "battery"
    assert whole.asked == len(fingerprint.probes)


def test_a_fault_that_shows_on_some_prompts_is_found_by_the_battery(
    fingerprint: Fingerprint,
) -> None:
    for seed in range(5):
        faulty = Planted(noise=1.0, only=0.4, seed=seed)
        assert certify(fingerprint, faulty, "battery").verdict == "different"


@pytest.mark.parametrize("size", [1.0, 3.0, 9.0])
def test_a_kernel_moves_models_with_large_scores_as_far_as_those_with_small(size: float) -> None:
    """Planted: the same relative noise in scores nine times as large."""
    taken = take_fingerprint(Planted(size=size), now=NOW)
    assert spread(taken.probes) == pytest.approx(0.6 * size, rel=0.3)
    assert certify(taken, Planted(size=size, noise=0.03, seed=2)).verdict == "equivalent"
    assert certify(taken, Planted(size=size, noise=0.3, seed=2)).verdict == "different"


def test_the_order_is_another_at_another_time_and_can_be_worked_out_again(
    fingerprint: Fingerprint,
) -> None:
    first = compare(fingerprint, Planted(), now=LATER)
    assert first.asked == compare(fingerprint, Planted(), now=LATER).asked
    assert first.asked != compare(fingerprint, Planted(), now=NOW).asked
    assert list(first.asked) != sorted(first.asked)


def test_a_certificate_says_what_the_test_found_and_what_it_rests_on(
    fingerprint: Fingerprint,
) -> None:
    found = certify(fingerprint, Planted(noise=0.3, seed=3))
    assert found.decision == "different"
    assert found.decided_after == len(found.asked) >= 3
    assert found.ratio >= -log(found.alpha)
    assert (found.alpha, found.beta) == (0.01, 0.01)
    assert found.calibration is not None
    assert found.fingerprint == fingerprint.digest()
    whole = certify(fingerprint, Planted(), "battery")
    assert [(it.kind, it.agreed == it.asked) for it in whole.behaviours] == [
        (kind, True) for kind in ("choice", "exit", "refusal", "style")
    ]


def test_too_few_prompts_for_the_test_certify_what_is_exact_and_nothing_else(
    fingerprint: Fingerprint,
) -> None:
    few = replace(fingerprint, probes=fingerprint.probes[:2])
    exact = certify(few, Planted())
    assert (exact.verdict, exact.decision) == ("exact", "undecided")
    moved = certify(few, Planted(noise=0.02, seed=4))
    assert (moved.verdict, moved.decision) == ("different", "undecided")
    assert certify(replace(fingerprint, probes=()), Planted()).verdict == "different"


def ran(**changed: object) -> Identity:
    return replace(Planted().identity, **changed)


@pytest.mark.parametrize(
    ("changed", "hardware", "storage", "said"),
    [
        ({}, {}, "", ("same weights, same engine", "exact")),
        ({}, {"cores": "64"}, "", ("same weights, same engine", "exact")),
        (
            {},
            {"processor": "two"},
            "",
            ("same weights and engine, other or unknown hardware", "equivalent"),
        ),
        (
            {"flags": {"threads": "2"}},
            {},
            "",
            ("same weights, other settings", "equivalent"),
        ),
        ({"engine": "other/1"}, {}, "", ("same weights, other engine", "equivalent")),
        ({"weights": None}, {}, "", ("weights not shown", "")),
        (
            {"flags": {"weights": "as its host shows, unverified"}},
            {},
            "",
            ("same weights as its host shows, unverified", "equivalent"),
        ),
        ({"weights": OTHER}, {}, "Q8_0", ("quantised to Q8_0", "equivalent")),
        ({"weights": OTHER}, {}, "Q4_1", ("other weights", "")),
        ({"weights": OTHER}, {}, "", ("other weights", "")),
        ({"weights": OTHER}, {}, "Q4_1 with an adapter", ("with an adapter", "")),
    ],
)
def test_a_revival_is_labelled_as_what_it_is(
    changed: Mapping[str, object],
    hardware: dict[str, str],
    storage: str,
    said: tuple[str, str],
    fingerprint: Fingerprint,
) -> None:
    model = Planted()
    model.identity = replace(model.identity, **changed)
    found = compare(fingerprint, model, now=LATER, hardware=HERE | hardware, storage=storage)
    assert (found.label, found.expected) == said


def test_a_quantised_revival_is_named_as_such_and_only_with_a_good_certificate(
    fingerprint: Fingerprint,
) -> None:
    for noise, name in ((0.03, "planted, quantised to Q8_0"), (0.3, "not planted")):
        model = Planted(noise=noise)
        model.identity = replace(model.identity, weights=OTHER)
        found = compare(fingerprint, model, now=LATER, hardware=HERE, storage="Q8_0")
        assert found.name == name
    assert certify(fingerprint, Planted()).name == "planted"
