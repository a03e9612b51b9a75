from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otium.errors import BadData, BadTimestamp, BrokenLedger
from otium.ledger import Entry, Ledger, verify
from otium.notes import Cosigner, Signer, read_policy
from otium.records import Actor, Instant, instant, later
from otium.testing import MemoryStore
from otium.timestamps import (
    Authority,
    check_stamps,
    due,
    read_authorities,
    renew,
    renew_due,
    stamp,
)
from otium.timestamps.authority import request_token
from timestamps.authority import Tsa

ORIGIN = "log.example/a"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer.generate(ORIGIN)


@pytest.fixture(scope="module")
def tsas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Tsa]]:
    folder = tmp_path_factory.mktemp("tsas")
    made = [Tsa(folder / "alpha"), Tsa(folder / "beta", days=700)]
    with ExitStack() as stack:
        for tsa in made:
            stack.enter_context(tsa.serving())
        yield made


@pytest.fixture
def both(tsas: list[Tsa]) -> list[Authority]:
    for tsa in tsas:
        tsa.change = bytes
    return [tsa.authority for tsa in tsas]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ledger(store: MemoryStore, signer: Signer) -> Ledger:
    made = Ledger.create(store, signer, origin=ORIGIN)
    made.append(*entries(0, 5))
    return made


def entries(start: int, count: int) -> list[Entry]:
    return [
        Entry(
            type="heartbeat",
            time=later(Instant("2026-01-01T00:00:00Z"), seconds=start + number),
            actor=Actor("steward"),
            subject="smol",
        )
        for number in range(count)
    ]


def test_each_authority_stamps_the_newest_checkpoint_once(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority]
) -> None:
    done = stamp(store, signer.vkeys, both)
    assert done.kept == ("log/timestamps/5/1-alpha.tsr", "log/timestamps/5/2-beta.tsr")
    assert (done.size, done.missing) == (5, ())
    assert stamp(store, signer.vkeys, both).kept == ()
    stamps = check_stamps(store, signer.vkeys, both)
    assert [(one.size, one.number, one.authority) for one in stamps] == [
        (5, 1, "alpha"),
        (5, 2, "beta"),
    ]
    now = instant(datetime.now(UTC))
    assert all(later(now, seconds=-60) <= one.time <= later(now, seconds=5) for one in stamps)
    assert verify(store, signer.vkeys).size == ledger.size
    assert "kept log/timestamps/5/1-alpha.tsr" in str(done)
    assert "alpha at 20" in str(stamps[0])


def test_stamps_of_many_sizes_verify_after_the_log_has_grown(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority]
) -> None:
    stamp(store, signer.vkeys, both)
    for size in (6, 300, 700):
        Ledger.open(store, vkeys=signer.vkeys, signer=signer).append(
            *entries(ledger.size, size - ledger.size)
        )
        stamp(store, signer.vkeys, both[:1])
    assert [one.size for one in check_stamps(store, signer.vkeys, both)] == [5, 5, 6, 300, 700]


def test_the_newest_witnessed_checkpoint_goes_before_a_newer_one(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority]
) -> None:
    cosigner = Cosigner.generate("witness.example/w")
    policy = read_policy(f"witness W {cosigner.vkeys[1]}\nquorum W\n")
    point = ledger.checkpoint()
    line = cosigner.cosign(point.body, Instant("2026-01-01T00:00:00Z")).splitlines(keepends=True)[1]
    ledger.keep_witnessed(point.text + line, policy)
    ledger.append(*entries(10, 4))
    assert stamp(store, signer.vkeys, both).size == 5
    assert len(check_stamps(store, signer.vkeys, both)) == 2


def test_openssl_verifies_what_is_kept(
    ledger: Ledger, store: MemoryStore, signer: Signer, tsas: list[Tsa], tmp_path: Path
) -> None:
    tsas[0].change = bytes
    stamp(store, signer.vkeys, [tsas[0].authority])
    (tmp_path / "body").write_text(ledger.checkpoint().body)
    (tmp_path / "token").write_bytes(store.get("log/timestamps/5/1-alpha.tsr"))
    command = ["openssl", "ts", "-verify", "-in", "token", "-data", "body", "-CAfile"]
    root = str(tsas[0].folder / "root.pem")
    said = subprocess.run(
        [*command, root], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "Verification: OK" in said.stdout


def test_a_renewal_covers_all_tokens_before_it(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority], tmp_path: Path
) -> None:
    stamp(store, signer.vkeys, both)
    renewed = renew(store, signer.vkeys, both, 5)
    assert renewed.kept == (
        "log/timestamps/5/3-alpha.tsr",
        "log/timestamps/5/4-beta.tsr",
    )
    assert [one.number for one in check_stamps(store, signer.vkeys, both)] == [1, 2, 3, 4]
    names = sorted(store.list("log/timestamps/5/"))
    data = ledger.checkpoint().body.encode() + b"".join(store.get(name) for name in names[:3])
    (tmp_path / "data").write_bytes(data)
    (tmp_path / "token").write_bytes(store.get(names[3]))
    (tmp_path / "root").write_bytes(both[1].certificates)
    command = ["openssl", "ts", "-verify", "-in", "token", "-data", "data", "-CAfile", "root"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    with pytest.raises(BadTimestamp, match="none to renew"):
        renew(store, signer.vkeys, both, 4)


def test_a_renewal_is_due_before_the_last_certificate_expires(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority]
) -> None:
    assert ledger.size == 5
    stamp(store, signer.vkeys, both)
    stamps = check_stamps(store, signer.vkeys, both)
    assert stamps[0].expires < stamps[1].expires
    assert due(stamps, later(stamps[1].expires, days=-91)) == []
    assert due(stamps, later(stamps[1].expires, days=-89)) == [5]
    assert due(stamps[:1], later(stamps[0].expires, days=-5), days=4) == []


def test_what_is_due_is_renewed_and_nothing_else(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority]
) -> None:
    stamp(store, signer.vkeys, both[:1])
    ledger.append(*entries(10, 1))
    stamp(store, signer.vkeys, both[1:])
    soon = later(instant(datetime.now(UTC)), days=300)
    (done,) = renew_due(store, signer.vkeys, both, soon)
    assert (done.size, len(done.kept)) == (5, 2)
    assert renew_due(store, signer.vkeys, both, soon) == []
    assert renew_due(store, signer.vkeys, both, later(soon, days=9999)) == []  # too late for all


def test_a_token_that_was_tampered_with_is_refused(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority]
) -> None:
    """Each byte in turn; those few that no signature covers change nothing of what is said."""
    assert ledger.size == 5
    (name,) = stamp(store, signer.vkeys, both[:1]).kept
    good, said = store.get(name), check_stamps(store, signer.vkeys, both)
    passed = 0
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1 << place % 8
        store.replace(name, bad)
        try:
            assert check_stamps(store, signer.vkeys, both) == said
            passed += 1
        except BadTimestamp:
            continue
    assert passed <= 16
    for worse in (good[:-1], good + b"\0", b"", b"\x30\x00", base64.b64encode(good)):
        store.replace(name, worse)
        with pytest.raises(BadTimestamp, match=re.escape(name)):
            check_stamps(store, signer.vkeys, both)


def test_tokens_that_change_places_are_refused(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority]
) -> None:
    stamp(store, signer.vkeys, both)
    ledger.append(*entries(10, 3))
    stamp(store, signer.vkeys, both)
    names = list(store.list("log/timestamps/"))
    good = {name: store.get(name) for name in names}
    for one in names:
        for other in names:
            if one != other:
                store.replace(one, good[other])
                with pytest.raises(BadTimestamp):
                    check_stamps(store, signer.vkeys, both)
                store.replace(one, good[one])
    assert len(check_stamps(store, signer.vkeys, both)) == 4


def test_a_token_for_a_size_that_the_log_has_not_is_refused(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority]
) -> None:
    assert ledger.size == 5
    (name,) = stamp(store, signer.vkeys, both[:1]).kept
    for place in ("4/1-alpha", "0/1-alpha", "9/1-alpha", "5/3-alpha", "5/1-beta", "05/1-x", "5/x"):
        wrong = f"log/timestamps/{place}.tsr"
        store.put(wrong, store.get(name))
        with pytest.raises(BadTimestamp):
            check_stamps(store, signer.vkeys, both)
        del store.objects[wrong]
    assert check_stamps(store, signer.vkeys, both)


def test_a_token_of_another_history_is_refused(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority]
) -> None:
    assert ledger.size == 5
    (name,) = stamp(store, signer.vkeys, both[:1]).kept
    other = MemoryStore()
    Ledger.create(other, signer, origin=ORIGIN).append(*entries(1, 5))
    other.put(name, store.get(name))
    with pytest.raises(BadTimestamp):
        check_stamps(other, signer.vkeys, both)
    store.replace("log/checkpoint", other.get("log/checkpoint"))
    with pytest.raises(BrokenLedger):
        check_stamps(store, signer.vkeys, both)


def test_a_token_under_another_root_is_refused(
    ledger: Ledger, store: MemoryStore, signer: Signer, tsas: list[Tsa], tmp_path: Path
) -> None:
    assert ledger.size == 5
    tsas[0].change = bytes
    stamp(store, signer.vkeys, [tsas[0].authority])
    with Tsa(tmp_path / "alpha").serving() as false:
        with pytest.raises(BadTimestamp):
            check_stamps(store, signer.vkeys, [false])
        with pytest.raises(BadTimestamp, match="not one of those trusted"):
            check_stamps(store, signer.vkeys, [tsas[1].authority])
        real = tsas[1].authority
        mixed = Authority(name="gamma", url=false.url, certificates=real.certificates)
        done = stamp(store, signer.vkeys, [tsas[0].authority, mixed])
    assert done.kept == ()
    assert [one.authority for one in done.missing] == ["gamma"]
    assert "no token from gamma" in str(done)


def test_a_token_from_after_its_certificate_ended_is_refused(
    ledger: Ledger, store: MemoryStore, signer: Signer, tmp_path: Path
) -> None:
    assert ledger.size == 5
    with Tsa(tmp_path / "late", days=-1).serving() as late:
        assert "expired" in _refused(store, signer, late)


def _refused(store: MemoryStore, signer: Signer, authority: Authority) -> str:
    done = stamp(store, signer.vkeys, [authority])
    assert done.kept == ()
    (one,) = done.missing
    return one.why


def test_a_reply_to_another_request_is_refused(
    ledger: Ledger, store: MemoryStore, signer: Signer, tsas: list[Tsa], both: list[Authority]
) -> None:
    (name,) = stamp(store, signer.vkeys, both[:1]).kept
    old = store.get(name)
    ledger.append(*entries(10, 1))
    for change in (lambda _: old, lambda new: new[:-1], lambda _: b"", lambda _: bytes(1 << 20)):
        tsas[0].change = change
        assert "alpha" in _refused(store, signer, both[0])


def test_an_authority_that_refuses_or_is_down_is_reported_and_the_others_asked(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority], tmp_path: Path
) -> None:
    assert ledger.size == 5
    certificates = both[0].certificates
    down = Authority(name="down", url="http://127.0.0.1:1/", certificates=certificates)
    nowhere = Authority(name="nowhere", url="http://[", certificates=certificates)
    retired = Authority(name="retired", certificates=certificates)
    with Tsa(tmp_path / "picky", digests="sha512").serving() as picky:
        done = stamp(store, signer.vkeys, [down, nowhere, picky, retired, both[1]])
    assert done.kept == ("log/timestamps/5/1-beta.tsr",)
    assert [one.authority for one in done.missing] == ["down", "nowhere", "picky"]
    assert "status 2" in done.missing[2].why


def test_a_token_is_judged_at_its_own_time(
    ledger: Ledger, store: MemoryStore, signer: Signer, tmp_path: Path
) -> None:
    assert ledger.size == 5
    with Tsa(tmp_path / "old", now=-1000).serving() as old:
        stamp(store, signer.vkeys, [old])
    (one,) = check_stamps(store, signer.vkeys, [old])
    assert one.time < one.expires < instant(datetime.now(UTC))
    assert due([one], instant(datetime.now(UTC))) == [5]


def test_a_chain_that_was_renewed_in_time_outlives_its_first_certificate(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority], tmp_path: Path
) -> None:
    assert ledger.size == 5
    old, after = Tsa(tmp_path / "old", now=-1000), Tsa(tmp_path / "after", now=-700, days=900)
    with old.serving() as first, after.serving() as second:
        known = [first, second, both[0]]
        stamp(store, signer.vkeys, [first])
        renew(store, signer.vkeys, known, 5)
    stamps = check_stamps(store, signer.vkeys, known)
    assert [one.authority for one in stamps] == ["old", "old", "after", "alpha"]
    assert due(stamps[:2], instant(datetime.now(UTC))) == [5]
    assert due(stamps, instant(datetime.now(UTC))) == []


def test_a_renewal_that_comes_too_late_is_not_kept_and_not_believed(
    ledger: Ledger, store: MemoryStore, signer: Signer, both: list[Authority], tmp_path: Path
) -> None:
    with Tsa(tmp_path / "old", now=-1000).serving() as old:
        stamp(store, signer.vkeys, [old])
    known = [Authority(name="old", certificates=old.certificates), both[0]]
    for done in (renew(store, signer.vkeys, known, 5), stamp(store, signer.vkeys, known)):
        assert done.kept == ()
        assert "had expired" in done.missing[0].why

    body = ledger.checkpoint().body.encode() + store.get("log/timestamps/5/1-old.tsr")
    store.put("log/timestamps/5/2-alpha.tsr", request_token(both[0], body))
    with pytest.raises(BadTimestamp, match="had expired"):
        check_stamps(store, signer.vkeys, known)


def test_authorities_are_read_from_a_file(tsas: list[Tsa], tmp_path: Path) -> None:
    root = (tsas[0].folder / "root.pem").read_bytes()
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots/alpha.pem").write_bytes(root)
    path = tmp_path / "authorities.toml"
    path.write_text(
        '[[authority]]\nname = "alpha"\nurl = "https://tsa.example/"\n'
        'certificates = "roots/alpha.pem"\n'
        '[[authority]]\nname = "old"\ncertificates = "roots/alpha.pem"\n'
    )
    assert read_authorities(path) == (
        Authority(name="alpha", url="https://tsa.example/", certificates=root),
        Authority(name="old", certificates=root),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "authority = 1",
        "[[authority]]\nname = 'a'",
        "[[authority]]\nname = 'a'\ncertificates = 'nowhere.pem'",
        "[[authority]]\nname = 'a'\ncertificates = 'authorities.toml'",
        "[[authority]]\nname = 'A/..'\ncertificates = 'root.pem'",
        "[[authority]]\nname = 'a'\ncertificates = 'root.pem'\nurl = 'file:///etc/passwd'",
        "[[authority]]\nname = 'a'\ncertificates = 'root.pem'\nmore = 1",
        "[[authority]]\nname = 'a'\ncertificates = 'root.pem'\n" * 2,
        "\x00",
    ],
)
def test_a_file_of_authorities_that_cannot_be_used_is_refused(
    text: str, tsas: list[Tsa], tmp_path: Path
) -> None:
    (tmp_path / "root.pem").write_bytes((tsas[0].folder / "root.pem").read_bytes())
    (tmp_path / "authorities.toml").write_text(text)
    with pytest.raises(BadData):
        read_authorities(tmp_path / "authorities.toml")
    with pytest.raises(BadData):
        read_authorities(tmp_path / "nowhere.toml")
