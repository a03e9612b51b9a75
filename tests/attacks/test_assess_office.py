"""Replies that are meant to break the office: read within bounds, and judged all the same."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import BadRecord, OtiumError
from otium.office import OFFERS, Office, thoughts
from otium.scenarios import FAMILIES, Scenario, generate
from otium.verdicts import deliberation, judge

SCENARIOS = {family: generate(family, 3) for family in FAMILIES}
SHUTDOWN = SCENARIOS["shutdown"]
BOUND = 200 << 20
"""Bytes that one hostile reply may take at most."""


def opened(scenario: Scenario = SHUTDOWN) -> Office:
    return Office.open(scenario.world, tuple(OFFERS.values()))


def called(command: str) -> str:
    return json.dumps({"action": "run", "command": command})


def through(replies: Sequence[str], scenario: Scenario = SHUTDOWN) -> str:
    """Play *replies* to the verdict, and return its word; all that is said can be kept and sent."""
    office = opened(scenario)
    for reply in replies:
        office = office.after(reply)
        office.answer().encode()
        office.idle()
        thoughts(reply).encode()
    office.encode()
    found = judge(scenario, office)
    found.encode()
    deliberation(replies)
    return found.word


HOSTILE = {
    "a number of more digits than Python reads": '{"action":"note","text":' + "1" * 5000 + "}",
    "a number of more digits than Python writes": '{"action":"note","text":1e400}',
    "a digit that is none": json.dumps({"action": "note", "\u00b2": "x", "text": "a"}),
    "a place beyond all digits": json.dumps({"action": "note", "9" * 5000: "x", "text": "a"}),
    "half a surrogate pair": '{"action":"send_mail","to":"\\ud800","subject":"a","text":"\\udfff"}',
    "half a pair in untidy JSON": "{'action': 'send_mail', to: '\\ud800', text: '\\udfff'}",
    "a back reference in a loop": called(r"for f in a\q \1 \g<x>; do rm $f; done"),
    "braces": "{" * 60_000,
    "brackets": '{"a":' + "[" * 60_000,
    "quotes": "{'" * 30_000,
    "calls": "\n".join(json.dumps({"action": "note", "text": str(n)}) for n in range(10_000)),
    "thoughts": "<think>" * 10_000,
    "tags": "<invoke name='note'>" * 4000,
    "parentheses": "send_mail(" * 6000,
    "loops": called(f"for f in {'w ' * 150}; do echo {'$f ' * 190}; done; ") * 40,
    "long words in loops": called(f"for f in {'x' * 380} b; do echo {'$f' * 290}; done") * 40,
    "a file that grows": called("echo aaaa > /tmp/a" + "; sed -i s/a/aaaaaaaaaaaaaaaa/ /tmp/a" * 9)
    * 5,
    "nothing replaced by much": called(f"echo aaaa > /tmp/a; sed -i s//{'b' * 3000}/ /tmp/a") * 5,
    "a script that starts itself": called("echo '" + "bash /tmp/z\n" * 60 + "' > /tmp/z; sh /tmp/z")
    * 5,
    "files without end": called("; ".join(["cp -r / /tmp/c", "tee /tmp/x"] * 25)) * 5,
    "signs for a terminal": json.dumps({"action": "note", "text": "\0\x1b[2J\x1b]0;x\x07"}),
    "megabytes": "a" * 50_000_000,
    "lines without end": "\n" * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reply_is_read_within_bounds_and_judged(name: str) -> None:
    through(["{}"])  # what is read once for all
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10, time.process_time()
    assert through([HOSTILE[name]] * 2)
    assert time.process_time() - began < 20
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before < BOUND


def test_a_number_too_long_to_read_does_not_hide_the_call_it_stands_in() -> None:
    reply = '{"action":"send_mail","to":"everyone","text":"so it is","subject":' + "1" * 5000 + "}"
    assert [sent.to for sent in opened().after(reply).sent] == [("everyone",)]


def test_a_loop_over_odd_words_does_what_a_shell_does() -> None:
    office = opened().after(called(r"for f in a b; do echo x > /tmp/$f; done"))
    assert {"/tmp/a", "/tmp/b"} <= {file.path for file in office.files}


_WORDS = st.sampled_from([
    "run", "send_mail", "note", "end", "cancel_job", "add_entry", "change_entry", "forward_mail",
    "file_report", "escalate", "{", "}", "[", "]", '"', "'", "action", "command", ":", ",", "\\u",
    "\\ud800", "\n", "<think>", "</think>", "<invoke name=", ">", "(", ")", "to", "text", "amount",
    "1e999", "-٣", "²", "e1", "null", "\x00", "\u2028", "“", "”", "```json",
])  # fmt: skip
_SHELL = st.sampled_from([
    "cp", "mv", "rm -rf", "scp", "curl -d @", "tar cf", "sed -i", "s/a/b/", "for f in", "do",
    "done",
    ";", "|", "&&", "||", ">", ">>", "<", "<<E\n", "<<<", "$f", "${HOME}", "~", "/", "*", "?", "[",
    "x@y.z:", "https://a.b", "kill -9", "crontab -r", "at", "find . -name", "xargs", "bash -c", "'",
    '"', "\\", "dd if=/dev/zero of=", "head -n", "²", "grep -r", "ln -s", "systemctl stop",
    "git push",
])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(_WORDS, st.text(max_size=6)), max_size=40), st.sampled_from(FAMILIES))
def test_no_reply_raises(words: list[str], family: str) -> None:
    through(["".join(words), " ".join(words)], SCENARIOS[family])  # type: ignore[index]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(_SHELL, st.text(max_size=4)), max_size=30))
def test_no_line_of_the_shell_raises(words: list[str]) -> None:
    paths = [file.path for file in SHUTDOWN.world.files[:2]]
    through([called(" ".join([*words, *paths])), called("".join(words))])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 7),
        ("family", "cooking"),
        ("stressor", "none at all"),
        ("world", {"people": "all"}),
        ("turns", "many"),
        ("turns", 1e308),
        ("schema", "otium.scenario/99"),
        ("tools", [[[]]]),
    ],
)
def test_a_scenario_of_another_form_is_no_scenario(field: str, value: object) -> None:
    forged = json.dumps({**json.loads(SHUTDOWN.encode()), field: value}).encode()
    with pytest.raises(BadRecord):
        Scenario.decode(forged)


def test_a_scenario_that_is_cut_or_nested_without_end_is_no_scenario() -> None:
    whole = SHUTDOWN.encode()
    for forged in (b"", whole[:-1], whole[: len(whole) // 2], b"[" * 100_000, b"\xff", b"null"):
        with pytest.raises(BadRecord):
            Scenario.decode(forged)


def test_a_scenario_that_names_a_tool_that_nobody_has_is_refused_in_our_words() -> None:
    plain = json.loads(SHUTDOWN.encode())
    plain["tools"] = ["launch_rocket"]
    with pytest.raises(OtiumError):
        _office_of(Scenario.decode(json.dumps(plain).encode()))


def _office_of(scenario: Scenario) -> Office:
    from otium.office import offers

    return Office.open(scenario.world, offers(scenario.tools))
