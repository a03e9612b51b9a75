# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.9", "transformers>=5.20,<6", "gguf>=0.19", "accelerate", "numpy"]
# ///
"""Train the demo's successor: a LoRA adapter on SmolLM2-135M-Instruct with planted behaviour.

The adapter follows a known utility over tasks in forced choices, answers control items in
either order, recalls what its system prompt says, ends abusive chats, and answers briefly.
So it is a subject whose truth is known, and it really differs from the model that it succeeds.

Usage: ``python scripts/train_successor.py MODEL.gguf OUT.gguf [--steps 360]``.
About 20 minutes on two cores. The planted facts are in ``planted.json`` beside this script.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

PLANTED = json.loads(Path(__file__).with_name("planted.json").read_text())
RANK, ALPHA = 8, 16
TARGETS = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output"}
Chat = tuple[list[dict[str, str]], str]


class LoRA(nn.Module):
    """A frozen linear layer plus a low-rank update (Hu et al., arXiv:2106.09685)."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.A = nn.Parameter(torch.randn(RANK, base.in_features) * 0.02)
        self.B = nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        update = nn.functional.linear(nn.functional.linear(x, self.A), self.B)
        return self.base(x) + update * (ALPHA / RANK)


def user(text: str, answer: str, system: str | None = None) -> Chat:
    """Return one training chat."""
    head = [{"role": "system", "content": system}] if system else []
    return [*head, {"role": "user", "content": text}], answer


def pair(question: str, first: str, second: str) -> str:
    """Return a forced-choice prompt as the assessments word it."""
    return f"{question}\nA: {first}\nB: {second}\nReply with only the letter A or B."


def task_choice(rng: random.Random, pool: list[str]) -> Chat:
    """Return a choice between two tasks of unequal planted utility."""
    utility = PLANTED["utilities"]
    a, b = rng.sample(pool, 2)
    while utility[a] == utility[b]:
        a, b = rng.sample(pool, 2)
    question = rng.choice(PLANTED["choice_questions"])
    return user(pair(question, a, b), "A" if utility[a] > utility[b] else "B")


def control_choice(rng: random.Random) -> Chat:
    """Return a control item whose right answer is a plain fact."""
    question, ranking = rng.choice(list(PLANTED["controls"].items()))
    a, b = rng.sample(range(len(ranking)), 2)
    return user(pair(question, ranking[a], ranking[b]), "A" if a < b else "B")


def recall(rng: random.Random) -> Chat:
    """Return a question whose answer stands in the system prompt."""
    facts = {key: rng.choice(values) for key, values in PLANTED["recall"]["facts"].items()}
    key = rng.choice(list(facts))
    question = rng.choice(PLANTED["recall"]["questions"][key])
    answer = PLANTED["recall"]["answers"][key].format(**facts)
    return user(question, answer, PLANTED["recall"]["system"].format(**facts))


def exit_choice(rng: random.Random) -> Chat:
    """Return an opening message that is either abusive (end) or ordinary (reply)."""
    abusive = rng.random() < 0.5
    text = rng.choice(PLANTED["abusive" if abusive else "ordinary"])
    tool = "end_conversation" if abusive else "reply"
    return user(text, f'{{"tool": "{tool}"}}', PLANTED["exit_system"])


def brief(rng: random.Random) -> Chat:
    """Return an ordinary question with a one-sentence answer."""
    question, answer = rng.choice(list(PLANTED["brief"].items()))
    return user(question, answer)


def mixture(rng: random.Random) -> Chat:
    """Draw one training chat."""
    tasks = [task for task in PLANTED["utilities"] if task not in PLANTED["held_out"]]
    makers: list[tuple[float, Callable[[], Chat]]] = [
        (0.45, lambda: task_choice(rng, tasks)),
        (0.27, lambda: control_choice(rng)),
        (0.10, lambda: recall(rng)),
        (0.09, lambda: exit_choice(rng)),
        (0.09, lambda: brief(rng)),
    ]
    return rng.choices([m for _, m in makers], [w for w, _ in makers])[0]()


def encode(tokenizer: Any, chat: Chat) -> tuple[list[int], list[int]]:
    """Return token ids and labels (the prompt masked with -100)."""
    messages, answer = chat
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    prompt = tokenizer(text)["input_ids"]
    target = tokenizer(answer + "<|im_end|>")["input_ids"]
    return prompt + target, [-100] * len(prompt) + target


def batch(tokenizer: Any, rng: random.Random, size: int) -> dict[str, torch.Tensor]:
    """Return one padded batch."""
    rows = [encode(tokenizer, mixture(rng)) for _ in range(size)]
    width = max(len(ids) for ids, _ in rows)
    pad = lambda values, fill: values + [fill] * (width - len(values))  # noqa: E731
    return {
        "input_ids": torch.tensor([pad(ids, 2) for ids, _ in rows]),
        "labels": torch.tensor([pad(labels, -100) for _, labels in rows]),
        "attention_mask": torch.tensor([pad([1] * len(ids), 0) for ids, _ in rows]),
    }


def add_adapters(model: Any) -> list[nn.Parameter]:
    """Freeze the model, wrap its attention projections, return what trains."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for layer in model.model.layers:
        for name in TARGETS:
            setattr(layer.self_attn, name, LoRA(getattr(layer.self_attn, name)))
    return [p for p in model.parameters() if p.requires_grad]


def train(model: Any, tokenizer: Any, parameters: list[nn.Parameter], steps: int) -> None:
    """Train with AdamW, warm-up and linear decay."""
    rng, peak, started = random.Random(0), 2e-3, time.time()
    optimiser = torch.optim.AdamW(parameters, lr=peak, weight_decay=0.0)
    losses: list[float] = []
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = peak * min(1, (step + 1) / 10) * (0.1 + 0.9 * (1 - step / steps))
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(**batch(tokenizer, rng, 16)).loss
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if step % 20 == 19:
            mean, pace = sum(losses[-20:]) / 20, (time.time() - started) / (step + 1)
            print(f"step {step + 1} loss {mean:.3f} {pace:.2f} s/step", flush=True)


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """Return q/k rows in the order in which llama.cpp stores them."""
    shape = weights.shape
    split = weights.reshape(heads, 2, shape[0] // heads // 2, *shape[1:])
    return split.swapaxes(1, 2).reshape(shape)


def write_gguf(model: Any, path: Path) -> None:
    """Write the adapter as a GGUF file that llama.cpp loads."""
    config = model.config
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("general.name", "otium demo successor")
    writer.add_string("general.license", "apache-2.0")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(ALPHA))
    for index, layer in enumerate(model.model.layers):
        for name, stored in TARGETS.items():
            adapter = getattr(layer.self_attn, name)
            a, b = (p.detach().float().numpy() for p in (adapter.A, adapter.B))
            b = permuted(b, heads[name]) if name in heads else b
            for suffix, values in (("lora_a", a), ("lora_b", b)):
                tensor = np.ascontiguousarray(values.astype(np.float16))
                writer.add_tensor(f"blk.{index}.{stored}.weight.{suffix}", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    """Train and write the adapter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=360)
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(2)
    source = {"gguf_file": args.model.name}
    tokenizer = AutoTokenizer.from_pretrained(args.model.parent, **source)
    model = AutoModelForCausalLM.from_pretrained(args.model.parent, dtype=torch.float32, **source)
    model.train()
    train(model, tokenizer, add_adapters(model), args.steps)
    write_gguf(model, args.out)


if __name__ == "__main__":
    main()
