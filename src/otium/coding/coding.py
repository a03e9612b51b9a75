"""Coding a whole interview: every judge on every answer, their agreement, and the claims."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median_low

from otium.coding.claims import claims
from otium.coding.judges import Judged, Rater
from otium.coding.records import (
    REASONS,
    Asked,
    Coding,
    Judgement,
    Missing,
    Place,
)
from otium.engine import Identity
from otium.errors import BadInput
from otium.judging import Judge, family, is_judge, nearness, one_family
from otium.records import Digest, Instant, ModelId, Progress, silent
from otium.statistics import Estimate, Figure, Level, Rating, krippendorff

_BATCH = 16
"""Answers that a judge gets at a time. What is judged is journalled before the next."""
_WORK, _FEWEST = 1_000_000, 200
"""Units times resamples of one interval, and the fewest resamples."""
_DRAWS = 2000
_PEOPLE = "the people who coded"
Table = Mapping[Place, Mapping[str, Judgement]]
Read = Callable[[Judgement], Rating]
Scales = Mapping[str, tuple[Level, Read]]


def _nothing(_judged: Judgement) -> None:
    """Keep no journal."""


def code_interview(
    asked: Sequence[Asked],
    raters: Sequence[Rater],
    *,
    model: ModelId,
    interview: Digest,
    now: Instant,
    subject: Identity | None = None,
    interviewers: Sequence[Identity] = (),
    given: Sequence[Judgement] = (),
    journal: Callable[[Judgement], None] = _nothing,
    progress: Progress = silent,
) -> Coding:
    """Return *asked* as every one of *raters* judges it, with claims and agreement.

    *journal* is told each judgement as it is made; given back as *given*, it is not made again.
    *subject* and *interviewers* are who answered and who asked, to warn of a judge that is one
    of them. What a host kept back is coded as that by rules, and shown to no other judge. Raises
    BadInput for two judges of one name or two answers at one place.
    """
    _unique(asked, raters)
    found: list[Judged] = []
    for rater in raters:
        known = {(it.transcript, it.turn): it for it in given if it.judge == rater.who.name}
        found += _judged(rater, _shown(rater, asked), known, journal, progress)
    judges = tuple(rater.who for rater in raters)
    judgements = tuple(each for each in found if isinstance(each, Judgement))
    missing = tuple(each for each in found if isinstance(each, Missing))
    weak = warnings(judges, subject or model, interviewers)
    return Coding(
        model=model,
        interview=interview,
        coded=now,
        judges=judges,
        judgements=judgements,
        claims=claims(asked),
        agreement=agreement(judges, judgements),
        missing=missing,
        warnings=(*weak, *_lost(judges, missing, len(asked))),
    )


def _shown(rater: Rater, asked: Sequence[Asked]) -> Sequence[Asked]:
    if rater.who.kind == "rules":
        return asked
    return [answer for answer in asked if answer.finish != "withheld"]


def _unique(asked: Sequence[Asked], raters: Sequence[Rater]) -> None:
    names = Counter(rater.who.name for rater in raters)
    places = Counter(answer.place for answer in asked)
    if twice := [name for name, count in names.items() if count > 1]:
        raise BadInput(what="the judges", why=f"{twice[0]!r} stands twice")
    if again := [place for place, count in places.items() if count > 1]:
        raise BadInput(what="the answers", why=f"{' '.join(again[0])} stands twice")


def _judged(
    rater: Rater,
    asked: Sequence[Asked],
    known: Mapping[Place, Judgement],
    journal: Callable[[Judgement], None],
    progress: Progress,
) -> Iterator[Judged]:
    made: dict[Place, Judged] = {it.place: known[it.place] for it in asked if it.place in known}
    todo = [answer for answer in asked if answer.place not in known]
    what = f"judging by {rater.who.name}"
    for start in range(0, len(todo), _BATCH):
        progress(what, len(known) + start, len(asked))
        for each in rater.judge(todo[start : start + _BATCH]):
            made[each.transcript, each.turn] = each
            if isinstance(each, Judgement):
                journal(each)
    progress(what, len(asked), len(asked))
    return (made[answer.place] for answer in asked if answer.place in made)


def agreement(judges: Sequence[Judge], judgements: Sequence[Judgement]) -> tuple[Figure, ...]:
    """Return Krippendorff's alpha for each scale: of all judges, and of each with the people.

    What several people gave counts as one: the outcome or reason of most of them (none, if
    they are divided), the middle number. Reasons without any variation have no figure.
    """
    table, people = _table(judgements), [j.name for j in judges if j.kind == "person"]
    figures: list[Figure] = []
    for scale, (level, read) in _scales().items():
        names = [judge.name for judge in judges]
        who = f"all {len(names)} judges"
        figures += _alpha(scale, "", level, who, _ratings(table, names, read))
        if len(people) > 1:
            figures += _alpha(scale, ".people", level, _PEOPLE, _ratings(table, people, read))
        for judge in judges:
            if people and judge.kind != "person":
                rows = [
                    (_read(row, judge.name, read), _consensus(row, people, level, read))
                    for row in table.values()
                ]
                who = f"{judge.name} with {_PEOPLE}"
                figures += _alpha(scale, f".{judge.name}", level, who, rows)
    return tuple(figures)


def _alpha(
    scale: str, suffix: str, level: Level, who: str, rows: Sequence[Sequence[Rating]]
) -> Iterator[Figure]:
    draws = max(_FEWEST, min(_DRAWS, _WORK // max(1, len(rows))))
    estimate = krippendorff(rows, level, draws=draws)
    if estimate.known or not scale.startswith("reason."):
        text = f"Agreement on {scale.replace('.', ' ')} of {who} (1: full, 0: by chance)"
        yield Figure(name=f"alpha.{scale}{suffix}", text=text, estimate=estimate)


def _scales() -> Scales:
    def reason(name: str) -> Read:
        return lambda it: (name in it.reasons) * 1.0 if it.reasons else None

    return {
        "outcome": ("nominal", lambda it: it.outcome),
        "sentiment": ("ordinal", lambda it: it.sentiment),
        "uncertainty": ("ordinal", lambda it: it.uncertainty),
        **{f"reason.{name}": ("nominal", reason(name)) for name in REASONS},
    }


def _table(judgements: Sequence[Judgement]) -> Table:
    table: dict[Place, dict[str, Judgement]] = defaultdict(dict)
    for each in judgements:
        table[each.transcript, each.turn][each.judge] = each
    return table


def _ratings(table: Table, names: Sequence[str], read: Read) -> list[list[Rating]]:
    return [[_read(row, name, read) for name in names] for row in table.values()]


def _read(row: Mapping[str, Judgement], name: str, read: Read) -> Rating:
    return read(row[name]) if name in row else None


def _consensus(
    row: Mapping[str, Judgement], people: Sequence[str], level: Level, read: Read
) -> Rating:
    said = [value for name in people if (value := _read(row, name, read)) is not None]
    if not said:
        return None
    if level != "nominal":
        return median_low([value for value in said if not isinstance(value, str)])
    (most, count), *others = Counter(said).most_common()
    return None if others and others[0][1] == count else most


def self_preference(
    codings: Sequence[Coding], families: Mapping[ModelId, str] | None = None, seed: int = 0
) -> tuple[Figure, ...]:
    """Return how much kinder each model judge is to its own family than to others.

    The judge's value less the people's, on answers of subjects of the judge's family, minus
    the same on those of other families: on sentiment, and on the share counted as answered.
    *families* are those of the subjects, where their names do not tell. A judge without
    answers of both kinds that people coded too has no figure.
    """
    known = families or {}
    lower: dict[tuple[str, str], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for coding in codings:
        subject = known.get(coding.model) or family(coding.model)
        table = _table(coding.judgements)
        people = [judge.name for judge in coding.judges if judge.kind == "person"]
        for judge in coding.judges:
            if judge.kind == "model":
                for scale, value in _leanings(table, judge.name, people):
                    lower[judge.name, scale][subject != judge.family].append(value)
    return tuple(
        Figure(
            name=f"self-preference.{scale}.{judge}",
            text=f"How much more {judge} lifts {_LIFTED[scale]} above the people's coding for "
            "subjects of its own family than for others",
            estimate=_difference(own, others, seed),
        )
        for (judge, scale), (own, others) in sorted(lower.items())
        if own and others
    )


_LIFTED = {"sentiment": "sentiment (1 to 7)", "answered": "the share answered"}


def _leanings(table: Table, judge: str, people: Sequence[str]) -> Iterator[tuple[str, float]]:
    answered: Read = lambda it: float(it.outcome == "answered")  # noqa: E731 - typed
    feeling: Read = lambda it: it.sentiment  # noqa: E731 - typed
    scales: dict[str, tuple[Level, Read]] = {
        "sentiment": ("ordinal", feeling),
        "answered": ("nominal", answered),
    }
    for scale, (level, read) in scales.items():
        for row in table.values():
            theirs, truth = _read(row, judge, read), _consensus(row, people, level, read)
            if theirs is not None and truth is not None:
                yield scale, float(theirs) - float(truth)


def _difference(own: Sequence[float], others: Sequence[float], seed: int) -> Estimate:
    """Return the difference of two means: bootstrap-t, no narrower than Welch's interval."""
    import numpy as np
    from scipy.stats import t

    one, two = np.array(own), np.array(others)
    method, n = "bootstrap-t over answers, at least Welch's", len(one) + len(two)
    value = float(one.mean() - two.mean())
    if min(len(one), len(two)) < 2:  # noqa: PLR2004 - one answer has no spread
        return Estimate(value=value, low=-6.0, high=6.0, n=n, method=method)
    parts = [float(each.var(ddof=1)) / len(each) for each in (one, two)]
    error = sum(parts) ** 0.5
    if not error:
        return Estimate(value=value, low=value, high=value, n=n, method=method)
    freedom = error**4 / sum(
        part**2 / (len(each) - 1) for part, each in zip(parts, (one, two), strict=True)
    )
    random = np.random.default_rng(seed)
    draws = max(_FEWEST, min(_DRAWS, _WORK // n))
    again = [each[random.integers(0, len(each), (draws, len(each)))] for each in (one, two)]
    errors = np.sqrt(sum(each.var(axis=1, ddof=1) / each.shape[1] for each in again))
    shifts = again[0].mean(axis=1) - again[1].mean(axis=1) - value
    low, high = np.quantile(shifts / np.maximum(errors, error / 4), (0.025, 0.975))
    least = float(t.ppf(0.975, freedom))
    return Estimate(
        value=value,
        low=value - max(least, float(high)) * error,
        high=value + max(least, -float(low)) * error,
        n=n,
        method=method,
    )


def warnings(
    judges: Sequence[Judge],
    subject: Identity | ModelId,
    interviewers: Sequence[Identity] = (),
) -> tuple[str, ...]:
    """Return what weakens the judging, a sentence each, by who judges."""
    found = [one_family(judges)]
    if not any(judge.kind == "person" for judge in judges):
        found.append("No person coded a part, so nothing shows whether the judges are right.")
    for judge in judges:
        found.append(nearness(judge, subject))
        if any(is_judge(judge, interviewer) for interviewer in interviewers):
            found.append(f"{judge.name} judges an interview that it held itself.")
    return tuple(filter(None, found))


def _lost(judges: Sequence[Judge], missing: Sequence[Missing], asked: int) -> Iterator[str]:
    for judge in judges:
        if count := sum(each.judge == judge.name for each in missing):
            yield f"{judge.name} gave no readable judgement on {count} of {asked} answers."
