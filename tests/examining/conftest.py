"""A home that knows one model, and what is said in it."""

from __future__ import annotations

import pytest

from cli.said import Say, knowing


@pytest.fixture
def say(say: Say) -> Say:
    """Run a command line in a home in which the model m-1 is registered."""
    return knowing(say, "m-1")
