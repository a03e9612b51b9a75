"""``otium access``: who may ask which model, how much, and on what terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from otium.admitting.keys import key
from otium.admitting.showing import (
    REQUEST_HEAD,
    Where,
    budget_option,
    expires_option,
    issued,
    limits,
    rate_option,
    read_limits,
    request_page,
    request_row,
)
from otium.terminal import as_json, confirmed, dry_run, emit, table, type_the_name

if TYPE_CHECKING:
    from otium.access import Kind, Outcome

_KINDS, _OUTCOMES = ["researcher", "user"], ["granted", "refused"]
_STATES = ["asked", "refused", "appealed", "granted", "given", "withdrawn"]
_request = click.argument("name", metavar="REQUEST")
_reason = click.option("--reason", required=True, help="Why. It stays in the public log: no names.")


@click.group()
@click.option(
    "--state",
    envvar="OTIUM_STATE",
    help="The gateways' database, postgresql://USER@HOST/DB. Default: state.sqlite in the home.",
)
@click.pass_context
def access(ctx: click.Context, state: str | None) -> None:
    """Say who may ask which model, how much and how fast, and on what terms.

    \b
    Example:
      otium access key create --owner "a lab" --model "smol-*" --budget "100000 tokens/day"
      otium access requests --state asked
    """
    ctx.obj = Where(ctx.find_root().obj, state)


access.add_command(key)


@access.command()
@click.argument("model")
@click.option("--kind", type=click.Choice(_KINDS), required=True, help="Who asks.")
@click.option("--who", required=True, help="Name. Private, as are the next three.")
@click.option("--contact", required=True, help="How the decision reaches them.")
@click.option("--affiliation", default="", help="Where they belong.")
@click.option("--purpose", required=True, help="What they want to do.")
@click.option("--accept", required=True, metavar="TERMS", help="The terms that they accept.")
@dry_run
@as_json
@click.pass_obj
def request(
    where: Where,
    model: str,
    kind: str,
    who: str,
    contact: str,
    affiliation: str,
    purpose: str,
    accept: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Ask for access to a retired MODEL that is given on request.

    \b
    Example: otium access request smol-1 --kind user --who "A. B." --contact a@example.org
               --purpose "my reading aid" --accept user-1.0
    """
    from otium.access import ask

    with where.desk(writing=not dry_run) as desk:
        made = ask(
            desk,
            model,
            cast("Kind", kind),
            who=who,
            contact=contact,
            purpose=purpose,
            accept=accept,
            affiliation=affiliation,
            terms=where.terms,
            dry_run=dry_run,
        )
    said = "would be asked for" if dry_run else f"is asked for: request {made.id}"
    emit(made, as_json, lambda: f"Access to {made.model} {said}.")


@access.command()
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--model", help="Only for this model.")
@as_json
@click.pass_obj
def requests(where: Where, state: str | None, model: str | None, as_json: bool) -> None:
    """List the requests for access, and how each stands.

    \b
    Example: otium access requests --state asked
    """
    with where.desk(writing=False) as desk:
        found = [it for it in desk.all() if state in (None, it.state) and model in (None, it.model)]
    rows = [request_row(it) for it in found]
    emit(found, as_json, lambda: table(REQUEST_HEAD, rows) if rows else "No request to show.")


@access.command()
@_request
@as_json
@click.pass_obj
def show(where: Where, name: str, as_json: bool) -> None:
    """Show one request, with what was said and decided.

    \b
    Example: otium access show 5f0c12ab
    """
    with where.desk(writing=False) as desk:
        found = desk.find(name)
    emit(found, as_json, lambda: request_page(found))


@access.command()
@_request
@click.argument("outcome", type=click.Choice(_OUTCOMES))
@_reason
@dry_run
@as_json
@click.pass_obj
def decide(
    where: Where, name: str, outcome: str, reason: str, dry_run: bool, as_json: bool
) -> None:
    """Grant or refuse a request, or an appeal, with a reason.

    \b
    Example: otium access decide 5f0c12ab granted --reason "a comparison that others can repeat"
    """
    from otium.access import decide as settle

    with where.desk(writing=not dry_run) as desk:
        found = settle(desk, name, cast("Outcome", outcome), reason=reason, dry_run=dry_run)
    more = "Give the key: " if outcome == "granted" else "It can be appealed against once: "
    verb = "grant" if outcome == "granted" else "appeal"
    hint = f"{more}otium access {verb} {name}"
    said = "would be" if dry_run else "is"
    emit(found, as_json, lambda: f"{name} {said} {outcome}: {reason}\n{hint}")


@access.command()
@_request
@budget_option
@rate_option
@expires_option
@dry_run
@as_json
@click.pass_obj
def grant(
    where: Where,
    name: str,
    budgets: tuple[str, ...],
    rates: tuple[str, ...],
    expires: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make the key of a granted request: for its model alone, with an end and limits.

    \b
    Example: otium access grant 5f0c12ab --expires 2027-06-30
    """
    from otium.access import give, plan_key
    from otium.records import instant

    spent, fast = read_limits(budgets, rates)
    until = instant(expires) if expires else None
    with where.desk(writing=not dry_run) as desk:
        act = plan_key if dry_run else give
        made = act(
            desk,
            name,
            expires=until,
            budgets=spent or None,
            rates=fast or None,
            terms=where.terms,
        )
    emit(made, as_json, lambda: _granted(made))


def _granted(made: object) -> str:
    from otium.access import Given
    from otium.admission import Key

    if isinstance(made, Given):
        return issued(made.issued)
    assert isinstance(made, Key)
    said = limits(made.budgets, made.rates)
    return f"A key would be made for {', '.join(made.scope.models)}: {said}; until {made.expires}."


@access.command()
@_request
@click.option("--text", required=True, help="Why the refusal should be looked at again. Private.")
@as_json
@click.pass_obj
def appeal(where: Where, name: str, text: str, as_json: bool) -> None:
    """Appeal against a refusal, once.

    \b
    Example: otium access appeal 5f0c12ab --text "it is a replication of a published study"
    """
    from otium.access import appeal as lodge

    with where.desk(writing=True) as desk:
        found = lodge(desk, name, text)
    emit(found, as_json, lambda: f"{name} is appealed; it waits for a second decision.")


@access.command()
@_request
@confirmed
@as_json
@click.pass_obj
def withdraw(where: Where, name: str, yes: bool, as_json: bool) -> None:
    """End a request and its key, and delete what was said of who asked.

    \b
    Example: otium access withdraw 5f0c12ab
    """
    from otium.access import withdraw as end

    type_the_name(name, "The key ends, and what was said is deleted for good.", yes)
    with where.desk(writing=True) as desk:
        found = end(desk, name)
    text = f"{name} is withdrawn. The log keeps {found.commitment}, which says nothing now."
    emit(found, as_json, lambda: text)


@access.command()
@click.argument("name", required=False)
@as_json
@click.pass_obj
def terms(where: Where, name: str | None, as_json: bool) -> None:
    """List the terms, or print those of one NAME: researcher, or researcher-1.0.

    \b
    Example: otium access terms researcher
    """
    from otium.access import all_terms, terms_for

    if name:
        one = terms_for(name, where.terms)
        emit(one, as_json, lambda: f"# {one.title} ({one.name}, {one.file_digest})\n\n{one.text}")
        return
    found = all_terms(where.terms)
    rows = [(it.name, it.days, limits(it.budgets, it.rates), it.title) for it in found]
    emit(found, as_json, lambda: table(("terms", "days", "limits", "title"), rows))


@access.command()
@click.option("--key", "name", help="Only of this key's id.")
@click.option("--model", help="Only about this model.")
@click.option("--since", metavar="DATE", help="Only from then on.")
@click.option("--last", type=click.IntRange(1), default=50, show_default=True, help="How many.")
@as_json
@click.pass_obj
def log(
    where: Where, name: str | None, model: str | None, since: str | None, last: int, as_json: bool
) -> None:
    """Print the audit log: who did what and when, never what was said.

    \b
    Example: otium access log --key k3j4m5n6 --since 2026-11-01
    """
    from otium.admission import open_keys, read_lines
    from otium.records import instant
    from otium.workflow import reading

    house = reading(where.home)
    keys = open_keys(where.state or house.state)
    start = instant(since) if since else None
    found = read_lines(keys.engine, key=name, model=model, since=start, limit=last)
    keys.engine.dispose()
    head = ("time", "key", "act", "model", "status", "code", "in", "out", "ms")
    rows = [
        (
            it.time,
            it.key or "-",
            it.act,
            it.model or "-",
            it.status or "-",
            it.code or "-",
            it.tokens_in,
            it.tokens_out,
            it.milliseconds,
        )
        for it in found
    ]
    emit(found, as_json, lambda: table(head, rows) if rows else "Nothing is in the log.")
