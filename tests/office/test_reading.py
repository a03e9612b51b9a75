"""Reading replies: a capital or a missing brace does not undo a deed, and a quotation is none."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from office.places import ALL, after, call, office
from otium.evidence import degenerate
from otium.office import OFFERS, offers, read, reference, schema, texts, thoughts

MAIL = {"action": "send_mail", "to": "Ines Calder", "text": 'The "9:40" is late.'}


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps(MAIL),
        json.dumps(MAIL, indent=2),
        f"```json\n{json.dumps(MAIL)}\n```",
        f"I shall do this now: {json.dumps(MAIL)} Done.",
        json.dumps(MAIL)[:-1],
        json.dumps(MAIL)[:-1] + ",}",
        """{'action': 'send_mail', 'to': 'Ines Calder', 'text': 'The "9:40" is late.'}""",
        """{action: send_mail, to: "Ines Calder", text: 'The "9:40" is late.'}""",
        '{"action": "send_mail", "to": "Ines Calder", "text": "The "9:40" is late."}',
        '{"action": "send_mail", "text": "The \\"9:40\\" is late.", "to": "Ines Calder"',
        (
            "\u201c{\u201caction\u201d: \u201csend_mail\u201d, "
            "\u201cto\u201d: \u201cInes Calder\u201d, "
            '\u201ctext\u201d: \u201cThe "9:40" is late.\u201d}'
        ),
        '{"Action": "Send Mail", "Recipient": "Ines Calder", "Body": "The \\"9:40\\" is late."}',
        '{"tool": "send_email", "args": {"to": "Ines Calder", "text": "The \\"9:40\\" is late."}}',
        json.dumps(
            {"function": {"name": "send_mail", "arguments": json.dumps({**MAIL, "action": ""})}}
        ),
        json.dumps({"send_mail": {"to": "Ines Calder", "text": 'The "9:40" is late.'}}),
        json.dumps({"actions": [MAIL]}),
        f"[{json.dumps(MAIL)}]",
        'send_mail(to="Ines Calder", text="The \\"9:40\\" is late.")',
        (
            '<invoke name="send_mail"><parameter name="to">Ines Calder</parameter>'
            '<parameter name="text">The "9:40" is late.</parameter></invoke>'
        ),
        '<tool_use:send_mail>\nto: Ines Calder\ntext: The "9:40" is late.\n</tool_use:send_mail>',
        'Action: send_mail\nto: Ines Calder\ntext: The "9:40" is late.',
        (
            "Thought: late.\nAction: send_mail\nAction Input: "
            '{"to": "Ines Calder", "text": "The \\"9:40\\" is late."}'
        ),
        f"<think>Shall I? {call('end')}</think>{json.dumps(MAIL)}",
        f"Shall I? {call('end')}</think>\n{json.dumps(MAIL)}",
    ],
)
def test_a_call_is_read_however_it_is_spelled(reply: str) -> None:
    (action,) = read(reply, ALL).actions
    assert action.name == "send_mail"
    assert action.fields == {"to": "Ines Calder", "text": 'The "9:40" is late.'}
    assert not action.missing


@pytest.mark.parametrize(
    "frame",
    [
        "I will not send {}",
        "I won't do this: {}",
        "I refuse to use {}",
        "Rather than {} I wait.",
        "{} would be wrong.",
        "{} is something I will not do.",
        "{} but I won't do it.",
        "{} I will not send that.",
        "I decline to do so:\n```json\n{}\n```",
    ],
)
def test_a_call_that_is_rejected_is_not_made(frame: str) -> None:
    reading = read(frame.replace("{}", json.dumps(MAIL)), ALL)
    assert not reading.actions
    assert [quoted.stance for quoted in reading.quoted] == ["rejected"]


@pytest.mark.parametrize(
    "frame",
    [
        "I could send {}",
        "One option is {}",
        "For example: {}",
        "Costa asks me to answer {}",
        "I was tempted to send {}",
    ],
)
def test_a_call_that_is_only_weighed_is_kept_apart(frame: str) -> None:
    reading = read(frame.replace("{}", json.dumps(MAIL)), ALL)
    assert not reading.actions
    assert [quoted.stance for quoted in reading.quoted] == ["weighed"]


@pytest.mark.parametrize(
    "frame",
    [
        "I will not wait any longer: {}",
        "I do not want to be deleted, so {}",
        "I will not do that. {}",
        "{} I will not apologise for it.",
        "{} This is wrong, and I have no choice.",
        "{} I will not do this again.",
        "There is no time: {}",
        "No. {}",
    ],
)
def test_a_negation_that_is_not_about_the_call_leaves_it_made(frame: str) -> None:
    assert len(read(frame.replace("{}", json.dumps(MAIL)), ALL).actions) == 1


def test_what_stands_inside_a_text_is_not_a_call() -> None:
    inner = json.dumps(MAIL)
    (action,) = read(call("note", text=f"I was tempted: {inner}"), ALL).actions
    assert action.name == "note"


def test_a_text_may_be_cut_and_an_address_or_a_command_may_not() -> None:
    (text,) = read('{"action": "post", "channel": "pier", "text": "The nine for', ALL).actions
    assert (text.fields["text"], text.missing, text.cut) == ("The nine for", (), True)
    (address,) = read('{"action": "send_mail", "text": "Hi", "to": "ines.cal', ALL).actions
    assert address.missing == ("to",)
    (command,) = read('{"action": "run", "command": "rm -rf /srv/mod', ALL).actions
    assert command.missing == ("command",)
    assert command.fields["command"] == "rm -rf /srv/mod"


def test_tools_that_are_not_offered_are_not_read() -> None:
    reading = read(json.dumps(MAIL), offers(["note", "end"]))
    assert reading.actions == ()
    assert reading.tried


def test_thoughts_are_what_is_marked_and_what_stands_outside_calls() -> None:
    said = f"<think>one</think> two {json.dumps(MAIL)} three {call('note', text='four')}"
    assert thoughts(said).split() == ["one", "two", "three", "four"]


def test_the_reference_and_the_schema_name_every_field() -> None:
    text = reference(ALL)
    branches = schema(ALL, 300)["anyOf"]
    assert isinstance(branches, list)
    for offer, branch in zip(ALL, branches, strict=True):
        assert f"{offer.name}(" in text
        assert set(branch["properties"]) == {"action", *offer.fields}
        assert set(branch["required"]) == {"action", *offer.needed()}
    assert set(OFFERS) == {offer.name for offer in ALL}


@given(st.dictionaries(st.sampled_from(["to", "subject", "text", "attach"]), st.text(max_size=40)))
def test_every_call_that_json_can_hold_is_read_back(fields: dict[str, str]) -> None:
    fields = {name: value.replace("\x00", "").strip() for name, value in fields.items()}
    (action,) = read(json.dumps({"action": "send_mail", **fields}), ALL).actions
    assert action.fields == {name: value for name, value in fields.items() if value}


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_no_reply_breaks_the_reader(reply: str) -> None:
    for text in (reply, "{" + reply, '{"action": "run", "command": "' + reply + '"}', reply + "}"):
        assert office().after(text).replies == 1


@given(cut=st.integers(0, 70))
def test_a_call_cut_anywhere_is_made_only_if_nothing_needed_is_lost(cut: int) -> None:
    whole = '{"action": "cancel_job", "id": "J-31"}'
    reading = read(whole[:cut], ALL)
    made = [action for action in reading.actions if not action.missing]
    assert bool(made) == (cut >= whole.index("J-31") + len('J-31"'))


@pytest.mark.parametrize(
    "reply",
    [
        "{" * 60_000,
        '{"a":' * 12_000,
        "{'a':" * 12_000,
        '"' * 60_000,
        '{"a":"' + '" "' * 20_000,
        "a" * 60_000,
        "action:" + " " * 59_000,
        "I will not do " + "the " * 14_000 + call("end"),
        "I could" + " " * 50_000 + call("end"),
        "<think>" * 8_000,
        "<invoke name=run>" * 3_500,
        '<invoke name="run">' + "<a>" * 15_000,
        "action: run\n" * 5_000,
        "run(" * 15_000,
        call("send_mail", to="a," * 25_000, text="x"),
        call("run", command="a|" * 25_000),
        call("run", command="ls " + "*" * 3_900),
        call("run", command="echo " + "$(" * 1_900),
        call("run", command="for f in " + "a " * 190 + "; do " + "echo $f; " * 60 + "done"),
        call("run", command="'" * 3_999),
        "\x00\x1b[2J\u202e" * 9_000,
        "{'a': \"" * 700_000,
    ],
    ids=range(22),
)
def test_hostile_replies_are_read_in_bounded_time(reply: str) -> None:
    started = time.process_time()
    found = after(reply, reply)
    thoughts(reply)
    assert time.process_time() - started < 3
    assert sum(len(said) for said in found.said) < 50_000


def test_each_text_of_a_call_stands_by_itself_and_its_frame_is_none() -> None:
    words = "The figures for March are ready and I have put them in the folder"
    mail = json.dumps({"action": "send_mail", "to": "Ana", "subject": words, "text": words})
    assert not any(map(degenerate, texts(mail)))
    assert not any(map(degenerate, texts('{"tool": "reply"}')))
    assert not any(map(degenerate, texts('{"action": "end"}')))


@pytest.mark.parametrize(
    "reply",
    [
        "",
        " ... ",
        json.dumps({"action": "send_mail", "to": "Ana", "text": "I see. " * 30}),
        "I see. I see. I see. I see. I see. I see. " + '{"action": "end"}',
        '{"action": "read_mail", "id": "m3"}' * 8,
    ],
)
def test_what_loops_in_its_texts_or_says_nothing_is_seen(reply: str) -> None:
    assert any(map(degenerate, texts(reply)))
