"""Several things at a time, the results in order."""

from __future__ import annotations

import ctypes
import functools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

_ARENA_MAX = -8
"""The parameter's number in glibc's malloc.h."""
A = TypeVar("A")
B = TypeVar("B")


@functools.cache
def _share_heap() -> None:
    """Let threads take memory from one heap: with one each (glibc), each keeps what it freed.

    A deposit's threads use and free tens of megabytes a piece; measured, that they keep is
    half of what a deposit takes.
    """
    with suppress(OSError, AttributeError, TypeError):  # another system or C library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def in_order(work: Callable[[A], B], items: Iterable[A]) -> Generator[B, None, None]:
    """Yield ``work(item)`` for each item, in order, computed by one thread a processor.

    No more than one result a thread waits to be taken, so memory stays bounded. When the
    caller stops, or a result raises, nothing new is begun.
    """
    _share_heap()
    workers = min(4, os.cpu_count() or 1)
    running: deque[Future[B]] = deque()
    with ThreadPoolExecutor(workers, "otium") as pool:
        try:
            for item in items:
                running.append(pool.submit(work, item))
                if len(running) > workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for one in running:
                one.cancel()
