"""The ledger: an append-only signed log."""

from otium.ledger.entry import Entry

__all__ = ["Entry"]
