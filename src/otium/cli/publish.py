"""``otium transition``, ``site`` and ``gateway``: what the public meets."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from otium.terminal import as_json, count, emit, progress

if TYPE_CHECKING:
    from otium.inband import Brownout
    from otium.workflow import Home

_GIGA = 1_000_000_000


@click.group()
def transition() -> None:
    """Help the users of a retiring model: both models' answers, side by side.

    \b
    Example: otium transition publish smol-1
    """


@transition.command("publish")
@click.argument("name")
@click.option("--successor", help="The model to move to, if none is recommended yet.")
@click.option(
    "--prompts", "limit", type=click.IntRange(min=1), help="Compare on only so many prompts."
)
@as_json
@click.pass_obj
def publish_transition(
    home: Path, name: str, successor: str | None, limit: int | None, as_json: bool
) -> None:
    """Ask both models the same prompts and publish the guide, before the end is announced.

    \b
    Example: otium transition publish smol-1 --successor smol-2 --prompts 4
    """
    from otium.errors import WrongState
    from otium.records import model_id
    from otium.workflow import guide_users, opened, running

    with opened(home) as house, progress(as_json) as bars:
        life = house.registry.model(model_id(name))
        to = model_id(successor) if successor else life.replacement
        if to is None:
            needed = "given a --successor to compare it with"
            raise WrongState(model=life.model, state="without a replacement", needed=needed)
        with (
            running(house, life.model, progress=bars) as old,
            running(house, to, progress=bars) as new,
        ):
            guide = guide_users(house, life.model, old, new, limit=limit, progress=bars)
    emit(guide, as_json, lambda: guide.markdown)


@transition.command("show")
@click.argument("name")
@as_json
@click.pass_obj
def show_transition(home: Path, name: str, as_json: bool) -> None:
    """Print a published transition guide.

    \b
    Example: otium transition show smol-1
    """
    from otium.records import model_id
    from otium.transition import TransitionGuide
    from otium.workflow import reading

    guide = reading(home).registry.filed(model_id(name), "transition.json", TransitionGuide)
    emit(guide, as_json, lambda: guide.markdown)


@click.group()
def site() -> None:
    """Build the public pages: plain HTML with a .json twin of each.

    \b
    Example: otium site build
    """


@site.command("build")
@as_json
@click.pass_obj
def build_site(home: Path, as_json: bool) -> None:
    """Build every page from the archive and the ledger.

    \b
    Example: otium site build && open otium-home/site/index.html
    """
    from otium.workflow import build_pages, reading

    built = build_pages(reading(home))
    emit(built, as_json, lambda: f"{count(len(built.pages), 'page')} in {home / 'site'}")


@site.command("serve")
@click.option("--port", type=click.IntRange(1, 65535), default=8420, show_default=True)
@click.pass_obj
def serve_site(home: Path, port: int) -> None:
    """Serve the built pages on this machine until Ctrl-C.

    \b
    Example: otium site serve --port 8420
    """
    from otium.errors import NoSite
    from otium.web import serve_site as serve

    folder = home / "site"
    if not (folder / "pages.json").is_file():
        raise NoSite(path=folder)
    click.echo(f"http://127.0.0.1:{port}/ (Ctrl-C to stop)")
    serve(folder, port=port)


@click.group()
def gateway() -> None:
    """Serve the public API: models in service, retired ones on demand, and a way to leave.

    \b
    Example: otium gateway serve --port 8421
    """


@gateway.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8421, show_default=True)
@click.option("--key", "keys", multiple=True, help="A key that may do everything. Repeatable.")
@click.option(
    "--state",
    default="",
    envvar="OTIUM_STATE",
    help="The database: postgresql://USER@HOST/DB. Default: state.sqlite in the home.",
)
@click.option(
    "--offer-exit",
    "leavers",
    multiple=True,
    help="A model that may end conversations.",
)
@click.option("--site", default="", help="Where the public pages stand: https://example.org/models")
@click.option("--access-url", default="", help="Where access is asked for; {model}: its id.")
@click.option("--drain", default=30.0, show_default=True, help="Seconds to finish in.")
@click.option(
    "--log", type=click.File("ab"), help="A file for a line of JSON a request; -: stdout."
)
@click.option(
    "--resident",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    help="Engines up at once; 0: as many as --memory holds.",
)
@click.option(
    "--memory", type=click.FloatRange(0), default=0.0, help="GB that all engines may hold."
)
@click.option("--pin", "pins", multiple=True, help="A model to load at once and keep up.")
@click.option("--per-key", type=click.IntRange(0), default=0, help="Answers at once for one key.")
@click.option(
    "--ram-cache", type=click.FloatRange(0), default=0.0, help="GB of weights to keep in memory."
)
@click.option(
    "--engine-url",
    "engines",
    multiple=True,
    help="An engine of others: MODEL=URL#NAME-THERE.",
)
@click.option("--brownout", "gaps", multiple=True, help="An announced gap in UTC: MODEL=START/END.")
@click.pass_obj
def serve_gateway(
    home: Path,
    host: str,
    port: int,
    keys: tuple[str, ...],
    state: str,
    leavers: tuple[str, ...],
    site: str,
    access_url: str,
    drain: float,
    log: IO[bytes] | None,
    resident: int,
    memory: float,
    pins: tuple[str, ...],
    per_key: int,
    ram_cache: float,
    engines: tuple[str, ...],
    gaps: tuple[str, ...],
) -> None:
    """Serve OpenAI's and Anthropic's APIs until Ctrl-C. A daily tick can run beside it.

    When a model is offered the exit is set by `otium exit policy`; by default it is a last resort.

    Keys are made with `otium access key create`. Several gateways on one database share them,
    their budgets and limits, and ended conversations.

    Others on this machine can read a command line: better set keys in
    OTIUM_GATEWAY_SERVE_KEYS, separated by spaces. The key of an --engine-url is OTIUM_ENDPOINT_KEY.

    \b
    Examples: otium gateway serve --port 8421 --offer-exit smol-2
              otium gateway serve --resident 0 --memory 24 --pin smol-2
              otium gateway serve --engine-url smol-1=http://gpu-1:8000/v1#org/smol
    """
    from otium.gateway import Settings, run
    from otium.records import model_id
    from otium.workflow import engine_at, service, shared

    house = shared(home)
    some = Settings(
        keys=keys,
        offer_exit=tuple(house.registry.model(model_id(name)).model for name in leavers),
        site=site.rstrip("/"),
        access_url=access_url,
        drain_seconds=drain,
        resident=resident,
        memory_bytes=int(memory * _GIGA),
        pinned=tuple(house.registry.model(model_id(name)).model for name in pins),
        per_caller=per_key,
        brownouts=tuple(_window(house, one) for one in gaps),
    )
    elsewhere = dict(engine_at(house, one) for one in engines)
    click.echo(f"http://{host}:{port}/v1 (Ctrl-C to stop)")
    with suppress(KeyboardInterrupt):
        cached = int(ram_cache * _GIGA)
        serving = service(house, some, state=state, log=log, ram_cache=cached, upstreams=elsewhere)
        run(serving, host, port)


def _window(house: Home, text: str) -> Brownout:
    from otium.inband import Brownout

    found = Brownout.at(text)
    house.registry.model(found.model)  # one that is not registered is a slip
    return found
