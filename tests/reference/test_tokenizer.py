"""Text to tokens and back, beside the tokenizers library and llama.cpp."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.reference import Files, Refused, Tokenizer, tokenizer_of
from otium.reference.splitting import splitting, translated
from otium.reference.tokenizer import joined
from reference.peers import FIXTURES, llama

NAMES = sorted(path.stem.removeprefix("tokenizer-") for path in FIXTURES.glob("tokenizer-*.json"))
EXACT = sorted(set(NAMES) - {"prefixed", "qwen2", "llama2", "unigram"})
"""Those that neither add a space nor rewrite characters."""


def fixture(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FIXTURES / f"tokenizer-{name}.json").read_text())
    return found


def tokenizer(said: dict[str, Any]) -> Tokenizer:
    return tokenizer_of(Files({}, tokenizer=said))


@pytest.mark.parametrize("name", NAMES)
def test_hard_texts_become_the_tokens_of_the_tokenizers_library(name: str) -> None:
    said = fixture(name)
    made = tokenizer(said["tokenizer"])
    assert {text: made.encode(text) for text in said["tokens"]} == said["tokens"]
    assert len(said["tokens"]) >= 17


@pytest.mark.parametrize("name", EXACT)
def test_tokens_become_the_text_again(name: str) -> None:
    said = fixture(name)
    made = tokenizer(said["tokenizer"])
    for text in said["tokens"]:
        framed = [*made.before, *made.after]
        found = made.encode(text)
        kept = found[len(made.before) : len(found) - len(made.after)] if framed else found
        assert made.decode(kept) == text.replace("▁", " " if name == "gemma" else "▁")


def test_the_real_vocabulary_gives_the_tokens_of_the_tokenizers_library(
    smol_tokenizer: Tokenizer,
) -> None:
    said = json.loads((FIXTURES / "smollm2.json").read_text())
    assert {text: smol_tokenizer.encode(text) for text in said} == said
    # Its vocabulary lacks bytes that no text of its training had; they vanish, as they do there.
    whole = {text for text in said if not {"\U0010ffff", "\x00"} & set(text)}
    assert all(smol_tokenizer.decode(said[text]) == text for text in whole)
    assert len(whole) == len(said) - 1


def test_the_real_vocabulary_gives_the_tokens_of_llama_cpp(
    smol_tokenizer: Tokenizer, demo_weights: Path
) -> None:
    texts = list(json.loads((FIXTURES / "smollm2.json").read_text()))
    with llama(demo_weights) as peer:
        found = {text: peer.tokens(text) for text in texts}
    assert {text: smol_tokenizer.encode(text) for text in texts} == found


WHOLE = tokenizer(fixture("smollm")["tokenizer"])


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back(text: str) -> None:
    assert WHOLE.decode(WHOLE.encode(text)) == text


def test_special_tokens_can_be_left_out(smol_tokenizer: Tokenizer) -> None:
    tokens = smol_tokenizer.encode("<|im_start|>user\nHi<|im_end|>")
    assert (tokens[0], tokens[-1]) == (1, 2)
    assert smol_tokenizer.decode(tokens, special=False) == "user\nHi"


def test_a_long_run_is_joined_quickly() -> None:
    ranks = {("a", "a"): 0.0, ("aa", "aa"): 1.0}
    found = joined(["a"] * 40_000, lambda a, b: ranks.get((a, b)))
    assert found == ["aaaa"] * 10_000


def test_regular_expressions_mean_what_unicode_means_by_them() -> None:
    import re

    letters, numbers = re.compile(translated(r"\p{L}+")), re.compile(translated(r"[^\P{N}]+|\p{N}"))
    assert letters.fullmatch("aÉßя中ªʰ") is not None
    assert letters.search("1²½_ \u0301") is None
    assert numbers.fullmatch("1²½Ⅷ٣") is not None
    space = re.compile(translated(r"\s"))
    assert [c for c in "\x1c\x1f\u200b\x85\xa0\u2028\u3000 \n" if space.match(c)] == list(
        "\x85\xa0\u2028\u3000 \n"
    )


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("Isolated", ["a", ",", "b", ",", ",", "c"]),
        ("Removed", ["a", "b", "c"]),
        ("MergedWithPrevious", ["a,", "b,", ",", "c"]),
        ("MergedWithNext", ["a", ",b", ",", ",c"]),
    ],
)
def test_matches_are_kept_apart_dropped_or_joined(behaviour: str, expected: list[str]) -> None:
    assert splitting(",", behaviour)(["a,b,,c"], True) == expected


def changed(*path: str, to: Any) -> dict[str, Any]:
    said: dict[str, Any] = fixture("gpt2")["tokenizer"]
    part = said
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    return said


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "no tokenizer"),
        (changed("model", "type", to="WordPiece"), "WordPiece"),
        (changed("model", "dropout", to=0.1), "dropout"),
        (changed("model", "vocab", to=None), "no sense"),
        (changed("model", "merges", to=["a"]), "no sense"),
        (changed("normalizer", to={"type": "Precompiled"}), "Precompiled"),
        (changed("pre_tokenizer", to={"type": "BertPreTokenizer"}), "BertPreTokenizer"),
        (changed("post_processor", to={"type": "BertProcessing"}), "BertProcessing"),
        (changed("added_tokens", to=[{"content": "x", "id": 1, "single_word": True}]), "whole"),
        (
            changed(
                "pre_tokenizer",
                to={"type": "Split", "pattern": {"Regex": r"\w+"}, "behavior": "Isolated"},
            ),
            "regular expression",
        ),
    ],
)
def test_a_step_that_is_not_known_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        tokenizer(said)


def test_steps_that_lie_in_one_another_for_ever_are_refused() -> None:
    said: dict[str, Any] = {"type": "Sequence", "pretokenizers": []}
    said["pretokenizers"].append(said)
    with pytest.raises(Refused, match="no sense"):
        tokenizer(changed("pre_tokenizer", to=said))
