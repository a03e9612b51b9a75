"""The house's own Markdown (notices) as HTML; a model's words never come through here."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from otium.markdown import inert, prose

__all__ = ["prose", "timed"]

_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def timed(text: str) -> Markup:
    """Return *text* as HTML in which each instant is marked, so that no line ends inside it."""
    return Markup(_INSTANT.sub(r"<time>\g<0></time>", str(escape(inert(text)))))  # noqa: S704  escaped
