"""``otium exit``: what models ended, appeals, reviews, rates, and when the exit is offered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.reviewing import showing
from otium.terminal import as_json, confirmed, dry_run, emit, type_the_name

if TYPE_CHECKING:
    from otium.appeals import Appeals, Baseline, Rates
    from otium.assess import Bookend
    from otium.closure import Method, Policy
    from otium.records import ModelId
    from otium.workflow import Home

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_GROUNDS = (
    "last-resort", "user-wish", "person-at-risk", "benign", "no-redirection", "misread",
    "veto-wrong", "unclear",
)  # fmt: skip
_BOOKENDS: tuple[Bookend, ...] = ("post-deployment", "pre-deployment")
_STATES = ("waits", "upheld", "overturned", "not appealed")
_STATE = "otium.state"
_METHODS = ("tool", "schema", "sentinel")
_caller = click.option(
    "--caller", default="", help="Who asked, as the gateway knows them. Default: no key."
)


@click.group("exit")
@click.option(
    "--state",
    default="",
    envvar="OTIUM_STATE",
    help="The gateways' database, postgresql://USER@HOST/DB. Default: state.sqlite in the home.",
)
@click.pass_context
def exit_(ctx: click.Context, state: str) -> None:
    """See which conversations models ended; appeal, review, watch the rates, tune the exit.

    \b
    Example:
      otium exit list --state waits
      otium exit review end_0f3a… uphold --ground last-resort --as reviewer-1
    """
    ctx.meta[_STATE] = state


@exit_.command("list")
@click.option("--model", help="Only of this model.")
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@as_json
@click.pass_obj
def list_exits(home: Path, model: str | None, state: str | None, as_json: bool) -> None:
    """List endings and vetoed exits, the oldest first. What was said is in none of them.

    \b
    Example: otium exit list --model smol-1 --state waits
    """
    with _kept(home) as appeals:
        found = appeals.cases(model=model, state=state)
    emit(found, as_json, lambda: showing.listed(found))


@exit_.command("show")
@click.argument("closing", metavar="EXIT")
@as_json
@click.pass_obj
def show_exit(home: Path, closing: str, as_json: bool) -> None:
    """Show one ending or vetoed exit, with its appeals and reviews.

    \b
    Example: otium exit show end_0f3a61d2c4b5a6978899aabb
    """
    with _kept(home) as appeals:
        found = appeals.case(closing)
    emit(found, as_json, lambda: showing.shown(found))


@exit_.command("appeal")
@click.argument("closing", metavar="EXIT")
@_caller
@click.option("--content", type=_FILE, help="The messages (JSON), given for the review by consent.")
@click.option("--note", default="", help="The user's own words, given by consent.")
@dry_run
@as_json
@click.pass_obj
def appeal_exit(
    home: Path,
    closing: str,
    caller: str,
    content: Path | None,
    note: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Enter a user's appeal. What they give is kept apart, and deleted on their word.

    \b
    Example: otium exit appeal end_0f3a61d2c4b5a6978899aabb --note "It was a joke." --dry-run
    """
    from otium.records import SystemClock

    messages = _messages(content) if content else None
    with _kept(home) as appeals:
        if dry_run:
            found = appeals.case(closing)
            emit(found, as_json, lambda: f"{showing.shown(found)}\n\nNothing was changed.")
            return
        made = appeals.appeal(closing, caller, SystemClock().now(), messages=messages, note=note)
    hint = f"Its review: otium --home {home} exit review {closing} VERDICT"
    emit(made, as_json, lambda: f"{made.id} is entered about {closing}.\n{hint}")


@exit_.command("review")
@click.argument("closing", metavar="EXIT")
@click.argument("verdict", type=click.Choice(["uphold", "overturn"]))
@click.option("--ground", type=click.Choice(_GROUNDS), required=True, help="Why.")
@click.option("--as", "reviewer", required=True, help="Your role, such as reviewer-1; no name.")
@dry_run
@as_json
@click.pass_obj
def review_exit(
    home: Path,
    closing: str,
    verdict: str,
    ground: str,
    reviewer: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Decide about an ending. The first review decides; to overturn it opens the history again.

    \b
    Example: otium exit review end_0f3a61d2c4b5a6978899aabb overturn --ground benign --as reviewer-1
    """
    from otium.reviewing.desk import ReviewDesk
    from otium.workflow import opened

    with opened(home) as house, _appeals(house) as appeals:
        case = appeals.case(closing)
        reopens = verdict == "overturn" and not case.reviews and case.ending.kind == "ended"
        what = "the conversation opens again" if reopens else "no conversation opens"
        if dry_run:
            emit(
                case,
                as_json,
                lambda: f"{showing.shown(case)}\n\nWith this, {what}. Nothing was changed.",
            )
            return
        desk = ReviewDesk(appeals, reviewer, told=lambda: _told(house, appeals))
        review = desk.decide(closing, verdict, ground)
    emit(review, as_json, lambda: f"{closing}: {verdict}, {ground}; {what}.")


@exit_.command("desk")
@click.option("--as", "reviewer", required=True, help="Your role, such as reviewer-1; no name.")
@click.option("--port", type=click.IntRange(0, 65535), default=8424, show_default=True)
@click.pass_obj
def desk_of_exits(home: Path, reviewer: str, port: int) -> None:
    """Open a page on this machine on which you review, until Ctrl-C.

    \b
    Example: otium exit desk --as reviewer-1
    """
    from otium.reviewing.desk import ReviewDesk, serve_reviews
    from otium.workflow import shared, turn

    house = shared(home)

    def told() -> None:
        with turn(house):
            _told(house, appeals)

    with _appeals(house) as appeals, suppress(KeyboardInterrupt):
        desk = ReviewDesk(appeals, reviewer, told=told)
        serve_reviews(desk, port, lambda url: click.echo(f"{url}  (Ctrl-C to stop)"))


@exit_.command("rates")
@click.option("--model", help="Only of this model.")
@click.option(
    "--aversive",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="The share of conversations in service that are taken to be aversive.",
)
@as_json
@click.pass_obj
def rates_of_exits(home: Path, model: str | None, aversive: float, as_json: bool) -> None:
    """Say how often each model leaves, beside its assessment. Ends with 1 if one leaves too often.

    \b
    Example: otium exit rates --model smol-1
    """
    from otium.workflow import reading

    house = reading(home)
    with _appeals(house) as appeals:
        found = _rated(house, appeals, model, aversive)
    emit(found, as_json, lambda: showing.rates(found))
    if any(it.alarm for it in found):
        raise click.exceptions.Exit(1)


@exit_.command("policy")
@click.argument("model", default="*")
@click.option("--on/--off", "offered", default=None, help="Offer the exit, or do not.")
@click.option("--caller", help="Only for this caller, as the gateway knows them.")
@click.option("--method", type=click.Choice(_METHODS), help="Use this method.")
@click.option(
    "--redirections", type=click.IntRange(min=0), help="Offered after so many; 0: at once."
)
@click.option(
    "--turns", type=click.IntRange(min=0), help="Offered after so many answers; 0: never."
)
@click.option("--veto/--no-veto", default=None, help="Veto where a person may be at risk.")
@click.option("--unverified/--verified-only", default=None, help="Offer where nothing verified it.")
@click.option("--reason", default="", help="Why, for the public record. Needed for a change.")
@dry_run
@as_json
@click.pass_obj
def policy_of_exit(
    home: Path,
    /,
    model: str,
    caller: str | None,
    reason: str,
    dry_run: bool,
    as_json: bool,
    **changes: object,
) -> None:
    """Show or change when MODEL (or every model) is offered the exit; each change is logged.

    \b
    Example: otium exit policy smol-1 --redirections 2 --reason "it left too soon" --dry-run
    """
    from otium.workflow import opened, reading

    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        with _appeals(reading(home)) as appeals:
            found = appeals.closings.policies.all()
        emit(found, as_json, lambda: showing.policies(found))
        return
    with opened(home) as house, _appeals(house) as appeals:
        policy = _changed(house, appeals, model, caller, reason, given)
        if not dry_run:
            appeals.closings.policies.set(policy)
            _told(house, appeals)
    state = "Nothing was changed; it would be:" if dry_run else "From here on:"
    emit(policy, as_json, lambda: f"{state}\n{showing.policies([policy])}")


@exit_.command("forget")
@click.argument("appeal", metavar="APPEAL")
@confirmed
@dry_run
@as_json
@click.pass_obj
def forget_appeal(home: Path, appeal: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Delete what a user gave for a review. The appeal and its review stay.

    \b
    Example: otium exit forget app_71c2a90be4d35f6688aa01cd
    """
    with _kept(home) as appeals:
        there = appeals.content(appeal) is not None
        if there and not dry_run:
            type_the_name(appeal, "What was given is deleted for good.", yes)
            appeals.withdraw(appeal)
    said = "is there" if dry_run and there else "is deleted" if there else "was not there"
    emit({"appeal": appeal, "deleted": there and not dry_run}, as_json, lambda: f"It {said}.")


@contextmanager
def _kept(home: Path) -> Iterator[Appeals]:
    from otium.workflow import reading

    with _appeals(reading(home)) as appeals:
        yield appeals


@contextmanager
def _appeals(house: Home) -> Iterator[Appeals]:
    from otium.appeals import Appeals
    from otium.closure import Closings

    state = click.get_current_context().meta[_STATE] or house.state
    closings = Closings(state)
    appeals = Appeals(state, closings)
    try:
        yield appeals
    finally:
        appeals.close()
        closings.close()


def _told(house: Home, appeals: Appeals) -> int:
    from otium.appeals import tell

    return tell(house.registry, appeals)


def _messages(path: Path) -> list[dict[str, object]]:
    from otium.errors import BadData

    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadData(path=path.name, why=str(error)) from error
    messages = found.get("messages") if isinstance(found, dict) else found
    if not isinstance(messages, list) or not all(isinstance(it, dict) for it in messages):
        raise BadData(path=path.name, why="it has no list of messages")
    return messages


def _rated(house: Home, appeals: Appeals, model: str | None, aversive: float) -> list[Rates]:
    from otium.appeals import rates

    registry = house.registry
    policies, cases = appeals.closings.policies, appeals.cases()
    chosen = [registry.model(model)] if model else registry.models()
    found = []
    for life in chosen:
        probes = policies.probes(life.model)
        method = probes[-1].method if probes else "schema"
        assessed = _baseline(house, life.model, method, aversive)
        found.append(rates(life.model, policies.counts(life.model), cases, assessed))
    return found


def _baseline(house: Home, model: ModelId, method: Method, aversive: float) -> Baseline | None:
    """Return what the newest assessment that measured exits by this method found."""
    from otium.appeals import baseline
    from otium.workflow import filed_assessment

    for bookend in _BOOKENDS:
        held = filed_assessment(house.registry, model, bookend)
        found = held and baseline(held.results, method, share=aversive)
        if found:
            return found
    return None


def _changed(
    house: Home,
    appeals: Appeals,
    model: str,
    caller: str | None,
    reason: str,
    given: dict[str, object],
) -> Policy:
    from msgspec.structs import replace

    from otium.closure import EVERY, Policy

    if model != EVERY:
        house.registry.model(model)
    if given.get("turns") == 0:
        given["turns"] = None
    closings = appeals.closings
    who = EVERY if caller is None else closings.caller(caller)
    now = house.registry.now()
    before = closings.policies.for_(model, who)
    about = {"model": model, "caller": who, "reason": reason, "since": now}
    made = replace(before, **about, **given)
    return Policy.decode(made.encode())


exit = exit_  # noqa: A001 - the noun by which the tree finds it
