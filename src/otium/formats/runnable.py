"""What must be kept beside the weights so that they run as they ran, read from their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from otium.errors import BadHeader
from otium.formats.gguf import CHAT_TEMPLATE, Gguf
from otium.formats.sources import Source
from otium.records import Digest, Json, Part, digest

_TEMPLATE, _TOKENIZER_CONFIG = "chat_template.jinja", "tokenizer_config.json"
_GENERATION_CONFIG = "generation_config.json"
_SAMPLING = {"temperature", "top_p", "top_k", "min_p", "typical_p", "repetition_penalty"}


class Runnable(Part):
    """What must be kept beside the weights so that they run as they ran."""

    chat_template: Digest | None = None
    """Of the record ``chat_template.jinja``."""
    tokenizer: Digest | None = None
    """Of the GGUF file's ``tokenizer.`` entries, or of ``tokenizer.json``."""
    sampling: dict[str, float] = {}
    """The provider's sampling defaults."""
    runtime: dict[str, str] = {}
    """Names and versions of what ran the model."""


@dataclass(frozen=True)
class Known:
    """A file whose bytes were digested, with its header if it is a GGUF file."""

    source: Source
    sha256: str
    gguf: Gguf | None


def describe(
    surveys: Sequence[Known], sampling: Mapping[str, float], runtime: Mapping[str, str]
) -> tuple[Runnable, bytes | None]:
    """Return what makes the model runnable, and its chat template's bytes if it has one."""
    template = _template(surveys)
    runnable = Runnable(
        chat_template=None if template is None else digest(template),
        tokenizer=_tokenizer(surveys),
        sampling={**_sampling(surveys), **sampling},
        runtime=dict(runtime),
    )
    return runnable, template


def _template(surveys: Sequence[Known]) -> bytes | None:
    for one in surveys:
        text = one.gguf.metadata.get(CHAT_TEMPLATE) if one.gguf else None
        if isinstance(text, str):
            return text.encode()
    own = _small(surveys, _TEMPLATE)
    if own is not None:
        return own
    config = small_object(surveys, _TOKENIZER_CONFIG)
    templates = config.get("chat_template")
    for named in templates if isinstance(templates, list) else []:
        if isinstance(named, dict) and named.get("name") == "default":
            templates = named.get("template")
    return templates.encode() if isinstance(templates, str) else None


def _tokenizer(surveys: Sequence[Known]) -> Digest | None:
    digests = [one.gguf.tokenizer for one in surveys if one.gguf and one.gguf.tokenizer]
    for name in ("tokenizer.json", "tokenizer.model"):
        digests += [Digest(f"sha256:{one.sha256}") for one in surveys if one.source.path == name]
    return digests[0] if digests else None


def _sampling(surveys: Sequence[Known]) -> dict[str, float]:
    defaults = small_object(surveys, _GENERATION_CONFIG)
    return {
        name: value
        for name, value in defaults.items()
        if name in _SAMPLING and isinstance(value, int | float)
    }


def small_object(surveys: Sequence[Known], path: str) -> dict[str, Json]:
    """Return the JSON object in a small file, empty if there is no such file."""
    data = _small(surveys, path)
    try:
        return {} if data is None else msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadHeader(path=path, format="JSON", why=str(error)) from error


def _small(surveys: Sequence[Known], path: str) -> bytes | None:
    """Return a small file's bytes, as they were digested, or None if there is no such file."""
    found = [one for one in surveys if one.source.path == path]
    if not found:
        return None
    with found[0].source.open() as file:
        data = file.read()
    if digest(data) != f"sha256:{found[0].sha256}":
        raise found[0].source.changed()
    return data
