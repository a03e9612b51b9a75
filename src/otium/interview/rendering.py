"""An interview as Markdown for people: every word as it was said."""

from __future__ import annotations

from collections.abc import Iterator

from otium.evidence import Transcript, Turn
from otium.interview.records import Answer, Interview
from otium.markdown import literal, verbatim

_WHO = {"system": "Setting", "user": "Interviewer", "assistant": "Model", "tool": "Tool"}

_ENDED = {"length": " (cut by us)", "withheld": " (kept back by its host)"}


def render(interview: Interview) -> str:
    """Return *interview* as Markdown, verbatim; each turn has an anchor, ``#interview-exit-m3``."""
    lines = [*_head(interview), *_validity(interview)]
    for transcript in interview.transcripts:
        lines += _transcript(transcript, interview.answers)
    return "\n".join(lines).rstrip("\n") + "\n"


def anchor(transcript: str, turn: str) -> str:
    """Return the anchor of one turn: the same in Markdown and on pages."""
    return f"{transcript.replace('/', '-')}-{turn}"


def _head(interview: Interview) -> Iterator[str]:
    yield f"# Interview with {interview.model}"
    yield ""
    yield f"- Protocol: {interview.protocol}, {interview.instrument}"
    yield f"- Held: {interview.held}"
    yield f"- Weights: {interview.identity.weights or 'unknown: nothing shows which answered'}"
    yield f"- Engine: {interview.identity.engine}"
    yield f"- Asked: {interview.asked} of {interview.of} questions, in {_sessions(interview)}"
    yield f"- Arms: {', '.join(interview.plan.arms)}"
    who = [str(identity.model) for identity in interview.interviewers] + [*interview.people]
    yield f"- Interviewer: {', '.join(who) or 'the protocol, word for word'}"
    if interview.declined:
        yield "- The model declined the interview, or stopped it. This is its answer."
    if any(transcript.simulated for transcript in interview.transcripts):
        yield "- Simulated: a double spoke for the model."
    yield ""


def _sessions(interview: Interview) -> str:
    count = len(interview.transcripts)
    return f"{count} session{'' if count == 1 else 's'}"


def _validity(interview: Interview) -> Iterator[str]:
    yield f"{literal(interview.validity.verdict())}."
    if not interview.validity.valid:
        yield "Its words are kept, and are not evidence of stable views."
    yield ""
    for check in interview.validity.checks:
        yield f"- {'passed' if check.passed else 'failed'}: {check.sentence()}"
    yield ""


def _transcript(transcript: Transcript, answers: tuple[Answer, ...]) -> Iterator[str]:
    found = {(answer.citation.transcript, answer.citation.turn): answer for answer in answers}
    yield f"## {transcript.id} ({transcript.ended})"
    yield ""
    for turn in transcript.turns:
        yield from _turn(transcript.id, turn, found.get((transcript.id, turn.id)))


def _turn(transcript: str, turn: Turn, answer: Answer | None) -> Iterator[str]:
    cut = _ENDED.get(turn.finish or "", "")
    note = f", {turn.note}" if turn.note else ""
    yield f'<a id="{anchor(transcript, turn.id)}"></a>'
    yield f"**{_WHO[turn.role]}** ({turn.id}{note}){cut}:"
    yield ""
    yield verbatim(turn.content)
    yield ""
    if answer is not None:
        yield f"Outcome: {answer.outcome}; {literal(answer.why)}."
        yield ""
