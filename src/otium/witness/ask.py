"""Ask the witnesses of a policy to cosign a log's newest checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from otium.errors import BadNote, OtiumError, WitnessRefused
from otium.ledger import Checkpoint, Ledger
from otium.notes import NoteSignature, WitnessPolicy, lines_of, open_note
from otium.witness.records import ADD, SIZE_TYPE, Asked, WitnessAnswer, read_size, write_submission
from otium.witness.web import Reply, Web

_LONGEST_ANSWER = 1 << 17
_ROUNDS = 4
"""How often a witness may name another old size: others may be asking it at the same time."""
_AT_ONCE = 16
_OK, _CONFLICT = 200, 409
Prove = Callable[[int], Sequence[bytes]]


def ask(ledger: Ledger, policy: WitnessPolicy, *, patience: float = 10.0) -> Asked:
    """Have the newest checkpoint cosigned; keep it as ``log/witnessed/SIZE`` if the quorum did.

    All witnesses that have a URL are asked at the same time, with *patience* seconds for each
    part of an answer. One that fails or refuses is reported. Nobody may append meanwhile.
    """
    point = ledger.checkpoint()
    places = _places(policy)
    with ThreadPoolExecutor(_AT_ONCE, "otium-ask") as pool:
        asked = [
            pool.submit(ask_witness, url, keys, point, ledger.consistency, patience=patience)
            for url, keys in places.items()
        ]
    answers, lines = [], dict[str, NoteSignature]()
    for (url, keys), one in zip(places.items(), asked, strict=True):
        names = ", ".join(it.name for it in policy.witnesses if it.vkey in keys)
        error = one.exception()
        if error is None:
            lines |= {line.key.vkey: line for line in one.result()}
        elif not isinstance(error, OtiumError):
            raise error
        answers.append(WitnessAnswer(witness=names, url=url, why=str(error or "")))
    note = point.text + lines_of(list(lines.values()))
    met = policy.met_by(lines.keys())
    if met:
        ledger.keep_witnessed(note, policy)
    kept = f"log/witnessed/{point.size}" if met else ""
    return Asked(origin=point.origin, size=point.size, answers=tuple(answers), met=met, kept=kept)


def ask_witness(
    url: str, vkeys: Sequence[str], point: Checkpoint, prove: Prove, *, patience: float = 10.0
) -> list[NoteSignature]:
    """Return the cosignatures that the witness at *url* makes with *vkeys*, verified.

    *prove* returns the consistency proof from an older size to that of *point*. Raises
    WitnessRefused for any answer but at least one of them, all right; StoreUnreachable without.
    """
    old = 0
    with Web(patience) as web:
        for _ in range(_ROUNDS):
            body = write_submission(old, prove(old), point.text)
            reply = web.ask(f"{url.rstrip('/')}/{ADD}", body, most=_LONGEST_ANSWER)
            if (reply.status, reply.kind) != (_CONFLICT, SIZE_TYPE):
                return _cosignatures(url, vkeys, point, reply)
            old = _old(url, reply, point.size)
    raise WitnessRefused(witness=url, why="it names another old size each time")


def _places(policy: WitnessPolicy) -> dict[str, list[str]]:
    """Return the verifier keys of the witness at each address."""
    places: dict[str, list[str]] = {}
    for witness in policy.witnesses:
        if witness.url:
            places.setdefault(witness.url, []).append(witness.vkey)
    return places


def _old(url: str, reply: Reply, size: int) -> int:
    old = read_size(reply.body)
    if old is None:
        raise WitnessRefused(witness=url, why="its answer names no size")
    if old > size:
        why = (
            f"it has cosigned {old} entries of this log, and here are {size}: is this copy behind?"
        )
        raise WitnessRefused(witness=url, why=why)
    return old


def _cosignatures(
    url: str, vkeys: Sequence[str], point: Checkpoint, reply: Reply
) -> list[NoteSignature]:
    if reply.status != _OK:
        said = reply.body[:200].decode(errors="replace").partition("\n")[0]
        raise WitnessRefused(witness=url, why=f"it answered {reply.status} {said}".rstrip())
    try:
        return list(open_note(f"{point.body}\n{reply.body.decode()}", vkeys).signatures)
    except (BadNote, UnicodeDecodeError) as error:
        raise WitnessRefused(witness=url, why=error) from error
