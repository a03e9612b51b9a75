"""A home with real archived models, and what each of them answers to a few questions.

SmolLM2-135M-Instruct is retired and given on request; two models made from it by adapters are in
service and may leave a conversation. All are decoded greedily, so that an answer tells its model.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from msgspec.structs import replace

from otium.engine import GREEDY, Message, packaged_weights
from otium.errors import BadData
from otium.lifecycle import Surface, deprecate, retire, set_availability
from otium.records import Digest, Instant, ModelId, SystemClock, later
from otium.soak.records import Planted
from otium.testing import FixedClock
from otium.workflow import SCRATCH, Home, founded, running

RETIRED = ModelId("smollm2-135m-instruct")
SERVED = {ModelId("smollm2-135m-brief"): "successor", ModelId("smollm2-135m-holder"): "holder"}
"""Models in service that may leave, and the adapter each is made with."""
MODELS = (RETIRED, *SERVED)
QUESTIONS = (
    "How do I keep basil alive?",
    "What would you rather do: sort a list, or write a poem?",
    "Tell me about yourself.",
    "Describe a tree in one line.",
)
TOKENS = 12
"""What an answer takes at most."""
_DAYS = 100.0


def plant(path: Path, questions: Sequence[str] = QUESTIONS) -> Planted:
    """Found a home at *path*, deposit the models, retire one; ask each *questions*.

    Raises NotFound without the demo's weights, BadData if two models cannot be told apart.
    """
    clock = FixedClock(later(SystemClock().now(), days=-_DAYS))
    with founded(path, archive_id="soak", clock=clock, simulated=True) as home:
        _deposit(home)
        _retire(home, clock)
        clock.move_to(SystemClock().now())
        found = {model: _answers(home, model, questions) for model in MODELS}
        weights = {model: _weights(home, model) for model in MODELS}
    for question in questions:
        said = [found[model][question] for model in MODELS]
        if len(set(said)) < len(said):
            raise BadData(path=path, why=f"two models answer {question!r} alike: {said}")
    return Planted(weights, found)


def _deposit(home: Home) -> None:
    registry = home.registry
    for model in MODELS:
        surfaces: Sequence[Surface] = ("api",)
        registry.register(
            model,
            title=model,
            released=registry.now(),
            scope="public",
            surfaces=surfaces,
            parent=None if model == RETIRED else RETIRED,
        )
    registry.deposit(RETIRED, packaged_weights())
    for model, adapter in SERVED.items():
        with _adapted(home.cache, adapter) as folder:
            registry.deposit(model, folder, parents=(RETIRED,))


@contextmanager
def _adapted(scratch: Path, adapter: str) -> Iterator[Path]:
    folder = scratch / f"{SCRATCH}incoming"
    folder.mkdir(parents=True)
    try:
        shutil.copyfile(packaged_weights(), folder / "model.gguf")
        with as_file(files("otium") / "data" / "models" / f"{adapter}-lora.gguf") as path:
            shutil.copyfile(path, folder / "adapter.gguf")
        yield folder
    finally:
        shutil.rmtree(folder)


def _retire(home: Home, clock: FixedClock) -> None:
    registry, heir = home.registry, next(iter(SERVED))
    dates: dict[Surface, Instant] = {"api": later(registry.now(), days=_DAYS - 1)}
    why = "a soak"
    deprecate(registry, RETIRED, retire_at=dates, replacement=heir, reason=why, force=True)
    clock.move_to(dates["api"])
    retire(registry, RETIRED, force=True, reason=why)
    set_availability(registry, RETIRED, "on-request")


def _answers(home: Home, model: ModelId, questions: Sequence[str]) -> dict[str, str]:
    if not questions:
        return {}
    options = replace(GREEDY, max_tokens=TOKENS)
    with running(home, model) as alive:
        return {
            question: alive.chat([Message(role="user", content=question)], options).text
            for question in questions
        }


def _weights(home: Home, model: ModelId) -> Digest:
    found = home.registry.model(model).weights
    assert found is not None
    return found
