from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from otium.errors import BadInput, BrokenLedger, LedgerError, StoreUnreachable, WitnessRefused
from otium.ledger import Ledger, read_checkpoint, verify
from otium.notes import Cosigner, Signer, WitnessPolicy, open_note, read_policy
from otium.records import Instant
from otium.testing import FixedClock, MemoryStore
from otium.witness import Witness, ask, ask_witness, background, mirror
from witness.servers import liar, served
from witness.small import ORIGIN, SmallLog, entries

MakeWitness = Callable[..., Witness]


def policy_of(*places: tuple[str, str], quorum: str = "all") -> WitnessPolicy:
    lines = [f"witness W{n} {vkey} {url}" for n, (vkey, url) in enumerate(places)]
    members = " ".join(f"W{n}" for n in range(len(places)))
    return read_policy("\n".join([*lines, f"group G {quorum} {members}", "quorum G", ""]))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ledger(store: MemoryStore, log_signer: Signer) -> Ledger:
    made = Ledger.create(store, log_signer, origin=ORIGIN)
    made.append(*entries(5))
    return made


@pytest.fixture
def two(make_witness: MakeWitness, log_signer: Signer) -> Iterator[list[tuple[Witness, str]]]:
    made = [
        make_witness(*log_signer.vkeys, folder=f"w{n}", name=f"witness.example/{n}")
        for n in range(2)
    ]
    with ExitStack() as stack:
        yield [(one, stack.enter_context(background(one))) for one in made]


def test_a_quorum_is_asked_for_and_kept(
    ledger: Ledger, store: MemoryStore, two: list[tuple[Witness, str]], log_signer: Signer
) -> None:
    policy = policy_of(*[(one.vkeys[0], url) for one, url in two])
    for size in (5, 12, 12):
        asked = ask(ledger, policy)
        assert (asked.size, asked.met, asked.kept) == (size, True, f"log/witnessed/{size}")
        assert [one.why for one in asked.answers] == ["", ""]
        kept = read_checkpoint(store.get(asked.kept).decode(), log_signer.vkeys, policy.vkeys)
        assert len(kept.cosignatures) == 2
        assert "quorum met" in str(asked)
        ledger.append(*entries(12 - ledger.size, 100))
    assert verify(store, log_signer.vkeys, policy).size == 12


def test_both_keys_of_a_witness_are_asked_for_at_once(
    ledger: Ledger, two: list[tuple[Witness, str]]
) -> None:
    policy = policy_of(*[(vkey, url) for one, url in two for vkey in one.vkeys])
    asked = ask(ledger, policy)
    assert [one.witness for one in asked.answers] == ["W0, W1", "W2, W3"]
    assert asked.met


def test_a_witness_that_is_down_or_silent_is_reported_and_holds_up_nobody(
    ledger: Ledger, two: list[tuple[Witness, str]]
) -> None:
    stranger = Cosigner.generate("witness.example/down").vkeys[0]
    silent = Cosigner.generate("witness.example/silent").vkeys[0]
    good = [(one.vkeys[0], url) for one, url in two]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mute = f"http://127.0.0.1:{listener.getsockname()[1]}"
        places = [(stranger, "http://127.0.0.1:1"), (silent, mute), *good]
        asked = ask(ledger, policy_of(*places, quorum="2"), patience=0.3)
    assert asked.met
    assert [bool(one.why) for one in asked.answers] == [True, True, False, False]
    assert "cannot be reached" in asked.answers[0].why


def test_without_the_quorum_nothing_is_kept(
    ledger: Ledger, store: MemoryStore, two: list[tuple[Witness, str]]
) -> None:
    down = Cosigner.generate("witness.example/down").vkeys[0]
    asked = ask(ledger, policy_of((down, "http://127.0.0.1:1"), (two[0][0].vkeys[0], two[0][1])))
    assert (asked.met, asked.kept) == (False, "")
    assert not list(store.list("log/witnessed/"))
    assert "NOT met" in str(asked)


def cosign(ledger: Ledger, cosigner: Cosigner, text: str | None = None) -> str:
    body = ledger.checkpoint().body if text is None else text
    return cosigner.cosign(body, Instant("2026-01-01T00:00:00Z"))


def test_wrong_answers_are_refused(ledger: Ledger) -> None:
    known, other = Cosigner.generate("witness.example/w"), Cosigner.generate("witness.example/w")
    right = cosign(ledger, known)
    wrong = cosign(ledger, known, ledger.checkpoint().body.replace("\n5\n", "\n6\n"))
    size = "text/x.tlog.size"
    said: list[tuple[int, str, str]] = [
        (200, "text/plain", cosign(ledger, other)),  # a key that is not known
        (200, "text/plain", wrong),  # signatures over something else
        (200, "text/plain", right + wrong),
        (200, "text/plain", ""),
        (200, "text/plain", "thank you\n"),
        (200, "text/plain", right[:-1]),
        (409, size, "six\n"),
        (409, size, "3"),
        (409, size, "6\n"),  # larger than this log
        (409, size, "3\n"),  # for ever
        (409, "text/plain", "another tree\n"),
        (500, "text/plain", "no\n"),
        (302, "text/plain", "elsewhere\n"),
    ]
    for answer in said:
        with liar(lambda _, answer=answer: answer) as url, pytest.raises(WitnessRefused):  # type: ignore[misc]
            ask_witness(url, known.vkeys, ledger.checkpoint(), ledger.consistency)
    with liar(lambda _: (200, "text/plain", right)) as url:
        assert len(ask_witness(url, known.vkeys, ledger.checkpoint(), ledger.consistency)) == 2


def test_lines_of_unknown_keys_are_passed_over(ledger: Ledger, store: MemoryStore) -> None:
    known, other = Cosigner.generate("witness.example/w"), Cosigner.generate("witness.example/x")
    lines = cosign(ledger, other) + cosign(ledger, known) * 2
    with liar(lambda _: (200, "text/plain", lines)) as url:
        asked = ask(ledger, policy_of((known.vkeys[0], url)))
    assert asked.met
    assert other.name not in store.get(asked.kept).decode()


def test_an_answer_without_end_is_refused(ledger: Ledger) -> None:
    vkeys = Cosigner.generate("witness.example/w").vkeys
    with (
        liar(lambda _: (200, "text/plain", "x" * 1_000_000)) as url,
        pytest.raises(StoreUnreachable, match="answers more than"),
    ):
        ask_witness(url, vkeys, ledger.checkpoint(), ledger.consistency)


def test_a_split_view_is_caught_by_one_honest_witness(
    two: list[tuple[Witness, str]], log_signer: Signer
) -> None:
    """A log shows two histories; the witness cosigns one, so nobody believes the other."""
    honest, url = two[0]
    policy = policy_of((honest.vkeys[0], url))
    common = entries(3)
    shown, hidden = MemoryStore(), MemoryStore()
    for store, who in ((shown, "alder"), (hidden, "birch")):
        ledger = Ledger.create(store, log_signer, origin=ORIGIN)
        ledger.append(*common, *entries(4, 10, who))
    one, other = (Ledger.open(store, vkeys=log_signer.vkeys) for store in (shown, hidden))

    assert ask(one, policy).met
    refused = ask(other, policy)
    assert not refused.met
    assert "409" in refused.answers[0].why

    (fork,) = honest.forks()
    texts = {open_note(note, log_signer.vkeys).text for note in (fork.cosigned, fork.refused)}
    assert texts == {one.checkpoint().body, other.checkpoint().body}

    copy = MemoryStore()
    assert mirror_of(shown, copy, log_signer, policy) == 7
    with pytest.raises(LedgerError, match="No quorum"):
        mirror_of(hidden, MemoryStore(), log_signer, policy)
    hidden.put("log/witnessed/7", shown.get("log/witnessed/7"))  # nor can it be moved over
    with pytest.raises(BrokenLedger):
        verify(hidden, log_signer.vkeys, policy)


def test_a_longer_branch_is_refused_too(
    two: list[tuple[Witness, str]], log_signer: Signer, log: SmallLog
) -> None:
    honest, url = two[0]
    honest.add(log.ask(0, 7))
    store = MemoryStore()
    ledger = Ledger.create(store, log_signer, origin=ORIGIN)
    ledger.append(*entries(9))
    asked = ask(ledger, policy_of((honest.vkeys[0], url)))
    assert not asked.met
    assert "422" in asked.answers[0].why


def test_a_copy_that_is_behind_says_so(
    ledger: Ledger, two: list[tuple[Witness, str]], store: MemoryStore, log_signer: Signer
) -> None:
    policy = policy_of((two[0][0].vkeys[0], two[0][1]))
    old = MemoryStore()
    for name in store.list():
        old.put(name, store.get(name))
    ledger.append(*entries(1, 100))
    ask(ledger, policy)
    asked = ask(Ledger.open(old, vkeys=log_signer.vkeys), policy)
    assert "is this copy behind?" in asked.answers[0].why


def mirror_of(source: MemoryStore, into: MemoryStore, signer: Signer, policy: WitnessPolicy) -> int:
    with served(source) as url:
        return mirror(url, into, signer.vkeys, policy).size


def test_a_policy_without_addresses_asks_nobody(ledger: Ledger, clock: FixedClock) -> None:
    vkey = Cosigner.generate("witness.example/w").vkeys[0]
    asked = ask(ledger, read_policy(f"witness W {vkey}\nquorum W\n"))
    assert (asked.answers, asked.met) == ((), False)
    with pytest.raises(BadInput):
        read_policy("quorum W\n")
    assert clock.now()


def test_a_witness_whose_address_is_none_is_reported(ledger: Ledger) -> None:
    for host in ("a" * 300, "é..é", "host:99999"):
        with pytest.raises(StoreUnreachable):
            ask_witness(f"https://{host}", [], ledger.checkpoint(), ledger.consistency)
