"""Reports that are kept whole, so that a change of any of them is seen and meant.

``OTIUM_GOLDEN=write pytest tests/report`` writes them anew; the difference is for people to read.
"""

from __future__ import annotations

import os
from pathlib import Path

from otium.report import Report, report_html, report_markdown

FOLDER = Path(__file__).parent / "golden"


def check(name: str, report: Report) -> None:
    """Fail unless *report* is the one that is kept under *name*, in each of its forms."""
    forms = {
        f"{name}.json": report.encode() + b"\n",
        f"{name}.md": report_markdown(report).encode(),
        f"{name}.html": report_html(report).encode(),
    }
    for file, made in forms.items():
        if os.environ.get("OTIUM_GOLDEN") == "write":
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / file).write_bytes(made)
        kept = (FOLDER / file).read_bytes()
        assert kept.splitlines() == made.splitlines(), f"{file}: see {__file__}"
        assert kept == made
