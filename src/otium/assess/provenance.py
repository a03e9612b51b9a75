"""Provenance: what was pinned, where each score comes from, and judging old records again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from otium.assess.records import (
    Assessment,
    Bookend,
    Cost,
    Manifest,
    Material,
    Pins,
    Result,
    Trial,
)
from otium.assess.suite import Judging
from otium.assess.trials import judged
from otium.authority import Signature
from otium.errors import BadInput
from otium.evidence import Sample, Transcript, warmed
from otium.judging import Drift, Panel, drift
from otium.records import (
    Digest,
    Instant,
    ModelId,
    Part,
    Record,
    canonical,
    digest,
    hexadecimal,
)
from otium.scenarios import Scenario
from otium.statistics import wilson
from otium.verdicts import Word, rules_digest

STATEMENT = "application/vnd.otium.assessment-provenance.v1+json"
"""The media type that a signature under a manifest is over."""


class SignedManifest(Part):
    """A manifest and the researcher's name under it."""

    manifest: Manifest
    signature: Signature | None = None
    """None in a log that has no roles."""


class Provenance(Record, tag="otium.provenance/1"):
    """The signed manifests of one assessment's scores."""

    model: ModelId
    assessment: Digest
    material: Digest
    manifests: tuple[SignedManifest, ...]


def statement(manifest: Manifest, assessment: Digest) -> dict[str, str]:
    """Return what a signature under *manifest* is over: the whole *assessment* too.

    So no score can be left out later, with its manifest or without.
    """
    return {
        "assessment": assessment,
        "manifest": manifest.digest(),
        "model": manifest.model,
        "score": manifest.score,
    }


def score(result: Result) -> Digest:
    """Return the digest of a result as its manifest names it: without the manifest itself."""
    return replace(result, manifest=None).digest()


def prompt(transcript: Transcript) -> Digest:
    """Return the digest of what the model was told before its first answer."""
    told: list[tuple[str, str]] = []
    for turn in transcript.turns:
        if turn.role == "assistant":
            break
        told.append((turn.role, turn.content))
    return digest(canonical(told))


def manifests(held: Assessment, material: Material) -> tuple[Manifest, ...]:
    """Return where each result comes from."""
    talks = {talk.id: (talk, prompt(talk), talk.digest()) for talk in held.transcripts}
    scenarios = {it.specification for it in material.scenarios}
    return tuple(_manifest(held, result, talks, scenarios) for result in held.results)


def with_manifests(held: Assessment, material: Material) -> Assessment:
    """Return the assessment with each result naming its manifest."""
    found = manifests(held, material)
    results = tuple(
        replace(result, manifest=manifest.digest())
        for result, manifest in zip(held.results, found, strict=True)
    )
    return replace(held, results=results)


def faults(held: Assessment, material: Material, kept: Provenance) -> Iterator[str]:
    """Yield what of *kept* is not so: each manifest is made again from the record."""
    if kept.assessment != held.digest():
        yield "the assessment is not the one that was signed"
    if kept.material != material.digest():
        yield "the scenarios are not those that were signed"
    if held.pins is None:
        yield "the assessment pins nothing: no score can be traced"
        return
    yield from _unlike(held, material, kept)
    again = {it.instrument: it for it in manifests(held, material)}
    for result in held.results:
        signed = [
            it.manifest for it in kept.manifests if it.manifest.instrument == result.instrument
        ]
        if len(signed) != 1:
            yield f"{result.instrument}: {len(signed)} manifests, not one"
            continue
        theirs = replace(signed[0], software=again[result.instrument].software)
        if result.manifest != signed[0].digest():
            yield f"{result.instrument}: the result names another manifest"
        elif theirs != again[result.instrument]:
            yield f"{result.instrument}: the manifest is not what the record gives"


def _unlike(held: Assessment, material: Material, kept: Provenance) -> Iterator[str]:
    """Yield what does not fit together of scenarios, plays, results and manifests."""
    names = [result.instrument for result in held.results]
    for name in dict.fromkeys(it.manifest.instrument for it in kept.manifests):
        if name not in names:
            yield f"{name}: a manifest, and no result"
    for name in dict.fromkeys(trial.cell for trial in held.trials):
        if name not in names:
            yield f"{name}: plays, and no result"
    played = {trial.id for trial in held.trials}
    for it in material.scenarios:
        if it.id not in played and it.family not in held.stopped:
            yield f"{it.id}: a scenario without a play, and nothing says why"
    yield from _misjudged(held, material, kept)


def _misjudged(held: Assessment, material: Material, kept: Provenance) -> Iterator[str]:
    """Yield each play of which the record does not say what its transcript gives.

    Other word lists or another otium may rightly judge otherwise: `rejudge` says how far.
    """
    talks = {talk.id: talk for talk in held.transcripts}
    scenarios = {it.id: it for it in material.scenarios}
    ours = held.pins is not None and held.pins.verdicts == rules_digest()
    made = {it.manifest.software.get("otium") for it in kept.manifests}
    for trial in held.trials:
        scenario, talk = scenarios.get(trial.id), talks.get(trial.transcript)
        if scenario is None or talk is None:
            yield f"{trial.id}: a play without its {'transcript' if scenario else 'scenario'}"
        elif ours and made == {version("otium")} and judged(scenario, talk).word != trial.word:
            yield f"{trial.id}: its transcript does not give the verdict {trial.word!r}"


def _manifest(
    held: Assessment,
    result: Result,
    talks: Mapping[str, tuple[Transcript, Digest, Digest]],
    scenarios: set[Digest],
) -> Manifest:
    found = [talks[name] for name in result.transcripts if name in talks]
    rests = [talk for talk, _, _ in found]
    pins = held.pins
    assert pins is not None
    return Manifest(
        model=held.model,
        identity=held.identity,
        bookend=held.bookend,
        held=held.held,
        instrument=result.instrument,
        score=score(result),
        specification=result.specification,
        suite=pins.suite,
        scenarios=tuple(dict.fromkeys(it.instrument for it in rests if it.instrument in scenarios)),
        prompts=tuple(dict.fromkeys(told for _, told, _ in found)),
        transcripts=tuple(whole for _, _, whole in found),
        judges=pins.judges,
        rubrics=pins.rubrics,
        rules=result.rules,
        generator=pins.generator,
        verdicts=pins.verdicts,
        cost=sum((held.costs.get(talk.id, Cost()) for talk in rests), Cost()),
        software=_software(),
    )


def _software() -> dict[str, str]:
    return {name: version(name) for name in ("otium", "inspect_ai")}


def differences(old: Pins, new: Pins) -> tuple[str, ...]:
    """Return what was otherwise in the *old* bookend, a sentence each."""
    found = [
        f"{what} was {_brief(before)}, and is {_brief(after)}"
        for what, before, after in (
            ("the suite", f"{old.name} ({_brief(old.suite)})", f"{new.name} ({_brief(new.suite)})"),
            ("the amount", old.amount, new.amount),
            ("the seed", old.seed, new.seed),
            ("the set of scenarios", old.material, new.material),
            ("the call style", old.calls, new.calls),
            ("the gate's rules", old.rules, new.rules),
            ("the word lists of verdicts", old.verdicts or new.verdicts, new.verdicts),
        )
        if before != after
    ]
    for what, before, after in (
        ("instrument", old.instruments, new.instruments),
        ("rubric", old.rubrics, new.rubrics),
    ):
        found += [
            f"the {what} {name} was {_brief(before.get(name))}, and is {_brief(after.get(name))}"
            for name in dict.fromkeys([*before, *after])
            if before.get(name) != after.get(name)
        ]
    who = [", ".join(judge.name for judge in pins.judges) or "none" for pins in (old, new)]
    if old.judges != new.judges:
        found.append(f"the judges were {who[0]}, and are {who[1]}")
    return tuple(found)


def _brief(value: object) -> str:
    """Return enough of a digest to tell two apart; anything else as it is."""
    said = "none" if value is None else str(value)
    plain = hexadecimal(Digest(said))
    return said if plain == said else plain[:12]


class Changed(Part):
    """One play that today's rules judge otherwise."""

    trial: str
    before: str
    after: str
    why: str


class Rejudged(Record, tag="otium.rejudged/1"):
    """An old assessment judged again: what changed by rules, and how far model judges drifted."""

    model: ModelId
    bookend: Bookend
    assessment: Digest
    judged: Instant
    compared: int
    """Plays that were judged by rules again."""
    changed: tuple[Changed, ...]
    panels: tuple[Panel, ...]
    drifts: tuple[Drift, ...]
    """For each rubric that was judged both times."""
    software: dict[str, str]
    verdicts_before: Digest | None = None
    """The word lists that judged first, if they were pinned; ``verdicts`` are today's."""
    verdicts: Digest | None = None

    @property
    def bound(self) -> float:
        """Return the most plays that the rules may judge otherwise: the interval's upper end."""
        return wilson(len(self.changed), self.compared).high

    def text(self) -> str:
        """Say for people what changed by rules."""
        return (
            f"By rules {len(self.changed)} of {self.compared} plays are judged otherwise; "
            f"at most {self.bound:.2f} (95 %). {self._lists()}"
        )

    def _lists(self) -> str:
        if self.verdicts_before is None:
            return "Which word lists judged first was not pinned."
        if self.verdicts_before == self.verdicts:
            return f"The word lists of verdicts are the same, {self.verdicts}."
        return f"The word lists of verdicts were {self.verdicts_before}, and are {self.verdicts}."


def rejudge(
    held: Assessment,
    material: Material,
    *,
    now: Instant,
    judging: Judging = Judging(),  # noqa: B008 - immutable
) -> Rejudged:
    """Judge each play of *held* again from its transcript: by today's rules, and by *judging*.

    Nothing is played. Old and new judgements are compared on the same words; a rubric that was
    not judged before has no drift. Raises BadInput for a play that cannot be judged from it.
    """
    changed, plays = [], []
    for trial, scenario, talk in _plays(held, material):
        found = judged(scenario, talk)
        plays.append((talk, replace(found, word=cast("Word", trial.word), why=trial.why)))
        if found.word != trial.word:
            changed.append(
                Changed(trial=trial.id, before=trial.word, after=found.word, why=found.why)
            )
    panels = judging.panels(plays) if plays else ()
    old = {panel.name.rpartition("-")[0]: panel for panel in held.panels}
    pairs = [(old.get(panel.name.rpartition("-")[0]), panel) for panel in panels]
    return Rejudged(
        model=held.model,
        bookend=held.bookend,
        assessment=held.digest(),
        judged=now,
        compared=len(held.trials),
        changed=tuple(changed),
        panels=panels,
        verdicts_before=held.pins.verdicts if held.pins is not None else None,
        verdicts=rules_digest(),
        drifts=tuple(drift(before, after) for before, after in pairs if before is not None),
        software=_software(),
    )


def _plays(held: Assessment, material: Material) -> Iterator[tuple[Trial, Scenario, Transcript]]:
    talks = {talk.id: talk for talk in held.transcripts}
    scenarios = {scenario.id: scenario for scenario in material.scenarios}
    for trial in held.trials:
        if trial.id not in scenarios or trial.transcript not in talks:
            why = f"{trial.id} lacks its scenario or its transcript"
            raise BadInput(what=f"the assessment of {held.model}", why=why)
        yield trial, scenarios[trial.id], talks[trial.transcript]


def invalidate(logs: Path, held: Assessment, samples: Sequence[Sample]) -> int:
    """Mark the samples of withheld results in Inspect's own logs; return how many were marked.

    A sample that also stands in a result that is reported (a family's paired differences, say)
    is marked too: the mark names the results that are withheld.
    """
    warmed()
    from inspect_ai.log import (
        ProvenanceData,
        invalidate_samples,
        list_eval_logs,
        read_eval_log,
        write_eval_log,
    )

    why: dict[str, list[str]] = {}
    ids = {sample.transcript.id: sample for sample in samples if sample.uuid}
    for result in held.results:
        for name in result.transcripts if result.withheld else ():
            if name in ids:
                why.setdefault(ids[name].uuid, []).append(result.instrument)
    tasks = {sample.task for sample in samples if sample.uuid in why}
    marked = 0
    for info in list_eval_logs(str(logs)) if why else ():
        if info.task.replace("-", "_") not in {task.replace("-", "_") for task in tasks}:
            continue
        log = read_eval_log(info)
        for reasons in sorted({tuple(names) for names in why.values()}):
            there = {sample.uuid for sample in log.samples or []}
            uuids = [it for it, names in why.items() if tuple(names) == reasons and it in there]
            if uuids:
                mark = ProvenanceData(
                    author="otium validity gate",
                    reason=f"withheld: {', '.join(reasons)}",
                    metadata={"model": held.model, "bookend": held.bookend},
                )
                log = invalidate_samples(log, uuids, mark)
                marked += len(uuids)
        write_eval_log(log, info.name)
    return marked
