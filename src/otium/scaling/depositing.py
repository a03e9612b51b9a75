"""Many deposits at once: workers keep the weights, whoever holds the home writes the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from otium.errors import BadDeposit, BadInput
from otium.formats import read_gguf, read_safetensors, sources
from otium.records import Digest, ModelId, Part, Progress, canonical, digest, silent
from otium.scaling.crew import Crew, Failure
from otium.workflow import Home, keep, reading


class Deposit(Part):
    """A registered model, and where its files lie, for each worker alike."""

    model: ModelId
    files: str


class Deposited(Part):
    """What became of one deposit."""

    model: ModelId
    weights: Digest | None
    """None if it failed."""
    bytes: int = 0
    attempts: int = 1
    """Workers that had begun it."""
    failure: Failure | None = None


class Order(Part):
    """Which deposits are made at once."""

    first: tuple[Deposit, ...]
    """One of each family, against which the others are coded."""
    then: tuple[Deposit, ...]


class _Task(Part):
    place: str
    """The home's path."""
    deposit: Deposit


def order(deposits: Sequence[Deposit]) -> Order:
    """Put one of each family first, so that the others are stored as what differs from it.

    A family is what has the same tensors in its largest file, by their names, types and shapes.
    Raises BadInput for a model that stands there twice, or in which no weights can be found.
    """
    seen: set[ModelId] = set()
    families: dict[str, Deposit] = {}
    then = []
    for one in deposits:
        if one.model in seen:
            raise BadInput(what=f"the model {one.model}", why="it is to be deposited twice")
        seen.add(one.model)
        if families.setdefault(_family(Path(one.files)), one) is not one:
            then.append(one)
    return Order(first=tuple(families.values()), then=tuple(then))


def _family(files: Path) -> str:
    if not files.exists():
        raise BadInput(what=f"the files {files}", why="they are not there")
    try:
        largest = max(
            (source for source in sources(files) if source.is_weights), key=lambda one: one.size
        )
        with largest.open() as file:
            if largest.suffix == ".safetensors":
                extents = read_safetensors(file, largest.size, largest.path)
            else:
                extents = read_gguf(file, largest.size, largest.path).extents
    except BadDeposit:  # another layout, or weights of no known form: on its own
        return str(files)
    return digest(canonical([[one.name, one.length] for one in extents if one.dtype]))


def deposit_all(
    home: Home, deposits: Sequence[Deposit], crew: Crew, *, progress: Progress = silent
) -> Iterator[Deposited]:
    """Keep each model's weights, log it, and yield what became of it, as they are done.

    Who is stopped, at any moment, runs the same again: what is kept is found by its content.
    Raises as `order`; what goes wrong with one deposit is in its result.
    """
    plan, done = order(deposits), 0
    for wave in (plan.first, plan.then):
        tasks = [_Task(place=str(home.path.absolute()), deposit=one) for one in wave]
        for task, result, attempts in crew.each(_keep, tasks):
            done += 1
            progress("depositing", done, len(deposits))
            model = task.deposit.model
            if isinstance(result, Failure):
                yield Deposited(model=model, weights=None, attempts=attempts, failure=result)
                continue
            kept = home.archive.manifest(model)
            home.registry.deposited(kept)
            size = sum(file.size for file in kept.files)
            yield Deposited(model=model, weights=kept.weights, bytes=size, attempts=attempts)


def _keep(task: _Task) -> Digest:
    one = task.deposit
    return keep(reading(Path(task.place)), one.model, Path(one.files)).weights
