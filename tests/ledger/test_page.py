from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from otium.ledger import Entry, Ledger, read_entry, verify
from otium.notes import Cosigner, Signer, VerifierKey
from otium.store import LocalStore
from otium.testing import MemoryStore

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "ledger-2.md"


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_s_example_is_an_entry() -> None:
    assert read_entry(block("json").strip().encode()).type == "heartbeat"


def test_the_page_s_ml_dsa_prefix_makes_a_public_key_that_openssl_reads(signer: Signer) -> None:
    found = re.search(r"`(30 82(?: [0-9a-f]{2})+)` \(hexadecimal\)", PAGE.read_text())
    assert found is not None
    public = VerifierKey.parse(signer.vkeys[1]).public
    key = serialization.load_der_public_key(bytes.fromhex(found[1]) + public)
    assert isinstance(key, MLDSA44PublicKey)
    assert key.public_bytes_raw() == public


@pytest.mark.parametrize(
    "name",
    [
        "log/tile/entries/N",
        "log/tile/0/N",
        "log/witnessed/SIZE",
        "log/timestamps/SIZE/n-AUTHORITY.tsr",
    ],
)
def test_the_page_s_files_are_those_of_a_ledger(
    name: str, ledger: Ledger, store: MemoryStore, signer: Signer, entry: Callable[[int], Entry]
) -> None:
    assert f"| `{name}`" in PAGE.read_text()
    ledger.append(entry(0))
    point, witness = ledger.checkpoint(), Cosigner.generate("w")
    ledger.keep_witnessed(point.text + witness.cosign(point.body, entry(0).time))
    real = name.replace("SIZE", "1").replace("/N", "/000.p/1").replace("n-AUTHORITY", "1-a")
    store.objects.setdefault(real, b"x")
    assert real in store.objects
    assert verify(store, signer.vkeys).size == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("damaged", ["", "log/checkpoint", "log/tile/entries/000.p/1"])
def test_the_page_s_commands_verify_a_log_by_hand(
    damaged: str, tmp_path: Path, signer: Signer, entry: Callable[[int], Entry]
) -> None:
    Ledger.create(LocalStore(tmp_path), signer, origin=signer.name).append(entry(0))
    if damaged:
        data = (tmp_path / damaged).read_bytes()
        (tmp_path / damaged).write_bytes(data.replace(b"1", b"2"))
    script = "set -e\n" + block("sh").replace("/tmp/", f"{tmp_path}/")
    environment = {**os.environ, "VKEY": signer.vkey}
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert (done.returncode == 0) == (not damaged), done
