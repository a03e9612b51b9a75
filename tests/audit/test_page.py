"""docs/formats/audit-1.md suffices: a reader that knows nothing else comes to the same verdicts."""

import random

import pytest

from audit import second_reader
from audit.kit import ONE, Lab, flipped, response_of
from otium.errors import AuditFailed
from otium.records import ModelId


@pytest.mark.parametrize("seed", range(40))
def test_a_reader_of_the_page_comes_to_the_same_verdicts(lab: Lab, seed: int) -> None:
    rng = random.Random(seed)
    lab.seal()
    if seed % 2:
        lab.keep(ModelId("three"), 16384 * (seed + 1))
        lab.seal()
    if seed % 5 == 1:
        lab.log("model.deaccessioned", ONE)
    models = [ModelId("two")] if seed % 3 == 0 else []
    asked, copy = lab.ask(samples=1 + seed, beacon=str(seed), models=models), lab.copy()
    if seed % 4 == 3:
        name = rng.choice(sorted(copy.objects))
        copy.objects[name] = flipped(copy.objects[name], rng.randrange(copy.size(name)))
    response = response_of(asked, copy)
    if seed % 4 == 2:
        response = flipped(response, rng.randrange(len(response)))
    entries = [entry.plain() for entry in lab.ledger.entries()]
    try:
        ours = {one.model: (one.verdict, one.samples) for one in lab.judge(asked, response).models}
    except AuditFailed:
        with pytest.raises(ValueError, match=r"cut|long|not a response"):
            second_reader.judge(entries, asked.encode(), response)
    else:
        assert second_reader.judge(entries, asked.encode(), response) == ours
