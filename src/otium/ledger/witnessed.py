"""What stands in a log beside its tiles: cosigned checkpoints and time stamps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from otium.errors import BadNote, BrokenLedger
from otium.ledger.checkpoint import Checkpoint, read_witnessed
from otium.ledger.tiles import LOG, Tile
from otium.notes import WitnessPolicy
from otium.store import Store

WITNESSED = f"{LOG}/witnessed/"
TIMESTAMPS = f"{LOG}/timestamps/"
_WITNESSED = re.compile(rf"{WITNESSED}(0|[1-9][0-9]{{0,18}})")
_TIMESTAMP = re.compile(
    rf"{TIMESTAMPS}(0|[1-9][0-9]{{0,18}})/([1-9][0-9]{{0,5}})-[a-z0-9-]{{1,40}}\.tsr"
)


def witnessed_name(size: int) -> str:
    """Return where the cosigned checkpoint of *size* entries is kept."""
    return f"{WITNESSED}{size}"


def witnessed_size(name: str) -> int | None:
    """Return the size that *name* is of, or None if it is not that of a cosigned checkpoint."""
    found = _WITNESSED.fullmatch(name)
    return None if found is None else int(found[1])


def load_witnessed(
    store: Store, size: int, vkeys: Sequence[str], policies: Sequence[WitnessPolicy] = ()
) -> Checkpoint:
    """Return the cosigned checkpoint of *size*, its signatures verified; raise BrokenLedger."""
    name = witnessed_name(size)
    try:
        point = read_witnessed(store.get(name).decode(), vkeys, policies)
    except (BadNote, UnicodeDecodeError) as error:
        raise BrokenLedger(why=f"{name}: {error}") from error
    if point.size != size:
        raise BrokenLedger(why=f"{name} is of {point.size} entries")
    return point


def lies_beyond(name: str, size: int) -> bool:
    """Return whether a file under ``log/`` is of a ledger of more than *size* entries."""
    tile = Tile.parse(name)
    if tile is not None:
        return not tile.is_within(size)
    found = _WITNESSED.fullmatch(name) or _TIMESTAMP.fullmatch(name)
    return found is not None and int(found[1]) > size


def is_timestamp(name: str) -> bool:
    """Return whether *name* is below the folder of time stamps."""
    return name.startswith(TIMESTAMPS)


def check_timestamps(names: Iterable[str], size: int) -> None:
    """Raise BrokenLedger unless *names* are time stamps of sizes up to *size*, 1, 2, 3, … each.

    What is in them is not looked at here.
    """
    numbers: dict[int, list[int]] = {}
    for name in names:
        found = _TIMESTAMP.fullmatch(name)
        if found is None or int(found[1]) > size:
            raise BrokenLedger(why=f"{name} is not a file of a ledger of {size} entries")
        numbers.setdefault(int(found[1]), []).append(int(found[2]))
    for stamped, found_numbers in numbers.items():
        if sorted(found_numbers) != list(range(1, len(found_numbers) + 1)):
            why = f"{TIMESTAMPS}{stamped}/ does not have its time stamps from 1 on, each once"
            raise BrokenLedger(why=why)
