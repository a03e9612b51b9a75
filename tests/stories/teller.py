"""Tells a story: a house on a clock that is moved, and what the outside monitor says of it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from otium.authority import Keyring
from otium.commitments import Policy, load_policy
from otium.ledger import Entry
from otium.lifecycle import deprecate, found
from otium.notes import RoleKey, Signer
from otium.records import Instant, later
from otium.testing import FixedClock, MemoryStore

HERE = Path(__file__).parent
MONITOR = HERE.parents[1] / "src" / "otium" / "data" / "monitor.py"
START = Instant("2026-01-01T00:00:00Z")
ORIGIN = "house.example/log"


def _seed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def signer() -> Signer:
    """Return the log's keys, the same each time."""
    ed25519 = Ed25519PrivateKey.from_private_bytes(_seed(ORIGIN))
    return Signer(ORIGIN, ed25519, MLDSA44PrivateKey.from_seed_bytes(_seed(ORIGIN)))


def role_key(name: str) -> RoleKey:
    """Return a role key, the same each time."""
    return RoleKey(name, Ed25519PrivateKey.from_private_bytes(_seed(name)))


def promises() -> Policy:
    """Return the short policy of these stories."""
    return load_policy(HERE / "promises.toml")


@dataclass
class Teller:
    """A house, its clock, and what happens in it."""

    folder: Path
    policy: Policy
    store: MemoryStore = field(default_factory=MemoryStore)
    clock: FixedClock = field(default_factory=lambda: FixedClock(START))
    waiting: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Found the house, with the keys of two persons at hand."""
        self.keys = [role_key(name) for name in ("root-1", "house-1", "second-1")]
        self.registry = found(
            self.store,
            signer(),
            archive_id="house",
            clock=self.clock,
            policy=self.policy,
            simulated=True,
            keyring=Keyring(self.keys),
            waiting=self._wait,
        )

    def _wait(self, entry: Entry) -> str:
        self.waiting.append(entry)
        return str(len(self.waiting) - 1)

    def day(self, number: float) -> Instant:
        """Return the instant *number* days into the story."""
        return later(START, days=number)

    def until(self, number: float, *, beat: float = 30) -> None:
        """Let time pass, with a heartbeat every so many days."""
        beats = self.registry.find("heartbeat")
        last = beats[-1].time if beats else START
        while (moment := later(last, days=beat)) <= self.day(number):
            self.clock.move_to(max(moment, self.clock.now()))
            self.registry.log("heartbeat", "house")
            last = moment
        self.clock.move_to(max(self.day(number), self.clock.now()))

    def model(self, name: str, *surfaces: str, **facts: object) -> None:
        """Register a model and deposit its weights."""
        register: Callable[..., object] = self.registry.register
        facts = {"scope": "public", "released": self.clock.now(), **facts}
        register(name, title=name.capitalize(), surfaces=surfaces or ("api",), **facts)
        files = self.folder / name
        files.mkdir()
        (files / "model.bin").write_bytes(_seed(name) * 8)
        (files / "config.json").write_text(json.dumps({"model_type": name}))
        self.registry.deposit(name, files)

    def announce(self, name: str, after_days: float, replacement: str | None = None) -> None:
        """Announce a retirement on every surface."""
        at = later(self.clock.now(), days=after_days)
        dates = dict.fromkeys(self.registry.model(name).open_surfaces, at)
        deprecate(
            self.registry,
            name,
            retire_at=dates,
            replacement=replacement,
            reason="It is old.",
            force=True,
        )

    def say(self, type: str, subject: str, **body: object) -> Entry:  # noqa: A002
        """Log an entry as a step of another room would."""
        return self.registry.log(type, subject, body)

    def verdict(self, *options: str, now: float | None = None) -> str:
        """Run the outside monitor on a copy, and return what it prints, digests left out."""
        archive = self.folder / "archive"
        for name in self.store.list():
            path = archive / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.store.get(name))
        judged_at = ["--now", self.day(now)] if now is not None else []
        keys = [part for vkey in signer().vkeys for part in ("--key", vkey)]
        command = [sys.executable, "-I", "-S", str(MONITOR), "archive", *keys]
        done = subprocess.run(
            [*command, *judged_at, *options],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        assert not done.stderr, done.stderr
        return plain(done.stdout) + f"exit {done.returncode}\n"


def plain(text: str) -> str:
    """Return *text* without what changes with every byte that is stored."""
    text = re.sub(r"[A-Za-z0-9+/]{43}=", "ROOT", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
    text = re.sub(r"house\.example/log\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{20,}", "VKEY", text)
    text = re.sub(r"\b\d+ files in \d+ packs, \d+ bytes", "N files in N packs, N bytes", text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def expect(name: str, found: str, *, rewrite: bool) -> None:
    """Compare a verdict with its golden text; REWRITE_VERDICTS=1 writes it anew."""
    path = HERE / "golden" / f"{name}.txt"
    if rewrite:
        path.write_text(found)
    assert found == path.read_text()
