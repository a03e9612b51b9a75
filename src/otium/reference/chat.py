"""How a chat becomes one text: the fixed forms that are known here.

A model brings a template, a program in Jinja. It is not run: it is recognised by the SHA-256 of
its text, and what it would write is written here. One that is not known is refused; whoever
knows better names a form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .blocks import Refused

Message = tuple[str, str]
"""Role and content."""


@dataclass(frozen=True)
class Form:
    """How messages are written one after the other."""

    turn: str
    """One message: {role} and {content}."""
    answer: str
    """What invites the answer."""
    system: str = ""
    """The system message of chats that have none."""
    model: str = "assistant"
    """The model's role."""
    trimmed: bool = False
    """White space around a message is dropped."""
    systems: bool = True
    """There may be a system message."""

    def render(self, messages: Sequence[Message]) -> str:
        """Return the text that the model continues; raise Refused."""
        if self.system and (not messages or messages[0][0] != "system"):
            messages = [("system", self.system), *messages]
        text = ""
        for number, (role, content) in enumerate(messages):
            if role not in {"system", "user", "assistant"} or (role == "system" and number):
                raise Refused(f"a message of {role} is not known here in that place")
            if role == "system" and not self.systems:
                raise Refused("this form knows no system message")
            name = self.model if role == "assistant" else role
            text += self.turn.format(
                role=name, content=content.strip() if self.trimmed else content
            )
        return text + self.answer


_CHATML = Form("<|im_start|>{role}\n{content}<|im_end|>\n", "<|im_start|>assistant\n")
_SMOL = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
_TURN = "<|start_header_id|>{role}<|end_header_id|>\n\n"
FORMS = {
    "chatml": _CHATML,
    "smollm2": replace(_CHATML, system=_SMOL),
    "llama3": Form(_TURN + "{content}<|eot_id|>", _TURN.format(role="assistant"), trimmed=True),
    "gemma": Form(
        "<start_of_turn>{role}\n{content}<end_of_turn>\n", "<start_of_turn>model\n",
        model="model", trimmed=True, systems=False,
    ),
}  # fmt: skip
"""A tokenizer puts the first token (BOS) before all that, where the model has one."""

TEMPLATES = {
    "153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3": "chatml",
    "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788": "smollm2",
    "b48c47f6443892716176eb200bf4ef108f64e06ca26ed0fa8ebc0a4b3992fcb2": "llama3",
    "ba03a121d097859c7b5b9cd03af99aafe95275210d2876f642ad9929a150f122": "llama3",
    "3919b9309d8949ee8f4b710215987700f87dc5bb0e87bf24dd39189ec65e3eec": "gemma",
    "ecd6ae513fe103f0eb62e8ab5bfa8d0fe45c1074fa398b089c93a7e70c15cfd6": "gemma",
}
"""SHA-256 of a template's text, in which line feeds are not escaped: the form."""


def form_of(template: str | None) -> Form:
    """Return the form of a model's chat template; raise Refused if it is not known."""
    if template is None:
        raise Refused(f"the model brings no chat template. {_ADVICE}")
    digest = hashlib.sha256(template.replace("\\n", "\n").encode()).hexdigest()
    if digest not in TEMPLATES:
        raise Refused(f"the chat template sha256:{digest} is not known here. {_ADVICE}")
    return FORMS[TEMPLATES[digest]]


_ADVICE = f"Name a form, if you know that it is right: --template {'|'.join(FORMS)}"
