"""The gateway: the public API of served and retired models.

Knows the routes of OpenAI's API, which engine answers for which weights, how a retired model
is brought back for a request, and which conversations a model has ended.
Does not know how weights are kept, how engines work, or what a model's dates should be.
Writes service events, and ledger entries of revivals and ended conversations. The API is
``docs/reference/gateway-api.md``.

>>> chat = read_chat(b'{"model": "smol-1", "messages": [{"role": "user", "content": "Hi"}]}')
>>> chat.model, len(chat.prefixes("caller"))
('smol-1', 1)
"""

from otium.gateway.app import background, create_app, run
from otium.gateway.chat import Chat, read_chat
from otium.gateway.records import (
    Deprecation,
    Ending,
    Event,
    Lifecycle,
    ModelObject,
    Retired,
)
from otium.gateway.service import Service, Settings, commitment
from otium.gateway.state import State
from otium.residence import Running

__all__ = [
    "Chat",
    "Deprecation",
    "Ending",
    "Event",
    "Lifecycle",
    "ModelObject",
    "Retired",
    "Running",
    "Service",
    "Settings",
    "State",
    "background",
    "commitment",
    "create_app",
    "read_chat",
    "run",
]
