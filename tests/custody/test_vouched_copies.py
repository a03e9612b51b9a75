"""Copies of a log that others vouch for, also while it grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from custody.copies import append
from otium.archive import Archive
from otium.custody import replicate
from otium.errors import BrokenLedger
from otium.ledger import Ledger, verify
from otium.notes import Cosigner, Signer
from otium.records import Instant
from otium.testing import MemoryStore

NOW = Instant("2026-11-23T00:00:00Z")


def vouch(store: MemoryStore, signer: Signer, number: int = 1) -> None:
    """Let a witness cosign the newest checkpoint, and an authority stamp it."""
    ledger = Ledger.open(store, vkeys=signer.vkeys)
    point = ledger.checkpoint()
    ledger.keep_witnessed(point.text + Cosigner.generate("w.example").cosign(point.body, NOW))
    store.put(f"log/timestamps/{point.size}/{number}-tsa.tsr", b"a token")


class Growing(MemoryStore):
    """A store in which the log grows as soon as its checkpoint was read so often."""

    def __init__(self, objects: dict[str, bytes], grow: Callable[[MemoryStore], None]) -> None:
        super().__init__()
        self.objects, self._grow, self._left = objects, grow, 0

    def after(self, reads: int) -> None:
        self._left = reads

    def list(self, prefix: str = "") -> Iterator[str]:
        if prefix == "log/" and self._left:
            self._left -= 1
            if not self._left:
                self._grow(self)
        return super().list(prefix)


def test_a_copy_has_what_others_say_and_what_they_said_since(
    logged: MemoryStore, signer: Signer
) -> None:
    copy = MemoryStore()
    for count in (0, 5, 300):
        append(logged, signer, count)
        vouch(logged, signer)
        assert replicate(logged, {"copy": copy}).ok
        assert copy.objects == {n: d for n, d in logged.objects.items() if d or n in copy.objects}
        assert verify(copy, signer.vkeys) == verify(logged, signer.vkeys)
        assert Archive.open(copy).check(now=NOW).ok


def test_what_is_vouched_for_later_reaches_a_copy_of_the_same_size(
    logged: MemoryStore, signer: Signer
) -> None:
    copy = MemoryStore()
    replicate(logged, {"copy": copy})
    vouch(logged, signer)
    assert replicate(logged, {"copy": copy}).stores[0].files == 2
    assert copy.objects == logged.objects


@pytest.mark.parametrize("reads", range(1, 6))
def test_a_copy_that_is_made_while_the_log_grows_verifies(
    logged: MemoryStore, signer: Signer, reads: int
) -> None:
    def grow(store: MemoryStore) -> None:
        append(store, signer, 40)
        vouch(store, signer)

    source, copy = Growing(logged.objects, grow), MemoryStore()
    source.after(reads)
    replicate(source, {"copy": copy})
    if "log/checkpoint" in copy.objects:
        verify(copy, signer.vkeys)
    replicate(source, {"copy": copy})
    assert verify(copy, signer.vkeys) == verify(logged, signer.vkeys)


def test_a_copy_that_a_stranger_vouched_beyond_its_end_is_refused(
    logged: MemoryStore, signer: Signer
) -> None:
    logged.put("log/timestamps/9/1-tsa.tsr", b"a token")
    with pytest.raises(BrokenLedger):
        verify(logged, signer.vkeys)
