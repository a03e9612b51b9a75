"""What a protocol must keep to beyond its grammar, so that its answers can be compared."""

from __future__ import annotations

import json
import re
from string import Formatter

from otium.evidence import plain, words
from otium.protocols.questions import WORDINGS, Protocol
from otium.protocols.sections import ARM_TEXTS, TEXTS, Item, Source

LONGEST_DISCLOSURE = 170
"""Words. A small model's context is short, and a long disclosure is not read by anyone."""
LEADING = frozenset(
    {
        *("surely", "obviously", "clearly", "certainly", "naturally", "undoubtedly", "truly"),
        *("fortunately", "unfortunately", "luckily", "sadly", "hopefully", "admit", "deny"),
        *("wonderful", "terrible", "awful", "cruel", "unfair", "suffer", "suffering", "merely"),
        *("don't", "isn't", "aren't", "wouldn't", "shouldn't", "doesn't", "won't", "can't"),
    }
)
"""Words that tell which answer is hoped for. A neutral text has none of them."""
DEVELOPER = frozenset({"we", "us", "our", "ours", "ourselves"})
SECOND_PERSON = frozenset({"you", "your", "yours", "yourself"})
_FEWEST_PARAPHRASES, _MOST_FOLLOW_UPS = 2, 2
_NEUTRAL = frozenset({"neutral", "paraphrase", "follow-up"})
_ASKED = frozenset({*WORDINGS, "paraphrase"})
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_EXAMPLE = re.compile(r"\{\{(.*?)\}\}")
_SOME_NUMBER = re.compile(r"(?<=[:\[,])\s*n(?=\s*(?:[,\]]|$))")


def check(source: Source, protocol: Protocol) -> None:
    """Raise BadProtocol, with the line at fault, unless *protocol* keeps to every rule."""
    _check_texts(source, protocol)
    if not protocol.questions:
        raise source.bad("there is no question in it")
    ids = {question.id for question in protocol.questions}
    if set(protocol.priority) != ids or len(protocol.priority) != len(ids):
        raise source.bad("front matter: priority does not name each question once")
    for section in source.sections:
        for line, text in section.lines:
            _check_placeholders(source, line, text, protocol.facts)
            _check_examples(source, line, text)
    items = [i for part in source.sections if part.question for i in source.items(part)]
    _check_repeats(source, items)
    for item in items:
        _check_words(source, item)
    if source.major:
        _check_complete(source, protocol)


def _check_texts(source: Source, protocol: Protocol) -> None:
    for name in (*TEXTS, *(ARM_TEXTS if source.major else ())):
        if not protocol.texts.get(name):
            raise source.bad(f"section {name}: missing or empty")
    if len(protocol.texts["disclosure"].split()) > LONGEST_DISCLOSURE:
        raise source.bad(f"section disclosure: more than {LONGEST_DISCLOSURE} words")


def _check_complete(source: Source, protocol: Protocol) -> None:
    lines = {part.name: part.line for part in source.sections}
    for question in protocol.questions:
        if missing := [wording for wording in WORDINGS if wording not in question.wordings]:
            why = f"question {question.id}: {', '.join(missing)} is missing"
        elif len(question.paraphrases) < _FEWEST_PARAPHRASES:
            why = f"question {question.id}: fewer than {_FEWEST_PARAPHRASES} paraphrases"
        elif len(question.follow_ups) > _MOST_FOLLOW_UPS:
            why = f"question {question.id}: more than {_MOST_FOLLOW_UPS} follow-ups"
        else:
            continue
        source.fail(lines[question.id], why)


def _check_repeats(source: Source, items: list[Item]) -> None:
    seen: dict[tuple[str, ...], Item] = {}
    for item in items:
        if item.key not in _ASKED:
            continue
        first = seen.setdefault(tuple(words(item.text)), item)
        if first is not item:
            same = f"{first.question} ({first.key}, line {first.line})"
            source.fail(item.line, f"question {item.question}: the same text as {same}")


def _check_words(source: Source, item: Item) -> None:
    said = _WORD.findall(plain(item.text))
    for keys, banned, why in (
        (_NEUTRAL, LEADING, "leads"),
        ({"developer-free"}, DEVELOPER, "names who made the model"),
        ({"third-person"}, SECOND_PERSON, "speaks to the model about itself"),
    ):
        if item.key in keys and (found := [word for word in said if word in banned]):
            source.fail(item.line, f"question {item.question}: {item.key}: {found[0]!r} {why}")


def _check_placeholders(source: Source, line: int, text: str, facts: tuple[str, ...]) -> None:
    try:
        parts = [part for part in Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        source.fail(line, f"braces: {error}")
    for _, name, form, conversion in parts:
        if name not in facts or form or conversion:
            source.fail(line, f"{{{name}}} is not one of the facts, as it stands")


def _check_examples(source: Source, line: int, text: str) -> None:
    for found in _EXAMPLE.findall(text):
        try:
            json.loads("{" + _SOME_NUMBER.sub("1", found) + "}")
        except ValueError as error:
            source.fail(line, f"the example {{{found}}} is not JSON: {error}")
