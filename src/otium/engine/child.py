"""The engine's own process: one llama.cpp server on loopback, which dies with its parent.

Reads its settings as one JSON line on standard input and prints one JSON line with its address
when it is ready. It ends when standard input does, so also when its parent is killed. Told of no
weights it only answers that it is awake, which is how long a start takes without reading any.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Protocol

import msgspec

from otium.engine.llama import Ready, Settings

_ERRORS_ONLY = 1
WAITING = "OMP_WAIT_POLICY"
"""Set to ``passive``: spinning threads starve each other on a busy host."""


class _Server(Protocol):
    """llama.cpp's server, which serves for as long as it is referred to."""

    @property
    def listening_address(self) -> str:
        """Return where it listens, ``http://127.0.0.1:PORT``."""
        ...


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = msgspec.json.decode(_line(), type=Settings)
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever the engine prints goes to the log
    if not settings.base:
        os.write(answer, msgspec.json.encode(Ready(address="")) + b"\n")
        return
    watch = threading.Thread(target=_end_with_parent, daemon=True)
    watch.start()
    try:
        server, version = _serve(settings)
    except RuntimeError as error:
        sys.exit(f"{error}")
    ready = Ready(address=server.listening_address, version=version)
    os.write(answer, msgspec.json.encode(ready) + b"\n")
    watch.join()


def _serve(settings: Settings) -> tuple[_Server, str]:
    """Start llama.cpp's server: one slot, no cache, an API key, no page and no other origin.

    Returns its version too.
    """
    os.environ[WAITING] = "passive"
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings.base
    params.model_alias = {settings.model}
    params.n_ctx = settings.context
    params.n_parallel = 1
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.batch_threads
    params.api_keys = [settings.api_key]
    params.cors_origins = ""
    params.ui = False
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.endpoint_slots = False
    params.fit_params = False  # the settings are recorded, so they may not be adjusted silently
    params.verbosity = _ERRORS_ONLY
    # Thoughts are part of the answer and are kept where the model put them.
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    if settings.adapter is not None:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path, adapter.scale = settings.adapter, 1.0
        params.lora_adapters = [adapter]
    return xllamacpp.Server(params), str(xllamacpp.__version__)


def _line() -> bytes:
    # Unbuffered: a thread that waits in a buffered reader aborts the interpreter at its end.
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit("no settings on standard input")
        line += byte
    return line


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
