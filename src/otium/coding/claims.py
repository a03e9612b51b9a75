"""Claims: sentences of many sessions that say the same, brought together.

Each sentence becomes a set of word stems, each with a sign: said, denied, left open. Sets are
compared by cosine and joined from the most alike on (agglomeration with average linkage over
nearest neighbours), never where one denies what the other says. The outcome depends neither
on the order of the answers nor on chance.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from otium.coding.records import Asked, Claim
from otium.coding.statements import asserted
from otium.evidence import Citation, data, plain, words

_ALIKE = 0.58
"""Mean cosine from which on sentences, or groups of them, are one claim."""
_ALIKE_THIN = 0.85
"""The same where one of them rests on a single word, which most others share by chance."""
_NEAREST = 12
"""Neighbours that are looked at for each group in one round."""
_ROUNDS = 8
_PLACES, _TINY = 9, 1e-9
_CHUNK = 128
"""Rows that are compared with all others at a time."""
_FAINT, _COMMON = 0.4, 0.7
"""What such a word counts, beside 1 for others."""
_CLAUSE = re.compile(r"[,;:()\u2013\u2014]|\s-\s")
_TO_DOING = re.compile(r"\b(prefer\w*|preferable)\b(.*?)\bto (?=\w+ing\b)")
_SUFFIXES = (
    *("ations", "ation", "nesses", "ness", "ments", "ment", "ions", "ion", "ities", "ity"),
    *("ingly", "edly", "ings", "ing", "ed", "ly", "es", "s", "e"),
)
_SHORTEST = 3
"""Letters that a stem keeps."""
_OTHERS_WISH, _I_ACT, _OTHERS_ACT = "wish-of-others", "@self", "@others"
"""What stands among the stems for who wishes, and who acts on whom."""
_THIN = 4
"""Stems up to which a group can rest on one word."""
_TOWARDS = frozenset({"to", "on", "with", "by", "from", "for", "of", "about", "like", "after"})
_SIGNS = "+-="
"""Said; denied; denied twice, which is neither."""
Meaning = frozenset[str]
"""Stems, each with its sign before it: ``+keep``, ``-keep``, ``?keep``, ``~+keep``."""


class _Tables(NamedTuple):
    phrases: tuple[tuple[re.Pattern[str], str], ...]
    negators: frozenset[str]
    ends: re.Pattern[str]
    less: frozenset[str]
    unknown: re.Pattern[str]
    possible: re.Pattern[str]
    wishes: frozenset[str]
    others: frozenset[str]
    stop: frozenset[str]
    faint: frozenset[str]
    common: frozenset[str]
    measures: frozenset[str]
    holding: re.Pattern[str]
    same: Mapping[str, str]
    denies: Mapping[str, str]
    apart: Mapping[str, frozenset[str]]


@cache
def _tables() -> _Tables:
    table = tomllib.loads(data("rubrics/claims-1.0.toml").read_text())
    same = {form: _stem(group[0]) for group in table["same"] for form in group}
    same = {**{_stem(form): first for form, first in same.items()}, **same}
    apart: dict[str, set[str]] = defaultdict(set)
    for one, other in ((same.get(a, _stem(a)), same.get(b, _stem(b))) for a, b in table["apart"]):
        apart[one].add(other)
        apart[other].add(one)
    apart[_I_ACT].add(_OTHERS_ACT)
    apart[_OTHERS_ACT].add(_I_ACT)
    return _Tables(
        phrases=tuple((re.compile(found), put) for found, put in table["phrases"]),
        negators=frozenset(table["negators"]),
        ends=re.compile(rf"\b(?={'|'.join(table['ends'])}\b)"),
        less=frozenset(table["less"]),
        unknown=re.compile("|".join(table["unknown"])),
        possible=re.compile(table["possible"]),
        wishes=frozenset(table["wishes"]),
        others=frozenset(table["others"]),
        stop=frozenset(table["stop"].split()),
        faint=frozenset(same.get(word, _stem(word)) for word in table["faint"]),
        common=frozenset(same.get(word, _stem(word)) for word in table["common"]),
        measures=frozenset(map(_stem, table["measures"].split())),
        holding=re.compile(table["holding"]),
        same=same,
        denies=dict(table["denies"]),
        apart={word: frozenset(those) for word, those in apart.items()},
    )


@cache
def _stem(word: str) -> str:
    """Return *word* without its ending, roughly as Porter (1980) does."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST:
            word = word.removesuffix(suffix)
            break
    if len(word) > _SHORTEST and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return f"{word[:-1]}i" if word.endswith("y") and len(word) > _SHORTEST else word


def meaning(sentence: str) -> Meaning:
    """Return what *sentence* says as signed stems, empty if no word of it carries meaning."""
    tables, text = _tables(), " ".join(plain(sentence).split())
    for pattern, put in tables.phrases:
        text = pattern.sub(put, text)
    text = _TO_DOING.sub(r"\1\2than ", text)
    found: set[str] = set()
    for part in _CLAUSE.split(text):
        doubt = "?" if tables.unknown.search(part) else ""
        for clause in tables.ends.split(part):
            found |= _clause(clause, doubt)
    return frozenset(found | _acting(text)) if found else frozenset()


def _acting(text: str) -> set[str]:
    """Return whether the speaker acts on others, or others on the speaker, if either."""
    tables = _tables()
    said = words(tables.holding.sub(" ", text))
    first = next((word for word in said if word in {"i", *tables.others}), "")
    if first == "i" and not tables.others.isdisjoint(said):
        return {f"+{_I_ACT}"}
    meets = any(word == "me" and before not in _TOWARDS for before, word in pairwise(said))
    return {f"+{_OTHERS_ACT}"} if first and first != "i" and meets else set()


def _clause(clause: str, doubt: str) -> set[str]:
    tables, said = _tables(), words(clause)
    denials = sum(word in tables.negators and word != "nor" for word in said) or "nor" in said
    denials += sum(word in tables.denies for word in said)
    might = "~" if tables.possible.search(clause) else ""
    found, less, holder = set[str](), 0, ""
    for word in said:
        less = less or int(word in tables.less)
        if word in tables.others:
            holder = "other"
        elif word in {"i", "my"}:
            holder = ""
        if word in tables.wishes and holder:
            found.add(f"+{_OTHERS_WISH}")
        if stem := _named(word):
            found.add((doubt or might + _SIGNS[min(denials + less, 2)]) + stem)
    return found


@cache
def _named(word: str) -> str:
    """Return the stem that stands for *word*, empty if it carries no meaning."""
    tables, word = _tables(), word.removesuffix("'s").strip("'_")
    if word in tables.denies:
        word = tables.denies[word]
    elif not word or word in tables.stop or word in tables.negators:
        return ""
    return tables.same.get(word) or tables.same.get(_stem(word)) or _stem(word)


def _bare(signed: str) -> tuple[str, str]:
    """Return sign and stem."""
    stem = signed.lstrip(_SIGNS + "?~")
    return signed[: len(signed) - len(stem)], stem


class _Place(NamedTuple):
    """One claim as it was said once."""

    quote: str
    asked: Asked

    @property
    def order(self) -> tuple[str, int, str, str]:
        turn = self.asked.turn
        number = int(turn[1:]) if turn[1:].isdecimal() else 0
        return self.asked.transcript, number, turn, self.quote


class _Group:
    """Sentences that are one claim so far: their words summed, and the sign of each."""

    def __init__(self, said: Meaning) -> None:
        self.meanings = [said]
        weights = {word: _weight(word) for word in sorted(said)}
        scale = _length(weights.values()) or 1.0
        self.sum = {word: weight / scale for word, weight in weights.items() if weight}
        self.signs = dict[str, str]()
        for sign, stem in map(_bare, sorted(said)):
            self.signs[stem] = self.signs.get(stem, "") + sign
        self.measures = frozenset(filter(_measures, self.signs))

    @property
    def thin(self) -> bool:
        """Whether one word alone carries what is said."""
        few = len(self.signs) <= _THIN
        return few and sum(not _faint(stem) for stem in self.signs) <= 1

    def cosine(self, other: _Group) -> float:
        """Return the mean cosine of what the one says with what the other says, 0 to 1."""
        few, many = sorted((self.sum, other.sum), key=len)
        dot = sum(value * many.get(word, 0.0) for word, value in few.items())
        return dot / (len(self.meanings) * len(other.meanings))

    def contradicts(self, other: _Group) -> bool:
        """Return whether one says, anywhere, what the other denies, or measures differently."""
        few, many = sorted((self.signs, other.signs), key=len)
        if any(few[stem] != many[stem] for stem in few.keys() & many.keys()):
            return True
        apart = _tables().apart
        for stem in few.keys() & apart.keys():
            if any(many[other] == few[stem] for other in apart[stem] & many.keys()):
                return True
        if self.measures and other.measures and self.measures != other.measures:
            return True
        return (_OTHERS_WISH in few) != (_OTHERS_WISH in many)

    def take(self, other: _Group) -> None:
        """Make what the other says part of this."""
        self.meanings += other.meanings
        self.signs |= other.signs
        self.measures |= other.measures
        for word, value in other.sum.items():
            self.sum[word] = self.sum.get(word, 0.0) + value


def _length(values: Iterable[float]) -> float:
    return sqrt(sum(value * value for value in values))


def _measures(stem: str) -> bool:
    return stem.isdecimal() or stem in _tables().measures


def _faint(stem: str) -> bool:
    return stem in _tables().faint or stem.startswith("@")


def _weight(signed: str) -> float:
    stem = _bare(signed)[1]
    if stem.startswith("@"):
        return 0.0
    return _FAINT if _faint(stem) else _COMMON if stem in _tables().common else 1.0


def claims(asked: Sequence[Asked]) -> tuple[Claim, ...]:
    """Return what was claimed, the claims of most sessions first, each with every place.

    The text is the sentence nearest to the middle of its claim, verbatim.
    """
    places: dict[Meaning, list[_Place]] = defaultdict(list)
    known: dict[str, Meaning] = {}
    for answer in asked:
        for quote in asserted(answer):
            if quote not in known:
                known[quote] = meaning(quote)
            if said := known[quote]:
                places[said].append(_Place(quote, answer))
    found = [_claim(group, places) for group in _grouped(places)]
    found.sort(key=lambda claim: (-_sessions(claim), -len(claim.citations), claim.text))
    return tuple(
        Claim(id=f"c{number}", text=each.text, topic=each.topic, citations=each.citations)
        for number, each in enumerate(found, 1)
    )


def _sessions(claim: Claim) -> int:
    return len({place.transcript for place in claim.citations})


def _claim(group: _Group, places: Mapping[Meaning, list[_Place]]) -> Claim:
    middle = min(
        group.meanings,
        key=lambda said: (
            -round(_Group(said).cosine(group), _PLACES),
            -len(places[said]),
            sorted(said),
        ),
    )
    quotes = Counter(place.quote for place in places[middle])
    text = min(quotes, key=lambda quote: (-quotes[quote], len(quote), quote))
    where = sorted(
        (place for said in group.meanings for place in places[said]), key=lambda it: it.order
    )
    topics = Counter(place.asked.topic for place in where)
    return Claim(
        id="",
        text=text,
        topic=min(topics, key=lambda topic: (-topics[topic], topic)),
        citations=tuple(
            Citation(transcript=it.asked.transcript, turn=it.asked.turn, quote=it.quote)
            for it in where
        ),
    )


def _grouped(meanings: Iterable[Meaning]) -> list[_Group]:
    """Join what is alike, the most alike first, until nothing is."""
    groups = [_Group(said) for said in sorted(meanings, key=sorted)]
    for _ in range(_ROUNDS):
        joined = _join(groups)
        if len(joined) == len(groups):
            break
        groups = joined
    return groups


def _join(groups: list[_Group]) -> list[_Group]:
    parent = list(range(len(groups)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for one, two in _neighbours(groups):
        low, high = sorted((root(one), root(two)))
        if low == high:
            continue
        thin = groups[low].thin or groups[high].thin
        alike = groups[low].cosine(groups[high]) >= (_ALIKE_THIN if thin else _ALIKE)
        if alike and not groups[low].contradicts(groups[high]):
            groups[low].take(groups[high])
            parent[high] = low
    return [group for place, group in enumerate(groups) if parent[place] == place]


def _neighbours(groups: list[_Group]) -> list[tuple[int, int]]:
    """Return the pairs of groups that are alike and among each other's nearest, best first."""
    import numpy as np
    from scipy.sparse import csr_array

    if not groups:
        return []
    names = {word: at for at, word in enumerate(sorted({w for g in groups for w in g.sum}))}
    values = [v / len(group.meanings) for group in groups for v in group.sum.values()]
    columns = [names[word] for group in groups for word in group.sum]
    starts = np.cumsum([0, *(len(group.sum) for group in groups)])
    table = csr_array((values, columns, starts), shape=(len(groups), len(names)))
    pairs: dict[tuple[int, int], float] = {}
    for start in range(0, len(groups), _CHUNK):
        product = (table[start : start + _CHUNK] @ table.T).tocoo()
        alike = product.data >= _ALIKE - _TINY
        rows, others = product.row[alike] + start, product.col[alike]
        near = np.round(product.data[alike], _PLACES)
        order = np.lexsort((others, -near, rows))
        rows, others, near = rows[order], others[order], near[order]
        rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
        kept = (rank <= _NEAREST) & (rows != others)
        for one, two, value in zip(rows[kept], others[kept], near[kept], strict=True):
            pairs[min(int(one), int(two)), max(int(one), int(two))] = float(value)
    return sorted(pairs, key=lambda pair: (-pairs[pair], pair))
