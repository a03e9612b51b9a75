"""Write docs/reference/cli.md from the commands' own help. A test holds it to be current."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from otium.cli.app import otium

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"


def walk(command: click.Command, path: str, context: click.Context | None) -> Iterator[str]:
    """Yield a section for *command* and for each command below it."""
    name = path.rsplit(maxsplit=1)[-1]
    names = ["-h", "--help"]
    here = click.Context(command, info_name=name, parent=context, help_option_names=names)
    here.terminal_width = here.max_content_width = 96
    yield f"## {path}\n\n```\n{command.get_help(here)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(here):
            below = command.get_command(here, name)
            if below is not None:
                yield from walk(below, f"{path} {name}", here)


def reference() -> str:
    """Return the whole page."""
    head = (
        "# Commands\n\nMade from the commands' own help by `scripts/make_reference.py`. Every "
        "option can be set by an\nenvironment variable: `OTIUM_HOME`, `OTIUM_DEMO_OUT`, … "
        "Exit codes are [listed apart](exit-codes.md).\n\n"
    )
    return head + "\n".join(walk(otium, "otium", None))


if __name__ == "__main__":
    PAGE.write_text(reference())
