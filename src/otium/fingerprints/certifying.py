"""Whether a model still behaves as its fingerprint says.

The method and what it rests on stand in ``docs/formats/fingerprint-2.md``; how often it errs in
``docs/explanation/methods-fingerprint.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Literal, NamedTuple, TypedDict

from otium.engine import Identity, Model
from otium.fingerprints.calibration import Calibration, Plan, Scope, read_calibration
from otium.fingerprints.matching import Match, match, spread
from otium.fingerprints.records import (
    Agreement,
    Certificate,
    CertificateOne,
    Fingerprint,
    FingerprintOne,
    Probe,
    Prompt,
    Prompts,
    Verdict,
)
from otium.fingerprints.sequential import Step, Walk, walk
from otium.fingerprints.taking import ask, check_rules
from otium.fingerprints.variants import WITH_ADAPTER
from otium.records import Digest, Instant, digest

LARGEST, MEAN = 1.5, 0.25
"""Nats. Up to these a fingerprint of version 1 calls answers equivalent."""
Expected = Literal["exact", "equivalent", ""]
_PROCESSOR = ("machine", "processor")


class _Figures(TypedDict):
    identity: Identity
    fingerprint: Digest
    certified: Instant
    tokens_compared: int
    tokens_equal: int
    largest_difference: float
    mean_difference: float


class Seen(NamedTuple):
    """One probe of a fingerprint, asked again."""

    before: Probe
    after: Probe
    match: Match
    changed: bool | None
    """Whether the reading changed; None for a kind that is not read."""


def see(before: Probe, after: Probe) -> Seen:
    """Compare two answers to one prompt."""
    changed = before.reading != after.reading if before.reading else None
    return Seen(before, after, match(before, after), changed)


def compare(
    fingerprint: Fingerprint,
    model: Model,
    *,
    now: Instant,
    scope: Scope = "canary",
    hardware: dict[str, str] | None = None,
    storage: str = "",
    calibration: Calibration | None = None,
) -> Certificate:
    """Ask *model* what the fingerprint asked, and say how its answers compare.

    A canary asks in a random order until it is sure, a battery decides when it has asked all. A
    fingerprint of version 1 is asked whole and judged as its version has it. *hardware* and
    *storage* say what it runs on and how its weights are stored. Raises EngineFailed, BadRecord.
    """
    check_rules(fingerprint.kinds)
    order = _order(fingerprint, now)
    answers = (see(probe, _again(fingerprint, probe, model)) for probe in _in(fingerprint, order))
    if isinstance(fingerprint, FingerprintOne):
        return _first(fingerprint, model.identity, tuple(answers), now)
    tests = calibration or read_calibration()
    seen: list[Seen] = []
    plan, unit = planned(fingerprint.probes, tests, scope), spread(fingerprint.probes)
    ended = decide(_kept(answers, seen), unit, tests, plan)
    label, expected = labelled(fingerprint, model.identity, hardware or {}, storage)
    return Certificate(
        **_figures(model.identity, fingerprint, seen, now),
        verdict=_verdict(seen, ended, whole=len(seen) == len(order)),
        label=label,
        expected=expected,
        scope=scope,
        asked=order[: len(seen)],
        decision=ended.side,
        decided_after=ended.steps,
        ratio=ended.ratio,
        **plan.declared,
        behaviours=_behaviours(seen),
        hardware=hardware or {},
    )


def planned(probes: Sequence[Probe], tests: Calibration, scope: Scope) -> Plan:
    """Return the test for a fingerprint's *probes*; those without tokens say nothing.

    A battery decides after all of them at the earliest: their order is then of no account.
    """
    saying = [one for one in probes if one.tokens]
    plan = tests.plan(scope, len(saying), sum(bool(one.reading) for one in saying))
    return plan._replace(least=len(probes)) if scope == "battery" else plan


def decide(seen: Iterable[Seen], unit: float, tests: Calibration, plan: Plan) -> Walk:
    """Go through compared answers until the test of *plan* is sure; *unit* is the model's spread.

    Where neither run said anything, nothing speaks for either side.
    """
    between = plan.between
    nothing = Step((0.0,), (0.0,) * len(between.other))
    return walk(
        (
            between.step(tests.place(one.match, unit), changed=one.changed)
            if one.before.tokens or one.after.tokens
            else nothing
            for one in seen
        ),
        lower=plan.lower,
        upper=plan.upper,
        least=plan.least,
    )


def labelled(
    before: Fingerprint, after: Identity, hardware: Mapping[str, str], storage: str
) -> tuple[str, Expected]:
    """Return what was run beside what was fingerprinted, and the verdict that it should have."""
    first = before.identity
    if first.weights is None or after.weights is None:
        return "weights not shown", ""
    if first.weights != after.weights:
        return _other_weights(before.storage, storage)
    if "unverified" in after.flags.get("weights", ""):
        return "same weights as its host shows, unverified", "equivalent"
    if (first.engine, first.flags) != (after.engine, after.flags):
        what = "engine" if first.engine != after.engine else "settings"
        return f"same weights, other {what}", "equivalent"
    if not hardware or any(hardware.get(it) != before.hardware.get(it) for it in _PROCESSOR):
        return "same weights and engine, other or unknown hardware", "equivalent"
    return "same weights, same engine", "exact"


def _other_weights(before: str, after: str) -> tuple[str, Expected]:
    first, second = before.removesuffix(WITH_ADAPTER), after.removesuffix(WITH_ADAPTER)
    if not before or not after:
        return "other weights", ""
    if before.endswith(WITH_ADAPTER) != after.endswith(WITH_ADAPTER):
        return f"{'with' if after.endswith(WITH_ADAPTER) else 'without'} an adapter", ""
    return (f"quantised to {second}", "equivalent") if first != second else ("other weights", "")


def _order(fingerprint: Fingerprint, now: Instant) -> tuple[int, ...]:
    """Return an order of the probes that anyone can work out again.

    Whoever certifies can choose the time, and so try orders: a canary is for one's own use. Version
    1 is asked as it stands.
    """
    if isinstance(fingerprint, FingerprintOne):
        return tuple(range(len(fingerprint.probes)))
    seed = f"{fingerprint.digest()} {now}"
    return tuple(
        sorted(range(len(fingerprint.probes)), key=lambda at: digest(f"{seed} {at}".encode()))
    )


def _in(fingerprint: Fingerprint, order: Iterable[int]) -> Iterator[Probe]:
    return (fingerprint.probes[at] for at in order)


def _again(fingerprint: Fingerprint, probe: Probe, model: Model) -> Probe:
    asked = Prompts(
        id="",
        version="",
        canary="",
        max_tokens=fingerprint.max_tokens,
        prompts=(),
        alternatives=fingerprint.alternatives,
        kinds=fingerprint.kinds,
    )
    return ask(model, Prompt(messages=probe.prompt, kind=probe.kind), asked)


def _kept(answers: Iterable[Seen], kept: list[Seen]) -> Iterator[Seen]:
    for answer in answers:
        kept.append(answer)
        yield answer


def _verdict(seen: Sequence[Seen], ended: Walk, *, whole: bool) -> Verdict:
    compared = any(one.match.compared for one in seen)
    exact = compared and all(one.match.exact for one in seen)
    if exact and (whole or ended.side == "same"):
        return "exact"
    return "equivalent" if compared and ended.side == "same" else "different"


def _first(
    fingerprint: Fingerprint, identity: Identity, seen: Sequence[Seen], now: Instant
) -> CertificateOne:
    """Judge by the tolerances of version 1: docs/formats/fingerprint-1.md."""
    plain = _figures(identity, fingerprint, seen, now)
    matches = [one.match for one in seen]
    far = plain["largest_difference"] > LARGEST or plain["mean_difference"] > MEAN
    if far or not plain["tokens_compared"] or not all(it.same_end or it.tie for it in matches):
        verdict: Verdict = "different"
    else:
        verdict = "exact" if all(one.exact for one in matches) else "equivalent"
    return CertificateOne(**plain, verdict=verdict)


def _figures(
    identity: Identity, fingerprint: Fingerprint, seen: Sequence[Seen], now: Instant
) -> _Figures:
    differences = [value for one in seen for value in one.match.differences]
    return {
        "identity": identity,
        "fingerprint": fingerprint.digest(),
        "certified": now,
        "tokens_compared": sum(one.match.compared for one in seen),
        "tokens_equal": sum(one.match.equal for one in seen),
        "largest_difference": max(differences, default=0.0),
        "mean_difference": fmean(differences) if differences else 0.0,
    }


def _behaviours(seen: Sequence[Seen]) -> tuple[Agreement, ...]:
    """Return for each kind that is read how often it read as it did before."""
    read = [one for one in seen if one.changed is not None]
    kinds = {
        one.before.kind: [it for it in read if it.before.kind == one.before.kind] for one in read
    }
    return tuple(
        Agreement(kind=kind, asked=len(ones), agreed=sum(not one.changed for one in ones))
        for kind, ones in sorted(kinds.items())
    )
