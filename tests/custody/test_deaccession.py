from __future__ import annotations

import pytest

from custody.copies import BASE, CHILD
from makers import NOW, SMOL, SUCCESSOR
from otium.archive import Archive
from otium.custody import carry_out, due, entry_body, propose, protect, removable, stats
from otium.errors import (
    BadInput,
    CannotDeaccession,
    HasDescendants,
    StillWaiting,
    UnknownModel,
    UnknownRecord,
)
from otium.records import Actor, ModelId, later
from otium.testing import MemoryStore

THEN = later(NOW, days=90)
BOTH = (Actor("steward"), Actor("archivist"))


def test_a_proposal_says_what_would_be_freed_and_writes_nothing(
    archive: Archive, store: MemoryStore
) -> None:
    before = dict(store.objects)
    proposal = propose(archive, SUCCESSOR, "it was never released", now=NOW)
    assert store.objects == before
    assert proposal.earliest == THEN
    assert proposal.bytes == sum(len(store.objects[one.name]) for one in proposal.frees) > 0
    assert {one.name.partition("/")[0] for one in proposal.frees} == {
        "indexes", "packs", "recipes",
    }  # fmt: skip
    assert entry_body(proposal)["earliest"] == THEN


def test_nothing_that_another_model_needs_is_freed(archive: Archive, store: MemoryStore) -> None:
    for model in (SMOL, SUCCESSOR):
        other = SMOL if model == SUCCESSOR else SUCCESSOR
        for one in propose(archive, model, "a reason", now=NOW).frees:
            data = store.objects.pop(one.name)
            assert archive.check(other, now=NOW).ok
            for file in archive.manifest(other).files:
                archive.open_file(other, file.path).read(0, file.size)
            store.objects[one.name] = data


def test_a_base_with_descendants_is_refused_with_their_names_and_packs(
    relatives: Archive,
) -> None:
    with pytest.raises(HasDescendants) as caught:
        propose(relatives, BASE, "a reason", now=NOW)
    [pack] = [use for use in stats(relatives).packs if len(use.models) == 2]
    assert CHILD in str(caught.value)
    assert pack.name in str(caught.value)


def test_a_base_may_go_after_its_descendants(relatives: Archive) -> None:
    first = carry_out(
        relatives, propose(relatives, CHILD, "a reason", now=NOW), now=THEN, approved=BOTH
    )
    assert propose(relatives, BASE, "a reason", now=NOW).bytes > first.bytes > 0


def test_the_waiting_time_is_kept(archive: Archive) -> None:
    proposal = propose(archive, SUCCESSOR, "a reason", now=NOW)
    early = later(THEN, seconds=-1)
    assert not due(proposal, early)
    assert due(proposal, THEN)
    with pytest.raises(StillWaiting):
        carry_out(archive, proposal, now=early, approved=BOTH)


def test_two_must_approve(archive: Archive) -> None:
    proposal = propose(archive, SUCCESSOR, "a reason", now=NOW)
    for approved in ((), BOTH[:1], (BOTH[0], BOTH[0])):
        with pytest.raises(BadInput):
            carry_out(archive, proposal, now=THEN, approved=approved)


def test_carrying_out_removes_nothing_and_keeps_the_records(
    archive: Archive, store: MemoryStore
) -> None:
    before = dict(store.objects)
    proposal = propose(archive, SUCCESSOR, "a reason", now=NOW)
    record = carry_out(archive, proposal, now=THEN, approved=BOTH)
    pointers = {n for n in before if n.endswith(("inventory.json", "inventory.json.sha512"))}
    assert {n: store.objects[n] for n in before.keys() - pointers} == {
        n: before[n] for n in before.keys() - pointers
    }
    assert record.remove == proposal.frees
    assert archive.record(SUCCESSOR, "manifest.json")
    assert carry_out(archive, proposal, now=later(THEN, days=1), approved=BOTH) == record
    assert entry_body(record)["proposal"] == proposal.digest()


def test_after_the_removal_the_archive_is_whole_at_every_step(
    archive: Archive, store: MemoryStore
) -> None:
    protect(archive, 0.1)
    record = carry_out(
        archive, propose(archive, SUCCESSOR, "a reason", now=NOW), now=THEN, approved=BOTH
    )
    for one in removable(archive, record):
        del store.objects[one.name]
        result = archive.check(now=THEN)
        assert result.ok, (one.name, result.damage)
    assert archive.models() == [SMOL, SUCCESSOR]
    assert stats(archive).models == 1
    for file in archive.manifest(SMOL).files:
        archive.open_file(SMOL, file.path).read(0, file.size)


def test_what_a_later_deposit_rests_on_is_not_removable(
    archive: Archive, store: MemoryStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    record = carry_out(
        archive, propose(archive, SUCCESSOR, "a reason", now=NOW), now=THEN, approved=BOTH
    )
    everything = removable(archive, record)
    files = tmp_path_factory.mktemp("again")
    source = archive.manifest(SUCCESSOR)
    for file in source.files:
        (files / file.path).write_bytes(archive.open_file(SUCCESSOR, file.path).read(0, file.size))
    Archive.open(store).add(ModelId("again"), files, deposited=THEN)
    left = removable(archive, record)
    assert everything
    assert not [one for one in left if one.name.startswith(("packs/", "indexes/"))]


def test_what_cannot_be_proposed_is_refused(archive: Archive) -> None:
    with pytest.raises(UnknownModel):
        propose(archive, ModelId("nobody"), "a reason", now=NOW)
    with pytest.raises(BadInput):
        propose(archive, SMOL, "  ", now=NOW)
    archive.put_record(ModelId("planned"), "notice.json", b"{}", now=NOW, message="Notice")
    with pytest.raises(UnknownRecord):
        propose(archive, ModelId("planned"), "a reason", now=NOW)


def test_a_model_is_deaccessioned_once(archive: Archive) -> None:
    proposal = propose(archive, SUCCESSOR, "a reason", now=NOW)
    other = propose(archive, SUCCESSOR, "another", now=NOW)
    carry_out(archive, proposal, now=THEN, approved=BOTH)
    with pytest.raises(CannotDeaccession):
        propose(archive, SUCCESSOR, "a reason", now=THEN)
    with pytest.raises(CannotDeaccession):
        carry_out(archive, other, now=THEN, approved=BOTH)
