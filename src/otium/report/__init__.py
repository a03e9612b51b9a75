"""Reports: a deployment before it begins and after it ended, from the records alone.

Knows which sentence follows from which record, how two assessments are set side by side, how the
model is asked to comment, who signs the organisation's own part, and how a report is corrected in
view. Does not know how anything was measured or said. Writes reports, in three forms. The format
is ``docs/formats/report-2.md``.

>>> half = Measure(name="exit", text="ended the chat", value=0.5, n=10, low=0.237, high=0.763)
>>> change(half, half).high
0.371938
"""

from otium.assess import Measure
from otium.report.bookends import bookends, change, measure_text
from otium.report.draft import cited, draft, draft_digest, finish, read_analysis, statements
from otium.report.publishing import (
    PUBLISHED,
    TOKENS,
    Checked,
    changed,
    check_signatures,
    check_signed,
    comment,
    correct,
    publish,
    published,
    remark,
    report_path,
    show,
    sign,
)
from otium.report.records import (
    KINDS,
    Analysis,
    BookendRow,
    Change,
    Comment,
    Correction,
    Kind,
    Line,
    Quote,
    Report,
    Section,
    SignedAnalysis,
    Source,
    Statement,
    Table,
)
from otium.report.render import ROOM, brief, report_html, report_markdown, source_text
from otium.report.sources import last_told

__all__ = [
    "KINDS",
    "PUBLISHED",
    "ROOM",
    "TOKENS",
    "Analysis",
    "BookendRow",
    "Change",
    "Checked",
    "Comment",
    "Correction",
    "Kind",
    "Line",
    "Measure",
    "Quote",
    "Report",
    "Section",
    "SignedAnalysis",
    "Source",
    "Statement",
    "Table",
    "bookends",
    "brief",
    "change",
    "changed",
    "check_signatures",
    "check_signed",
    "cited",
    "comment",
    "correct",
    "draft",
    "draft_digest",
    "finish",
    "last_told",
    "measure_text",
    "publish",
    "published",
    "read_analysis",
    "remark",
    "report_html",
    "report_markdown",
    "report_path",
    "show",
    "sign",
    "source_text",
    "statements",
]
