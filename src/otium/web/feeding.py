"""What the site offers to programs: the lives of its models as feeds, and what copies are worth."""

from __future__ import annotations

from collections.abc import Iterator

from otium.durability import Durability, durability, setup
from otium.feeds import Publisher, atom, csv_table, feed, lifecycle_calendar
from otium.web.gather import House

_UNPROMISED = 365.0
"""Days between full reads where no commitment says."""


def feeds(house: House) -> Iterator[tuple[str, bytes]]:
    """Yield the feeds of all models, and the JSON of each."""
    info = house.registry.archive.info
    publisher = Publisher(name=info.id, origin=info.origin, since=info.created)
    yield "lifecycle.json", feed(house.lives, publisher, house.now).encode()
    yield "lifecycle.ics", lifecycle_calendar(house.lives, publisher).encode()
    yield "lifecycle.atom", atom(house.entries, publisher).encode()
    yield "lifecycle.csv", csv_table(house.lives).encode()
    for model in house.models:
        one = feed([model.life], publisher, house.now)
        yield f"{model.folder}/lifecycle.json", one.encode()


def worth(house: House) -> Durability:
    """Return how likely a model is lost, by the copies that were counted and the reads promised.

    What is not known from the log is assumed, and the page shows all of it.
    """
    counted = [entry.body.get("copies") for entry in house.registry.find("copies.counted")]
    copies = [it for it in counted if isinstance(it, int) and it > 0]
    promises = house.policy.commitments if house.policy else ()
    reads = [it.days for it in promises if it.fulfil == "model.checked" and it.kind == "every"]
    scrub_days = min(reads, default=_UNPROMISED)
    return durability(setup(copies=copies[-1] if copies else 1, scrub_days=scrub_days))
