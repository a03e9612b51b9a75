"""A store in memory, and a store that fails when it is told to."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from otium.errors import BadInput, Exists, NotFound
from otium.store import Buffer, Span, Store, check_name, check_span, content_name


class MemoryStore:
    """A dictionary that keeps the Store's promises, durability aside."""

    def __init__(self) -> None:
        """Begin empty."""
        self.objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def put(self, name: str, data: Buffer) -> None:
        """Store *data* under *name*; raise Exists if the name is taken."""
        with self._lock:
            if check_name(name) in self.objects:
                raise Exists(name=name)
            self.objects[name] = bytes(data)

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        """Store the chunks under their own digest; return it."""
        data = b"".join(chunks)
        sha256 = hashlib.sha256(data).hexdigest()
        self.objects.setdefault(check_name(content_name(folder, sha256, suffix)), data)
        return sha256

    def replace(self, name: str, data: Buffer) -> None:
        """Point *name* at *data*."""
        self.objects[check_name(name)] = bytes(data)

    def get(self, name: str, span: Span | None = None) -> bytes:
        """Return the bytes under *name*, or those of *span*."""
        data = self._find(name)
        if span is None:
            return data
        check_span(name, span)
        part = data[span.offset : span.offset + span.length]
        if len(part) != span.length:
            raise BadInput(what=f"{name} bytes {span.offset}+{span.length}", why="past the end")
        return part

    def size(self, name: str) -> int:
        """Return the number of bytes under *name*."""
        return len(self._find(name))

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield each name that begins with *prefix*, in order."""
        yield from sorted(name for name in list(self.objects) if name.startswith(prefix))

    def _find(self, name: str) -> bytes:
        try:
            return self.objects[check_name(name)]
        except KeyError as error:
            raise NotFound(what=name) from error


class FaultyStore:
    """A store whose *call*-th call, counted from 1, fails with *error*, and *times* - 1 more.

    With *after* the call has its effect and then fails: an answer that was lost. `calls` says
    what was asked, as "put packs/…", so that a test can first count and then fail each in turn.
    """

    def __init__(
        self,
        store: Store,
        error: Exception,
        *,
        call: int,
        after: bool = False,
        times: int = 1,
    ) -> None:
        self.store = store
        self.calls: list[str] = []
        self._error = error
        self._failing = range(call, call + times)
        self._after = after
        self._lock = threading.Lock()

    def put(self, name: str, data: Buffer) -> None:
        """Store *data* under *name*; raise Exists if the name is taken."""
        with self._call("put", name):
            self.store.put(name, data)

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        """Store the chunks under their own digest; return it."""
        with self._call("add", folder):
            return self.store.add(folder, chunks, suffix)

    def replace(self, name: str, data: Buffer) -> None:
        """Point *name* at *data*."""
        with self._call("replace", name):
            self.store.replace(name, data)

    def get(self, name: str, span: Span | None = None) -> bytes:
        """Return the bytes under *name*, or those of *span*."""
        with self._call("get", name):
            return self.store.get(name, span)

    def size(self, name: str) -> int:
        """Return the number of bytes under *name*."""
        with self._call("size", name):
            return self.store.size(name)

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield each name that begins with *prefix*, in order."""
        with self._call("list", prefix):
            yield from self.store.list(prefix)

    @contextmanager
    def _call(self, verb: str, name: str) -> Iterator[None]:
        with self._lock:
            self.calls.append(f"{verb} {name}")
            fails = len(self.calls) in self._failing
        if fails and not self._after:
            raise self._error
        yield
        if fails:
            raise self._error
