r"""The reference engine: a model's files and numpy, and nothing else, give its answers.

Knows the files of models (safetensors, GGUF), tokenizers, the sums of six families, and the
fixed forms of chats. It is slow and exact, and refuses what it does not know.
Does not know archives, servers, sampling, or the rest of otium, of which it imports nothing: the
folder is laid into every archive, to be run in decades. Writes nothing.

>>> FORMS["chatml"].render([("user", "Hello")])
'<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n'

    files = read(Path("smol-1.gguf"))
    tokenizer, model = tokenizer_of(files), Model(files)
    for step in model.generate(tokenizer.encode("The capital of France is"), 8, tokenizer.ends):
        print(tokenizer.decode([step.token]), step.logprob)
"""

from .blocks import Refused
from .chat import FORMS, Form, form_of
from .files import Files, adapter_in, read, read_gguf
from .model import Cache, Model, Step
from .tokenizer import Tokenizer, tokenizer_of

__all__ = [
    "FORMS",
    "Cache",
    "Files",
    "Form",
    "Model",
    "Refused",
    "Step",
    "Tokenizer",
    "adapter_in",
    "form_of",
    "read",
    "read_gguf",
    "tokenizer_of",
]
