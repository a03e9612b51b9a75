"""What the ledger and its witnesses raise."""

from __future__ import annotations

from otium.errors.base import OtiumError


class LedgerError(OtiumError):
    """{message}"""

    exit_code = 30


class BrokenLedger(LedgerError):
    """The ledger does not verify: {why}."""

    exit_code = 31
    hint = "compare with a mirror or an older checkpoint; do not append to this copy"


class BadNote(LedgerError):
    """The signed note is not valid: {why}."""

    exit_code = 32


class BadProof(LedgerError):
    """The proof does not verify: {why}."""

    exit_code = 32


class NoSigningKey(LedgerError):
    """There is no signing key at {path}."""

    exit_code = 33
    hint = "put the key back from its backup; a new key needs a new ledger, or for a witness a new --name"


class WitnessRefused(LedgerError):
    """The witness {witness} did not cosign: {why}."""

    exit_code = 34


class BadTimestamp(LedgerError):
    """The time stamp {name} does not verify: {why}."""

    exit_code = 35


class SplitView(LedgerError):
    """The log {origin} shows different histories: {why}."""

    exit_code = 36
    hint = "keep both checkpoints: together they prove it"
