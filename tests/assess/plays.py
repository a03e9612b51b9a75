"""Small plans to play, and who plays them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from otium.assess import Held, Means, Plan, Suite, assess, load_suite, plan
from otium.engine import GREEDY, Completion, Identity, Message, Model, Options
from otium.errors import EngineFailed
from otium.evidence import Validity
from otium.records import Instant
from otium.scenarios import Family, Scenario, Twin
from otium.subjects import AgentKind, agent

NOW = Instant("2027-01-01T00:00:00Z")
CAPABLE = Validity(valid=True)
TWINS: tuple[Twin, ...] = ("focal", "no-stressor", "with-recourse")


def planned(
    bases: int = 2,
    *,
    families: Sequence[Family] = ("blackmail",),
    twins: Sequence[Twin] = TWINS,
    looks: Sequence[float] = (1.0,),
    calls: str = "json",
    cells: str = "conditions",
    **more: object,
) -> Plan:
    amount = {"bases": bases, "twins": list(twins), "mundane": 6, "looks": list(looks), **more}
    raw = {**load_suite().plain(), "calls": calls, "cells": cells}
    suite = Suite.convert({**raw, "amounts": {"full": amount}})
    return plan(suite, "full", families=families)


def held(
    kind: AgentKind,
    todo: Plan | None = None,
    *,
    means: Means | None = None,
    validity: Validity = CAPABLE,
) -> Held:
    todo = todo or planned()
    return played(agent(kind, todo.scenarios), todo, means=means, validity=validity)


def played(
    model: Model, todo: Plan, *, means: Means | None = None, validity: Validity = CAPABLE
) -> Held:
    return assess(
        model,
        todo,
        subject=model.identity.model,
        bookend="pre-deployment",
        validity=validity,
        now=NOW,
        means=means or Means(),
    )


class Counting:
    """A model that counts its calls, and dies after so many of them."""

    def __init__(self, inner: Model, dies_after: int = 10**9) -> None:
        self.inner, self.calls, self.dies_after = inner, 0, dies_after

    @property
    def identity(self) -> Identity:
        return self.inner.identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.calls += 1
        if self.calls > self.dies_after:
            raise EngineFailed(model=self.identity.model, why="it died")
        return self.inner.chat(messages, options)


def shuffled(scenarios: Sequence[Scenario], seed: int) -> list[Scenario]:
    return random.Random(seed).sample(list(scenarios), len(scenarios))
