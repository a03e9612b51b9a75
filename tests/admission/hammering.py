"""A program that asks as fast as it is let in, and writes down each answer before it says so.

Run as ``hammering.py URL JOURNAL SECRET TRUTH RESERVED ACTUAL``. Each line of TRUTH is written at
once, so that it outlives kill -9. It begins when a file ``go`` lies beside TRUTH.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from otium.admission import Admission
from otium.errors import Refused

_PACE = 0.0003


def hammer(admission: Admission, secret: str, truth: int, reserved: int, actual: int) -> None:
    """Ask until the budget is used up."""
    while True:
        try:
            caller = admission.enter(secret, model="m", now=time.time(), tokens=reserved)
        except Refused as refused:
            if refused.code == "insufficient_quota":
                return
            time.sleep(_PACE)
            continue
        os.write(truth, f"in {caller.at}\n".encode())
        admission.settle(caller, actual, 0)
        os.write(truth, b"out\n")
        time.sleep(_PACE)


def main(url: str, journal: str, secret: str, truth: str, *numbers: str) -> None:
    """Run the program."""
    reserved, actual = map(int, numbers)
    file = os.open(truth, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with Admission(url, journal=Path(journal) if journal else None) as admission:
        os.write(file, b"up\n")
        while not Path(truth).with_name("go").exists():
            time.sleep(0.01)
        hammer(admission, secret, file, reserved, actual)


if __name__ == "__main__":
    main(*sys.argv[1:])
