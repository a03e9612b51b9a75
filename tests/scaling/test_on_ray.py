"""Real weights through a real Ray cluster, and kill -9 of whoever works."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest

from otium.engine import External
from otium.gateway import Service, background
from otium.lifecycle import Surface, deprecate, retire, set_availability
from otium.records import Instant, ModelId, later
from otium.workflow import founded, opened, reading, shared
from scaling.rayed import Cluster, otium, workers, writing

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(280)]
REPLICA = "ray::ServeReplica:otium:Replica"
ADAPTERS = Path(__file__).parents[2] / "src/otium/data/models"


class Batch(NamedTuple):
    home: Path
    files: dict[str, Path]
    deposited: list[dict[str, Any]]
    killed: int


def until(found: Callable[[], list[Any]], running: Popen[str], seconds: float = 120) -> Any:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and running.poll() is None:
        if some := found():
            return some[0]
        time.sleep(0.02)
    running.kill()
    raise AssertionError(f"it did not come to that: {running.communicate()[1][-2000:]}")


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, demo_weights: Path, cluster: Cluster) -> Batch:
    """Three models deposited by two workers, one of which dies while it writes a pack."""
    root = tmp_path_factory.mktemp("batch")
    home, files = root / "lab", {"smol-1": root / "smol-1"}
    for name, adapter in (("smol-2", "successor"), ("smol-3", "template")):
        files[name] = root / name
        files[name].mkdir()
        (files[name] / "adapter.gguf").write_bytes((ADAPTERS / f"{adapter}-lora.gguf").read_bytes())
    files["smol-1"].mkdir()
    for folder in files.values():
        os.link(demo_weights, folder / "base.gguf")
    register(home, files)
    wanted = [f"{name}={folder}" for name, folder in files.items()]
    with otium(home, "scale", "deposit", *wanted, "--ray", cluster.address, "--json") as running:
        killed = until(lambda: writing(cluster, home / "archive"), running)
        os.kill(killed, signal.SIGKILL)
        out, err = running.communicate(timeout=200)
    assert running.returncode == 0, err
    return Batch(home, files, json.loads(out), killed)


def register(home: Path, names: Iterable[str]) -> None:
    with founded(home, archive_id="batch") as house:
        for name in names:
            house.registry.register(
                name, title=name, released="2026-01-05", scope="public", surfaces=["api"]
            )


def retire_one(home: Path) -> None:
    """Retire smol-3, which stays available on demand."""
    with opened(home) as house:
        dates: dict[Surface, Instant] = {"api": later(house.registry.now(), days=400)}
        deprecate(
            house.registry,
            "smol-3",
            retire_at=dates,
            replacement="smol-1",
            reason="a test",
            force=True,
        )
        retire(house.registry, "smol-3", force=True, reason="a test")
        set_availability(house.registry, "smol-3", "on-demand")


def test_a_worker_killed_in_the_middle_loses_nothing_and_repeats_nothing(batch: Batch) -> None:
    assert [one["failure"] for one in batch.deposited] == [None] * 3
    assert sum(one["attempts"] for one in batch.deposited) == 4
    home = reading(batch.home)
    logged = [e.subject for e in home.registry.entries() if e.type == "model.deposited"]
    assert sorted(logged) == sorted(batch.files)
    for name, folder in batch.files.items():
        kept = home.archive.manifest(ModelId(name))
        assert kept.weights == home.archive.plan(folder).weights
    assert home.archive.check(now=home.registry.now()).ok


def test_a_family_deposited_at_once_takes_little_more_than_its_base(batch: Batch) -> None:
    packs = sum(p.stat().st_size for p in (batch.home / "archive/packs").rglob("*.pack"))
    assert packs < 1.06 * (batch.files["smol-1"] / "base.gguf").stat().st_size


def test_two_workers_scrub_what_one_would(batch: Batch, cluster: Cluster) -> None:
    with otium(batch.home, "scale", "scrub", "--ray", cluster.address, "--json") as running:
        out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    done = json.loads(out)
    assert done["read"] == done["total"] > 0
    assert done["position"]["rounds"] == 1
    size = sum(p.stat().st_size for p in (batch.home / "archive").rglob("*") if p.is_file())
    assert done["bytes"] == pytest.approx(size, rel=0.01)


def test_the_gateway_gets_the_right_models_answers_while_replicas_die(
    batch: Batch, cluster: Cluster
) -> None:
    retire_one(batch.home)
    served = otium(
        batch.home,
        "scale",
        "serve",
        "--ray",
        cluster.address,
        "--port",
        free_port(),
        "--replicas",
        2,
    )
    with served as running:
        assert running.stdout
        url = running.stdout.readline().split(" ")[0]
        assert url.startswith("http://127.0.0.1:"), running.communicate()[1][-2000:]
        home = shared(batch.home)
        weights = {life.model: life.weights for life in home.registry.models()}
        upstreams = {model: External(url=url).endpoint(model) for model in weights}
        assert {m: at.identity.weights for m, at in upstreams.items()} == weights
        service = Service(home.registry, cache=home.cache, state=home.state, upstreams=upstreams)
        with background(service) as gateway, ThreadPoolExecutor(3) as pool:
            first = [ask(gateway, model) for model in weights]
            asked = [pool.submit(ask, gateway, model) for _ in range(2) for model in weights]
            replica = until(lambda: workers(cluster, REPLICA), running)
            os.kill(replica, signal.SIGKILL)
            answers = [*first, *(one.result() for one in asked)]
        said = {(one["model"], one["otium"]["weights"], text(one)) for one in answers}
        assert len(answers) == 9
        assert {(model, digest) for model, digest, _ in said} == set(weights.items())
        assert len(said) == 3  # each model says one thing, whichever replica it is in
        revivals = [
            e.subject for e in reading(batch.home).registry.entries() if e.type == "model.revived"
        ]
        assert set(revivals) == {"smol-3"}
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def ask(gateway: str, model: str) -> Any:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Name a colour."}],
        "max_tokens": 4,
        "temperature": 0,
    }
    request = Request(
        f"{gateway}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=200) as answer:
        return json.load(answer)


def text(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])
