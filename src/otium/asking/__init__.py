"""Asking: one normal request to an OpenAI-compatible endpoint, without waiting in a thread.

Knows how an engine is asked over the wire, whole and streamed, and whether a failure is the
engine's end (`EngineFailed`: the connection broke), its refusal (`EngineRefused`: it lives, but
gave no answer that can be used), the client's fault (`Refused`), or time's.
Does not know models' lives, who asks, or how engines are started. Writes nothing.
`otium.engine.HttpModel` is its sibling for sessions that wait.

>>> import asyncio
>>> from otium.testing import Scripted, serve
>>> from otium.wire import Lines
>>> async def ask(endpoint):
...     chat = Chat("smol-1", ({"role": "user", "content": "Hi"},), False, {})
...     client = Lines()
...     answer = await Upstream(client, seconds=5).complete(endpoint, chat)
...     await client.close()
...     return answer["choices"][0]["message"]["content"]
>>> with serve(Scripted(["Hello."])) as endpoint:
...     asyncio.run(ask(endpoint))
'Hello.'
"""

from otium.asking.upstream import Upstream
from otium.dialects import Chat

__all__ = ["Chat", "Upstream"]
