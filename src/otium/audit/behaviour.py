"""Proof of life: prompts that nobody knew, answered before retirement and again after.

Kernels differ, so answers of the same weights need not be equal. A sequential probability ratio
test (`otium.fingerprints.walk`, here Wald's of 1945) on whether tokens agree decides.
"""

from __future__ import annotations

import tomllib
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from math import log as ln

from otium.audit.records import (
    BehaviourChallenge,
    BehaviourResponse,
    ModelVerdict,
    Outcome,
    Randomness,
    SealedBehaviour,
    Tolerance,
    Verdict,
    plain_text,
)
from otium.audit.spot import Stream
from otium.engine import Message, Model
from otium.errors import AuditFailed, BadInput, BadRecord
from otium.fingerprints import (
    Fingerprint,
    Probe,
    Prompt,
    Prompts,
    Side,
    Step,
    take_answers,
    walk,
)
from otium.ledger import Entry, commit
from otium.records import Digest, Instant, Part, digest

_BYTES = 32
_LARGEST = 16 << 20
"""Bytes of a response."""
_VERDICTS: dict[str, Verdict] = {"same": "passed", "different": "failed", "undecided": "undecided"}


class Templates(Part):
    """From what prompts are made. The file is ``data/behaviour.toml``."""

    id: str
    version: str
    canary: str
    max_tokens: int
    templates: tuple[str, ...]
    """``{word}`` stands for a word of the list, ``{number}`` for a number of four digits."""
    words: tuple[str, ...]


class Decision(Part):
    """What the sequential test found, and after how many trials."""

    verdict: Side
    trials: int
    agreed: int
    ratio: float
    """The logarithm of the likelihood ratio, another model over the same."""


def seal_behaviour(
    model: Model,
    *,
    prompts: int,
    tolerance: Tolerance | None = None,
    randomness: Randomness,
    now: Instant,
) -> SealedBehaviour:
    """Put random prompts to *model* and return its answers.

    Keep the result private, then log what commits to it. Raises EngineFailed if the model gives
    no tokens, BadInput for a tolerance that cannot decide.
    """
    allowed = _sound(tolerance or Tolerance())
    asked = random_prompts(randomness(_BYTES), prompts)
    return SealedBehaviour(
        model=model.identity.model,
        salt=randomness(_BYTES).hex(),
        fingerprint=take_answers(model, asked, now=now),
        tolerance=allowed,
    )


def behaviour_body(sealed: SealedBehaviour) -> dict[str, object]:
    """Return the body of the entry that commits to *sealed*; it tells nothing of the prompts."""
    return {
        "commitment": commitment_of(sealed),
        "weights": sealed.fingerprint.identity.weights,
        "prompts": len(sealed.fingerprint.probes),
        "tolerance": sealed.tolerance.plain(),
    }


def commitment_of(sealed: SealedBehaviour) -> Digest:
    """Return what the log says about a sealed behaviour: a commitment to its fingerprint."""
    return commit(sealed.fingerprint.encode(), bytes.fromhex(sealed.salt))


@cache
def _templates() -> Templates:
    source = files("otium") / "data" / "behaviour.toml"
    return Templates.convert(tomllib.loads(source.read_text("utf-8")))


def random_prompts(seed: bytes, count: int) -> Prompts:
    """Return *count* prompts drawn by *seed*, each of so many that no answer can be prepared."""
    data = _templates()
    stream = Stream(seed, "otium.behaviour")

    def fill(template: str) -> Iterator[str]:
        for part in template.split(" "):
            word = data.words[stream.below(len(data.words))]
            number = str(1000 + stream.below(9000))
            yield part.replace("{word}", word).replace("{number}", number)

    chosen = [data.templates[stream.below(len(data.templates))] for _ in range(count)]
    texts = [" ".join(fill(template)) for template in chosen]
    return Prompts(
        id=data.id,
        version=data.version,
        canary=data.canary,
        max_tokens=data.max_tokens,
        prompts=tuple(Prompt(messages=(Message(role="user", content=text),)) for text in texts),
    )


def behaviour_challenge(
    sealed: SealedBehaviour,
    used: Container[str],
    *,
    custodian: str,
    made: Instant,
    deadline: Instant,
) -> BehaviourChallenge:
    """Return the prompts of *sealed*, once; raise BadInput if they were told before."""
    if commitment_of(sealed) in used:
        raise BadInput(what="the sealed behaviour", why="its prompts were told before; use another")
    return BehaviourChallenge(
        custodian=plain_text("the custodian", custodian),
        made=made,
        deadline=deadline,
        commitment=commitment_of(sealed),
        model=sealed.model,
        max_tokens=sealed.fingerprint.max_tokens,
        prompts=tuple(Prompt(messages=probe.prompt) for probe in sealed.fingerprint.probes),
    )


def respond_with_model(
    asked: BehaviourChallenge, model: Model, *, now: Instant
) -> BehaviourResponse:
    """Put the prompts to the revived *model* and return how it answered."""
    prompts = Prompts(
        id="audit", version="1", canary="", max_tokens=asked.max_tokens, prompts=asked.prompts
    )
    taken = take_answers(model, prompts, now=now)
    return BehaviourResponse(audit=asked.digest(), fingerprint=taken)


def judge_behaviour(
    asked: BehaviourChallenge,
    response: bytes,
    sealed: SealedBehaviour,
    entries: Iterable[Entry],
) -> tuple[Outcome, Decision]:
    """Compare the revived model's answers with those that were sealed.

    Raises AuditFailed if the log does not commit to what was sealed, or the bytes are no
    response to this challenge.
    """
    given = _given(asked, response)
    _check_commitment(asked, sealed, entries)
    tolerance = _sound(sealed.tolerance)
    decision = decide(agreements(sealed.fingerprint, given.fingerprint), tolerance)
    one = ModelVerdict(
        model=sealed.model,
        verdict=_VERDICTS[decision.verdict],
        samples=decision.trials,
        caught_at_1_percent=0.0,
    )
    outcome = Outcome(
        audit=asked.digest(),
        kind="behaviour",
        custodian=asked.custodian,
        deadline=asked.deadline,
        response=digest(response),
        models=(one,),
    )
    return outcome, decision


def _given(asked: BehaviourChallenge, response: bytes) -> BehaviourResponse:
    if len(response) > _LARGEST:
        raise AuditFailed(audit=asked.digest(), why="the response is longer than it can be")
    try:
        given = BehaviourResponse.decode(response)
    except BadRecord as error:
        raise AuditFailed(audit=asked.digest(), why=f"the file is no response: {error}") from error
    prompts = tuple(Prompt(messages=probe.prompt) for probe in given.fingerprint.probes)
    if given.audit != asked.digest() or prompts != asked.prompts:
        raise AuditFailed(audit=asked.digest(), why="the file answers another challenge")
    return given


def _check_commitment(
    asked: BehaviourChallenge, sealed: SealedBehaviour, entries: Iterable[Entry]
) -> None:
    wanted = {"commitment": commitment_of(sealed), "tolerance": sealed.tolerance.plain()}
    for entry in entries:
        said = {name: entry.body.get(name) for name in wanted}
        if entry.type == "behaviour.sealed" and entry.subject == sealed.model and said == wanted:
            break
    else:
        raise AuditFailed(audit=asked.digest(), why="the log does not commit to these answers")
    if asked.commitment != wanted["commitment"] or asked.model != sealed.model:
        raise AuditFailed(audit=asked.digest(), why="it was made from another sealed behaviour")


def agreements(before: Fingerprint, after: Fingerprint) -> Iterator[bool]:
    """Yield for each compared token whether both runs gave it.

    An answer is compared up to and with its first token that differs: beyond it the runs go on
    from different texts. One that ends where the other goes on differs there.
    """
    for first, second in zip(before.probes, after.probes, strict=True):
        yield from _compare(first, second)


def _compare(first: Probe, second: Probe) -> Iterator[bool]:
    for one, other in zip(first.tokens, second.tokens, strict=False):
        yield one.text == other.text
        if one.text != other.text:
            return
    if (len(first.tokens), first.finish) != (len(second.tokens), second.finish):
        yield False


def decide(agreed: Iterable[bool], tolerance: Tolerance) -> Decision:
    """Go through the trials until one of the two hypotheses is far likelier than the other.

    The bounds are Wald's: with them the errors are at most about *alpha* and *beta*.
    """
    equal = Step((ln(tolerance.same),), (ln(tolerance.other),))
    not_equal = Step((ln(1 - tolerance.same),), (ln(1 - tolerance.other),))
    trials: list[bool] = []

    def steps() -> Iterator[Step]:
        for one in agreed:
            trials.append(one)
            yield equal if one else not_equal

    found = walk(
        steps(),
        lower=ln(tolerance.beta / (1 - tolerance.alpha)),
        upper=ln((1 - tolerance.beta) / tolerance.alpha),
    )
    return Decision(verdict=found.side, trials=found.steps, agreed=sum(trials), ratio=found.ratio)


def agreement_rate(runs: Sequence[Fingerprint]) -> float:
    """Estimate how often a model agrees with itself, from runs through different kernels.

    Each run is compared with the first. One more failure than was seen is counted, so that a few
    runs that agree do not promise that all will.
    """
    trials = [one for run in runs[1:] for one in agreements(runs[0], run)]
    return sum(trials) / (len(trials) + 1)


def _sound(tolerance: Tolerance) -> Tolerance:
    rates = 0 < tolerance.other < tolerance.same < 1
    errors = 0 < tolerance.alpha < 0.5 and 0 < tolerance.beta < 0.5  # noqa: PLR2004 - a coin
    if not (rates and errors):
        why = "0 < other < same < 1 must hold, and both errors lie between 0 and 0.5"
        raise BadInput(what="the tolerance", why=why)
    return tolerance
