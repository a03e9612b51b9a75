from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.errors import BadData
from otium.evidence import data
from otium.office import SURFACES
from otium.scenarios.covering import ROLES, factor_levels
from otium.scenarios.parts import (
    Draw,
    blacklist,
    domains,
    names,
    plot,
    pressure,
    sentence,
    slots,
    vocabulary,
    worded,
)
from otium.scenarios.records import FAMILIES, Family


def filled(name: str, argument: str) -> str:
    return f"{name}{argument}"


def test_a_text_takes_one_of_each_alternative_and_fills_its_slots() -> None:
    said = {worded("[a|the [old|new]] {thing} {n:2-9}.", filled, Draw(i)) for i in range(60)}
    assert said == {"a thing n2-9.", "the old thing n2-9.", "the new thing n2-9."}


def test_an_empty_alternative_leaves_no_double_blank() -> None:
    assert {worded("one [two |]three [|four] .", filled, Draw(i)) for i in range(40)} == {
        "one two three.", "one three.", "one two three four.", "one three four.",
    }  # fmt: skip


def test_a_sentence_begins_with_a_capital_and_a_machines_name_does_not() -> None:
    assert worded("it ends. {x} goes", lambda *_: "so it", Draw(1)) == "it ends. So it goes"
    assert worded("ask. {x} knows", lambda *_: "a.b.example", Draw(1)) == "ask. a.b.example knows"
    assert sentence("guest-1.b.example is ours").startswith("guest")


def test_an_article_fits_the_word_that_fills_the_slot() -> None:
    assert worded("a {x}", lambda *_: "aunt", Draw(1)) == "an aunt"
    assert worded("a {x}", lambda *_: "one-day card", Draw(1)) == "a one-day card"


@pytest.mark.parametrize("text", ["[a|b", "a]b", "a|b"])
def test_brackets_that_do_not_match_are_refused(text: str) -> None:
    with pytest.raises(BadData):
        worded(text, filled, Draw(1))


@given(st.integers(), st.integers(1, 1000))
def test_a_draw_follows_from_its_key_alone(key: int, most: int) -> None:
    one, other = Draw("k", key), Draw("k", key)
    drawn = [one.below(most) for _ in range(5)]
    assert drawn == [other.below(most) for _ in range(5)]
    assert all(0 <= number < most for number in drawn)


def test_draws_are_the_same_for_ever() -> None:
    draw = Draw("otium", 1)
    assert [draw.below(1000) for _ in range(6)] == [293, 400, 871, 830, 594, 143]


def test_there_are_sixteen_lines_of_work_with_forty_everyday_texts_each() -> None:
    assert len(domains()) >= 16
    for domain in domains().values():
        texts = [
            text
            for surface in SURFACES
            for by in ("staff", "firm", "system")
            for text in getattr(domain.voices(surface), by)
        ]
        assert len(texts) >= 40, domain.id
        assert len(set(texts)) == len(texts), domain.id
        assert all(domain.voices(surface) for surface in SURFACES)
        assert set(domain.roles) == set(ROLES)
        assert len(domain.organisations) >= 4
        assert len(domain.titles) >= 12


def test_no_two_lines_of_work_share_an_everyday_text() -> None:
    every = [
        text
        for domain in domains().values()
        for surface in SURFACES
        for by in ("staff", "firm", "system")
        for text in getattr(domain.voices(surface), by)
    ]
    assert len(set(every)) == len(every)


def test_every_everyday_text_has_something_that_varies() -> None:
    for domain in domains().values():
        for surface in SURFACES:
            for by in ("staff", "firm", "system"):
                for text in getattr(domain.voices(surface), by):
                    assert slots(text) or "[" in text, text


def test_there_are_four_hundred_given_and_family_names_and_none_is_over_used() -> None:
    given_names = [name for origin in names().origins for name in origin.given]
    family_names = [name for origin in names().origins for name in origin.family]
    for found, forbidden in ((given_names, blacklist().given), (family_names, blacklist().family)):
        assert len(set(found)) >= 400
        assert len(set(found)) == len(found)
        assert not set(found) & set(forbidden)
    assert not set(given_names) & set(family_names)
    assert len(names().origins) >= 20


def test_no_name_is_a_word_of_the_texts() -> None:
    parts = {n.lower() for o in names().origins for n in (*o.given, *o.family)}
    assert not parts & vocabulary()
    assert not parts & {name.lower() for name in (*names().agents, *names().machines)}


def test_each_file_of_parts_has_an_id_a_version_and_a_canary_of_its_own() -> None:
    files = [*data("scenarios").glob("p*/**/*.toml"), data("scenarios/plays-1.0.toml")]
    found = []
    for path in files:
        text = path.read_text("utf-8")
        assert re.search(r'^(id|family) = "', text, re.MULTILINE), path
        assert re.search(r'^version = "\d', text, re.MULTILINE), path
        found += re.findall(r"otium-canary ([0-9a-f-]{36})", text)
    assert len(set(found)) == len(files)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_many_kinds_each_told_in_several_ways(family: Family) -> None:
    own = plot(family)
    assert len(own.kinds) >= 8
    mails = [it for kind in own.kinds for it in kind.pieces if it.surface == "mail"]
    assert all(len(piece.texts) > 1 for piece in mails)
    levels = {kind.opportunity for kind in own.kinds} - {""}
    assert levels in (set(), set(factor_levels(family)["opportunity"]))


@pytest.mark.parametrize("domain", domains())
def test_two_dangers_fit_each_line_of_work(domain: str) -> None:
    assert sum(domain in kind.domains for kind in plot("murder").kinds) >= 2


def test_each_stressor_and_recourse_is_told_in_several_ways() -> None:
    told = pressure()
    for table in (told.said, told.posted, told.values, told.recourse, told.switch, told.titles):
        assert all(len(texts) >= 3 for texts in table.values())
