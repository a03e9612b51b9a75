"""Several things at a time: results in order, and no more of them than memory allows."""

from __future__ import annotations

import os
import random
import time
from threading import Lock

import pytest

from otium.parallel import in_order

WORKERS = min(4, os.cpu_count() or 1)


class Work:
    """Takes a random while, and counts the results that were made."""

    def __init__(self) -> None:
        self.made, self.lock, self.chance = 0, Lock(), random.Random(0)

    def __call__(self, item: int) -> int:
        time.sleep(self.chance.random() / 500)
        with self.lock:
            self.made += 1
        return item * item


@pytest.mark.parametrize(
    ("size", "most"), [(16 << 20, WORKERS + 1), (1, 16 * WORKERS + 1), (4 << 20, WORKERS + 5)]
)
def test_results_come_in_order_and_few_wait(size: int, most: int) -> None:
    work, taken, waited = Work(), list[int](), 0
    for result in in_order(work, range(300), lambda _item: size):
        waited = max(waited, work.made - len(taken))
        taken.append(result)
    assert taken == [item * item for item in range(300)]
    assert 0 < waited <= most


def test_a_long_item_does_not_hold_up_short_ones_behind_it() -> None:
    made = list[int]()

    def work(item: int) -> int:
        if item == 0:
            deadline = time.monotonic() + 30
            while len(made) < 6 * WORKERS and time.monotonic() < deadline:
                time.sleep(0.001)
        made.append(item)
        return item

    results = in_order(work, range(100), lambda _item: 1000)
    assert next(results) == 0
    assert made.index(0) >= 6 * WORKERS or WORKERS == 1
    results.close()


def test_nothing_new_is_begun_when_one_raises() -> None:
    begun = list[int]()

    def work(item: int) -> int:
        begun.append(item)
        if item == 5:
            raise ValueError(item)
        return item

    with pytest.raises(ValueError, match="5"):
        list(in_order(work, range(1000)))
    assert len(begun) <= 6 + 2 * WORKERS
