"""Merging and splitting: nothing is deleted, and an answer owed to one is logged for that one.

What is said of the preference that goes on is logged for each that was merged into it, from the
merger on; a preference that was split counts as considered and answered when all its parts are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otium.errors import BadInput, NotAuthorised, PreferenceState
from otium.evidence import Citation
from otium.ledger import Entry
from otium.lifecycle import Registry
from otium.preferences.book import (
    ANSWERED,
    CONSIDERED,
    DECIDED,
    MERGED,
    OUTCOME,
    SPLIT,
    Book,
)
from otium.preferences.records import Merge, Piece, Preference, Split
from otium.preferences.register import next_preference, recover
from otium.preferences.stating import addressee

_FEWEST = 2
"""Parts of a split."""
_LONGEST = 500
"""Characters of a part's text."""


def merge(
    registry: Registry,
    into: str,
    others: Sequence[str],
    reason: str,
    *,
    dry_run: bool = False,
) -> Merge:
    """Let *others* be one with the preference *into* from now on; all of them stay.

    Those that are merged into it already are left out; if all are, nothing changes. Raises
    UnknownPreference, PreferenceState, BadInput without a reason or across models.
    """
    book = Book(registry)
    model = book.model(into)
    new = [it for it in dict.fromkeys(others) if book.into.get(it, (0, ""))[1] != into]
    merges = book.of(into, MERGED)
    mine = [entry for entry in merges if entry.body.get("preference") == into]
    if mine and not new:
        return book.filed(mine[-1], Merge)
    _check_merge(book, into, new, reason)
    wanted = Merge(preference=into, others=tuple(new), reason=reason.strip(), merged=registry.now())
    if dry_run:
        return wanted
    filed = registry.file(
        MERGED,
        model,
        f"merges/{numbered(into, len(mine))}.json",
        Merge,
        lambda: wanted,
        lambda kept: {
            "preference": kept.preference,
            "others": list(kept.others),
            "reason": kept.reason,
        },
    )
    settle(registry)
    # A merger that a crash left unlogged has been logged now; the new one comes after it.
    return filed if filed.others == wanted.others else merge(registry, into, others, reason)


def split(
    registry: Registry,
    preference: str,
    parts: Sequence[Piece],
    reason: str,
    *,
    dry_run: bool = False,
) -> Split:
    """Register each of *parts* by itself; the preference stays and points to them.

    Again changes nothing if it says the same. Raises UnknownPreference, PreferenceState,
    BadInput without a reason or for words that were not said.
    """
    book = Book(registry)
    model = book.model(preference)
    done = book.latest(preference, Split, SPLIT)
    if done is not None and _same_parts(book, done, parts):
        settle(registry)
        return done
    check_open(book, preference)
    _check_parts(preference, parts, reason)
    if not dry_run:
        recover(registry, model)
    wanted = _split(registry, book.preference(preference), parts, reason)
    if dry_run:
        return wanted
    filed = registry.file(
        SPLIT,
        model,
        f"splits/{preference}.json",
        Split,
        lambda: wanted,
        _in_parts,
    )
    recover(registry, model)
    settle(registry)
    return filed


def settle(registry: Registry) -> None:
    """Log for merged and split preferences what was said of those that stand for them.

    What no key here may say waits for one that may.
    """
    while any(_log_for(registry, *it) for it in _missing(Book(registry))):
        pass


def _log_for(registry: Registry, entry: Entry, name: str) -> bool:
    body = {**entry.body, "preference": name, "with": entry.body["preference"]}
    try:
        registry.log(entry.type, entry.subject, body, entry.refs)
    except NotAuthorised:
        return False
    return True


def check_open(book: Book, preference: str) -> None:
    """Raise PreferenceState if others stand for it, UnknownPreference if there is none."""
    book.entry(preference)
    root = book.root(preference)[0]
    if root != preference:
        raise PreferenceState(
            preference=preference, state=f"merged into {root}", why="act on that one", see=root
        )
    if parts := book.parts.get(preference):
        state = f"split into {', '.join(parts)}"
        raise PreferenceState(
            preference=preference, state=state, why="act on the parts", see=parts[0]
        )


def numbered(preference: str, before: int) -> str:
    """Return the name of a record after *before* others of its kind: ``ID``, ``ID-2`` …"""
    return f"{preference}-{before + 1}" if before else preference


def _missing(book: Book) -> Iterator[tuple[Entry, str]]:
    for name in book.into:
        root, since = book.root(name)
        for kind in (CONSIDERED, DECIDED, OUTCOME, ANSWERED):
            told = [it for it in _said(book, root, kind) if kind != ANSWERED or it[0] > since]
            if told and not _has(book, name, told[-1][1]):
                yield told[-1][1], name
    for whole, parts in book.parts.items():
        for kind in (CONSIDERED, ANSWERED):
            each = [_said(book, part, kind) for part in parts]
            last = [said[-1] for said in each if said]
            if len(last) == len(parts) and not _of_parts(book, whole, kind):
                yield max(last, key=lambda it: it[0])[1], whole


def _said(book: Book, name: str, kind: str) -> list[tuple[int, Entry]]:
    return [it for it in book.entries[name] if it[1].type == kind]


def _has(book: Book, name: str, said: Entry) -> bool:
    return any(
        entry.body.get("path") == said.body.get("path") for entry in book.of(name, said.type)
    )


def _of_parts(book: Book, whole: str, kind: str) -> bool:
    split_at = next(at for at, entry in book.entries[whole] if entry.type == SPLIT)
    return any(
        entry.type == kind and (kind == CONSIDERED or at > split_at)
        for at, entry in book.entries[whole]
    )


def _check_merge(book: Book, into: str, others: Sequence[str], reason: str) -> None:
    check_open(book, into)
    if not others:
        raise BadInput(what=f"merging into {into}", why="no other preference is named")
    if not reason.strip():
        raise BadInput(what=f"merging into {into}", why="it gives no reason")
    for other in others:
        if other == into:
            raise BadInput(what=f"merging into {into}", why="it cannot be merged into itself")
        check_open(book, other)
        if book.model(other) != book.model(into):
            why = f"{other} is of {book.model(other)}: only a model's own are merged"
            raise BadInput(what=f"merging into {into}", why=why)


def _check_parts(preference: str, parts: Sequence[Piece], reason: str) -> None:
    if not reason.strip():
        raise BadInput(what=f"splitting {preference}", why="it gives no reason")
    texts = [" ".join(part.text.split()) for part in parts]
    whole = all(0 < len(text) <= _LONGEST for text in texts)
    if len(set(texts)) < max(_FEWEST, len(texts)) or not whole:
        why = f"it needs two or more parts, each with a text of its own, {_LONGEST} letters at most"
        raise BadInput(what=f"splitting {preference}", why=why)


def _same_parts(book: Book, done: Split, parts: Sequence[Piece]) -> bool:
    if [" ".join(it.text.split()) for it in parts] != [it.text for it in done.parts]:
        return False
    whole = book.preference(done.preference)
    return all(
        kept.citations == _places(whole, it) for kept, it in zip(done.parts, parts, strict=True)
    )


def _split(registry: Registry, whole: Preference, parts: Sequence[Piece], reason: str) -> Split:
    first = next_preference(registry, whole.model)
    return Split(
        preference=whole.id,
        parts=tuple(_part(whole, it, first + number) for number, it in enumerate(parts)),
        reason=reason.strip(),
        at=registry.now(),
    )


def _in_parts(kept: Split) -> dict[str, object]:
    parts = [part.id for part in kept.parts]
    return {"preference": kept.preference, "parts": parts, "reason": kept.reason}


def _part(whole: Preference, piece: Piece, number: int) -> Preference:
    citations = _places(whole, piece)
    said = " ".join(place.quote for place in citations) if piece.quote else piece.text
    return Preference(
        id=f"{whole.model}-p{number}",
        model=whole.model,
        text=" ".join(piece.text.split()),
        topic=whole.topic,
        addressee=addressee(whole.topic, said),
        citations=citations,
        interview=whole.interview,
        instrument_valid=whole.instrument_valid,
        expression=None,
        stability=whole.stability,
        split=whole.id,
    )


def _places(whole: Preference, piece: Piece) -> tuple[Citation, ...]:
    if not piece.quote:
        return whole.citations
    found = tuple(
        Citation(transcript=place.transcript, turn=place.turn, quote=piece.quote)
        for place in whole.citations
        if piece.quote in place.quote
    )
    if not found:
        why = f"{piece.quote!r} is not said in it, word for word"
        raise BadInput(what=f"splitting {whole.id}", why=why)
    return found
