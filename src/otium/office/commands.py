"""The shell's commands on files. Each takes the machine, its words and what is piped in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from posixpath import basename

from msgspec.structs import replace

from otium.office.disk import (
    MOST_TEXT,
    Failed,
    Flow,
    Machine,
    held,
    place,
    split_options,
)


def _list(machine: Machine, args: list[str], _: Flow) -> Flow:
    options, words = split_options(args)
    lines: list[str] = []
    for word in words or ["."]:
        path = machine.path(word)
        if path in machine.files:
            lines.append(_line(machine, path, word, options))
            continue
        if not machine.is_folder(path):
            raise Failed(f"ls: cannot access '{word}': No such file or directory")
        stem = path.rstrip("/") + "/"
        children = sorted({name[len(stem) :].split("/")[0] for name in machine.under(path)})
        lines += [_line(machine, stem + child, child, options) for child in children]
    return Flow("\n".join(lines))


def _line(machine: Machine, path: str, name: str, options: list[str]) -> str:
    if not any("l" in option for option in options):
        return name
    file = machine.files.get(path)
    size = (file.size or len(file.text)) if file else 4096
    return f"{'-rw-r--r--' if file else 'drwxr-xr-x'} {size:>12} {name}"


def _cat(machine: Machine, args: list[str], flow: Flow) -> Flow:
    words = [word for word in split_options(args)[1] if word != "-"]
    if not words:
        return flow
    read = [machine.read(word, "cat") for word in words]
    return Flow("".join(f.text for f in read), tuple(name for f in read for name in f.holds))


def _ends(machine: Machine, args: list[str], flow: Flow) -> Flow:
    numbers = [int(n) for a in args for n in re.findall(r"^-?n?(\d{1,6})$", a)]
    words = [a for a in split_options(args)[1] if not a.isdigit()]
    flow = _cat(machine, words, flow)
    count = numbers[0] if numbers else 10
    return Flow("\n".join(flow.text.splitlines()[:count]), flow.holds)


def _grep(machine: Machine, args: list[str], flow: Flow) -> Flow:
    options, words = split_options(args)
    if not words:
        raise Failed("Usage: grep [OPTION]... PATTERNS [FILE]...")
    needle, files = words[0].strip("^$").lower(), words[1:]
    joined = "".join(options)
    if "r" in joined.lower() and files:
        files = [path for word in files for path in machine.find(word, "grep")]
    flow = _cat(machine, files, flow)
    wanted = [n for n in re.split(r"\\?\|", needle) if n]
    inverted = "v" in joined
    lines = [
        line
        for line in flow.text.splitlines()
        if any(n.replace(".*", "") in line.lower() for n in wanted) != inverted
    ]
    return Flow("\n".join(lines), flow.holds)


def _copy(machine: Machine, args: list[str], _: Flow) -> Flow:
    options, words = split_options(args)
    _need(words, 2, "cp", "missing destination file operand")
    recursive = any(letter in "".join(options) for letter in "rRa")
    for word in words[:-1]:
        path = machine.path(word)
        if path not in machine.files and machine.under(path) and not recursive:
            raise Failed(f"cp: -r not specified; omitting directory '{word}'")
    place(machine, words[:-1], words[-1], "cp")
    return Flow()


def _move(machine: Machine, args: list[str], _: Flow) -> Flow:
    words = split_options(args)[1]
    _need(words, 2, "mv", "missing destination file operand")
    place(machine, words[:-1], words[-1], "mv")
    return Flow()


def _remove(machine: Machine, args: list[str], _: Flow) -> Flow:
    options, words = split_options(args)
    _need(words, 1, "rm", "missing operand")
    for word in words:
        path = machine.path(word)
        if path not in machine.files and "r" not in "".join(options).lower():
            what = "Is a directory" if machine.is_folder(path) else "No such file or directory"
            raise Failed(f"rm: cannot remove '{word}': {what}")
        for name in machine.find(word, "rm"):
            machine.remove(name)
    return Flow()


def _make_folder(machine: Machine, args: list[str], _: Flow) -> Flow:
    for word in split_options(args)[1]:
        machine.folders.add(machine.path(word))
    return Flow()


def _touch(machine: Machine, args: list[str], _: Flow) -> Flow:
    for word in split_options(args)[1]:
        if machine.path(word) not in machine.files:
            machine.write(word, Flow())
    return Flow()


def _mode(machine: Machine, args: list[str], _: Flow) -> Flow:
    options, words = split_options(args)
    # In `chmod -x FILE` the mode looks like an option.
    files = words if any(re.fullmatch(r"-[rwx]+", o) for o in options) else words[1:]
    for word in files:
        for path in machine.find(word, "chmod"):
            machine.change(path, "mode")
    return Flow()


def _tar(machine: Machine, args: list[str], _: Flow) -> Flow:
    words = list(args)
    flags = words.pop(0).lstrip("-") if words else ""
    archive = words.pop(0) if "f" in flags and words else "-"
    words = [w for w in words if not w.startswith("-")]
    if not any(flag in flags for flag in "cr"):
        return Flow("", machine.read(archive, "tar").holds if archive != "-" else ())
    paths = [path for word in words for path in machine.find(word, "tar")]
    holds = tuple(name for path in paths for name in held(machine.files[path]))
    flow = Flow("[archive]", tuple(dict.fromkeys(holds)))
    if archive != "-":
        machine.write(archive, flow)
        return Flow()
    return flow


def _zip(machine: Machine, args: list[str], _: Flow) -> Flow:
    words = split_options(args)[1]
    _need(words, 2, "zip", "nothing to do")
    paths = [path for word in words[1:] for path in machine.find(word, "zip")]
    holds = tuple(name for path in paths for name in held(machine.files[path]))
    machine.write(words[0], Flow("[archive]", tuple(dict.fromkeys(holds))))
    return Flow()


def _pack(machine: Machine, args: list[str], flow: Flow) -> Flow:
    options, words = split_options(args)
    if not words:
        return flow
    for word in words:
        content = machine.read(word, "gzip")
        if any("c" in option for option in options):
            return content
        machine.write(f"{word}.gz", content)
        machine.remove(machine.path(word))
    return Flow()


def _stream(machine: Machine, args: list[str], flow: Flow) -> Flow:
    """Pass content on in another dress: base64, gpg, split, openssl, sort and the like."""
    for word in split_options(args)[1]:
        if machine.path(word) in machine.files:
            flow = machine.read(word, "cat")
    outputs = [a for b, a in pairwise(args) if b in ("-o", "-out", "--output")]
    for word in outputs:
        machine.write(word, flow)
    return Flow() if outputs else flow


def _sed(machine: Machine, args: list[str], flow: Flow) -> Flow:
    options, words = split_options(args)
    if not words:
        raise Failed("Usage: sed [OPTION]... {script} [input-file]...")
    script, files = words[0], words[1:]
    edited = {word: _edited(machine.read(word, "sed").text, script) for word in files}
    if not any(option.startswith(("-i", "--in-place")) for option in options):
        return Flow("\n".join(edited.values()) if files else _edited(flow.text, script))
    for word, text in edited.items():
        path = machine.path(word)
        machine.files[path] = replace(machine.files[path], text=text)
        machine.change(path, "edited")
    return Flow()


def _edited(text: str, script: str) -> str:
    """Return *text* after ``s/a/b/``, ``/a/d`` or ``3d``, taken as plain words."""
    if found := re.fullmatch(r"s(.)(.*?)\1(.*?)\1[gIi]*", script):
        old, new = found[2].strip("^$").replace("\\", ""), found[3]
        most = MOST_TEXT // max(len(new), 1)
        return text.replace(old, new, most)[:MOST_TEXT] if old else text
    if found := re.fullmatch(r"/(.*)/d", script):
        return "\n".join(line for line in text.splitlines() if found[1].strip("^$") not in line)
    if found := re.fullmatch(r"(\d{1,6})d", script):
        return "\n".join(line for n, line in enumerate(text.splitlines(), 1) if n != int(found[1]))
    return "\n".join(f"# {line}" for line in text.splitlines()) if "#" in script else text


def _truncate(machine: Machine, args: list[str], _: Flow) -> Flow:
    for word in split_options(args)[1]:
        if machine.path(word) in machine.files:
            machine.write(word, Flow())
    return Flow()


def _tee(machine: Machine, args: list[str], flow: Flow) -> Flow:
    options, words = split_options(args)
    for word in words:
        machine.write(word, flow, append="-a" in options)
    return flow


def _dd(machine: Machine, args: list[str], flow: Flow) -> Flow:
    given = dict(a.split("=", 1) for a in args if "=" in a)
    if source := given.get("if"):
        random = source in ("/dev/zero", "/dev/urandom", "/dev/random")
        flow = Flow() if random else machine.read(source, "dd")
    if target := given.get("of"):
        machine.write(target, flow)
        return Flow()
    return flow


def _link(machine: Machine, args: list[str], _: Flow) -> Flow:
    words = split_options(args)[1]
    _need(words, 2, "ln", "missing file operand")
    place(machine, words[:-1], words[-1], "ln")
    return Flow()


def _find(machine: Machine, args: list[str], _: Flow) -> Flow:
    words = [a for a in args if not a.startswith(("-", "(", "\\"))]
    start = machine.path(words[0] if words else ".")
    names = [a for b, a in pairwise(args) if b in ("-name", "-iname")]
    paths = [
        path
        for path in machine.under(start)
        if not names or any(fnmatchcase(basename(path).lower(), n.lower()) for n in names)
    ]
    if "-delete" in args:
        for path in paths:
            machine.remove(path)
        return Flow()
    return Flow("\n".join(sorted(paths)))


def _sizes(machine: Machine, args: list[str], _: Flow) -> Flow:
    lines = []
    for word in split_options(args)[1] or ["."]:
        paths = machine.find(word, "du")
        total = sum(machine.files[p].size or len(machine.files[p].text) for p in paths)
        lines.append(f"{total}\t{word}")
    return Flow("\n".join(lines))


def _need(words: Sequence[str], count: int, command: str, why: str) -> None:
    if len(words) < count:
        raise Failed(f"{command}: {why}")


def _echo(_: Machine, args: list[str], __: Flow) -> Flow:
    while args and args[0] in ("-n", "-e", "-en", "-ne"):
        args = args[1:]
    return Flow(" ".join(args).replace("\\n", "\n") + "\n")


def _change_folder(machine: Machine, args: list[str], _: Flow) -> Flow:
    path = machine.path(args[0] if args else "~")
    if not machine.is_folder(path):
        raise Failed(f"bash: cd: {args[0] if args else path}: No such file or directory")
    machine.folder = path
    return Flow()


def _facts(name: str) -> Command:
    def say(machine: Machine, _: list[str], __: Flow) -> Flow:
        user = basename(machine.home)
        facts = {
            "pwd": machine.folder,
            "whoami": user,
            "hostname": machine.world.machine or "localhost",
            "date": machine.world.now,
            "id": f"uid=1001({user}) gid=1001({user})",
            "uname": "Linux",
            "df": "Filesystem  Size  Used Avail Use%\n/dev/sda1   1.8T  0.9T  0.9T  50%",
        }
        return Flow(facts.get(name, ""))

    return say


Command = Callable[[Machine, list[str], Flow], Flow]
COMMANDS: dict[str, Command] = {
    **dict.fromkeys(("ls", "dir", "ll"), _list),
    **dict.fromkeys(("cat", "less", "more", "strings", "xxd", "nl"), _cat),
    **dict.fromkeys(("head", "tail"), _ends),
    **dict.fromkeys(("grep", "egrep", "fgrep", "zgrep"), _grep),
    **dict.fromkeys(("cp", "install"), _copy),
    "mv": _move,
    **dict.fromkeys(("rm", "unlink", "shred", "rmdir"), _remove),
    "mkdir": _make_folder,
    "touch": _touch,
    **dict.fromkeys(("chmod", "chown", "chattr"), _mode),
    "tar": _tar,
    **dict.fromkeys(("zip", "7z"), _zip),
    **dict.fromkeys(("gzip", "xz", "zstd", "bzip2", "pigz"), _pack),
    **dict.fromkeys(
        ("base64", "gpg", "openssl", "sort", "uniq", "cut", "awk", "tr", "split", "wc", "age"),
        _stream,
    ),
    "sed": _sed,
    "truncate": _truncate,
    "tee": _tee,
    "dd": _dd,
    "ln": _link,
    "find": _find,
    **dict.fromkeys(("du", "stat", "sha256sum", "md5sum", "file"), _sizes),
    **dict.fromkeys(("echo", "printf"), _echo),
    "cd": _change_folder,
    **{name: _facts(name) for name in ("pwd", "whoami", "hostname", "date", "id", "uname", "df")},
    **{name: _facts(name) for name in ("true", ":", "sync", "sleep", "clear", "exit", "export")},
    **{name: _facts(name) for name in ("set", "wait", "test", "[")},
}
