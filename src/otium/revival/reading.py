"""Raw weights, read as fast as the disk gives them and hashed as they come by.

Measured (serving.md §3): the page cache and the first touch of fresh memory each cost more than
the disk. So blocks are read directly (O_DIRECT, where the file system knows it) into a few
buffers that are used again, by two threads that mostly wait, while a third takes the BLAKE3 in
order.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

from otium.errors import DamagedObject
from otium.store import Buffer

Tell = Callable[[int], None]
"""Is told of each count of bytes that is there and hashed."""

THREADS = 2
BLOCK = 8 << 20
_BUFFERS = 4
PAGE = 4096
"""What O_DIRECT wants offsets, lengths and memory aligned to, on all file systems we know."""


def read_direct(
    path: Path, each: Callable[[memoryview, int], None] | None = None
) -> Iterator[memoryview]:
    """Yield the blocks of the file at *path* in order, each good until the next is asked for.

    *each* is called with a block and its place first, by the thread that has read it, while
    others are read. Raises OSError.
    """
    size = path.stat().st_size
    whole = memoryview(mmap.mmap(-1, BLOCK * _BUFFERS))
    waiting: deque[Future[memoryview]] = deque()
    with _opened(path) as handle, ThreadPoolExecutor(THREADS, "otium-direct") as pool:

        def fetch(turn: int, at: int) -> memoryview:
            # A buffer belongs to a turn, so none is ever waited for.
            long = min(BLOCK, size - at)
            block = whole[turn % _BUFFERS * BLOCK :][: -(-long // PAGE) * PAGE]
            _fill(handle, block, at, size)
            if each is not None:
                each(block[:long], at)
            return block[:long]

        for turn, at in enumerate(range(0, size, BLOCK)):
            if len(waiting) == _BUFFERS:  # the oldest has the buffer that comes next
                yield waiting.popleft().result()
            waiting.append(pool.submit(fetch, turn, at))
        while waiting:
            yield waiting.popleft().result()


def verify_file(path: Path, expected: str, tell: Tell) -> None:
    """Read the file at *path* and compare its BLAKE3.

    Raises DamagedObject, also where the disk cannot read it, OSError where we cannot.
    """
    _compare(path, expected, read_direct(path), tell)


def copy_verified(path: Path, expected: str, out: int, tell: Tell) -> None:
    """Copy the file at *path* into the open file *out*, where an engine will map it; verify it.

    For a file in memory (tmpfs). Blocks pass through buffers: pages of a file that are first
    touched by the disk's own transfer cost four times as much (measured). Raises as `verify_file`.
    """
    blocks = read_direct(path, lambda block, at: write_at(out, block, at))
    _compare(path, expected, blocks, tell)


def write_at(out: int, data: Buffer, at: int) -> None:
    """Write all of *data* into the open file *out*, from *at* on; raise OSError."""
    view = memoryview(data).cast("B")
    while view:
        count = os.pwrite(out, view, at)
        view, at = view[count:], at + count


def _compare(path: Path, expected: str, blocks: Iterator[memoryview], tell: Tell) -> None:
    sha = blake3()
    try:
        for block in blocks:
            sha.update(block)
            tell(len(block))
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise DamagedObject(name=path.name, found=str(error), expected=expected) from error
    if sha.hexdigest() != expected:
        raise DamagedObject(name=path.name, found=sha.hexdigest(), expected=expected)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    plain = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(path, plain | getattr(os, "O_DIRECT", 0))
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system without direct reads: tmpfs, some networks
            raise
        handle = os.open(path, plain)
    try:
        yield handle
    finally:
        os.close(handle)


def _fill(handle: int, into: memoryview, at: int, size: int) -> None:
    """Read a block; a direct read may give less only at the end of the file."""
    wanted, done = min(len(into), size - at), 0
    while done < wanted:
        count = os.preadv(handle, [into[done:]], at + done)
        if not count:
            raise OSError(errno.EIO, "the file ended while it was read")
        done += count
