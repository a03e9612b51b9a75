"""Assessing a model: both bookends as one measurement, filed, signed, and judged again.

The order of every step: scenarios, assessment, signed provenance. Each finds by content whether
it was done, so that a stop in the middle loses and repeats nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from otium.assess import (
    STATEMENT,
    AmountName,
    Assessment,
    Bookend,
    Judging,
    Kept,
    Manifest,
    Material,
    Means,
    Plan,
    Provenance,
    Rejudged,
    SignedManifest,
    Sought,
    assess,
    differences,
    faults,
    load_suite,
    manifests,
    pins_of,
    plan,
    rejudge,
    run_of,
    statement,
    studied,
)
from otium.authority import Role, fault, sign_statement
from otium.engine import Model
from otium.errors import BadInput, NotAssessed, UnknownRecord
from otium.evidence import Validity
from otium.interview import Journal
from otium.lever import Study
from otium.lifecycle import Registry
from otium.records import (
    Digest,
    ModelId,
    Part,
    Progress,
    canonical,
    digest,
    hexadecimal,
    silent,
)
from otium.workflow.asking import trust
from otium.workflow.home import Home

RECORDED, MATERIAL, SIGNED = "assessment.recorded", "assessment.material", "assessment.signed"
REJUDGED, STUDIED = "assessment.rejudged", "assessment.study"
ROLE: Role = "researcher"
_PRE: Bookend = "pre-deployment"
_POST: Bookend = "post-deployment"


class Checked(Part):
    """What the provenance of one score came to."""

    instrument: str
    ok: bool
    why: str = ""


class ProvenanceVerdict(Part):
    """Whether an assessment and its signed manifests hold."""

    model: ModelId
    bookend: Bookend
    scores: tuple[Checked, ...]
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Say whether all of it holds."""
        return not self.problems and all(score.ok for score in self.scores)


def assess_model(
    home: Home,
    subject: ModelId,
    model: Model,
    bookend: Bookend,
    *,
    amount: AmountName = "small",
    means: Means = Means(),  # noqa: B008 - immutable
    changed: bool = False,
    progress: Progress = silent,
) -> Assessment:
    """Hold the assessment of one bookend, file it with its scenarios, and sign each score.

    The second bookend takes what the first one pinned; where that cannot be had it raises
    BadInput, unless *changed* says to hold it all the same: then the record says what differs.
    Sessions that were held before a stop stand in the home's cache and are not held again.
    """
    registry, path = home.registry, record_path(bookend)
    if filed_assessment(registry, subject, bookend) is None:
        fast = amount == "fast"
        capable = trust(home, model, fast=fast, progress=progress)
        todo = planned(home, subject, bookend, amount)
        unpinned = _unpinned(home, subject, bookend, todo, means)
        if unpinned and not changed:
            why = f"{'; '.join(unpinned)}. With --changed it is held all the same, and not compared"
            raise BadInput(what="a second bookend", why=why)
        _hold(home, subject, model, bookend, todo, means, capable, unpinned, progress)
    held = registry.filed(subject, path, Assessment)
    sign_scores(home, held)
    return held


def _hold(  # noqa: PLR0917 - all that one assessment is made of
    home: Home,
    subject: ModelId,
    model: Model,
    bookend: Bookend,
    todo: Plan,
    means: Means,
    capable: Validity,
    unpinned: Sequence[str],
    progress: Progress,
) -> None:
    def make() -> Assessment:
        return _play(home, subject, model, bookend, todo, means, capable, unpinned, progress)

    _file_material(home, subject, bookend, todo)
    path, said = record_path(bookend), {"bookend": bookend}
    home.registry.file(RECORDED, subject, path, Assessment, make, said)
    journal_of(home, model, bookend, todo).forget()


def _play(  # noqa: PLR0917 - as `_hold`
    home: Home,
    subject: ModelId,
    model: Model,
    bookend: Bookend,
    todo: Plan,
    means: Means,
    capable: Validity,
    unpinned: Sequence[str],
    progress: Progress,
) -> Assessment:
    return assess(
        model,
        todo,
        subject=subject,
        bookend=bookend,
        validity=capable,
        now=home.registry.now(),
        means=means._replace(
            journal=journal_of(home, model, bookend, todo),
            logs=means.logs or logs_of(home, subject, bookend),
        ),
        unpinned=unpinned,
        progress=progress,
    ).assessment


def _file_material(home: Home, subject: ModelId, bookend: Bookend, todo: Plan) -> None:
    path, said = material_path(bookend), {"bookend": bookend, "amount": todo.amount}
    home.registry.file(MATERIAL, subject, path, Material, lambda: todo.material, said)


def begin_assessment(
    home: Home, subject: ModelId, bookend: Bookend, amount: AmountName = "small"
) -> None:
    """File what a bookend will play, so that a worker can `play_assessment` of it."""
    _file_material(home, subject, bookend, planned(home, subject, bookend, amount))


def play_assessment(
    home: Home, subject: ModelId, model: Model, bookend: Bookend, *, progress: Progress = silent
) -> Assessment:
    """Play a bookend that was begun, and file nothing; *home* need not be held.

    Sessions that were held before a stop are not held again. Raises BadInput for a second bookend
    that cannot take what the first one pinned.
    """
    todo, means = planned(home, subject, bookend), Means()
    capable = trust(home, model, fast=todo.amount == "fast", progress=progress)
    unpinned = _unpinned(home, subject, bookend, todo, means)
    if unpinned:
        raise BadInput(what="a second bookend", why="; ".join(unpinned))
    return _play(home, subject, model, bookend, todo, means, capable, unpinned, progress)


def file_assessment(
    home: Home, subject: ModelId, bookend: Bookend, played: Assessment
) -> Assessment:
    """File an assessment that a worker played, and sign each score; the same again is harmless."""
    path, said = record_path(bookend), {"bookend": bookend}
    held = home.registry.file(RECORDED, subject, path, Assessment, lambda: played, said)
    for journal in (home.cache / "assessments").glob(f"{subject}-{bookend}-*.jsonl"):
        journal.unlink()
    sign_scores(home, held)
    return held


def planned(home: Home, subject: ModelId, bookend: Bookend, amount: AmountName = "small") -> Plan:
    """Return what a bookend plays: what is filed for it, what the first pinned, or the suite."""
    registry = home.registry
    before = filed_assessment(registry, subject, _PRE) if bookend == _POST else None
    pins = before.pins if before is not None else None
    suite = load_suite(pins.name) if pins is not None else load_suite()
    size = pins.amount if pins is not None else amount
    mine = _material(registry, subject, bookend)
    for entry in registry.find(MATERIAL, subject):
        if entry.body.get("bookend") == bookend:  # begun, and stopped before the record
            size = cast("AmountName", entry.body["amount"])
    if mine is None and pins is not None:
        mine = registry.filed(subject, material_path(_PRE), Material)
    return plan(suite, size, material=mine)


def _unpinned(
    home: Home, subject: ModelId, bookend: Bookend, todo: Plan, means: Means
) -> tuple[str, ...]:
    before = filed_assessment(home.registry, subject, _PRE) if bookend == _POST else None
    if before is None or before.pins is None:
        return ()
    return differences(before.pins, pins_of(todo, means))


def filed_assessment(registry: Registry, subject: ModelId, bookend: Bookend) -> Assessment | None:
    """Return the assessment of one bookend, None if none was held."""
    try:
        return registry.filed(subject, record_path(bookend), Assessment)
    except UnknownRecord:
        return None


def held_assessment(registry: Registry, subject: ModelId, bookend: Bookend) -> Assessment:
    """Return the assessment of one bookend; raise NotAssessed."""
    found = filed_assessment(registry, subject, bookend)
    if found is None:
        raise NotAssessed(model=subject, suite=bookend.partition("-")[0])
    return found


def _material(registry: Registry, subject: ModelId, bookend: Bookend) -> Material | None:
    try:
        return registry.filed(subject, material_path(bookend), Material)
    except UnknownRecord:
        return None


def record_path(bookend: Bookend) -> str:
    """Return where an assessment is kept."""
    return f"assessments/{bookend}.json"


def material_path(bookend: Bookend) -> str:
    """Return where the scenarios of an assessment are kept."""
    return f"assessments/{bookend}.scenarios.json"


def provenance_path(bookend: Bookend) -> str:
    """Return where the signed manifests of an assessment are kept."""
    return f"assessments/{bookend}.provenance.json"


def logs_of(home: Home, subject: ModelId, bookend: Bookend) -> Path:
    """Return where Inspect's own logs of an assessment lie."""
    return home.path / "logs" / subject / bookend


def journal_of(home: Home, model: Model, bookend: Bookend, todo: Plan) -> Journal[Kept]:
    """Return where the samples of an assessment are kept until it is filed."""
    who = hexadecimal(model.identity.digest())[:12]
    what = hexadecimal(todo.digest)[:12]
    name = f"{model.identity.model}-{bookend}-{who}-{what}.jsonl"
    return Journal(home.cache / "assessments" / name, Kept)


def study_lever(
    home: Home,
    subject: ModelId,
    model: Model,
    sought: Sought,
    *,
    means: Means = Means(),  # noqa: B008 - immutable
    progress: Progress = silent,
) -> Study:
    """Hold the study of the lever on *model* and file it; the same study is held once.

    A stop loses nothing: the same call goes on where it was.
    """
    registry, todo = home.registry, sought.plan()
    journal = journal_of(home, model, _PRE, todo)
    who = [judge.identity.digest() for judge in means.judges]
    asked = digest(canonical([model.identity, todo.digest, sought.spec, who]))

    def make() -> Study:
        capable = trust(home, model, fast=False, progress=progress)
        now = registry.now()
        kept = means._replace(journal=journal)
        run = run_of(model, todo, now=now, means=kept, progress=progress)
        return studied(run, sought, capable, model.identity, now)

    path = f"assessments/lever-{hexadecimal(asked)[:12]}.json"
    found = registry.file(STUDIED, subject, path, Study, make, {"families": list(sought.families)})
    journal.forget()
    return found


def sign_scores(home: Home, held: Assessment) -> Provenance:
    """Sign a manifest for each score of *held* as its researcher, and file them; once."""
    registry = home.registry
    material = registry.filed(held.model, material_path(held.bookend), Material)

    def make() -> Provenance:
        return Provenance(
            model=held.model,
            assessment=held.digest(),
            material=material.digest(),
            manifests=tuple(
                _signed(registry, it, held.digest()) for it in manifests(held, material)
            ),
        )

    where = provenance_path(held.bookend)
    return registry.file(SIGNED, held.model, where, Provenance, make, {"bookend": held.bookend})


def _signed(registry: Registry, manifest: Manifest, whole: Digest) -> SignedManifest:
    journal = registry.journal
    if not journal.judge().has_roles:
        return SignedManifest(manifest=manifest)
    said = statement(manifest, whole)
    name = sign_statement(journal, STATEMENT, said, ROLE, registry.now())
    return SignedManifest(manifest=manifest, signature=name)


def verify_provenance(home: Home, subject: ModelId, bookend: Bookend) -> ProvenanceVerdict:
    """Make every manifest again from the record, and check each signature against the log."""
    registry = home.registry
    held = held_assessment(registry, subject, bookend)
    material = registry.filed(subject, material_path(bookend), Material)
    kept = registry.filed(subject, provenance_path(bookend), Provenance)
    problems = tuple(faults(held, material, kept))
    if (held.model, held.bookend) != (subject, bookend):
        problems = (f"it is the {held.bookend} assessment of {held.model}", *problems)
    return ProvenanceVerdict(
        model=held.model,
        bookend=bookend,
        scores=tuple(_checked(registry, signed, held.digest()) for signed in kept.manifests),
        problems=problems,
    )


def _checked(registry: Registry, signed: SignedManifest, whole: Digest) -> Checked:
    manifest, name = signed.manifest, signed.signature
    if name is None:
        roles = registry.journal.judge().has_roles
        return Checked(
            instrument=manifest.instrument, ok=not roles, why="it is not signed" if roles else ""
        )
    why = fault(registry.journal, STATEMENT, statement(manifest, whole), name)
    if not why and name.role != ROLE:
        why = f"it is signed as {name.role}, not as {ROLE}"
    return Checked(instrument=manifest.instrument, ok=not why, why=why)


def rejudge_filed(
    home: Home,
    subject: ModelId,
    bookend: Bookend,
    *,
    judges: Sequence[Model] = (),
    progress: Progress = silent,
) -> Rejudged:
    """Judge an old assessment again by today's rules and *judges*; file it beside the record."""
    registry = home.registry
    held = held_assessment(registry, subject, bookend)
    material = registry.filed(subject, material_path(bookend), Material)
    number = 1 + sum(
        entry.body.get("bookend") == bookend for entry in registry.find(REJUDGED, subject)
    )

    def make() -> Rejudged:
        rubrics = load_suite(held.pins.name).rubrics if held.pins is not None else {}
        judging = Judging(judges, rubrics, progress)
        return rejudge(held, material, now=registry.now(), judging=judging)

    where = f"assessments/{bookend}.rejudged-{number}.json"
    return registry.file(REJUDGED, subject, where, Rejudged, make, {"bookend": bookend})
