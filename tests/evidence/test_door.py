from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("room", ["evidence", "interview", "assess"])
def test_importing_the_room_does_not_import_inspect(room: str) -> None:
    code = f"import sys, otium.{room}; print('inspect_ai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
