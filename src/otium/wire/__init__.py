r"""The wire: asking a server over HTTP/1.1 many times, at the least cost in time and memory.

Knows pooled connections, whole and streamed bodies, server-sent events, and when a reader is slower
than its source. Does not know models, engines or APIs: it carries bytes. Writes nothing.

Two clients do the same: `Lines` parses with llhttp (httptools) straight into what is waiting, and
costs a quarter of `Session`, which is aiohttp and copes with servers that are more peculiar.

>>> split = Events()
>>> split.feed(b"data: 1\n\nda"), split.feed(b"ta: 2\r\n\r\n")
([b'1'], [b'2'])
"""

from __future__ import annotations

from otium.wire.events import Events
from otium.wire.lines import Lines
from otium.wire.reply import Client, Reply, WireError
from otium.wire.session import Session

__all__ = ["Client", "Events", "Lines", "Reply", "Session", "WireError"]
