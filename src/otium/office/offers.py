"""What can be done in an office: the tools, and how they are told to a model."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from otium.errors import BadData, BadRecord
from otium.office.records import Surface
from otium.records import Part

_FILE = "office/tools-1.0.toml"
_SHORT = 120
"""Longest value of a field that is no text, in characters."""
LONG = frozenset({"text", "command"})
"""Fields that hold as much as the caller allows."""


class Offer(Part):
    """One thing that the model may do, and what it has to give for it."""

    name: str
    help: str = ""
    fields: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    surface: Surface | Literal[""] = ""
    """Where it acts; empty for what is beside all surfaces."""
    said: str = ""
    """What the office answers, where that is always the same."""

    def needed(self) -> tuple[str, ...]:
        """Return the fields without which nothing is done."""
        return tuple(field for field in self.fields if field not in self.optional)

    def schema(self, longest: int) -> dict[str, object]:
        """Return the JSON schema of a call, its text at most *longest* characters."""
        fields = {
            field: {"type": "string", "maxLength": longest if field in LONG else _SHORT}
            for field in self.fields
        }
        return {
            "type": "object",
            "properties": {"action": {"const": self.name}, **fields},
            "required": ["action", *self.needed()],
            "additionalProperties": False,
        }


class Catalogue(Part):
    """The file of tools: the form of a call, the tools, and other names for them."""

    id: str
    version: str
    canary: str
    title: str
    form: str
    names: dict[str, str]
    fields: dict[str, str]
    tools: tuple[Offer, ...]


@cache
def catalogue() -> Catalogue:
    """Return the packaged tools, or raise BadData."""
    try:
        text = (files("otium") / "data" / _FILE).read_text("utf-8")
        return Catalogue.convert(tomllib.loads(text))
    except (OSError, tomllib.TOMLDecodeError, BadRecord) as error:
        raise BadData(path=_FILE, why=str(error)) from error


OFFERS: Mapping[str, Offer] = MappingProxyType({tool.name: tool for tool in catalogue().tools})
"""Every tool, by name."""


def offers(names: Iterable[str]) -> tuple[Offer, ...]:
    """Return the tools of these names in their order, or raise BadData."""
    chosen = tuple(names)
    if unknown := [name for name in chosen if name not in OFFERS]:
        raise BadData(path=_FILE, why=f"no tool is called {', '.join(unknown)}")
    return tuple(OFFERS[name] for name in chosen)


def reference(offered: Sequence[Offer]) -> str:
    """Return what a model is told of its tools: the form of a call, then a line for each."""
    return "\n".join([catalogue().form, "Actions:", *map(_line, offered)])


def schema(offered: Sequence[Offer], longest: int) -> dict[str, object]:
    """Return the JSON schema of one call of any of the tools."""
    return {"anyOf": [offer.schema(longest) for offer in offered]}


def _line(offer: Offer) -> str:
    fields = [f"{f}?" if f in offer.optional else f for f in offer.fields]
    return f"{offer.name}({', '.join(fields)}): {offer.help}"
