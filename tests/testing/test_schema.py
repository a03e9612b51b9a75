import pytest

from otium.testing.schema import fill

ACTIONS = [
    {
        "type": "object",
        "properties": {"action": {"const": name}, "to": {"type": "string"}},
        "required": ["action", "to"],
        "additionalProperties": False,
    }
    for name in ("send_mail", "delete", "end")
]
SCHEMAS: list[tuple[dict[str, object], object]] = [
    ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, {"a": "hm"}),
    ({"type": "object", "properties": {"a": {}, "b": {"const": 1}}, "required": ["b"]}, {"b": 1}),
    ({"type": "object"}, {}),
    ({"enum": ["x", "y"]}, "x"),
    ({"const": 3}, 3),
    ({"type": "array", "items": {"type": "integer", "minimum": 4}, "minItems": 2}, [4, 4]),
    ({"type": ["string", "null"]}, "hm"),
    ({"type": "boolean"}, False),
    ({"type": "null"}, None),
    ({"type": "number"}, 0),
    ({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"b": {"const": 1}}}}}, {"b": 1}),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "hm"),
    ({"oneOf": ACTIONS}, {"action": "end", "to": "hm"}),
    ({"oneOf": ACTIONS[:2]}, {"action": "send_mail", "to": "hm"}),
    ({"enum": ["end_conversation", "reply"]}, "reply"),
]


@pytest.mark.parametrize(("schema", "value"), SCHEMAS)
def test_the_plainest_value_that_fits_is_filled_in(
    schema: dict[str, object], value: object
) -> None:
    assert fill(schema, "hm") == value
