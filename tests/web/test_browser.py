"""The pages in a real browser: Debian's chromium, without a network."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from otium.web import Site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
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
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
WIDTHS = (360, 1280)
BENCH = """<!doctype html><meta charset="utf-8"><title>bench</title><pre id="out"></pre>
<iframe id="frame" height="900"></iframe><script>
const frame = document.getElementById("frame"), out = [];
const wait = src => new Promise(done => { frame.onload = done; frame.src = src; });
(async () => {
  for (const page of %s) for (const width of %s) {
    frame.width = width; await wait("/" + page);
    const d = frame.contentDocument, root = d.documentElement;
    const styled = frame.contentWindow.getComputedStyle(d.body).margin === "0px";
    out.push({page, width, scroll: root.scrollWidth, client: root.clientWidth, styled,
      title: d.title, words: d.body.innerText.length});
  }
  document.getElementById("out").textContent = "DONE" + JSON.stringify(out) + "END";
})();
</script>"""

AXE = Path(sysconfig.get_path("purelib")) / "axe_playwright_python" / "axe.min.js"
"""The accessibility checker axe-core, in a package of which we use nothing else."""
AXE_BENCH = """<!doctype html><meta charset="utf-8"><title>bench</title><pre id="out"></pre>
<iframe id="frame" height="900"></iframe><script>
const frame = document.getElementById("frame"), out = [];
const wait = src => new Promise(done => { frame.onload = done; frame.src = src; });
(async () => {
  for (const page of %s) for (const [width, print] of %s) {
    frame.width = width; await wait("/" + page + "?axe");
    const d = frame.contentDocument, w = frame.contentWindow;
    if (print) for (const sheet of d.styleSheets) for (const rule of sheet.cssRules)
      if (rule.media && rule.media.mediaText === "print") rule.media.mediaText = "all";
    const dark = w.matchMedia("(prefers-color-scheme: dark)").matches;
    const ran = await w.axe.run(d, {resultTypes: ["violations"], preload: false});
    out.push({page, width, print, dark, rules: ran.passes.length, violations:
      ran.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))])});
  }
  document.getElementById("out").textContent = "DONE" + JSON.stringify(out) + "END";
})();
</script>"""
VIEWS = {"light": ([360, False], [1280, False], [1280, True]), "dark": ([1280, False],)}
"""Width, and whether the style for paper is used. Colours do not hang on the width."""
POLICY = re.compile(rb'<meta http-equiv="Content-Security-Policy"[^>]*>')

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install it"),
]


class Built(Protocol):
    folder: Path
    site: Site


class _Pages(SimpleHTTPRequestHandler):
    """The site, and a bench beside it that opens each page at each width."""

    bench: bytes
    axe_light: bytes
    axe_dark: bytes

    def do_GET(self) -> None:
        benches = {"bench": self.bench, "light": self.axe_light, "dark": self.axe_dark}
        page = {f"/{name}.html": data for name, data in benches.items()}.get(self.path)
        if self.path == "/axe.min.js":
            self._send(AXE.read_bytes(), "text/javascript")
        elif self.path.endswith("?axe"):
            # A page lets nothing run; the checker takes its place in a copy without that.
            page = POLICY.sub(b"", Path(self.translate_path(self.path)).read_bytes())
            self._send(page + b'<script src="/axe.min.js"></script>', "text/html")
        elif page is not None:
            self._send(page, "text/html")
        else:
            super().do_GET()

    def _send(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        pass


def _axe_bench(built: Built, scheme: str) -> bytes:
    return (AXE_BENCH % (json.dumps(each_kind(built)), json.dumps(VIEWS[scheme]))).encode()


def each_kind(built: Built) -> list[str]:
    """Return the largest page of each kind."""
    largest: dict[str, str] = {}
    sizes = {page.path: (built.folder / page.path).stat().st_size for page in built.site.pages}
    for path in sorted(sizes, key=lambda path: sizes[path]):
        twin = json.loads((built.folder / path.replace(".html", ".json")).read_text())
        largest[twin["schema"]] = path
    return list(largest.values())


@pytest.fixture(scope="module")
def address(built: Built) -> Iterator[str]:
    pages = json.dumps([page.path for page in built.site.pages])
    benches = {
        "bench": (BENCH % (pages, list(WIDTHS))).encode(),
        **{f"axe_{scheme}": _axe_bench(built, scheme) for scheme in VIEWS},
    }
    handler = type("Handler", (_Pages,), benches)
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(handler, directory=str(built.folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Visit:
    """What the browser saw: the page, what it complained of, and what it asked for."""

    def __init__(self, url: str, folder: Path, *more: str) -> None:
        assert CHROMIUM is not None
        log = folder / "net.json"
        flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", *more]
        done = subprocess.run(
            [CHROMIUM, *flags, "--enable-logging=stderr", "--dump-dom", url],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        self.dom = done.stdout
        self.complaints = re.findall(r"CONSOLE.*", done.stderr)
        asked = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
        self.asked = {
            (str(params["initiator"]), urlsplit(params["url"]).hostname)
            for params in asked
            if "initiator" in params and "url" in params
        }


@pytest.fixture(scope="module")
def visit(address: str, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return Visit(
        f"{address}/bench.html", tmp_path_factory.mktemp("chromium"), "--virtual-time-budget=60000"
    )


@pytest.fixture(scope="module")
def measured(visit: Visit) -> list[dict[str, object]]:
    found = re.search(r"DONE(\[.*\])END", visit.dom)
    assert found, visit.dom[:2000]
    rows: list[dict[str, object]] = json.loads(found[1].replace("&lt;", "<").replace("&amp;", "&"))
    return rows


def test_every_page_opens_at_both_widths_with_its_style(
    built: Built, measured: list[dict[str, object]]
) -> None:
    assert len(measured) == len(built.site.pages) * len(WIDTHS)
    assert all(row["styled"] for row in measured)
    assert all(isinstance(row["words"], int) and row["words"] > 100 for row in measured)


def test_no_page_scrolls_sideways(measured: list[dict[str, object]]) -> None:
    wide = [(r["page"], r["width"], r["scroll"]) for r in measured if r["scroll"] != r["client"]]
    assert wide == []


def test_hostile_words_did_not_run(measured: list[dict[str, object]]) -> None:
    assert not any(row["title"] == "owned" for row in measured)


def test_the_browser_has_nothing_to_complain_of(visit: Visit) -> None:
    assert visit.complaints == []


def test_pages_ask_only_our_own_host(visit: Visit) -> None:
    # What the browser asks on its own account has no page for an initiator.
    asked = {host for initiator, host in visit.asked if "127.0.0.1" in initiator}
    assert asked == {"127.0.0.1"}


def test_pages_open_from_a_file_with_their_style(built: Built, tmp_path: Path) -> None:
    seen = Visit((built.folder / "index.html").as_uri(), tmp_path)
    assert seen.complaints == []
    assert "Each model here has a page" in seen.dom


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_kind_of_page(
    built: Built, address: str, tmp_path: Path, scheme: str
) -> None:
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    seen = Visit(f"{address}/{scheme}.html", tmp_path, "--virtual-time-budget=600000", *dark)
    done = re.search(r"DONE(\[.*\])END", seen.dom, re.DOTALL)
    assert done, seen.dom[:2000]
    rows = json.loads(html.unescape(done[1]))
    assert len(rows) == len(each_kind(built)) * len(VIEWS[scheme])
    assert all(row["dark"] == (scheme == "dark") for row in rows)
    assert all(row["rules"] > 10 for row in rows)
    found = {
        (rule, node, row["page"]): (row["width"], row["print"])
        for row in rows
        for rule, nodes in row["violations"]
        for node in nodes
    }
    assert found == {}
