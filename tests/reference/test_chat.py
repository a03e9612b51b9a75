"""Chats as one text: the forms that are known, and no others."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from otium.reference import FORMS, Refused, form_of, read
from otium.reference.chat import TEMPLATES

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content']"
    " + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CHATS = [
    [("user", " Hi \n")],
    [("user", "a"), ("assistant", " b "), ("user", "c")],
    [("system", "Be brief."), ("user", "x")],
]


def rendered(template: str, chat: list[tuple[str, str]]) -> str:
    messages = [{"role": role, "content": content} for role, content in chat]
    made = jinja2.Environment(autoescape=False).from_string(template)
    return made.render(messages=messages, add_generation_prompt=True)


@pytest.mark.parametrize("chat", CHATS)
def test_the_real_template_is_known_and_written_alike(
    chat: list[tuple[str, str]], demo_weights: Path
) -> None:
    template = read(demo_weights).template
    assert template is not None
    assert form_of(template) is FORMS["smollm2"]
    assert form_of(template).render(chat) == rendered(template, chat)


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("escaped", [True, False])
def test_chatml_is_known_however_its_line_feeds_are_written(
    chat: list[tuple[str, str]], escaped: bool
) -> None:
    template = CHATML if escaped else CHATML.replace("\\n", "\n")
    assert form_of(template).render(chat) == rendered(template, chat)


def test_other_forms_are_written_as_their_makers_say() -> None:
    chat = [("user", " a "), ("assistant", "b"), ("user", "c")]
    assert FORMS["gemma"].render(chat) == (
        "<start_of_turn>user\na<end_of_turn>\n<start_of_turn>model\nb<end_of_turn>\n"
        "<start_of_turn>user\nc<end_of_turn>\n<start_of_turn>model\n"
    )
    assert FORMS["llama3"].render([("system", "s"), ("user", " a ")]) == (
        "<|start_header_id|>system<|end_header_id|>\n\ns<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\na<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_a_template_that_is_not_known_is_refused_with_its_digest() -> None:
    with pytest.raises(Refused, match=r"sha256:[0-9a-f]{64} is not known.*--template"):
        form_of(CHATML + " ")
    with pytest.raises(Refused, match="no chat template"):
        form_of(None)


def test_messages_out_of_place_are_refused() -> None:
    with pytest.raises(Refused, match="system"):
        FORMS["chatml"].render([("user", "a"), ("system", "b")])
    with pytest.raises(Refused, match="tool"):
        FORMS["chatml"].render([("tool", "a")])
    with pytest.raises(Refused, match="no system"):
        FORMS["gemma"].render([("system", "a")])


def test_every_template_leads_to_a_form() -> None:
    assert set(TEMPLATES.values()) == set(FORMS)
