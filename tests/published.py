"""A published log for the monitor's tests: signed entries, witnesses, a web server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from msgspec import structs

from otium.ledger import Entry, EntrySignature, Ledger
from otium.notes import Cosigner, RoleKey, Signer, encode64
from otium.records import Actor, Instant, later
from otium.store import LocalStore

ORIGIN = "house.example/log"
START = Instant("2026-01-01T00:00:00Z")


def day(number: float) -> Instant:
    """Return an instant so many days after the start."""
    return later(START, days=number)


def entry(kind: str, subject: str, when: float, **body: Any) -> Entry:
    """Return an unsigned entry of so many days after the start."""
    actor = Actor("steward")
    return Entry(type=kind, time=day(when), actor=actor, subject=subject, body=body)


def signed(one: Entry, *keys: RoleKey, actor: str = "", at: Instant | None = None) -> Entry:
    """Return an entry signed by role keys, at its own time or another."""
    when = at or one.time
    bare = structs.replace(one, v=2, actor=Actor(actor or one.actor))
    payload = bare.signing_payload(ORIGIN, when)
    sigs = [EntrySignature(key=k.id, time=when, sig=encode64(k.sign(payload))) for k in keys]
    return structs.replace(bare, sigs=tuple(sigs))


def policy(*commitments: dict[str, Any], version: str = "1") -> dict[str, Any]:
    """Return a policy with these commitments."""
    head = {"schema": "otium.commitments/2", "id": "promises", "version": version}
    named = [{"text": "", **one} for one in commitments]
    return {**head, "title": "What we promise", "term": "for good", "commitments": named}


class Published:
    """A log in a folder of its own, and who keeps it."""

    def __init__(self, folder: Path, signer: Signer | None = None) -> None:
        self.folder, self.signer = folder, signer or Signer.generate(ORIGIN)
        folder.mkdir(parents=True)
        self.ledger = Ledger.create(LocalStore(folder), self.signer, origin=ORIGIN)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def keys(self) -> list[str]:
        """The options that name the log's keys."""
        return [word for vkey in self.signer.vkeys for word in ("--key", vkey)]

    def append(self, *entries: Entry) -> Published:
        self.ledger.append(*entries)
        return self

    def witness(self, at: Instant, *witnesses: Cosigner) -> Path:
        """Keep the checkpoint with the cosignatures of witnesses; return the file."""
        checkpoint = (self.log / "checkpoint").read_text()
        text = checkpoint.partition("\n\n")[0] + "\n"
        path = self.log / "witnessed" / str(self.ledger.size)
        path.parent.mkdir(exist_ok=True)
        path.write_text(checkpoint + "".join(one.cosign(text, at) for one in witnesses))
        return path


class _Quiet(SimpleHTTPRequestHandler):
    """A plain static web server that prints nothing."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(folder: Path, handler: type[SimpleHTTPRequestHandler] = _Quiet) -> Iterator[str]:
    """Serve a folder on the loopback interface; yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
