from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.errors import BadInput, BadProof
from otium.ledger import Entry, EntrySignature, check_commitment, commit, read_entry
from otium.ledger.entry import _is_plainly_canonical, write_entry
from otium.notes import RoleKey, VerifierKey, encode64
from otium.records import Actor, Instant, canonical, digest

Make = Callable[[int], Entry]
AT = Instant("2026-01-01T00:00:00Z")


def signed(entry: Entry, *keys: RoleKey) -> Entry:
    sigs = tuple(
        EntrySignature(key=key.id, time=AT, sig=encode64(key.sign(entry.signing_payload("o", AT))))
        for key in keys
    )
    return Entry(
        type=entry.type,
        time=entry.time,
        actor=entry.actor,
        subject=entry.subject,
        body=entry.body,
        refs=entry.refs,
        v=2,
        sigs=sigs,
    )


def test_an_entry_of_version_1_has_no_sigs_and_one_of_version_2_always(entry: Make) -> None:
    one, two = entry(1), signed(entry(1), RoleKey.generate("steward-1"))
    assert list(json.loads(one.encode())) == sorted(one.plain())
    assert "sigs" not in one.plain()
    assert list(json.loads(two.encode())) == sorted([*one.plain(), "sigs"])
    assert list(json.loads(two.encode())["sigs"][0]) == ["key", "sig", "time"]
    for made in (one, two):
        assert read_entry(write_entry(made)) == made
        assert made.digest() == digest(made.encode())


def test_a_signature_is_over_the_payload_that_the_page_describes(entry: Make) -> None:
    key = RoleKey.generate("steward-1")
    made = signed(entry(1), key, RoleKey.generate("steward-2"))
    body = canonical(
        {
            "actor": "archivist",
            "body": {"number": 1, "ok": True},
            "log": "o",
            "refs": [],
            "subject": "model-1",
            "time": AT,
            "type": "model.checked",
            "v": 2,
        }
    )
    payload = b"DSSEv1 35 application/vnd.otium.entry.v2+json %d %s" % (len(body), body)
    assert made.signing_payload("o", AT) == payload == entry(1).signing_payload("o", AT)
    VerifierKey.parse(key.vkey).verify(payload, key.sign(payload))
    assert made.signing_payload("other", AT) != payload
    assert made.signing_payload("o", entry(5).time) != payload


GOOD = EntrySignature(key="a+00000000", time=AT, sig=encode64(bytes(64)))


@pytest.mark.parametrize(
    ("v", "sigs"),
    [
        (1, (GOOD,)),
        (2, ()),
        (2, (GOOD, GOOD)),
        (2, (EntrySignature(key="a", time=AT, sig=GOOD.sig),)),
        (2, (EntrySignature(key="a b+00000000", time=AT, sig=GOOD.sig),)),
        (2, (EntrySignature(key="a+0000000G", time=AT, sig=GOOD.sig),)),
        (2, (EntrySignature(key=GOOD.key, time=AT, sig=encode64(bytes(63))),)),
        (2, (EntrySignature(key=GOOD.key, time=AT, sig=GOOD.sig[:-3] + "B=="),)),
        (2, (EntrySignature(key=GOOD.key, time=AT, sig="?"),)),
        (2, (EntrySignature(key=GOOD.key, time=Instant("2026-01-01"), sig=GOOD.sig),)),
    ],
)
def test_signatures_that_are_not_as_they_must_be_are_refused(
    v: int, sigs: tuple[EntrySignature, ...]
) -> None:
    fields = {"type": "heartbeat", "time": AT, "actor": "a", "subject": "s", "v": v, "sigs": sigs}
    entry = Entry.convert(fields)
    with pytest.raises(BadInput):
        write_entry(entry)
    with pytest.raises(BadInput):
        read_entry(canonical({**entry.plain(), "sigs": [it.plain() for it in sigs]}))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_any_json_is_written_and_read_back(body: dict[str, object]) -> None:
    entry = Entry(type="a", time=AT, actor=Actor("a"), subject="s", body=body)
    assert read_entry(write_entry(entry)).encode() == entry.encode()


@given(
    st.dictionaries(st.text(max_size=3), json_values, max_size=4), st.sampled_from([True, False])
)
def test_the_quick_check_calls_nothing_canonical_that_is_not(
    body: dict[str, object], ordered: bool
) -> None:
    entry = Entry(type="a", time=AT, actor=Actor("a"), subject="s", body=body)
    data = json.dumps(
        entry.plain(), sort_keys=ordered, separators=(",", ":"), ensure_ascii=False
    ).encode(errors="surrogatepass")
    if _is_plainly_canonical(entry, data):
        assert data == entry.encode()


def test_a_plain_entry_takes_the_quick_check(entry: Make) -> None:
    key = RoleKey.generate("a")
    for made in (entry(1), signed(entry(1), key)):
        assert _is_plainly_canonical(made, made.encode())


def test_a_commitment_shows_the_document_only_to_who_has_the_salt() -> None:
    document, salt = b"a letter", bytes(range(32))
    commitment = commit(document, salt)
    assert commitment == digest(salt + document)
    check_commitment(commitment, document, salt)
    for other, spice in ((b"a lette", salt), (document, bytes(32)), (b"", salt)):
        with pytest.raises(BadProof):
            check_commitment(commitment, other, spice)
    for short in (b"", salt[:-1], salt + b"a"):
        with pytest.raises(BadInput, match="32"):
            commit(document, short)
