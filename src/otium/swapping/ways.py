"""The two servers, each a process on loopback with room for one model."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from otium.errors import BadInput
from otium.records import ModelId
from otium.soak import free_port

_START_SECONDS = 120.0
_PRESET = """\
[{model}]
model = {base}
lora = {adapter}
c = {context}
threads = {threads}
threads-batch = {batch_threads}
parallel = 1
cache-ram = 0
no-cache-prompt = true
fit = off
reasoning-format = none

"""


def serve_home(port: int, home: str) -> None:
    """Serve *home* with room for one engine until the process is told to end."""
    from otium.gateway import Service, Settings, run
    from otium.workflow import shared, turn

    house = shared(Path(home))
    service = Service(
        house.registry,
        cache=house.cache,
        state=house.state,
        settings=Settings(resident=1),
        engine=house.engine,
        writing=lambda: turn(house),
    )
    run(service, "127.0.0.1", port)


@contextmanager
def ours(home: Path) -> Iterator[str]:
    """Run our gateway; yield where it serves."""
    port = free_port()
    code = f"from otium.swapping.ways import serve_home; serve_home({port}, {str(home)!r})"
    with _running([sys.executable, "-c", code], port, home.parent / "ours.log") as url:
        yield url


@contextmanager
def router(program: Path, models: Mapping[ModelId, Path], folder: Path) -> Iterator[str]:
    """Run llama-server's router over the files of *models*, set as our engine is."""
    from otium.engine import LlamaCpp

    engine, port = LlamaCpp(), free_port()
    preset = folder / "models.ini"
    sections = [
        _PRESET.format(
            model=model,
            base=files / "model.gguf",
            adapter=files / "adapter.gguf",
            context=engine.context,
            threads=engine.threads,
            batch_threads=engine.batch_threads,
        )
        for model, files in models.items()
    ]
    preset.write_text("".join(["version = 1\n\n", *sections]))
    place = ["--host", "127.0.0.1", "--port", str(port), "--offline"]
    command = [str(program), "--models-preset", str(preset), "--models-max", "1", *place]
    with _running(command, port, folder / "router.log") as url:
        yield url


@contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[str]:
    import httpx2

    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # as our engines have it
    with log.open("ab") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + _START_SECONDS
    try:
        while True:
            with suppress(httpx2.HTTPError):
                if httpx2.get(f"{url}/v1/models", trust_env=False).is_success:
                    break
            if process.poll() is not None or time.monotonic() > until:
                said = log.read_text(errors="replace")[-400:]
                raise BadInput(what=f"the command {command[0]!r}", why=f"it does not serve: {said}")
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
