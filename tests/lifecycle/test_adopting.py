from __future__ import annotations

import pytest

from otium.commitments import Commitment, Policy, load_policy, policy_in_force
from otium.errors import BadRecord
from otium.lifecycle import Registry, adopt


def test_adopting_the_policy_in_force_again_changes_nothing(house: Registry) -> None:
    before = house.entries()
    assert adopt(house, load_policy()) == before[1]
    assert house.entries() == before


def test_the_last_adoption_is_in_force_and_going_back_is_an_adoption_too(house: Registry) -> None:
    first = load_policy()
    second = Policy.convert({**first.plain(), "version": "2"})
    adopt(house, second, "it was too little")
    assert policy_in_force(house.entries()) == second
    adopt(house, first, "it was too much")
    assert policy_in_force(house.entries()) == first
    assert len(house.find("commitments.adopted")) == 3


def test_a_policy_that_cannot_be_read_is_never_adopted(house: Registry) -> None:
    twice = Commitment(id="c", text="", kind="within", trigger="a.b", fulfil="c.d", days=1)
    bad = Policy(id="p", version="1", title="P", term="t", commitments=(twice, twice))
    with pytest.raises(BadRecord, match="2 times"):
        adopt(house, bad)
    assert policy_in_force(house.entries()) == load_policy()
