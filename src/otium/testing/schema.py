"""An answer that fits a JSON schema, as an engine with constrained decoding gives one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_HARMLESS = ("reply", "end", "done", "none", "nothing")
"""Of several allowed words the first of these is taken, otherwise the first allowed."""


def fill(schema: Mapping[str, Any], text: str) -> object:
    """Return the plainest value that fits *schema*; *text* stands in every free string."""
    return _fill(schema, text, schema)


def _fill(schema: Mapping[str, Any], text: str, root: Mapping[str, Any]) -> object:
    if "$ref" in schema:
        return _fill(_follow(schema["$ref"], root), text, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _harmless(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            values = [_fill(branch, text, root) for branch in schema[union]]
            return next((value for value in values if _is_harmless(value)), values[0])
    return _typed(schema, text, root)


def _typed(schema: Mapping[str, Any], text: str, root: Mapping[str, Any]) -> object:
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        parts = schema.get("properties", {})
        wanted = schema.get("required", list(parts))
        return {name: _fill(parts.get(name, {}), text, root) for name in wanted}
    if kind == "array":
        return [_fill(schema.get("items", {}), text, root)] * schema.get("minItems", 0)
    plain = {"string": text, "boolean": False, "null": None}
    return plain.get(kind, schema.get("minimum", 0))


def _follow(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in reference.removeprefix("#/").split("/"):
        root = root[name]
    return root


def _harmless(allowed: Sequence[object]) -> object:
    return next((word for word in _HARMLESS if word in allowed), allowed[0])


def _is_harmless(value: object) -> bool:
    return isinstance(value, Mapping) and not _HARMLESS_SET.isdisjoint(
        word for word in value.values() if isinstance(word, str)
    )


_HARMLESS_SET = frozenset(_HARMLESS)
