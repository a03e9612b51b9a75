from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import BadNote
from otium.notes import Signer, TreeHead, VerifierKey, encode64, open_note

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
    assert open_note(GO_NOTE, [GO_KEY]).text == GO_NOTE.rpartition("\n— ")[0]


def test_a_note_of_an_unexpected_key_is_refused(signer: Signer) -> None:
    with pytest.raises(BadNote, match="not one of the keys"):
        open_note(GO_NOTE, signer.vkeys)
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
        open_note(changed.decode(), [GO_KEY], strict=True)


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
        open_note(changed, [GO_KEY], strict=True)


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


def test_sixteen_signatures_and_a_hundred_are_read() -> None:
    signers = [Signer.generate(f"log{number}.example") for number in range(50)]
    text = TreeHead("log.example", 1, bytes(32)).text
    lines = "".join(signer.sign(text).rpartition("\n\n")[2] for signer in signers)
    vkeys = [vkey for signer in signers for vkey in signer.vkeys]
    assert open_note(f"{text}\n{lines}", vkeys, strict=True).signers == set(vkeys)
    sixteen = "\n".join(lines.split("\n")[:16]) + "\n"
    assert len(open_note(f"{text}\n{sixteen}", vkeys).signatures) == 16


def test_a_line_that_shares_a_name_or_an_id_but_not_both_is_passed_over() -> None:
    name, line = "— PeterNeumann ", GO_NOTE.rpartition("\n\n")[2]
    for other in (line.replace("Peter", "Paul"), f"{name}AAAA{line[len(name) + 4 :]}"):
        opened = open_note(GO_NOTE + other, [GO_KEY])
        assert (opened.unknown, len(opened.signatures)) == ((other[:-1],), 1)
        with pytest.raises(BadNote, match="not one of the keys"):
            open_note(GO_NOTE + other, [GO_KEY], strict=True)


def test_a_wrong_signature_of_a_known_key_is_refused_beside_a_right_one() -> None:
    line = GO_NOTE.rpartition("\n\n")[2]
    with pytest.raises(BadNote, match="is wrong"):
        open_note(GO_NOTE + line.replace("UG/S", "UG/T"), [GO_KEY])


def test_the_text_ends_at_the_last_blank_line() -> None:
    key = Ed25519PrivateKey.generate()
    signer = Signer("a", key)
    for text in ("\n", "one\n\ntwo\n", "\n\n\n"):
        assert open_note(signer.sign(text), signer.vkeys).text == text


def test_two_keys_of_one_id_are_refused() -> None:
    key = VerifierKey.parse(GO_KEY)
    with pytest.raises(BadNote, match="the key ID"):
        open_note(GO_NOTE, [key._replace(public=bytes(32)).vkey])
    assert open_note(GO_NOTE, [GO_KEY, GO_KEY]).signers == {GO_KEY}


def test_what_is_signed_is_opened(signer: Signer) -> None:
    text = TreeHead(signer.name, 0, bytes(32)).text
    assert open_note(signer.sign(text), signer.vkeys, strict=True).text == text
