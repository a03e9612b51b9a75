"""A real PostgreSQL of our own: a cluster in a fresh folder, reached by a Unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

MISSING = "POSTGRESQL IS MISSING: apt-get install postgresql"
_OWNERS = ("postgres", "nobody")
"""PostgreSQL refuses to run as root: these run it then."""


def program(name: str) -> str | None:
    """Return where one of PostgreSQL's programs lies; Debian keeps them off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(debian[-1]) if debian else None)


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a cluster until the block ends; yield the URL of a database ``postgres`` in it."""
    initdb, pg_ctl = program("initdb"), program("pg_ctl")
    if not initdb or not pg_ctl:
        pytest.skip(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="otium-pg-"))
    owner = _owner(folder)
    where = str(folder / "data")
    # It is our clients that are killed here, never the server: it need not flush.
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=60"

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=owner, cwd=folder)

    try:
        run(initdb, "-D", where, "-U", "otium", "-A", "trust", "-E", "UTF8", "--no-sync")
        run(pg_ctl, "-D", where, "-l", str(folder / "log"), "-o", options, "-w", "start")
        try:
            yield f"postgresql://otium@/postgres?host={folder}"
        finally:
            run(pg_ctl, "-D", where, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


def _owner(folder: Path) -> int | None:
    """Give the folder to somebody who is not root, if we are; return who."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    owner = next(known[name] for name in _OWNERS if name in known)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return owner.pw_uid
