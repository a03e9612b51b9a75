from __future__ import annotations

from collections.abc import Callable

import pytest

from otium.errors import BadInput, BadNote, BadProof, BrokenLedger
from otium.ledger import Entry, Ledger, Proof, check_proof, read_checkpoint, verify
from otium.ledger.checkpoint import write_proof
from otium.notes import (
    Cosigner,
    RoleKey,
    Signer,
    TreeHead,
    WitnessPolicy,
    encode64,
    read_policy,
)
from otium.records import Instant
from otium.testing import MemoryStore

Make = Callable[[int], Entry]
AT = Instant("2026-11-22T00:00:00Z")
ALICE, BOB = Cosigner.generate("alice.example"), Cosigner.generate("bob.example")


def policy_of(quorum: str = "all", *witnesses: Cosigner, log: str = "") -> WitnessPolicy:
    keys = [vkey for it in witnesses or (ALICE, BOB) for vkey in it.vkeys[:1]]
    lines = [f"witness w{number} {vkey}" for number, vkey in enumerate(keys)]
    members = " ".join(f"w{number}" for number in range(len(keys)))
    lines += [f"log {log}"] if log else []
    return read_policy("\n".join([*lines, f"group g {quorum} {members}", "quorum g\n"]))


ALL, ANY = policy_of("all"), policy_of("any")


def cosigned(ledger: Ledger, *witnesses: Cosigner) -> str:
    point = ledger.checkpoint()
    return point.text + "".join(it.cosign(point.body, AT, [0x04]) for it in witnesses)


@pytest.fixture
def watched(ledger: Ledger, entry: Make) -> Ledger:
    """A ledger of 300 entries, cosigned at 4 and at 260."""
    for number, count in ((0, 4), (4, 256), (260, 40)):
        ledger.append(*(entry(number + it) for it in range(count)))
        if number + count < 300:
            ledger.keep_witnessed(cosigned(ledger, ALICE, BOB), ALL)
    return ledger


def test_cosigned_checkpoints_are_kept_for_ever(
    watched: Ledger, store: MemoryStore, signer: Signer
) -> None:
    assert [it.size for it in watched.witnessed()] == [4, 260]
    four, _ = watched.witnessed(ALL)
    assert [it.key.name for it in four.cosignatures] == ["alice.example", "bob.example"]
    assert store.objects["log/witnessed/4"].decode() == four.text
    assert verify(store, signer.vkeys).size == verify(store, signer.vkeys, ALL).size == 300
    later = four.text.rpartition("\n— bob")[0] + "\n"
    assert watched.keep_witnessed(later, ANY).text == four.text
    assert watched.witnessed(ALL)[0] == four


def test_a_proof_has_the_newest_checkpoint_that_the_quorum_cosigned(
    watched: Ledger, signer: Signer, entry: Make
) -> None:
    assert watched.checkpoint().size == 300
    for index, size in ((0, 260), (259, 260)):
        text = watched.prove(index, ALL)
        proof = check_proof(text, entry(index).encode(), signer.vkeys, ALL)
        assert (proof.index, proof.checkpoint.size) == (index, size)
        newest = check_proof(watched.prove(index), entry(index).encode(), signer.vkeys)
        assert newest.checkpoint.size == 300
    text = watched.prove(260, ALL)  # nobody has cosigned it yet
    assert check_proof(text, entry(260).encode(), signer.vkeys).checkpoint.size == 300
    with pytest.raises(BadProof, match="no quorum"):
        check_proof(text, entry(260).encode(), signer.vkeys, ALL)
    other = policy_of("all", Cosigner.generate("carol.example"))
    assert "\n300\n" in watched.prove(0, other)


def test_a_proof_is_checked_by_the_policy(watched: Ledger, signer: Signer, entry: Make) -> None:
    text, data = watched.prove(3, ALL), entry(3).encode()
    without_bob = text.rpartition("\n— bob")[0] + "\n"
    assert check_proof(without_bob, data, signer.vkeys, ANY).checkpoint.size == 260
    with pytest.raises(BadProof, match="no quorum"):
        check_proof(without_bob, data, signer.vkeys, ALL)
    with pytest.raises(BadNote, match="is wrong"):
        check_proof(wrong_last_signature(text), data, signer.vkeys, ANY)
    assert check_proof(wrong_last_signature(text), data, signer.vkeys).index == 3
    listed = policy_of("all", log=signer.vkey)
    assert check_proof(text, data, signer.vkeys, listed).index == 3
    elsewhere = policy_of("all", log=RoleKey.generate("ledger.example/smol").vkey)
    with pytest.raises(BadProof, match="not one of the logs"):
        check_proof(text, data, signer.vkeys, elsewhere)


def wrong_last_signature(text: str) -> str:
    at = text.rindex("=\n") - 10
    return text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :]


def test_a_log_of_a_policy_signs_under_the_name_that_is_its_origin(entry: Make) -> None:
    signer = Signer.generate("one.example")
    ledger = Ledger.create(MemoryStore(), signer, origin="other.example")
    ledger.append(entry(0))
    ledger.keep_witnessed(cosigned(ledger, ALICE, BOB))
    text = ledger.prove(0, ALL)
    assert check_proof(text, entry(0).encode(), signer.vkeys, ALL).index == 0
    with pytest.raises(BadProof, match="not one of the logs"):
        check_proof(text, entry(0).encode(), signer.vkeys, policy_of("all", log=signer.vkey))


def test_extra_data_of_a_proof_is_read_and_vouched_for_by_nothing(
    watched: Ledger, signer: Signer, entry: Make
) -> None:
    text, data = watched.prove(3), entry(3).encode()
    plain = check_proof(text, data, signer.vkeys)
    assert plain.extra is None
    for extra in (b"", b"a", b"\x00" * 500):
        made = Proof(index=3, path=plain.path, checkpoint=plain.checkpoint, extra=extra)
        lines = write_proof(made).split("\n", 2)
        assert lines[:2] == ["c2sp.org/tlog-proof@v1", f"extra {encode64(extra)}"]
        assert check_proof(write_proof(made), data, signer.vkeys).extra == extra
    for wrong in (
        "extra !!\n",
        "extra YQ\n",
        "extra YR==\n",
        "extra YQ==\nextra YQ==\n",
        "extra\n",
    ):
        with pytest.raises((BadProof, BadNote)):
            check_proof(text.replace("index", wrong + "index"), data, signer.vkeys)


def test_a_checkpoint_of_another_log_is_read_as_c2sp_asks(watched: Ledger, signer: Signer) -> None:
    text = cosigned(watched, ALICE, BOB)
    point = read_checkpoint(text, signer.vkeys[:1], ALICE.vkeys)
    assert [it.key.vkey for it in point.signatures] == [signer.vkey]
    assert [it.key.name for it in point.cosignatures] == ["alice.example"]
    with pytest.raises(BadNote):
        read_checkpoint(text, [], ALICE.vkeys)
    head = TreeHead("a", 1, bytes(32), ("extension",))
    old = Signer("a", signer._key)
    assert read_checkpoint(old.sign(head.text), old.vkeys).size == 1


def test_what_is_not_a_cosigned_checkpoint_of_this_log_is_not_kept(
    ledger: Ledger, signer: Signer, store: MemoryStore, entry: Make
) -> None:
    ledger.append(*(entry(number) for number in range(5)))
    good = cosigned(ledger, ALICE, BOB)
    for text, policy, why in (
        (ledger.checkpoint().text, None, "no cosignature"),
        (ledger.checkpoint().text, ANY, "no quorum"),
        (good.rpartition("\n— bob")[0] + "\n", ALL, "no quorum"),
        (good, policy_of("all", ALICE), "bob.example is not one"),
        (good + ALICE.cosign(ledger.checkpoint().body, AT, [0x04]), ALL, "twice"),
        (wrong_last_signature(good), ALL, "is wrong"),
    ):
        with pytest.raises(BadNote, match=why):
            ledger.keep_witnessed(text, policy)
    for head in (
        TreeHead(signer.name, 6, bytes(32)),
        TreeHead(signer.name, 5, bytes(32)),
        TreeHead("ledger.example/other", 5, ledger.checkpoint().root),
    ):
        with pytest.raises(BrokenLedger):
            ledger.keep_witnessed(signer.sign(head.text) + ALICE.cosign(head.text, AT))
    assert not [name for name in store.objects if "witnessed" in name]


@pytest.mark.usefixtures("watched")
def test_a_witnessed_file_must_be_of_this_log_its_size_and_a_known_policy(
    store: MemoryStore, signer: Signer
) -> None:
    base = dict(store.objects)
    fork = TreeHead(signer.name, 7, bytes(32))
    moved = {"log/witnessed/5": base["log/witnessed/4"]}
    forked = signer.sign(fork.text) + ALICE.cosign(fork.text, AT) + BOB.cosign(fork.text, AT)
    beyond = TreeHead(signer.name, 301, bytes(32))
    ahead = signer.sign(beyond.text) + ALICE.cosign(beyond.text, AT)
    for changes, why in (
        (moved, "log/witnessed/5 is of 4 entries"),
        ({"log/witnessed/7": forked.encode()}, "different histories"),
        ({"log/witnessed/301": ahead.encode()}, "rolled back"),
        ({"log/witnessed/4": b""}, "log/witnessed/4"),
        ({"log/witnessed/04": base["log/witnessed/4"]}, "not a file of a ledger"),
        ({"log/witnessed/4/x": b"x"}, "not a file of a ledger"),
    ):
        store.objects = {**base, **changes}
        with pytest.raises(BrokenLedger, match=why):
            verify(store, signer.vkeys)
    store.objects = base
    carol = policy_of("all", Cosigner.generate("carol.example"))
    with pytest.raises(BrokenLedger, match="alice\\.example is not one of the keys"):
        verify(store, signer.vkeys, carol)
    assert verify(store, signer.vkeys, carol, earlier=[ALL]).size == 300


@pytest.mark.usefixtures("watched")
def test_time_stamps_are_known_by_name_and_place(store: MemoryStore, signer: Signer) -> None:
    base = dict(store.objects)
    one, two = "log/timestamps/4/1-freetsa.tsr", "log/timestamps/4/2-digicert.tsr"
    for names in ((one,), (one, two), (one, "log/timestamps/300/1-a.tsr")):
        store.objects = {**base, **dict.fromkeys(names, b"x")}
        assert verify(store, signer.vkeys).size == 300
    for names in (
        (two,),
        (one, "log/timestamps/4/1-digicert.tsr"),
        (one, "log/timestamps/4/3-a.tsr"),
        ("log/timestamps/301/1-a.tsr",),
        ("log/timestamps/4/0-a.tsr",),
        ("log/timestamps/4/1-A.tsr",),
        ("log/timestamps/4/1-a",),
        ("log/timestamps/04/1-a.tsr",),
        ("log/timestamps/1-a.tsr",),
    ):
        store.objects = {**base, **dict.fromkeys(names, b"x")}
        with pytest.raises(BrokenLedger, match="log/timestamps/"):
            verify(store, signer.vkeys)


def test_an_index_beyond_the_log_has_no_proof(watched: Ledger) -> None:
    with pytest.raises(BadInput):
        watched.prove(300, ALL)
