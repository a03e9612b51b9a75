"""A report is commented on, signed, published once, and corrected in view."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

from otium.authority import ROLES, Role, Signature, fault, sign_statement
from otium.engine import Message, Model, Options
from otium.errors import BadData, BadInput, NotFound, WrongState
from otium.evidence import Document, Validity, data, degenerate, load_markdown
from otium.lifecycle import Registry
from otium.records import Instant, Json, ModelId, Part
from otium.report.draft import finish
from otium.report.records import (
    Change,
    Comment,
    Correction,
    Kind,
    Report,
    Section,
    SignedAnalysis,
)
from otium.report.render import ROOM, brief, report_html, report_markdown

PUBLISHED: dict[Kind, str] = {
    "pre-deployment": "report.prepared",
    "post-deployment": "report.published",
}
"""The entry that announces a report. A pre-deployment one does not fulfil the
promise of the other."""
_TYPE = "application/vnd.otium.report-analysis.v1+json"
TOKENS = 256
REQUEST = "report-comment.md"
_OWN = {"comments", "corrections"}


class Checked(Part):
    """What became of one signature under the analysis."""

    role: Role
    key: str
    ok: bool
    why: str = ""


def report_path(kind: Kind, version: int, form: str = "json") -> str:
    """Return where a version is kept, in one of its forms: json, md or html."""
    return f"reports/{kind}-{version}.{form}"


def published(registry: Registry, model: ModelId, kind: Kind) -> list[Report]:
    """Return every version that was published, the first first."""
    return [
        registry.filed(model, str(entry.body["path"]), Report)
        for entry in registry.find(PUBLISHED[kind], model)
        if str(entry.body.get("path", "")).startswith(f"reports/{kind}-")
    ]


def show(
    registry: Registry,
    model: ModelId,
    kind: Kind = "post-deployment",
    version: int | None = None,
) -> Report:
    """Return a published version, by default the newest; raise UnknownModel, NotFound."""
    registry.model(model)
    found = [it for it in published(registry, model, kind) if version in {None, it.version}]
    if not found:
        which = f" in version {version}" if version is not None else ""
        raise NotFound(what=f"a published {kind} report of {model}{which}")
    return found[-1]


def publish(registry: Registry, model: ModelId, kind: Kind, make: Callable[[], Report]) -> Report:
    """File version 1 of the report that *make* returns, in three forms, and log it; once.

    What was published is returned, and *make* is not called. Raises BadInput if the analysis is
    not signed in the name of each of its authors.
    """
    there = published(registry, model, kind)
    if there:
        _render(registry, there[-1])
        return there[-1]

    def first() -> Report:
        draft = make()
        check_signed(registry, draft)
        return finish(draft, comments=draft.comments, version=1)

    return _file(registry, model, kind, 1, first)


def correct(registry: Registry, draft: Report, reason: str) -> Report:
    """Publish *draft* as a new version that lists what it changes; the old ones stay.

    Raises WrongState if nothing was published, BadInput without a *reason* or if nothing changes.
    """
    there = published(registry, draft.model, draft.kind)
    if not there:
        raise WrongState(model=draft.model, state="without a report", needed="reported on first")
    last = there[-1]
    _render(registry, last)
    what = f"the correction of version {last.version}"
    if not reason.strip():
        raise BadInput(what=what, why="it needs a reason")
    check_signed(registry, draft)
    comments = (*last.comments, *(it for it in draft.comments if it not in last.comments))
    changes = tuple(changed(last, draft))
    if not changes and comments == last.comments:
        raise BadInput(what=what, why="it changes nothing")
    made = Correction(
        version=last.version + 1, at=draft.written, reason=reason.strip(), changes=changes
    )
    return _file(
        registry,
        draft.model,
        draft.kind,
        last.version + 1,
        lambda: finish(
            draft,
            comments=comments,
            corrections=(*last.corrections, made),
            version=last.version + 1,
        ),
    )


def changed(old: Report, new: Report) -> Iterator[Change]:
    """Yield each sentence, quote or row that differs between two versions, by section."""
    was, now = dict(_units(old.sections)), dict(_units(new.sections))
    for section in [*was, *(name for name in now if name not in was)]:
        before, after = was.get(section, []), now.get(section, [])
        match = SequenceMatcher(None, before, after, autojunk=False)
        for kind, a, b, c, d in match.get_opcodes():
            if kind != "equal":
                for one, other in zip_longest(before[a:b], after[c:d], fillvalue=""):
                    yield Change(section=section, was=one, now=other)


def load_request() -> Document:
    """Return the request for a comment; raise BadData if it has no place for the draft."""
    request = load_markdown(data(REQUEST))
    if "{draft}" not in request.body:
        raise BadData(path=REQUEST, why="it has no {draft}")
    return request


def comment(
    draft: Report,
    model: Model,
    *,
    now: Instant,
    validity: Validity | None = None,
    room: int = ROOM,
    max_tokens: int = TOKENS,
) -> Comment:
    """Show *model* the draft, shortened to *room* characters, and return what it says.

    The comment is kept whatever it is. It counts as a considered view only if *validity*
    (where given) says that the model can be asked, and the text is no loop and no echo.
    """
    shown = _request(draft.title.partition(": ")[2] or draft.model, brief(draft, room))
    answer = model.chat([Message(role="user", content=shown)], Options(max_tokens=max_tokens))
    kept_back = f"its host kept it back, all or part: {answer.withheld}" if answer.withheld else ""
    doubts = (
        kept_back,
        *(validity.reasons() if validity else ()),
        degenerate(answer.text, shown) if not kept_back else "",
    )
    why = "; ".join(doubt for doubt in doubts if doubt)
    return Comment(
        by="model",
        at=now,
        draft=draft.draft,
        shown=shown,
        text=answer.text,
        valid=not why and (validity is None or validity.valid),
        why=why,
        cut=answer.finish == "length",
        identity=model.identity,
    )


def remark(draft: Report, by: str, text: str, now: Instant) -> Comment:
    """Return a person's comment on *draft*, made in a role; raise BadInput."""
    if by not in ROLES:
        why = f"it is by {by!r}, and needs a role, never a person: {', '.join(ROLES)}"
        raise BadInput(what="the comment", why=why)
    if not text.strip():
        raise BadInput(what="the comment", why="it says nothing")
    return Comment(by=by, at=now, draft=draft.draft, shown="", text=text, valid=True)


def sign(
    registry: Registry, signed: SignedAnalysis, draft: Report, role: Role, now: Instant
) -> SignedAnalysis:
    """Sign the analysis of *draft* as *role* with a key at hand; the same again changes nothing.

    Raises BadInput if that role is not one of its authors, NotAuthorised without such a key.
    """
    if role not in signed.analysis.authors:
        why = f"{role} is not one of its authors: {', '.join(signed.analysis.authors)}"
        raise BadInput(what="the analysis", why=why)
    if any(it.role == role and _verdict(registry, draft, it).ok for it in signed.signatures):
        return signed
    made = sign_statement(registry.journal, _TYPE, _statement(draft, signed), role, now)
    kept = tuple(it for it in signed.signatures if it.role != role)
    return SignedAnalysis(analysis=signed.analysis, of=signed.of, signatures=(*kept, made))


def _statement(draft: Report, signed: SignedAnalysis) -> dict[str, Json]:
    """Return what a signature under an analysis is over: docs/formats/report-2.md."""
    return {"analysis": signed.of, "kind": draft.kind, "model": draft.model}


def check_signatures(registry: Registry, report: Report) -> tuple[Checked, ...]:
    """Return for each signature under the analysis whether it holds, and why not."""
    if report.analysis is None:
        return ()
    return tuple(_verdict(registry, report, it) for it in report.analysis.signatures)


def check_signed(registry: Registry, report: Report) -> None:
    """Raise BadInput unless each author of the analysis signed it, where the log has roles."""
    signed = report.analysis
    if signed is None or not registry.journal.judge().has_roles:
        return
    stands = {it.role for it in check_signatures(registry, report) if it.ok}
    missing = [role for role in signed.analysis.authors if role not in stands]
    if missing:
        why = f"not signed as {', '.join(missing)}: otium report sign {report.model}"
        raise BadInput(what="the analysis", why=why)


def _verdict(registry: Registry, report: Report, it: Signature) -> Checked:
    assert report.analysis is not None
    why = _fault(registry, report, report.analysis, it)
    return Checked(role=it.role, key=it.key, ok=not why, why=why)


def _fault(registry: Registry, report: Report, signed: SignedAnalysis, it: Signature) -> str:
    """Return the first reason why a signature does not hold, or nothing."""
    if signed.analysis.digest() != signed.of:
        return "the text is not the one that was signed"
    return fault(registry.journal, _TYPE, _statement(report, signed), it)


def _file(
    registry: Registry, model: ModelId, kind: Kind, version: int, make: Callable[[], Report]
) -> Report:
    report = registry.file(
        PUBLISHED[kind],
        model,
        report_path(kind, version),
        Report,
        make,
        {"kind": kind, "version": version},
    )
    _render(registry, report)
    return report


def _render(registry: Registry, report: Report) -> None:
    """Keep the forms for people beside the record; those that are there are left alone."""
    for form, render in (("md", report_markdown), ("html", report_html)):
        path = report_path(report.kind, report.version, form)
        if path not in registry.archive.records(report.model):
            registry.archive.put_record(
                report.model,
                path,
                render(report).encode(),
                now=report.written,
                message=f"The {report.kind} report, for people",
            )


def _units(sections: Sequence[Section]) -> Iterator[tuple[str, list[str]]]:
    for it in sections:
        if it.id in _OWN:
            continue
        yield (
            it.id,
            [
                *(quote.text for quote in it.quotes),
                *(one.text for one in it.statements),
                *(" | ".join(row.cells) for one in it.tables for row in one.rows),
                *it.prose.splitlines(),
            ],
        )
        yield from _units(it.sections)


def _request(title: str, draft: str) -> str:
    """Fill the request in one pass: the draft holds the model's words, braces among them."""
    before, _, after = load_request().body.partition("{draft}")
    return before.replace("{title}", title) + draft + after.replace("{title}", title)
