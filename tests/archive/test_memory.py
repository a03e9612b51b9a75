"""Memory of its own that a process takes for a deposit and a restore, however large the model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archive import memory

MOST = 300
"""MiB."""


@pytest.mark.alone  # threads that wait for a processor hold more
@pytest.mark.parametrize("megabytes", [64, pytest.param(1600, marks=pytest.mark.slow)])
def test_deposit_and_restore_take_bounded_memory(tmp_path: Path, megabytes: int) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("MEMORY IS NOT MEASURED: this system does not say what a process has")
    done = subprocess.run(
        [sys.executable, memory.__file__, str(tmp_path), str(megabytes), "4"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    alone, against, restored, packs = map(int, done.stdout.split())
    assert packs > megabytes / 2
    assert max(alone, against, restored) <= MOST
