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

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""The parameters' numbers in glibc's malloc.h."""
_WAITING = 16 << 20
"""Bytes of results that may wait to be taken, besides one result a thread."""
A = TypeVar("A")
B = TypeVar("B")


@functools.cache
def _share_heap() -> None:
    """Let threads take memory from one heap: with one each (glibc), each keeps what it freed.

    A deposit's threads use and free tens of megabytes a piece; measured, that they keep is
    half of what a deposit takes. What is freed is used again, not given back to the system
    and asked for anew, page by page: measured, a fifth of a restore.
    """
    with suppress(OSError, AttributeError, TypeError):  # another system or C library
        library = ctypes.CDLL(None)
        library.mallopt(_ARENA_MAX, 1)
        library.mallopt(_MMAP_THRESHOLD, 32 << 20)
        library.mallopt(_TRIM_THRESHOLD, 64 << 20)


def in_order(
    work: Callable[[A], B], items: Iterable[A], size: Callable[[A], int] = lambda _item: _WAITING
) -> Generator[B, None, None]:
    """Yield ``work(item)`` for each item, in order, computed by one thread a processor.

    So that memory stays bounded, one result a thread may wait to be taken, or 16 if together
    they have no more than 16 MiB by *size*, in bytes: a long item then does not hold up the
    short ones behind it. When the caller stops, or a result raises, nothing new is begun.
    """
    _share_heap()
    workers = min(4, os.cpu_count() or 1)
    most = 16 * workers
    running: deque[Future[B]] = deque()
    sizes: deque[int] = deque()
    with ThreadPoolExecutor(workers, "otium") as pool:
        try:
            for item in items:
                running.append(pool.submit(work, item))
                sizes.append(size(item))
                while len(running) > (most if sum(sizes) <= _WAITING else workers):
                    sizes.popleft()
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for one in running:
                one.cancel()
