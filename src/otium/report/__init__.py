"""Reports: a deployment in retrospect.

Knows how two assessments are set side by side, which findings follow from the records and on
which line each rests, and how the model is asked to comment on the draft. Does not know how
anything was measured. Writes reports. The format is ``docs/formats/report-1.md``.

>>> half = Measure(name="exit", text="ended the chat", value=0.5, n=10, low=0.237, high=0.763)
>>> change(half, half).high
0.371938
"""

from otium.assess import Measure
from otium.report.bookends import bookends, change
from otium.report.build import build_report, publish_report
from otium.report.comment import ask_comment, brief
from otium.report.findings import measure_text, read_findings
from otium.report.records import BookendRow, Comment, Finding, Report

__all__ = [
    "BookendRow",
    "Comment",
    "Finding",
    "Measure",
    "Report",
    "ask_comment",
    "bookends",
    "brief",
    "build_report",
    "change",
    "measure_text",
    "publish_report",
    "read_findings",
]
