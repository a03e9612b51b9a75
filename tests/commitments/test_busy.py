from __future__ import annotations

from collections import Counter
from cProfile import Profile

from otium.commitments import check_policy, standing
from otium.records import Instant
from otium.timing import busy_log, busy_policy


def test_a_house_with_many_models_has_about_twenty_duties_for_each() -> None:
    entries = busy_log(models=200, seed=1)
    found = standing(entries, Instant("2027-01-15T00:00:00Z"))
    assert 18 * 200 <= len(found) <= 20 * 200
    assert Counter(it.state for it in found).keys() == {"kept", "due", "overdue", "breached"}
    assert {it.commitment for it in found} == {
        it.id for it in check_policy(busy_policy()).commitments
    }


def test_the_work_grows_with_the_log_and_no_faster() -> None:
    # Counted in calls, not in seconds: a machine may be busy.
    small, large = (calls(models) for models in (100, 400))
    assert large < 5 * small


def calls(models: int) -> int:
    entries, profile = busy_log(models, seed=1), Profile()
    profile.runcall(standing, entries, Instant("2027-01-15T00:00:00Z"))
    return sum(one.callcount for one in profile.getstats())
