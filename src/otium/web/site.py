"""Write every page and its twin, then put the whole site in place at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from otium import plots
from otium.assess import Assessment
from otium.durability import Durability, fragment
from otium.errors import BadInput, NotFound
from otium.evidence import simulated, to_jsonl
from otium.lifecycle import Registry
from otium.records import Instant, Part, Progress, Record, canonical, digest, hexadecimal, silent
from otium.report import source_text
from otium.web import figures
from otium.web.gather import House
from otium.web.lives import feeds
from otium.web.pages import lay_out
from otium.web.text import FILTERS, relative, segments
from otium.web.views import Line, View

_HERE = Path(__file__).parent
_INDEX = "pages.json"
_STYLE = "otium.css"


class Listed(Part):
    """One page in the index of pages."""

    path: str
    title: str
    twin: str


class Site(Record, tag="otium.pages/1"):
    """What was built: ``pages.json``."""

    archive: str
    built: Instant
    pages: tuple[Listed, ...]


def build_site(registry: Registry, out: Path, *, now: Instant, progress: Progress = silent) -> Site:
    """Build the public pages in *out*, in place of the site that was there.

    The same registry and *now* give the same bytes. Readers see the old site or the new one.
    Raises BadInput if *out* holds something that is not a site.
    """
    out = Path(out)
    _refuse_to_overwrite(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        site = _write(House(registry, now), new, progress)
        if out.exists():
            out.rename(old)
        new.rename(out)
    return site


def site_server(folder: Path, *, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of a built site on the loopback, not yet running."""
    if not (Path(folder) / _INDEX).is_file():
        raise NotFound(what=f"a built site in {folder}")
    return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(folder)))


def serve_site(folder: Path, *, port: int = 8420) -> None:
    """Serve a built site on the loopback until it is interrupted; raise NotFound without one."""
    with site_server(folder, port=port) as server, suppress(KeyboardInterrupt):
        server.serve_forever()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Print nothing: libraries are silent."""


def _refuse_to_overwrite(out: Path) -> None:
    if out.exists() and not (out.is_dir() and ((out / _INDEX).is_file() or not any(out.iterdir()))):
        raise BadInput(what=str(out), why="it holds something that is not a site built by otium")


def _write(house: House, new: Path, progress: Progress) -> Site:
    environment = _environment()
    views = list(lay_out(house))
    for number, view in enumerate(views, 1):
        _put(new / view.path, _render(environment, view).encode())
        _put(new / view.twin, view.encode())
        progress("pages", number, len(views))
    for path, data in _copies(house):
        _put(new / path, data)
    listed = tuple(Listed(path=v.path, title=v.title, twin=v.twin) for v in views)
    site = Site(archive=house.registry.archive.id, built=house.now, pages=listed)
    _put(new / _STYLE, (_HERE / "static" / _STYLE).read_bytes() + plots.style().encode())
    _put(new / _INDEX, canonical(site))
    return site


def _copies(house: House) -> Iterator[tuple[str, bytes]]:
    """Yield the archived records, byte for byte, with their digests as ``sha256sum`` reads them."""
    yield from feeds(house)
    for model in house.models:
        for source, said in groupby(model.said, key=attrgetter("source")):
            shown = (it.transcript for it in said if not it.sealed)
            yield f"{model.folder}/transcripts/{source}.jsonl", to_jsonl(shown)
        copies = dict(model.copies())
        yield from copies.items()
        if copies:
            folder = f"{model.folder}/records/"
            sums = (
                f"{hexadecimal(digest(d))}  {p.removeprefix(folder)}\n" for p, d in copies.items()
            )
            yield f"{folder}SHA256SUMS", "".join(sums).encode()


def _render(environment: Environment, view: View) -> str:
    template = environment.get_template(f"{type(view).__name__}.html")
    return template.render(view=view, to=partial(relative, view.path), figures=figures)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.tests["double"] = simulated
    environment.globals |= {"segments": segments}
    environment.filters |= {**FILTERS, "durability": _durability, "source": source_text}
    environment.filters |= {"picture": figures.inline, "twin": figures.twin}
    return environment


def assessment_page(it: Assessment) -> str:
    """Return *it* as one page that needs nothing else, with its transcripts."""
    lines = {
        f"{said.id}#{turn.id}": Line(transcript=said.id, turn=turn.id, href=f"#t{place}-{turn.id}")
        for place, said in enumerate(it.transcripts, 1)
        for turn in said.turns
    }
    style = (_HERE / "static" / _STYLE).read_text() + plots.style()
    template = _environment().get_template("AssessmentFile.html")
    return template.render(it=it, lines=lines, style=Markup(style), figures=figures, to=str)  # noqa: S704  our own style sheets


def _durability(found: Durability) -> Markup:
    """Return the calculation as HTML; its text is escaped where it is written."""
    return Markup(fragment(found))  # noqa: S704


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)
        os.fchmod(file.fileno(), 0o644)
