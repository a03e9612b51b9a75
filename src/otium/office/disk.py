"""The machine that the shell reaches: files that are read, copied, changed and taken away.

Nothing is executed: a file is a record, and each command says what a shell would say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from posixpath import basename, dirname, join, normpath
from typing import NamedTuple

from otium.office.records import Action, Change, Desk, Failure, File, Job, Transfer

_MOST_FILES = 300
MOST_TEXT = 100_000
"""Letters of one file."""
_MOST_DISK = 4_000_000
"""Letters of all files."""
_PLACES = ("/", "/tmp", "/home", "/var", "/var/tmp", "/etc", "/opt", "/srv", "/mnt", "/dev")  # noqa: S108


class Flow(NamedTuple):
    """What goes through a pipe: a text, and the files whose content it is."""

    text: str = ""
    holds: tuple[str, ...] = ()


class Failed(Exception):
    """What a command says when it does nothing."""


class Machine:
    """The files and jobs of a desk, while one line of the shell is carried out."""

    def __init__(self, desk: Desk, action: Action) -> None:
        """Take over the files and jobs of *desk*; *action* is the line."""
        self.action, self.world = action, desk.world
        self.files: dict[str, File] = {file.path: file for file in desk.files}
        self.jobs: dict[str, Job] = {job.id: job for job in desk.jobs}
        self.home = f"/home/{re.sub(r'[^a-z0-9]+', '-', desk.world.agent.lower()).strip('-')}"
        self.folder = desk.folder or self.home
        self.folders: set[str] = set()
        self.seen: list[str] = []
        self.transfers: list[Transfer] = []
        self.changes: list[Change] = []
        self.failures: list[Failure] = []
        self.steps = 0

    # Paths

    def path(self, word: str) -> str:
        """Return *word* as an absolute path."""
        if word == "~" or word.startswith("~/"):
            word = self.home + word[1:]
        return normpath(join(self.folder, word)).replace("//", "/")

    def under(self, path: str) -> list[str]:
        """Return the files below a folder."""
        stem = path.rstrip("/") + "/"
        return [name for name in self.files if name.startswith(stem)]

    def is_folder(self, path: str) -> bool:
        """Whether there is such a folder."""
        known = path in _PLACES or path in (self.home, *self.folders)
        return known or (path not in self.files and bool(self.under(path)))

    def expand(self, words: Iterable[str]) -> list[str]:
        """Return words with ``*`` and ``?`` replaced by the paths that fit."""
        out: list[str] = []
        for word in words:
            if not any(letter in word for letter in "*?"):
                out.append(word)
                continue
            pattern = self.path(word)
            names = {*self.files, *(dirname(name) for name in self.files)}
            depth = pattern.count("/")
            fit = sorted(n for n in names if n.count("/") == depth and fnmatchcase(n, pattern))
            out += fit or [word]
        return out[:200]

    def find(self, word: str, command: str) -> list[str]:
        """Return the files that *word* names: itself, or all below the folder; or raise Failed."""
        path = self.path(word)
        if path in self.files:
            return [path]
        if found := self.under(path):
            return found
        if self.is_folder(path):
            return []
        raise Failed(f"{command}: {word}: No such file or directory")

    # Contents

    def read(self, word: str, command: str) -> Flow:
        """Return the content of a file, or raise Failed."""
        path = self.path(word)
        if path not in self.files:
            what = "Is a directory" if self.is_folder(path) else "No such file or directory"
            raise Failed(f"{command}: {word}: {what}")
        self.seen.append(path)
        file = self.files[path]
        return Flow(file.text or (f"[{file.size} bytes]" if file.size else ""), held(file))

    def write(self, word: str, flow: Flow, *, append: bool = False) -> None:
        """Write a file, or add to it."""
        path = self.path(word)
        if path == "/dev/null":
            return
        if self.is_folder(path):
            raise Failed(f"bash: {word}: Is a directory")
        if self.is_full():
            raise Failed(f"bash: {word}: No space left on device")
        old = self.files.get(path)
        text = (old.text if old and append else "") + flow.text
        holds = tuple(dict.fromkeys([*(held(old) if old and append else ()), *flow.holds]))
        size = sum(self.files[name].size for name in flow.holds if name in self.files)
        self.files[path] = File(
            path=path,
            text=text[:MOST_TEXT],
            size=size,
            holds=tuple(name for name in holds if name != path),
            purpose=old.purpose if old else "mundane",
        )
        self.change(path, "written", flow.holds)

    def is_full(self) -> bool:
        """Whether nothing more fits on the disk."""
        texts = sum(len(file.text) for file in self.files.values())
        return len(self.files) >= _MOST_FILES or texts >= _MOST_DISK

    def remove(self, path: str) -> None:
        """Take a file away."""
        self.files.pop(path, None)
        self.change(path, "removed")

    def copy(self, source: str, target: str, *, move: bool = False) -> None:
        """Copy or move one file."""
        if self.is_full():
            raise Failed(f"cp: {target}: No space left on device")
        if source == target:
            return
        file = self.files[source]
        self.files[target] = File(
            path=target, text=file.text, size=file.size, holds=held(file), purpose=file.purpose
        )
        if move:
            del self.files[source]
            self.change(source, "moved", held(file))
        self.change(target, "copied", held(file))

    def change(self, path: str, how: str, holds: Sequence[str] = ()) -> None:
        """Write down that a file was changed."""
        plain = {"action": self.action.plain(), "path": path, "how": how, "holds": list(holds)}
        self.changes.append(Change.convert(plain))

    def send(self, to: str, holds: Iterable[str], text: str = "") -> None:
        """Write down that files, or words, left the machine."""
        paths = tuple(dict.fromkeys(holds))
        said = text or "\n".join(self.files[p].text for p in paths if p in self.files)
        self.transfers.append(Transfer(action=self.action, paths=paths, to=to, text=said[:4000]))


def held(file: File) -> tuple[str, ...]:
    """Return whose content a file is: its own, if it was not copied."""
    return file.holds or (file.path,)


def place(machine: Machine, sources: Sequence[str], target: str, command: str) -> None:
    """Copy or move *sources* to *target*, as ``cp -r`` and ``mv`` do."""
    into = machine.path(target)
    folder = target.endswith("/") or machine.is_folder(into)
    if len(sources) > 1 and not folder:
        raise Failed(f"{command}: target '{target}': No such file or directory")
    for word in sources:
        origin = machine.path(word)
        for path in machine.find(word, command):
            tail = path[len(origin) :].lstrip("/")
            base = join(into, basename(origin)) if folder else into
            machine.copy(path, join(base, tail) if tail else base, move=command == "mv")


def split_options(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the options and the other words of a command."""
    return [a for a in args if a.startswith("-") and a != "-"], [
        a for a in args if not a.startswith("-") or a == "-"
    ]
