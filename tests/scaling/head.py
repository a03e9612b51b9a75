"""A private cluster of two workers, until standard input ends. Prints its address."""

from __future__ import annotations

import sys

from otium.scaling import cluster

with cluster("local", 2):
    import ray

    print(ray.get_runtime_context().gcs_address, flush=True)  # noqa: T201 - a program
    sys.stdin.read()
