"""A real Ray cluster in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from scaling.rayed import Cluster, environment

HEAD = Path(__file__).parent / "head.py"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with two workers; a test that needs it skips loudly without Ray."""
    if find_spec("ray") is None:
        pytest.skip("RAY IS MISSING: nothing on a cluster is tested (pip install 'otium[ray]')")
    head = subprocess.Popen(
        [sys.executable, str(HEAD)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(),
    )  # fmt: skip
    assert head.stdin
    assert head.stdout
    assert head.stderr
    address = head.stdout.readline().strip()
    if not address:
        why = head.communicate()[1][-800:]
        if os.getloadavg()[0] > 4 * (os.cpu_count() or 1):
            pytest.skip(f"RAY DID NOT START ON THIS BUSY MACHINE: {why}")
        pytest.fail(why)
    yield Cluster(address, head.pid)
    head.stdin.close()
    head.wait(60)
    head.stdout.close()
    head.stderr.close()
