"""A plan in words, tables and a picture: no figure without what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from otium.capacity.records import WAYS, Plan, Setup
from otium.plots import Chart, Line, curves

HEAD = (
    *("way", "slots", "GPUs", "VRAM GB", "RAM GB", "disk TB", "wait s", "who waits"),
    *("a month", "one more model"),
)
_THOUSAND = 1000


def rows(found: Plan) -> list[tuple[str, ...]]:
    """Return a row for each way, in the order of `HEAD`."""
    return [
        (
            way.name,
            f"{way.slots:,}",
            f"{way.gpus:,}",
            f"{way.vram:,.0f}",
            f"{way.ram:,.0f}",
            f"{way.disk / _THOUSAND:,.2f}",
            f"{way.wait:,.0f}",
            f"{way.waiting:.0%}",
            f"{way.month:,.0f}",
            f"{way.one_more:,.2f}",
        )
        for way in found.ways
    ]


def assumptions(asked: Setup) -> list[tuple[str, str]]:
    """Return each input with its value."""
    spread = f"by Zipf's law, exponent {asked.skew:g}" if asked.skew else "alike"
    return [
        (
            "models",
            f"{asked.models:,}, each {asked.gigabytes:g} GB and {asked.working:g} GB to work",
        ),
        ("requests", f"{asked.requests:,.0f} a day for all, {spread}"),
        ("an answer, and how long its engine lingers", f"{asked.answer:g} s, {asked.linger:g} s"),
        ("slots are enough for", f"{asked.quantile:.3%} of the time"),
        ("stored for a byte of weights", f"{asked.stored:.3g}, in {asked.copies} copies"),
        ("a revival reads, decodes", f"{asked.read_rate:g} GB/s, {asked.decode_rate:g} GB/s"),
        ("an engine starts, a sleeper wakes", f"{asked.start:g} s, {asked.wake:g} s"),
        ("a sleeper keeps of its GPU", f"{asked.sleeper:g} GB"),
        ("a GB and month of VRAM, RAM, disk", _prices(asked)),
    ]


def _prices(asked: Setup) -> str:
    return f"{asked.vram_price:g}, {asked.ram_price:g}, {asked.disk_price:g}"


def picture(plans: Sequence[Plan]) -> Chart:
    """Return the money a month against the number of models, for each way."""
    places = [float(each.setup.models) for each in plans]
    lines = [Line(name=name, values=tuple(each.way(name).month for each in plans)) for name in WAYS]
    title = "What it costs to keep retired models reachable"
    return curves(title, "retired models", places, "money a month", lines)
