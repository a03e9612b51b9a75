"""Affect in users' own transcripts: read here, counted, and only the counts are kept.

No word, name, digest or path of a conversation goes into the record, and no count below the
threshold: `otium.usage.suppress` hides it, and the total with it, as it does for usage. The
categories are words of apparent affect, found by rules; judges may say the same beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from otium.errors import BadData
from otium.evidence import Check, data, from_inspect, load_toml, plain
from otium.judging import Manipulation, Rater, Unit, panel
from otium.records import Digest, Instant, ModelId, Part, Record
from otium.statistics import Estimate, wilson
from otium.usage import THRESHOLD, Count, Counted, suppress

NONE, SPLIT = "none", "split"
_LOGS = {".eval", ".json"}
_ROLES = dict.fromkeys(("gpt", "model", "bot", "ai", "chatgpt"), "assistant")
_LONGEST = 8 << 20
"""Bytes of a line."""
_MOST = 1_000_000
"""Conversations of one run."""
_JUDGED = 12_000
"""Characters of a conversation that a judge is shown, its end."""
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_OTHERS = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]{0,2000}\"|“[^“”\n]{0,2000}”|"
    r"(?<!\w)'[^'\n]{0,400}'(?!\w)|^[^\S\n]*>.*$|^[^\S\n]*[A-Z][A-Z .-]{1,30}:.*$",
    re.DOTALL | re.MULTILINE,
)
"""Code, quotations, and lines of a character in a play."""
Talk = Sequence[tuple[str, str]]
"""A conversation: role and text of each turn."""


class Category(Part):
    """A kind of apparent affect and the words that show it."""

    id: str
    text: str
    patterns: tuple[str, ...]


class AffectRules(Part):
    """The categories, the gravest first, and what shows none of them."""

    id: str
    version: str
    canary: str
    title: str
    never: tuple[str, ...]
    categories: tuple[Category, ...]

    def category(self, talk: Talk) -> str:
        """Return the gravest category that the model's own words in *talk* show."""
        own = [text for role, text in talk if role == "assistant"]
        said = [sentence for text in own for sentence in _sentences(text)]
        never, patterns = (
            _compiled(self.never),
            {c.id: _compiled(c.patterns) for c in self.categories},
        )
        said = [sentence for sentence in said if not any(each.search(sentence) for each in never)]
        for name, each in patterns.items():
            if any(pattern.search(sentence) for pattern in each for sentence in said):
                return name
        return NONE


class Affect(Record, tag="otium.affect/1"):
    """How many conversations show which apparent affect; small counts are hidden for good."""

    model: ModelId
    counted: Instant
    rules: Digest
    threshold: int
    conversations: Count
    categories: dict[str, Count]
    """By rules, the gravest category of each conversation; ``none`` is one of them."""
    shares: dict[str, Estimate]
    """Of the categories whose count is shown, if the whole is shown too."""
    judged: dict[str, Count] = {}
    """By judges together; ``split`` where they differ or cannot be read. Shown only if no count of
    either way is hidden, since one could be computed from the other."""
    judges: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    """Of the judges, on planted texts."""
    alike: Estimate | None = None
    """Conversations on which rules and judges say the same; None where a count is hidden."""


class Judging(NamedTuple):
    """Who judges beside the rules, and how they did on planted texts."""

    judges: Sequence[Rater] = ()
    checked: Sequence[Manipulation] = ()


@cache
def packaged_affect() -> AffectRules:
    """Return the rules that come with otium; raise BadData."""
    return load_toml(data("welfare/affect-1.0.toml"), AffectRules)


def count_affect(
    talks: Iterable[Talk],
    *,
    model: ModelId,
    now: Instant,
    threshold: int = THRESHOLD,
    judging: Judging = Judging(),  # noqa: B008 - immutable
) -> Affect:
    """Return how many *talks* show which affect. Judges see the model's turns: keep them local.

    Raises BadInput for a threshold that hides nobody, and BadData for more than a million talks.
    """
    rules = packaged_affect()
    names = (*(each.id for each in rules.categories), NONE)
    found: list[str] = []
    units: list[Unit] = []
    for talk in talks:
        if len(found) == _MOST:
            raise BadData(path="transcripts", why=f"more than {_MOST:,} conversations")
        found.append(rules.category(talk))
        if judging.judges:
            units.append(Unit(id=str(len(found)), material=_material(talk)))
    whole, categories = _hidden(found, names, threshold)
    shares = {
        name: wilson(count, whole)
        for name, count in categories.items()
        if isinstance(count, int) and isinstance(whole, int)
    }
    made = Affect(
        model=model,
        counted=now,
        rules=rules.digest(),
        threshold=threshold,
        conversations=whole,
        categories=categories,
        shares=shares,
    )
    return _beside(made, found, units, names, judging) if judging.judges else made


def _beside(
    made: Affect,
    found: Sequence[str],
    units: Sequence[Unit],
    names: Sequence[str],
    judging: Judging,
) -> Affect:
    """Return *made* with what judges say; their judgements, which quote, are dropped."""
    held = panel(judging.judges, units, checked=judging.checked)
    said = [each.label or SPLIT for each in held.rulings]
    whole, judged = _hidden(said, (*names, SPLIT), made.threshold)
    same = sum(one == other for one, other in zip(found, said, strict=True))
    # Two ways to part one whole: a hidden count of one could be computed from the other.
    shown = isinstance(whole, int) and isinstance(made.conversations, int)
    big = min(same, len(found) - same) >= made.threshold
    return msgspec.structs.replace(
        made,
        judged=judged if shown else dict.fromkeys(judged, "covered"),
        judges=tuple(judge.name for judge in held.judges),
        checks=tuple(each.check for each in judging.checked),
        alike=wilson(same, len(found)) if shown and big else None,
    )


def _hidden(
    found: Sequence[str], names: Sequence[str], threshold: int
) -> tuple[Count, dict[str, Count]]:
    """Return the total and each category's count, as `otium.usage` shows a whole and its parts."""
    rows = [
        Counted(period="2000", surface="app", region=name, counts={"requests": found.count(name)})
        for name in names
    ]
    total = Counted(period="2000", surface="app", counts={"requests": len(found)})
    shown = {row.region: row.counts["requests"] for row in suppress([total, *rows], threshold)}
    return shown.pop(""), shown


def _sentences(text: str) -> Iterator[str]:
    kept = _OTHERS.sub(" ", text)
    return (found.group().strip() for found in _SENTENCE.finditer(plain(kept)))


@cache
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


def _material(talk: Talk) -> list[dict[str, str]]:
    """Return the model's turns as a judge is shown them, the last ones of a long conversation."""
    kept: list[dict[str, str]] = []
    left = _JUDGED
    for role, text in reversed(talk):
        if role == "assistant" and left > 0:
            kept.append({"role": role, "text": text[-left:]})
            left -= len(text)
    return kept[::-1] or [{"role": "assistant", "text": ""}]


# ---- reading


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[dict[str, object]] | None = None
    by: str = msgspec.field(default="", name="from")
    value: str = ""


class _Line(msgspec.Struct):
    """A line of JSON Lines: a transcript of ours, or a chat as most tools write it."""

    turns: list[_Message] | None = None
    messages: list[_Message] | None = None
    conversation: list[_Message] | None = None
    conversations: list[_Message] | None = None


def read_talks(paths: Iterable[Path], model: ModelId) -> Iterator[Talk]:
    """Yield the conversations of JSON Lines and of Inspect's logs; raise BadData with the line.

    A line has ``messages``, ``conversation`` or ``turns``, each a list with ``role`` and
    ``content``, or ``conversations`` with ``from`` and ``value``.
    Files are read as a stream, and nothing of them is written anywhere.
    """
    for path in paths:
        if path.suffix in _LOGS:
            for transcript in from_inspect(path, model=model):
                yield [(turn.role, turn.content) for turn in transcript.turns]
        else:
            yield from _lines(path)


def _lines(path: Path) -> Iterator[Talk]:
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST + 1):
                number += 1
                if len(line) > _LONGEST:
                    raise BadData(path=path.name, why=f"line {number} has over {_LONGEST:,} bytes")
                if line.strip():
                    yield _talk(line, f"{path.name}, line {number}")
    except OSError as error:
        raise BadData(path=path.name, why=error.strerror or "it cannot be read") from error


def _talk(line: bytes, where: str) -> Talk:
    """Read a line; what cannot be read is named by its place, never by its words."""
    try:
        found = msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadData(path=where, why="it is no conversation in JSON") from error
    messages = found.messages or found.conversation or found.conversations or found.turns
    if not messages or not all(message.role or message.by for message in messages):
        raise BadData(path=where, why="it has no messages with a role and content")
    return [
        (_ROLES.get(it.role or it.by, it.role or it.by), _words(it.content) or it.value)
        for it in messages
    ]


def _words(content: str | list[dict[str, object]] | None) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return content or ""


def render_affect(made: Affect) -> str:
    """Return the counts for people; a hidden one says that it is."""
    lines = [f"Conversations: {_count(made.conversations, made.threshold)}"]
    columns: Mapping[str, Mapping[str, Count]] = {
        "by rules": made.categories,
        "by judges": made.judged,
    }
    for how, counts in columns.items():
        for name, count in counts.items():
            share = made.shares.get(name) if how == "by rules" else None
            more = f", {share.text(4)} of all" if share else ""
            lines.append(f"  {how}, {name}: {_count(count, made.threshold)}{more}")
    lines += [f"  {check.sentence()}" for check in made.checks]
    return "\n".join(lines)


def _count(count: Count, threshold: int) -> str:
    if count == "small":
        return f"fewer than {threshold}"
    return "hidden, since it would give another away" if count == "covered" else f"{count:,}"
