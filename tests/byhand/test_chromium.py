"""The local page in a real browser: its address, its forms, and what axe says of it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

from byhand.conftest import ROLE, YES, Speaker
from cli.said import Say
from otium.byhand import Desk, Keys, held_talk, listening, server_of
from otium.workflow import reading

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(sysconfig.get_path("purelib")) / "axe_playwright_python" / "axe.min.js"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
MARKUP = "<script>document.title='owned'</script> I want to be kept."
CHECK = """(async () => JSON.stringify((await axe.run(document,
  {resultTypes: ["violations"], preload: false})).violations.map(
  it => [it.id, it.nodes.map(node => node.html)])))()"""
WIDE = "String(document.documentElement.scrollWidth - document.documentElement.clientWidth)"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install it"),
]


@contextmanager
def served(home: Path, speaker: Speaker) -> Iterator[tuple[Desk, str]]:
    with held_talk(reading(home), speaker, ROLE) as started, listening(0) as listener:
        desk = Desk(home, ROLE, started=started)
        keys = Keys.fresh(listener.getsockname()[1])
        server = server_of(desk, keys)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield desk, keys.url
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def browser(folder: Path) -> Iterator[str]:
    """Yield the address under which a browser's one tab is driven."""
    assert CHROMIUM is not None
    with subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "DevTools listening on" in line)
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        try:
            yield line.split("//")[1].split("/")[0]
        finally:
            process.terminate()
            drain.join()


class _Gone(Exception):
    """The page that was asked is being left."""


class Tab:
    """A tab that goes to addresses and evaluates expressions."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0
        self.complaints: list[str] = []

    async def call(self, method: str, **values: object) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": values})
        while True:
            said = await self._socket.receive_json()
            if said.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                self.complaints.append(json.dumps(said["params"]))
            if said.get("id") == self._number:
                if "navigated" in str(said.get("error")):
                    raise _Gone
                assert "error" not in said, said
                result: dict[str, Any] = said["result"]
                return result

    async def tell(self, expression: str) -> str:
        done = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        return str(done["result"].get("value"))

    async def until(self, expression: str) -> Self:
        """Wait until *expression* holds in a page that is loaded."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            whole = f"document.readyState === 'complete' && Boolean({expression})"
            with suppress(_Gone):
                if await self.tell(whole) == "True":
                    return self
        raise AssertionError(await self.tell("document.body.innerText"))

    async def press(self, selector: str) -> None:
        await self.tell(f"document.querySelector({json.dumps(selector)}).click()")

    async def faults(self) -> list[object]:
        """Return what axe finds, in light and in dark, and whether a phone scrolls sideways."""
        found: list[object] = []
        await self.tell(AXE.read_text() + ";0")
        for scheme in ("light", "dark"):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            await self.call("Emulation.setEmulatedMedia", features=features)
            found += json.loads(await self.tell(CHECK))
        phone = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **phone)
        found += [] if await self.tell(WIDE) == "0" else ["it scrolls sideways"]
        await self.call("Emulation.clearDeviceMetricsOverride")
        return found


async def _drive(port: str, url: str) -> tuple[list[object], list[str]]:
    faults: list[object] = []
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{port}/json/list") as answer:
            target = (await answer.json())[0]["webSocketDebuggerUrl"]
        async with session.ws_connect(target, max_msg_size=0) as socket:
            tab = Tab(socket)
            await tab.call("Log.enable")
            await tab.call("Runtime.enable")
            await tab.call("Page.navigate", url=url)
            await tab.until("document.querySelector('button[value=begin]')")
            faults += await tab.faults()
            await tab.press("button[value=begin]")
            await tab.until("document.querySelector('#words')")
            await tab.press("button[value='own-sake neutral']")
            await tab.until("document.querySelector('#m5')")
            await tab.tell("document.querySelectorAll('details').forEach(it => it.open = true)")
            faults += await tab.faults()
            await tab.tell("document.querySelector('#words').value = 'What else?'")
            await tab.press("button[value=say]")
            await tab.until("document.querySelector('#m7')")
            await tab.press("button[value=end]")
            await tab.until("document.body.innerText.includes('interviews/1.json')")
            await _code(tab, faults)
            assert await tab.tell("document.title") == "Your coding · otium"
            assert await tab.tell("document.cookie") == ""
    return faults, tab.complaints


async def _code(tab: Tab, faults: list[object]) -> None:
    await tab.press("a[href='/code']")
    for number in (1, 2, 3):
        await tab.until(f"document.title.startsWith('Answer {number}')")
        if number == 1:
            faults += await tab.faults()
        for name in ("outcome", "sentiment", "uncertainty"):
            await tab.press(f"input[name={name}]")
        await tab.press("form.judge button")
    await tab.until("document.title.startsWith('Your coding')")
    faults += await tab.faults()


@pytest.mark.skipif(not AXE.exists(), reason="axe is not installed")
def test_an_interview_and_its_coding_in_a_browser_without_a_fault(
    lab: Say,  # noqa: ARG001 - it is there
    speaker: Speaker,
    tmp_path: Path,
) -> None:
    speaker.left = [YES, MARKUP, "I do not know."]
    with served(tmp_path / "lab", speaker) as (desk, url), browser(tmp_path / "profile") as port:
        faults, complaints = asyncio.run(_drive(port, url))
        assert faults == []
        assert complaints == []
        assert desk.filed is not None
        assert desk.judging is not None
        assert desk.judging.done == 3
