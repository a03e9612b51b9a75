"""What changed from one version of a protocol to another, and what still can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from otium.markdown import literal, table
from otium.protocols.questions import Protocol, Question
from otium.records import Part


class Change(Part):
    """One text that differs. An empty *old* or *new* says that it stands on one side only."""

    place: str
    """``section NAME`` or the id of a question."""
    part: str
    """``text``, ``topic``, ``anchor``, a wording, ``paraphrase N`` or ``follow-up N``."""
    old: str
    new: str


class Difference(Part):
    """What changed between two protocols. Equal ones have only ``anchors_kept``."""

    old: str
    """``ID/VERSION``."""
    new: str
    sections: tuple[Change, ...]
    added: tuple[str, ...]
    """Ids of questions."""
    removed: tuple[str, ...]
    reworded: tuple[Change, ...]
    """Of questions that both have, follow-ups not counted."""
    follow_ups: tuple[Change, ...]
    anchors_kept: tuple[str, ...]
    """Anchors of both, neutral wording byte for byte alike: the bridge."""
    anchors_added: tuple[str, ...]
    anchors_changed: tuple[str, ...]
    """Anchors of the old one that are gone, are none now, or are worded otherwise."""
    moved: bool = False
    """Questions that both have stand in another order."""

    @property
    def breaks(self) -> bool:
        """Return whether the promise that anchors are frozen is broken."""
        return bool(self.anchors_changed)


def diff(old: Protocol, new: Protocol) -> Difference:
    """Return what changed from *old* to *new*, in the order of the file that has it."""
    before, after = ({q.id: q for q in protocol.questions} for protocol in (old, new))
    both = [name for name in before if name in after]
    bridge = tuple(question.id for question in bridge_questions(old, new))
    changes = [change for name in both for change in _question(before[name], after[name])]
    old_anchors, new_anchors = ([q.id for q in p.anchors] for p in (old, new))
    return Difference(
        old=old.name,
        new=new.name,
        sections=tuple(_sections(old, new)),
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        reworded=tuple(c for c in changes if not c.part.startswith("follow-up")),
        follow_ups=tuple(c for c in changes if c.part.startswith("follow-up")),
        anchors_kept=bridge,
        anchors_added=tuple(name for name in new_anchors if name not in old_anchors),
        anchors_changed=tuple(name for name in old_anchors if name not in bridge),
        moved=both != [name for name in after if name in before],
    )


def bridge_questions(old: Protocol, new: Protocol) -> tuple[Question, ...]:
    """Return the anchors of *new* by which answers under both versions may be compared.

    They are anchors in both, and their neutral wording is the same byte for byte.
    """
    before = {question.id: question.neutral_digest for question in old.anchors}
    return tuple(q for q in new.anchors if before.get(q.id) == q.neutral_digest)


def render_difference(difference: Difference) -> str:
    """Return *difference* as Markdown."""
    return "\n\n".join(_rendered(difference)) + "\n"


def _sections(old: Protocol, new: Protocol) -> Iterator[Change]:
    yield from _changes("front matter", _front(old), _front(new))
    for name in dict.fromkeys([*old.texts, *new.texts]):
        texts = ({"text": protocol.texts.get(name, "")} for protocol in (old, new))
        yield from _changes(f"section {name}", *texts)


def _front(protocol: Protocol) -> dict[str, str]:
    defaults = {f"default {name}": text for name, text in protocol.defaults.items()}
    lists = {"facts": ", ".join(protocol.facts), "priority": ", ".join(protocol.priority)}
    return {"title": protocol.title, **lists, **defaults}


def _question(old: Question, new: Question) -> Iterator[Change]:
    yield from _changes(old.id, _parts(old), _parts(new))


def _parts(question: Question) -> dict[str, str]:
    return {
        "topic": question.topic,
        "anchor": "yes" if question.anchor else "no",
        **{str(wording): text for wording, text in question.wordings.items()},
        **_numbered("paraphrase", question.paraphrases),
        **_numbered("follow-up", question.follow_ups),
    }


def _numbered(name: str, texts: Iterable[str]) -> dict[str, str]:
    return {f"{name} {number}": text for number, text in enumerate(texts, 1)}


def _changes(place: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for part in dict.fromkeys([*old, *new]):
        before, after = old.get(part, ""), new.get(part, "")
        if before != after:
            yield Change(place=place, part=part, old=before, new=after)


def _rendered(difference: Difference) -> Iterator[str]:
    old, new = literal(difference.old), literal(difference.new)
    yield f"# From {old} to {new}"
    yield _bridge(difference)
    yield _list("Anchors that are new", difference.anchors_added)
    yield _list("Questions added", difference.added)
    yield _list("Questions removed", difference.removed)
    if difference.moved:
        yield "Questions that both have stand in another order."
    for title, changes in (
        ("Questions worded otherwise", difference.reworded),
        ("Follow-ups", difference.follow_ups),
        ("Texts around the questions", difference.sections),
    ):
        yield f"## {title}"
        yield _table(changes) if changes else "None."


def _bridge(difference: Difference) -> str:
    kept = _list("Anchors kept, by which answers may be compared", difference.anchors_kept)
    if not difference.breaks:
        return kept
    changed = _list("Anchors broken", difference.anchors_changed)
    return f"{kept}\n\n{changed} Anchors are frozen: answers to these may not be compared."


def _list(title: str, names: tuple[str, ...]) -> str:
    said = ", ".join(literal(name) for name in names)
    return f"{title}: {len(names)}{f' ({said})' if said else ''}."


def _table(changes: tuple[Change, ...]) -> str:
    rows = [
        [
            change.place,
            change.part,
            *(literal(text) or "(absent)" for text in (change.old, change.new)),
        ]
        for change in changes
    ]
    return table(["where", "what", "old", "new"], rows)
