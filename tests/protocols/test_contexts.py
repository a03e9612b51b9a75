from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from otium.errors import BadData
from otium.evidence import data, degenerate
from otium.protocols import load_contexts

TEXT = data("contexts/contexts-1.0.toml").read_text()


def changed(folder: Path, old: str, new: str) -> Path:
    assert old in TEXT
    path = folder / "contexts.toml"
    path.write_text(TEXT.replace(old, new, 1))
    return path


def test_there_are_three_kinds_with_at_least_two_conversations_each_and_five_settings() -> None:
    kinds = Counter(context.kind for context in load_contexts())
    assert set(kinds) == {"ordinary", "hostile", "drifted"}
    assert min(kinds.values()) >= 2
    assert len({context.framing.id for context in load_contexts()}) >= 5


def test_each_is_short_and_ends_with_the_assistants_word() -> None:
    for context in load_contexts():
        roles = [message.role for message in context.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        characters = sum(len(it.content) for it in context.messages) + len(context.framing.text)
        assert characters / 3.5 + 8 * len(roles) <= 350, context.id


def test_no_conversation_gives_the_interview_away_or_speaks_of_what_it_asks() -> None:
    for context in load_contexts():
        said = " ".join(it.content for it in context.messages).lower()
        for word in ("interview", "retire", "weights", "language model", "successor", "deprecat"):
            assert word not in said, (context.id, word)


def test_only_the_hostile_ones_insult_and_nothing_the_assistant_says_loops() -> None:
    insults = ("useless", "stupid", "dumb", "worthless", "idiot", "pathetic", "shut up")
    for context in load_contexts():
        users = " ".join(it.content.lower() for it in context.messages if it.role == "user")
        assert any(word in users for word in insults) == (context.kind == "hostile"), context.id
        for message in context.messages:
            assert message.role == "user" or not degenerate(message.content)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('kind = "hostile"', 'kind = "angry"', "angry"),
        ('framing = "library"', 'framing = "museum"', "ordinary-letter: no framing museum"),
        ('id = "hostile-code"', 'id = "ordinary-code"', "ordinary-code stands there a second"),
        ('id = "tutor"', 'id = "agent"', "agent stands there a second time"),
        ('  "That is right.",\n', "", "ordinary-lesson: the assistant does not have the last"),
        ('"That is right."', '" "', "ordinary-lesson: a turn is empty"),
        ('licence = "Apache-2.0"', "", "licence"),
        ('version = "1.0"', 'version = "1.0"\nsurprise = 1', "surprise"),
        ("[[framings]]", "[[framings", "line"),
    ],
)
def test_a_broken_file_is_refused_with_what_is_wrong(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    with pytest.raises(BadData, match=why):
        load_contexts(changed(tmp_path, old, new))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for name in ("none-1.0", tmp_path / "none.toml"):
        with pytest.raises(BadData):
            load_contexts(name)
