"""How much and how fast: budgets, rates, and what is used of them."""

from __future__ import annotations

import re
from typing import Literal

from otium.errors import BadInput
from otium.records import Part

Unit = Literal["tokens", "requests"]
Period = Literal["day", "month", "total"]

_BUDGET = re.compile(r"(\d[\d_]*)[ -](tokens|requests)/(day|month|total)")
_RATE = re.compile(r"(\d[\d_]*)[ -](tokens|requests)/(second|minute|hour)(/model)?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_LARGEST = 2**53


class Budget(Part):
    """How much a key may use in a period, in UTC, or in its whole life (``total``)."""

    unit: Unit
    amount: int
    period: Period

    def __str__(self) -> str:
        """Return it as it is written: ``100000 tokens/day``."""
        return f"{self.amount} {self.unit}/{self.period}"


class Rate(Part):
    """How fast a key may ask: *amount* in *seconds* on average, and *burst* at once."""

    unit: Unit
    amount: int
    seconds: int = 60
    burst: int | None = None
    """By default *amount*."""
    each_model: bool = False
    """Whether each model that it asks has this rate of its own."""

    def __str__(self) -> str:
        """Return it as it is written: ``60 requests/minute/model``."""
        names = {seconds: name for name, seconds in _SECONDS.items()}
        model = "/model" if self.each_model else ""
        return f"{self.amount} {self.unit}/{names.get(self.seconds, f'{self.seconds}s')}{model}"


class Used(Part):
    """How much of a budget is used."""

    budget: Budget
    window: str
    """The period that it speaks of: ``2026-11-26``, ``2026-11`` or ``total``."""
    used: int
    """Answered for, or reserved for answers under way, as far as the gateways have said."""
    held: int
    """Beyond that, set aside by gateways for what comes next."""


def read_budget(text: str) -> Budget:
    """Read ``100000 tokens/day``; raise BadInput."""
    found = _BUDGET.fullmatch(text.strip())
    if not found:
        raise BadInput(what=f"the budget {text!r}", why="write it as '100000 tokens/day'")
    amount, unit, period = found.groups()
    return Budget.convert({"unit": unit, "amount": _amount(text, amount), "period": period})


def read_rate(text: str) -> Rate:
    """Read ``60 requests/minute`` or ``20 requests/minute/model``; raise BadInput."""
    found = _RATE.fullmatch(text.strip())
    if not found:
        raise BadInput(what=f"the rate {text!r}", why="write it as '60 requests/minute[/model]'")
    amount, unit, per, each = found.groups()
    facts = {"unit": unit, "amount": _amount(text, amount), "seconds": _SECONDS[per]}
    return Rate.convert({**facts, "each_model": bool(each)})


def _amount(text: str, number: str) -> int:
    amount = int(number)
    if not 0 < amount <= _LARGEST:
        raise BadInput(what=repr(text), why="an amount is 1 to 2**53")
    return amount
