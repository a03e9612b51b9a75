"""Who does a batch's work, piece by piece: this process, or the workers of a Ray cluster.

One seam, `Crew`: the same pieces are given to either, and the same results come back. A piece of
work is a plain function of one item, both picklable, and may be begun again: a worker that dies
in the middle leaves it to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

from otium.errors import OtiumError, WorkFailed
from otium.records import Part

A = TypeVar("A")
B = TypeVar("B")


class Failure(Part):
    """Why a piece of work could not be done: an error, in a form that travels."""

    type: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: OtiumError) -> Failure:
        """Return what is said of *error*."""
        return cls(type=type(error).__name__, message=str(error), hint=error.advice())


class Done(NamedTuple, Generic[A, B]):
    """An item, what became of it, and how many workers had begun it."""

    item: A
    result: B | Failure
    attempts: int

    def value(self) -> B:
        """Return the result; raise WorkFailed if there is none."""
        if isinstance(self.result, Failure):
            raise WorkFailed(what=self.result.type, why=self.result.message)
        return self.result


class Crew(Protocol):
    """Those who do the work."""

    def each(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[Done[A, B]]:
        """Yield each item with ``work(item)`` as it is done, in whatever order.

        What *work* raises of otium's errors becomes a `Failure`; anything else is raised here.
        """
        ...


class Here:
    """This process alone, one piece after another. Nothing beside otium is needed."""

    def each(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[Done[A, B]]:
        """Do each piece when its result is asked for."""
        for item in items:
            yield Done(item, attempt(work, item), 1)


def attempt(work: Callable[[A], B], item: A) -> B | Failure:
    """Return ``work(item)``, or why there is none."""
    try:
        return work(item)
    except OtiumError as error:
        return Failure.of(error)
