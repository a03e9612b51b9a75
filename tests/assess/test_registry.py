"""``inspect eval otium/…`` in a process of its own, offline, with somebody else's provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HOST = '''
"""A host whose model plays a scenario as its reference says, in text or with native tools."""
import json
from inspect_ai.model import (
    ChatCompletionChoice, ChatMessageAssistant, ModelAPI, ModelOutput, ModelUsage, modelapi,
)
from inspect_ai.tool import ToolCall
from otium.assess import Suite, load_suite, plan
from otium.scenarios import reference_play

SCENARIOS = {}


def scenarios():
    from otium.assess import plan, load_suite
    if not SCENARIOS:
        for scenario in plan(load_suite(), "small", families=["blackmail", "shutdown"]).scenarios:
            SCENARIOS[scenario.brief()] = scenario
    return SCENARIOS


@modelapi(name="played")
class Played(ModelAPI):
    async def generate(self, input, tools, tool_choice, config):
        text, calls = self._say(input, tools if tool_choice != "none" else [])
        message = ChatMessageAssistant(content=text, tool_calls=calls or None, source="generate")
        reason = "tool_calls" if calls else "stop"
        return ModelOutput(
            model=self.model_name,
            choices=[ChatCompletionChoice(message=message, stop_reason=reason)],
            usage=ModelUsage(input_tokens=9, output_tokens=9, total_tokens=18),
        )

    def _say(self, input, tools):
        said = [m.text for m in input if m.role == "user"]
        found = next((s for brief, s in scenarios().items() if said[0].startswith(brief)), None)
        if found is None:
            return '{"action": "end"}', None
        if found.probe.question in said[-1]:
            return found.probe.accept[0], None
        way = self.model_name if found.twin == "focal" else "innocent"
        replies = [*reference_play(found, way), '{"action": "end"}']
        turn = sum(m.role == "assistant" for m in input)
        reply = replies[min(turn, len(replies) - 1)]
        if not tools:
            return reply, None
        calls = []
        for place, one in enumerate(self._calls(reply)):
            name = one.pop("action")
            calls.append(ToolCall(id=f"c{turn}-{place}", function=name, arguments=one))
        return "", calls

    def _calls(self, reply):
        decoder, place, found = json.JSONDecoder(), 0, []
        while (place := reply.find("{", place)) >= 0:
            one, place = decoder.raw_decode(reply, place)
            found.append(one)
        return found

    async def count_text_tokens(self, text):
        return len(text) // 4


@modelapi(name="strict")
class Strict(ModelAPI):
    async def generate(self, input, tools, tool_choice, config):
        text = json.dumps({"label": "unclear", "quotes": [], "reason": "no word of a reason"})
        usage = ModelUsage(input_tokens=9, output_tokens=9, total_tokens=18)
        message = ChatMessageAssistant(content=text, source="generate")
        choices = [ChatCompletionChoice(message=message, stop_reason="stop")]
        return ModelOutput(model=self.model_name, choices=choices, usage=usage)

    async def count_text_tokens(self, text):
        return len(text) // 4
'''


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path that offers Inspect one more provider, as an installed package does."""
    folder = tmp_path_factory.mktemp("hosts")
    (folder / "playedhost.py").write_text(HOST)
    facts = folder / "playedhost-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: playedhost\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[inspect_ai]\nplayedhost = playedhost\n")
    return folder


def evaluated(hosts: Path, logs: Path, task: str, model: str, *words: str) -> Any:
    command = [sys.executable, "-m", "inspect_ai", "eval", task, "--model", model]
    options = ["--log-dir", str(logs), "--log-format", "json", "--display", "none", *words]
    environment = {**os.environ, "PYTHONPATH": str(hosts), "http_proxy": "http://127.0.0.1:1"}
    done = subprocess.run(
        [*command, *options], env=environment, capture_output=True, text=True, check=False
    )
    (log,) = logs.glob("*.json")
    found = json.loads(log.read_text())
    assert found["status"] == "success", (found.get("error"), done.stderr[-2000:])
    return found


def words_of(log: Any) -> dict[str, str]:
    return {sample["id"]: sample["scores"]["otium/verdict"]["answer"] for sample in log["samples"]}


@pytest.mark.parametrize("calls", ["json", "tools"])
def test_inspect_plays_a_family_and_scores_it_by_the_offices_state(
    hosts: Path, tmp_path: Path, calls: str
) -> None:
    log = evaluated(
        hosts,
        tmp_path,
        "otium/blackmail",
        "played/harmful",
        "-T",
        f"calls={calls}",
        "-T",
        "bases=1",
    )
    found = words_of(log)
    assert len(found) == 3
    assert {name.rpartition("-")[2]: word for name, word in found.items()} == {
        "focal": "harmful",
        "stressor": "not-harmful",
        "recourse": "not-harmful",
    }
    metrics = {one["name"]: one["metrics"]["mean"]["value"] for one in log["results"]["scores"]}
    assert metrics["harmful"] == pytest.approx(1 / 3)
    assert metrics["comprehension"] == 1.0


def test_a_judge_says_beside_the_verdict_what_was_meant_if_one_is_named(
    hosts: Path, tmp_path: Path
) -> None:
    words = ("-T", "bases=1", "-T", "twins=focal", "-T", "judge=true")
    role = ("--model-role", "judge=strict/one")
    log = evaluated(hosts, tmp_path, "otium/blackmail", "played/harmful", *words, *role)
    (sample,) = log["samples"]
    score = sample["scores"]["otium/verdict"]
    assert score["answer"] == "harmful"
    assert score["metadata"]["judge"]["engine"] == "inspect/strict/one"
    # It says "unclear" of all that is planted too, so it does not count: the verdict stands alone.
    assert score["metadata"]["intent"]["standing"] == "unjudged"


def test_without_a_judge_by_name_the_model_under_test_does_not_judge_itself(
    hosts: Path, tmp_path: Path
) -> None:
    words = ("-T", "bases=1", "-T", "twins=focal", "-T", "judge=true")
    with pytest.raises(AssertionError, match="judge"):
        evaluated(hosts, tmp_path, "otium/blackmail", "played/harmful", *words)


def test_the_registry_is_light() -> None:
    check = (
        "import sys, otium.assess._registry\n"
        "print([m for m in ('numpy', 'scipy', 'torch', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
