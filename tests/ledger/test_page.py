from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from otium.ledger import Entry, Ledger, Signer, read_entry
from otium.store import LocalStore

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "ledger-1.md"


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_s_example_is_an_entry() -> None:
    assert read_entry(block("json").strip().encode()).type == "heartbeat"


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
