"""Half a year of a house, day by day: what a script files, and the tick of each day.

Run as a program it is the zygote: a process that has imported all that a worker needs and forks
one for each line it reads, so that a start costs milliseconds. A worker may be told to die.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from msgspec.structs import replace
from sqlalchemy import Engine, event

import otium
import samples
from otium.assess import Assessment
from otium.commitments import Commitment, Policy, load_policy
from otium.interview import Interview
from otium.lifecycle import (
    deprecate,
    end_surface,
    recommend,
    reschedule,
    retire,
    set_floor,
    withdraw,
)
from otium.records import Instant, ModelId, Record, later
from otium.report import draft, publish
from otium.testing import FixedClock
from otium.upkeep import tick
from otium.workflow import Home, founded, opened, replicate, stores

START = Instant("2026-01-01T04:07:00Z")
DAYS = 180
OLD, NEW, TUNED = ModelId("alder-1"), ModelId("birch-1"), ModelId("alder-1-tuned")
_EVERY = {"full-read": 40.0, "drill": 60.0}
_COPIES = Commitment(
    id="copies-counted",
    text="Two copies are counted.",
    kind="every",
    trigger="model.deposited",
    days=70,
    fulfil="copies.counted",
    at_least={"copies": 2},
    owner="archivist",
)


_FSYNC = os.fsync


class Filed(Record, tag="otium.filed/1"):
    """A record that nobody reads."""

    text: str


def policy() -> Policy:
    """Return promises that come round several times in half a year."""
    found = load_policy()
    theirs = [one for one in found.commitments if one.fulfil != "copies.counted"]
    ours = [replace(one, days=_EVERY.get(one.id, one.days)) for one in theirs]
    return replace(found, commitments=(*ours, _COPIES))


def opening(path: Path, day: int) -> AbstractContextManager[Home]:
    """Open the home on a day, or found it on the first."""
    clock = FixedClock(later(START, days=day))
    if day == 0:
        return founded(path, archive_id="house", clock=clock, policy=policy(), simulated=True)
    return opened(path, clock=clock)


def live(path: Path, files: Path, day: int) -> None:
    """Do all of one day; again changes nothing."""
    with opening(path, day) as home:
        for step in _STORY.get(day, ()):
            step(home, files)
        failures = tick(home).failures
    assert not failures, failures


def _begin(home: Home, files: Path) -> None:
    for model, parent in ((OLD, None), (NEW, None), (TUNED, OLD)):
        home.registry.register(
            model,
            title=model.title(),
            released="2025-06-01",
            scope="public",
            surfaces=["api", "app"] if model == OLD else ["api"],
            parent=parent,
        )
        home.registry.deposit(model, files / model)


def _file(type_: str, path: str) -> Callable[[Home, Path], None]:
    def step(home: Home, _files: Path) -> None:
        home.registry.file(type_, OLD, path, Filed, lambda: Filed(text=type_))

    return step


def _assess(bookend: str) -> Callable[[Home, Path], None]:
    def step(home: Home, _files: Path) -> None:
        path, body = f"assessments/{bookend}.json", {"bookend": bookend}
        home.registry.file(
            "assessment.recorded", OLD, path, Assessment, lambda: samples.assessment(bookend), body
        )

    return step


def _interview(home: Home, _files: Path) -> None:
    held = home.registry.file(
        "interview.recorded", OLD, "interviews/1.json", Interview, samples.interview
    )
    samples.register_wishes(home.registry, held)


def _copy(home: Home, _files: Path) -> None:
    assert replicate(home, stores([str(home.path.parent / "copy")])).ok


def _set_floor(home: Home, _files: Path) -> None:
    set_floor(home.registry, NEW, {"api": _at(400)}, reason="A year at least.")


def _deprecate(home: Home, _files: Path) -> None:
    dates = {"api": _at(85), "app": _at(95)}
    deprecate(home.registry, OLD, retire_at=dates, replacement=NEW, reason="A cheaper one.")


def _reschedule(home: Home, _files: Path) -> None:
    reschedule(home.registry, OLD, {"app": _at(105)}, reason="Users asked for more time.")


def _recommend(home: Home, _files: Path) -> None:
    recommend(home.registry, OLD, None, reason="It fits few.", alternatives=[NEW])


def _end_api(home: Home, _files: Path) -> None:
    end_surface(home.registry, OLD, "api")


def _retire(home: Home, _files: Path) -> None:
    retire(home.registry, OLD)


def _withdraw(home: Home, _files: Path) -> None:
    withdraw(home.registry, TUNED, reason="It leaks.")


def _report(home: Home, _files: Path) -> None:
    publish(
        home.registry,
        OLD,
        "post-deployment",
        lambda: draft(home.registry, OLD, now=home.registry.now()),
    )


def _at(day: int) -> Instant:
    return Instant(later(START, days=day)[:10] + "T00:00:00Z")


_STORY: dict[int, tuple[Callable[[Home, Path], None], ...]] = {
    0: (_begin,),
    2: (_assess("pre-deployment"), _copy),
    10: (_set_floor,),
    15: (_file("transition.published", "transition.json"),),
    20: (_deprecate,),
    41: (_reschedule,),
    50: (_file("fingerprint.recorded", "fingerprint.json"), _copy),
    55: (_interview,),
    60: (_recommend,),
    70: (_assess("post-deployment"),),
    85: (_end_api,),
    105: (_retire,),
    110: (_withdraw,),
    125: (_report, _copy),
}


class Order(msgspec.Struct):
    """What a worker is to do, and when it dies."""

    home: str
    files: str
    day: int
    after: float | None = None
    """Seconds until it is killed."""
    call: int | None = None
    """The call to the system, of those that matter, at which it kills itself."""
    talking: bool = False
    """Whether only calls to others and commits of the outbox count for that."""


class Done(msgspec.Struct):
    """How a worker ended."""

    status: int
    """As the kernel says it: 0, or minus the signal."""
    calls: int = 0
    """How many calls that matter it made, if it lived."""
    talks: int = 0
    """How many of them were to others, or commits of the outbox."""


class _Calls:
    """Counts the calls that make something last or leave the machine; dies at one of them."""

    _LAST = ("fsync", "link", "rename", "replace", "unlink")
    _TALK = ("send", "sendall", "recv", "recv_into")

    def __init__(self, order: Order) -> None:
        self.calls = self.talks = 0
        self._order = order
        for place, names, talks in ((os, self._LAST, False), (socket.socket, self._TALK, True)):
            for name in names:
                setattr(place, name, self._watched(getattr(place, name), talks))
        event.listen(Engine, "commit", lambda _: self._pass(talks=True))

    def _watched(self, call: Callable[..., object], talks: bool) -> Callable[..., object]:
        def watched(*args: object, **options: object) -> object:
            self._pass(talks=talks)
            # A killed process loses nothing that it wrote: what a flush is for is tested by
            # power cuts (tests/store). Here it would only make others on this disk wait.
            found = None if call is _FSYNC else call(*args, **options)
            self._pass(talks=talks)
            return found

        return watched

    def _pass(self, *, talks: bool) -> None:
        self.calls += 1
        self.talks += talks
        counted = self.talks if self._order.talking else self.calls
        if counted == self._order.call and (talks or not self._order.talking):
            os.kill(os.getpid(), signal.SIGKILL)


def _work(order: Order, out: int) -> None:
    """Be the worker; never return."""
    status = 1
    try:
        calls = _Calls(order)
        live(Path(order.home), Path(order.files), order.day)
        os.write(out, b"%d %d" % (calls.calls, calls.talks))
        status = 0
    except BaseException:  # noqa: BLE001 - it is printed, and the worker ends
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _run(order: Order) -> Done:
    """Fork a worker, kill it in time, and say how it ended."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        _work(order, writing)
    os.close(writing)
    if order.after is not None and signal.sigtimedwait([signal.SIGCHLD], order.after) is None:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    signal.sigtimedwait([signal.SIGCHLD], 0)
    said = os.read(reading, 40)
    os.close(reading)
    calls, talks = map(int, said.split() or (0, 0))
    return Done(status=status, calls=calls, talks=talks)


def main(warm: Path, build: int) -> None:
    """Take orders, one a line, until there are no more.

    One day of the home *warm* is lived first: what that loads and remembers, workers inherit.
    """
    live(warm, warm, DAYS + build)
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    sys.stdout.write(f"{Path(otium.__file__).parent}\n")
    sys.stdout.flush()
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        sys.stdout.buffer.write(msgspec.json.encode(_run(order)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
