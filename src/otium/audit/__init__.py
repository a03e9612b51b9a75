"""Audits: proof that a custodian still holds what it was given, for whoever has no weights.

Knows seals, spot checks, full reads and behaviours that were sealed beforehand, and verdicts.
Does not know who may audit, when an audit is due, what a home is, or what is in a pack.
Writes challenges, responses and log entries. The format is `docs/formats/audit-1.md`.

>>> from io import BytesIO
>>> from otium.archive import Archive
>>> from otium.ledger import Entry, Ledger
>>> from otium.notes import Signer
>>> from otium.records import Instant, ModelId
>>> from otium.store import LocalStore
>>> now, day = Instant("2026-11-22T00:00:00Z"), Instant("2026-11-23T00:00:00Z")
>>> store, signer = LocalStore(tmp_path / "archive"), Signer.generate("example.org/log")
>>> ledger = Ledger.create(store, signer, origin=signer.name)
>>> archive = Archive.create(
...     store, archive_id="example", created=now, origin=signer.name, keys=signer.vkeys
... )
>>> weights = tmp_path / "weights.bin"
>>> _ = weights.write_bytes(b"not for nothing" * 9000)
>>> _ = archive.add(ModelId("smol-1"), weights, deposited=now)
>>> def log(type, subject, body=None, refs=()):
...     ledger.append(Entry(type=type, time=now, actor="archivist", subject=subject, body=body))
>>> len(seal(archive, ledger.entries, log).packs)
1
>>> seals = Seals(ledger.entries())
>>> asked = challenge(
...     seals, ledger.checkpoint(), custodian="elsewhere", beacon="dice: 4 2 6",
...     samples=460, made=now, deadline=day,
... )
>>> response = BytesIO()
>>> respond(asked, store, response).lacking
()
>>> _ = response.seek(0)
>>> [(one.model, one.verdict) for one in judge(asked, response, seals).models]
[('smol-1', 'passed')]
"""

from otium.audit.answering import Answered, respond
from otium.audit.behaviour import (
    Decision,
    agreement_rate,
    agreements,
    behaviour_challenge,
    decide,
    judge_behaviour,
    random_prompts,
    respond_with_model,
    seal_behaviour,
)
from otium.audit.reads import (
    judge_read,
    reads_challenge,
    respond_to_read,
    seal_reads,
)
from otium.audit.records import (
    AnyChallenge,
    BehaviourChallenge,
    BehaviourResponse,
    Challenge,
    Drawn,
    Kind,
    Log,
    ModelVerdict,
    Outcome,
    Randomness,
    ReadChallenge,
    ReadResponse,
    SealedBehaviour,
    SealedRead,
    SealedReads,
    Target,
    Tolerance,
    Verdict,
)
from otium.audit.seals import SealedPack, Sealing, Seals, seal, seals_under, unsealed
from otium.audit.spot import challenge, chances, check_challenge, judge
from otium.audit.trees import LEAF, Tree
from otium.audit.verdicts import (
    Standing,
    announce,
    commit_to,
    conclude,
    is_committed,
    read_challenge,
    read_sealed,
    standings,
    unanswered,
    used,
)

__all__ = [
    "LEAF",
    "Answered",
    "AnyChallenge",
    "BehaviourChallenge",
    "BehaviourResponse",
    "Challenge",
    "Decision",
    "Drawn",
    "Kind",
    "Log",
    "ModelVerdict",
    "Outcome",
    "Randomness",
    "ReadChallenge",
    "ReadResponse",
    "SealedBehaviour",
    "SealedPack",
    "SealedRead",
    "SealedReads",
    "Sealing",
    "Seals",
    "Standing",
    "Target",
    "Tolerance",
    "Tree",
    "Verdict",
    "agreement_rate",
    "agreements",
    "announce",
    "behaviour_challenge",
    "challenge",
    "chances",
    "check_challenge",
    "commit_to",
    "conclude",
    "decide",
    "is_committed",
    "judge",
    "judge_behaviour",
    "judge_read",
    "random_prompts",
    "read_challenge",
    "read_sealed",
    "reads_challenge",
    "respond",
    "respond_to_read",
    "respond_with_model",
    "seal",
    "seal_behaviour",
    "seal_reads",
    "seals_under",
    "standings",
    "unanswered",
    "unsealed",
    "used",
]
