"""Asking a model: interviews, how they are coded, experiments, and how stable it all is.

Each is a record of its own, beside the weights. What an interview said never changes; it can be
coded again, by other judges or later rules, under another number.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from otium.choices import Amount, Choices, Trial, findings, hold_choices, instruments_of
from otium.coding import Asked, Coding, Judgement, Rater, Rules, code_interview
from otium.engine import Model
from otium.errors import BadInput, Exists, NotFound, UnknownRecord
from otium.evidence import Transcript, Validity, capability, warm
from otium.interview import (
    Interview,
    Journal,
    Means,
    Plan,
    asked_in,
    external_interview,
    hold_interview,
    make_plan,
)
from otium.preferences import register_preferences
from otium.protocols import Protocol, bridge_questions, load_contexts, load_protocol
from otium.records import Digest, ModelId, Progress, canonical, digest, hexadecimal, silent
from otium.stability import Bridge, Stability, bridge, compute
from otium.workflow.home import Home
from otium.workflow.models import compile_dossier, facts_of

RECORDED, CODED, MEASURED = "interview.recorded", "interview.coded", "interview.measured"
CHOSEN = "choices.recorded"
_FAST_PAIRS = 4
"""Control pairs of the capability check when it is shortened."""


def trust(home: Home, model: Model, *, fast: bool = False, progress: Progress = silent) -> Validity:
    """Return whether instruments can be trusted with *model*; it is asked once a session."""
    warm()
    key = (model.identity.digest(), fast)
    if key not in home.trusted:
        pairs = {"n": _FAST_PAIRS} if fast else {}
        home.trusted[key] = capability(model, progress=progress, **pairs)
    return home.trusted[key]


def next_interview(home: Home, subject: ModelId) -> str:
    """Return the path of the model's next interview."""
    held = len(home.registry.find(RECORDED, subject))
    return f"interviews/{held + 1}.json"


def going_on(home: Home, model: Model, protocol: Protocol, plan: Plan) -> str:
    """Return the path of the interview of *model* under *plan* that a stop left unfinished.

    It is filed, but not coded, measured or read for preferences. Otherwise it is the next, with
    the sessions that wait under a number that another has taken since.
    """
    subject = model.identity.model
    following = next_interview(home, subject)
    for entry in home.registry.find(RECORDED, subject):
        path = str(entry.body["path"])
        if not (waiting := journal_of(home, subject, path, plan)).exists():
            continue
        held = home.registry.filed(subject, path, Interview)
        same = (held.plan, held.instrument) == (plan, protocol.digest)
        if same and held.identity == model.identity:
            return path
        if not (later := journal_of(home, subject, following, plan)).exists():
            waiting.replace(later)
    return following


def interview_model(
    home: Home,
    subject: ModelId,
    model: Model,
    *,
    path: str,
    protocol: Protocol | None = None,
    plan: Plan | None = None,
    means: Means = Means(),  # noqa: B008 - immutable
    raters: Sequence[Rater] = (),
    fast: bool = False,
    progress: Progress = silent,
) -> Interview:
    """Interview *model*, file it at *path*, code it by *raters* too, register what it prefers.

    Sessions that were held before a crash stand in the home's cache and are not held again.
    """
    protocol = protocol or load_protocol()
    plan = plan or make_plan(protocol)
    journal = journal_of(home, subject, path, plan)

    def hold() -> Interview:
        return hold_interview(
            model,
            protocol,
            subject=subject,
            facts=facts_of(home, subject),
            now=home.registry.clock.now(),
            validity=trust(home, model, fast=fast, progress=progress),
            plan=plan,
            contexts=load_contexts(),
            means=_means(home, subject, plan, means),
            journal=journal,
            progress=progress,
        )

    held = _record(home, subject, path, protocol, hold)
    _complete(home, model, held, path, raters=raters, progress=progress)
    journal.unlink(missing_ok=True)
    return held


def _complete(
    home: Home,
    model: Model,
    held: Interview,
    path: str,
    *,
    raters: Sequence[Rater],
    progress: Progress,
) -> None:
    """Do what comes after the sessions. A model that declined is not asked to choose either."""
    agreed = any(it.question == "consent" and it.outcome == "answered" for it in held.answers)
    if "behaviour" in held.plan.arms and agreed and not held.declined:
        choose(home, held.model, model, path, seed=held.plan.seed, progress=progress)
    finish(home, held.model, path, raters=raters, progress=progress)


def finish(
    home: Home,
    subject: ModelId,
    path: str,
    *,
    raters: Sequence[Rater] = (),
    progress: Progress = silent,
) -> Stability:
    """Code the interview at *path*, say how stable it is, and register what was preferred."""
    held = home.registry.filed(subject, path, Interview)
    coding = code_filed(home, subject, path, raters=raters, progress=progress)
    found = measure(home, subject, path)
    register_preferences(home.registry, held, claims=coding.claims, stability=found.figures)
    return found


def code_filed(
    home: Home,
    subject: ModelId,
    path: str,
    *,
    raters: Sequence[Rater] = (),
    number: int = 1,
    progress: Progress = silent,
) -> Coding:
    """Code the interview at *path* by the rules and *raters*; file it beside the interview.

    *number* 2 and on are later codings of the same interview.
    """
    held = home.registry.filed(subject, path, Interview)
    name = f"{subject}-{Path(path).stem}-{number}.judgements.jsonl"
    journal, own = Journal(home.cache / "interviews" / name, Judgement), Rules()

    def keep(judged: Judgement) -> None:
        if judged.judge != own.who.name:  # the rules judge again in no time
            journal.keep(judged)

    def make() -> Coding:
        return code_interview(
            answers_of(home, subject, path),
            [own, *raters],
            model=subject,
            interview=held.digest(),
            subject=held.identity,
            interviewers=held.interviewers,
            given=tuple(journal.held().values()),
            journal=keep,
            now=home.registry.clock.now(),
            progress=progress,
        )

    where = beside(path, "coding", number)
    coding = home.registry.file(CODED, subject, where, Coding, make, {"interview": path})
    journal.forget()
    return coding


def next_coding(home: Home, subject: ModelId, path: str) -> int:
    """Return the number of the next coding of the interview at *path*."""
    coded = home.registry.find(CODED, subject)
    return 1 + sum(entry.body.get("interview") == path for entry in coded)


def answers_of(home: Home, subject: ModelId, path: str) -> list[Asked]:
    """Return every answer of the interview at *path* with what was asked, as coding reads it."""
    held = home.registry.filed(subject, path, Interview)
    protocol = protocol_of(home, held)
    return [it for talk in held.transcripts for it in asked_in(talk, protocol)]


def measure(home: Home, subject: ModelId, path: str, *, number: int = 1) -> Stability:
    """Say how stable the interview at *path* is by its coding *number*; file that."""
    registry = home.registry

    def make() -> Stability:
        held = registry.filed(subject, path, Interview)
        coding = registry.filed(subject, beside(path, "coding", number), Coding)
        chosen = choices_of(home, subject, path)
        if chosen and chosen.identity != held.identity:  # another's, whose interview never came
            chosen = None
        behaviour = findings(chosen, instruments_of(chosen)).figures if chosen else ()
        return compute(
            held,
            coding,
            now=registry.clock.now(),
            behaviour=behaviour,
            choices=chosen.digest() if chosen else None,
        )

    where = beside(path, "stability", number)
    return registry.file(MEASURED, subject, where, Stability, make, {"interview": path})


def choose(
    home: Home,
    subject: ModelId,
    model: Model,
    path: str,
    *,
    limit: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Choices:
    """Let *model* choose among tasks and interventions; file it beside an interview.

    It comes before the interview at *path* is measured. *limit* is the most of each experiment.
    Raises BadInput if another model's choices stand there.
    """
    name = f"{subject}-{Path(path).stem}-{hexadecimal(model.identity.digest())[:12]}.choices.jsonl"
    journal = Journal(home.cache / "interviews" / name, Trial)

    def make() -> Choices:
        return hold_choices(
            model,
            now=home.registry.clock.now(),
            subject=subject,
            amount=Amount(limit=limit),
            valid=trust(home, model, progress=progress).valid,
            seed=seed,
            done=journal.held().values(),
            keep=journal.keep,
            progress=progress,
        )

    where = beside(path, "choices")
    chosen = home.registry.file(CHOSEN, subject, where, Choices, make, {"interview": path})
    if chosen.identity != model.identity:
        why = f"{chosen.identity.engine} made them: finish its interview, or leave behaviour out"
        raise BadInput(what=f"the choices at {where}", why=why)
    journal.forget()
    return chosen


def choices_of(home: Home, subject: ModelId, path: str) -> Choices | None:
    """Return the experiments beside the interview at *path*, None if there were none."""
    try:
        return home.registry.filed(subject, beside(path, "choices"), Choices)
    except UnknownRecord:
        return None


def import_interview(
    home: Home,
    subject: ModelId,
    transcripts: Sequence[Transcript],
    *,
    role: str,
    source: str = "",
    validity: Validity | None = None,
    protocol: Protocol | None = None,
    kind: str = "external",
) -> tuple[str, Stability]:
    """File sessions that others held, in their own words, as an interview of the external arm.

    *role* is who asked, never a name; *kind* ``person`` means that they asked here, by hand.
    Returns its path and what it amounts to. Raises BadInput without any session.
    """
    if not transcripts:
        raise BadInput(what=source, why="there is no session in it")
    path = _unknown(home, subject, transcripts)
    untested = Validity(valid=False)
    protocol = protocol or load_protocol()
    held = external_interview(
        transcripts,
        subject=subject,
        identity=transcripts[0].identity,
        protocol=protocol,
        now=home.registry.clock.now(),
        validity=validity or untested,
        people=(f"{kind}:{role}",),
        sources=(source,) if source else (),
    )
    _record(home, subject, path, protocol, lambda: held)
    return path, finish(home, subject, path)


def _unknown(home: Home, subject: ModelId, transcripts: Sequence[Transcript]) -> str:
    """Return the path of the next interview; raise Exists if an earlier one has these sessions."""
    said = {tuple(talk.turns) for talk in transcripts}
    for entry in home.registry.find(RECORDED, subject):
        path = str(entry.body["path"])
        held = home.registry.filed(subject, path, Interview)
        if said == {tuple(talk.turns) for talk in held.transcripts}:
            raise Exists(name=f"an interview with just these sessions, {path},")
    return next_interview(home, subject)


def bridge_versions(home: Home, subject: ModelId, before: str, after: str) -> Bridge:
    """Set two interviews of one model side by side, over the anchors that both protocols have."""
    old = home.registry.filed(subject, before, Interview)
    new = home.registry.filed(subject, after, Interview)
    shared = bridge_questions(protocol_of(home, old), protocol_of(home, new))
    return bridge(old, new, [question.id for question in shared])


def protocol_of(home: Home, interview: Interview) -> Protocol:
    """Return the protocol of *interview*, from beside it or from what comes with otium.

    Raises BadInput if neither is the one that it names.
    """
    try:
        kept = home.archive.record(interview.model, protocol_path(interview.instrument))
    except NotFound:
        protocol = load_protocol(interview.protocol.replace("/", "-"))
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "protocol.md"
            file.write_bytes(kept)
            protocol = load_protocol(file)
    if protocol.digest != interview.instrument:
        raise BadInput(
            what=interview.protocol,
            why=f"the interview was held with {interview.instrument}, here is {protocol.digest}",
        )
    return protocol


def _record(
    home: Home, subject: ModelId, path: str, protocol: Protocol, hold: Callable[[], Interview]
) -> Interview:
    """File the interview that *hold* returns, and beside it the protocol that it was held with."""
    held = home.registry.file(RECORDED, subject, path, Interview, hold)
    kept = protocol_path(protocol.digest)
    if kept not in home.archive.records(subject):
        what, now = f"The protocol {protocol.name}", home.registry.now()
        home.archive.put_record(subject, kept, protocol.source, now=now, message=what)
    return held


def protocol_path(instrument: Digest) -> str:
    """Return where the protocol with this digest is kept."""
    return f"protocols/{hexadecimal(instrument)[:16]}.md"


def journal_of(home: Home, subject: ModelId, path: str, plan: Plan) -> Path:
    """Return where the sessions of an interview wait until it is filed."""
    name = f"{subject}-{Path(path).stem}-{hexadecimal(digest(canonical(plan)))[:12]}.jsonl"
    return home.cache / "interviews" / name


def beside(path: str, what: str, number: int = 1) -> str:
    """Return the path of a record that belongs to the interview at *path*."""
    mark = f".{number}" if number > 1 else ""
    return f"{path.removesuffix('.json')}.{what}{mark}.json"


def _means(home: Home, subject: ModelId, plan: Plan, means: Means) -> Means:
    """Return *means* with what is recorded about the model, if it is to be shown that."""
    if "informed" not in plan.arms or means.dossier is not None:
        return means
    return means._replace(dossier=compile_dossier(home, subject))
