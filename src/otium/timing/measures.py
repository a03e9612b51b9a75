"""What is timed: appending to the log, proving, verifying, judging signatures, computing duties.

Each figure is taken in several rounds; a peer on the same data takes its turn in the same
round, so that whatever else the machine does hits both.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from random import Random

from otium.authority import authorised
from otium.bench import Goal, Spread
from otium.commitments import duties
from otium.ledger import Entry, Ledger, check_proof, verify
from otium.notes import Signer
from otium.records import Instant
from otium.store import LocalStore
from otium.timing.audits import Audited
from otium.timing.busy import busy_log, busy_policy
from otium.timing.logs import ORIGIN, entries, signed, written

_END = Instant("2027-01-01T00:00:00Z")
_BATCH, _PROOFS, _ONE_BY_ONE = 100, 200, 50

Section = Callable[["Scale"], list[Goal]]


class Scale:
    """How much is measured, and where."""

    def __init__(self, folder: Path, *, rounds: int = 1, share: int = 1) -> None:
        """Measure in *folder*, in so many *rounds*, one part in *share* of everything."""
        self.folder = folder
        self.rounds = rounds
        self.share = share

    def of(self, whole: int) -> int:
        """Return how many of *whole* are taken."""
        return whole // self.share

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a folder that is thrown away."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            yield Path(name)

    def times(self, act: Callable[[], object]) -> list[float]:
        """Return the seconds that *act* takes in each round."""
        return [_seconds(act) for _ in range(self.rounds)]


def appending(scale: Scale) -> list[Goal]:
    """Append durably: in batches, one by one, and one by one beside pymerkle's SQLite tree."""
    rates: dict[str, list[float]] = {"batched": [], "one by one": [], "pymerkle": []}
    for _ in range(scale.rounds):
        with scale.scratch() as folder:
            ledger = _ledger(folder / "log")
            log = entries(scale.of(10_000))
            chunks = [log[at : at + _BATCH] for at in range(0, len(log), _BATCH)]
            took = _seconds(lambda: [ledger.append(*chunk) for chunk in chunks])  # noqa: B023
            rates["batched"].append(len(log) / took)
            more = entries(_ONE_BY_ONE, len(log))
            took = _seconds(lambda: [ledger.append(entry) for entry in more])  # noqa: B023
            rates["one by one"].append(len(more) / took)
            if find_spec("pymerkle"):
                rates["pymerkle"].append(len(more) / _append_to_pymerkle(folder / "peer", more))
    found = [_goal(f"durable appends, {_BATCH} at once", "entries/s", 100, rates["batched"])]
    found.append(_goal("durable appends, one by one", "entries/s", 20, rates["one by one"]))
    if rates["pymerkle"]:
        pairs = zip(rates["one by one"], rates["pymerkle"], strict=True)
        ratios = [ours / theirs for ours, theirs in pairs]
        found.append(_goal("one by one, of pymerkle's SqliteTree", "times", 1, ratios))
    return found


def proving(scale: Scale) -> list[Goal]:
    """Prove that entries are in a long log, and check the proofs."""
    count = scale.of(100_000)
    with scale.scratch() as folder:
        log = entries(count)
        store, signer = written(folder / "log", log)
        ledger = Ledger.open(store, vkeys=signer.vkeys)
        chosen = Random(1).sample(range(count), min(_PROOFS, count))
        made, checked = [], []
        for index in chosen:
            began = time.perf_counter()
            proof = ledger.prove(index)
            made.append(1000 * (time.perf_counter() - began))
            took = _seconds(lambda: check_proof(proof, log[index].encode(), signer.vkeys))  # noqa: B023
            checked.append(1000 * took)
    what = f"of {count:,} entries"
    return [
        less(f"a proof, the slowest of {_PROOFS}, {what}", "ms", 10, [max(made)]),
        less(f"a proof {what}", "ms", 10, made),
        less(f"checking one {what}", "ms", 10, checked),
    ]


def verifying(scale: Scale) -> list[Goal]:
    """Recompute a long log from its entries; then judge every role signature in it."""
    count = scale.of(100_000)
    with scale.scratch() as folder:
        plain, signer = written(folder / "plain", entries(count))
        logs = scale.times(lambda: verify(plain, signer.vkeys))
        log = signed(entries(count))
        store, keys = written(folder / "signed", log)
        with_roles = scale.times(lambda: verify(store, keys.vkeys))
        judged = scale.times(lambda: authorised(log, ORIGIN))
        monitored = [_monitor(folder, scale.of(10_000))]
    return [
        less(f"verifying {count:,} entries", "s", 5, logs),
        less(f"verifying {count:,} signed entries", "s", 5, with_roles),
        less(f"judging {count:,} role signatures, two cores", "s", 10, judged),
        less(f"monitor.py on {scale.of(10_000):,} entries, log alone", "s", 30, monitored),
    ]


def promising(scale: Scale) -> list[Goal]:
    """Compute 21 duties for each of many models over a year's log."""
    models = scale.of(10_000)
    log, policy = busy_log(models, seed=1), busy_policy()
    count = len(duties(policy, log, _END))
    took = scale.times(lambda: duties(policy, log, _END))
    return [less(f"{count:,} duties of {models:,} models, {len(log):,} entries", "s", 1, took)]


def auditing(scale: Scale) -> list[Goal]:
    """Seal packs, then ask, answer and judge a spot check on them."""
    with scale.scratch() as folder:
        house = Audited(folder, scale.of(500_000_000))
        sealed = house.seal() / 1e6
        first, passed = house.audit()  # fills the custodian's cache of trees
        took = [house.audit()[0] for _ in range(scale.rounds)]
    assert passed
    return [
        _goal("sealing packs, read and hashed twice", "MB/s", 400, [sealed]),
        less("a spot check of 460 leaves, trees cached", "s", 1, took),
        less("the first one, all packs read", "s", 10, [first]),
    ]


SECTIONS: dict[str, Section] = {
    "append": appending,
    "prove": proving,
    "verify": verifying,
    "duties": promising,
    "audit": auditing,
}


def _ledger(folder: Path) -> Ledger:
    signer = Signer.generate(ORIGIN)
    return Ledger.create(LocalStore(folder), signer, origin=ORIGIN)


def _append_to_pymerkle(path: Path, log: Sequence[Entry]) -> float:
    from pymerkle import SqliteTree

    with closing(SqliteTree(str(path))) as tree:
        return _seconds(lambda: [tree.append_entry(entry.encode()) for entry in log])


def _monitor(folder: Path, count: int) -> float:
    """Return the seconds that the outside monitor takes over a log without an archive."""
    _, signer = written(folder / "outside", entries(count))
    program = str(resources.files("otium") / "data" / "monitor.py")
    keys = [part for vkey in signer.vkeys for part in ("--key", vkey)]
    command = [sys.executable, "-I", "-S", program, str(folder / "outside"), *keys]
    return _seconds(lambda: subprocess.run(command, capture_output=True, check=False))


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return max(time.perf_counter() - began, 1e-9)


def _goal(what: str, unit: str, target: float, figures: Sequence[float]) -> Goal:
    spread = Spread.of(figures)
    return Goal(
        what=what, unit=unit, better="more", target=target, reached=spread.median, spread=spread
    )


def less(what: str, unit: str, target: float, figures: Sequence[float]) -> Goal:
    """Return a figure to stay below."""
    spread = Spread.of(figures)
    return Goal(
        what=what, unit=unit, better="less", target=target, reached=spread.median, spread=spread
    )
