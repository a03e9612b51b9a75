from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from otium.errors import BadInput, NoSigningKey
from otium.ledger.merkle import check_consistency
from otium.notes import COSIGNATURE, MLDSA44, Signer, open_note, read_head, split_note
from otium.testing import FixedClock
from otium.witness import (
    Witness,
    known_logs,
    open_witness,
    read_submission,
    write_submission,
)
from otium.witness.state import State
from witness.small import NAME, ORIGIN, SmallLog, sha256

# The example of the C2SP text.
SPEC = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa {}
— example.com/behind-the-sofa {}
""".format(
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=",
    "opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=",
)


def test_a_first_tree_is_cosigned_with_both_kinds_of_key(witness: Witness, log: SmallLog) -> None:
    answer = witness.add(log.ask(0))
    opened = open_note(log.note() + answer.body, witness.vkeys)
    assert answer.status == 200
    assert [one.key.kind for one in opened.signatures] == [COSIGNATURE, MLDSA44]
    assert {one.seconds for one in opened.signatures} == {1767225600}


def test_a_tree_that_continues_the_last_is_cosigned(witness: Witness, log: SmallLog) -> None:
    assert [witness.add(log.ask(old, new)).status for old, new in [(0, 3), (3, 3), (3, 10)]] == [
        200,
        200,
        200,
    ]
    assert witness.sizes() == {ORIGIN: 10}


def test_the_example_of_the_specification_is_read() -> None:
    asked = read_submission(SPEC.encode())
    assert (asked.old, len(asked.proof)) == (20852014, 4)
    assert read_head(split_note(asked.note)[0]).size == 20852163
    assert write_submission(*asked) == SPEC.encode()


def test_a_log_that_is_not_known_is_404(witness: Witness) -> None:
    assert witness.add(SmallLog(Signer.generate("log.example/b")).ask(0)).status == 404


def test_a_log_signed_by_another_key_is_403(witness: Witness) -> None:
    assert witness.add(SmallLog(Signer.generate(ORIGIN)).grow(2).ask(0)).status == 403


def test_a_wrong_signature_of_a_known_key_is_403(witness: Witness, log: SmallLog) -> None:
    note = log.note().replace(f"\n{log.size}\n", "\n11\n", 1)
    assert witness.add(write_submission(0, [], note)).status == 403


def test_an_old_size_beyond_the_checkpoint_is_400(witness: Witness, log: SmallLog) -> None:
    assert witness.add(write_submission(11, [], log.note())).status == 400


def test_an_old_size_that_is_not_the_last_is_409_with_the_last(
    witness: Witness, log: SmallLog
) -> None:
    witness.add(log.ask(0, 7))
    for old in (0, 6, 8):
        answer = witness.add(log.ask(old, 10))
        assert (answer.status, answer.body, answer.kind) == (409, "7\n", "text/x.tlog.size")


def test_a_proof_that_does_not_verify_is_422(witness: Witness, log: SmallLog) -> None:
    proof = log.proof(7)
    witness.add(log.ask(0, 7))
    for bad in ([], proof[:-1], [*proof, bytes(32)], [bytes(32), *proof[1:]], proof[::-1]):
        assert witness.add(write_submission(7, bad, log.note())).status == 422
    assert witness.sizes() == {ORIGIN: 7}


def test_a_first_tree_needs_an_empty_proof(witness: Witness, log: SmallLog) -> None:
    assert witness.add(write_submission(0, [bytes(32)], log.note())).status == 422


def test_an_empty_tree_has_the_empty_root(witness: Witness, log_signer: Signer) -> None:
    head = SmallLog(log_signer).head()._replace(root=bytes(32))
    assert witness.add(write_submission(0, [], log_signer.sign(head.text))).status == 409
    assert witness.add(SmallLog(log_signer).ask(0)).status == 200


def test_another_tree_of_the_same_size_is_409_and_kept_as_evidence(
    witness: Witness, log: SmallLog
) -> None:
    other = log.fork(4).grow(6, "other")
    witness.add(log.ask(0))
    asked = [witness.add(other.ask(old)) for old in (10, 0, 10)]
    (fork,) = witness.forks()
    assert [(one.status, one.kind[:11]) for one in asked] == [
        (409, "text/plain;"),
        (409, "text/x.tlog"),
        (409, "text/plain;"),
    ]
    roots = [read_head(split_note(note)[0]).root for note in (fork.cosigned, fork.refused)]
    assert roots == [log.head().root, other.head().root]
    assert all(open_note(n, log.signer.vkeys).signatures for n in (fork.cosigned, fork.refused))
    assert (fork.origin, fork.size) == (ORIGIN, 10)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[:0],
        lambda body: body[:-1],
        lambda body: body.replace(b"old 7", b"old 07"),
        lambda body: body.replace(b"old 7", b"old  7"),
        lambda body: body.replace(b"old 7", b"old -7"),
        lambda body: body.replace(b"old 7", b"OLD 7"),
        lambda body: body.replace(b"old 7", b"old 9999999999999999999"),
        lambda body: body.replace(b"old 7", b"old 9223372036854775808"),
        lambda body: body.replace(b"old 7\n", b"old 7\r\n"),
        lambda body: body.replace(b"old 7\n", "old \u0667\n".encode()),
        lambda body: body.replace(b"old 7\n", b"old 7\n\n"),
        lambda body: body.replace(b"old 7\n", b"old 7\n" + b"A" * 43 + b"\n"),
        lambda body: body.replace(b"old 7\n", b"old 7\n" + b"A" * 42 + b"B=\n"),
        lambda body: body.replace(b"old 7\n", b"old 7\n" + (b"A" * 43 + b"=\n") * 64),
        lambda body: body.replace(b"old 7\n", b"old 7\n\xff\n"),
        lambda body: body.partition(b"\n\n")[0] + b"\n\n",
        lambda body: body + b"\n",
        lambda body: body + b"extra",
    ],
)
def test_a_malformed_request_is_400(
    witness: Witness, log: SmallLog, change: Callable[[bytes], bytes]
) -> None:
    assert witness.add(change(log.ask(7))).status == 400


def test_sixty_three_hashes_are_read(witness: Witness, log: SmallLog) -> None:
    witness.add(log.ask(0, 7))
    assert witness.add(write_submission(7, [bytes(32)] * 63, log.note())).status == 422


def test_extension_lines_and_unknown_signatures_are_no_hindrance(
    witness: Witness, log: SmallLog
) -> None:
    head = log.head()._replace(extensions=("anything",))
    stranger = Signer.generate("stranger.example").sign(head.text).rpartition("\n\n")[2]
    answer = witness.add(write_submission(0, [], log.signer.sign(head.text) + stranger))
    assert answer.status == 200
    assert open_note(f"{head.text}\n{answer.body}", witness.vkeys, strict=True).signatures
    assert "stranger" not in str(witness.checkpoint(sha256(ORIGIN)))


def test_many_logs_are_kept_apart(make_witness: Callable[..., Witness]) -> None:
    logs = [SmallLog(Signer.generate(f"log.example/{n}")).grow(n + 1) for n in range(20)]
    witness = make_witness(*[vkey for log in logs for vkey in log.signer.vkeys])
    assert {witness.add(log.ask(0)).status for log in logs} == {200}
    assert list(witness.sizes().values()) == list(range(1, 21))
    for log in logs:
        note = witness.checkpoint(sha256(log.signer.name))
        assert note is not None
        assert read_head(open_note(note, log.signer.vkeys).text) == log.head()


def test_a_log_may_rotate_its_keys(make_witness: Callable[..., Witness]) -> None:
    old, new = Signer.generate(ORIGIN), Signer.generate(ORIGIN)
    witness = make_witness(*old.vkeys, *new.vkeys)
    log = SmallLog(old).grow(4)
    assert witness.add(log.ask(0)).status == 200
    log.signer = new
    assert witness.add(log.grow(4).ask(4)).status == 200
    assert make_witness(*new.vkeys).add(log.ask(8)).status == 200
    log.signer = old
    assert make_witness(*new.vkeys).add(log.ask(8)).status == 403


def test_its_times_never_run_backwards(witness: Witness, log: SmallLog, clock: FixedClock) -> None:
    first = witness.add(log.ask(0, 5))
    clock.move_to("2025-01-01T00:00:00Z")
    second = witness.add(log.ask(5))
    times = [
        open_note(log.note(size) + answer.body, witness.vkeys).signatures[0].seconds
        for size, answer in ((5, first), (10, second))
    ]
    assert times[0] == times[1]


def test_it_remembers_and_keeps_its_key(
    make_witness: Callable[..., Witness], log: SmallLog
) -> None:
    first = make_witness(*log.signer.vkeys)
    first.add(log.ask(0, 6))
    again = make_witness(*log.signer.vkeys)
    assert again.vkeys == first.vkeys
    assert again.add(log.ask(0)).body == "6\n"


def test_a_lost_key_or_another_name_is_refused(
    make_witness: Callable[..., Witness], log: SmallLog, tmp_path: Path
) -> None:
    make_witness(*log.signer.vkeys)
    with pytest.raises(BadInput):
        make_witness(*log.signer.vkeys, name="witness.example/other")
    (tmp_path / "witness" / "witness.key").unlink()
    with pytest.raises(NoSigningKey):
        make_witness(*log.signer.vkeys)
    with pytest.raises(NoSigningKey):
        open_witness(tmp_path / "nowhere", {})


def test_of_many_that_race_one_history_comes_out(
    make_witness: Callable[..., Witness], log: SmallLog
) -> None:
    """Two branches are pushed by many at once, through several witnesses over one memory."""
    branches = [log.fork(4).grow(60, salt) for salt in "ab"]
    witnesses = [make_witness(*log.signer.vkeys) for _ in range(3)]

    def push(number: int) -> list[tuple[SmallLog, int]]:
        branch, witness, old, won = branches[number % 2], witnesses[number % 3], 0, []
        for size in range(5 + number % 3, 60, 3):
            answer = witness.add(branch.ask(min(old, size), size))
            if answer.status == 409 and answer.kind == "text/x.tlog.size":
                old = int(answer.body)
                answer = witness.add(branch.ask(min(old, size), size))
            if answer.status == 200:
                won.append((branch, size))
                old = size
        return won

    with ThreadPoolExecutor(8) as pool:
        won = [one for part in pool.map(push, range(16)) for one in part]
    assert len({id(branch) for branch, _ in won}) == 1
    assert witnesses[0].sizes()[ORIGIN] == max(size for _, size in won)


def test_its_memory_is_synced_at_every_commit(tmp_path: Path) -> None:
    state = State(tmp_path / "witness.sqlite")
    with state.turn() as turn:
        connection = turn._connection
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous")
        ]
    state.close()
    assert found == ["wal", 2]


def test_what_a_turn_that_fails_has_written_is_forgotten(
    witness: Witness, log: SmallLog, tmp_path: Path
) -> None:
    witness.add(log.ask(0, 5))
    state = State(tmp_path / "witness" / "witness.sqlite")
    ((origin, seen),) = state.latest()
    with pytest.raises(ZeroDivisionError), state.turn() as turn:  # noqa: PT012
        turn.keep(origin, replace(seen, size=7))
        raise ZeroDivisionError
    state.close()
    assert witness.sizes() == {ORIGIN: 5}


def test_it_never_goes_back(witness: Witness, log: SmallLog) -> None:
    witness.add(log.ask(0))
    for old in range(11):
        for size in range(old, 10):
            assert witness.add(log.ask(old, size)).status == 409
    assert witness.sizes() == {ORIGIN: 10}


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_mutated_request_gets_an_inconsistent_tree_cosigned(
    data: st.DataObject, witness: Witness, log: SmallLog
) -> None:
    if witness.sizes()[ORIGIN] is None:
        witness.add(log.ask(0, 5))
    last = witness.checkpoint(sha256(ORIGIN))
    assert last is not None
    before = read_head(split_note(last)[0])
    other = log.fork(3).grow(9, "other")
    body = bytearray(data.draw(st.sampled_from([log.ask(5, 9), other.ask(5, 9), log.ask(5, 5)])))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(body)))
        match data.draw(st.sampled_from("fids")):
            case "f" if at < len(body):
                body[at] ^= 1 << data.draw(st.integers(0, 7))
            case "i":
                body[at:at] = data.draw(st.binary(min_size=1, max_size=70))
            case "d":
                del body[at : at + data.draw(st.integers(1, 70))]
            case _:
                body[at:at] = body[data.draw(st.integers(0, len(body))) :][:90]
    answer = witness.add(bytes(body))
    assert answer.status in {200, 400, 403, 404, 409, 422}
    if answer.status == 200:
        text = split_note(bytes(body).decode().partition("\n\n")[2])[0]
        assert text in {log.head(5).text, log.head(9).text}
        assert open_note(f"{text}\n{answer.body}", witness.vkeys)
    else:
        assert "— " not in answer.body
    now = witness.checkpoint(sha256(ORIGIN))
    assert now is not None
    after = read_head(split_note(now)[0])
    assert after.size >= before.size
    check_consistency(
        before.size, after.size, before.root, after.root, log.proof(before.size, after.size)
    )


@given(body=st.binary(max_size=300))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_at_all_are_400(witness: Witness, body: bytes) -> None:
    assert witness.add(body).status == 400


def test_keys_are_grouped_by_origin() -> None:
    one, two = Signer.generate("a.example"), Signer.generate("b.example")
    assert known_logs([*one.vkeys, *two.vkeys]) == {"a.example": one.vkeys, "b.example": two.vkeys}


def test_a_key_that_is_none_is_refused(make_witness: Callable[..., Witness]) -> None:
    with pytest.raises(Exception, match="verifier key"):
        make_witness("log.example/a+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode())


def test_names_are_plain(witness: Witness) -> None:
    assert witness.name == NAME
