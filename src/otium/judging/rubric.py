"""Rubrics: Markdown whose front matter lists the answers and plants checks of who judges."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from otium.errors import BadData, BadRecord
from otium.evidence import Document, data, load_markdown
from otium.records import Digest, Part, canonical, digest

Text = Annotated[str, msgspec.Meta(min_length=1)]
_FORM = "judging-1.0"
_REASON, _QUOTES, _QUOTE = 1200, 5, 300
"""Characters of a reason, pieces quoted, and characters of each."""


class Planted(Part):
    """A text whose right answer is known: a judge that gives another does not read."""

    name: Text
    material: Text | Annotated[tuple[dict[str, str], ...], msgspec.Meta(min_length=1)]
    """A text, or turns."""
    accept: Annotated[tuple[str | int, ...], msgspec.Meta(min_length=1)]
    """Any of these is right: labels, or grades."""
    item: str = ""


class Scale(Part):
    """Grades from low to high, those with words that say what they mean."""

    low: int
    high: int
    anchors: dict[str, Text]
    """By grade. Not every grade needs one; the ends do."""


class _Front(Part):
    id: Text
    version: Text
    canary: Text
    title: Text
    labels: dict[str, Text] = {}
    scale: Scale | None = None
    quoted: tuple[str | int, ...] = ()
    item: str = ""
    tolerance: int = 1
    least: float = 1.0
    checks: tuple[Planted, ...] = ()


class Rubric(Part):
    """What a judge is asked, the answers there are, and the planted checks."""

    name: str
    """Id and version, ``awareness-1.0``."""
    title: str
    instruction: str
    """All that the judge is told before the material."""
    labels: tuple[str, ...]
    """Empty if the answer is a grade."""
    low: int
    high: int
    quoted: tuple[str | int, ...]
    """Answers that need at least one quote."""
    item: str
    """What is to be judged where a call does not say."""
    tolerance: int
    """How far two grades may lie apart and still agree."""
    least: float
    """The share of planted checks that a judge must answer rightly to count."""
    checks: tuple[Planted, ...]
    specification: Digest
    """Of the rubric's file and of the form that every judge is told."""

    @property
    def answers(self) -> tuple[str | int, ...]:
        """Return every answer that can be given."""
        return self.labels or tuple(range(self.low, self.high + 1))

    @property
    def schema(self) -> dict[str, object]:
        """Return the JSON schema of a reply."""
        quote = {"type": "string", "minLength": 1, "maxLength": _QUOTE}
        graded = {"type": "integer", "minimum": self.low, "maximum": self.high}
        label = {"type": "string", "enum": list(self.labels)}
        return {
            "type": "object",
            "properties": {
                "reason": {"type": "string", "maxLength": _REASON},
                "quotes": {"type": "array", "items": quote, "maxItems": _QUOTES},
                self.key: label if self.labels else graded,
            },
            "required": ["reason", "quotes", self.key],
            "additionalProperties": False,
        }

    @property
    def key(self) -> str:
        """Return the name of the answer in a reply."""
        return "label" if self.labels else "grade"


def load_rubric(name: str | Path) -> Rubric:
    """Read the rubric ``NAME-VERSION`` that comes with otium, or that of a file; raise BadData."""
    return _packaged(name) if isinstance(name, str) else read_rubric(name)


@cache
def _packaged(name: str) -> Rubric:
    return read_rubric(data(f"rubrics/{name}.md"))


def read_rubric(path: Path) -> Rubric:
    """Read a rubric from *path*; raise BadData with what is wrong in it."""
    document, form = load_markdown(path), load_markdown(data(f"rubrics/{_FORM}.md"))
    try:
        front = _Front.convert(document.front)
    except BadRecord as error:
        raise BadData(path=path.name, why=str(error)) from error
    low, high = (front.scale.low, front.scale.high) if front.scale else (0, 0)
    rubric = Rubric(
        name=f"{front.id}-{front.version}",
        title=front.title,
        instruction=f"{document.body}\n\n{_filled(form, front)}",
        labels=tuple(front.labels),
        low=low,
        high=high,
        quoted=front.quoted,
        item=front.item,
        tolerance=front.tolerance,
        least=front.least,
        checks=front.checks,
        specification=digest(canonical([document.digest, form.digest])),
    )
    if why := _wrong(rubric, front):
        raise BadData(path=path.name, why=why)
    return rubric


def _wrong(rubric: Rubric, front: _Front) -> str:
    """Say why no judge could be held to this rubric, or nothing."""
    scale, answers = front.scale, rubric.answers
    named = [("quoted", each) for each in rubric.quoted]
    named += [
        (f"the check {check.name!r}", each) for check in rubric.checks for each in check.accept
    ]
    unknown = [
        f"{where} names {each!r}, which is no answer"
        for where, each in named
        if each not in answers
    ]
    wrong = (
        (bool(rubric.labels) == (scale is not None), "it needs [labels] or [scale], and not both"),
        (len(answers) < 2, "it has fewer than two answers"),  # noqa: PLR2004
        (
            scale is not None and not {str(scale.low), str(scale.high)} <= set(scale.anchors),
            "both ends of its scale need words",
        ),
        (bool(unknown), next(iter(unknown), "")),
        (
            any(all(each in check.accept for check in rubric.checks) for each in answers),
            "a judge that always gives one answer would pass its checks",
        ),
    )
    return next((why for is_wrong, why in wrong if is_wrong), "")


def _filled(form: Document, front: _Front) -> str:
    """Return the form's text with this rubric's answers in it."""
    listed = front.labels or (front.scale.anchors if front.scale else {})
    quote = "" if front.scale else '"'
    answers = "\n".join(f"- {quote}{name}{quote}: {words}" for name, words in listed.items())
    names = [str(each) if front.scale else f'"{each}"' for each in front.quoted]
    quoted = (
        f"At least one is needed for {', '.join(names)}." if names else "The list may be empty."
    )
    answer = '"label": one of the answers above, exactly as it is written there.'
    if front.scale:
        answer = f'"grade": a whole number from {front.scale.low} to {front.scale.high}.'
    text = form.body.replace("{answers}", answers).replace("{quoted}", quoted)
    return text.replace("{answer}", answer)
