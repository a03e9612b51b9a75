"""Notes, keys and policies that others made and signed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otium.errors import BadNote
from otium.notes import (
    COSIGNATURE,
    MLDSA44,
    Signer,
    VerifierKey,
    decode64,
    open_note,
    read_head,
)

VECTORS = Path(__file__).parent / "vectors"

# C2SP signed-note, "Verifier keys".
C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n"
    "\n"
    "— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# Go's golang.org/x/mod/sumdb/note: its documentation and note_test.go.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETER_LINE = (
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot "
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# A real checkpoint of a CT log, cosigned by four public witnesses (May 2026).
ARCHE = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
WITNESSES = (
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    (
        "transparency.dev/DEV:witness-little-garden+d8042a87+"
        "BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM"
    ),
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
)
COSIGNED = (VECTORS / "arche2025h1.checkpoint").read_text()
# Verifier keys in the tests of github.com/transparency-dev/formats.
FORMATS_KEYS = (
    "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6",
    "Wit1+55ee4561+AVhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk",
    "Wit2+85ecc407+AWVbwFJte9wMQIPSnEnj4KibeO6vSIOEDUTDp3o63c2x",
    "Wit3+d3ed3be7+ASb6Uz1+fxAcXkMvDd7nGa3FjDce7LxIKmbbTCT0MpVn",
)


def vector(name: str) -> str:
    return (VECTORS / name).read_text()


@pytest.mark.parametrize(
    ("note", "key"), [(C2SP_NOTE, C2SP_KEY), (TEXT + "\n" + PETER_LINE, PETER)]
)
def test_the_example_notes_of_c2sp_and_go_verify(note: str, key: str) -> None:
    opened = open_note(note, [key], strict=True)
    assert (opened.text, opened.signers) == (note.rpartition("\n— ")[0], frozenset([key]))


def test_signing_with_go_s_key_gives_go_s_note() -> None:
    seed = decode64(PETER_SEED)[1:]
    signer = Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(seed))
    assert signer.vkeys == (PETER,)
    assert signer.sign(TEXT) == TEXT + "\n" + PETER_LINE


def test_go_s_note_with_two_signatures_is_read_by_who_knows_one_or_both() -> None:
    note = TEXT + "\n" + PETER_LINE + ENOCH_LINE
    one = open_note(note, [PETER])
    assert ([it.key.vkey for it in one.signatures], one.unknown) == ([PETER], (ENOCH_LINE[:-1],))
    both = open_note(note, [PETER, ENOCH], strict=True)
    assert [it.key.vkey for it in both.signatures] == [PETER, ENOCH]
    with pytest.raises(BadNote, match="not one of the keys"):
        open_note(note, [])
    with pytest.raises(BadNote, match="EnochRoot is not one of the keys"):
        open_note(note, [PETER], strict=True)


@pytest.mark.parametrize(
    "note",
    [
        TEXT,
        TEXT + "\n",
        TEXT + "\n" + PETER_LINE[:-1],
        "\x01" + TEXT + "\n" + PETER_LINE,
        "\udcff" + TEXT + "\n" + PETER_LINE,
        TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad Name"),
        TEXT + "\n" + PETER_LINE + "Unexpected line.\n",
        TEXT + "\n" + PETER_LINE * 101,
        TEXT + "\n" + PETER_LINE[:60] + "ABCD" + PETER_LINE[60:],
        TEXT + "\n" + PETER_LINE + PETER_LINE[:60] + "ABCD" + PETER_LINE[60:],
    ],
)
def test_what_go_s_tests_call_malformed_is_refused(note: str) -> None:
    with pytest.raises(BadNote):
        open_note(note, [PETER])


def test_every_mangling_of_go_s_key_is_refused() -> None:
    bad = [PETER[i:j] for i in range(len(PETER)) for j in range(i + 1, len(PETER) + 1)]
    bad += [PETER[:i] + chr(ord(c) + 1) + PETER[i + 1 :] for i, c in enumerate(PETER)]
    bad += [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ]
    for vkey in bad:
        if vkey != PETER:
            with pytest.raises(BadNote):
                VerifierKey.parse(vkey)


@pytest.mark.parametrize("vkey", [*FORMATS_KEYS, *WITNESSES, PETER, ENOCH, ARCHE, C2SP_KEY])
def test_keys_of_others_are_read_and_written_as_they_are(vkey: str) -> None:
    assert VerifierKey.parse(vkey).vkey == vkey


def test_cosignatures_of_public_witnesses_verify() -> None:
    opened = open_note(COSIGNED, [ARCHE, *WITNESSES])
    assert opened.signers == {ARCHE, *WITNESSES}
    assert len(opened.unknown) == 1  # the log's RFC 6962 signature, of type 0x05
    head = read_head(opened.text)
    assert (head.size, head.extensions) == (1_432_088_532, ())
    times = {it.seconds for it in opened.signatures if it.key.kind == COSIGNATURE}
    assert times == {0x6A122120}
    for wrong in ("1432088533", "01432088532"):
        with pytest.raises(BadNote):
            open_note(COSIGNED.replace("1432088532", wrong), [WITNESSES[0]])


def test_an_ml_dsa_checkpoint_of_filippo_io_torchwood_verifies() -> None:
    vkey = vector("torchwood-mldsa.vkey").strip()
    note = vector("torchwood-mldsa.checkpoint")
    opened = open_note(note, [vkey], strict=True)
    ((key, seconds, _),) = opened.signatures
    assert (key.kind, key.name, seconds) == (MLDSA44, "example.com/mldsa-log", 0)
    assert key.vkey == vkey
    for good, bad in (("\n1\n", "\n2\n"), ("mldsa-log\n1", "mldsa-log2\n1"), ("+zoE", "+zoF")):
        with pytest.raises(BadNote):
            open_note(note.replace(good, bad), [vkey])
