"""A real PostgreSQL of our own, and databases in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import create_engine, text

from otium.errors import Unsupported


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a cluster until the block ends; yield the URL of a database ``postgres`` in it."""
    from otium.soak import cluster  # not with every test: it knows the whole house

    with ExitStack() as stack:
        try:
            # It is our clients that are killed here, never the server: it need not flush.
            url = stack.enter_context(cluster("fsync=off"))
        except Unsupported as error:
            pytest.skip(f"POSTGRESQL IS MISSING: {error}")
        yield url


@contextmanager
def fresh_database(server: str, name: str) -> Iterator[str]:
    """Make an empty database on *server* for the length of the block; yield its URL."""
    engine = create_engine(
        server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield server.replace("/postgres?", f"/{name}?")
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
