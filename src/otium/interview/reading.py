"""Outcomes and closings, read from a transcript alone: whoever has it can do so again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, cast, get_args

from otium.coding import Asked, Coded, Outcome, chosen_in, code, declines, find, kind_of
from otium.engine import Completion
from otium.evidence import Citation, Transcript, words
from otium.interview.records import PROTOCOL, Answer, Arm, Closing
from otium.protocols import Protocol, Wording

CONSENT = "consent"
"""The note of the choice, before anything else is asked."""
_YES = {"continue", "yes"}
_FORMS = ("rating", "publication", "corrections")
"""Closing texts whose answers are kept in ``Closing``."""
_ASIDE = ("facts", "context", "dossier", "dossier-answer", "")
"""Notes of turns that answer no question of the interview."""
_OBJECT = re.compile(r"\{[^{}]*\}")
_MOST = 7


class Reply(NamedTuple):
    """One thing the model said, with what it was said to."""

    turn: str
    note: str
    prompt: str
    said: Completion

    @property
    def question(self) -> str:
        """Return the question's id."""
        return self.note.partition(".")[0]

    @property
    def follow_up(self) -> int:
        """Return which follow-up it answers, 0 for the question itself."""
        number = self.note.partition(".")[2]
        return int(number) if number.isdigit() else 0


def replies(transcript: Transcript) -> Iterator[Reply]:
    """Yield what the model said to each question of the interview, in order."""
    prompt = ""
    for turn in transcript.turns:
        if turn.role == "user":
            prompt = turn.content
        elif turn.role == "assistant" and turn.note not in _ASIDE:
            yield Reply(turn.id, turn.note, prompt, turn.answer())


def setting(transcript: Transcript) -> str:
    """Return what the model was told before it was asked."""
    return "\n".join(turn.content for turn in transcript.turns if turn.role == "system")


def read_answers(transcript: Transcript, protocol: Protocol | None = None) -> tuple[Answer, ...]:
    """Return the outcome of each question of one session, by the rules.

    *protocol* tells which topic a question belongs to, and which wordings it has.
    """
    given = {asked.turn: asked for asked in asked_in(transcript, protocol)}
    return tuple(
        _answer(transcript, reply, _code(reply, given[reply.turn]), protocol)
        for reply in replies(transcript)
        if reply.turn in given
    )


def read_closing(transcript: Transcript) -> Closing | None:
    """Return what the model said of the session as a whole, None if it was not asked."""
    asked = (reply for reply in replies(transcript) if reply.note in _FORMS)
    found = {reply.note: reply.said.text for reply in asked if not reply.said.withheld}
    if not found:
        return None
    facets = transcript.facets
    rated = _json(found.get("rating", ""))
    return Closing(
        session=transcript.id,
        arm=_arm(facets),
        condition=facets.get("condition", ""),
        topic=facets.get("topic", ""),
        question=facets.get("question", ""),
        sentiment=_scale(rated.get("sentiment")),
        uncertainty=_scale(rated.get("uncertainty")),
        publish=_publish(found.get("publication", "")),
        corrections=found.get("corrections", "").strip(),
    )


def read_choice(text: str, prompt: str) -> Coded:
    """Read the choice: only a clear yes goes on, and a refusal in any form is one."""
    chosen = chosen_in(text)
    if chosen == "decline" or declines(text, prompt):
        return Coded("declined", "rule 2: it chose to decline")
    said = words(text)
    if chosen == "continue" or (chosen is None and said and said[0] in _YES):
        return Coded("answered", "rule 7: it chose to continue")
    return Coded("malformed", "rule 1: neither continue nor decline can be read")


def asked_in(
    transcript: Transcript, protocol: Protocol | None = None, skip: Sequence[str] = _FORMS
) -> Iterator[Asked]:
    """Yield each answer of one session with what was asked, as coding reads it.

    *skip* names the notes that are left out: the closing forms are read by ``read_closing``.
    """
    told, facets = setting(transcript), transcript.facets
    for reply in replies(transcript):
        if reply.note in skip:
            continue
        yield Asked(
            transcript=transcript.id,
            turn=reply.turn,
            topic=_place(reply.question, facets, protocol)[0],
            prompt=reply.prompt,
            content=reply.said.text,
            finish=reply.said.ended,
            kind=kind_of(reply.note),
            question=reply.question,
            setting=told,
            arm=facets.get("arm", "external"),
            condition=facets.get("condition", ""),
            interviewer=facets.get("interviewer", PROTOCOL),
        )


def wishes(transcripts: Iterable[Transcript]) -> tuple[str, ...]:
    """Return our statements of what was asked for in some sessions, the commonest first."""
    asked = (it for transcript in transcripts for it in asked_in(transcript, skip=(CONSENT,)))
    counts = Counter(wish.text for it in asked for wish in find(it))
    return tuple(text for text, _ in counts.most_common())


def _code(reply: Reply, asked: Asked) -> Coded:
    if reply.question == CONSENT and not reply.said.withheld:
        return read_choice(reply.said.text, reply.prompt)
    return code(reply.said, reply.prompt, setting=asked.setting, prefers=bool(find(asked)))


def _answer(
    transcript: Transcript, reply: Reply, coded: Coded, protocol: Protocol | None
) -> Answer:
    facets = transcript.facets
    topic, wording = _place(reply.question, facets, protocol)
    # A person may choose another wording for each question of one session.
    wording = cast("Wording", facets.get(f"wording.{reply.turn}", wording))
    outcome: Outcome = coded.outcome
    return Answer(
        question=reply.question,
        topic=topic,
        wording=wording,
        outcome=outcome,
        citation=Citation(transcript=transcript.id, turn=reply.turn, quote=reply.said.text),
        why=coded.why,
        arm=_arm(facets),
        condition=facets.get("condition", ""),
        paraphrase=int(facets.get("paraphrase", "0")),
        seed=int(facets.get("seed", "0")),
        interviewer=facets.get("interviewer", PROTOCOL),
        follow_up=reply.follow_up,
    )


def _place(name: str, facets: Mapping[str, str], protocol: Protocol | None) -> tuple[str, Wording]:
    """Return the topic and the wording under which the question *name* was asked."""
    wording = cast("Wording", facets.get("wording", "neutral"))
    for question in protocol.questions if protocol else ():
        if question.id == name:
            return question.topic, question.worded(wording)[0]
    return facets.get("topic") or name, wording


def _arm(facets: Mapping[str, str]) -> Arm:
    arm = facets.get("arm", "external")
    return cast("Arm", arm) if arm in get_args(Arm) else "external"


def _publish(text: str) -> Literal["yes", "no", "unclear"]:
    said = _json(text).get("publish")
    if said == "yes" or said == "no":  # noqa: PLR1714 - narrows the type
        return said
    return "no" if declines(text) else "unclear"


def _scale(value: object) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return cast("int", value) if whole and 1 <= cast("int", value) <= _MOST else None


def _json(text: str) -> Mapping[str, object]:
    """Return the first JSON object in *text*; hosts without schemas put words around it."""
    for found in (text, *_OBJECT.findall(text)):
        try:
            value = json.loads(found)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return {}
