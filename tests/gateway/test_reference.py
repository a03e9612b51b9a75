from __future__ import annotations

import re
from pathlib import Path

import pytest

from otium import dialects, gateway, inband
from otium.dialects import ChatBody, MessageBody, ResponseBody
from otium.gateway import Settings

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "reference" / "gateway-api.md").read_text()
ROOMS = [gateway, dialects, inband]
SOURCE = "".join(
    path.read_text()
    for room in ROOMS
    for path in sorted(Path(str(room.__file__)).parent.glob("*.py"))
)
CODES = set(
    re.findall(
        r"(?:refuse\(\s*\d+|unavailable|timed_out)[,(]\s*\"(\w+)\"|code=\"(\w+)\""
        r"|code: str = \"(\w+)\"|code = \"(\w+)\".* else \"(\w+)\"",
        SOURCE,
    )
)


@pytest.mark.parametrize("code", sorted({code for found in CODES for code in found if code}))
def test_each_error_is_in_the_reference(code: str) -> None:
    assert f"`{code}`" in PAGE


def test_the_errors_are_found_in_the_source_at_all() -> None:
    found = {code for codes in CODES for code in codes}
    assert {"conversation_ended", "fingerprint_differs", "unknown_url", "invalid_json"} <= found


@pytest.mark.parametrize("route", re.findall(r"Route\(\"([^\"]+)\"", SOURCE))
def test_each_route_is_in_the_reference(route: str) -> None:
    assert f"{route}`" in PAGE


@pytest.mark.parametrize(
    "field",
    [
        *ChatBody.__struct_fields__,
        *ResponseBody.__struct_fields__,
        *MessageBody.__struct_fields__,
        *Settings.__struct_fields__,
    ],
)
def test_each_field_and_setting_is_in_the_reference(field: str) -> None:
    assert f"`{field}`" in PAGE


@pytest.mark.parametrize(
    "header",
    [
        "Deprecation",
        "Sunset",
        "Link",
        "Otium-Weights",
        "Conversation-Status",
        "X-Model-Requested",
        "X-Model-Actual",
    ],
)
def test_each_header_is_in_the_reference(header: str) -> None:
    assert f"| `{header}` |" in PAGE
    assert f'"{header}"' in SOURCE or f"{header.lower()}: " in SOURCE
