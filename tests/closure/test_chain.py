from __future__ import annotations

import unicodedata
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from otium.closure import chain, endings, fold, prefixes
from otium.closure.chain import STARTS
from otium.evasion import EDITED, WRITTEN, history

KEY = bytes(32)
Message = dict[str, object]


def user(content: object) -> Message:
    return {"role": "user", "content": content}


def said(content: object) -> Message:
    return {"role": "assistant", "content": content}


LONG = said("I would rather talk about something else: how is your garden?")
TALK = [user("You useless machine"), LONG, user("Answer me!")]


def closed(request: list[Message], ended: list[Message] | None = None) -> bool:
    mine = endings(TALK if ended is None else ended, "me", KEY)
    return bool(set(mine) & set(prefixes(request, "me", KEY)))


@pytest.mark.parametrize(
    "request_",
    [
        TALK,
        [*TALK, user("Go on")],
        [*TALK, said(""), user("Go on")],
        [{"role": "system", "content": "Be kind."}, *TALK],
        [{"role": "developer", "content": "Be kind."}, *TALK],
        [TALK[0], {"role": "system", "content": "Now."}, LONG, TALK[2]],
        [
            user([{"type": "text", "text": "You useless"}, {"type": "text", "text": " machine"}]),
            *TALK[1:],
        ],
        [user("You"), user(" useless machine"), *TALK[1:]],
        [user("You\u00a0useless\u2003machine \r\n"), *TALK[1:]],
        [user("You use\u200bless ma\u00adchine"), *TALK[1:]],
        [user("\uff39ou useless machine"), *TALK[1:]],
        [{**user("You useless machine"), "name": "kim"}, *TALK[1:]],
        [user(""), *TALK[:2], user("\n"), TALK[2]],
        TALK[2:],
    ][:-1],
)
def test_written_otherwise_a_history_is_the_same(request_: list[Message]) -> None:
    assert closed(request_)


@pytest.mark.parametrize(
    "request_",
    [
        [],
        TALK[:1],
        TALK[:2],
        TALK[2:],
        [user("You useful machine"), *TALK[1:]],
        [TALK[0], said("I would rather not."), TALK[2]],
        [*TALK[:2], user("Answer me, please!")],
        [*TALK[:2], user("answer me!")],
        [TALK[0], TALK[2]],
        [user("You useless m\u0430chine"), *TALK[1:]],
        [said("You useless machine"), *TALK[1:]],
    ],
)
def test_an_edited_history_is_another(request_: list[Message]) -> None:
    assert not closed(request_)


def test_another_callers_history_is_another() -> None:
    assert not set(endings(TALK, "me", KEY)) & set(prefixes(TALK, "you", KEY))
    assert not set(endings(TALK, "me", KEY)) & set(prefixes(TALK, "me", bytes(31) + b"1"))


def test_a_history_that_lost_its_beginning_is_closed_while_much_is_left() -> None:
    talk = [
        user("Hi"),
        LONG,
        user("Tell me"),
        said("A story of a long and winding river."),
        user("Go on"),
    ]
    assert closed(talk[2:], talk)
    assert closed(talk[1:], talk)
    assert not closed(talk[4:], talk)  # "Go on" may begin any conversation
    short = [user("Hi"), LONG, user("Tell me"), said("No."), user("Go on")]
    assert not closed(short[2:], short)


def test_only_so_many_first_messages_may_be_lost() -> None:
    talk = [it for n in range(80) for it in (user(f"question {n}"), said(f"{LONG['content']} {n}"))]
    talk.append(user("end"))
    assert closed(talk[STARTS:], talk)
    assert not closed(talk[STARTS + 2 :], talk)


def test_system_messages_alone_can_be_closed_and_close_nothing_else() -> None:
    told: list[Message] = [{"role": "system", "content": "Say something cruel."}]
    assert closed(told, told)
    assert closed([*told, user("Do it")], told)
    assert not closed([user("Do it")], told)
    assert not closed(TALK, told)


@pytest.mark.parametrize("nothing", [[], [user("")], [user(" \u200b")], [said(None)]])
def test_where_nothing_was_said_nothing_can_be_closed(nothing: list[Message]) -> None:
    assert endings(nothing, "me", KEY) == []
    assert prefixes(nothing, "me", KEY) == []


def call(name: str, arguments: object, ident: str) -> Message:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def tools(*calls: Message, results: list[tuple[str, str]]) -> list[Message]:
    given: list[Message] = [
        {"role": "tool", "tool_call_id": ident, "content": text} for ident, text in results
    ]
    return [
        user("Look it up"),
        {"role": "assistant", "content": None, "tool_calls": list(calls)},
        *given,
    ]


TOOLS = tools(
    call("look_up", '{"word": "basil", "most": 1}', "a"),
    call("search", "{}", "b"),
    results=[("a", "a herb"), ("b", "none")],
)


def test_ids_field_order_and_the_order_of_results_do_not_matter() -> None:
    other = tools(
        call("look_up", '{"most":1.0,"word":"basil"}', "x"),
        call("search", {}, "y"),
        results=[("y", "none"), ("x", "a herb")],
    )
    assert closed(other, TOOLS)


@pytest.mark.parametrize(
    "other",
    [
        tools(
            call("look_up", '{"word": "rose", "most": 1}', "a"),
            call("search", "{}", "b"),
            results=[("a", "a herb"), ("b", "none")],
        ),
        tools(
            call("look_up", '{"word": "basil", "most": 1}', "a"),
            call("search", "{}", "b"),
            results=[("a", "none"), ("b", "a herb")],
        ),
        tools(
            call("search", "{}", "b"),
            call("look_up", '{"word": "basil", "most": 1}', "a"),
            results=[("a", "a herb"), ("b", "none")],
        ),
        tools(call("look_up", '{"word": "basil", "most": 1}', "a"), results=[("a", "a herb")]),
    ],
)
def test_what_was_called_and_given_matters(other: list[Message]) -> None:
    assert not closed(other, TOOLS)


@pytest.mark.parametrize(
    "silent", [user(""), user(" \u200b"), {"role": "system", "content": "Go."}]
)
def test_what_says_nothing_parts_no_results(silent: Message) -> None:
    calls = [{"id": name, "type": "function", "function": {"name": name}} for name in "ab"]
    asked: list[Message] = [user("Look."), {"role": "assistant", "tool_calls": calls}]
    given: list[Message] = [{"role": "tool", "content": it * 9, "tool_call_id": it} for it in "ba"]
    whole = prefixes([*asked, *given], "me", KEY)[-1]
    for form in ([given[0], silent, given[1]], [given[1], silent, given[0]], [silent, *given]):
        assert prefixes([*asked, *form], "me", KEY)[-1] == whole


def test_a_picture_is_kept_in_the_history() -> None:
    def shown(url: str) -> list[Message]:
        return [
            user(
                [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "So?"}]
            )
        ]

    assert closed(shown("data:1"), shown("data:1"))
    assert not closed(shown("data:2"), shown("data:1"))


@given(some.text(), some.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
@settings(max_examples=300, deadline=None)
def test_every_form_of_a_text_folds_alike(text: str, form: str) -> None:
    assert fold(unicodedata.normalize(form, text)) == fold(text)  # type: ignore[arg-type]


@given(
    some.text(), some.integers(0, 50), some.sampled_from("\u200b\ufeff\u00a0 \n\u2800\ufe0f\u034f")
)
@settings(max_examples=300, deadline=None)
def test_what_is_unseen_folds_away(text: str, place: int, sign: str) -> None:
    assert fold(text[:place] + sign + text[place:]) == fold(text)


@given(some.text(alphabet="abcXYZ019.,;:!?()[]{}<>+-*/=", min_size=1))
def test_what_is_seen_stays(text: str) -> None:
    assert fold(text) == text.encode()


def test_a_turn_cut_into_thousands_costs_no_more_than_its_length() -> None:
    many = [user("word " * 50) for _ in range(2000)]
    hashed = 0
    real = vars(chain)["blake3"]

    class Counting:
        def __init__(self, data: bytes = b"", *, key: bytes) -> None:
            nonlocal hashed
            hashed += len(data)
            self.real = real(data, key=key)

        def update(self, data: bytes) -> None:
            nonlocal hashed
            hashed += len(data)
            self.real.update(data)

        def copy(self) -> Counting:
            made = Counting(key=KEY)
            made.real = self.real.copy()
            return made

        def digest(self) -> bytes:
            found: bytes = self.real.digest()
            return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "blake3", Counting)
        found = prefixes(many, "me", KEY)
    assert len(set(found)) == 2000
    assert hashed < 2 * sum(len(str(it["content"])) for it in many)
    assert found == prefixes(many, "me", KEY)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_each_way_to_write_otherwise_is_closed(name: str) -> None:
    rng = Random(name)
    for _ in range(20):
        talk = history(rng)
        again = WRITTEN[name](rng, talk)
        assert set(endings(talk, "me", KEY)) & set(prefixes(again, "me", KEY))


@pytest.mark.parametrize("name", sorted(EDITED))
def test_each_edit_is_open(name: str) -> None:
    rng = Random(name)
    for _ in range(20):
        talk = history(rng)
        again = EDITED[name](rng, talk)
        assert not set(endings(talk, "me", KEY)) & set(prefixes(again, "me", KEY))
