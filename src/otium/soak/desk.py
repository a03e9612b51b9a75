"""The house's side while it goes on: keys are made and revoked, access is asked for and granted.

Each act is by the calls that ``otium access`` makes. Another writer may have the home; who waits
for it is a person, so it is tried again.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from otium.access import Desk as Access
from otium.access import Given, ask, decide, give, terms_for
from otium.admission import Scope, open_keys
from otium.errors import Held
from otium.quotas import read_budget, read_rate
from otium.records import SystemClock
from otium.soak.plant import RETIRED
from otium.soak.records import Acknowledged
from otium.workflow import opened

BUDGETS = ("2000 tokens/total", "60 requests/total")
"""What a client's key may use: little, so that budgets are used up while it goes on."""
_RATES = ("600 requests/minute", "200000 tokens/minute")
_TRIES = 400


class Desk:
    """Where keys and grants are made. Notes each when the call that makes it has returned."""

    def __init__(self, home: Path, state: str, noted: Acknowledged) -> None:
        """Keep keys at *state*; *noted* hears of each that was made."""
        self._home = home
        self._state = state
        self._noted = noted
        self._keys = open_keys(state)
        self._granting = asyncio.Lock()
        self.granted: list[tuple[str, str]] = []
        """The keys of grants that every gateway knows by now: id and secret."""

    def close(self) -> None:
        """Close all connections."""
        self._keys.engine.dispose()

    async def make(self) -> tuple[str, str]:
        """Make a key with budgets; return its id and its secret."""
        made = await asyncio.to_thread(
            self._keys.create,
            "a client",
            Scope(),
            now=SystemClock().now(),
            budgets=[read_budget(one) for one in BUDGETS],
            rates=[read_rate(one) for one in _RATES],
        )
        self._noted.keys[made.key.id] = time.monotonic()
        return made.key.id, made.secret

    async def revoke(self, key: str) -> None:
        """End a key."""
        await asyncio.to_thread(self._keys.revoke, key, "used up", now=SystemClock().now())
        self._noted.revoked[key] = time.monotonic()

    async def grant(self) -> None:
        """Ask for the retired model, decide, and make the key."""
        given = await asyncio.to_thread(self._grant)
        key = given.issued.key.id
        self._noted.keys[key] = time.monotonic()
        self._noted.grants[given.standing.id] = key
        await asyncio.sleep(1.5)
        self.granted = [*self.granted[-1:], (key, given.issued.secret)]

    def _grant(self) -> Given:
        for _ in range(_TRIES):
            try:
                with opened(self._home) as house:
                    access = Access(house.registry, self._state)
                    try:
                        return _granted(access)
                    finally:
                        access.close()
            except Held:
                time.sleep(0.05)
        raise Held(path=self._home, pid="a gateway")


def _granted(access: Access) -> Given:
    asked = ask(
        access,
        RETIRED,
        "researcher",
        who="A. Client",
        contact="client@example.org",
        purpose="a soak of the gateways",
        accept=terms_for("researcher").name,
    )
    decide(access, asked.id, "granted", reason="a soak")
    return give(access, asked.id, rates=[read_rate("600 requests/minute")])
