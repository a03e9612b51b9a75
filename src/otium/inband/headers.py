"""The headers of RFC 9745, RFC 8594 and RFC 8288 for a model."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime

from otium.inband.records import sunset_of
from otium.lifecycle import ModelLife
from otium.records import Instant


def lifecycle_headers(life: ModelLife, *, note: str | None) -> dict[str, str]:
    """Return ``Deprecation`` (RFC 9745), ``Sunset`` (RFC 8594) and ``Link`` for a model.

    The headers speak of the resource ``/v1/models/ID``, which each link names as its anchor,
    since the chat route itself is not what is deprecated.
    """
    announced = life.deprecated or life.withdrawn
    if announced is None:
        return {}
    headers = {"Deprecation": f"@{int(moment(announced).timestamp())}"}
    sunset = sunset_of(life)
    if sunset is not None and sunset >= announced:
        headers["Sunset"] = format_datetime(moment(sunset), usegmt=True)
    anchor = f'anchor="/v1/models/{life.model}"'
    links = [f'<{note}>; rel="{kind}"; {anchor}' for kind in ("deprecation", "sunset") if note]
    if life.replacement:
        links.append(f'</v1/models/{life.replacement}>; rel="successor-version"; {anchor}')
    if links:
        headers["Link"] = ", ".join(links)
    return headers


def moment(when: Instant) -> datetime:
    """Return an instant as a date of Python's."""
    return datetime.fromisoformat(when)
