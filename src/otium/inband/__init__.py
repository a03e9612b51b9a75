"""In band: what an API says of a model's life in the very answers that users get.

Knows model objects in OpenAI's and Anthropic's shape, the headers Deprecation, Sunset and Link,
announced brownouts, and the structured errors of retired, archived, gone and unknown models.
Does not know HTTP servers, engines or who asks: pure functions over a model's life.
Writes nothing; the fields are in ``docs/reference/gateway-api.md``.

>>> from otium.lifecycle import ModelLife
>>> alder = ModelLife(
...     model="alder-1", title="Alder 1", state="retired", availability="archived", scope="public",
...     released="2025-06-01T00:00:00Z", surfaces=("api",), weights="sha256:" + 64 * "0",
...     deprecated="2026-01-01T00:00:00Z", retired="2026-04-01T00:00:00Z", replacement="birch-2",
... )
>>> lifecycle_headers(alder, note=None)["Sunset"]
'Wed, 01 Apr 2026 00:00:00 GMT'
>>> closed(alder, Urls(), granted=False).code
'model_archived'
"""

from otium.inband.headers import lifecycle_headers
from otium.inband.models import anthropic_object, deprecation, model_object
from otium.inband.records import (
    Brownout,
    Deprecation,
    EngineStatus,
    ExitFacts,
    Lifecycle,
    ModelObject,
    RevivalFacts,
    Standing,
    Urls,
    standing,
)
from otium.inband.refusals import browned_out, closed, explained, unknown_model

__all__ = [
    "Brownout",
    "Deprecation",
    "EngineStatus",
    "ExitFacts",
    "Lifecycle",
    "ModelObject",
    "RevivalFacts",
    "Standing",
    "Urls",
    "anthropic_object",
    "browned_out",
    "closed",
    "deprecation",
    "explained",
    "lifecycle_headers",
    "model_object",
    "standing",
    "unknown_model",
]
