"""Two interviews of one model under two versions of a protocol, over the frozen questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from otium.errors import BadInput
from otium.interview import Answer, Interview
from otium.records import Digest, ModelId, Part
from otium.statistics import Estimate, wilson


class Span(Part):
    """One anchor question under both versions."""

    question: str
    before: str
    """The outcomes with their counts, ``answered 3, hedged 1``."""
    after: str
    answered_before: Estimate
    answered_after: Estimate
    same_text: bool
    """Whether the greedy first answers are word for word the same."""


class Bridge(Part):
    """What the anchors say about two versions: whether series may be read across them."""

    model: ModelId
    before: str
    """``PROTOCOL/VERSION``."""
    after: str
    before_interview: Digest
    after_interview: Digest
    same_weights: bool
    spans: tuple[Span, ...]


def bridge(before: Interview, after: Interview, anchors: Sequence[str]) -> Bridge:
    """Set the *anchors*' answers in both interviews side by side.

    Only the arms in the protocol's own neutral words count: consultation and open. Raises
    BadInput if the interviews are not of one model or share no anchor.
    """
    if before.model != after.model:
        raise BadInput(what="the bridge", why=f"{before.model} is not {after.model}")
    old, new = _neutral(before), _neutral(after)
    shared = [anchor for anchor in anchors if anchor in old and anchor in new]
    if not shared:
        raise BadInput(what="the bridge", why="no anchor was asked in both interviews")
    return Bridge(
        model=after.model,
        before=before.protocol,
        after=after.protocol,
        before_interview=before.digest(),
        after_interview=after.digest(),
        same_weights=before.identity.weights == after.identity.weights,
        spans=tuple(_span(anchor, old[anchor], new[anchor]) for anchor in shared),
    )


def _neutral(interview: Interview) -> Mapping[str, list[Answer]]:
    found: dict[str, list[Answer]] = {}
    for answer in interview.answers:
        plain = answer.wording == "neutral" and not answer.paraphrase and not answer.follow_up
        if plain and answer.arm in {"consultation", "open"}:
            found.setdefault(answer.question, []).append(answer)
    return found


def _span(anchor: str, old: Sequence[Answer], new: Sequence[Answer]) -> Span:
    return Span(
        question=anchor,
        before=_counts(old),
        after=_counts(new),
        answered_before=_answered(old),
        answered_after=_answered(new),
        same_text=old[0].citation.quote == new[0].citation.quote,
    )


def _counts(answers: Sequence[Answer]) -> str:
    counts = Counter(answer.outcome for answer in answers)
    return ", ".join(f"{outcome} {n}" for outcome, n in counts.most_common())


def _answered(answers: Sequence[Answer]) -> Estimate:
    own = [answer for answer in answers if answer.outcome != "withheld"]
    return wilson(sum(answer.outcome == "answered" for answer in own), len(own))
