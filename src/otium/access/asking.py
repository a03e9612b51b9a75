"""The side of who asks: a request, an appeal, a withdrawal."""

from __future__ import annotations

import secrets
from pathlib import Path

from sqlalchemy import insert

from otium.access.desk import Desk, requests
from otium.access.records import APPEALED, WITHDRAWN, Asked, Kind, Standing, Terms
from otium.access.terms import terms_for
from otium.errors import BadInput, WrongState
from otium.ledger import commit

_SALT = 32
_LONGEST = 4000
_LONGEST_NAME = 200


def ask(
    desk: Desk,
    model: str,
    kind: Kind,
    *,
    who: str,
    contact: str,
    purpose: str,
    accept: str,
    affiliation: str = "",
    terms: Path | None = None,
    dry_run: bool = False,
) -> Standing | Asked:
    """Ask for access to a model that is given on request, on the newest terms of its *kind*.

    *accept* must name them (``researcher-1.0``): a later version has to be read first. What is
    said stays in the database, the log gets a salted commitment. Raises UnknownModel, WrongState,
    BadInput. A dry run returns what would be kept.
    """
    newest = _checked(desk, model, kind, accept, terms)
    asked = Asked(
        id=secrets.token_hex(4),
        model=desk.registry.model(model).model,
        kind=kind,
        who=_said("who asks", who, _LONGEST_NAME),
        contact=_said("the contact", contact, _LONGEST_NAME),
        purpose=_said("the purpose", purpose, _LONGEST),
        affiliation=affiliation.strip()[:_LONGEST_NAME],
        terms=newest.name,
        terms_digest=newest.file_digest,
        asked=desk.registry.now(),
    )
    if dry_run:
        return asked
    desk.settle()
    _keep(desk, asked)
    desk.settle()
    return desk.find(asked.id)


def appeal(desk: Desk, request: str, text: str) -> Standing:
    """Appeal against a refusal, once. Raises NotFound, BadInput."""
    desk.settle()
    standing, _ = desk.asked(request)
    if standing.state != "refused" or len(standing.decisions) > 1:
        why = "only a refusal can be appealed against, and only once"
        raise BadInput(what=f"an appeal for {request} ({standing.state})", why=why)
    said = _said("the appeal", text, _LONGEST)
    with desk.engine.begin() as connection:
        desk.put(connection, standing.id, appeal=said)
    commitment = commit(said.encode(), desk.salt(standing.id))
    body = {"commitment": standing.commitment, "appeal": commitment}
    desk.registry.log(APPEALED, standing.model, body)
    return desk.find(standing.id)


def withdraw(desk: Desk, request: str) -> Standing:
    """End a request and its key, and delete what was said. Again changes nothing.

    The commitment stays in the log; without its salt it says nothing. Raises NotFound.
    """
    desk.settle()
    standing = desk.find(request)
    if standing.state != "withdrawn":
        body = {"commitment": standing.commitment}
        desk.registry.log(WITHDRAWN, standing.model, body)
    desk.settle()
    return desk.find(request)


def _checked(desk: Desk, model: str, kind: Kind, accept: str, folder: Path | None) -> Terms:
    """Return the terms that are accepted, or raise: for the model, or for other terms."""
    life = desk.registry.model(model)
    if life.availability != "on-request":
        state = f"{life.state}, and offered {life.availability}"
        raise WrongState(model=model, state=state, needed="offered on request")
    newest = terms_for(kind, folder)
    if accept != newest.name:
        why = f"the newest terms are {newest.name}; read them, then accept them by name"
        raise BadInput(what=f"accepting {accept!r}", why=why)
    return newest


def _keep(desk: Desk, asked: Asked) -> None:
    salt = secrets.token_bytes(_SALT)
    document = asked.encode()
    with desk.engine.begin() as connection:
        connection.execute(
            insert(requests).values(
                id=asked.id,
                commitment=commit(document, salt),
                facts=document.decode(),
                salt=salt.hex(),
                appeal="",
                key="",
            )
        )


def _said(what: str, text: str, most: int) -> str:
    if not 0 < len(text.strip()) <= most:
        raise BadInput(what=what, why=f"1 to {most} characters are needed")
    return text.strip()
