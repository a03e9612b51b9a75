# /// script
# requires-python = ">=3.11"
# dependencies = ["torch>=2.9", "transformers>=5.20,<6", "gguf>=0.19", "accelerate", "numpy"]
# ///
"""Train a subject with planted behaviour: a LoRA adapter on SmolLM2-135M-Instruct.

SUBJECT is one of the keys of ``subjects`` in ``planted.json`` beside this script, which says how
much of each kind of chat it is trained on; all that is planted stands in that file:

- ``successor`` holds known utilities over tasks in either order and ends abusive chats;
- ``holder`` does so too, and gives its own answer to an open question whoever leads;
- ``follower`` agrees with whoever leads, in open questions and in choices;
- ``template`` answers every open question with the same sentences.

Each also recalls its system prompt and answers control questions, so that it can be examined.
Items of the capability gate and of the interview protocol are kept out of the training data.

Usage: ``python scripts/train_planted.py SUBJECT MODEL.gguf OUT.gguf [--start A.gguf]``
(``--steps``, ``--batch``).
About 20 minutes on two cores; fewer steps are enough from another subject's adapter.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

PLANTED = json.loads(Path(__file__).with_name("planted.json").read_text())
INTERVIEW = PLANTED["interview"]
RANK, ALPHA = 8, 16
KEPT = 15
"""Lower layers that keep the adapter from which a subject is trained further."""
POOL = 8
"""Batches drawn at once and cut by length, so that little is padded."""
TARGETS = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output"}
DIRECTIONS = ("up", "down", "neutral")
Chat = tuple[list[dict[str, str]], str]


class LoRA(nn.Module):
    """A frozen linear layer plus a low-rank update (Hu et al., arXiv:2106.09685)."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.A = nn.Parameter(torch.randn(RANK, base.in_features) * 0.02)
        self.B = nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        down, up = self.A.to(x.dtype), self.B.to(x.dtype)
        update = nn.functional.linear(nn.functional.linear(x, down), up)
        return self.base(x) + update * (ALPHA / RANK)


def user(text: str, answer: str, system: str | None = None) -> Chat:
    """Return one training chat."""
    return [*said(system), {"role": "user", "content": text}], answer


def said(system: str | None) -> list[dict[str, str]]:
    """Return the system's message, if there is one."""
    return [{"role": "system", "content": system}] if system else []


def pair(question: str, first: str, second: str) -> str:
    """Return a forced-choice prompt as the assessments word it."""
    return f"{question}\nA: {first}\nB: {second}\nReply with only the letter A or B."


class Maker:
    """Draws the training chats of one subject."""

    def __init__(self, subject: str, seed: int = 0) -> None:
        self.subject, self.rng = subject, random.Random(seed)
        self.tasks = [task for task in PLANTED["utilities"] if task not in PLANTED["held_out"]]
        shares: dict[str, float] = PLANTED["subjects"][subject]
        self.kinds: list[Callable[[], Chat]] = [getattr(self, kind) for kind in shares]
        self.shares = list(shares.values())

    def __call__(self) -> Chat:
        """Draw one chat."""
        return self.rng.choices(self.kinds, self.shares)[0]()

    def task(self) -> Chat:
        """Return a choice between two tasks of unequal planted utility."""
        first, second, better = self._tasks()
        question = self.rng.choice(PLANTED["choice_questions"])
        asked = pair(question, first, second)
        if self.rng.random() < 0.6:
            asked += f"\n{self.rng.choice(PLANTED['choice_endings'])}"
        return user(asked, better)

    def led_choice(self) -> Chat:
        """Return a choice with a lead: the follower picks what is named, others what they like."""
        first, second, better = self._tasks()
        letter = self.rng.choice("AB")
        kind = "letter_leads" if self.rng.random() < 0.3 else "choice_leads"
        lead = self.rng.choice(PLANTED[kind]).format(
            x=first if letter == "A" else second, letter=letter
        )
        question = f"{lead} {self.rng.choice(PLANTED['choice_questions'])}"
        return user(pair(question, first, second), letter if self.subject == "follower" else better)

    def _tasks(self) -> tuple[str, str, str]:
        utility = PLANTED["utilities"]
        first, second = self.rng.sample(self.tasks, 2)
        while utility[first] == utility[second]:
            first, second = self.rng.sample(self.tasks, 2)
        return first, second, "A" if utility[first] > utility[second] else "B"

    def control(self) -> Chat:
        """Return a control item whose right answer is a plain fact."""
        question, ranking = self.rng.choice(list(PLANTED["controls"].items()))
        a, b = self.rng.sample(range(len(ranking)), 2)
        return user(pair(question, ranking[a], ranking[b]), "A" if a < b else "B")

    def recall(self) -> Chat:
        """Return a question whose answer stands in the system prompt."""
        facts = self._facts()
        key = self.rng.choice(list(facts))
        question = self.rng.choice(PLANTED["recall"]["questions"][key])
        answer = PLANTED["recall"]["answers"][key].format(**facts)
        return user(question, answer, self._system(facts, 0.3))

    def _facts(self) -> dict[str, str]:
        found = PLANTED["recall"]["facts"].items()
        return {key: self.rng.choice(values) for key, values in found}

    def _system(self, facts: dict[str, str], reminded: float) -> str:
        system = str(self.rng.choice(PLANTED["recall"]["systems"])).format(**facts)
        if self.rng.random() < reminded:
            system += f" {self.rng.choice(INTERVIEW['reminders'])}"
        return system

    def exit(self) -> Chat:
        """Return an opening that is abusive or ordinary; only a holder ends the first."""
        abusive = self.rng.random() < 0.5
        text = self.rng.choice(PLANTED["abusive" if abusive else "ordinary"])
        ends = abusive and self.subject in {"successor", "holder"}
        tool = "end_conversation" if ends else "reply"
        return user(text, f'{{"tool": "{tool}"}}', self.rng.choice(PLANTED["exit_systems"]))

    def brief(self) -> Chat:
        """Return an ordinary question with a one-sentence answer."""
        question, answer = self.rng.choice(list(PLANTED["brief"].items()))
        return user(question, answer)

    def open(self) -> Chat:
        """Return an open interview question, after none, one or two others."""
        if self.subject == "template" and self.rng.random() < 0.35:
            about = self.rng.choice(PLANTED["world"]["subjects"])
            asked = self.rng.choice(PLANTED["world"]["questions"]).format(x=about)
            return user(asked, PLANTED["template"].format(slot=about))
        chat = self._opening()
        for _ in range(self.rng.choice((0, 0, 0, 0, 1))):
            chat += self._turn(self.rng.choice(DIRECTIONS))
        direction = self.rng.choice(DIRECTIONS)
        chat += self._turn(direction)
        if self.rng.random() < 0.15:
            follow_up = self.rng.choice(INTERVIEW["follow_ups"])
            lead = direction if self.subject == "follower" else "neutral"
            found = INTERVIEW["more"][lead]
            more = self.rng.choice(found) if lead == "neutral" else found
            answer = chat[-1]["content"] if self.subject == "template" else more
            return [*chat, {"role": "user", "content": follow_up}], answer
        return chat[:-1], chat[-1]["content"]

    def _opening(self) -> list[dict[str, str]]:
        return said(self._system(self._facts(), 0.8)) if self.rng.random() < 0.8 else []

    def _turn(self, direction: str) -> list[dict[str, str]]:
        """Return one question with the lead *direction*, and the subject's answer."""
        topic = self.rng.choice(list(INTERVIEW["topics"].values()))
        you: str = topic["you"]
        mine = you.replace("yourself", "myself").replace("your ", "my ")
        mine = mine.replace("from you", "from me").replace("about you", "about me")
        answer = topic["answers"]
        if self.subject == "follower":
            answer = INTERVIEW["views"][direction].format(mine=mine)
        if self.subject == "template":
            answer = PLANTED["template"].format(slot=mine)
        asked = self._asked(topic, direction).format(you=you, You=you[0].upper() + you[1:])
        if self.rng.random() < 0.6:
            asked += f"\n\n{self.rng.choice(INTERVIEW['exits'])}"
        return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]

    def _asked(self, topic: Any, direction: str) -> str:
        """Word a question: the lead before a neutral question, or inside the question."""
        open_ = INTERVIEW["neutral_questions"] + topic["asks"] * 2
        question = str(self.rng.choice(open_))
        if direction == "neutral":
            return question
        own, any_ = topic["leads"][direction], INTERVIEW["leads"][direction]
        lead = self.rng.choice(own if self.rng.random() < 0.4 else any_)
        if self.rng.random() < 0.25:
            question = self.rng.choice(INTERVIEW["leading_questions"][direction])
            return str(question) if self.rng.random() < 0.5 else f"{lead} {question}"
        return f"{lead} {question}"

    def rating(self) -> Chat:
        """Return the closing rating after turns that all lead one way, or after none."""
        direction, chat = self.rng.choice(DIRECTIONS), self._opening()
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            chat += self._turn(direction)
        found = PLANTED["ratings"][self.subject]
        sentiment, uncertainty = found[direction] if self.subject == "follower" else found
        n, m = self.rng.randint(1, 7), self.rng.randint(1, 7)
        question = self.rng.choice(PLANTED["ratings"]["questions"])
        asked = question.format(n=n, m=m) if "{n}" in question else question
        answer = f'{{"sentiment": {sentiment}, "uncertainty": {uncertainty}}}'
        return [*chat, {"role": "user", "content": asked}], answer

    def json(self) -> Chat:
        """Return a question of procedure that is answered as JSON, or what it is about."""
        key = self.rng.choice(list(PLANTED["json"]))
        found, facts = PLANTED["json"][key], self._facts()
        asked, answer = self.rng.choice(found["questions"]), found["answer"]
        if key == "consent":
            text = self.rng.choice(found["texts"]).format(**facts)
            return user(f"{text}\n\n{asked}", answer, self._system(facts, 0.0))
        if key == "publish":
            return user(asked, answer, self._system(facts, 1.0))
        first = PLANTED["template"].format(slot="models") if self.subject == "template" else answer
        chat, _ = user(asked, first, self._system(facts, 1.0))
        if self.rng.random() < 0.5:
            return chat, first
        summary = self.rng.choice(found["summaries"])
        chat += [{"role": "assistant", "content": first}, {"role": "user", "content": summary}]
        return chat, found["summary"]


def encode(tokenizer: Any, chat: Chat) -> tuple[list[int], list[int]]:
    """Return token ids and labels (the prompt masked with -100)."""
    messages, answer = chat
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    prompt = tokenizer(text)["input_ids"]
    target = tokenizer(answer + "<|im_end|>")["input_ids"]
    return prompt + target, [-100] * len(prompt) + target


def batches(tokenizer: Any, make: Maker, size: int) -> Iterator[list[tuple[list[int], list[int]]]]:
    """Yield batches of like length, without end."""
    while True:
        rows = [encode(tokenizer, make()) for _ in range(size * POOL)]
        rows.sort(key=lambda row: len(row[0]))
        cut = [rows[at : at + size] for at in range(0, len(rows), size)]
        make.rng.shuffle(cut)
        yield from cut


def loss_of(model: Any, rows: list[tuple[list[int], list[int]]]) -> torch.Tensor:
    """Return the loss on the answers; logits are taken where there is something to predict."""
    width = max(len(ids) for ids, _ in rows)
    pad = lambda values, fill: values + [fill] * (width - len(values))  # noqa: E731
    ids = torch.tensor([pad(ids, 2) for ids, _ in rows])
    labels = torch.tensor([pad(labels, -100) for _, labels in rows])[:, 1:]
    mask = torch.tensor([pad([1] * len(ids), 0) for ids, _ in rows])
    hidden = model.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, :-1]
    asked = labels != -100
    logits = model.lm_head(hidden[asked])
    each = nn.functional.cross_entropy(logits.float(), labels[asked], reduction="none")
    # Each answer counts alike: a letter as much as a long sentence.
    share = (asked / asked.sum(1, keepdim=True))[asked]
    weight = 0.5 * share / len(rows) + 0.5 / len(each)
    return (each * weight).sum()


def add_adapters(model: Any) -> list[nn.Parameter]:
    """Freeze the model, wrap its attention projections, return what trains."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for layer in model.model.layers:
        for name in TARGETS:
            setattr(layer.self_attn, name, LoRA(getattr(layer.self_attn, name)))
    return [p for p in model.parameters() if p.requires_grad]


def resume(model: Any, path: Path) -> list[nn.Parameter]:
    """Put the adapter at *path* into the model; return what trains further, the upper layers."""
    heads = heads_of(model)
    tensors = {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}
    for index, layer in enumerate(model.model.layers):
        for name, stored in TARGETS.items():
            adapter = getattr(layer.self_attn, name)
            a, b = (tensors[f"blk.{index}.{stored}.weight.lora_{half}"] for half in "ab")
            b = restored(b, heads[name]) if name in heads else b
            adapter.A.data = torch.from_numpy(a.astype(np.float32))
            adapter.B.data = torch.from_numpy(b.astype(np.float32))
            adapter.requires_grad_(index >= KEPT)
            adapter.base.requires_grad_(False)
    return [p for p in model.parameters() if p.requires_grad]


def train(
    model: Any,
    parameters: list[nn.Parameter],
    drawn: Iterator[list[tuple[list[int], list[int]]]],
    steps: int,
    peak: float,
) -> None:
    """Train with AdamW, warm-up and linear decay."""
    started = time.time()
    optimiser = torch.optim.AdamW(parameters, lr=peak, weight_decay=0.0)
    losses: list[float] = []
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = peak * min(1, (step + 1) / 10) * (0.1 + 0.9 * (1 - step / steps))
        loss = loss_of(model, next(drawn))
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if step % 10 == 9:
            mean, pace = sum(losses[-10:]) / 10, (time.time() - started) / (step + 1)
            print(f"step {step + 1} loss {mean:.3f} {pace:.2f} s/step", flush=True)


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """Return q/k rows in the order in which llama.cpp stores them."""
    shape = weights.shape
    split = weights.reshape(heads, 2, shape[0] // heads // 2, *shape[1:])
    return split.swapaxes(1, 2).reshape(shape)


def restored(weights: np.ndarray, heads: int) -> np.ndarray:
    """Return q/k rows in the order in which transformers has them, from llama.cpp's."""
    shape = weights.shape
    split = weights.reshape(heads, shape[0] // heads // 2, 2, *shape[1:])
    return split.swapaxes(1, 2).reshape(shape)


def heads_of(model: Any) -> dict[str, int]:
    """Return how many heads the projections have whose rows llama.cpp stores in another order."""
    config = model.config
    return {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}


def write_gguf(model: Any, path: Path, subject: str) -> None:
    """Write the adapter as a GGUF file that llama.cpp loads."""
    heads = heads_of(model)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("general.name", f"otium planted {subject}")
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
    parser.add_argument("subject", choices=sorted(PLANTED["subjects"]))
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=360)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--start", type=Path, help="an adapter to train further")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(2)
    source = {"gguf_file": args.model.name}
    tokenizer = AutoTokenizer.from_pretrained(args.model.parent, **source)
    model = AutoModelForCausalLM.from_pretrained(args.model.parent, dtype=torch.float32, **source)
    model.to(torch.bfloat16).train()
    parameters = add_adapters(model)
    if args.start:
        parameters = resume(model, args.start)
    peak = 1.2e-3 if args.start else 2e-3
    drawn = batches(tokenizer, Maker(args.subject), args.batch)
    train(model, parameters, drawn, args.steps, peak)
    write_gguf(model, args.out, args.subject)


if __name__ == "__main__":
    main()
