"""The stand-alone page in a real browser: Debian's chromium, without a network."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(sysconfig.get_path("purelib")) / "axe_playwright_python" / "axe.min.js"
PAGE = Path(__file__).parent / "golden" / "alder-1.html"
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
BENCH = """<script>%s</script><script>
const root = document.documentElement, wide = root.scrollWidth - root.clientWidth;
if (%s) for (const sheet of document.styleSheets) for (const rule of sheet.cssRules)
  if (rule.media && rule.media.mediaText === "print") rule.media.mediaText = "all";
const asked = document.querySelector("details > .asked").checkVisibility();
axe.run(document, {resultTypes: ["violations"], preload: false}).then(ran => {
  const found = ran.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))]);
  const pre = document.createElement("pre"), title = document.title;
  const seen = {wide, found, title, asked, rules: ran.passes.length};
  pre.textContent = "DONE" + JSON.stringify(seen) + "END";
  document.body.replaceChildren(pre);
});
</script>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install it"),
]


def look(folder: Path, *flags: str, printed: bool = False) -> dict[str, object]:
    """Open the page, check it with axe, and return what was found.

    The page lets nothing run; the checker takes its place in a copy without that rule.
    """
    page = POLICY.sub("", PAGE.read_text())
    bench = BENCH % (AXE.read_text(), json.dumps(printed))
    (folder / "page.html").write_text(page.replace("</body>", bench + "</body>"))
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--virtual-time-budget=60000",
        *flags,
        "--dump-dom",
        (folder / "page.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r"DONE(.*)END", done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    seen: dict[str, object] = json.loads(html.unescape(found[1]))
    return seen


@pytest.mark.parametrize(
    ("flags", "printed"),
    [
        (("--window-size=500,900",), False),
        (("--window-size=1280,900",), False),
        (("--window-size=1280,900", "--blink-settings=preferredColorScheme=0"), False),
        (("--window-size=1280,900",), True),
    ],
    ids=["narrow", "wide", "dark", "print"],
)
def test_axe_finds_nothing_and_nothing_sticks_out(
    tmp_path: Path, flags: tuple[str, ...], *, printed: bool
) -> None:
    seen = look(tmp_path, *flags, printed=printed)
    assert seen["found"] == []
    assert isinstance(seen["rules"], int)
    assert seen["rules"] > 15
    assert seen["wide"] == 0
    assert seen["asked"] == printed, "what was asked is folded on a screen, not on paper"
    assert seen["title"] == "Post-deployment report: Alder 1"
