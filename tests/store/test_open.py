"""From what a user writes to the store that it names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otium.errors import BadInput, CannotStore, Unsupported
from otium.store import Buffer, LocalStore, RemoteStore, open_store, prove_put_if_absent
from otium.testing import MemoryStore


def test_a_path_opens_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for where in (tmp_path / "x", str(tmp_path / "x"), "x", f"file://{tmp_path}/x"):
        store = open_store(where)
        assert isinstance(store, LocalStore)
        assert store.root.absolute() == tmp_path / "x"


@pytest.mark.parametrize(
    "where",
    [
        "s3:/bucket", "s3:bucket", "s3://", "s3:///prefix", "ftp://host/x", "https://host/x",
        "s3://bucket/../x", "s3://bucket/a//b", "s3://bucket/.hidden", "s3://bucket/a b",
        "file://host/x", "s3://[x", "file:x", "memory:///",
    ],
)  # fmt: skip
def test_what_names_no_store_is_refused(where: str) -> None:
    with pytest.raises(BadInput):
        open_store(where)


@pytest.mark.parametrize(
    "where", ["s3://key:hush@bucket/x", "az://box/x?sig=hush", "gs://bucket/x#hush"]
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(where: str) -> None:
    with pytest.raises(BadInput, match="environment") as caught:
        open_store(where)
    assert "hush" not in f"{caught.value} {caught.value.facts}"


def test_the_other_services_are_opened_by_their_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_store("gs://bucket/prefix"), RemoteStore)
    with pytest.raises(CannotStore, match="Account must be specified"):
        open_store("az://container/prefix")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    assert isinstance(open_store("az://container/prefix"), RemoteStore)


def test_a_store_that_overwrites_is_found_out() -> None:
    class Overwriting(MemoryStore):
        def put(self, name: str, data: Buffer) -> None:
            self.replace(name, data)

    with pytest.raises(Unsupported, match="overwrites"):
        prove_put_if_absent(Overwriting(), "archive.json", b"{}")


def test_the_stores_door_loads_no_client() -> None:
    code = "import sys, otium.store; sys.exit('obstore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
