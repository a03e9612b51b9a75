import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from otium.engine.llama import Ready, Settings
from otium.engine.spawn import Child, Zygote, _Fresh, clean_environment, spawned
from otium.errors import EngineUnavailable

AWAKE = (
    msgspec.json.encode(
        Settings(
            model="m",
            base="",
            adapter=None,
            api_key="k",
            context=1,
            threads=1,
            batch_threads=1,
        )
    )
    + b"\n"
)
STRAY = """
import os, sys, threading
sys.argv = ["x"]
from otium.engine import zygote
zygote.threads = lambda: COUNT
zygote.main()
"""
POOR = """
import os, sys
from otium.engine import zygote
def fork():
    raise OSError(11, "no process is free")
zygote.os.fork = fork
zygote.main()
"""
SLOW = """
import os, time
while not os.path.exists("GATE"):
    time.sleep(0.02)
from otium.engine import zygote
zygote.main()
"""


@pytest.fixture
def mother() -> Iterator[Zygote]:
    """A zygote of the test's own."""
    found = Zygote(patience=60)
    yield found
    found.close()


def born(mother: Zygote) -> Child:
    with tempfile.TemporaryFile() as log:
        child = mother.fork(log)
    assert child is not None
    return child


def facts(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def test_a_forked_child_is_awake_and_ends_with_its_input(mother: Zygote) -> None:
    child = born(mother)
    answer = child.exchange(AWAKE, 10)
    assert answer is not None
    assert msgspec.json.decode(answer, type=Ready).address == ""
    assert child.wait(10) == 0
    child.end()
    waiting = born(mother)
    waiting.end()
    assert not Path(f"/proc/{waiting.pid}").exists()


def test_a_child_has_three_files_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTIUM_ENDPOINT_KEY", "sk-very-secret")
    monkeypatch.setenv("HF_TOKEN", "hf-secret")
    mother = Zygote(patience=60)
    with (tmp_path / "private").open("w"):
        first, child = born(mother), born(mother)
        assert child.exchange(AWAKE, 10)
        waiting = born(mother)
        for pid in (mother.pid, waiting.pid):
            assert pid is not None
            assert "secret" not in facts(pid, "environ")
            files = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
            assert not any(str(tmp_path) in file for file in files)
        until = time.monotonic() + 10
        while (held := opened(waiting.pid)) != {"0", "1", "2"} and time.monotonic() < until:
            time.sleep(0.01)  # it is just closing what its mother had
        assert held == {"0", "1", "2"}
    for one in (first, child, waiting):
        one.end()
    mother.close()


def opened(pid: int) -> set[str]:
    return {one.name for one in Path(f"/proc/{pid}/fd").iterdir()}


def test_a_process_with_thousands_of_files_starts_and_ends_engines() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    mother = Zygote(patience=60)
    try:
        child = born(mother)
        assert child.exchange(AWAKE, 10)
        child.end()
        assert not Path(f"/proc/{child.pid}").exists()
    finally:
        mother.close()
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_zygote_has_one_thread(mother: Zygote) -> None:
    born(mother).end()
    assert len([*Path(f"/proc/{mother.pid}/task").iterdir()]) == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_a_zygote_with_threads_does_not_fork(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, code = subprocess.Popen, STRAY.replace("COUNT", str(threads))
    monkeypatch.setattr(
        subprocess, "Popen", lambda _command, **kept: real([sys.executable, "-c", code], **kept)
    )
    mother = Zygote(patience=60)
    with tempfile.TemporaryFile() as log:
        child = mother.fork(log)
        log.seek(0)
        assert (b"it cannot fork safely" in log.read()) == (threads == 2)
    assert (child is not None) == (threads == 1)
    if child is not None:
        child.end()
    mother.close()


def test_a_zygote_that_cannot_fork_says_why_and_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda _command, **kept: real([sys.executable, "-c", POOR], **kept)
    )
    mother = Zygote(patience=60)
    with tempfile.TemporaryFile() as log:
        for tries in (1, 2):
            assert mother.fork(log) is None
            log.seek(0)
            assert log.read().count(b"no process is free") == tries
    assert mother.pid is not None
    mother.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_the_zygote_survives_a_child_that_crashes_and_says_how_it_ended(
    mother: Zygote, how: signal.Signals
) -> None:
    child, pid = born(mother), mother.pid
    os.kill(child.pid, how)
    assert child.wait(10) == -how
    child.end()
    assert mother.pid == pid
    again = born(mother)
    assert again.exchange(AWAKE, 10)
    again.end()


def test_a_child_outlives_its_zygote_and_the_next_comes_from_a_new_one(mother: Zygote) -> None:
    child = born(mother)
    assert mother.pid is not None
    os.kill(mother.pid, signal.SIGKILL)
    assert child.exchange(AWAKE, 10)
    child.end()
    with tempfile.TemporaryFile() as log:
        if (early := mother.fork(log)) is not None:  # None if it is found just dying
            early.end()
    again = born(mother)
    assert again.exchange(AWAKE, 10)
    again.end()


def test_where_no_zygote_can_be_a_fresh_interpreter_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Zygote, "fork", lambda _self, _log: None)
    with (tmp_path / "log").open("wb") as log, spawned(log, "zygote") as child:
        assert child.exchange(AWAKE, 60)


def test_a_clean_environment_keeps_what_a_runtime_needs() -> None:
    given = {"PATH": "/bin", "OMP_NUM_THREADS": "2", "PYTHONPATH": "src", "LC_ALL": "C"}
    assert clean_environment(given) == given


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY",
        "HF_TOKEN",
        "LLAMA_API_KEY",
        "LLAMA_ARG_API_KEY_FILE",
        "PYTHON_KEYRING_BACKEND",
        "PYTHONSTARTUP",
        "GGML_RPC_TOKEN",
        "CUDA_CREDENTIALS",
    ],
)
def test_a_clean_environment_keeps_no_key(name: str) -> None:
    assert clean_environment({name: "x"}) == {}


def test_a_zygote_that_is_slow_to_load_is_waited_for_once_and_then_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    code = SLOW.replace("GATE", str(gate))
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda _command, **kept: real([sys.executable, "-c", code], **kept)
    )
    mother = Zygote(patience=0.3)
    try:
        with tempfile.TemporaryFile() as log:
            began = time.monotonic()
            assert mother.fork(log) is None
            first, began = time.monotonic() - began, time.monotonic()
            assert mother.fork(log) is None
            second, slow = time.monotonic() - began, mother.pid
            log.seek(0)
            assert log.read().count(b"it is not up yet") == 2
            assert (first >= 0.3, second < 0.2) == (True, True)
            gate.touch()
            until = time.monotonic() + 60
            while (child := mother.fork(log)) is None and time.monotonic() < until:
                time.sleep(0.02)
        assert child is not None
        child.end()
        assert mother.pid == slow
    finally:
        mother.close()


def test_a_zygote_that_never_comes_up_holds_up_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen
    stuck = [sys.executable, "-c", "import time; time.sleep(1000)"]
    monkeypatch.setattr(subprocess, "Popen", lambda _command, **kept: real(stuck, **kept))
    mother = Zygote()
    mother.prepare()
    began = time.monotonic()
    mother.close()
    assert time.monotonic() - began < 5


def test_without_files_to_open_there_is_no_engine_and_nothing_is_left_open(
    mother: Zygote, tmp_path: Path
) -> None:
    born(mother).end()
    before, limits = opened(os.getpid()), resource.getrlimit(resource.RLIMIT_NOFILE)
    with (tmp_path / "log").open("w+b") as log:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, before)) + 4, limits[1]))
        held: list[int] = []
        try:
            with suppress(OSError):
                while True:
                    held.append(os.open(os.devnull, os.O_RDONLY))
            for _ in range(3):  # too few for any engine's pipes
                os.close(held.pop())
            assert mother.fork(log) is None
            with pytest.raises(EngineUnavailable, match="no process can be started"):
                _Fresh(log)
        finally:
            for one in held:
                os.close(one)
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert "Too many open files" in (tmp_path / "log").read_text()
    assert opened(os.getpid()) == before
    born(mother).end()
