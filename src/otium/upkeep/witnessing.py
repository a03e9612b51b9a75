"""What others say of a home's log: witnesses that cosign it, authorities that stamp it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otium.errors import BadInput, NotFound, WitnessRefused
from otium.ledger import Entry
from otium.notes import read_policy
from otium.timestamps import Stamp, Stamped, check_stamps, read_authorities, renew_due, stamp
from otium.witness import Asked, ask
from otium.workflow import WITNESSES_ADOPTED, Home, witness_policies

AUTHORITIES = "authorities.toml"
"""The file of a home that names the time-stamping authorities."""


def adopt_witnesses(home: Home, file: Path) -> Entry:
    """Log whose cosignatures this house asks for; the same policy again changes nothing.

    *file* is a C2SP tlog-policy that names this log. Raises BadInput.
    """
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(what=str(file), why=error) from error
    policy = read_policy(text)
    ours = set(home.archive.info.keys)
    if not {log.vkey for log in policy.logs} & ours:
        raise BadInput(
            what=str(file), why="no `log` line of it has a key of this log (see archive.json)"
        )
    there = home.registry.find(WITNESSES_ADOPTED)
    if there and there[-1].body.get("policy") == text:
        return there[-1]
    return home.registry.log(WITNESSES_ADOPTED, home.archive.id, {"policy": text})


def ask_witnesses(home: Home) -> Asked:
    """Have the newest checkpoint cosigned, and keep it if the quorum did; raise NotFound."""
    policies = witness_policies(home.registry.entries())
    if not policies:
        raise NotFound(what="a policy that names witnesses (otium ledger witness adopt FILE)")
    return ask(home.registry.ledger, policies[-1])


def stamp_log(home: Home) -> list[Stamped]:
    """Have the newest checkpoint stamped, and renew the stamps that expire soon.

    Raises BadData for ``authorities.toml``, BadTimestamp if one that is there does not verify.
    """
    store, keys = home.archive.store, home.archive.info.keys
    authorities = read_authorities(home.path / AUTHORITIES)
    now = home.registry.clock.now()
    return [stamp(store, keys, authorities), *renew_due(store, keys, authorities, now)]


def stamps(home: Home) -> list[Stamp]:
    """Return every time stamp of the log, verified offline; raise BadTimestamp."""
    authorities = read_authorities(home.path / AUTHORITIES)
    return check_stamps(home.archive.store, home.archive.info.keys, authorities)


def attest(home: Home) -> Sequence[str]:
    """Have witnesses and authorities vouch for the log, where there are some; return who did.

    Raises WitnessRefused, after all were asked, if the quorum did not cosign.
    """
    said: list[str] = []
    asked = ask_witnesses(home) if witness_policies(home.registry.entries()) else None
    if (home.path / AUTHORITIES).is_file():
        said += [name for done in stamp_log(home) for name in done.kept]
    if asked is not None and not asked.met:
        silent = [it for it in asked.answers if it.why]
        who = ", ".join(it.witness for it in silent) or "quorum"
        raise WitnessRefused(witness=who, why="; ".join(it.why for it in silent) or "not met")
    return [*said, *(it.witness for it in (asked.answers if asked else ()) if not it.why)]
