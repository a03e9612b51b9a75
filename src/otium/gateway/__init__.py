"""The gateway: the public API of served and retired models."""

from otium.gateway.records import (
    Retired,
)

__all__ = [
    "Retired",
]
