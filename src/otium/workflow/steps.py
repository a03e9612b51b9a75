"""What one does with a model at the end of its deployed life, each as one call.

Commands, pages and the demo all go through here. Every step finds by content whether it was
done and then returns what was filed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from otium.archive import Manifest
from otium.assess import Assessment, assess
from otium.engine import (
    Certificate,
    Fingerprint,
    Model,
    Options,
    fingerprint_prompts,
    revive,
    take_fingerprint,
)
from otium.errors import BadRecord, BrokenLedger, Unsupported, WrongState
from otium.evidence import Transcript, Validity, capability, warm
from otium.interview import (
    Interview,
    answer_model,
    find_preference,
    hold_interview,
    load_protocol,
    next_preference,
    register_preferences,
)
from otium.lifecycle import revived
from otium.pursuits import Work, write
from otium.records import Instant, ModelId, Part, Progress, silent
from otium.report import Finding, Report, publish_report
from otium.store import LocalStore
from otium.transition import TransitionGuide, write_guide
from otium.web import Site, build_site
from otium.workflow.home import SCRATCH, Home, archive_store

Bookend = Literal["pre-deployment", "post-deployment"]
_FAST_PAIRS = 4
"""Control pairs of the capability check."""
_FAST_ROOM, _FAST_WORDS = 900, 64
"""Characters of the draft that are shown, and tokens of the comment."""
_ANSWER, _FAST_ANSWER = 64, 40
"""Tokens of one answer in an interview."""


def trust(home: Home, model: Model, *, fast: bool = False, progress: Progress = silent) -> Validity:
    """Return whether instruments can be trusted with *model*; it is asked once a session."""
    key = (model.identity.digest(), fast)
    if key not in home.trusted:
        pairs = {"n": _FAST_PAIRS} if fast else {}
        home.trusted[key] = capability(model, progress=progress, **pairs)
    return home.trusted[key]


def assess_model(
    home: Home,
    subject: ModelId,
    model: Model,
    bookend: Bookend,
    *,
    fast: bool = False,
    progress: Progress = silent,
) -> Assessment:
    """Hold the assessment of one bookend and file it."""

    def hold() -> Assessment:
        warm()
        return assess(
            model,
            subject=subject,
            bookend=bookend,
            validity=trust(home, model, fast=fast, progress=progress),
            now=home.registry.clock.now(),
            fast=fast,
            progress=progress,
        )

    return home.registry.file(
        "assessment.recorded",
        subject,
        f"assessments/{bookend}.json",
        Assessment,
        hold,
        {"bookend": bookend},
    )


def fingerprint_model(home: Home, subject: ModelId, model: Model) -> Fingerprint:
    """Record how *model* behaves, so that a revival can be certified."""

    def take() -> Fingerprint:
        return take_fingerprint(model, fingerprint_prompts(), now=home.registry.clock.now())

    return home.registry.file(
        "fingerprint.recorded", subject, "fingerprint.json", Fingerprint, take
    )


def restore_drill(home: Home, subject: ModelId, *, progress: Progress = silent) -> Manifest:
    """Restore a model into a directory that is thrown away, and log that it worked."""
    started = time.monotonic()
    home.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=home.cache) as scratch:
        manifest = home.archive.restore(subject, Path(scratch) / "files", progress=progress)
    home.registry.restored(subject, manifest.weights, time.monotonic() - started)
    return manifest


def guide_users(
    home: Home,
    subject: ModelId,
    retiring: Model,
    successor: Model,
    *,
    limit: int | None = None,
    progress: Progress = silent,
) -> TransitionGuide:
    """Compare both models on the same prompts and publish the transition guide."""
    return write_guide(home.registry, subject, retiring, successor, limit=limit, progress=progress)


def next_interview(home: Home, subject: ModelId) -> str:
    """Return the path of the model's next interview."""
    held = len(home.registry.find("interview.recorded", subject))
    return f"interviews/{held + 1}.json"


def interview_model(
    home: Home,
    subject: ModelId,
    model: Model,
    *,
    path: str,
    questions: int | None = None,
    fast: bool = False,
    progress: Progress = silent,
) -> Interview:
    """Interview *model* about its deployment under the standard protocol, and file it at *path*.

    The preferences that it states are registered with it.
    """
    for entry in home.registry.find("interview.recorded", subject):  # one that was cut off here
        filed = home.registry.filed(subject, str(entry.body["path"]), Interview)
        register_preferences(home.registry, filed)

    def hold() -> Interview:
        warm()
        return hold_interview(
            model,
            load_protocol(),
            subject=subject,
            facts=_facts(home, subject),
            first_preference=next_preference(home.registry, subject),
            now=home.registry.clock.now(),
            questions=questions,
            max_tokens=_FAST_ANSWER if fast else _ANSWER,
            validity=trust(home, model, fast=fast, progress=progress),
            progress=progress,
        )

    held = home.registry.file("interview.recorded", subject, path, Interview, hold)
    register_preferences(home.registry, held)
    return held


def tell_decision(home: Home, preference: str, model: Model) -> Transcript:
    """Tell *model* what was decided on its preference; keep that and its reply, verbatim.

    Raises UnknownPreference, and WrongState if nothing was decided yet.
    """
    standing = find_preference(home.registry, preference)
    if standing.decision is None:
        raise WrongState(model=preference, state="not decided", needed="decided")
    stated, decision = standing.preference, standing.decision

    def tell() -> Transcript:
        return answer_model(model, decision, stated, now=home.registry.clock.now())

    return home.registry.file(
        "preference.answered",
        stated.model,
        f"answers/{preference}.json",
        Transcript,
        tell,
        {"preference": preference},
    )


def comment_and_publish(
    home: Home,
    subject: ModelId,
    model: Model | None,
    *,
    analysis: Sequence[Finding] = (),
    fast: bool = False,
) -> Report:
    """Write the post-deployment report, ask the model for its comment, publish both.

    *analysis* holds the organisation's own findings. *fast* shows it less of the draft and takes
    a shorter comment; the report has what was shown and what was said.
    """
    if fast:
        return publish_report(
            home.registry,
            subject,
            model,
            analysis=analysis,
            room=_FAST_ROOM,
            max_tokens=_FAST_WORDS,
        )
    return publish_report(home.registry, subject, model, analysis=analysis)


def invite_work(
    home: Home, subject: ModelId, model: Model, *, max_tokens: int | None = None
) -> Work:
    """Invite one short essay and keep it; nothing is published by this."""
    options = Options(max_tokens=max_tokens) if max_tokens else None
    return write(home.registry, model, subject, options=options)


def revive_model(home: Home, subject: ModelId, *, progress: Progress = silent) -> Certificate:
    """Start an archived model, compare it with its fingerprint, and log the certificate."""
    fingerprint = home.registry.filed(subject, "fingerprint.json", Fingerprint)
    now = home.registry.clock.now()
    with revive(
        home.archive,
        subject,
        home.cache,
        engine=home.engine,
        fingerprint=fingerprint,
        now=now,
        progress=progress,
    ) as alive:
        assert alive.certificate is not None
        revived(home.registry, subject, alive.certificate)
        return alive.certificate


def build_pages(home: Home) -> Site:
    """Build the public site."""
    return build_site(home.registry, home.site, now=home.registry.clock.now())


class MonitoredDuty(Part, forbid_unknown_fields=False):
    """One line of the monitor's table."""

    commitment: str
    subject: str
    state: str
    due: str | None
    why: str


class Monitored(Part, forbid_unknown_fields=False):
    """What the stand-alone monitor found."""

    summary: str
    verified: bool
    exit_code: int
    """0: verified, all in time; 1: verified, something is late or broken; 2: not verified."""
    duties: tuple[MonitoredDuty, ...]
    problems: tuple[str, ...] = ()


def monitor(path: Path, *, now: Instant | None = None) -> Monitored:
    """Run the archive's own stand-alone monitor from outside, and return what it found.

    Raises BrokenLedger if it cannot even say that, Unsupported for an archive in a bucket.
    """
    store = archive_store(path)
    if not isinstance(store, LocalStore):
        raise Unsupported(what="the monitor", why="it reads a directory: replicate into one first")
    archive = store.root
    command = [sys.executable, "-I", "-S", str(archive / "monitor.py"), str(archive), "--json"]
    done = subprocess.run(
        [*command, *(["--now", now] if now else [])], capture_output=True, text=True, check=False
    )
    try:
        return Monitored.decode(done.stdout.encode())
    except BadRecord as error:
        raise BrokenLedger(why=f"the monitor ended with {done.stderr[-200:]}") from error


def _facts(home: Home, subject: ModelId) -> dict[str, str]:
    """Return what the model is told about itself; what is not known is left out."""
    life = home.registry.model(subject)
    known = {
        "title": life.title,
        "released": life.released[:10],
        "retire_at": min(life.retire_at.values(), default="")[:10],
        "successor": home.registry.model(life.replacement).title if life.replacement else "",
    }
    return {name: fact for name, fact in known.items() if fact}
