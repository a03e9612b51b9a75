import os
from collections.abc import Container
from hashlib import sha256

import pytest
from blake3 import blake3
from msgspec.structs import replace

from audit.kit import DEADLINE, NOW, ONE, TWO, Lab, flipped
from otium.audit import (
    Outcome,
    ReadChallenge,
    ReadResponse,
    SealedReads,
    commit_to,
    judge_read,
    read_challenge,
    read_sealed,
    reads_challenge,
    respond_to_read,
    seal_reads,
    used,
)
from otium.errors import AuditFailed, BadInput, BadRecord, DamagedObject
from otium.records import Digest, ModelId


@pytest.fixture
def secret(sealed: Lab) -> SealedReads:
    made = seal_reads(sealed.store, sealed.seals(), count=3, randomness=os.urandom)
    commit_to(made, "lab", sealed.log)
    return made


def ask(secret: SealedReads, already: Container[str] = ()) -> ReadChallenge:
    return reads_challenge(secret, already, custodian="vault", made=NOW, deadline=DEADLINE)


def judge(lab: Lab, asked: ReadChallenge, response: bytes, secret: SealedReads) -> Outcome:
    return judge_read(asked, response, secret, lab.ledger.entries(), lab.seals())


def test_who_reads_every_byte_passes(sealed: Lab, secret: SealedReads) -> None:
    asked = ask(secret)
    outcome = judge(sealed, asked, respond_to_read(asked, sealed.copy()).encode(), secret)
    assert outcome.passed
    assert {one.model: one.samples for one in outcome.models} == {ONE: 1, TWO: 1}


def test_the_answer_is_keyed_blake3_and_the_commitment_salted_sha256(
    sealed: Lab, secret: SealedReads
) -> None:
    read, packs = secret.reads[1], sealed.seals().packs
    key = bytes.fromhex(read.nonce)
    answers = [blake3(sealed.store.get(pack.name), key=key).digest() for pack in packs]
    assert [one.hex() for one in answers] == list(read.answers)
    said = next(one.body for one in sealed.ledger.entries() if one.type == "audit.sealed")
    committed = sha256(bytes.fromhex(read.salt) + key + b"".join(answers)).hexdigest()
    assert said["commitments"][1] == f"sha256:{committed}"  # type: ignore[index]
    names = b"".join(bytes.fromhex(pack.sha256) for pack in packs)
    assert said["packs"] == f"sha256:{sha256(names).hexdigest()}"


def test_the_log_tells_nothing_of_what_was_sealed(sealed: Lab, secret: SealedReads) -> None:
    log = b"".join(one.encode() for one in sealed.ledger.entries())
    for read in secret.reads:
        for told in (read.nonce, read.salt, *read.answers):
            assert told.encode() not in log


def test_one_bit_anywhere_fails_and_names_the_pack(sealed: Lab, secret: SealedReads) -> None:
    asked, copy = ask(secret), sealed.copy()
    for name, data in sealed.copy().objects.items():
        copy.objects[name] = flipped(data, len(data) // 2)
        outcome = judge(sealed, asked, respond_to_read(asked, copy).encode(), secret)
        assert len(outcome.failed) == 1
        assert outcome.failed[0] in name
        copy.objects[name] = data


@pytest.mark.parametrize("harm", ["gone", "short", "long"])
def test_a_pack_that_is_not_there_whole_is_answered_with_nothing(
    sealed: Lab, secret: SealedReads, harm: str
) -> None:
    asked, copy = ask(secret), sealed.copy()
    name = next(iter(copy.objects))
    data = copy.objects.pop(name)
    if harm != "gone":
        copy.objects[name] = data[:-1] if harm == "short" else data + b"\0"
    given = respond_to_read(asked, copy)
    assert given.answers.count("") == 1
    assert not judge(sealed, asked, given.encode(), secret).passed


def test_each_nonce_is_used_once(sealed: Lab, secret: SealedReads) -> None:
    told: set[str] = set()
    for _ in secret.reads:
        asked = ask(secret, told)
        assert asked.commitment not in told
        told.add(asked.commitment)
    with pytest.raises(BadInput, match="all were used"):
        ask(secret, told)
    assert used(sealed.ledger.entries()) == set()


def test_an_old_answer_does_not_answer_the_next_challenge(sealed: Lab, secret: SealedReads) -> None:
    first = ask(secret)
    second = ask(secret, {first.commitment})
    old = respond_to_read(first, sealed.copy())
    with pytest.raises(AuditFailed, match="another challenge"):
        judge(sealed, second, old.encode(), secret)
    relabelled = ReadResponse(audit=second.digest(), answers=old.answers)
    assert not judge(sealed, second, relabelled.encode(), secret).passed


def test_an_auditor_cannot_change_what_was_sealed(sealed: Lab, secret: SealedReads) -> None:
    wrong = replace(secret.reads[0], answers=tuple("0" * 64 for _ in secret.packs))
    forged = replace(secret, reads=(wrong,))
    asked = ask(forged)
    with pytest.raises(AuditFailed, match="the log does not commit"):
        judge(sealed, asked, respond_to_read(asked, sealed.copy()).encode(), forged)
    honest = ask(secret)
    with pytest.raises(AuditFailed, match="not one of those that were sealed"):
        judge(sealed, honest, respond_to_read(honest, sealed.copy()).encode(), forged)
    fewer = replace(honest, packs=honest.packs[:1])
    with pytest.raises(AuditFailed, match="the log does not commit"):
        judge(sealed, fewer, respond_to_read(fewer, sealed.copy()).encode(), secret)


def test_a_model_that_came_later_gets_no_verdict(sealed: Lab, secret: SealedReads) -> None:
    sealed.keep(ModelId("three"), 70_000)
    sealed.seal()
    asked = ask(secret)
    outcome = judge(sealed, asked, respond_to_read(asked, sealed.copy()).encode(), secret)
    assert {one.model for one in outcome.models} == {ONE, TWO}


def test_damaged_packs_are_not_sealed_into_challenges(sealed: Lab) -> None:
    name = next(iter(sealed.store.list("packs/")))
    sealed.store.objects[name] = flipped(sealed.store.objects[name], 0)
    with pytest.raises(DamagedObject):
        seal_reads(sealed.store, sealed.seals(), count=1, randomness=os.urandom)


def test_full_reads_need_a_seal_and_a_number(lab: Lab) -> None:
    with pytest.raises(BadInput, match="no pack is sealed yet"):
        seal_reads(lab.store, lab.seals(), count=1, randomness=os.urandom)
    for count in (0, 401):
        with pytest.raises(BadInput, match="seal 1 to 400"):
            seal_reads(lab.store, lab.seals(), count=count, randomness=os.urandom)


def test_four_hundred_commitments_fit_into_an_entry(sealed: Lab) -> None:
    made = seal_reads(sealed.store, sealed.seals(), count=400, randomness=os.urandom)
    commit_to(made, "lab", sealed.log)


def test_files_survive_and_hostile_ones_do_not(sealed: Lab, secret: SealedReads) -> None:
    asked = ask(secret)
    assert read_challenge(asked.encode()) == asked
    assert read_sealed(secret.encode()) == secret
    for bad in (b"", b"{}", b"[" * 9999, asked.encode()):
        with pytest.raises(BadRecord):
            read_sealed(bad)
    for change in ({"nonce": "0"}, {"packs": (replace(asked.packs[0], pack="../x"),)}):
        with pytest.raises(BadInput):
            read_challenge(replace(asked, **change).encode())
    for response in (b"", b"\xff", b"[" * 99_999, b"{}", secret.encode()):
        with pytest.raises(AuditFailed, match="no response"):
            judge(sealed, asked, response, secret)
    short = ReadResponse(audit=asked.digest(), answers=())
    with pytest.raises(AuditFailed, match="another challenge"):
        judge(sealed, asked, short.encode(), secret)


def test_a_body_in_the_log_that_does_not_read_is_passed_over(
    sealed: Lab, secret: SealedReads
) -> None:
    sealed.log("audit.sealed", "lab", {"kind": "read", "packs": 5, "commitments": Digest("x")})
    asked = ask(secret)
    assert judge(sealed, asked, respond_to_read(asked, sealed.copy()).encode(), secret).passed
