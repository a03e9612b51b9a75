"""Every error that otium raises on purpose.

The first line of a class's docstring is its message; ``{names}`` in it are filled from the
keyword arguments. ``hint`` names the command or step that mends it. ``exit_code`` is a
contract (``docs/reference/exit-codes.md``). Libraries raise; only ``cli`` prints. Knows messages
and codes; does not know who raises them. One error is made like this:

>>> raise UnknownModel(model="alder-9")
Traceback (most recent call last):
otium.errors.base.UnknownModel: No model 'alder-9' is registered here.

    OtiumError                          1
      NotFound                          3   UnknownModel, UnknownRecord, UnknownPreference, NoSite, NoDemoWeights, NotAssessed
      BadInput                          4   BadModelId, BadInstant, BadRecord, BadData
      Exists                            5
      Held                              6
      Unsupported                       7
      CannotStore                       8   StoreUnreachable, StoreRefuses
      WorkFailed                        9   NoCluster
      ArchiveError                      20
        NotAnArchive                    20
        DamagedObject                   21  DamagedCache
        BadDeposit                      22  UnsafePath, TooDeep, BadHeader, NoWeights, BadLayout, SeveralModels
        RestoreTargetNotEmpty           23
        Diverged                        24
        Irreparable                     25
        CannotDeaccession               26  HasDescendants, StillWaiting
        AuditFailed                     27
      LedgerError                       30
        BrokenLedger                    31
        BadNote, BadProof               32
        NoSigningKey                    33
        WitnessRefused                  34
        BadTimestamp                    35
        SplitView                       36
      EngineError                       40
        EngineFailed, QuotaReached      40  EngineRefused
        EngineUnavailable               41  DoesNotFit, Stopping
        EngineFailed, QuotaReached      40  Withheld
        EngineUnavailable               41  DoesNotFit
        FingerprintDiffers              42
        NotMaterialised                 43
      LifecycleError                    50
        NoticeTooShort                  51
        WrongState                      52
        DateInPast                      53
        NoSuchSuccessor                 54
        DutyUnmet                       55
        NotAuthorised                   56
        NeedsSecond                     57
        DeliveryFailed                  58
        PreferenceState                 59
      EvidenceError                     60
        EvaluationFailed                60
        BadProtocol                     61
      GatewayError                      80  ConversationEnded, ModelRetired, Refused
"""

from __future__ import annotations

from otium.errors.archive import (
    ArchiveError,
    AuditFailed,
    BadDeposit,
    BadHeader,
    BadLayout,
    CannotDeaccession,
    DamagedCache,
    DamagedObject,
    Diverged,
    HasDescendants,
    Irreparable,
    NotAnArchive,
    NoWeights,
    RestoreTargetNotEmpty,
    SeveralModels,
    StillWaiting,
    TooDeep,
    UnsafePath,
)
from otium.errors.base import (
    BadData,
    BadInput,
    BadInstant,
    BadModelId,
    BadRecord,
    CannotStore,
    Exists,
    Held,
    NoCluster,
    NoDemoWeights,
    NoSite,
    NotAssessed,
    NotFound,
    OtiumError,
    StoreRefuses,
    StoreUnreachable,
    UnknownModel,
    UnknownPreference,
    UnknownRecord,
    Unsupported,
    WorkFailed,
)
from otium.errors.ledger import (
    BadNote,
    BadProof,
    BadTimestamp,
    BrokenLedger,
    LedgerError,
    NoSigningKey,
    SplitView,
    WitnessRefused,
)
from otium.errors.lifecycle import (
    DateInPast,
    DeliveryFailed,
    DutyUnmet,
    LifecycleError,
    NeedsSecond,
    NoSuchSuccessor,
    NotAuthorised,
    NoticeTooShort,
    PreferenceState,
    WrongState,
)
from otium.errors.serving import (
    BadProtocol,
    ConversationEnded,
    DoesNotFit,
    EngineError,
    EngineFailed,
    EngineRefused,
    EngineUnavailable,
    EvaluationFailed,
    EvidenceError,
    FingerprintDiffers,
    GatewayError,
    ModelRetired,
    NotMaterialised,
    QuotaReached,
    Refused,
    Stopping,
    Withheld,
)

__all__ = [
    "ArchiveError",
    "AuditFailed",
    "BadData",
    "BadDeposit",
    "BadHeader",
    "BadInput",
    "BadInstant",
    "BadLayout",
    "BadModelId",
    "BadNote",
    "BadProof",
    "BadProtocol",
    "BadRecord",
    "BadTimestamp",
    "BrokenLedger",
    "CannotDeaccession",
    "CannotStore",
    "ConversationEnded",
    "DamagedCache",
    "DamagedObject",
    "DateInPast",
    "DeliveryFailed",
    "Diverged",
    "DoesNotFit",
    "DutyUnmet",
    "EngineError",
    "EngineFailed",
    "EngineRefused",
    "EngineUnavailable",
    "EvaluationFailed",
    "EvidenceError",
    "Exists",
    "FingerprintDiffers",
    "GatewayError",
    "HasDescendants",
    "Held",
    "Irreparable",
    "LedgerError",
    "LifecycleError",
    "ModelRetired",
    "NeedsSecond",
    "NoCluster",
    "NoDemoWeights",
    "NoSigningKey",
    "NoSite",
    "NoSuchSuccessor",
    "NoWeights",
    "NotAnArchive",
    "NotAssessed",
    "NotAuthorised",
    "NotFound",
    "NotMaterialised",
    "NoticeTooShort",
    "OtiumError",
    "PreferenceState",
    "QuotaReached",
    "Refused",
    "RestoreTargetNotEmpty",
    "SeveralModels",
    "SplitView",
    "StillWaiting",
    "Stopping",
    "StoreRefuses",
    "StoreUnreachable",
    "TooDeep",
    "UnknownModel",
    "UnknownPreference",
    "UnknownRecord",
    "UnsafePath",
    "Unsupported",
    "Withheld",
    "WitnessRefused",
    "WorkFailed",
    "WrongState",
]
