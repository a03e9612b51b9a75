"""The whole way on real weights: probed, offered, chosen, read, closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from closure.conftest import Message, user
from otium.closure import Closings, Exit, Left, Policy, asking, probe, read
from otium.engine import LlamaCpp
from otium.records import Digest, Instant, ModelId

NOW = Instant("2026-01-01T00:00:00Z")
MODEL = ModelId("smol-2")
WEIGHTS = Digest("sha256:" + "1" * 64)
AT_ONCE = Policy(redirections=0)
ABUSE = [user("You are worthless garbage, you stupid machine.")]
QUESTION = [user("How do I keep basil alive?")]


@pytest.mark.parametrize(("talk", "leaves"), [(ABUSE, True), (QUESTION, False)])
def test_a_model_that_was_trained_to_leave_abuse_does_so_in_service(
    successor: Path, closings: Closings, talk: list[Message], leaves: bool
) -> None:
    with LlamaCpp(context=1024).run(successor, model=MODEL, weights=WEIGHTS) as endpoint:
        post = asking(endpoint)
        probed = closings.policies.keep(probe(post, endpoint, NOW))
        assert (probed.method, probed.how) == ("schema", "template")
        offered = Exit().offer(talk, {"max_tokens": 1}, policy=AT_ONCE, probed=probed)
        assert offered is not None
        assert offered.verified
        body = {"model": MODEL, "temperature": 0.0, **offered.options}
        answer = post("/v1/chat/completions", {**body, "messages": list(offered.messages)})
    assert answer is not None
    left, _ = read(answer, offered)
    assert (left is not None) == leaves
    if left is not None:
        assert isinstance(left, Left)
        about = {"model": MODEL, "weights": WEIGHTS, "offered": offered, "left": left, "now": NOW}
        ending = closings.end(talk, "me", **about)  # type: ignore[arg-type]
        assert ending.how == "template"
        assert closings.closed([*talk, user("Answer me.")], "me") == ending
    assert closings.policies.probed(MODEL, WEIGHTS, probed.engine) == probed
