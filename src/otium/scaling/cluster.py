"""A Ray cluster: one that is there, or a private one on this machine; and its workers as a crew.

Ray is imported here and in ``replicas`` only, and only when it is asked for. It tells nobody that
it is used, shows no dashboard, and a private cluster answers only to who has its token.
"""

from __future__ import annotations

import importlib
import os
import secrets
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from otium.errors import NoCluster, Unsupported, WorkFailed
from otium.scaling.crew import Done, Failure, attempt

if TYPE_CHECKING:
    from types import ModuleType

    from ray import ObjectRef

A = TypeVar("A")
B = TypeVar("B")

_ATTEMPTS = 4
"""Workers that may die of one piece of work: then it is likely the piece's fault."""
_STARTS = 3
"""Times that a private cluster is started: Ray gives up after 30 s, too few on a busy machine."""
_OBJECTS = 80 << 20
"""Bytes of Ray's shared memory on a private cluster: only small records pass through it."""
_SOCKET_ROOM = 30
"""Characters of a folder in which Ray's sockets find room for their names."""


def ray_module() -> ModuleType:
    """Return Ray, quiet; raise Unsupported if it is not installed."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to anyone
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # the environment is as it is
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        why = "Ray is not installed; pip install 'otium[ray]', or leave --ray out"
        raise Unsupported(what="work on a Ray cluster", why=why) from error


@contextmanager
def cluster(address: str, workers: int) -> Iterator[OnRay]:
    """Join the Ray cluster at *address*, or with ``local`` start a private one until the end.

    At most *workers* pieces of work are under way at once. Raises Unsupported without Ray,
    NoCluster if none answers.
    """
    if address != "local":
        ray = ray_module()
        with _joined(ray, address=address):
            yield OnRay(ray, workers)
        return
    # Before Ray is imported, or it makes a token of its own and keeps it in the user's home.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    ray = ray_module()
    place = tempfile.gettempdir()
    with (
        _scratch(place if len(place) < _SOCKET_ROOM else "/tmp") as folder,  # noqa: S108
        _joined(
            ray,
            address="local",
            include_dashboard=False,
            num_cpus=workers,
            object_store_memory=_OBJECTS,
            _temp_dir=folder,
        ),
    ):
        yield OnRay(ray, workers)


@contextmanager
def _joined(ray: ModuleType, **how: object) -> Iterator[None]:
    for left in reversed(range(_STARTS if how["address"] == "local" else 1)):
        try:
            ray.init(**how, namespace="otium", log_to_driver=False, configure_logging=False)
            break
        except Exception as error:  # Ray raises that very class when a start took 30 s
            ray.shutdown()
            if not left:
                why = str(error).partition("\n")[0]
                raise NoCluster(address=how["address"], why=why) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _scratch(place: str) -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="otium-", dir=place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Try(NamedTuple, Generic[A]):
    """A piece of work, and how many workers have begun it."""

    item: A
    attempts: int


class OnRay:
    """The workers of a Ray cluster, each a process that may die."""

    def __init__(self, ray: ModuleType, workers: int) -> None:
        """Give *workers* pieces of work at once to the cluster that *ray* has joined."""
        self._ray = ray
        self._workers = workers

    def each(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[Done[A, B]]:
        """Yield results as they come; what a dead worker had begun is given to another.

        Pieces that are under way when the caller stops are ended with their workers.
        """
        ray = self._ray
        task = ray.remote(max_retries=0, num_cpus=1, scheduling_strategy="SPREAD")(attempt)
        waiting = deque(_Try(item, 0) for item in items)
        running: dict[ObjectRef[B | Failure], _Try[A]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self._workers:
                    one = waiting.popleft()
                    running[task.remote(work, one.item)] = one._replace(attempts=one.attempts + 1)
                ready, _ = ray.wait(list(running))
                for reference in ready:
                    one = running.pop(reference)
                    done: Done[A, B] | _Try[A] = self._done(reference, one)
                    if isinstance(done, _Try):
                        waiting.appendleft(done)
                    else:
                        yield done
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def _done(self, reference: ObjectRef[B | Failure], one: _Try[A]) -> Done[A, B] | _Try[A]:
        """Return what became of an attempt, or the item to be tried again."""
        ray = self._ray
        try:
            return Done(one.item, ray.get(reference), one.attempts)
        except ray.exceptions.RayTaskError:  # the work's own error: a defect
            raise
        except ray.exceptions.RayError as error:  # its worker, or its machine, is gone
            if one.attempts < _ATTEMPTS:
                return one
            why = str(error).partition("\n")[0]
            lost = WorkFailed(what="this piece", why=f"{one.attempts} workers died of it ({why})")
            return Done(one.item, Failure.of(lost), one.attempts)
