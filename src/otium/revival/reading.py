"""Raw weights, read as fast as the disk gives them and hashed as they come by.

Measured (serving.md §3): the page cache and the first touch of fresh memory each cost more than
the disk. So blocks are read directly (O_DIRECT, where the file system knows it) into memory that
is there already, by two threads that mostly wait, while a third takes the BLAKE3 in order.
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
from queue import SimpleQueue

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


class Pool:
    """Memory that was touched once and is used again and again."""

    def __init__(self, size: int) -> None:
        """Take *size* bytes, rounded up to whole pages, and touch them."""
        self.memory = mmap.mmap(-1, max(aligned(size), PAGE))
        with memoryview(self.memory) as view:
            for at in range(0, len(view), PAGE):
                view[at] = 0

    def room(self, size: int) -> memoryview:
        """Return the first *size* bytes, whole pages; raise ValueError if it has fewer."""
        if aligned(size) > len(self.memory):
            raise ValueError(f"{size} bytes are wanted of {len(self.memory)}")
        return memoryview(self.memory)[: aligned(size)]

    def close(self) -> None:
        """Give the memory back."""
        self.memory.close()


def aligned(size: int) -> int:
    """Return *size* rounded up to whole pages."""
    return -(-size // PAGE) * PAGE


def read_direct(
    path: Path, into: memoryview, *, threads: int = THREADS, block: int = BLOCK
) -> Iterator[memoryview]:
    """Read the file at *path* into memory; yield its blocks in order, as they are there.

    *into* begins at a page and has whole pages, enough for the file. Raises OSError.
    """
    size = path.stat().st_size
    with _opened(path) as handle, ThreadPoolExecutor(threads, "otium-direct") as pool:
        waiting: deque[tuple[int, Future[int]]] = deque()
        for at in range(0, size, block):
            end = min(at + block, aligned(size))
            waiting.append((at, pool.submit(_fill, handle, into[at:end], at, size)))
        while waiting:
            at, done = waiting.popleft()
            yield into[at : at + done.result()]


def read_verified(path: Path, expected: str, into: memoryview, tell: Tell | None = None) -> int:
    """Read the file at *path* into memory and verify its BLAKE3; return its bytes.

    Nothing in *into* may be used before this returns. Raises DamagedObject, OSError.
    """
    sha, size = blake3(), 0
    for block in read_direct(path, into):
        sha.update(block)
        size += len(block)
        if tell:
            tell(len(block))
    if sha.hexdigest() != expected:
        raise DamagedObject(name=path.name, found=sha.hexdigest(), expected=expected)
    return size


def copy_verified(path: Path, expected: str, out: int, tell: Tell) -> None:
    """Copy the file at *path* into the open file *out*, where an engine will map it; verify it.

    For a file in memory (tmpfs). Blocks pass through a few buffers that are used again: pages of
    a file that are first touched by the disk's own transfer cost four times as much (measured).
    Raises DamagedObject, OSError.
    """
    size, sha = path.stat().st_size, blake3()
    memory, free = Pool(BLOCK * _BUFFERS), SimpleQueue[int]()
    for number in range(_BUFFERS):
        free.put(number)

    with _opened(path) as handle, ThreadPoolExecutor(THREADS, "otium-direct") as pool:

        def move(at: int) -> tuple[int, memoryview]:
            number, long = free.get(), min(BLOCK, size - at)
            block = memory.room(BLOCK * _BUFFERS)[number * BLOCK :][: aligned(long)]
            _fill(handle, block, at, size)
            write_at(out, block[:long], at)
            return number, block[:long]

        for number, block in pool.map(move, range(0, size, BLOCK)):
            sha.update(block)
            free.put(number)
            tell(len(block))
    if sha.hexdigest() != expected:
        raise DamagedObject(name=path.name, found=sha.hexdigest(), expected=expected)


def write_at(out: int, data: Buffer, at: int) -> None:
    """Write all of *data* into the open file *out*, from *at* on; raise OSError."""
    view = memoryview(data).cast("B")
    while view:
        count = os.pwrite(out, view, at)
        view, at = view[count:], at + count


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_DIRECT", 0))
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system without direct reads: tmpfs, some networks
            raise
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _fill(handle: int, into: memoryview, at: int, size: int) -> int:
    """Read a block; a direct read may give less only at the end of the file."""
    wanted, done = min(len(into), size - at), 0
    while done < wanted:
        count = os.preadv(handle, [into[done:]], at + done)
        if not count:
            raise OSError(errno.EIO, "the file ended while it was read")
        done += count
    return min(done, wanted)
