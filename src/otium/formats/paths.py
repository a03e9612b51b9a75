"""Which relative paths every system can hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from otium.errors import BadDeposit, UnsafePath

LONGEST_PATH = 1000
LONGEST_PART = 255
_BANNED = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


def check_path(path: str) -> None:
    """Raise UnsafePath or BadDeposit unless every system can hold a file of this path."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts:
        raise UnsafePath(path=path)
    try:
        long = len(path.encode()) > LONGEST_PATH or any(
            len(part.encode()) > LONGEST_PART for part in parts
        )
    except UnicodeEncodeError as error:
        raise BadDeposit(path=ascii(path), why="its name is not UTF-8") from error
    if long:
        raise BadDeposit(path=path, why="its name is too long")
    if unicodedata.normalize("NFC", path) != path:
        raise BadDeposit(path=path, why="its name is not in Unicode normal form C")
    for part in parts:
        if part in {"", "."} or part != part.rstrip(". ") or _BANNED.search(part):
            raise BadDeposit(path=ascii(path), why="some systems cannot hold a file of this name")
        if _DEVICES.fullmatch(part):
            raise BadDeposit(path=path, why="its name means a device on some systems")


def check_paths(paths: Iterable[str]) -> None:
    """Raise as `check_path` does, and BadDeposit if two paths are one on some systems."""
    seen: dict[str, str] = {}
    for path in paths:
        check_path(path)
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            raise BadDeposit(path=path, why=f"on some systems its name is the same as {other}")
