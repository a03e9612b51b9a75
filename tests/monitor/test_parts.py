from __future__ import annotations

import random
import time
from pathlib import Path
from types import ModuleType

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otium.ledger.tiles import Tile

# RFC 8032, section 7.1: public key, message, signature of TEST 1, 2 and 3.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_ed25519_verifies_the_vectors_of_rfc_8032(
    public: str, message: str, signature: str, monitor: ModuleType
) -> None:
    key, text, signed = map(bytes.fromhex, (public, message, signature))
    assert monitor.ed25519_verifies(key, text, signed)
    assert not monitor.ed25519_verifies(key, text + b"\0", signed)
    larger = int.from_bytes(signed[32:], "little") + ORDER
    assert not monitor.ed25519_verifies(key, text, signed[:32] + larger.to_bytes(32, "little"))


def flipped(data: bytes, bit: int) -> bytes:
    """Return *data* with one bit changed."""
    at, changed = bit % (8 * len(data)), bytearray(data)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def oracle(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@settings(max_examples=150, deadline=None)
@given(
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=200),
    st.one_of(st.none(), st.tuples(st.sampled_from("kms"), st.integers(0, 511))),
)
def test_ed25519_agrees_with_cryptography_on_good_and_changed_signatures(
    monitor: ModuleType, seed: bytes, message: bytes, change: tuple[str, int] | None
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    parts = {"k": key.public_key().public_bytes_raw(), "m": message, "s": key.sign(message)}
    if change and parts[change[0]]:
        parts[change[0]] = flipped(parts[change[0]], change[1])
    arguments = parts["k"], parts["m"], parts["s"]
    assert monitor.ed25519_verifies(*arguments) == oracle(*arguments)
    assert change is not None or oracle(*arguments)


def test_ed25519_verifies_within_50_milliseconds(monitor: ModuleType) -> None:
    key, text, signed = (bytes.fromhex(part) for part in VECTORS[2])
    start = time.process_time()
    for _ in range(10):
        monitor.ed25519_verifies(key, text, signed)
    assert (time.process_time() - start) / 10 < 0.05


@settings(max_examples=100, deadline=None)
@given(
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=200),
    st.one_of(st.none(), st.tuples(st.sampled_from("kms"), st.integers(0, 19359))),
)
def test_mldsa_agrees_with_cryptography_on_good_and_changed_signatures(
    monitor: ModuleType, seed: bytes, message: bytes, change: tuple[str, int] | None
) -> None:
    key = MLDSA44PrivateKey.from_seed_bytes(seed)
    parts = {"k": key.public_key().public_bytes_raw(), "m": message, "s": key.sign(message)}
    if change and parts[change[0]]:
        parts[change[0]] = flipped(parts[change[0]], change[1])
    try:
        MLDSA44PublicKey.from_public_bytes(parts["k"]).verify(parts["s"], parts["m"])
        expected = True
    except InvalidSignature:
        expected = False
    assert monitor.mldsa_verifies(parts["k"], parts["m"], parts["s"]) == expected
    assert change is not None or expected


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_mldsa_refuses_every_other_hint_and_random_signatures(
    monitor: ModuleType, data: st.DataObject
) -> None:
    key = MLDSA44PrivateKey.from_seed_bytes(bytes(32))
    public, good = key.public_key(), key.sign(b"text")
    hint = bytearray(good[2336:])
    for _ in range(data.draw(st.integers(1, 3))):
        hint[data.draw(st.integers(0, 83))] = data.draw(st.integers(0, 255))
    made = good[:2336] + bytes(hint)
    try:
        public.verify(made, b"text")
        expected = True
    except InvalidSignature:
        expected = False
    assert monitor.mldsa_verifies(public.public_bytes_raw(), b"text", made) == expected
    assert not monitor.mldsa_verifies(
        public.public_bytes_raw(), b"text", random.Random(made).randbytes(2420)
    )
    for length in (0, 2419, 2421):
        assert not monitor.mldsa_verifies(
            public.public_bytes_raw(), b"text", (good + b"\0")[:length]
        )


def test_mldsa_verifies_within_100_milliseconds(monitor: ModuleType) -> None:
    key = MLDSA44PrivateKey.from_seed_bytes(bytes(32))
    public, good = key.public_key().public_bytes_raw(), key.sign(b"text")
    start = time.process_time()
    for _ in range(10):
        assert monitor.mldsa_verifies(public, b"text", good)
    assert (time.process_time() - start) / 10 < 0.1


# A checkpoint of a public log that four public witnesses cosigned, and one of another writer's
# log that signs with ML-DSA-44: tests/notes/test_vectors.py says where they come from.
VECTORS_OF_OTHERS = Path(__file__).parents[1] / "notes" / "vectors"
ARCHE = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
WITNESSES = (
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    (
        "transparency.dev/DEV:witness-little-garden+d8042a87"
        "+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM"
    ),
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
)


def test_a_checkpoint_of_a_public_log_and_its_public_witnesses_verify(monitor: ModuleType) -> None:
    data = (VECTORS_OF_OTHERS / "arche2025h1.checkpoint").read_bytes()
    log, *others = (monitor.read_key(vkey, (1, 4)) for vkey in (ARCHE, *WITNESSES))
    point = monitor.read_checkpoint(data, [log, *others])
    assert point.signed == {log: 0, **dict.fromkeys(others, 0x6A122120)}
    assert (point.size, len(point.unknown)) == (1_432_088_532, 1)
    with pytest.raises(monitor.Problem, match="is wrong"):
        monitor.read_checkpoint(data.replace(b"1432088532", b"1432088533"), others[:1])


def test_an_mldsa_checkpoint_of_another_writer_verifies(monitor: ModuleType) -> None:
    vkey = (VECTORS_OF_OTHERS / "torchwood-mldsa.vkey").read_text().strip()
    data = (VECTORS_OF_OTHERS / "torchwood-mldsa.checkpoint").read_bytes()
    key = monitor.read_key(vkey)
    assert monitor.read_checkpoint(data, [key]).signed == {key: 0}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(json_values)
@example([1e21, 1e20, 123456789012345680000.0, 1e-6, 1e-7, 5e-324, -0.0, 1.5, 0.1, 1.7e308])
@example({"\ufb33": 1, "\U0001f600": 2, "\r": 3, "1": 4, "\x7f": 5, "": 6})
def test_json_is_spelled_as_rfc8785_spells_it(monitor: ModuleType, value: object) -> None:
    assert monitor.canonical(value).encode() == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data", [b"NaN", b"1.0", b"-0", b"1e400", b'{"a":1,"a":2}', b" 1", b'"\\ud800"', b'"\\u0061"']
)
def test_other_spellings_are_refused(monitor: ModuleType, data: bytes) -> None:
    with pytest.raises((monitor.Problem, *monitor.MALFORMED)):
        monitor.parse(data)


@settings(deadline=None)
@given(st.sampled_from(["entries", "0", "1", "12"]), st.integers(0, 10**10), st.integers(1, 256))
def test_tiles_have_the_ledger_s_names(
    monitor: ModuleType, level: str, number: int, width: int
) -> None:
    name = monitor.tile_name((level, number, width))
    assert name == Tile(None if level == "entries" else int(level), number, width).name
    assert monitor.parse_tile(name) == (level, number, width)
