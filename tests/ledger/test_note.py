from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import BadInput, BadNote, Exists, LedgerError, NoSigningKey
from otium.ledger import Signer
from otium.ledger.note import VerifierKey, encode64, open_note

# The example in the documentation of Go's golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_go_s_example_note_verifies() -> None:
    assert open_note(GO_NOTE, [GO_KEY]) == GO_NOTE.rpartition("\n— ")[0]


def test_a_note_of_an_unexpected_key_is_refused(signer: Signer) -> None:
    with pytest.raises(BadNote, match="not one of the keys"):
        open_note(GO_NOTE, [signer.vkey])
    with pytest.raises(BadNote, match="not one of the keys"):
        open_note(GO_NOTE, [])


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_no_byte_of_a_note_can_change(data: st.DataObject) -> None:
    note = GO_NOTE.encode()
    at = data.draw(st.integers(0, len(note) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda new: new != note[at]))
    changed = note[:at] + bytes([byte]) + note[at + 1 :]
    with pytest.raises((BadNote, UnicodeDecodeError)):
        open_note(changed.decode(), [GO_KEY])


@pytest.mark.parametrize(
    "changed",
    [
        GO_NOTE + "\n",
        GO_NOTE[:-1],
        GO_NOTE + " ",
        GO_NOTE.replace("\n", "\r\n"),
        GO_NOTE.replace("— ", "—  "),
        GO_NOTE.replace("— ", "- "),
        GO_NOTE + GO_NOTE.rpartition("\n\n")[2],
        GO_NOTE.replace("\n\n", "\n"),
        GO_NOTE.replace("JnAM=", "JnAN="),
        "",
        "\n\n",
    ],
)
def test_other_spellings_of_a_note_are_refused(changed: str) -> None:
    with pytest.raises(BadNote):
        open_note(changed, [GO_KEY])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY.replace("Peter", "Paul"),
        GO_KEY + "=",
        GO_KEY + " ",
        GO_KEY[:-4],
        f"a b+00000000+{encode64(bytes(33))}",
        f"a+00000000+{encode64(bytes(33))}",
    ],
)
def test_a_key_that_is_not_exact_is_refused(vkey: str) -> None:
    with pytest.raises(BadNote):
        VerifierKey.parse(vkey)


def test_a_saved_key_signs_as_before_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    signer = Signer.generate("ledger.example/smol")
    path = tmp_path / "keys" / "ledger.pem"
    signer.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["ledger.pem"]
    loaded = Signer.load(path)
    assert loaded.vkey == signer.vkey
    assert loaded.sign("text\n") == signer.sign("text\n")
    assert open_note(loaded.sign("text\n"), [signer.vkey]) == "text\n"


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pem"
    Signer.generate("one").save(path)
    before = path.read_bytes()
    with pytest.raises(Exists):
        Signer.generate("two").save(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_key_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(NoSigningKey) as caught:
        Signer.load(tmp_path / "ledger.pem")
    assert "backup" in caught.value.advice()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pem"
    Signer.generate("one").save(path)
    path.chmod(0o640)
    with pytest.raises(LedgerError, match="chmod 600"):
        Signer.load(path)


@pytest.mark.parametrize("damage", [b"", b"name: one\n", b"name: one\n-----BEGIN"])
def test_a_damaged_key_is_refused(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "ledger.pem"
    path.write_bytes(damage)
    path.chmod(0o600)
    with pytest.raises(BadInput):
        Signer.load(path)


def test_a_key_without_its_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pem"
    Signer.generate("one").save(path)
    path.write_bytes(path.read_bytes().partition(b"\n")[2])
    with pytest.raises(BadInput, match="first line"):
        Signer.load(path)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_a_name_that_cannot_stand_in_a_note_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        Signer.generate(name)
