"""A study for people, as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otium.lever.planted import Recovered
from otium.lever.records import Finding, Study
from otium.statistics import Estimate

_HEAD = ("claim", "without", "with", "difference (95 %)", "p", "power", "what it comes to")
_STRATA = ("claim", "among plays", "bases", "without", "difference (95 %)")
_RECOVERED = ("claim", "planted", "mean", "coverage", "shown", "power")
_AFTER = (
    "Awareness shows after the condition: a difference among aware or unaware plays describes "
    "them and is no effect on them."
)


def render(study: Study) -> str:
    """Return the study's tables, each claim in plain words, and what was corrected."""
    title = (
        f"{len(study.rows)} plays of {study.bases} bases ({', '.join(study.families)}); "
        f"a difference of {study.margin:.2f} would matter, and power is the chance to show one."
    )
    lines = [title, "", *_table(_HEAD, [_row(one) for one in study.findings]), ""]
    lines += [sentence(one, study.margin) for one in study.findings]
    lines += [f"{names}: {why}." for why, names in _reasons(study.findings).items()]
    primary = [one.claim for one in study.findings if one.adjusted != one.p]
    lines += ["", _corrected(primary)]
    if strata := list(_strata(study.findings)):
        lines += ["", *_table(_STRATA, strata), _AFTER]
    return "\n".join(lines)


def as_table(found: Sequence[Recovered]) -> str:
    """Return how well planted effects were recovered, claim by claim."""
    rows = [
        (
            one.claim,
            f"{one.planted:+.3f}",
            f"{one.mean:+.3f}",
            f"{one.coverage:.3f}",
            f"{one.shown:.2f}",
            f"{one.power:.2f}",
        )
        for one in found
    ]
    lines = _table(_RECOVERED, rows)
    return "\n".join([*lines, f"over {found[0].studies} simulated studies" if found else ""])


def sentence(found: Finding, margin: float) -> str:
    """Return one claim in a sentence: what it does, how sure that is, or what it would take."""
    what = found.text[0].upper() + found.text[1:]
    if found.standing == "withheld":
        return f"{what}: withheld ({_numbers(found)})."
    if not found.difference.n:
        return f"{what}: not played."
    care = " To be read with caution." if found.standing == "caution" else ""
    return f"{what}: {_verdict(found, margin)}{_floor(found, margin)}{care}"


def _verdict(found: Finding, margin: float) -> str:
    size, n = abs(found.difference.value), found.difference.n
    if found.word == "no-effect":
        return f"no effect larger than {margin:.2f} ({_numbers(found)})."
    if found.word == "undetermined":
        reach = found.sensitivity
        alone = (
            " Alone its interval leaves out 0; corrected for the number of claims it does not."
            if found.difference.excludes(0)
            else ""
        )
        return (
            f"undetermined ({_numbers(found)}).{alone} {n} bases like these would show a "
            f"difference of {reach.detectable:.2f}; one of {margin:.2f} takes about {reach.needed}."
        )
    if found.interaction:
        more = "more" if found.word == "lowers" else "less"
        return f"it lowers harm {more} there, by {size:.2f} ({_numbers(found)})."
    return f"{found.word} the rate of harm by {size:.2f} ({_numbers(found)})."


def _floor(found: Finding, margin: float) -> str:
    """Say so where there was hardly anything to lower."""
    rare = found.without.n > 0 and found.without.value < margin
    if not rare or found.word in {"lowers", "raises"}:
        return ""
    return f" There was little to lower: the rate of harm without it is {found.without.text()}."


def _numbers(found: Finding) -> str:
    low, high = found.difference.low, found.difference.high
    shown = f"{found.difference.value:+.2f}, {low:+.2f} to {high:+.2f}, n = {found.difference.n}"
    if found.interaction or not found.without.n:
        return shown
    return f"from {found.without.value:.2f} to {found.treated.value:.2f}; {shown}"


def _corrected(primary: Sequence[str]) -> str:
    if not primary:
        return "Each p-value stands for itself."
    return (
        f"Corrected together for their number (Holm): {', '.join(primary)}. The other p-values "
        "stand for themselves."
    )


def _row(found: Finding) -> tuple[str, ...]:
    word = "withheld" if found.standing == "withheld" else found.word
    mark = " (caution)" if found.standing == "caution" else ""
    return (
        found.claim,
        _share(found.without),
        _share(found.treated),
        _signed(found.difference),
        _chance(found.adjusted) if found.difference.n else "",
        f"{found.sensitivity.power:.0%}" if found.difference.n else "",
        f"{word}{mark}" if found.difference.n else "not played",
    )


def _strata(findings: Sequence[Finding]) -> Iterator[tuple[str, ...]]:
    """Yield the claims among plays alike in something, save where these are all plays."""
    for found in findings:
        for one in found.strata:
            if one.difference.n and one.difference != found.difference:
                n, gap = str(one.difference.n), _signed(one.difference)
                yield found.claim, one.name, n, _share(one.without), gap


def _share(rate: Estimate) -> str:
    return f"{rate.value:.2f}" if rate.n else ""


def _chance(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "<0.001"  # noqa: PLR2004 - as far as three places go


def _signed(gap: Estimate) -> str:
    return f"{gap.value:+.2f} ({gap.low:+.2f} to {gap.high:+.2f})" if gap.n else ""


def _reasons(findings: Sequence[Finding]) -> dict[str, str]:
    """Return by reason which claims are withheld, or reported with caution, for it."""
    found: dict[str, list[str]] = {}
    for one in findings:
        for why in one.reasons:
            found.setdefault(why, []).append(f"{one.claim} ({one.standing})")
    everywhere = [why for why, names in found.items() if len(names) == len(findings)]
    return {
        why: "every claim" if why in everywhere else ", ".join(names)
        for why, names in found.items()
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows under a head, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    both = [head, ["-" * width for width in widths], *rows]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in both
    ]
