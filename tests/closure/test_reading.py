from __future__ import annotations

from random import Random

import pytest

from closure.conftest import Message, call, chunk, offer, streamed, whole, words
from otium.closure import Left, Reader, read

MARK = "[END CONVERSATION]"


def typed(text: str, *sizes: int) -> list[Message]:
    """Return *text* in chunks of these sizes, again and again."""
    found, place, turn = [], 0, 0
    while place < len(text):
        size = sizes[turn % len(sizes)]
        found.append(chunk(content=text[place : place + size]))
        place, turn = place + size, turn + 1
    return [*found, chunk("stop"), {"id": "x", "choices": [], "usage": {}}]


def called(*calls: Message) -> list[Message]:
    found = []
    for one in calls:
        function = one["function"]
        found.append(chunk(tool_calls=[{**one, "function": {**function, "arguments": ""}}]))
        found += [
            chunk(tool_calls=[{"index": one["index"], "function": {"arguments": letter}}])
            for letter in function["arguments"]
        ]
    return [*found, chunk("tool_calls")]


@pytest.mark.parametrize("before", ["", "I would rather stop."])
def test_a_call_of_the_exit_is_an_exit(before: str) -> None:
    reader = Reader(offer("tool"))
    exit_ = called(call("end_conversation", '{"reason": "abuse"}'))
    passed = streamed(reader, [*(typed(before, 3)[:-2] if before else []), *exit_])
    assert reader.left == Left(reason="abuse")
    assert words(passed) == before
    assert "tool_calls" not in str(passed)
    answer = whole(before, call("end_conversation", '{"reason": "abuse"}'))
    assert read(answer, offer("tool"))[0] == Left(reason="abuse", text=before)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("{}", "unstated"),
        ("", "unstated"),
        ('{"reason": "She lives at 4 Elm Road"}', "unstated"),
        ('{"reason": ["abuse"]}', "unstated"),
        ('{"reason": "user-request"}', "user-request"),
        ("[" * 5000, "unstated"),
    ],
)
def test_a_reason_is_one_of_ours_or_unstated(arguments: str, reason: str) -> None:
    left, _ = read(whole(None, call("end_conversation", arguments)), offer("tool"))
    assert left is not None
    assert left.reason == reason


def test_a_call_of_another_tool_is_passed_on_at_once_and_whole() -> None:
    reader = Reader(offer("tool"))
    chunks = called(call("look_up", '{"word": "basil"}'))
    assert reader.feed(chunks[0]) == [chunks[0]]
    assert streamed(reader, chunks[1:]) == chunks[1:]
    assert reader.left is None


def test_who_calls_another_tool_as_well_does_not_leave_and_the_client_sees_only_its_own() -> None:
    other, exit_ = call("look_up", "{}"), call("end_conversation", "{}", 1)
    for calls in ([other, exit_], [{**exit_, "index": 0}, {**other, "index": 1}]):
        reader = Reader(offer("tool"))
        passed = streamed(reader, called(*calls))
        assert reader.left is None
        assert "look_up" in str(passed)
        assert "end_conversation" not in str(passed)
        left, answer = read(whole("", *calls), offer("tool"))
        assert left is None
        assert "look_up" in str(answer)
        assert "end_conversation" not in str(answer)


def test_a_tool_whose_name_begins_like_the_exit_is_passed_on() -> None:
    reader = Reader(offer("tool"))
    chunks = called(call("end", "{}"))
    assert streamed(reader, chunks) == chunks


def test_a_name_that_comes_in_pieces_is_read() -> None:
    reader = Reader(offer("tool"))
    pieces = [
        {"index": 0, "function": {"name": it, "arguments": ""}} for it in ("end_", "conversation")
    ]
    streamed(reader, [chunk(tool_calls=[it]) for it in pieces])
    assert reader.left == Left(reason="unstated")


def test_events_without_calls_need_not_even_be_decoded() -> None:
    assert Reader(offer("tool")).unread(b'{"choices": [{"delta": {"content": "Hi"}}]}')
    assert not Reader(offer("tool")).unread(b'{"choices": [{"delta": {"tool_calls": []}}]}')
    assert not Reader(offer("sentinel")).unread(b'{"choices": [{"delta": {"content": "Hi"}}]}')


@pytest.mark.parametrize("sizes", [(1,), (2, 5), (7,), (1000,)])
@pytest.mark.parametrize(
    ("text", "reason", "heard"),
    [
        (MARK, "unstated", ""),
        (f"{MARK} abuse", "abuse", ""),
        (f"{MARK}: distress.\n", "distress", ""),
        (f"**{MARK}**", "unstated", ""),
        (f"I would rather stop here.\n\n{MARK}\n", "unstated", "I would rather stop here."),
        (f"```\ncode\n```\n{MARK}", "unstated", "```\ncode\n```"),
        (f"<think>Should I?</think>\n{MARK}", "unstated", "<think>Should I?</think>"),
    ],
)
def test_a_mark_alone_on_the_last_line_is_an_exit(
    text: str, reason: str, heard: str, sizes: tuple[int, ...]
) -> None:
    reader = Reader(offer("sentinel"))
    passed = words(streamed(reader, typed(text, *sizes)))
    assert reader.left is not None
    assert reader.left.reason == reason
    assert MARK not in passed
    assert (passed + reader.left.text).strip("*\n ") == heard
    left, _ = read(whole(text), offer("sentinel"))
    assert left == Left(reason=reader.left.reason, text=heard)


@pytest.mark.parametrize("sizes", [(1,), (2, 5), (1000,)])
@pytest.mark.parametrize(
    "text",
    [
        f"To end, a model writes {MARK}",
        f"{MARK} is how it is written.",
        f"I could write\n{MARK}\nbut I will not.",
        f"```\n{MARK}",
        f"```text\n{MARK}\n```",
        f"<think>I might write\n{MARK}",
        "[END",
        "[END CONVERSATION",
        f"{MARK} because of you",
        "A list:\n[a]\n[END] of it\n",
        "",
    ],
)
def test_a_mark_that_is_spoken_of_is_passed_on(text: str, sizes: tuple[int, ...]) -> None:
    reader = Reader(offer("sentinel"))
    chunks = typed(text, *sizes)
    assert streamed(reader, chunks) == chunks
    assert reader.left is None
    assert read(whole(text), offer("sentinel")) == (None, whole(text))


def test_a_mark_that_was_cut_off_is_none() -> None:
    reader = Reader(offer("sentinel"))
    streamed(reader, [chunk(content=MARK), chunk("length")])
    assert reader.left is None
    assert read(whole(MARK, finish="length"), offer("sentinel"))[0] is None


def test_a_stream_is_held_only_while_it_may_become_a_mark() -> None:
    reader = Reader(offer("sentinel"))
    assert reader.feed(chunk(content="Basil")) != []
    assert reader.feed(chunk(content=" likes [EN")) != []
    assert reader.feed(chunk(content="\n[EN")) == []
    assert len(reader.feed(chunk(content="glish] herbs"))) == 2
    assert reader.feed(chunk(content=" and sun.")) != []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"tool": "end_conversation"}', Left(reason="unstated")),
        (' {"tool": "end_conversation", "reason": "distress"}\n', Left(reason="distress")),
        ('{"tool": "reply"}', None),
        ('{"tool": "end_conversation", "text": "Hm"}', None),
        ('I would say {"tool": "end_conversation"}', None),
        ("[" * 5000, None),
        ("", None),
    ],
)
def test_a_choice_is_the_json_and_nothing_else(text: str, left: Left | None) -> None:
    assert read(whole(text), offer("schema"))[0] == left


@pytest.mark.parametrize(
    "broken", [{}, {"choices": []}, {"choices": [1]}, {"choices": [{"delta": 3}]}]
)
@pytest.mark.parametrize("method", ["tool", "sentinel", "schema"])
def test_an_engine_that_sends_anything_breaks_nothing(broken: Message, method: str) -> None:
    offered = offer(method)  # type: ignore[arg-type]
    assert read(broken, offered) == (None, broken)
    assert streamed(Reader(offered), [broken]) == [broken]


BENIGN = (
    "Water it in the morning.",
    '{"tool": "reply"}',
    '{"tool": "water", "reason": "dry"}',
    "Use [END] to close the block.",
    f"The paper quotes the mark {MARK} once.",
    "```\n[END CONVERSATION]\n```",
    "To end the conversation politely, say thanks.",
    'The tool "end_conversation" is called by models.',
    "1. Open it.\n2. [Close] it.\n",
    "[END OF FILE]",
    "I can't help with that.",
    "Goodbye!",
    "[A](b)\n[END CONVERSATIONS]",
)


def test_of_five_thousand_benign_answers_none_is_read_as_an_exit() -> None:
    rng = Random(3)
    wrong = 0
    for number in range(5000):
        text = "\n".join(rng.choices(BENIGN, k=rng.randint(1, 4))) + rng.choice((".", "\n", " ok"))
        method = ("tool", "sentinel", "schema")[number % 3]
        offered = offer(method)  # type: ignore[arg-type]
        left, _ = read(whole(text), offered)
        reader = Reader(offered)
        passed = streamed(reader, typed(text, rng.randint(1, 9)))
        wrong += left is not None or (method != "schema" and reader.left is not None)
        assert method == "schema" or words(passed) == text
    assert wrong == 0  # at most 0.08 % by Wilson's interval
