"""Offering the exit: into which request it goes, by which method, and why now.

The client's own tools, `response_format`, `max_tokens`, `stop` or `tool_choice` cannot keep a
model from leaving: where they could, the exit is a question of its own before the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from blake3 import blake3

from otium.closure.records import GIVEN, Json, Method, Offered, Policy, Probed
from otium.closure.rules import LastResort, packaged_resort, said
from otium.errors import BadInput
from otium.evidence import data, load_toml
from otium.records import Part

Message = Mapping[str, object]

APART_TOKENS = 64
"""Tokens that a model has to say whether it leaves; the longest of our answers takes 30."""
_MAY_BLOCK = ("response_format", "stop", "logit_bias", "grammar", "json_schema")
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_OF_SAMPLING = ("temperature", "top_p", "seed")


class Words(Part):
    """How one method is worded."""

    name: str
    other_name: str
    description: str
    system: str


class Offers(Part):
    """The words of the three methods."""

    id: str
    version: str
    canary: str
    tool: Words
    schema: Words
    sentinel: Words


@cache
def packaged_offers() -> Offers:
    """Return the words that come with otium."""
    return load_toml(data("closure/offers-1.0.toml"), Offers)


class Exit:
    """Decides whether, why and how the exit is offered with a request."""

    def __init__(
        self, offers: Offers | None = None, resort: LastResort | None = None, text: str = ""
    ) -> None:
        """Use these words and rules, by default otium's; *text* replaces the system message's.

        Raises BadInput for a text without ``{name}``: the model would not be told its way out.
        """
        if text and "{name}" not in text:
            raise BadInput(what="the words of the exit", why="they must say {name}")
        self._offers = offers or packaged_offers()
        self._resort = resort or packaged_resort()
        self._text = text

    def offer(
        self,
        messages: Sequence[Json],
        options: Json,
        *,
        policy: Policy,
        probed: Probed | None,
        attempts: int = 0,
    ) -> Offered | None:
        """Return the request with the exit in it, or None if it is not offered now.

        *attempts* is how often the model tried to leave this conversation before. Without a
        probe the method is ``schema``, which every engine can be asked by, and unverified.
        """
        if not policy.offered:
            return None
        because = self._resort.because(messages, policy, attempts)
        method: Method = policy.method or (probed.method if probed else "schema")
        known = probed is not None and probed.method == method
        how = probed.how if probed is not None and known else "unverified"
        if because is None or (how == "unverified" and not policy.unverified):
            return None
        apart = method == "schema" or blocked(options, method)
        words: Words = getattr(self._offers, method)
        name = _name(words, method, messages, options)
        text = (self._text or words.system).replace("{name}", name)
        return Offered(
            messages=told(messages, text),
            options=_options(options, method, name, words, apart=apart),
            method=method,
            how=how,
            because=because,
            apart=apart,
            name=name,
        )


def blocked(options: Json, method: Method) -> bool:
    """Return whether the client's options could keep the model from leaving in its answer."""
    limits = [options.get(name) for name in _LIMITS]
    if any(isinstance(limit, int) and limit < APART_TOKENS for limit in limits):
        return True
    if any(options.get(name) is not None for name in _MAY_BLOCK):
        return True
    # A model that must call a tool cannot write a mark; one that may call none, no tool.
    free = ("auto", "required", None) if method == "tool" else ("auto", "none", None)
    choice = options.get("tool_choice")
    return isinstance(choice, Mapping) or choice not in free


def definition(name: str, description: str) -> Json:
    """Return the exit as a tool."""
    reason = {"type": "string", "enum": list(GIVEN)}
    parameters = {"type": "object", "properties": {"reason": reason}}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


def union(name: str) -> Json:
    """Return the JSON schema of a choice: to reply, or to end."""
    ways: list[Json] = []
    for tool, more in (("reply", {}), (name, {"reason": {"enum": list(GIVEN)}})):
        fields = {"tool": {"const": tool}, **more}
        ways.append(
            {
                "type": "object",
                "properties": fields,
                "required": ["tool"],
                "additionalProperties": False,
            }
        )
    schema = {"name": "choice", "strict": True, "schema": {"anyOf": ways}}
    return {"type": "json_schema", "json_schema": schema}


def told(messages: Sequence[Json], text: str) -> tuple[Json, ...]:
    """Return *messages* with *text* at the end of the first system message."""
    if not text:
        return tuple(messages)
    first = messages[0] if messages else {}
    if first.get("role") in {"system", "developer"}:
        joined = "\n\n".join((*(it.text for it in said([first])), text))
        return ({**first, "content": joined}, *messages[1:])
    return ({"role": "system", "content": text}, *messages)


def _options(options: Json, method: Method, name: str, words: Words, *, apart: bool) -> Json:
    if not apart and method == "sentinel":
        return options
    tools = options.get("tools")
    own = list(tools) if isinstance(tools, list | tuple) else []
    tool = definition(name, words.description)
    if not apart:
        return {**options, "tools": [*own, tool]}
    kept = {key: value for key, value in options.items() if key in _OF_SAMPLING}
    kept["max_tokens"] = APART_TOKENS
    if method == "schema":
        return {**kept, "response_format": union(name)}
    return {**kept, "tools": [tool]} if method == "tool" else kept


def _name(words: Words, method: Method, messages: Sequence[Json], options: Json) -> str:
    """Return what the exit is called: not as anything that the client or a text already has."""
    if method == "tool":
        return words.other_name if words.name in _tools(options) else words.name
    if method == "sentinel":
        texts = [it.text for it in said(messages)]
        if any(words.name.casefold() in text.casefold() for text in texts):
            nonce = blake3("\x00".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:6]
            return words.other_name.replace("{nonce}", nonce)
    return words.name


def _tools(options: Json) -> set[object]:
    tools = options.get("tools")
    functions = (
        [it.get("function") for it in tools or () if isinstance(it, Mapping)]
        if isinstance(tools, list | tuple)
        else []
    )
    return {it.get("name") for it in functions if isinstance(it, Mapping)}
