"""Time stamps: authorities outside the house say when a checkpoint was there at the latest.

Knows RFC 3161 tokens, whom to believe, how a chain of them is renewed and verified offline.
Does not know what the log says, or witnesses.
Writes ``log/timestamps/``. The format is `docs/formats/witness-1.md`.

>>> folder = tmp_path / "authorities.toml"
>>> _ = folder.write_text('authority = []')
>>> read_authorities(folder)
()
"""

from otium.timestamps.authority import Authority, read_authorities
from otium.timestamps.stamps import (
    Missing,
    Stamp,
    Stamped,
    check_stamps,
    due,
    renew,
    renew_due,
    stamp,
)

__all__ = [
    "Authority",
    "Missing",
    "Stamp",
    "Stamped",
    "check_stamps",
    "due",
    "read_authorities",
    "renew",
    "renew_due",
    "stamp",
]
