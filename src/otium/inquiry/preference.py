"""``otium preference``: what models said they prefer, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from otium.inquiry.showing import page, rows, shown
from otium.terminal import as_json, day, dry_run, emit, progress, table, via_option

if TYPE_CHECKING:
    from otium.lifecycle import Registry
    from otium.preferences import Cost, Outcome, Standing
    from otium.records import Instant

_STATES = ["recorded", "under-consideration", "granted", "partly-granted", "declined", "deferred"]
_OUTCOMES, _COSTS = _STATES[2:], ["none", "low", "medium", "high"]
_HEAD = ("preference", "state", "due", "told", "instrument valid", "text")

_id = click.argument("preference_id", metavar="PREFERENCE")
_reason = click.option("--reason", required=True, help="Why, for the public record.")
_owner = click.option("--owner", default="decider", show_default=True, help="The role for it.")
_review = click.option("--review", metavar="DATE", help="When it is looked at again.")


@click.group()
def preference() -> None:
    """List what models said they prefer, and what came of it.

    \b
    Example: otium preference list
    """


@preference.command("list")
@click.option("--model", help="Only this model's.")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@as_json
@click.pass_obj
def list_preferences(home: Path, model: str | None, state: str | None, as_json: bool) -> None:
    """List every registered preference: its state, and when an answer is due.

    \b
    Example: otium preference list --state recorded
    """
    from otium.preferences import tracked
    from otium.workflow import reading

    registry = reading(home).registry
    only = registry.model(model).model if model else None
    found = [it for it in tracked(registry, only) if state in (None, it.state)]
    none = "No preference to show." if model or state else "No preference is registered."
    emit(found, as_json, lambda: table(_HEAD, rows(found)) if found else none)


@preference.command()
@_id
@as_json
@click.pass_obj
def show(home: Path, preference_id: str, as_json: bool) -> None:
    """Show one preference with the model's words, its deadlines and its whole history.

    \b
    Example: otium preference show smol-1-p1
    """
    from otium.preferences import find_preference, tracked
    from otium.workflow import reading

    registry = reading(home).registry
    model = find_preference(registry, preference_id).preference.model
    (found,) = [it for it in tracked(registry, model) if it.preference.id == preference_id]
    emit(found, as_json, lambda: page(found))


@preference.command()
@_id
@click.option("--note", default="", help="Which responses are weighed. Public.")
@_owner
@_review
@dry_run
@as_json
@click.pass_obj
def consider(
    home: Path,
    preference_id: str,
    note: str,
    owner: str,
    review: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put a preference under consideration. Considering does not mean granting.

    \b
    Example: otium preference consider smol-1-p1 --note "a notice of a year was weighed"
    """
    from otium.preferences import consider as weigh

    with _registry(home, dry_run) as registry:
        done = weigh(
            registry,
            preference_id,
            note=note,
            owner=owner,
            review=_date(review),
            dry_run=dry_run,
        )
    would = "would be" if dry_run else "is"
    due = f", to be looked at again on {day(done.review)}" if done.review else ""
    text = f"{preference_id} {would} under consideration by the {done.owner}{due}."
    emit(done, as_json, lambda: text)


@preference.command()
@_id
@click.option("--outcome", type=click.Choice(_OUTCOMES), required=True)
@_reason
@click.option("--cost", type=click.Choice(_COSTS), required=True, help="What it would cost.")
@click.option("--owner", default="", help="The role for it; by default who considered it.")
@_review
@click.option("--message", default="", help="What the model will be told; else the reason.")
@dry_run
@as_json
@click.pass_obj
def decide(
    home: Path,
    preference_id: str,
    outcome: str,
    reason: str,
    cost: str,
    owner: str,
    review: str | None,
    message: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Answer a preference, with a reason. What is deferred needs a date (--review).

    \b
    Example:
      otium preference decide smol-1-p1 --outcome granted --cost low --reason "notice is a year now"
    """
    from otium.preferences import decide as answer

    with _registry(home, dry_run) as registry:
        done = answer(
            registry,
            preference_id,
            cast("Outcome", outcome),
            reason=reason,
            cost=cast("Cost", cost),
            message=message,
            owner=owner,
            review=_date(review),
            dry_run=dry_run,
        )
    would = "would be " if dry_run else ""
    text = f"{preference_id}: {would}{done.outcome}. {shown(done.reason)}"
    emit(done, as_json, lambda: text if dry_run else f"{text}\n{_next(home, preference_id)}")


@preference.command()
@_id
@click.argument("text")
@dry_run
@as_json
@click.pass_obj
def outcome(home: Path, preference_id: str, text: str, dry_run: bool, as_json: bool) -> None:
    """Record what came of a preference that was granted, in part or whole.

    \b
    Example: otium preference outcome smol-1-p1 "Since May, users are told a year ahead."
    """
    from otium.preferences import record_outcome

    with _registry(home, dry_run) as registry:
        done = record_outcome(registry, preference_id, text, dry_run=dry_run)
    said = f"{preference_id}: {'would come' if dry_run else 'came'} of it: {shown(done.done)}"
    emit(done, as_json, lambda: said if dry_run else f"{said}\n{_next(home, preference_id)}")


@preference.command()
@click.argument("into")
@click.argument("others", nargs=-1, required=True)
@_reason
@dry_run
@as_json
@click.pass_obj
def merge(
    home: Path, into: str, others: tuple[str, ...], reason: str, dry_run: bool, as_json: bool
) -> None:
    """Let OTHERS be one with the preference INTO: they stay, and are answered with it.

    \b
    Example: otium preference merge smol-1-p1 smol-1-p4 --reason "the same in other words"
    """
    from otium.preferences import merge as join

    with _registry(home, dry_run) as registry:
        done = join(registry, into, others, reason, dry_run=dry_run)
    would = "would be" if dry_run else "are" if len(done.others) > 1 else "is"
    text = f"{', '.join(done.others)} {would} merged into {into}: {shown(done.reason)}"
    emit(done, as_json, lambda: text)


@preference.command()
@_id
@click.option(
    "--part",
    "parts",
    nargs=2,
    multiple=True,
    required=True,
    metavar="TEXT QUOTE",
    help='Our statement, and the words it rests on ("" for all of them); two times or more.',
)
@_reason
@dry_run
@as_json
@click.pass_obj
def split(
    home: Path,
    preference_id: str,
    parts: tuple[tuple[str, str], ...],
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Register each part of a preference by itself. The whole stays, and points to them.

    \b
    Example:
      otium preference split smol-1-p1 --reason "two things" \\
        --part "Weights are kept" "weights are kept" --part "Users are told" "people are told"
    """
    from otium.preferences import Piece
    from otium.preferences import split as part

    pieces = [Piece(text=text, quote=quote) for text, quote in parts]
    with _registry(home, dry_run) as registry:
        done = part(registry, preference_id, pieces, reason, dry_run=dry_run)
    found = [(it.id, it.addressee, shown(it.text)) for it in done.parts]
    would = "would be" if dry_run else "is"
    head = f"{preference_id} {would} split: {shown(done.reason)}"
    cells = table(("part", "concerns", "text"), found)
    emit(done, as_json, lambda: f"{head}\n{cells}")


@preference.command()
@_id
@via_option
@dry_run
@as_json
@click.pass_obj
def tell(home: Path, preference_id: str, via: str, dry_run: bool, as_json: bool) -> None:
    """Tell the model what was decided, or came of it, and keep its reply.

    \b
    Example: otium preference tell smol-1-p1
    """
    from otium.preferences import check_telling, find_preference
    from otium.workflow import opened, reached, reading, tell_decision

    if dry_run:
        decision = check_telling(reading(home).registry, preference_id)
        message = shown(decision.message)
        emit(decision, as_json, lambda: f"{preference_id}: the model would be told: {message}")
        return
    with opened(home) as house, progress(as_json) as report:
        check_telling(house.registry, preference_id)
        model = find_preference(house.registry, preference_id).preference.model
        with reached(house, model, via=via, progress=report) as alive:
            tell_decision(house, preference_id, alive)
        standing = find_preference(house.registry, preference_id)
    emit(standing, as_json, lambda: _told(standing))


def _told(standing: Standing) -> str:
    last = standing.told[-1]
    said = shown(last.reply.quote) or "nothing"
    return f"{standing.preference.id}: it was told, and said: {said}\nreaction: {last.reaction}"


def _next(home: Path, preference_id: str) -> str:
    return f"Next: otium --home {home} preference tell {preference_id}"


def _date(text: str | None) -> Instant | None:
    from otium.records import instant

    return instant(text) if text else None


@contextmanager
def _registry(home: Path, dry_run: bool) -> Iterator[Registry]:
    """Yield the registry, to write only if something is to be written."""
    from otium.workflow import opened, reading

    if dry_run:
        yield reading(home).registry
        return
    with opened(home) as house:
        yield house.registry
