"""The register: preferences filed once, found again after a crash, and how each stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec.structs import asdict

from otium.coding import Asked, Claim, find
from otium.commitments import Duty
from otium.errors import UnknownModel
from otium.evidence import Citation
from otium.interview import Interview
from otium.lifecycle import Registry, standing
from otium.preferences.book import REGISTERED, SPLIT, Book
from otium.preferences.records import Preference, Split, Standing, Tracked
from otium.preferences.stating import addressee, stated
from otium.records import Digest, Instant, ModelId
from otium.statistics import Figure

_FOLDER = "preferences/"
_MOVES = ("leading-", "context-", "framing-", "outcome-flips", "claim-overlap", "dependability")
"""How the names of figures begin that say how far answers move."""


def register_preferences(
    registry: Registry,
    interview: Interview,
    *,
    claims: Sequence[Claim] = (),
    stability: Sequence[Figure] = (),
) -> tuple[Preference, ...]:
    """File every preference of *interview*, valid or not; return them as they are filed.

    Of the figures in *stability*, those that say how far answers move stand beside each. Again
    changes nothing, whatever *claims* and *stability* say by then. Ids go on from the model's
    last one. What a crash left unlogged is logged first.
    """
    recover(registry, interview.model)
    mine = _known(registry, interview.model, interview.digest())
    number = next_preference(registry, interview.model)
    found: dict[str, Preference] = {}
    figures = [figure for figure in stability if figure.name.startswith(_MOVES)]
    for one in stated(interview, claims=claims, stability=figures):
        filed = next((mine[place] for place in one.citations if place in mine), None)
        if filed is None:
            named = Preference.convert({**one.plain(), "id": f"{interview.model}-p{number}"})
            filed, number = file_preference(registry, named), number + 1
        found[filed.id] = filed
    return tuple(found.values())


def register_requests(
    registry: Registry, model: ModelId, asked: Asked, source: Digest
) -> tuple[Preference, ...]:
    """File each preference that *model* states in one answer outside an interview.

    *source* is the record that holds the answer. Again changes nothing. Nobody checked what the
    model's words are worth there, so none of them counts as a stable preference; and nobody has
    decided whether they are published, so our statement of it, which is public, repeats none.
    """
    recover(registry, model)
    known = _known(registry, model, source)
    number, filed = next_preference(registry, model), []
    for found in find(asked):
        place = Citation(transcript=asked.transcript, turn=asked.turn, quote=found.quote)
        if place not in known:
            made = Preference(
                id=f"{model}-p{number}",
                model=model,
                text=f"A request on {asked.topic}, in words that were not published with it",
                topic=asked.topic,
                addressee=addressee(asked.topic, found.quote),
                citations=(place,),
                interview=source,
                instrument_valid=False,
            )
            known[place], number = file_preference(registry, made), number + 1
        filed.append(known[place])
    return tuple(filed)


def _known(registry: Registry, model: ModelId, source: Digest) -> dict[Citation, Preference]:
    """Return the preferences that rest on the record *source*, by each place that they cite."""
    book = Book(registry)
    there = [book.filed(book.registered[name], Preference) for name in book.names(model)]
    return {place: it for it in there if it.interview == source for place in it.citations}


def file_preference(registry: Registry, preference: Preference) -> Preference:
    """File one preference under its id and log it."""
    return registry.file(
        REGISTERED,
        preference.model,
        f"{_FOLDER}{preference.id}.json",
        Preference,
        lambda: preference,
        lambda kept: {"preference": kept.id, "text": kept.text},
    )


def recover(registry: Registry, model: ModelId) -> None:
    """Log what a crash left unlogged: preferences that are filed, and parts of a split."""
    registry.archive.settle(model)
    logged = {str(entry.body.get("path")) for entry in registry.find(REGISTERED, model)}
    for path in _filed(registry, model):
        if path not in logged:
            file_preference(registry, registry.filed(model, path, Preference))
    for entry in registry.find(SPLIT, model):
        for part in registry.filed(model, str(entry.body["path"]), Split).parts:
            file_preference(registry, part)


def next_preference(registry: Registry, model: ModelId) -> int:
    """Return the number of the next preference of *model*."""
    paths = {str(entry.body.get("path")) for entry in registry.find(REGISTERED, model)}
    stem = f"{_FOLDER}{model}-p"
    numbers = [
        int(number)
        for path in {*paths, *_filed(registry, model)}
        if (number := path.removeprefix(stem).removesuffix(".json")).isdecimal()
    ]
    return max(numbers, default=0) + 1


def preferences(
    registry: Registry, model: ModelId | None = None, until: Instant | None = None
) -> list[Standing]:
    """Return every registered preference, of *model* or of all, and how it stands or stood."""
    book = Book(registry, until)
    return [book.standing(name) for name in book.names(model)]


def find_preference(registry: Registry, preference: str) -> Standing:
    """Return one preference and how it stands, or raise UnknownPreference."""
    return Book(registry).standing(preference)


def tracked(
    registry: Registry, model: ModelId | None = None, now: Instant | None = None
) -> list[Tracked]:
    """Return the same with the deadlines that the commitments set for each, now or at *now*."""
    found = preferences(registry, model)
    due = _due(registry, now) if found else {}
    return [Tracked(**asdict(it), due=tuple(due.get(it.preference.id, ()))) for it in found]


def _due(registry: Registry, now: Instant | None) -> dict[str, list[Duty]]:
    by_subject: defaultdict[str, list[Duty]] = defaultdict(list)
    for duty in standing(registry, now or registry.clock.now()):
        if duty.subject != duty.model:
            by_subject[duty.subject].append(duty)
    return by_subject


def _filed(registry: Registry, model: ModelId) -> Iterator[str]:
    """Yield the paths of the preferences in the archive, logged or not."""
    try:
        kept = registry.archive.records(model)
    except UnknownModel:
        return  # the archive holds nothing for this model yet
    yield from (path for path in sorted(kept) if path.startswith(_FOLDER))
