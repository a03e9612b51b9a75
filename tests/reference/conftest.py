"""The reference engine on the real model, and one thread for numpy's sums."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from otium.reference import Model, Tokenizer, read, tokenizer_of


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    # Several wait for one another on a busy machine, for many times the work.
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def smol(demo_weights: Path) -> Model:
    """SmolLM2-135M-Instruct, Q4_1."""
    return Model(read(demo_weights))


@pytest.fixture(scope="session")
def smol_tokenizer(demo_weights: Path) -> Tokenizer:
    """Its tokenizer."""
    return tokenizer_of(read(demo_weights))
