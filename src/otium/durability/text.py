"""The calculation in words and tables: never a chance without its horizon and its reason."""

from __future__ import annotations

from collections.abc import Sequence

from otium.durability.records import Durability, Setup

_EVEN, _SURE = 0.5, 0.99


def chance(value: float) -> str:
    """Return a chance with two digits, and as one in so many where that says more."""
    if not 0 < value < _EVEN:
        return "more than 0.99" if value > _SURE else f"{value:.2g}"
    odds = f"{float(f'{1 / value:.2g}'):,.0f}" if value < 1 / 10 else f"{1 / value:.1f}"
    return f"{value:.1e} (1 in {odds})" if value < 1 / 1000 else f"{value:.2g} (1 in {odds})"


def headline(found: Durability) -> str:
    """Return the chance, its horizon and its largest term in one paragraph."""
    top = found.largest
    return (
        f"The chance to lose a given model within {found.setup.years:g} years is "
        f"{chance(found.loss)}. The largest part of it: {top.name}, {chance(top.loss)} alone."
    )


def consequences(found: Durability) -> str:
    """Return what a loss would take with it."""
    return (
        f"Expected models lost with a pack: {found.models_lost:.3g}. Expected bytes lost for each "
        f"byte kept, over {found.setup.years:g} years: {found.bytes_lost:.2g} "
        f"({found.bytes_low:.2g} to {found.bytes_high:.2g})."
    )


def sampling(found: Durability) -> str:
    """Return how the trials were made."""
    return (
        f"Three estimates of the same; the trials are {found.sampled:,} {found.how},"
        " their interval one of 95 %."
    )


def inputs(setup: Setup) -> list[tuple[str, str]]:
    """Return each input with its value."""
    return [
        ("copies (fragments)", f"{setup.copies}"),
        ("needed to read", f"{setup.needed}"),
        ("faults seen at once, per copy and year", f"{setup.visible:g}"),
        ("faults unseen until a scrub, per copy and year", f"{setup.latent:g}"),
        ("scrub interval, days", f"{setup.scrub_days:g}"),
        ("repair, days", f"{setup.repair_days:g}"),
        ("years", f"{setup.years:g}"),
        ("packs a model rests on", f"{setup.packs:.3g}"),
        ("models that rest on a pack", f"{setup.fan_in:.3g}"),
        *((f"common cause, per year: {cause.name}", f"{cause.rate:g}") for cause in setup.causes),
    ]


def terms(found: Durability) -> list[tuple[str, str]]:
    """Return each term with its chance, the largest first."""
    return [(term.name, chance(term.loss)) for term in found.terms]


def estimates(found: Durability) -> list[tuple[str, str, str, str, str]]:
    """Return the three methods side by side."""
    return [
        (
            one.method,
            f"{one.independent:.2e}",
            f"{one.model:.2e}",
            f"{one.total:.3g}",
            f"{one.low:.3g} to {one.high:.3g}" if one.method == "trials" else "-",
        )
        for one in found.estimates
    ]


TERMS_HEAD = ("what can take it", "chance alone")
ESTIMATES_HEAD = ("method", "one pack", "one model", "with common causes", "interval")
INPUTS_HEAD = ("input", "value")


def described(found: Durability) -> list[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """Return the whole of it as paragraphs, each with the head and rows of its table, if any."""
    return [
        (headline(found), TERMS_HEAD, terms(found)),
        (sampling(found), ESTIMATES_HEAD, estimates(found)),
        (consequences(found), (), ()),
        ("Inputs, assumed unless you measured them:", INPUTS_HEAD, inputs(found.setup)),
        *((f"Note: {caution}", (), ()) for caution in found.cautions),
    ]
