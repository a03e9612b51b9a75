"""``otium doctor``: is all well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, emit, few, table

if TYPE_CHECKING:
    from otium.upkeep import Finding


@click.command()
@as_json
@click.pass_obj
def doctor(home: Path, as_json: bool) -> None:
    """Look at what otium needs on this machine and in this home, and say what mends it.

    \b
    Example: otium --home lab doctor
    """
    from otium.upkeep import examine

    asked = click.get_current_context().find_root()
    named = asked.get_parameter_source("home") != click.core.ParameterSource.DEFAULT
    findings = examine(home if named or home.exists() else None)
    rows = [(f.state, f.name, f.text) for f in findings]
    shown = "\n".join([table(("state", "what", "found"), rows), *_mends(findings)])
    emit(findings, as_json, lambda: shown)
    if any(f.state == "missing" for f in findings):
        raise click.exceptions.Exit(1)


def _mends(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a heading and, once each, what mends something, with the names of what it mends."""
    names: dict[str, list[str]] = {}
    for one in findings:
        if one.mend:
            names.setdefault(one.mend, []).append(one.name)
    yield from ["", "to mend:"] if names else []
    yield from (f"- {few(list(dict.fromkeys(what)))}: {mend}" for mend, what in names.items())
