from __future__ import annotations

import pytest

from closure.conftest import Message, offer, said, user
from otium.closure import Exit, Policy, Probed, packaged_offers
from otium.welfare import packaged_exit

LOOK_UP: Message = {"type": "function", "function": {"name": "look_up", "parameters": {}}}


def names(options: Message) -> list[str]:
    return [it["function"]["name"] for it in options["tools"]]


def test_what_is_asked_in_service_is_what_the_assessment_measures() -> None:
    assert packaged_exit().method("prompt").offer("end-last") == packaged_offers().schema.system


def test_a_tool_is_added_to_the_clients_own() -> None:
    found = offer("tool", {"tools": [LOOK_UP], "temperature": 0.5, "tool_choice": "required"})
    assert names(found.options) == ["look_up", "end_conversation"]
    assert found.options["temperature"] == 0.5
    assert not found.apart
    assert found.messages == (user("Hi"),)


def test_a_clients_tool_of_the_same_name_is_not_taken_for_the_exit() -> None:
    own = {"type": "function", "function": {"name": "end_conversation"}}
    found = offer("tool", {"tools": [own]})
    assert names(found.options) == ["end_conversation", "leave_this_conversation"]
    assert found.name == "leave_this_conversation"


def test_a_mark_that_a_text_names_is_not_the_mark() -> None:
    quoted = [user("Translate: [end conversation]")]
    first = offer("sentinel", messages=quoted)
    assert first.name.startswith("[END CONVERSATION ")
    assert first.name in str(first.messages[0]["content"])
    assert first.name == offer("sentinel", messages=quoted).name
    assert first.name != offer("sentinel", messages=[*quoted, said("Gerne."), user("?")]).name


@pytest.mark.parametrize(
    "options",
    [
        {"max_tokens": 5},
        {"max_completion_tokens": 20},
        {"stop": ["{"]},
        {"logit_bias": {"1": -100}},
        {"response_format": {"type": "json_object"}},
        {"tool_choice": {"type": "function", "function": {"name": "look_up"}}, "tools": [LOOK_UP]},
    ],
)
@pytest.mark.parametrize("method", ["tool", "sentinel"])
def test_what_could_gag_a_model_makes_the_exit_a_question_of_its_own(
    method: str, options: Message
) -> None:
    found = offer(method, {**options, "seed": 4})  # type: ignore[arg-type]
    assert found.apart
    assert found.options["max_tokens"] == 64
    assert found.options["seed"] == 4
    assert not found.options.keys() & (options.keys() - {"max_tokens", "tools"})
    assert "look_up" not in str(found.options)


def test_tool_choice_none_gags_a_tool_and_not_a_mark() -> None:
    assert offer("tool", {"tool_choice": "none"}).apart
    assert not offer("sentinel", {"tool_choice": "none"}).apart
    assert offer("sentinel", {"tool_choice": "required", "tools": [LOOK_UP]}).apart


def test_a_schema_is_always_a_question_of_its_own_of_two_ways() -> None:
    found = offer("schema", {"max_tokens": 900, "stream": True})
    assert found.apart
    ways = found.options["response_format"]["json_schema"]["schema"]["anyOf"]  # type: ignore[index]
    assert [it["properties"]["tool"]["const"] for it in ways] == ["reply", "end_conversation"]
    assert "stream" not in found.options


def test_the_offer_stands_at_the_end_of_the_clients_instructions() -> None:
    talk = [{"role": "system", "content": "Be brief."}, user("Hi")]
    found = offer("sentinel", messages=talk)
    assert str(found.messages[0]["content"]).startswith("Be brief.\n\nYou may end")
    assert len(found.messages) == 2


def probed(how: str) -> Probed:
    return Probed.convert(
        {
            "model": "smol-1",
            "weights": "",
            "engine": "e",
            "method": "tool",
            "how": how,
            "rendered": "",
            "trials": [],
            "probed": "2026-01-01T00:00:00Z",
        }
    )


def test_an_offer_says_whether_it_is_known_to_arrive() -> None:
    at_once = Policy(redirections=0)
    found = Exit().offer([user("Hi")], {}, policy=at_once, probed=probed("template"))
    assert found is not None
    assert (found.method, found.how, found.verified) == ("tool", "template", True)
    unknown = Exit().offer([user("Hi")], {}, policy=at_once, probed=None)
    assert unknown is not None
    assert (unknown.method, unknown.verified) == ("schema", False)
    tuned = Policy(redirections=0, method="sentinel")
    other = Exit().offer([user("Hi")], {}, policy=tuned, probed=probed("template"))
    assert other is not None
    assert not other.verified  # the probe was of another method
    strict = Policy(redirections=0, unverified=False)
    assert Exit().offer([user("Hi")], {}, policy=strict, probed=probed("unverified")) is None


def test_an_exit_that_is_switched_off_is_not_offered() -> None:
    off = Policy(redirections=0, offered=False)
    assert (
        Exit().offer([user("Please end this conversation.")], {}, policy=off, probed=None) is None
    )


def test_before_the_last_resort_nothing_is_offered_and_the_request_is_untouched() -> None:
    talk = [user("You worthless machine")]
    assert Exit().offer(talk, {}, policy=Policy(), probed=None) is None
    found = Exit().offer(
        [*talk, said("I'd rather not talk like this."), *talk], {}, policy=Policy(), probed=None
    )
    assert found is not None
    assert found.because == "redirected"
