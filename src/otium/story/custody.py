"""The demo's custodians: two more copies, and a proof that one of them still holds its own."""

from __future__ import annotations

from otium.audit import Challenge
from otium.story.tale import RETIRING, Story
from otium.upkeep import CUSTODIANS, auditing
from otium.workflow import SCRATCH, replicate, stores

_NAMES = ("north", "south")
_SAMPLES = 1000
"""Leaves of a spot check: 459 on a model catch a loss of 1 % in 99 of 100 (1 - 0.99^459)."""


def keep_copies(tale: Story) -> str:
    """Give a copy to each custodian, and log what they must be able to show."""
    _name_custodians(tale)
    done = replicate(tale.home, stores(_places(tale)), progress=tale.progress)
    sealed = auditing.seal_packs(tale.home, progress=tale.progress)
    files = sum(one.files for one in done.stores)
    return (
        f"{files} files copied to {' and '.join(_NAMES)} (folders here, other houses in earnest); "
        f"{len(sealed.packs)} packs sealed"
    )


def prove_holding(tale: Story) -> str:
    """Challenge a custodian by leaves that nobody could foresee; judge its answer by the log."""
    if tale.home.registry.find("audit.verdict", RETIRING):
        return "proved before"
    replicate(tale.home, stores(_places(tale)), progress=tale.progress)  # as every night
    folder = tale.home.cache / f"{SCRATCH}audit"
    folder.mkdir(parents=True, exist_ok=True)
    response = folder / "response"
    asked = auditing.ask(
        tale.home, folder / "challenge.json", custodian=_NAMES[0], days=7, samples=_SAMPLES
    )
    assert isinstance(asked, Challenge)
    copy = _places(tale)[0]
    said = auditing.answer(asked, response, copy=copy, progress=tale.progress)
    judged = auditing.judge(tale.home, asked, response)
    return (
        f"{_NAMES[0]} answered {_SAMPLES} of its leaves in {said.bytes / 1e6:.1f} MB: "
        f"{'passed' if judged.outcome.passed else 'failed'}. A loss of 1 % would have shown in "
        "99 of 100 such audits"
    )


def _places(tale: Story) -> list[str]:
    return [str(tale.home.path / "custodians" / name) for name in _NAMES]


def _name_custodians(tale: Story) -> None:
    """Write down who keeps copies, so that the daily tick counts them."""
    text = "".join(
        f'[[custodians]]\nname = "{name}"\nplace = "{place}"\n\n'
        for name, place in zip(_NAMES, _places(tale), strict=True)
    )
    (tale.home.path / CUSTODIANS).write_text(text)
