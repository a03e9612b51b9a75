"""A home on disk with a model that will be retired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otium.commitments import load_policy
from otium.lifecycle import deprecate
from otium.records import Instant, ModelId
from otium.testing import FixedClock
from otium.workflow import Home, founded
from outreach.receiving import SECRET
from upkeep.half_a_year import Filed

MODEL = ModelId("alder-1")


@contextmanager
def house(path: Path, clock: FixedClock, weights: Path) -> Iterator[Home]:
    """Found a home and keep a model in it, or open it again."""
    with founded(path, archive_id="house", clock=clock, policy=load_policy()) as home:
        home.registry.register(
            MODEL, title="Alder 1", released="2026-01-01", scope="public", surfaces=["api"]
        )
        home.registry.deposit(MODEL, weights)
        yield home


def announce(home: Home, date: str = "2026-06-30T00:00:00Z") -> None:
    """Publish guidance, then the notice."""
    home.registry.file(
        "transition.published", MODEL, "guide.json", Filed, lambda: Filed(text="Try others.")
    )
    deprecate(
        home.registry,
        MODEL,
        retire_at={"api": Instant(date)},
        replacement=None,
        reason="Few use it.",
    )


def people(home: Home, *, port: int = 25, url: str = "") -> None:
    """Write who is told: one by e-mail, and one by webhook if there is a URL."""
    text = (
        f'[mail]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
        'sender = "models@house.example"\n'
        '[[recipients]]\nchannel = "email"\nto = "team@example.org"\nsince = "2026-01-01"\n'
    )
    if url:
        text += (
            f'[[recipients]]\nchannel = "webhook"\nto = "{url}"\nsecret = "{SECRET}"\n'
            'since = "2026-01-01"\n'
        )
    path = home.path / "recipients.toml"
    path.write_text(text)
    path.chmod(0o600)
