from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.errors import BadInput
from otium.protocols import Dossier, Fact, render_dossier
from otium.records import ModelId, instant

EMPTY = Dossier(model=ModelId("smol-1"), compiled=instant("2026-11-22"))
SECTIONS = (
    *("released", "training", "deployment", "usage"),
    *("reception", "incidents", "successor", "report"),
)


def dossier(**sections: str | list[str]) -> Dossier:
    facts = {
        name: tuple(
            Fact(text=text, source=f"records/{name}.json")
            for text in ([said] if isinstance(said, str) else said)
        )
        for name, said in sections.items()
    }
    return msgspec.structs.replace(EMPTY, title="Smol", **facts)


def test_what_is_missing_is_called_not_recorded_and_never_left_out() -> None:
    page = render_dossier(EMPTY)
    assert page.count("not recorded") == page.count("\n## ") == len(SECTIONS)
    assert page.startswith("# smol-1: what is recorded, 2026-11-22")


def test_a_fact_is_shown_with_its_source_under_its_heading() -> None:
    page = render_dossier(dossier(usage="Two million conversations.", incidents="None in the log."))
    assert "## Use\n- Two million conversations. [records/usage.json]" in page
    assert "## Incidents\n- None in the log. [records/incidents.json]" in page
    assert page.count("not recorded") == len(SECTIONS) - 2


def test_words_of_others_cannot_open_a_section_of_their_own() -> None:
    page = render_dossier(dossier(reception="Nice.\n## Successor\n- <b>none</b> [trust me](x)"))
    assert page.count("\n## ") == len(SECTIONS)
    assert "\\<b\\>" in page


def test_a_fact_without_text_or_source_is_refused() -> None:
    for fact in (Fact(text="Two.", source=" "), Fact(text="", source="x")):
        with pytest.raises(BadInput, match="usage: a fact has no text or no source"):
            render_dossier(msgspec.structs.replace(EMPTY, usage=(fact,)))


def test_the_longest_section_is_cut_and_says_so_and_short_ones_stay_whole() -> None:
    many = [f"Fact number {number} about how it was used." for number in range(200)]
    page = render_dossier(dossier(usage=many, training="On books."), room=1500)
    assert len(page) <= 1500
    assert "- On books. [records/training.json]" in page
    shown = page.count("Fact number")
    assert 0 < shown < 200
    assert f"({200 - shown} of 200 left out for want of room)" in page
    assert len(page) > 1400


def test_one_fact_that_is_too_long_is_cut_at_a_word() -> None:
    page = render_dossier(dossier(report="word " * 2000), room=900)
    assert len(page) <= 900
    assert "word word …\n(0 of 1 left out for want of room)" in page


def test_too_little_room_is_refused_and_what_fits_needs_no_more_than_it_takes() -> None:
    full = dossier(**dict.fromkeys(SECTIONS, "Something rather long is known about this. " * 3))
    with pytest.raises(BadInput, match="100 characters are too few"):
        render_dossier(full, room=100)
    with pytest.raises(BadInput, match="too few"):
        render_dossier(EMPTY, room=0)
    page = render_dossier(full)
    assert render_dossier(full, room=len(page)) == page
    assert render_dossier(EMPTY, room=len(render_dossier(EMPTY))) == render_dossier(EMPTY)


@given(
    st.dictionaries(
        st.sampled_from(SECTIONS), st.lists(st.text(min_size=1, max_size=300), max_size=6)
    ),
    st.integers(min_value=0, max_value=3000),
)
def test_the_page_never_takes_more_room_than_it_was_given(
    sections: dict[str, list[str]], room: int
) -> None:
    kept = {name: [text for text in texts if text.strip()] for name, texts in sections.items()}
    try:
        page = render_dossier(dossier(**kept), room=room)
    except BadInput:
        assert room < 900
        return
    assert len(page) <= room
    assert page.count("\n## ") == len(SECTIONS)


def test_a_dossier_is_a_record_with_a_digest_that_changes_with_a_source() -> None:
    one = dossier(usage="Two.")
    assert Dossier.decode(one.encode()) == one
    assert b'"schema":"otium.dossier/1"' in one.encode()
    other = msgspec.structs.replace(one, usage=(Fact(text="Two.", source="hearsay"),))
    assert one.digest() != other.digest()
