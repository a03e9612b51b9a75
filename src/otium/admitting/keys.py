"""``otium access key``: make keys, look at them, end them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import click

from otium.admitting.showing import (
    KEY_HEAD,
    Where,
    budget_option,
    expires_option,
    issued,
    key_row,
    key_state,
    rate_option,
    read_limits,
)
from otium.terminal import as_json, dry_run, emit, fact, table

if TYPE_CHECKING:
    from otium.admission import Keys, Verb
    from otium.records import Clock

_VERBS = ["chat", "models", "prewarm", "admin"]
_key = click.argument("name", metavar="KEY")


@click.group()
def key() -> None:
    """Make keys, see what they may do and have used, and end them.

    \b
    Example: otium access key create --owner "a lab" --model "smol-*" --rate "60 requests/minute"
    """


@key.command()
@click.option("--owner", required=True, help="Whose it is, in your own words.")
@click.option("--model", "models", multiple=True, help="An id, a glob, or 'retired'. Default: *.")
@click.option(
    "--verb", "verbs", multiple=True, type=click.Choice(_VERBS), help="Default: chat, models."
)
@budget_option
@rate_option
@expires_option
@dry_run
@as_json
@click.pass_obj
def create(
    where: Where,
    owner: str,
    models: tuple[str, ...],
    verbs: tuple[str, ...],
    budgets: tuple[str, ...],
    rates: tuple[str, ...],
    expires: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make a key. Its secret is printed once, and kept nowhere.

    \b
    Example: otium access key create --owner "a lab" --model smol-1 --budget "100000 tokens/day"
    """
    from otium.admission import Scope, planned
    from otium.records import instant

    spent, fast = read_limits(budgets, rates)
    chosen = cast("tuple[Verb, ...]", verbs or ("chat", "models"))
    scope = Scope(models=models or ("*",), verbs=chosen)
    until = instant(expires) if expires else None
    with _keys(where) as (keys, clock):
        now = clock.now()
        if dry_run:
            plan = planned(owner, scope, now=now, budgets=spent, rates=fast, expires=until)
            emit(plan, as_json, lambda: table(KEY_HEAD, [key_row(plan, now)]))
            return
        made = keys.create(owner, scope, now=now, budgets=spent, rates=fast, expires=until)
    emit(made, as_json, lambda: issued(made))


@key.command("list")
@click.option("--good", is_flag=True, help="Only those that are good now.")
@as_json
@click.pass_obj
def list_keys(where: Where, good: bool, as_json: bool) -> None:
    """List every key, without its secret.

    \b
    Example: otium access key list --good
    """
    with _keys(where) as (keys, clock):
        now = clock.now()
        found = [it for it in keys.all() if not good or key_state(it, now) == "good"]
    rows = [key_row(it, now) for it in found]
    emit(found, as_json, lambda: table(KEY_HEAD, rows) if rows else "No key to show.")


@key.command()
@_key
@as_json
@click.pass_obj
def show(where: Where, name: str, as_json: bool) -> None:
    """Show one key, and how much of its budgets is used.

    \b
    Example: otium access key show k3j4m5n6
    """
    from otium.quotas import used

    with _keys(where) as (keys, clock):
        now = clock.now()
        found = keys.find(name)
        spent = used(keys.engine, found.id, found.budgets, now[:10])
    rows = [(str(it.budget), it.window, it.used, it.held) for it in spent]
    facts = table(KEY_HEAD, [key_row(found, now)])
    more = table(("budget", "period", "used", "held by gateways"), rows) if rows else ""
    reason = f"revoked: {found.reason}" if found.revoked else ""
    emit(
        {"key": found, "state": key_state(found, now), "used": spent},
        as_json,
        lambda: "\n\n".join(part for part in (facts, more, reason) if part),
    )


@key.command()
@_key
@click.option("--reason", required=True, help="Why.")
@dry_run
@as_json
@click.pass_obj
def revoke(where: Where, name: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """End a key for good. Every gateway obeys within a second.

    \b
    Example: otium access key revoke k3j4m5n6 --reason "it leaked"
    """
    with _keys(where) as (keys, clock):
        now = clock.now()
        found = keys.find(name) if dry_run else keys.revoke(name, reason, now=now)
    would = "would be" if dry_run else "is"
    emit(found, as_json, lambda: f"{found.id} ({found.owner or '-'}) {would} revoked: {reason}")


@key.command()
@_key
@click.option("--grace", type=click.FloatRange(0), default=0, help="Seconds for the old secret.")
@dry_run
@as_json
@click.pass_obj
def rotate(where: Where, name: str, grace: float, dry_run: bool, as_json: bool) -> None:
    """Give a key another secret. All else stays: id, limits, what is used of them.

    \b
    Example: otium access key rotate k3j4m5n6 --grace 3600
    """
    with _keys(where) as (keys, clock):
        if dry_run:
            found = keys.find(name)
            emit(found, as_json, lambda: f"{found.id} would get another secret.")
            return
        made = keys.rotate(name, now=clock.now(), grace=grace)
    old = f"\nThe old secret is good for {fact(grace)} s." if grace else ""
    emit(made, as_json, lambda: issued(made) + old)


@contextmanager
def _keys(where: Where) -> Iterator[tuple[Keys, Clock]]:
    """Open the keys of a home; nothing is held, so that a running gateway is no hindrance."""
    from otium.admission import open_keys
    from otium.workflow import reading

    house = reading(where.home)
    keys = open_keys(where.state or house.state)
    try:
        yield keys, house.registry.clock
    finally:
        keys.engine.dispose()
