"""A bucket as a store: S3, Google Cloud Storage, Azure, through obstore.

Assumed of the service: put if absent, get of a range, list in order, and a plain overwriting
put for what `replace` points at. Neither If-Match nor ETags nor deletion are used: Ceph answers
If-Match otherwise than AWS does, and the ETag of a multipart upload is no digest.

**A lost answer.** A put whose answer is lost is tried again, and the second try can meet the
object that the first one made. So each put carries a mark of its own as metadata. When the
service says that the name is taken, the mark on the object there tells whose it is: our own
means done, another's means Exists, and no object at all (a service may refuse both of two
racing writers) means try again. A service that drops metadata errs to the safe side: Exists is
raised for what we wrote ourselves, never the other way round.
"""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import IO, TYPE_CHECKING

from otium.errors import (
    BadInput,
    CannotStore,
    Exists,
    NotFound,
    StoreRefuses,
    StoreUnreachable,
    Unsupported,
)
from otium.store.protocol import Buffer, Span, check_name, check_span, content_name, is_name
from otium.store.trouble import explained, was_sent

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# Bytes of one request. S3 allows 10,000 parts of at least 5 MiB. It never changes: Azure knows the
# parts of a name by their number only, so two writers of one content must cut it alike.
_PART = 16 << 20
_LANES = 4  # requests at once, so at most 64 MiB wait in memory
_TRIES = 3  # of a write whose outcome is not known; obstore retries within each
_MARK = "otiumput"  # Azure allows letters only, as in a name of C#


class RemoteStore:
    """A bucket, or what lies below a prefix in it. Safe to use from several threads.

    *objects* is obstore's handle, which holds the credentials, timeouts and retries; *where*
    is how messages name the place.
    """

    def __init__(self, objects: ObjectStore, where: str) -> None:
        self._objects = objects
        self.where = where

    def put(self, name: str, data: Buffer) -> None:
        """Store *data* under *name*; raise Exists if the name is taken."""
        check_name(name)
        kept, mark = bytes(data), uuid.uuid4().hex

        def attempt() -> bool:
            try:
                with explained(self.where, name, writing=True):
                    self._objects.put(name, kept, mode="create", attributes={_MARK: mark})
            except Exists:
                return self._put_before(name, mark)
            return True

        self._insist(name, attempt)

    def _put_before(self, name: str, mark: str) -> bool:
        """Return whether what lies under *name* is ours, raise Exists if it is another's."""
        try:
            with explained(self.where, name):
                found = self._objects.get(name, options={"head": True}).attributes
        except NotFound:
            return False
        if found.get(_MARK) != mark:
            raise Exists(name=name)
        return True

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        """Store the chunks under their own digest; return it."""
        sha, size = hashlib.sha256(), 0
        with tempfile.SpooledTemporaryFile(max_size=_PART) as file:
            for chunk in chunks:
                sha.update(chunk)
                size += file.write(chunk)
            name = check_name(content_name(folder, sha.hexdigest(), suffix))
            self._upload(name, file, size)
        return sha.hexdigest()

    def _upload(self, name: str, file: IO[bytes], size: int) -> None:
        """Write *file* unless it is there; what has another size is no sound copy of it."""

        def attempt() -> bool:
            if self._size(name) == size:
                return True
            file.seek(0)
            if size <= _PART:
                self._objects.put(name, file.read(), use_multipart=False)
            else:
                self._objects.put(name, file, chunk_size=_PART, max_concurrency=_LANES)
            return True

        self._insist(name, attempt)
        if (found := self._size(name)) != size:
            raise CannotStore(path=f"{self.where} {name}", why=f"{found} of {size} bytes arrived")

    def replace(self, name: str, data: Buffer) -> None:
        """Point *name* at *data*, atomically."""
        check_name(name)
        kept = bytes(data)

        def attempt() -> bool:
            self._objects.put(name, kept, use_multipart=False)
            return True

        self._insist(name, attempt)

    def get(self, name: str, span: Span | None = None) -> bytes:
        """Return the bytes under *name*, or those of *span*."""
        check_name(name)
        if span is None:
            return self._whole(name)
        if check_span(name, span).length == 0:
            self.size(name)
            return b""
        return self._ranges(name, span)

    def _whole(self, name: str) -> bytes:
        with explained(self.where, name):
            answer = self._objects.get(name)
            if (size := answer.meta["size"]) <= _PART:
                return answer.bytes().to_bytes()
        return self._ranges(name, Span(0, size))

    def _ranges(self, name: str, span: Span) -> bytes:
        """Return the bytes of *span*, a long one by several requests at once."""
        if span.length <= _PART:
            return self._range(name, span)
        end = span.offset + span.length
        starts = range(span.offset, end, _PART)
        with ThreadPoolExecutor(_LANES) as lanes:
            parts = (Span(start, min(_PART, end - start)) for start in starts)
            return b"".join(lanes.map(lambda part: self._range(name, part), parts))

    def _range(self, name: str, span: Span) -> bytes:
        end = span.offset + span.length
        data = b""
        try:
            with explained(self.where, name):
                data = self._objects.get_range(name, start=span.offset, end=end).to_bytes()
        except StoreRefuses:  # so services answer when even the first byte is past the end
            size = self._size(name)
            if size is None or size >= end:
                raise
        if len(data) != span.length:
            raise BadInput(what=f"{name} bytes {span.offset}+{span.length}", why="past the end")
        return data

    def size(self, name: str) -> int:
        """Return the number of bytes under *name*."""
        found = self._size(check_name(name))
        if found is None:
            raise NotFound(what=name)
        return found

    def _size(self, name: str) -> int | None:
        try:
            with explained(self.where, name):
                return self._objects.head(name)["size"]
        except NotFound:
            return None

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield each name that begins with *prefix*, in order, as the service's pages arrive."""
        last = ""
        for name in self._listed(prefix):
            if name <= last:
                # Directory buckets of S3 do this; a merge or a resumed cursor would miss names.
                raise Unsupported(what=self.where, why="it lists names out of order")
            last = name
            if name.startswith(prefix):
                yield name
            elif name > prefix:
                return

    def _listed(self, prefix: str) -> Iterator[str]:
        """Yield the names from *prefix* on in its folder, going on where a page broke off."""
        folder, after = prefix.rpartition("/")[0], prefix[:-1]
        if folder and not is_name(folder):
            return
        left = _TRIES
        while left:
            left -= 1
            try:
                for name in self._pages(folder, after):
                    after, left = name, _TRIES
                    yield name
            except StoreUnreachable as error:
                if not left or not was_sent(error):
                    raise
            else:
                return

    def _pages(self, folder: str, after: str) -> Iterator[str]:
        # obstore lists whole folders; what sorts up to *after* is left out by its offset.
        offset = after if is_name(after) else None
        with explained(self.where, folder):
            pages = self._objects.list(folder or None, offset=offset, chunk_size=1000)
            for found in chain.from_iterable(pages):
                name = found["path"]
                # Others' names, and a console's marker "folder/", are no objects of ours. obstore
                # shows the marker as an empty object "folder", which is then not found.
                if is_name(name) and (found["size"] or self._size(name) is not None):
                    yield name

    def _insist(self, name: str, attempt: Callable[[], bool]) -> None:
        """Try a write that may be repeated until it says that it is done, a few times."""
        for left in reversed(range(_TRIES)):
            try:
                with explained(self.where, name, writing=True):
                    if attempt():
                        return
            except StoreUnreachable as error:
                if not left or not was_sent(error):
                    raise
        raise StoreUnreachable(path=self.where, why=f"it refuses {name}, which is not there")
