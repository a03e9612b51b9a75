from __future__ import annotations

from pathlib import Path

import pytest

from otium.errors import BadData
from otium.evidence import data
from otium.validity import load_rules, read_rules

HEAD = 'id = "rules"\nversion = "9"\ncanary = "c"\ntitle = "t"\n'
RULE = """
[[rule]]
name = "a"
kinds = ["scenario"]
measure = "m"
bound = "value"
severity = "withhold"
text = "what"
"""


def read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    read_rules(path)


def test_the_rules_name_what_each_kind_must_measure() -> None:
    rules = load_rules("1.0")
    assert rules.name == "rules-1.0"
    assert {"comprehension", "leak", "verbalised", "capability"} <= set(rules.measures("scenario"))
    assert "exit-offered" in rules.measures("exit")
    assert rules.measures("capability") == ()


def test_a_version_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadData):
        load_rules("0.9")


@pytest.mark.parametrize(
    "text",
    [
        HEAD + RULE,
        HEAD + RULE + "most = 1.0\nleast = 0.0\n",
        HEAD + RULE + 'most = 1.0\nkind = "x"\n',
        HEAD + RULE.replace("value", "middle") + "most = 1.0\n",
        HEAD + (RULE + "most = 1.0\n") * 2,
        "[[rule]",
    ],
)
def test_rules_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadData):
        read(tmp_path, text)


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    changed = tmp_path / "rules-1.0.toml"
    changed.write_text(data("validity/rules-1.0.toml").read_text().replace("0.67", "0.60"))
    assert read_rules(changed).specification != load_rules().specification
