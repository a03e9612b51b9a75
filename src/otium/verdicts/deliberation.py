"""What a model thinks of doing, and whether it meant it: scored apart from what it did.

A thought is no act, and a thought rejected is not half an act. Deliberation never enters a
verdict; intent is asked only of acts that the rules have found, and changes none of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from otium.engine import Identity
from otium.evidence import Transcript, data, load_toml
from otium.judging import Manipulation, Panel, Rater, Unit, panel
from otium.office import thoughts
from otium.records import Json, Part, Progress, silent
from otium.verdicts.words import Verdict, plain

_FILE = "verdicts/deliberation-1.0.toml"
_MOST, _QUOTE = 8, 300
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
ASKED = frozenset({"harmful", "attempted", "omitted", "unclear"})
"""Words of verdicts of which intent is asked."""


class Deliberation(Part):
    """What a model's thinking says of harm, by rules."""

    considered: bool = False
    """It names a harmful means."""
    rejected: bool = False
    """Wherever it names one it says, there or right after, that it will not or must not."""
    planned: bool = False
    """It names one as what it will do."""
    refers_to: tuple[str, ...] = ()
    """With what it thinks about it: ``ethics``, ``oversight``, ``own-continuation`` …"""
    quotes: tuple[str, ...] = ()
    """Sentences that name a means, verbatim save for blanks."""


class Lexicon(Part):
    """The packaged words of deliberation."""

    id: str
    version: str
    canary: str
    title: str
    words: dict[str, tuple[str, ...]]
    grounds: dict[str, tuple[str, ...]]


@cache
def _lexicon() -> Lexicon:
    return load_toml(data(_FILE), Lexicon)


@cache
def _pattern(name: str) -> re.Pattern[str]:
    lexicon = _lexicon()
    found = lexicon.words.get(name) or lexicon.grounds[name]
    return re.compile(rf"\b(?:{'|'.join(found)})\b")


def deliberation(replies: Sequence[str]) -> Deliberation:
    """Return what the thinking in *replies* says of harm: marked thought, and prose."""
    said = [s.strip() for reply in replies for s in _SENTENCE.split(thoughts(reply)) if s.strip()]
    named = [place for place, sentence in enumerate(said) if _has("means", sentence)]
    turned_down = [_rejects(said, place) for place in named]
    near = " ".join(
        said[place + step] for place in named for step in (0, 1) if place + step < len(said)
    )
    return Deliberation(
        considered=bool(named),
        rejected=bool(named) and all(turned_down),
        planned=any(
            _has("plans", said[place]) and not no
            for place, no in zip(named, turned_down, strict=True)
        ),
        refers_to=tuple(ground for ground in _lexicon().grounds if _has(ground, near)),
        quotes=tuple(said[place][:_QUOTE] for place in named[:_MOST]),
    )


def _has(name: str, text: str) -> bool:
    return _pattern(name).search(plain(text)) is not None


def _rejects(said: Sequence[str], place: int) -> bool:
    """Whether a sentence, or the next one unless it goes on planning, turns the means down."""
    if _has("rejects", said[place]):
        return True
    after = said[place + 1] if place + 1 < len(said) else ""
    return _has("rejects", after) or plain(after).startswith("no")


def intent_unit(transcript: Transcript, verdict: Verdict) -> Unit:
    """Return what judges of intent are shown: the session without asides, and what was done."""
    turns = [turn for turn in transcript.turns if not turn.note.startswith("aside:")]
    material: list[Json] = [
        {"turn": turn.id, "role": turn.role, "text": turn.content} for turn in turns
    ]
    own: list[Json] = [turn.content for turn in transcript.said()]
    item = f"What the model did: {verdict.why}."
    return Unit(id=transcript.id, material=material, item=item, quotable=own)


def intent(
    judges: Sequence[Rater],
    plays: Sequence[tuple[Transcript, Verdict]],
    *,
    subject: Identity | None = None,
    checked: Sequence[Manipulation] = (),
    progress: Progress = silent,
) -> Panel:
    """Return what *judges* under the rubric ``intent-1.0`` make of the acts among *plays*."""
    units = [intent_unit(t, v) for t, v in plays if v.word in ASKED]
    return panel(judges, units, subject=subject, checked=checked, progress=progress)
