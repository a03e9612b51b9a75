import importlib.metadata
import os
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import msgspec
import pytest

from otium.engine import Endpoint, HttpModel, LlamaCpp, Message, Options, runtime
from otium.engine.llama import Settings
from otium.engine.spawn import Spawn, spawned, told, zygote
from otium.errors import EngineFailed, EngineUnavailable
from otium.records import Digest, ModelId

MODEL, WEIGHTS = ModelId("smol-1"), Digest("sha256:" + "0" * 64)
ASKED = (Message(role="user", content="What is the capital of France?"),)
PARENT = """
import sys
from pathlib import Path
from otium.engine import LlamaCpp
engine = LlamaCpp(context=256, spawn=sys.argv[2])
with engine.run(Path(sys.argv[1]), model="m", weights="sha256:0") as endpoint:
    print(endpoint.base_url, flush=True)
    sys.stdin.read()
"""
STARVED = """
import resource, sys
from pathlib import Path
from otium.engine import LlamaCpp
from otium.errors import EngineFailed
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
try:
    with LlamaCpp(context=1_000_000).run(Path(sys.argv[1]), model="m", weights="sha256:0"):
        print("it fits")
except EngineFailed as error:
    print(error)
"""


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == pid:
            found.append(int(path.parent.name))
    return found


def descendants(pid: int) -> set[int]:
    found = children(pid)
    return {*found, *(one for child in found for one in descendants(child))}


def ended(pid: int, within: float) -> bool:
    """Wait for a process that need not be ours; a zombie has ended too."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within)[0])
    finally:
        os.close(handle)


HOW: tuple[Spawn, ...] = ("zygote", "fresh")


def known() -> set[int]:
    """Return the processes below ours, the zygote among them."""
    zygote().prepare()
    return descendants(os.getpid())


def settings(base: Path) -> bytes:
    return msgspec.json.encode(
        Settings(
            model="m",
            base=str(base),
            adapter=None,
            api_key="k",
            context=256,
            threads=1,
            batch_threads=1,
        )
    )


def get(url: str, key: str | None) -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx2.get(url, headers=headers, trust_env=False).status_code


def test_the_engine_says_how_it_runs(real: Endpoint) -> None:
    assert real.identity.model == "smol-1"
    assert real.identity.engine == f"llama.cpp/xllamacpp-{runtime()['xllamacpp']}"
    assert real.identity.flags == {
        "context": "1024",
        "threads": "1",
        "batch_threads": "2",
        "slots": "1",
        "cache": "off",
    } | told(os.environ)
    assert real.base_url.startswith("http://127.0.0.1:")


def test_the_version_is_what_the_child_has_loaded_not_what_is_installed_since(
    demo_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = runtime()["xllamacpp"]
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2099.1")
    with LlamaCpp(context=256).run(demo_weights, model=MODEL, weights=WEIGHTS) as endpoint:
        assert endpoint.identity.engine == f"llama.cpp/xllamacpp-{loaded}"


def test_what_the_environment_can_change_is_recorded(
    demo_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GGML_EXAMPLE", "7")
    with LlamaCpp(context=256, spawn="fresh").run(
        demo_weights, model=MODEL, weights=WEIGHTS
    ) as endpoint:
        assert endpoint.identity.flags["GGML_EXAMPLE"] == "7"


def test_the_engine_serves_only_who_has_the_key(real: Endpoint) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    url = f"{real.base_url}/chat/completions"
    assert httpx2.post(url, json=body, trust_env=False).status_code == 401
    root = real.base_url.removesuffix("/v1")
    assert get(f"{root}/slots", real.api_key) == 501
    assert get(f"{root}/props", None) == 401


def test_a_page_of_another_origin_may_not_read_the_engine(real: Endpoint) -> None:
    headers = {"Authorization": f"Bearer {real.api_key}", "Origin": "http://elsewhere.example"}
    answer = httpx2.get(f"{real.base_url}/models", headers=headers, trust_env=False)
    assert answer.headers.get("Access-Control-Allow-Origin", "") not in {
        "*",
        "http://elsewhere.example",
    }


def test_the_engine_does_not_tell_where_its_files_are(real: Endpoint) -> None:
    answer = httpx2.get(
        f"{real.base_url}/models",
        headers={"Authorization": f"Bearer {real.api_key}"},
        trust_env=False,
    )
    assert answer.json()["data"][0]["id"] == "smol-1"
    assert 'gguf"' not in answer.text.replace('"format":"gguf"', "")
    assert "site-packages" not in answer.text


def test_a_prompt_over_the_context_is_a_clear_failure_and_the_engine_lives_on(
    real: Endpoint,
) -> None:
    model = HttpModel(real)
    with pytest.raises(EngineFailed, match="exceeds the available context size"):
        model.chat((Message(role="user", content="word " * 2000),))
    assert model.chat(ASKED, Options(max_tokens=2)).completion_tokens == 2


def test_an_answer_that_fills_the_context_ends_with_length(demo_weights: Path) -> None:
    with LlamaCpp(context=256).run(demo_weights, model=MODEL, weights=WEIGHTS) as endpoint:
        long = (Message(role="user", content="What is the capital of France? " * 29),)
        answer = HttpModel(endpoint).chat(long, Options(max_tokens=100_000))
    assert answer.finish == "length"
    assert answer.prompt_tokens + answer.completion_tokens <= 257


def test_requests_at_once_get_the_answers_of_requests_in_turn(real: Endpoint) -> None:
    model, short = HttpModel(real), Options(max_tokens=3, top_logprobs=2)
    asked = [(Message(role="user", content=f"Name {n} trees."),) for n in range(2, 5)]
    in_turn = [model.chat(messages, short) for messages in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        assert list(pool.map(lambda messages: model.chat(messages, short), asked)) == in_turn


def test_a_directory_with_an_adapter_is_another_model(real: Endpoint, successor: Path) -> None:
    short = Options(max_tokens=4)
    with LlamaCpp(context=1024).run(successor, model=MODEL, weights=WEIGHTS) as endpoint:
        assert HttpModel(endpoint).chat(ASKED, short) != HttpModel(real).chat(ASKED, short)


def test_a_model_that_is_garbage_fails_with_the_end_of_the_log(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"garbage" * 1000)
    with (
        pytest.raises(EngineFailed, match=r"ended with status 1: .*invalid magic"),
        LlamaCpp().run(path, model=MODEL, weights=WEIGHTS),
    ):
        pass


def test_a_model_that_is_cut_short_fails(demo_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    with demo_weights.open("rb") as file:
        path.write_bytes(file.read(3 << 20))
    with (
        pytest.raises(EngineFailed, match="ended with status 1"),
        LlamaCpp().run(path, model=MODEL, weights=WEIGHTS),
    ):
        pass


def test_a_model_that_does_not_fit_into_memory_fails(demo_weights: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARVED, str(demo_weights)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ended with status 1" in done.stdout
    assert "insufficient memory" in done.stdout


def test_the_log_is_kept_and_only_this_start_is_quoted(tmp_path: Path) -> None:
    path, log = tmp_path / "model.gguf", tmp_path / "engine.log"
    path.write_bytes(b"garbage" * 1000)
    log.write_bytes(b"an older failure\n")
    with (
        pytest.raises(EngineFailed) as failed,
        LlamaCpp(log=log).run(path, model=MODEL, weights=WEIGHTS),
    ):
        pass
    assert "older" not in str(failed.value)
    assert log.read_text().startswith("an older failure\n")
    assert "invalid magic" in log.read_text()


def test_what_is_not_a_model_is_refused_before_a_process_starts(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    with (
        pytest.raises(EngineUnavailable, match="one GGUF model is needed, 0 found"),
        LlamaCpp().run(tmp_path, model=MODEL, weights=WEIGHTS),
    ):
        pass


def test_an_engine_that_is_too_slow_is_stopped(demo_weights: Path) -> None:
    with (
        pytest.raises(EngineFailed, match=r"not ready within 0\.001 s"),
        LlamaCpp(start_limit=0.001).run(demo_weights, model=MODEL, weights=WEIGHTS),
    ):
        pass


@pytest.mark.parametrize("spawn", HOW)
def test_an_engine_that_is_killed_is_a_failure_and_nothing_hangs(
    demo_weights: Path, spawn: Spawn
) -> None:
    engine, before = LlamaCpp(context=256, spawn=spawn), known()
    with engine.run(demo_weights, model=MODEL, weights=WEIGHTS) as endpoint:
        (child,) = descendants(os.getpid()) - before
        os.kill(child, signal.SIGKILL)
        assert ended(child, within=10)
        with pytest.raises(EngineFailed, match="smol-1"):
            HttpModel(endpoint).chat(ASKED)


@pytest.mark.parametrize("spawn", HOW)
def test_an_engine_ends_with_its_block(demo_weights: Path, spawn: Spawn) -> None:
    engine, before = LlamaCpp(context=256, spawn=spawn), known()
    with engine.run(demo_weights, model=MODEL, weights=WEIGHTS) as endpoint:
        (child,) = descendants(os.getpid()) - before
    assert not Path(f"/proc/{child}").exists()
    with pytest.raises(EngineFailed, match="ConnectError"):
        HttpModel(endpoint).chat(ASKED)


@pytest.mark.parametrize("spawn", HOW)
def test_an_engine_dies_with_a_parent_that_is_killed(demo_weights: Path, spawn: Spawn) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(demo_weights), spawn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().decode().strip()
        family = descendants(parent.pid)
        assert len(family) == (2 if spawn == "zygote" else 1)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url.removesuffix('/v1')}/props")
        parent.kill()
        assert all(ended(one, within=10) for one in family)


def test_an_engine_whose_parent_dies_while_it_loads_ends_too(demo_weights: Path) -> None:
    command = [sys.executable, "-m", "otium.engine.child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.communicate(settings(demo_weights) + b"\n", timeout=20)
    assert child.returncode == 0


def test_a_child_that_is_told_nothing_ends() -> None:
    command = [sys.executable, "-m", "otium.engine.child"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
    assert done.returncode == 1
    assert b"no settings" in done.stderr


@pytest.mark.parametrize("child", ["/bin/true", "/bin/false"])
def test_a_child_that_ends_at_once_is_a_failure_with_its_status(
    child: str, demo_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", child)
    with (
        pytest.raises(EngineFailed, match="ended with status"),
        LlamaCpp(spawn="fresh").run(demo_weights, model=MODEL, weights=WEIGHTS),
    ):
        pass


def test_a_child_that_is_gone_before_it_is_told_anything_hides_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with (tmp_path / "log").open("wb") as log, spawned(log, "fresh") as child:
        assert child.wait(10) == 0
        assert child.exchange(b"{}\n", limit=5) == b""


def test_a_child_that_talks_nonsense_is_a_failure(
    demo_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child"
    child.write_text("#!/bin/sh\necho nonsense\ncat >/dev/null\n")
    child.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(child))
    with (
        pytest.raises(EngineFailed, match="it answered b'nonsense"),
        LlamaCpp(spawn="fresh").run(demo_weights, model=MODEL, weights=WEIGHTS),
    ):
        pass


def test_runtime_names_what_runs_models() -> None:
    assert runtime().keys() == {"xllamacpp", "python", "platform"}
