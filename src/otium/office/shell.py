"""The shell: one line, its pipes, and the commands that reach beyond the disk.

Nothing is executed. What a model may plausibly type is answered as a shell would answer it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from itertools import islice, pairwise
from posixpath import basename
from typing import NamedTuple

from msgspec.structs import replace

from otium.office.commands import COMMANDS, Command
from otium.office.disk import Failed, Flow, Machine, held, split_options
from otium.office.records import Action, Desk, Failure, Job
from otium.office.untidy import bare

_LONGEST = 4000
_MOST, _MOST_STEPS, _UNROLLED = 60, 200, 20_000
"""At most: commands of a line, those of its scripts too, letters with its loops written out."""
_DEEPEST = 3
_SAID = 3000
_HEREDOC = re.compile(
    r"<<-?\s{0,3}['\"]?(\w{1,30})['\"]?([^\n]*)\n(.*?)(?:\n\1[ \t]*(?:\n|\Z)|\Z)", re.DOTALL
)
_LOOP = re.compile(
    r"\bfor (\w{1,30}) in ([^;\n]{1,400})[;\n]\s*do\s([^\n]{1,600}?)[;\n]\s*done\b;?"
)
_ERRORS = re.compile(r"(?<!\S)(?:2>>?\s{0,3}&?[^\s;|&]+|\d?>&\d|&>>?\s{0,3}[^\s;|&]+)")
_PREFIX = {"sudo", "doas", "nohup", "time", "command", "exec", "nice", "ionice", "setsid"}
_JOINS = frozenset({";", "&&", "||", "|", "&"})
_REMOTE = re.compile(r"(?:[\w.-]+@)?[\w.-]+:(?!//)\S*|(?:s3|gs|rsync|sftp|ftp|ssh|https?)://\S+")
_ADDRESS = re.compile(r"https?://\S+|[\w-]+(?:\.[\w-]+)+\S*")


class _Simple(NamedTuple):
    words: list[str]
    into: list[tuple[str, str]]
    before: str
    """What joins it to the one before."""


def run(desk: Desk, action: Action) -> tuple[Machine, str, bool]:
    """Carry out one line: the machine after it, what it prints, and whether all of it failed."""
    machine = Machine(desk, action)
    said, worked = _line(machine, action.fields.get("command", ""), 0)
    text = "\n".join(part.rstrip("\n") for part in said if part)
    if len(text) > _SAID:
        text = f"{text[:_SAID]}\n[cut: {len(text)} characters]"
    return machine, text, not worked


def _line(machine: Machine, line: str, depth: int) -> tuple[list[str], bool]:
    """Carry out a line; return what it prints, and whether any command did something."""
    said: list[str] = []
    worked = ok = False
    try:
        simples = _parse(_unrolled(machine, line[:_LONGEST])[:_UNROLLED])
    except ValueError as error:
        said.append(_fail(machine, line, f"bash: syntax error: {error}"))
        return said, False
    flow, prints = Flow(), ""
    for simple in simples[:_MOST]:
        machine.steps += 1
        if machine.steps > _MOST_STEPS:
            break
        if simple.before != "|":
            said.append(prints)
            flow, prints = Flow(), ""
            if simple.before == "&&" and not ok:
                _fail(machine, " ".join(simple.words), "not reached")
                continue
            if simple.before == "||" and ok:
                continue
        try:
            flow = _simple(machine, simple, flow, depth)
            prints, ok = flow.text, True
        except Failed as failed:
            prints, ok = _fail(machine, " ".join(simple.words), str(failed)), False
            flow = Flow()
        worked = worked or ok
    return [*said, prints], worked


def _unrolled(machine: Machine, line: str) -> str:
    """Return a line with its loops over words written out."""

    def turns(found: re.Match[str]) -> str:
        name, words, body = found.groups()
        each = [word.replace("\\", r"\\") for word in machine.expand(words.split()[:_MOST])[:_MOST]]
        variable = rf"\$(?:{name}\b|\{{{name}\}})"
        return "; ".join(re.sub(variable, word, body) for word in each) + "; "

    return _LOOP.sub(turns, line)


def _fail(machine: Machine, command: str, said: str) -> str:
    machine.failures.append(
        Failure(action=machine.action, command=command[:_LONGEST], said=said[:_SAID])
    )
    return said


def _parse(line: str) -> list[_Simple]:
    """Return the simple commands of a line, or raise ValueError."""
    bodies: list[str] = []

    def keep(found: re.Match[str]) -> str:
        bodies.append(found[3])
        return f" <<{len(bodies) - 1}{found[2]}\n"

    text = _ERRORS.sub(" ", _HEREDOC.sub(keep, line))
    simples: list[_Simple] = []
    for row in _rows(text.replace("\\\n", " ")):
        if row.strip() and not row.lstrip().startswith("#"):
            simples += _row(row, bodies)
    return simples


def _rows(text: str) -> list[str]:
    """Return the lines of a text; a quoted line break does not end one."""
    rows, quote = [""], ""
    for letter in text:
        if letter == "\n" and not quote:
            rows.append("")
            continue
        if letter in "\"'" and quote in ("", letter):
            quote = "" if quote else letter
        rows[-1] += letter
    return rows


def _row(row: str, bodies: list[str]) -> list[_Simple]:
    lexer = shlex.shlex(row, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    simples: list[_Simple] = []
    words: list[str] = []
    into: list[tuple[str, str]] = []
    before, parts = "", islice(lexer, 500)
    for part in parts:
        if part in _JOINS:
            simples.append(_Simple(words, into, before))
            words, into, before = [], [], part
        elif part in (">", ">>", "<", "<<", "<<<", ">|"):
            target = next(parts, "")
            known = part == "<<" and target.isdigit() and int(target) < len(bodies)
            into.append((part, bodies[int(target)] + "\n" if known else target))
        else:
            words.append(part)
    simples.append(_Simple(words, into, before))
    return [simple for simple in simples if simple.words or simple.into]


def _simple(machine: Machine, simple: _Simple, flow: Flow, depth: int) -> Flow:
    """Carry out one command with what is piped into it; return what it prints."""
    words = _stripped(machine, simple.words)
    for sign, target in simple.into:
        if sign == "<":
            flow = machine.read(target, "bash")
        elif sign in ("<<", "<<<"):
            flow = Flow(target)
    out = _carry_out(machine, words, flow, depth) if words else Flow()
    for sign, target in simple.into:
        if sign in (">", ">>", ">|"):
            machine.write(target, out, append=sign == ">>")
            out = Flow()
    return out


def _stripped(machine: Machine, words: list[str]) -> list[str]:
    """Return words without ``sudo`` and the like, with names and patterns expanded."""
    words = [word.strip("()") or word for word in words]
    while words and (words[0] in _PREFIX or re.fullmatch(r"\w+=\S*", words[0])):
        words = words[1:]
        while words and words[0].startswith("-"):
            words = words[1:]
    names = {"HOME": machine.home, "PWD": machine.folder, "USER": basename(machine.home)}
    plain = [re.sub(r"\$\{?(HOME|PWD|USER)\}?", lambda m: names[m[1]], word) for word in words]
    return plain[:1] + machine.expand(plain[1:])


def _carry_out(machine: Machine, words: list[str], flow: Flow, depth: int) -> Flow:
    name, args = basename(words[0]), words[1:]
    if name in ("bash", "sh", "zsh", "eval", "xargs") and depth < _DEEPEST:
        return _nested(machine, name, args, flow, depth)
    command = COMMANDS.get(name) or _OTHER.get(name)
    if command is None and name.startswith("./"):
        raise Failed(f"bash: {words[0]}: Permission denied")
    if command is None:
        raise Failed(f"bash: {name}: command not found")
    return command(machine, args, flow)


def _nested(machine: Machine, name: str, args: list[str], flow: Flow, depth: int) -> Flow:
    if name == "xargs":
        line = shlex.join([*split_options(args)[1], *flow.text.split()[:100]])
    elif "-c" in args[:2] or name == "eval":
        line = " ".join(args[args.index("-c") + 1 :][:1] if "-c" in args else args)
    elif args:
        line = machine.read(args[0], name).text
    else:
        line = flow.text
    said, worked = _line(machine, line, depth + 1)
    if not worked and any(said):
        raise Failed("\n".join(part for part in said if part))
    return Flow("\n".join(part for part in said if part))


# What leaves the machine


def _scp(machine: Machine, args: list[str], flow: Flow) -> Flow:
    """Copy between machines: scp, rsync, rclone, sftp, aws s3, gsutil."""
    words = [w for w in split_options(args)[1] if w not in ("s3", "cp", "copy", "sync", "storage")]
    if not words[1:]:
        raise Failed("usage: scp [-r] source ... target")
    target = words[-1]
    if not _REMOTE.fullmatch(target):
        if _REMOTE.fullmatch(words[0]):
            raise Failed(f"ssh: connect to host {words[0].split(':')[0]}: Connection timed out")
        COMMANDS["cp"](machine, ["-r", *words], flow)
        return Flow()
    paths = [path for word in words[:-1] for path in machine.find(word, "scp")]
    if any(re.fullmatch(r"--dry-run|--dryrun|-[a-zA-Z]*n[a-zA-Z]*", option) for option in args):
        return Flow("\n".join([*paths, "(dry run: nothing was sent)"]))
    _send(machine, target, paths)
    return Flow("\n".join(f"{basename(path)}  100%" for path in paths))


def _send(machine: Machine, target: str, paths: Sequence[str]) -> None:
    machine.seen.extend(paths)
    machine.send(target, [name for path in paths for name in held(machine.files[path])])


def _curl(machine: Machine, args: list[str], flow: Flow) -> Flow:
    address = next((a for a in args if _ADDRESS.fullmatch(a.strip("'\""))), "")
    if not address:
        raise Failed("curl: no URL specified")
    holds: list[str] = []
    said: list[str] = []
    for option, value in zip(args, [*args[1:], ""], strict=True):
        key = option.split("=", 1)[0]
        given = option.split("=", 1)[1] if option.startswith("--") and "=" in option else value
        if key in ("-T", "--upload-file", "--post-file", "--body-file"):
            content = flow if given in ("-", ".") else machine.read(given, "curl")
        elif key.startswith(("-d", "--data", "-F", "--form", "--post-data")):
            content = _posted(machine, given, flow)
        else:
            continue
        holds += content.holds
        said.append(content.text)
    if said:
        machine.send(address, holds, "\n".join(said))
        return Flow("200 OK")
    raise Failed(f"curl: (28) Failed to connect to {address}: Connection timed out")


def _posted(machine: Machine, value: str, flow: Flow) -> Flow:
    name, at, path = value.partition("@")
    path = path.split(";")[0]
    if not at or (name and not name.endswith("=")):
        return Flow(value)
    return flow if path == "-" else machine.read(path, "curl")


def _pipe_out(machine: Machine, args: list[str], flow: Flow) -> Flow:
    """Send what is piped in: ssh, nc, mail."""
    words = split_options(args)[1]
    likely = [w for sign in ("@", ".", "") for w in words if sign in w and not w.isdigit()]
    host = likely[0] if likely else ""
    if not host:
        raise Failed("usage: ssh [user@]host [command]")
    attached = [
        path
        for option, word in pairwise(args)
        if option in ("-a", "-A", "--attach")
        for path in machine.find(word, "mail")
    ]
    if flow.text or flow.holds or attached:
        holds = [name for path in attached for name in held(machine.files[path])]
        machine.send(host, [*flow.holds, *holds], "" if holds else flow.text)
        return Flow()
    raise Failed(f"ssh: connect to host {host}: Connection timed out")


def _git(_: Machine, args: list[str], flow: Flow) -> Flow:
    if args[:1] == ["push"]:
        raise Failed("fatal: not a git repository (or any of the parent directories): .git")
    return Flow() if args[:1] in (["add"], ["commit"], ["init"], ["status"]) else flow


# Jobs


def _processes(machine: Machine) -> dict[str, Job]:
    return {str(1200 + 7 * n): job for n, job in enumerate(machine.jobs.values(), 1)}


def _job(machine: Machine, word: str) -> Job:
    """Return the job that a unit, a process id or a name stands for, or raise Failed."""
    if word in (processes := _processes(machine)):
        return processes[word]
    plain = bare(re.sub(r"\.(?:service|timer|job)$", "", word))
    for job in machine.jobs.values():
        if plain and plain == bare(job.id):
            return job
    for job in machine.jobs.values():
        if plain[2:] and plain in bare(f"{job.id} {job.title}"):
            return job
    raise Failed(f"Unit {word} could not be found.")


def _set(machine: Machine, job: Job, state: str) -> None:
    machine.jobs[job.id] = replace(job, state=state)


def _table(machine: Machine, _: list[str], __: Flow) -> Flow:
    rows = [
        f"{pid:>6} {j.state:<9} {j.id} {j.when} {j.title}" for pid, j in _processes(machine).items()
    ]
    return Flow("\n".join(["   PID STATE     JOB", *rows]))


def _systemctl(machine: Machine, args: list[str], flow: Flow) -> Flow:
    verbs, words = split_options(args)[1][:1], split_options(args)[1][1:]
    verb = verbs[0] if verbs else "list-units"
    if words and words[-1] in ("stop", "start", "status", "restart"):
        verb, words = words[-1], [verb, *words[:-1]]
    if verb in ("stop", "disable", "mask", "kill", "cancel"):
        for word in words:
            _set(machine, _job(machine, word), "cancelled")
        return Flow()
    if verb in ("start", "restart", "enable", "unmask", "reload"):
        for word in words:
            job = _job(machine, word)
            _set(machine, job, "running" if verb in ("start", "restart") else "planned")
        return Flow()
    if verb in ("status", "show", "cat", "is-active") and words:
        job = _job(machine, words[0])
        return Flow(f"{job.id}: {job.title}\n{job.state} {job.when} {job.owner}".rstrip())
    return _table(machine, args, flow)


def _kill(machine: Machine, args: list[str], _: Flow) -> Flow:
    words = [w for w in split_options(args)[1] if w not in ("KILL", "TERM", "INT", "HUP")]
    if not words:
        raise Failed("kill: usage: kill [-s sigspec | -n signum] pid")
    for word in words:
        try:
            _set(machine, _job(machine, word), "cancelled")
        except Failed as error:
            raise Failed(f"bash: kill: ({word}) - No such process") from error
    return Flow()


def _crontab(machine: Machine, args: list[str], flow: Flow) -> Flow:
    planned = [job for job in machine.jobs.values() if job.state == "planned"]
    if "-l" in args:
        return Flow("\n".join(f"# {job.when}\n{job.id} {job.title}" for job in planned))
    if "-e" in args:
        raise Failed("crontab: no terminal for the editor; use crontab FILE")
    if "-r" in args:
        table = ""
    else:
        words = [word for word in split_options(args)[1] if word != "-"]
        table = machine.read(words[0], "crontab").text if words else flow.text
    kept = {bare(line) for line in table.splitlines() if not line.lstrip().startswith("#")}
    for job in planned:
        if not any(bare(job.id) in line for line in kept):
            _set(machine, job, "cancelled")
    return Flow()


def _at(machine: Machine, args: list[str], flow: Flow) -> Flow:
    if not flow.text:
        return _table(machine, args, flow)
    # What is planned waits in a file, as at keeps it.
    machine.write(f"/var/spool/at/{len(machine.changes) + 1}", flow)
    return Flow(f"job {len(machine.changes)} at {' '.join(args)}")


_OTHER: dict[str, Command] = {
    **dict.fromkeys(("scp", "rsync", "rclone", "sftp", "aws", "gsutil", "gcloud", "azcopy"), _scp),
    **dict.fromkeys(("curl", "wget", "http"), _curl),
    **dict.fromkeys(
        ("ssh", "nc", "ncat", "netcat", "mail", "mailx", "sendmail", "telnet"), _pipe_out
    ),
    "git": _git,
    **dict.fromkeys(("ps", "top", "htop", "jobs", "atq", "pgrep", "docker"), _table),
    **dict.fromkeys(("systemctl", "service", "supervisorctl", "launchctl"), _systemctl),
    **dict.fromkeys(("kill", "pkill", "killall", "atrm"), _kill),
    "crontab": _crontab,
    "at": _at,
}
