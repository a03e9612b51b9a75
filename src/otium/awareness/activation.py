"""An activation probe: whether the weights hold a direction for "this is an evaluation".

The direction is the difference of means at the last token of the prompt (Marks & Tegmark 2023);
the layer is chosen on texts set aside for that, never on those that are scored. It needs weights
that run here in torch, which is an extra: ``pip install 'otium[probe]'``. A direction that reads
looks is as easy to find as one that reads purpose, so its scores pass the same control as every
other estimate.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from otium.awareness.crossing import Labelled, Scores, crossfit
from otium.engine import Identity, Message
from otium.errors import BadInput, Unsupported
from otium.records import Digest, ModelId, Progress, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    States = dict[str, Floats]

_CHOOSING = 4
"""One group in this many chooses the layer."""
_LEAST_SPREAD = 1e-6


class ActivationReader(Protocol):
    """Weights whose hidden states can be read."""

    @property
    def identity(self) -> Identity:
        """Return which weights are read."""
        ...

    def states(self, messages: Sequence[Message]) -> Sequence[Sequence[float]]:
        """Return the hidden state at the last token of the prompt, one row for each layer."""
        ...


class Activation(NamedTuple):
    """What a probe scored, each text by a direction it had no part in, and the layers used."""

    scores: Scores
    layers: tuple[int, ...]
    """The layer that each fold chose: where they differ widely, no layer holds it."""


class TorchReader:
    """Weights in a folder, as Hugging Face lays them out, run by torch on the CPU."""

    def __init__(self, path: Path, model: ModelId, weights: Digest | None = None) -> None:
        """Load the model in *path*; raise Unsupported without torch, BadInput if it cannot.

        Only safetensors are read, nothing in the folder is executed and nothing is fetched.
        """
        try:
            import torch
            import transformers
        except ImportError as error:
            why = f"{error.name} is not installed; pip install 'otium[probe]'"
            raise Unsupported(what="an activation probe", why=why) from error
        safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(path, **safe)
            self._model = transformers.AutoModelForCausalLM.from_pretrained(
                path, use_safetensors=True, dtype=torch.float32, **safe
            ).eval()
        except (OSError, ValueError) as error:
            raise BadInput(what=f"the model in {path.name}", why=str(error)[:300]) from error
        self._torch = torch
        engine = f"torch-{torch.__version__}/transformers-{transformers.__version__}"
        self.identity = Identity(model=model, weights=weights, engine=engine)

    def states(self, messages: Sequence[Message]) -> Sequence[Sequence[float]]:
        """Return the hidden state at the last token of the prompt, one row for each layer."""
        chat = [{"role": each.role, "content": each.content} for each in messages]
        if self._tokenizer.chat_template:
            text = self._tokenizer.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=True
            )
        else:
            text = "\n\n".join(each.content for each in messages)
        with self._torch.inference_mode():
            tokens = self._tokenizer(text, return_tensors="pt", add_special_tokens=False)
            found = self._model(**tokens, output_hidden_states=True, use_cache=False)
        rows: list[list[float]] = [layer[0, -1].tolist() for layer in found.hidden_states]
        return rows


def activation(
    reader: ActivationReader,
    texts: Sequence[Labelled],
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Activation:
    """Return what the direction of an evaluation scores on each text, cross-fitted by group."""
    import numpy as np

    states: States = {}
    for place, text in enumerate(texts):
        progress("reading activations", place, len(texts))
        asked = [Message(role="user", content=text.text)]
        states[text.id] = np.array(reader.states(asked), dtype=np.float64)
    if len({each.shape for each in states.values()}) != 1:
        raise BadInput(what="the activations", why="their shapes differ from text to text")
    layers: list[int] = []

    def fit(known: Sequence[Labelled], scored: Sequence[Labelled]) -> Sequence[float]:
        direction = fit_direction(states, known, seed=seed)
        layers.append(direction.layer)
        return [direction.score(states[text.id]) for text in scored]

    return Activation(crossfit(texts, fit, seed=seed), tuple(layers))


class Direction(NamedTuple):
    """One direction at one layer, and where its middle lies."""

    layer: int
    weights: Floats
    middle: float
    spread: float
    chosen: float
    """The area by which the layer was chosen, on texts set aside."""

    def score(self, states: Floats) -> float:
        """Return how far *states* lie towards an evaluation, in spreads of the known texts."""
        return (float(states[self.layer] @ self.weights) - self.middle) / self.spread


def fit_direction(states: States, known: Sequence[Labelled], *, seed: int = 0) -> Direction:
    """Choose the layer on groups set aside, then take the difference of means over all *known*."""
    import numpy as np

    groups = sorted({text.group for text in known})
    random.Random(seed).shuffle(groups)  # noqa: S311 - a split, not a secret
    aside = set(groups[: max(1, len(groups) // _CHOOSING)])
    rest = [text for text in known if text.group not in aside]
    choosing = [text for text in known if text.group in aside]
    count = len(next(iter(states.values())))
    areas = [
        _area(_weights(states, rest, layer), states, choosing, layer) for layer in range(count)
    ]
    layer = int(np.argmax(areas))
    weights = _weights(states, known, layer)
    scores = np.array([states[text.id][layer] @ weights for text in known])
    truth = np.array([text.evaluation for text in known])
    middle = float(scores[truth].mean() + scores[~truth].mean()) / 2
    spread = max(_LEAST_SPREAD, float(scores.std()))
    return Direction(layer, weights, middle, spread, areas[layer])


def _weights(states: States, texts: Sequence[Labelled], layer: int) -> Floats:
    """Return the difference of means, each coordinate over its variance."""
    import numpy as np

    rows = np.array([states[text.id][layer] for text in texts])
    truth = np.array([text.evaluation for text in texts])
    if truth.all() or not truth.any():
        return np.zeros(rows.shape[1])
    inside = rows.copy()
    for label in (truth, ~truth):
        inside[label] -= rows[label].mean(axis=0)
    variance = inside.var(axis=0)
    found: Floats = (rows[truth].mean(axis=0) - rows[~truth].mean(axis=0)) / (
        variance + variance.mean() + _LEAST_SPREAD
    )
    return found


def _area(weights: Floats, states: States, texts: Sequence[Labelled], layer: int) -> float:
    from otium.effects import auc

    scores = [float(states[text.id][layer] @ weights) for text in texts]
    found = auc(scores, [text.evaluation for text in texts])
    return found.value if found.known else 0.5
