"""From engines that are up to memory, disk and money."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import msgspec
from msgspec.structs import replace

from otium.capacity.demand import expected_up, simulate, slots_for, waiting
from otium.capacity.records import Plan, Setup, Way, WayName
from otium.errors import BadInput, BadRecord


def setup(**facts: float) -> Setup:
    """Return inputs, each within its bounds; raise BadInput."""
    try:
        return Setup.convert(facts)
    except BadRecord as error:
        raise BadInput(what="the inputs", why=str(error.facts["why"])) from error


def measured(asked: Setup, *, models: int, size: int, stored: float) -> Setup:
    """Return *asked* for an archive of so many *models*, of *size* bytes in all; raise BadInput.

    *stored* are its stored bytes for each of those.
    """
    if not models:
        raise BadInput(what="the archive", why="no weights are kept in it")
    kept = {"models": models, "gigabytes": size / models / 1e9, "stored": stored}
    return setup(**{**msgspec.structs.asdict(asked), **kept})


def plan(asked: Setup, *, requests: int = 0) -> Plan:
    """Return what each way takes; with *requests*, what became of so many simulated ones too."""
    ways = (_always_on(asked), _asleep(asked), _on_demand(asked))
    seen = simulate(asked, requests=requests) if requests else None
    return Plan(setup=asked, ways=ways, mean_up=expected_up(asked), simulated=seen)


def curve(asked: Setup, most: int | None = None) -> list[Plan]:
    """Return plans for 1, 2, 5, 10, … models up to *most*, with the demand in total unchanged."""
    limit = most or max(asked.models, 10_000)
    steps = [base * 10**power for power in range(6) for base in (1, 2, 5)]
    return [plan(replace(asked, models=count)) for count in steps if count <= limit]


def _always_on(asked: Setup) -> Way:
    vram = asked.models * (asked.gigabytes + asked.working)
    return _way(asked, "always-on", slots=asked.models, vram=vram)


def _asleep(asked: Setup) -> Way:
    slots, weights = slots_for(asked, asked.wake), asked.models * asked.gigabytes
    vram = slots * (asked.gigabytes + asked.working) + (asked.models - slots) * asked.sleeper
    return _way(asked, "asleep", slots=slots, vram=vram, ram=weights, wait=asked.wake)


def _on_demand(asked: Setup) -> Way:
    slots = slots_for(asked, asked.load)
    vram = slots * (asked.gigabytes + asked.working)
    return _way(asked, "on-demand", slots=slots, vram=vram, wait=asked.load)


def _way(
    asked: Setup,
    name: WayName,
    *,
    slots: int,
    vram: float,
    ram: float = 0.0,
    wait: float = 0.0,
) -> Way:
    each, kept = asked.gigabytes, asked.gigabytes * asked.stored * asked.copies
    more = {
        "always-on": (each + asked.working, 0.0, kept + each),
        "asleep": (asked.sleeper, each, kept + each),
        "on-demand": (0.0, 0.0, kept),
    }
    # The archive, and a decoded file of each model that an engine runs, or may run, by this way.
    files = slots if name == "on-demand" else asked.models
    disk = asked.models * kept + files * each
    return Way(
        name=name,
        slots=slots,
        gpus=_gpus(asked, slots, vram),
        vram=vram,
        ram=ram,
        disk=disk,
        waiting=waiting(asked, wait) if wait else 0.0,
        wait=wait,
        month=_money(asked, (vram, ram, disk)),
        one_more=_money(asked, more[name]),
    )


def _gpus(asked: Setup, slots: int, vram: float) -> int:
    """Return the GPUs: engines are not split unless one is larger than a GPU, which none shares."""
    each = asked.gigabytes + asked.working
    beside = floor(asked.gpu / each)
    whole = ceil(slots / beside) if beside else slots * ceil(each / asked.gpu)
    return max(whole, ceil(vram / asked.gpu))


def _money(asked: Setup, sizes: Sequence[float]) -> float:
    prices = (asked.vram_price, asked.ram_price, asked.disk_price)
    return sum(size * price for size, price in zip(sizes, prices, strict=True))
