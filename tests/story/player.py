"""Play the demo's story with a planted subject instead of llama.cpp, for tests that kill it.

Usage: ``player.py DIR NOW``. Prints a line for each finished step.
"""

from __future__ import annotations

import sys
from pathlib import Path

from otium.records import instant
from otium.story import STEPS, begin, play
from otium.testing import EndsAbuse, Recaller, ServedEngine


def main(path: Path, now: str) -> None:
    engine = ServedEngine(EndsAbuse(Recaller()))
    with begin(path, now=instant(now), fast=True, engine=engine) as tale:
        for step in STEPS:
            play(tale, step)
            print(f"step {step.number}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
