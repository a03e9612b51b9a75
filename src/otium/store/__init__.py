"""The store: where bytes rest, put there durably and never changed.

Knows names, bytes, put-if-absent, content addresses, fsync, and who holds a directory.
Does not know what the bytes mean. Writes files or objects.

>>> store = LocalStore(tmp_path)
>>> store.put("notes/first.txt", b"kept")
>>> store.get("notes/first.txt", Span(0, 2))
b'ke'
"""

from otium.store.local import LocalStore
from otium.store.lock import hold
from otium.store.protocol import Buffer, Span, Store, check_name, content_name

__all__ = ["Buffer", "LocalStore", "Span", "Store", "check_name", "content_name", "hold"]
