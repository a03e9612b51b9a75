"""Real processes: one that is killed in the middle of a conversation, one that is closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2

from byhand.conftest import ROLE, SMOL, YES, Speaker
from cli.said import Say
from otium.byhand import waiting_talks
from otium.interview import Interview
from otium.records import ModelId
from otium.testing import serve
from otium.workflow import reading


def test_what_was_said_before_a_kill_is_there_afterwards(
    lab: Say,  # noqa: ARG001 - it is there
    speaker: Speaker,
    tmp_path: Path,
) -> None:
    speaker.left = [YES, "It was said before the end.", "It was said after it."]
    home = tmp_path / "lab"
    with serve(speaker) as endpoint:
        words = ["--home", str(home), "interview", "talk", SMOL, "--role", ROLE, "--unchecked"]
        command = [sys.executable, "-m", "otium", *words]
        command += ["--via", f"{endpoint.base_url}#{SMOL}"]
        environment = {**os.environ, "OTIUM_ENDPOINT_KEY": endpoint.api_key}
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment | {"PYTHONUNBUFFERED": "1"},
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("1\n")
            process.stdin.flush()
            assert any("said before the end" in line for line in process.stdout)
            process.kill()
        (name,) = waiting_talks(home, ModelId(SMOL))
        done = subprocess.run(
            [*command, "--resume", name],
            input="2\n/end\n",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "model> It was said before the end." in done.stdout
    held = reading(home).registry.filed(ModelId(SMOL), "interviews/1.json", Interview)
    assert [turn.content for turn in held.transcripts[0].said()] == [
        YES,
        "It was said before the end.",
        "It was said after it.",
    ]


def test_the_desk_opens_at_its_address_and_closes_at_an_interrupt(
    lab: Say,  # noqa: ARG001 - it is there
    tmp_path: Path,
) -> None:
    home = tmp_path / "lab"
    words = ["--home", str(home), "interview", "desk", SMOL, "--role", ROLE, "--unchecked"]
    with serve(Speaker()) as endpoint:
        command = [sys.executable, "-m", "otium", *words]
        command += ["--via", f"{endpoint.base_url}#{SMOL}"]
        environment = {**os.environ, "OTIUM_ENDPOINT_KEY": endpoint.api_key}
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            env=environment | {"PYTHONUNBUFFERED": "1"},
            text=True,
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            client = httpx2.Client(follow_redirects=True)
            assert "Before anything is asked" in client.get(url).text
            assert httpx2.get(url.partition("?")[0]).status_code == 403
            client.close()
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
    assert process.returncode == 0
    assert "Go on" not in rest
    assert waiting_talks(home, ModelId(SMOL)) == ()
    assert not list((home / "talks").rglob("talk.jsonl"))
