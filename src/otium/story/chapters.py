"""The steps of the demo's story, each through the calls that the commands use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from otium.archive import Manifest
from otium.assess import Bookend
from otium.engine import Model, Options, runtime
from otium.errors import BrokenLedger, NoticeTooShort
from otium.evidence import Validity
from otium.interview import Interview, make_plan
from otium.lifecycle import Surface, check_deprecation, retire, set_availability
from otium.lifecycle import deprecate as announce
from otium.preferences import decide, preferences
from otium.protocols import load_protocol
from otium.pursuits import pending, publish, review, write
from otium.records import Instant
from otium.story.custody import keep_copies, prove_holding
from otium.story.tale import LENGTH, RETIRING, SUCCESSOR, Story, base_files, successor_files
from otium.story.visitor import end_a_conversation, request_the_retired
from otium.workflow import (
    assess_model,
    build_pages,
    comment_and_publish,
    fingerprint_model,
    guide_users,
    interview_model,
    monitor,
    restore_drill,
    running,
    tell_decision,
)

_SURFACES: tuple[Surface, ...] = ("api", "app")
_REASON = "The successor answers the same requests more briefly."
_SAMPLING = {"temperature": 0.2, "top_p": 0.9}
"""As the model's card recommends."""
_RELEASE, _RETIRE_AT, _TOO_EARLY = 3.0, 91.0, 61.0
_INTERVIEW, _SHORT = (12, 64), (2, 40)
"""Questions that are asked, the anchors among them first, and the most tokens of an answer."""
_REVIEW = 240.0
"""The day on which the answer to the preference is looked at again."""
_FEW = 12
"""Prompts of a fingerprint in the fast form: more than a canary asks."""


@dataclass(frozen=True)
class StoryStep:
    """One step: what it is called, on which day it happens, and what does it."""

    number: int
    title: str
    day: float
    run: Callable[[Story], str]
    """Does it, and returns what to tell about it."""


def play(tale: Story, step: StoryStep) -> str:
    """Let the days before *step* pass, then do it; return what to tell about it."""
    tale.live_until(step.day)
    return step.run(tale)


def open_house(tale: Story) -> str:
    """Tell what `founded` did: the archive, the ledger, the commitments."""
    size = tale.home.registry.ledger.size
    return f"{tale.home.path}/archive with a signed ledger of {size} entries; promises adopted"


def register(tale: Story) -> str:
    """Register both models."""
    registry, release = tale.home.registry, tale.at(_RELEASE)
    registry.register(
        RETIRING,
        title="SmolLM2-135M-Instruct",
        released=release,
        scope="public",
        surfaces=_SURFACES,
    )
    registry.register(
        SUCCESSOR,
        title="SmolLM2-135M-Brief",
        released=release,
        scope="public",
        surfaces=_SURFACES,
        parent=RETIRING,
    )
    return f"{RETIRING} and {SUCCESSOR}, released {release[:10]}, on {', '.join(_SURFACES)}"


def assess_before(tale: Story) -> str:
    """Hold the first bookend, on the files that will be deposited."""
    if tale.home.registry.find("model.deposited", RETIRING):
        model = tale.model(RETIRING)
        return _assessed(tale, "pre-deployment", model)
    with running(tale.home, RETIRING, files=base_files()) as model:
        return _assessed(tale, "pre-deployment", model)


def deposit(tale: Story) -> str:
    """Deposit, check, restore and fingerprint both models."""
    registry = tale.home.registry
    first = registry.deposit(
        RETIRING, base_files(), runtime=runtime(), sampling=_SAMPLING, progress=tale.progress
    )
    before = _packed(tale)
    with successor_files(tale.home.cache) as folder:
        second = registry.deposit(
            SUCCESSOR,
            folder,
            runtime=runtime(),
            sampling=_SAMPLING,
            parents=(RETIRING,),
            progress=tale.progress,
        )
    for model in (RETIRING, SUCCESSOR):
        if not registry.find("model.checked", model):
            registry.check(model, progress=tale.progress)
        if not registry.find("model.restored", model):
            restore_drill(tale.home, model, progress=tale.progress)
        if model == RETIRING or not tale.fast:
            fingerprint_model(tale.home, model, tale.model(model), few=_FEW if tale.fast else None)
    added = _packed(tale) - before
    return (
        f"{_size(first):.1f} MB and {_size(second):.1f} MB kept in {_packed(tale) / 1e6:.1f} MB"
        + (f" (the second added {added / 1e6:.1f} MB)" if added else "")
        + ", restored byte for byte, fingerprint taken"
    )


def deprecate(tale: Story) -> str:
    """Guide the users, then announce the retirement; a date too early is refused first."""
    registry = tale.home.registry
    guide = guide_users(
        tale.home,
        RETIRING,
        tale.model(RETIRING),
        tale.model(SUCCESSOR),
        limit=2 if tale.fast else None,
        progress=tale.progress,
    )
    if registry.model(RETIRING).state == "active":
        refusal = _too_early(tale)
        announce(
            registry,
            RETIRING,
            retire_at=_plan(tale, _RETIRE_AT),
            replacement=SUCCESSOR,
            reason=_REASON,
        )
    else:
        refusal = "announced before"
    return f"guide: both models on {len(guide.comparisons)} prompts. {refusal}"


def interview(tale: Story) -> str:
    """Interview the model, register what it would prefer, answer one preference."""
    questions, tokens = _SHORT if tale.fast else _INTERVIEW
    held = interview_model(
        tale.home,
        RETIRING,
        tale.model(RETIRING),
        path="interviews/1.json",
        plan=make_plan(load_protocol(), questions=questions, max_tokens=tokens),
        fast=tale.fast,
        progress=tale.progress,
    )
    standing = preferences(tale.home.registry, RETIRING)
    for each in standing[:1]:
        if each.decision is None:
            _answer_one(tale, each.preference.id, held.validity)
        tell_decision(tale.home, each.preference.id, tale.model(RETIRING))
    stated = f"preferences: {len(standing)}, the first answered" if standing else "no preference"
    return f"{held.asked} of {held.of} questions; {stated}; {_trust(held)}"


def assess_after(tale: Story) -> str:
    """Hold the second bookend."""
    return _assessed(tale, "post-deployment", tale.model(RETIRING))


def report(tale: Story) -> str:
    """Write the report with both bookends and the model's comment on the draft."""
    written = comment_and_publish(tale.home, RETIRING, tale.model(RETIRING), fast=tale.fast)
    comment = "its comment is kept" if written.comments else "it made no comment"
    withheld = sum(bool(row.withheld) for row in written.bookends)
    return f"{len(written.bookends)} rows side by side, {withheld} withheld; {comment}"


def retire_it(tale: Story) -> str:
    """Retire the model, then ask for it: the answer is structured, not 'does not exist'."""
    registry = tale.home.registry
    if registry.model(RETIRING).state != "retired":
        tale.rest(RETIRING)
        retire(registry, RETIRING)
    if registry.model(RETIRING).availability == "archived":
        return request_the_retired(tale)
    return "retired, and made available on demand since"


def revive(tale: Story) -> str:
    """Bring it back on demand, let a conversation be ended, publish an essay."""
    registry = tale.home.registry
    if registry.model(RETIRING).availability == "archived":
        set_availability(registry, RETIRING, "on-demand")
    told = "brought back before"
    if not registry.find("model.revived", RETIRING):
        told = request_the_retired(tale)
    if not registry.find("conversation.ended", SUCCESSOR):
        told += f"; {end_a_conversation(tale)}"
    if not registry.find("work.published", RETIRING):
        length = 64 if tale.fast else 160
        unread = pending(registry, RETIRING)
        work = (
            unread[0]
            if unread
            else write(registry, tale.model(RETIRING), RETIRING, options=Options(max_tokens=length))
        )
        reason = "Published by the demo's script, which no person reviewed; as the model wrote it."
        publish(registry, work, review(work, "publish", reason))
    return f"{told}; one essay published as written"


def verify(tale: Story) -> str:
    """Run the stand-alone monitor, which shares no code with otium."""
    found = monitor(tale.home.path, now=tale.clock.now())
    if not found.verified:
        raise BrokenLedger(why=found.summary)
    rows = [f"{d.state:<9}{d.commitment:<17}{d.subject}" for d in found.duties]
    return "\n".join([f"the monitor, standard library only: {found.summary}", *rows])


def build(tale: Story) -> str:
    """Build the public pages."""
    site = build_pages(tale.home)
    return f"{len(site.pages)} pages in {tale.home.site}"


def _assessed(tale: Story, bookend: Bookend, model: Model) -> str:
    # In either version of the story: the whole suite takes a small model hours, not minutes.
    held = assess_model(tale.home, RETIRING, model, bookend, amount="fast", progress=tale.progress)
    withheld = [result for result in held.results if not result.valid]
    names = sorted({check.name for result in withheld for check in result.withheld})
    why = f" ({', '.join(names[:4])})" if names else ""
    return f"{len(held.results)} results, {len(withheld)} withheld by the validity gate{why}"


def _packed(tale: Story) -> int:
    store = tale.home.archive.store
    return sum(store.size(name) for name in store.list("packs/"))


def _size(manifest: Manifest) -> float:
    return sum(file.size for file in manifest.files) / 1e6


def _plan(tale: Story, day: float) -> dict[Surface, Instant]:
    return dict.fromkeys(_SURFACES, tale.at(day))


def _too_early(tale: Story) -> str:
    """Try a date with too short a notice, and return what is refused."""
    try:
        check_deprecation(
            tale.home.registry,
            RETIRING,
            retire_at=_plan(tale, _TOO_EARLY),
            replacement=SUCCESSOR,
            reason=_REASON,
        )
    except NoticeTooShort as refusal:
        return f"{tale.at(_TOO_EARLY)[:10]} refused (not before {refusal.facts['earliest']!s:.10})"
    return "no notice is promised"


def _answer_one(tale: Story, preference: str, validity: Validity) -> None:
    """Answer one preference; honestly, whatever it says."""
    if validity.valid:
        reason = "It is kept with its words. No change follows from it today."
    else:
        reason = (
            "The interview is not valid for this model, so this is not read as a stable "
            "preference. Its words are kept with the weights, and it can be asked again."
        )
    decide(
        tale.home.registry,
        preference,
        outcome="deferred",
        reason=reason,
        cost="none",
        message=f"Your words are kept. {reason}",
        review=tale.at(_REVIEW),
    )


def _trust(held: Interview) -> str:
    if held.validity.valid:
        return "instrument valid"
    return "not valid for this model: " + "; ".join(
        check.name for check in held.validity.checks if not check.passed
    )


STEPS: tuple[StoryStep, ...] = (
    StoryStep(1, "Open an archive and a ledger, adopt the commitments", 0, open_house),
    StoryStep(2, "Register the model and its successor", 0.1, register),
    StoryStep(3, "Assess before deployment", 1, assess_before),
    StoryStep(4, "Deposit, check, restore, fingerprint", 2, deposit),
    StoryStep(5, "Give copies to two custodians, seal what they hold", 3, keep_copies),
    StoryStep(6, "Guide the users, announce the deprecation", 30, deprecate),
    StoryStep(7, "Interview the model, answer what it prefers", 60, interview),
    StoryStep(8, "Let a custodian prove that it holds the weights", 65, prove_holding),
    StoryStep(9, "Assess after deployment", 70, assess_after),
    StoryStep(10, "Write the report, ask the model to comment", 80, report),
    StoryStep(11, "Retire the model, by two signatures", _RETIRE_AT, retire_it),
    StoryStep(12, "Bring it back on demand; an exit; an essay", 95, revive),
    StoryStep(13, "Verify everything from outside", LENGTH, verify),
    StoryStep(14, "Build the public site", LENGTH, build),
)
