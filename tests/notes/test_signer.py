from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import BadInput, BadNote, Exists, LedgerError, NoSigningKey
from otium.notes import (
    COSIGNATURE,
    ED25519,
    MLDSA44,
    Cosigner,
    RoleKey,
    Signer,
    TreeHead,
    VerifierKey,
    open_note,
    read_head,
)
from otium.notes.head import cosignature_message, subtree_message
from otium.records import Instant

HEAD = TreeHead("log.example/a", 7, bytes(range(32)))
AT = Instant("2026-11-22T00:00:00Z")
SECONDS = 1_795_305_600
Kind = type[Signer] | type[Cosigner] | type[RoleKey]
KINDS: list[Kind] = [Signer, Cosigner, RoleKey]


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_key_is_the_same_and_only_its_owner_can_read_it(kind: Kind, tmp_path: Path) -> None:
    keys = kind.generate("ledger.example/smol")
    path = tmp_path / "keys" / "ledger.pem"
    keys.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["ledger.pem"]
    assert public(kind.load(path)) == public(keys)
    before = path.read_bytes()
    with pytest.raises(Exists):
        kind.generate("two").save(path)
    assert path.read_bytes() == before
    path.chmod(0o640)
    with pytest.raises(LedgerError, match="chmod 600"):
        kind.load(path)
    with pytest.raises(NoSigningKey) as caught:
        kind.load(tmp_path / "other.pem")
    assert "backup" in caught.value.advice()


def public(keys: Signer | Cosigner | RoleKey) -> tuple[str, ...]:
    return (keys.vkey,) if isinstance(keys, RoleKey) else keys.vkeys


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"name: one\n",
        b"name: one\n-----BEGIN",
        b"name: a\n-----BEGIN X-----\n-----END X-----\n",
    ],
)
def test_a_damaged_key_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "ledger.pem"
    path.write_bytes(damage)
    path.chmod(0o600)
    with pytest.raises(BadInput):
        Signer.load(path)


def test_a_key_file_without_its_name_or_with_keys_out_of_order_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pem"
    Signer.generate("one").save(path)
    name, pem = path.read_bytes().split(b"\n", 1)
    first, second = pem.split(b"-----END PRIVATE KEY-----\n")[:2]
    end = b"-----END PRIVATE KEY-----\n"
    path.write_bytes(pem)
    with pytest.raises(BadInput, match="first line"):
        Signer.load(path)
    path.write_bytes(name + b"\n" + second + end + first + end)
    with pytest.raises(BadInput, match="Ed25519 key, then"):
        Signer.load(path)


def test_a_file_with_one_ed25519_key_is_a_log_s_but_not_a_witness_s(tmp_path: Path) -> None:
    path = tmp_path / "old.pem"
    old = Signer("old", Ed25519PrivateKey.generate())
    old.save(path)
    assert Signer.load(path).vkeys == old.vkeys == (old.vkey,)
    with pytest.raises(BadInput, match="ML-DSA"):
        Cosigner.load(path)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b", "a\u2003b"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_cannot_stand_in_a_note_is_refused(kind: Kind, name: str) -> None:
    with pytest.raises(BadInput):
        kind.generate(name)


def test_a_log_signs_with_both_its_keys() -> None:
    signer = Signer.generate("log.example/a")
    note = signer.sign(HEAD.text)
    opened = open_note(note, signer.vkeys, strict=True)
    assert [it.key.kind for it in opened.signatures] == [ED25519, MLDSA44]
    assert [it.seconds for it in opened.signatures] == [0, 0]
    assert signer.vkeys[0] == signer.vkey
    for vkey in signer.vkeys:
        assert open_note(note, [vkey]).signers == {vkey}


@pytest.mark.parametrize("text", ["", "text", "a\tb\n", "a\r\n", "\ud800\n", "no checkpoint\n"])
def test_a_text_that_cannot_be_signed_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        Signer.generate("a").sign(text)
    with pytest.raises(BadNote):
        Cosigner.generate("a").cosign(text, AT)


@pytest.mark.parametrize("kinds", [(COSIGNATURE,), (MLDSA44,), (COSIGNATURE, MLDSA44)])
def test_a_witness_cosigns_with_the_time(kinds: tuple[int, ...]) -> None:
    log, witness = Signer.generate("log.example/a"), Cosigner.generate("witness.example/w")
    lines = witness.cosign(HEAD.text, AT, kinds)
    opened = open_note(log.sign(HEAD.text) + lines, [*log.vkeys, *witness.vkeys], strict=True)
    made = opened.signatures[2:]
    assert [it.key.kind for it in made] == list(kinds)
    assert {it.seconds for it in made} == {SECONDS}


def test_the_signed_messages_are_those_of_the_specification() -> None:
    # tlog-cosignature: the text, and the cosigned_message structure byte for byte
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert cosignature_message(text, 1_679_315_147).decode() == (
        "cosignature/v1\ntime 1679315147\n" + text
    )
    head = read_head(text)
    assert subtree_message("w.example/1", 1_679_315_147, head) == (
        b"subtree/v1\n\x00"
        b"\x0bw.example/1"
        b"\x00\x00\x00\x00\x64\x18\x50\xcb"
        b"\x1bexample.com/behind-the-sofa"
        b"\x00\x00\x00\x00\x00\x00\x00\x00"
        b"\x00\x00\x00\x00\x01\x3e\x2d\xc3" + head.root
    )


def test_an_ml_dsa_name_or_origin_beyond_255_bytes_is_refused() -> None:
    longest = TreeHead("é" * 127 + "a", 1, bytes(32))
    assert len(subtree_message("n" * 255, 0, longest)) == 12 + 256 + 8 + 256 + 48
    for name, head in (("n" * 256, longest), ("n", longest._replace(origin="é" * 128))):
        with pytest.raises(BadNote, match="255"):
            subtree_message(name, 0, head)


def test_the_time_of_a_cosignature_is_signed_and_bounded() -> None:
    witness = Cosigner.generate("w")
    for vkey in witness.vkeys:
        key = VerifierKey.parse(vkey)
        line = witness.cosign(HEAD.text, AT, [key.kind])
        ((_, _, kept),) = open_note(f"{HEAD.text}\n{line}", [vkey]).signatures
        assert f"{kept}\n" == line
        with pytest.raises(BadNote, match="impossible time"):
            key.verify_note(HEAD.text, b"\x80" + bytes(7 + 64))
        with pytest.raises(BadNote, match="is wrong"):
            key.verify_note(HEAD.text, bytes(8))


def test_a_role_key_signs_bytes_as_they_are() -> None:
    role = RoleKey.generate("steward-1")
    key = VerifierKey.parse(role.vkey)
    signature = role.sign(b"\x00data")
    key.verify(b"\x00data", signature)
    assert role.id == key.id == "+".join(role.vkey.split("+")[:2])
    for data, changed in ((b"\x00dat", signature), (b"\x00data", signature[:-1]), (b"", b"")):
        with pytest.raises(BadNote):
            key.verify(data, changed)


names = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="+"), min_size=1)


@settings(max_examples=60, deadline=None)
@given(
    names.filter(lambda it: len(it.encode()) < 256),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_signed_is_read_back(name: str, size: int, root: bytes) -> None:
    signer, witness = Signer.generate(name), Cosigner.generate(name)
    head = TreeHead(name, size, root)
    note = signer.sign(head.text) + witness.cosign(head.text, AT)
    opened = open_note(note, [*signer.vkeys, *witness.vkeys], strict=True)
    assert read_head(opened.text) == head
    assert opened.signers == {*signer.vkeys, *witness.vkeys}
    assert all(VerifierKey.parse(vkey).vkey == vkey for vkey in opened.signers)


@pytest.mark.parametrize(
    "text",
    [
        "o\n1\n",
        "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "o\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "o\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "o\n9223372036854775808\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nextension",
    ],
)
def test_a_text_that_is_not_a_checkpoint_s_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        read_head(text)


def test_extension_lines_are_read_and_covered_by_ed25519_only() -> None:
    text = HEAD.text + "one\ntwo\n"
    assert read_head(text) == HEAD._replace(extensions=("one", "two"))
    assert read_head(text).text == text
    witness = Cosigner.generate("w")
    ed25519, mldsa = witness.vkeys
    note = f"{text}\n{witness.cosign(text, AT)}".replace("two", "2")
    with pytest.raises(BadNote):
        open_note(note, [ed25519])
    assert open_note(note, [mldsa]).signers == {mldsa}
