"""The house keeps its own rules: small rooms, one door each, nothing through the windows."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "otium"
FILES = sorted(path for path in SOURCE.rglob("*.py") if "data" not in path.parts)
ROOMS = sorted(path.parent for path in SOURCE.glob("*/__init__.py"))
LAZY = (
    "inspect_ai",
    "xllamacpp",
    "numpy",
    "scipy",
    "sqlalchemy",
    "starlette",
    "rich",
    "aiohttp",
    "ray",
)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1


def test_no_file_is_over_400_lines() -> None:
    long = [(p.name, n) for p in FILES if (n := len(p.read_text().splitlines())) > 400]
    assert not long


def test_no_function_is_over_40_lines() -> None:
    # A command's options and help are its interface, and make it long without making it deep.
    skins = {"admitting", "cli", "desk", "examining", "hosting", "inquiry", "reviewing"}
    most = {path: 60 if path.parent.name in skins else 40 for path in FILES}
    long = [(p.name, name, n) for p in FILES for name, n in functions(p) if n > most[p]]
    assert not long


def test_no_room_has_more_than_eight_modules() -> None:
    large = {
        room.name: count
        for room in ROOMS
        if (count := len([p for p in room.glob("*.py") if p.name != "__init__.py"])) > 8
    }
    assert not large


def test_the_map_of_the_house_has_every_room() -> None:
    page = (SOURCE.parent.parent / "ARCHITECTURE.md").read_text()
    assert not [room.name for room in ROOMS if f"{room.name}/" not in page]


def test_rooms_are_not_nested() -> None:
    nested = [path for path in FILES if len(path.relative_to(SOURCE).parts) > 2]
    assert not nested


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_door_says_what_the_room_knows_and_names_what_it_offers(room: Path) -> None:
    tree = ast.parse((room / "__init__.py").read_text())
    said = ast.get_docstring(tree) or ""
    assert "Knows" in said or "knows" in said, said
    assert "not" in said, said
    names = {
        t.id
        for n in tree.body
        if isinstance(n, ast.Assign)
        for t in n.targets
        if isinstance(t, ast.Name)
    }
    assert "__all__" in names


def test_rooms_are_entered_by_their_doors_only() -> None:
    windows = []
    for path in FILES:
        room = path.relative_to(SOURCE).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = node.module.split(".")
                if parts[0] == "otium" and len(parts) > 2 and parts[1] != room:
                    windows.append(f"{path.relative_to(SOURCE)} imports {node.module}")
    assert not windows


def test_help_loads_nothing_heavy() -> None:
    check = (
        "import sys\nfrom otium.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print([m for m in {LAZY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_inspect_is_imported_only_where_protocols_run() -> None:
    allowed = {"evidence", "interview", "assess"}
    found = {
        path.relative_to(SOURCE).parts[0]
        for path in FILES
        if "inspect_ai" in path.read_text()
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("inspect_ai"))
        or (isinstance(node, ast.Import) and node.names[0].name.startswith("inspect_ai"))
    }
    assert found <= allowed
