from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from otium.commitments import Policy
from stories.teller import Teller, expect, promises


@pytest.fixture
def tell(tmp_path: Path) -> Callable[..., Teller]:
    """Begin a story, by default under the short policy."""

    def begin(policy: Policy | None = None) -> Teller:
        return Teller(tmp_path, policy or promises())

    return begin


@pytest.fixture
def story(tell: Callable[..., Teller]) -> Teller:
    return tell()


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Compare what the monitor printed with the golden text of this story."""
    name = request.node.name.removeprefix("test_")
    rewrite = "REWRITE_VERDICTS" in os.environ
    return lambda found: expect(name, found, rewrite=rewrite)
