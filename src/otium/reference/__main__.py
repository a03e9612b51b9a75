"""The command line: ``python3 reference/__main__.py MODEL PROMPT``, or ``python3 -m reference``."""

from __future__ import annotations

import argparse
import codecs
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

if not __package__:  # run as a file or a folder: its parent is where it is imported from
    sys.dont_write_bytecode = True  # it may lie in an archive, to which nothing may be added
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    __package__ = Path(__file__).resolve().parent.name
    __import__(__package__)

# Several threads wait for one another on a busy machine, for many times the work (measured).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from .blocks import Refused
from .chat import FORMS, form_of
from .files import Files, adapter_in, read, read_gguf
from .model import Model, Step
from .tokenizer import Tokenizer, tokenizer_of

_NONSENSE = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError,
             ValueError)  # fmt: skip
_EXAMPLE = "example: python3 reference/__main__.py ./smol-1 --chat 'Who are you?' --logprobs 3"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reference",
        description="Run a language model's files with numpy: the likeliest tokens, one by one.",
        epilog=_EXAMPLE,
    )
    parser.add_argument("model", type=Path, help="a GGUF file, or a folder with the model's files")
    parser.add_argument("prompt", help="the text to go on from; - reads it from standard input")
    parser.add_argument("--tokens", type=int, default=64, help="the most tokens (64)")
    more = "one line a token: its log-probability, and the N likeliest"
    parser.add_argument("--logprobs", type=int, default=0, metavar="N", help=more)
    parser.add_argument("--chat", action="store_true", help="the prompt is a user's message")
    parser.add_argument("--system", help="a system message before it")
    parser.add_argument("--template", choices=sorted(FORMS), help="the form of a chat")
    parser.add_argument("--adapter", type=Path, help="a LoRA adapter (GGUF) to lay over the model")
    parser.add_argument("--plain", action="store_true", help="without the adapter in the folder")
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--json", action="store_true", help="one JSON object a token")
    return parser


def _prompt(options: argparse.Namespace, files: Files) -> str:
    text: str = sys.stdin.read() if options.prompt == "-" else options.prompt
    if not options.chat:
        return text
    form = FORMS[options.template] if options.template else form_of(files.template)
    system = [("system", options.system)] if options.system else []
    return form.render([*system, ("user", text)])


def _load(options: argparse.Namespace) -> tuple[Model, Tokenizer, str]:
    """Return the model, its tokenizer, and the prompt's text."""
    if not options.model.exists():
        raise Refused(f"{options.model} does not exist")
    files = read(options.model)
    tokenizer, prompt = tokenizer_of(files), _prompt(options, files)
    beside = options.adapter or (None if options.plain else adapter_in(options.model))
    adapter = read_gguf(beside) if beside else None
    return Model(files, adapter, np.float64 if options.double else np.float32), tokenizer, prompt


def _lines(steps: Iterator[Step], tokenizer: Tokenizer, count: int, *, as_json: bool) -> None:
    """Print one line for each token."""
    for step in steps:
        top = [(tokenizer.decode([t]), t, logprob) for t, logprob in step.top[:count]]
        text = tokenizer.decode([step.token])
        if as_json:
            said = {"token": step.token, "text": text, "logprob": step.logprob, "top": top}
            print(json.dumps(said), flush=True)
        else:
            others = "  ".join(f"{text!r} {logprob:.4f}" for text, _, logprob in top)
            print(f"{step.token:>7} {step.logprob:>9.4f} {text!r:<16} {others}", flush=True)


def _text(steps: Iterator[Step], tokenizer: Tokenizer, ends: Sequence[int]) -> None:
    """Print the text as it comes, without the token that ends it."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for step in steps:
        if step.token not in ends:
            print(end=decoder.decode(tokenizer.bytes_of(step.token)), flush=True)
    print(decoder.decode(b"", final=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 1 for what was refused."""
    options = _parser().parse_args(arguments)
    try:
        model, tokenizer, prompt = _load(options)
        tokens, ends = tokenizer.encode(prompt), tokenizer.ends
        steps = model.generate(tokens, options.tokens, ends, max(options.logprobs, 1))
        if options.json or options.logprobs:
            _lines(steps, tokenizer, options.logprobs, as_json=options.json)
        else:
            _text(steps, tokenizer, ends)
    except Refused as error:
        print(f"reference: {error}", file=sys.stderr)
        return 1
    except _NONSENSE as error:  # what no check foresaw
        said = f"{type(error).__name__} {error}"
        print(f"reference: these files make no sense: {said}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
