"""What keeping weights raises."""

from __future__ import annotations

from otium.errors.base import OtiumError


class ArchiveError(OtiumError):
    """{message}"""

    exit_code = 20


class NotAnArchive(ArchiveError):
    """{path} is not an otium archive."""

    hint = "otium --home {path} archive create"


class DamagedObject(ArchiveError):
    """{name} is damaged: {found} where {expected} was stored."""

    exit_code = 21
    hint = "otium archive repair --from COPY"


class DamagedCache(ArchiveError):
    """{path} is no usable cache: {why}."""

    exit_code = 21
    hint = "delete it; it is rebuilt from the records"


class BadDeposit(ArchiveError):
    """{path} cannot be deposited: {why}."""

    exit_code = 22
    hint = "nothing was changed; mend the input and deposit again"


class UnsafePath(BadDeposit):
    """{path} cannot be deposited: it leads out of the directory given."""


class TooDeep(BadDeposit):
    """{model} cannot be coded against {parent}: it would be {depth} steps from a model that stands alone, and {limit} are allowed."""

    hint = "choose a parent nearer to the start of the family, or none"


class BadHeader(BadDeposit):
    """{path} is not a sound {format} file: {why}."""


class NoWeights(BadDeposit):
    """{path} holds no weights: no safetensors, GGUF, .bin or .pt file was found in it."""


class BadLayout(BadDeposit):
    """{path} is not a sound {layout} layout: {why}."""

    hint = "nothing was changed; ask whoever made it for a sound copy, or read it as another layout"


class SeveralModels(BadDeposit):
    """{path} holds more than one {what}: {names}."""

    hint = "say which one is meant"


class RestoreTargetNotEmpty(ArchiveError):
    """{path} already exists and is not an empty directory."""

    exit_code = 23
    hint = "name a fresh directory: otium archive restore MODEL --into DIR"


class Diverged(ArchiveError):
    """{there} and the copy that was to be made differ in {names}, and neither goes on from the other."""

    exit_code = 24
    hint = "find out which is right (the ledger has the digests); nothing of it was overwritten"


class Irreparable(ArchiveError):
    """{name} cannot be repaired: {why}."""

    exit_code = 25
    hint = "name more copies: otium archive repair --from COPY --from COPY"


class CannotDeaccession(ArchiveError):
    """{model} cannot be deaccessioned: {why}."""

    exit_code = 26


class HasDescendants(CannotDeaccession):
    """{model} cannot be deaccessioned: others are coded against it, in {packs}: {descendants}."""

    hint = "otium archive what-if PACK  (shows what rests on a pack)"


class StillWaiting(CannotDeaccession):
    """{model} cannot be deaccessioned before {earliest}: it is now {now}."""


class AuditFailed(ArchiveError):
    """The audit {audit} failed: {why}."""

    exit_code = 27
