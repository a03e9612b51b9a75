"""The documentation is under test: commands, exit codes, links, examples."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from otium import errors
from otium.cli.app import otium

ROOT = Path(__file__).parent.parent
ROOMS = sorted(path.parent.name for path in (ROOT / "src" / "otium").glob("*/__init__.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below is not None
            yield from commands(below, (*path, name))


def reference() -> str:
    path = ROOT / "scripts" / "make_reference.py"
    spec = importlib.util.spec_from_file_location("make_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page: str = module.reference()
    return page


def test_the_command_reference_is_the_commands_own_help() -> None:
    stored = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert stored == reference(), "run: uv run python scripts/make_reference.py"


@pytest.mark.parametrize("path", list(commands(otium)), ids=lambda path: " ".join(path) or "otium")
def test_each_help_has_an_example_and_fits_a_screen(path: tuple[str, ...]) -> None:
    command: click.Command = otium
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    shown = command.get_help(click.Context(command, help_option_names=["-h", "--help"]))
    assert "Example" in shown
    assert len(shown.splitlines()) <= 40


def test_each_error_is_in_the_tree_and_in_the_table_with_its_code() -> None:
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \|(.*)\|$", page, re.MULTILINE))
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.OtiumError):
            assert name in (errors.__doc__ or ""), name
            assert re.search(rf"\b{name}\b", rows[str(kind.exit_code)]), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_pages_name_only_commands_that_exist() -> None:
    known = {" ".join(path) for path in commands(otium)}
    for page in PAGES:
        for block in re.findall(r"^ *```\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL):
            lines = re.findall(r"^\s*\$? ?(?:uv run )?otium ([a-z].*)$", block, re.MULTILINE)
            for line in lines:
                words = [word for word in line.split() if re.fullmatch(r"[a-z]+", word)][:2]
                assert {" ".join(words), words[0]} & known, f"{page.name}: otium {line}"


@pytest.mark.parametrize("room", ROOMS)
def test_the_example_on_the_door_of_a_room_says_what_happens(room: str, tmp_path: Path) -> None:
    door = importlib.import_module(f"otium.{room}")
    found = doctest.testmod(door, extraglobs={"tmp_path": tmp_path})
    assert found.attempted
    assert not found.failed
