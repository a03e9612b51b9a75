"""The store: where bytes rest, put there durably and never changed.

Knows names, bytes, put-if-absent, content addresses, fsync, buckets, who holds a directory.
Does not know what the bytes mean. Writes files or objects.

>>> store = open_store(tmp_path)  # or "s3://bucket/prefix"
>>> store.put("notes/first.txt", b"kept")
>>> store.get("notes/first.txt", Span(0, 2))
b'ke'
"""

from otium.store.disk import Disk, Entry, Opened, Spooled, SystemDisk
from otium.store.local import LocalStore
from otium.store.lock import hold
from otium.store.open import open_store
from otium.store.protocol import (
    Buffer,
    Span,
    Store,
    check_name,
    check_span,
    content_name,
    prove_put_if_absent,
)
from otium.store.remote import RemoteStore

__all__ = [
    "Buffer",
    "Disk",
    "Entry",
    "LocalStore",
    "Opened",
    "RemoteStore",
    "Span",
    "Spooled",
    "Store",
    "SystemDisk",
    "check_name",
    "check_span",
    "content_name",
    "hold",
    "open_store",
    "prove_put_if_absent",
]
