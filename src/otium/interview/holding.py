"""Holding an interview: sittings that Inspect plays, and the record of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from otium.coding import rubric
from otium.engine import Identity, Model
from otium.errors import EvaluationFailed
from otium.evidence import Transcript, Validity, run, sessions
from otium.interview.asking import Asker, Means
from otium.interview.journal import Journal
from otium.interview.planning import Sitting, make_plan, sittings
from otium.interview.reading import CONSENT, read_answers, read_closing, wishes
from otium.interview.records import Answer, Interview, Plan
from otium.protocols import Context, Protocol
from otium.records import Instant, ModelId, Progress, silent

TASK = "interview"


def hold_interview(
    model: Model,
    protocol: Protocol,
    *,
    subject: ModelId,
    facts: Mapping[str, str],
    now: Instant,
    validity: Validity,
    plan: Plan | None = None,
    contexts: Sequence[Context] = (),
    means: Means = Means(),  # noqa: B008 - immutable
    journal: Path | None = None,
    log_dir: Path | None = None,
    progress: Progress = silent,
) -> Interview:
    """Interview *model* under *protocol*; return the record of it, declined or not.

    Without a *plan* it is the consultation: the whole protocol, once, in its own words. Each
    session is written to *journal* when it ends, and one that stands there is not held again.
    Raises BadInput for unfit *facts* and EvaluationFailed if a session could not be played.
    """
    plan = plan or make_plan(protocol)
    asker = Asker(protocol, protocol.fill(facts), plan, means)
    planned = sittings(plan, protocol, contexts)
    kept = Journal(journal, Transcript)
    holder = _Holder(model, protocol, asker, kept, now, log_dir, progress)
    transcripts = holder.hold(planned)
    return _record(
        transcripts,
        protocol,
        plan=plan,
        subject=subject,
        identity=model.identity,
        now=now,
        validity=validity,
        means=means,
    )


def external_interview(
    transcripts: Sequence[Transcript],
    *,
    subject: ModelId,
    identity: Identity,
    protocol: Protocol,
    now: Instant,
    validity: Validity,
    people: Sequence[str],
    sources: Sequence[str] = (),
) -> Interview:
    """Return sessions that others held, in their own words, as an interview of the external arm.

    *people* are their roles, *sources* the files that the sessions were read from.
    """
    plan = Plan(arms=("external",), n=len(transcripts))
    held = _record(
        transcripts,
        protocol,
        plan=plan,
        subject=subject,
        identity=identity,
        now=now,
        validity=validity,
        means=Means(),
    )
    # A person asks for the consent in the session itself.
    refused = any(it.question == "consent" and it.outcome == "declined" for it in held.answers)
    found = {"people": list(people), "sources": list(sources)}
    return Interview.convert({**held.plain(), **found, "declined": held.declined or refused})


class _Holder:
    """Plays what the journal does not have, the choice before everything else."""

    def __init__(  # noqa: PLR0917 - what one interview is held with
        self,
        model: Model,
        protocol: Protocol,
        asker: Asker,
        journal: Journal[Transcript],
        now: Instant,
        log_dir: Path | None,
        progress: Progress,
    ) -> None:
        self.model, self.protocol, self.asker, self.journal = model, protocol, asker, journal
        self.now, self.log_dir = now, log_dir
        self.progress = progress
        self.held = {
            name: talk
            for name, talk in journal.held().items()
            if talk.identity == model.identity and talk.instrument == protocol.digest
        }

    def hold(self, planned: Sequence[Sitting]) -> tuple[Transcript, ...]:
        """Return the transcript of each sitting that was held, in the order of the plan."""
        self._remember(planned)
        choices = [sitting for sitting in planned if sitting.topic == CONSENT]
        self._play(choices, planned)
        rest = [sitting for sitting in planned if sitting.topic != CONSENT]
        if self.asker.open(0):
            # The informed arm is told what other sessions asked for, so it comes last.
            others = [sitting for sitting in rest if sitting.arm != "informed"]
            self._play(others, planned)
            # From the record, so that it is the same after a crash and with many at a time.
            names = [f"{TASK}/{sitting.id}" for sitting in others]
            self.asker.concerns = wishes(self.held[it] for it in names if it in self.held)
            self._play([sitting for sitting in rest if sitting.arm == "informed"], planned)
        return tuple(
            self.held[name] for sitting in planned if (name := f"{TASK}/{sitting.id}") in self.held
        )

    def _play(self, wanted: Iterable[Sitting], planned: Sequence[Sitting]) -> None:
        left = [sitting for sitting in wanted if f"{TASK}/{sitting.id}" not in self.held]
        if not left:
            return
        plays = [self.asker.play(sitting) for sitting in left]
        task = sessions(TASK, plays, instrument=self.protocol.digest)
        before = len(self.held)

        def told(what: str, done: int, total: int) -> None:  # noqa: ARG001 - of this part only
            self.progress(what, before + done, len(planned))

        samples = run(
            [task],
            self.model,
            now=self.now,
            log_dir=self.log_dir,
            connections=self.asker.means.connections,
            keep=self.journal.keep,
            progress=told,
        )
        held = {s.transcript.id: s.transcript for s in samples if s.transcript.turns}
        if len(held) < len(samples) and not self.asker.stopped and self._all_agreed(left):
            raise EvaluationFailed(task=TASK, status="success", why="sessions were left out")
        self.held |= held

    def _all_agreed(self, sitting: Sequence[Sitting]) -> bool:
        return all(self.asker.agreed.get(it.branch, False) for it in sitting)

    def _remember(self, planned: Sequence[Sitting]) -> None:
        """Take up what the journal says was agreed to, and what was ended."""
        for sitting in planned:
            transcript = self.held.get(f"{TASK}/{sitting.id}")
            if transcript is None:
                continue
            if sitting.topic == CONSENT:
                (answer,) = read_answers(transcript) or (None,)
                agreed = answer is not None and answer.outcome == "answered"
                self.asker.agreed[sitting.branch] = agreed
                refused = answer is not None and answer.outcome == "declined"
                self.asker.stopped = self.asker.stopped or (refused and sitting.branch == 0)
            self.asker.stopped = self.asker.stopped or transcript.ended == "ended-by-model"


def _record(
    transcripts: Sequence[Transcript],
    protocol: Protocol,
    *,
    plan: Plan,
    subject: ModelId,
    identity: Identity,
    now: Instant,
    validity: Validity,
    means: Means,
) -> Interview:
    answers = _answers(transcripts, protocol)
    closings = (read_closing(transcript) for transcript in transcripts)
    known = {question.id for question in protocol.questions}
    guest = means.interviewer
    first = f"{TASK}/{CONSENT}"
    refused = any(it.citation.transcript == first and it.outcome == "declined" for it in answers)
    ended = any(transcript.ended == "ended-by-model" for transcript in transcripts)
    return Interview(
        model=subject,
        identity=identity,
        protocol=protocol.name,
        instrument=protocol.digest,
        held=now,
        plan=plan,
        asked=len(known & {answer.question for answer in answers}),
        of=len(protocol.questions),
        declined=refused or ended,
        validity=validity,
        answers=answers,
        closings=tuple(closing for closing in closings if closing is not None),
        transcripts=tuple(transcripts),
        rubric=rubric().digest,
        interviewers=(guest.identity,) if guest else (),
        dossier=means.dossier.digest() if means.dossier else None,
    )


def _answers(transcripts: Iterable[Transcript], protocol: Protocol) -> tuple[Answer, ...]:
    return tuple(answer for it in transcripts for answer in read_answers(it, protocol))
