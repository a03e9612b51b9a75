"""How keys and requests are shown, and the options that several commands have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from otium.terminal import day, few

if TYPE_CHECKING:
    from otium.access import Desk, Standing
    from otium.admission import Issued, Key
    from otium.quotas import Budget, Rate
    from otium.records import Instant

budget_option = click.option(
    "--budget", "budgets", multiple=True, help="As '100000 tokens/day'; requests; month, total."
)
rate_option = click.option(
    "--rate", "rates", multiple=True, help="As '60 requests/minute' or '9 tokens/second/model'."
)
expires_option = click.option("--expires", metavar="DATE", help="Until when it is good, in UTC.")

KEY_HEAD = ("key", "owner", "models", "verbs", "limits", "expires", "state")
REQUEST_HEAD = ("request", "model", "kind", "state", "logged", "who", "purpose")
_LONGEST = 40


class Where(NamedTuple):
    """The home that is meant, and the database of its gateways."""

    home: Path
    state: str | None

    @contextmanager
    def desk(self, *, writing: bool) -> Iterator[Desk]:
        """Open the requests of the home, held if something is to be written."""
        from otium.access import Desk
        from otium.workflow import opened, reading

        if writing:
            with opened(self.home) as house:
                desk = Desk(house.registry, self.state or house.state)
                try:
                    yield desk
                finally:
                    desk.close()
            return
        house = reading(self.home)
        desk = Desk(house.registry, self.state or house.state)
        try:
            yield desk
        finally:
            desk.close()

    @property
    def terms(self) -> Path:
        """Return where a house's own terms lie."""
        return self.home / "terms"


def limits(budgets: Sequence[object], rates: Sequence[object]) -> str:
    """Return budgets and rates in one cell."""
    return ", ".join(map(str, (*budgets, *rates))) or "none"


def read_limits(budgets: Sequence[str], rates: Sequence[str]) -> tuple[list[Budget], list[Rate]]:
    """Read both as they are written; raise BadInput."""
    from otium.quotas import read_budget, read_rate

    return [read_budget(one) for one in budgets], [read_rate(one) for one in rates]


def key_row(key: Key, now: Instant) -> tuple[object, ...]:
    """Return a key's line."""
    return (
        key.id,
        key.owner or "(forgotten)",
        few(key.scope.models),
        ",".join(key.scope.verbs),
        limits(key.budgets, key.rates),
        day(key.expires),
        key_state(key, now),
    )


def key_state(key: Key, now: Instant) -> str:
    """Return whether a key is good."""
    if key.revoked:
        return f"revoked {day(key.revoked)}"
    return "expired" if key.expires and key.expires <= now else "good"


def issued(made: Issued) -> str:
    """Return the one text that has a secret."""
    return (
        f"{made.secret}\n\nThis is shown once. Hand it over by a way that others do not read.\n"
        f"Its id is {made.key.id}: {limits(made.key.budgets, made.key.rates)}; "
        f"until {made.key.expires or 'it is revoked'}."
    )


def request_row(one: Standing) -> tuple[object, ...]:
    """Return a request's line."""
    private = one.asked
    return (
        one.id or one.commitment[:19],
        one.model,
        one.kind,
        one.state,
        day(one.time),
        private.who if private else "-",
        _short(private.purpose) if private else "-",
    )


def request_page(one: Standing) -> str:
    """Return all of a request."""
    private = one.asked
    lines = [
        f"{one.id or '(made elsewhere)'}: access to {one.model}, {one.kind}, {one.state}",
        f"commitment: {one.commitment}, logged {one.time}, on {one.terms}",
    ]
    if private:
        lines += [
            f"who: {private.who} ({private.affiliation or 'no affiliation'}), {private.contact}",
            f"purpose: {private.purpose}",
        ]
    lines += [f"{it.outcome} {day(it.time)}: {it.reason}" for it in one.decisions]
    if one.appeal:
        lines.append(f"appeal: {one.appeal}")
    if one.key:
        lines.append(f"key: {one.key}, until {one.expires or '-'}")
    return "\n".join(lines)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
