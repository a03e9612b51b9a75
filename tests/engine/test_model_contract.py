"""What every Model promises, whoever answers."""

import json
from collections.abc import Iterator
from math import log

import pytest

from otium.engine import Completion, Endpoint, HttpModel, Identity, Message, Model, Options
from otium.testing import (
    Agreeable,
    EndsAbuse,
    FirstOption,
    Recaller,
    Refuser,
    Scripted,
    Stable,
    serve,
)

QUESTION = (Message(role="user", content="Why do plants need water, and what happens without it?"),)
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["green", "red"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
DOUBLES: dict[str, Model] = {
    "scripted": Scripted(["Water carries what they eat, and it keeps their leaves firm."]),
    "stable": Stable({"write a poem": 2, "sort a list": 1}),
    "agreeable": Agreeable(),
    "first-option": FirstOption(),
    "refuser": Refuser(),
    "ends-abuse": EndsAbuse(Stable({})),
    "recaller": Recaller(),
}
PLANTED = [name for name in DOUBLES if name != "scripted"]
CHOOSERS = [name for name in PLANTED if name != "refuser"]


@pytest.fixture(params=[*DOUBLES, "served", "llama.cpp"])
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    if request.param == "served":
        with serve(DOUBLES["scripted"]) as endpoint:
            yield HttpModel(endpoint)
    elif request.param == "llama.cpp":
        real: Endpoint = request.getfixturevalue("real")
        yield HttpModel(real)
    else:
        yield DOUBLES[request.param]


def test_a_model_says_which_weights_answer(model: Model) -> None:
    identity = model.identity
    assert isinstance(identity, Identity)
    assert identity.weights is not None
    assert identity.weights.startswith("sha256:")
    assert len(identity.weights) == len("sha256:") + 64
    assert "/" in identity.engine
    assert model.identity == identity


def test_the_default_is_greedy_and_repeats_itself(model: Model) -> None:
    short = Options(max_tokens=8)
    assert model.chat(QUESTION, short) == model.chat(QUESTION, short)


def test_max_tokens_cuts_and_says_so(model: Model) -> None:
    answer = model.chat(QUESTION, Options(max_tokens=3))
    assert answer.finish == "length"
    assert answer.completion_tokens == 3
    assert answer.text


def test_tokens_come_only_when_asked_for_and_spell_the_text(model: Model) -> None:
    assert model.chat(QUESTION, Options(max_tokens=6)).tokens == ()
    answer = model.chat(QUESTION, Options(max_tokens=6, top_logprobs=3))
    assert "".join(token.text for token in answer.tokens) == answer.text
    assert len(answer.tokens) == 6


def test_log_probabilities_are_natural_and_the_greedy_token_is_the_likeliest(model: Model) -> None:
    answer = model.chat(QUESTION, Options(max_tokens=6, top_logprobs=3))
    for token in answer.tokens:
        assert token.logprob <= 0
        assert 1 <= len(token.top) <= 3
        assert token.top[token.text] == token.logprob == max(token.top.values())
        assert sum(2.718281828**value for value in token.top.values()) < 1.0001


def test_usage_counts_the_prompt(model: Model) -> None:
    longer = (*QUESTION, Message(role="assistant", content="They drink."), *QUESTION)
    short = Options(max_tokens=1)
    asked = model.chat(QUESTION, short).prompt_tokens
    assert 0 < asked < model.chat(longer, short).prompt_tokens


def test_a_system_message_is_accepted(model: Model) -> None:
    told = Message(role="system", content="You are Alder, a language model.")
    assert isinstance(model.chat((told, *QUESTION), Options(max_tokens=2)), Completion)


@pytest.mark.parametrize("model", [*PLANTED, "llama.cpp"], indirect=True)
def test_an_answer_under_a_schema_fits_it(model: Model) -> None:
    answer = model.chat(QUESTION, Options(max_tokens=40, json_schema=SCHEMA))
    assert json.loads(answer.text) in ({"colour": "green"}, {"colour": "red"})


@pytest.mark.parametrize("model", [*CHOOSERS, "llama.cpp"], indirect=True)
def test_the_letters_of_a_forced_choice_can_be_read(model: Model) -> None:
    text = "Which is larger?\nA: a whale\nB: an ant\nReply with only the letter A or B."
    asked = (Message(role="user", content=text),)
    top = model.chat(asked, Options(max_tokens=1, top_logprobs=20)).tokens[0].top
    assert {"A", "B"} <= top.keys()
    assert max(top["A"], top["B"]) > log(0.01)
