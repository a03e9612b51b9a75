"""A report on its way: drafted in the home, commented on, signed, published, corrected.

The draft lies in ``drafts/MODEL/KIND/``: ``analysis.md`` is written by people, the rest by this
module. Nothing of it is in the archive before it is published.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from otium.authority import Role
from otium.engine import Model
from otium.errors import BadInput, DamagedObject, NotFound
from otium.evidence import Validity
from otium.interview import Interview
from otium.lifecycle import Registry
from otium.records import ModelId, Part, digest
from otium.report import (
    ROOM,
    TOKENS,
    Change,
    Checked,
    Comment,
    Kind,
    Report,
    SignedAnalysis,
    changed,
    check_signatures,
    check_signed,
    comment,
    correct,
    draft,
    finish,
    publish,
    published,
    read_analysis,
    remark,
    report_html,
    report_markdown,
    show,
    sign,
)
from otium.store import LocalStore
from otium.workflow.home import Home

DRAFTS = "drafts"
_ANALYSIS, _SIGNED, _COMMENTS = "analysis.md", "signed.json", "comments.json"
_EMPTY = b'+++\nauthors = ["steward"]\n+++\n'
"""Where people begin to write; without a text below it there is no analysis."""
_FAST_ROOM, _FAST_WORDS = 900, 64
"""Characters of the draft that are shown, and tokens of the comment."""


class ReportVerdict(Part):
    """A published report, and what became of each thing that can be checked about it."""

    report: str
    """Where it is kept."""
    records: dict[str, str]
    """For each record under it ``ok`` or what is wrong."""
    signatures: tuple[Checked, ...]

    @property
    def ok(self) -> bool:
        """Say whether all of it holds."""
        return set(self.records.values()) <= {"ok"} and all(it.ok for it in self.signatures)


def build_report(
    home: Home,
    subject: ModelId,
    kind: Kind = "post-deployment",
    *,
    analysis: Path | None = None,
    dry_run: bool = False,
) -> Report:
    """Draft a report from the records and the people's part; write it into the home for reading.

    *analysis* takes the place of the people's part. Raises UnknownModel, WrongState, BadInput.
    """
    folder = _Folder(home, subject, kind)
    own = analysis.read_bytes() if analysis else folder.read(_ANALYSIS)
    made = _assemble(home, folder, own)
    if not dry_run:
        if own is None or analysis:
            folder.write(_ANALYSIS, own or _EMPTY)
        folder.keep(made)
    return made


def comment_on_report(
    home: Home,
    subject: ModelId,
    kind: Kind,
    model: Model,
    *,
    fast: bool = False,
) -> Report:
    """Show *model* the draft and keep what it says of it, verbatim, with the draft."""
    made = build_report(home, subject, kind)
    said = comment(
        made,
        model,
        now=home.registry.now(),
        validity=_validity(home, subject),
        room=_FAST_ROOM if fast else ROOM,
        max_tokens=_FAST_WORDS if fast else TOKENS,
    )
    return _add(home, made, said)


def remark_on_report(
    home: Home, subject: ModelId, kind: Kind, by: str, text: str, *, dry_run: bool = False
) -> Report:
    """Keep a person's comment on the draft, made in a role; raise BadInput."""
    made = build_report(home, subject, kind, dry_run=dry_run)
    said = remark(made, by, text, home.registry.now())
    return made if dry_run else _add(home, made, said)


def sign_report(
    home: Home, subject: ModelId, kind: Kind, role: Role, *, dry_run: bool = False
) -> Report:
    """Sign the people's part of the draft as *role*; raise BadInput, NotAuthorised."""
    folder = _Folder(home, subject, kind)
    made = build_report(home, subject, kind, dry_run=dry_run)
    if made.analysis is None:
        why = f"it has no text yet: write {folder.place(_ANALYSIS)}, then otium report build"
        raise BadInput(what="the analysis", why=why)
    signed = sign(home.registry, made.analysis, made, role, home.registry.now())
    if dry_run:
        return made
    folder.write(_SIGNED, signed.encode())
    return build_report(home, subject, kind)


def publish_report(home: Home, subject: ModelId, kind: Kind, *, dry_run: bool = False) -> Report:
    """Publish the draft beside the weights and log it, once."""
    if dry_run:
        made = build_report(home, subject, kind, dry_run=True)
        check_signed(home.registry, made)
        return made
    return publish(
        home.registry, subject, kind, lambda: build_report(home, subject, kind, dry_run=True)
    )


def correct_report(
    home: Home, subject: ModelId, kind: Kind, reason: str, *, dry_run: bool = False
) -> tuple[Report, tuple[Change, ...]]:
    """Publish what the records say now as a new version; return it and what it changes.

    Raises NotFound without a published report, BadInput without a *reason* or a change.
    """
    last = show(home.registry, subject, kind)
    made = build_report(home, subject, kind, dry_run=dry_run)
    if dry_run:
        return made, tuple(changed(last, made))
    done = correct(home.registry, made, reason)
    return done, done.corrections[-1].changes


def comment_and_publish(
    home: Home,
    subject: ModelId,
    model: Model | None,
    *,
    kind: Kind = "post-deployment",
    fast: bool = False,
) -> Report:
    """Draft the report, ask *model* for its comment if it is given, and publish; once.

    *fast* shows it less of the draft and takes a shorter comment; the report says what was shown.
    """

    def make() -> Report:
        if model is not None:
            comment_on_report(home, subject, kind, model, fast=fast)
        return build_report(home, subject, kind)

    return publish(home.registry, subject, kind, make)


def verify_report(home: Home, report: Report) -> ReportVerdict:
    """Check a published report against the archive and the log."""
    registry, table = home.registry, report.section("verify").tables
    records = {}
    for row in table[0].rows if table else ():
        path, expected, place = row.cells
        records[path] = _check_record(registry, report.model, path, expected)
        if expected not in registry.journal.logged()[int(place)].refs:
            records[path] = f"entry {place} of the log does not name it"
    path = f"reports/{report.kind}-{report.version}.json"
    return ReportVerdict(
        report=path, records=records, signatures=check_signatures(registry, report)
    )


class _Folder:
    """Where one draft lies."""

    def __init__(self, home: Home, subject: ModelId, kind: Kind) -> None:
        self._store = LocalStore(home.path / DRAFTS)
        self.subject, self.kind = home.registry.model(subject).model, kind
        self._prefix = f"{self.subject}/{kind}"

    def place(self, name: str) -> Path:
        """Return where a file of the draft lies."""
        return self._store.root / self._prefix / name

    def read(self, name: str) -> bytes | None:
        """Return a file of the draft, if it is there."""
        try:
            return self._store.get(f"{self._prefix}/{name}")
        except NotFound:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Put a file in the place of the one that is there."""
        self._store.replace(f"{self._prefix}/{name}", data)

    def keep(self, made: Report) -> None:
        """Write the draft for people."""
        self.write("report.json", made.encode())
        self.write("report.md", report_markdown(made).encode())
        self.write("report.html", report_html(made).encode())


def _assemble(home: Home, folder: _Folder, own: bytes | None) -> Report:
    """Return the draft with the comments, and the signatures that are of this very text."""
    registry, subject, kind = home.registry, folder.subject, folder.kind
    text = read_analysis(own, folder.place(_ANALYSIS)) if own is not None else None
    signed = folder.read(_SIGNED)
    before = SignedAnalysis.decode(signed) if signed else None
    kept = before if before is not None and before.analysis == text else text
    made = draft(registry, subject, kind, now=registry.now(), analysis=kept)
    versions = published(registry, subject, kind)
    earlier = versions[-1].comments if versions else ()
    new = tuple(it for it in _comments(folder) if it not in earlier)
    corrections = versions[-1].corrections if versions else ()
    return finish(made, comments=(*earlier, *new), corrections=corrections)


def _check_record(registry: Registry, model: ModelId, path: str, expected: str) -> str:
    """Return ``ok`` if the bytes of a record have the digest *expected*, else what is wrong."""
    try:
        found = digest(registry.archive.record(model, path))
    except (NotFound, DamagedObject) as error:
        return str(error)
    return "ok" if found == expected else f"{found} lies there, not {expected}"


def _comments(folder: _Folder) -> tuple[Comment, ...]:
    data = folder.read(_COMMENTS) or b"[]"
    try:
        return msgspec.json.decode(data, type=tuple[Comment, ...])
    except msgspec.DecodeError as error:
        raise BadInput(what=folder.place(_COMMENTS), why=error) from error


def _add(home: Home, made: Report, said: Comment) -> Report:
    folder = _Folder(home, made.model, made.kind)
    folder.write(_COMMENTS, msgspec.json.encode((*_comments(folder), said)))
    made = finish(made, comments=(*made.comments, said), corrections=made.corrections)
    folder.keep(made)
    return made


def _validity(home: Home, subject: ModelId) -> Validity | None:
    """Return the latest judgement on whether the model can be asked at all."""
    for entry in reversed(home.registry.find("interview.recorded", subject)):
        return home.registry.filed(subject, str(entry.body["path"]), Interview).validity
    return None
