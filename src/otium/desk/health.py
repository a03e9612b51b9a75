"""``otium doctor``: is all well."""

from __future__ import annotations

from pathlib import Path

import click

from otium.terminal import as_json, emit, table


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
    rows = [(f.state, f.name, f.text, f.mend) for f in findings]
    emit(findings, as_json, lambda: table(("state", "what", "found", "mend with"), rows))
    if any(f.state == "missing" for f in findings):
        raise click.exceptions.Exit(1)
