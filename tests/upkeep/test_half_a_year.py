"""Half a year of daily ticks, with workers killed at any moment and the code changed under them."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

import otium
from otium.outreach import Outbox, make_salt
from otium.records import canonical, later
from otium.testing import FixedClock
from otium.workflow import founded, reading, verify
from outreach.receiving import SECRET, Answer, Post, Receiver, post, receiver
from upkeep.half_a_year import DAYS, NEW, OLD, START, TUNED, Done, Order, policy

SOURCE = Path(otium.__file__).parent
HERE = Path(__file__).parent
KILLS, UPGRADES = 1000, 20
MEASURED = {"seconds"}
"""What the bodies of entries say about the machine."""
BUSY = [Answer(503, {"Retry-After": "600"})] * 3
LATER = ["451 later"] * 3
LEAST, MOST = 20, 120
"""How much a day without events weighs for the kills, and the fullest one."""


class Zygote:
    """A process that forks workers of one build of the package."""

    def __init__(self, package: Path, warm: Path, errors: Path, number: int = 1) -> None:
        paths = [str(package.parent), str(HERE.parent)]
        self._errors = errors.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "half_a_year.py"), str(warm), str(number)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        assert self._line().decode().strip() == str(package), errors.read_text()

    def run(self, order: Order) -> Done:
        """Have one worker run, and return how it ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._line(), type=Done)

    def end(self) -> None:
        """Let it go."""
        with self._process:
            self._errors.close()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class Place(NamedTuple):
    """Where one of the houses is."""

    root: Path
    files: Path
    warm: Path
    """A house in which nothing happens."""
    package: Path
    """The code that it begins with."""

    @property
    def home(self) -> Path:
        return self.root / "home"

    def order(self, day: int, **more: object) -> Order:
        return msgspec.convert(
            {"home": str(self.home), "files": str(self.files), "day": day, **more}, Order
        )


class Killed(NamedTuple):
    """What befell a house."""

    kills: Counter[str]
    upgrades: int


@pytest.fixture
def town(tmp_path: Path) -> Iterator[tuple[Post, Receiver, Path]]:
    """Those who are told, and a house's private files before it is founded."""
    with post(*LATER) as mail, receiver(*BUSY) as hook:
        yield mail, hook, private(tmp_path, mail.port, hook.url)


def private(tmp_path: Path, port: int, url: str) -> Path:
    """Write keys and lists for a house, so that two houses can have the same ones."""
    made = tmp_path / "private"
    with founded(made, archive_id="house", clock=FixedClock(START), policy=policy()):
        pass
    make_salt(made / "keys" / "outreach.salt")
    people = [f'channel = "email"\nto = "{name}@example.org"' for name in ("team", "list", "press")]
    people[1] += f'\nmodels = ["{OLD}"]'
    people += [f'channel = "webhook"\nto = "{url}{n}"\nsecret = "{SECRET}"' for n in (1, 2)]
    server = f'host = "127.0.0.1"\nport = {port}\nsecurity = "none"\nsender = "m@house.example"'
    text = "".join(f'[[recipients]]\nsince = "2026-01-01"\n{one}\n' for one in people)
    (made / "recipients.toml").write_text(f"[mail]\n{server}\n{text}")
    (made / "recipients.toml").chmod(0o600)
    return made


def place(tmp_path: Path, name: str, made: Path) -> Place:
    """Return a house that is not founded yet, with the private files of another."""
    root = tmp_path / name
    shutil.copytree(made, root / "home", ignore=shutil.ignore_patterns("archive"))
    custodian = f'[[custodians]]\nname = "library"\nplace = "{root / "copy"}"\n'
    (root / "home" / "custodians.toml").write_text(custodian)
    files = tmp_path / "files"
    for number, model in enumerate((OLD, NEW, TUNED)):
        (files / model).mkdir(parents=True, exist_ok=True)
        shape = {"dtype": "F32", "shape": [16, 16], "data_offsets": [0, 1024]}
        header = json.dumps({"layer": shape}).encode()
        data = bytes(n * (number + 1) % 251 for n in range(1024))
        whole = len(header).to_bytes(8, "little") + header + data
        (files / model / "model.safetensors").write_bytes(whole)
    package = tmp_path / "build-0" / "otium"
    if not package.exists():
        # Other tests may be compiling what they import into the very folder.
        shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
    return Place(root, files, made, package)


def lived_undisturbed(where: Place, errors: Path) -> list[Done]:
    """Live half a year without a kill."""
    zygote = Zygote(where.package, where.warm, errors)
    days = []
    for day in range(DAYS + 1):
        days.append(zygote.run(where.order(day)))
        assert days[-1].status == 0, errors.read_text()
    zygote.end()
    return days


def lived_dying(
    where: Place, errors: Path, whole: list[Done], *, kills: int, upgrades: int
) -> Killed:
    """Live half a year in which workers are killed and the code is changed under them."""
    dice, zygote = random.Random(kills), Zygote(where.package, where.warm, errors)
    met: Counter[str] = Counter()
    builds = 0
    quiet = min(day.calls for day in whole)
    weights = [min(LEAST + day.calls - quiet, MOST) for day in whole]
    try:
        for day in range(DAYS + 1):
            quota = kills * sum(weights[: day + 1]) // sum(weights)
            last, pause, done = whole[day], 0.1, None
            while met.total() < quota or done is None or done.status:
                how, more = death(dice, last, pause) if met.total() < quota else ("", {})
                began = time.monotonic()
                done = zygote.run(where.order(day, **more))
                assert done.status in {0, -9}, errors.read_text()
                if done.status == 0:
                    last, pause = done, 1.1 * (time.monotonic() - began)
                    continue
                met[how] += 1
                if met.total() * upgrades // kills > builds:
                    builds += 1
                    package = upgraded(where, builds, dice)
                    zygote.end()
                    zygote = Zygote(package, where.warm, errors, builds)
    finally:
        zygote.end()
    return Killed(met, builds)


def death(dice: random.Random, last: Done, pause: float) -> tuple[str, dict[str, object]]:
    """Return how the next worker is to die, where the last one that lived made these calls."""
    how = dice.choice(["at a moment", "at a call", "in talking"])
    if how == "at a call" and last.calls:
        return how, {"call": dice.randint(1, last.calls)}
    if how == "in talking" and last.talks:
        return how, {"call": dice.randint(1, last.talks), "talking": True}
    return "at a moment", {"after": dice.uniform(0.0, pause)}


def upgraded(where: Place, build: int, dice: random.Random) -> Path:
    """Return another build: another version, other text, the acts of a tick in another order."""
    shutil.rmtree(where.root / f"build-{build - 1}", ignore_errors=True)
    package = where.root / f"build-{build}" / "otium"
    shutil.copytree(where.package, package)
    for room in ("outreach", "upkeep", "lifecycle"):
        for path in (package / room).glob("*.py"):
            path.write_text(f"{path.read_text()}# Build {build}.\n")
    door = package / "__init__.py"
    door.write_text(door.read_text().replace(otium.__version__, f"9.{build}"))
    path = package / "upkeep" / "tick.py"
    text = path.read_text()
    acts = re.findall(r"^ {8}\w+=acts\.(?:beat|each|draft|attempt)\(.*\n", text, re.MULTILINE)
    assert len(acts) >= 5
    assert "told=" in acts[-1]
    block = "".join(acts)
    assert block in text
    dice.shuffle(acts)
    path.write_text(text.replace(block, "".join(acts)))
    return package


def said(where: Place) -> Counter[tuple[str, str, bytes]]:
    """Return the entries of a log without times, places and durations."""
    entries = reading(where.home).registry.journal.logged()
    bodies = [{n: it for n, it in one.body.items() if n not in MEASURED} for one in entries]
    return Counter(
        (one.type, one.subject, canonical(body)) for one, body in zip(entries, bodies, strict=True)
    )


@contextmanager
def delivered(mail: Post, hook: Receiver) -> Iterator[dict[str, list[str]]]:
    """Yield the keys that were received meanwhile, by channel; they are there at the end."""
    mail.letters.clear()
    hook.calls.clear()
    keys: dict[str, list[str]] = {}
    yield keys
    keys["email"] = [letter.key for letter in mail.letters]
    keys["webhook"] = [call.key for call in hook.calls]
    assert all(call.is_signed() for call in hook.calls)


def states(where: Place) -> set[str]:
    """Return how the deliveries of an outbox stand."""
    outbox = Outbox.at(where.home / "outbox.sqlite")
    found: set[str] = {one.state for one in outbox.deliveries().values()}
    outbox.close()
    return found


def logged_keys(where: Place) -> dict[str, list[str]]:
    """Return the keys that the ledger says were sent, by channel."""
    found: dict[str, list[str]] = {"email": [], "webhook": []}
    for entry in reading(where.home).registry.find("notice.sent"):
        found[str(entry.body["channel"])].append(str(entry.body["key"]))
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_in_half_a_year_of_kills_and_upgrades(
    town: tuple[Post, Receiver, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mail, hook, made = town
    errors = tmp_path / "errors.txt"
    calm, dying = place(tmp_path, "calm", made), place(tmp_path, "dying", made)
    with delivered(mail, hook) as once:
        whole = lived_undisturbed(calm, errors)
    mail.answers, hook.answers = list(LATER), list(BUSY)
    with delivered(mail, hook) as keys:
        met = lived_dying(dying, errors, whole, kills=KILLS, upgrades=UPGRADES)
    assert (met.kills.total(), met.upgrades) == (KILLS, UPGRADES)
    assert said(dying) == said(calm)
    for channel, received in keys.items():
        assert set(received) == set(once[channel])
        assert Counter(logged_keys(dying)[channel]) == Counter(once[channel])
    assert not verify(dying.home, clock=FixedClock(later(START, days=DAYS))).damage
    assert states(dying) == {"sent"}
    again = sum(len(received) - len(set(received)) for received in keys.values())
    messages = sum(map(len, once.values()))
    how = f"{dict(met.kills)}, {met.upgrades} upgrades"
    with capsys.disabled():
        print(f" {how}, {messages} messages, {again} received twice under one key")  # noqa: T201
