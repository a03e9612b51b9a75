"""``otium scale``: the same work done by several workers, here or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from otium.terminal import as_json, count, dry_run, emit, few, progress, table

if TYPE_CHECKING:
    from otium.assess import AmountName, Bookend
    from otium.records import Digest, ModelId
    from otium.scaling import Crew, Deposit, Deposited

_ray = click.option(
    "--ray", metavar="ADDRESS", default="", envvar="OTIUM_RAY",
    help="A Ray cluster, or local: one of this machine's own. Without: this process.",
)  # fmt: skip
_workers = click.option(
    "--workers", type=click.IntRange(min=1), default=2, show_default=True,
    help="Pieces of work at once, on Ray.",
)  # fmt: skip


@click.group()
def scale() -> None:
    """Do for many models at once what other commands do for one; on Ray, if you have it.

    Workers read weights and write them; only this process holds the home and its keys.
    What each way costs, and how many machines it takes: otium plan capacity.

    \b
    Example:
      otium scale deposit smol-1=./smol-1 smol-2=./smol-2 --ray local --workers 2
      otium scale serve --replicas 2
    """


@contextmanager
def _crew(ray: str, workers: int) -> Iterator[Crew]:
    from otium.scaling import Here, cluster

    if not ray:
        yield Here()
        return
    # Ray says on standard output that a worker died; the result says it too.
    with cluster(ray, workers) as crew, redirect_stdout(StringIO()):
        yield crew


@scale.command()
@click.argument("deposits", nargs=-1, metavar="NAME=FILES...")
@click.option(
    "--list", "listed", type=click.File(), help="A file with a NAME=FILES a line; -: what is piped."
)
@_ray
@_workers
@dry_run
@as_json
@click.pass_obj
def deposit(
    home: Path,
    deposits: tuple[str, ...],
    listed: Sequence[str] | None,
    ray: str,
    workers: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Deposit registered models, several at once; one of each family goes first.

    Repeating it is harmless; cut short, or a worker lost, it goes on where it was. The FILES
    have to lie where each worker finds them.

    \b
    Example: otium scale deposit smol-1=./smol-1 smol-2=./smol-2 --ray local --workers 2
    """
    from otium.scaling import deposit_all, order
    from otium.workflow import opened, reading

    lines = [line.strip() for line in listed or () if line.strip()]
    wanted = [_deposit(text) for text in (*deposits, *lines)]
    if not wanted:
        raise click.UsageError("name at least one NAME=FILES, or a --list of them")
    if dry_run:
        plan = order(wanted)
        lives = {life.model: life.weights for life in reading(home).registry.models()}
        rows = [
            (turn, one.model, _kept(one.model, lives), one.files)
            for turn, wave in (("first", plan.first), ("then", plan.then))
            for one in wave
        ]
        emit(plan, as_json, lambda: table(("turn", "model", "now", "files"), rows))
        return
    with opened(home) as house, _crew(ray, workers) as crew, progress(as_json) as report:
        done = list(deposit_all(house, wanted, crew, progress=report))
    emit(done, as_json, lambda: _deposited(done))
    _fail_if([one.model for one in done if one.failure])


def _deposit(text: str) -> Deposit:
    from otium.records import model_id
    from otium.scaling import Deposit

    name, mark, files = text.partition("=")
    if not mark or not files:
        raise click.BadParameter(f"write NAME=FILES, not {text!r}", param_hint="NAME=FILES")
    return Deposit(model=model_id(name), files=str(Path(files).absolute()))


def _kept(model: ModelId, lives: Mapping[ModelId, Digest | None]) -> str:
    if model not in lives:
        return "not registered"
    return "kept" if lives[model] else "to be kept"


def _deposited(done: Sequence[Deposited]) -> str:
    rows = [
        (
            one.model,
            f"{one.bytes:,}" if one.weights else "failed",
            one.weights or (one.failure.message if one.failure else ""),
            "" if one.attempts == 1 else f"{one.attempts - 1} of its workers died",
        )
        for one in done
    ]
    return table(("model", "bytes kept", "weights", ""), rows)


def _fail_if(failed: Sequence[str]) -> None:
    from otium.errors import WorkFailed

    if failed:
        click.echo(f"not done: {few(failed)}", err=True)
        raise click.exceptions.Exit(WorkFailed.exit_code)


@scale.command()
@click.option(
    "--level",
    type=click.Choice(("index", "digests", "drill")),
    default="digests",
    show_default=True,
    help="Names and sizes; every byte; every piece decoded and compared.",
)
@_ray
@_workers
@dry_run
@as_json
@click.pass_obj
def scrub(
    home: Path,
    level: Literal["index", "digests", "drill"],
    ray: str,
    workers: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Read the archive on to the end of the round, several files at once.

    It goes on where the last scrub stopped, as `otium archive scrub` goes on where this one does.

    \b
    Example: otium scale scrub --level drill --ray local --workers 2
    """
    from otium.errors import DamagedObject
    from otium.scaling import left_to_scrub, scrub_all
    from otium.workflow import opened, reading

    if dry_run:
        left = left_to_scrub(reading(home), level)
        emit({"files": left}, as_json, lambda: f"{count(left, 'file')} to be read")
        return
    with opened(home) as house, _crew(ray, workers) as crew, progress(as_json) as report:
        done = scrub_all(house, crew, level=level, progress=report)
    rows = [(one.name, one.found, one.expected, ", ".join(one.models)) for one in done.damage]
    whole = f"{count(done.read, 'file')}, {done.bytes:,} bytes: whole; the round is complete"
    emit(
        done,
        as_json,
        lambda: table(("damaged", "found", "expected", "models"), rows) if rows else whole,
    )
    if not done.ok:
        raise click.exceptions.Exit(DamagedObject.exit_code)


@scale.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--suite",
    type=click.Choice(["pre", "post"]),
    required=True,
    help="Before the deployment, or after it.",
)
@click.option(
    "--amount",
    type=click.Choice(["full", "small", "fast"]),
    default="small",
    show_default=True,
    help="How much of the suite is played; the record says so.",
)
@_ray
@_workers
@dry_run
@as_json
@click.pass_obj
def assess(
    home: Path,
    names: tuple[str, ...],
    suite: str,
    amount: str,
    ray: str,
    workers: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Hold one bookend of several deposited models, several at once; file and sign each.

    As `otium assess run` for each, without judges that are models. What is filed is not held
    again, nor is a session that was held before a stop.

    \b
    Example: otium scale assess smol-1 smol-2 --suite pre --ray local --workers 2
    """
    from otium.records import model_id
    from otium.scaling import assess_all
    from otium.workflow import filed_assessment, opened, reading

    models = [model_id(name) for name in names]
    side, size = cast("Bookend", f"{suite}-deployment"), cast("AmountName", amount)
    if dry_run:
        registry = reading(home).registry
        there = {one: filed_assessment(registry, one, side) is not None for one in models}
        todo = [(one, "filed" if done else "to be held") for one, done in there.items()]
        emit(there, as_json, lambda: table(("model", side), todo))
        return
    with opened(home) as house, _crew(ray, workers) as crew, progress(as_json) as report:
        done = list(assess_all(house, models, side, crew, amount=size, progress=report))
    head = ("model", side, "")
    rows = [
        (one.model, f"{one.scores} scores", one.failure.message if one.failure else "filed")
        for one in done
    ]
    emit(done, as_json, lambda: table(head, rows))
    _fail_if([one.model for one in done if one.failure])


@scale.command()
@click.option("--replicas", type=click.IntRange(min=1), default=2, show_default=True)
@click.option(
    "--models", "engines", type=click.IntRange(min=1), default=1, show_default=True,
    help="Models that each replica keeps up at once.",
)  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8423, show_default=True)
@click.option(
    "--ray", metavar="ADDRESS", default="local", show_default=True, envvar="OTIUM_RAY",
    help="A Ray cluster, or local: one of this machine's own.",
)  # fmt: skip
@dry_run
@as_json
@click.pass_obj
def serve(
    home: Path,
    replicas: int,
    engines: int,
    host: str,
    port: int,
    ray: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring models back in several replicas, behind one address, until Ctrl-C.

    The address is an engine for gateways, not for the public: it knows no keys but the one in
    OTIUM_ENDPOINT_KEY, no access and no exits. A gateway asks it for the models that you name.

    \b
    Example: otium scale serve --replicas 2 --models 1
    """
    import os

    from otium.scaling import Replicas, mind, serving
    from otium.workflow import reading, shared

    wanted = Replicas(replicas=replicas, engines=engines, host=host, port=port)
    lives = [life for life in reading(home).registry.models() if life.weights is not None]
    facts = {"url": wanted.url, "models": [life.model for life in lives], "ray": ray}
    if dry_run:
        text = f"{count(len(lives), 'model')}, at most {replicas * engines} up at once"
        emit(facts, as_json, lambda: f"{text}, at {wanted.url}")
        return
    key = os.environ.get("OTIUM_ENDPOINT_KEY", "")
    with suppress(KeyboardInterrupt), serving(home, wanted, ray=ray, key=key):
        emit(facts, as_json, lambda: f"{wanted.url} (Ctrl-C to stop)")
        with redirect_stdout(StringIO()):
            mind(shared(home))
