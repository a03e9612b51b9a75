"""The shared tables, in SQL that SQLite and PostgreSQL both read."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Connection, Double, MetaData, String, Table
from sqlalchemy.dialects import postgresql, sqlite

TABLES = MetaData()

windows = Table(
    "quota_windows",
    TABLES,
    Column("key", String(20), primary_key=True),
    Column("window", String(40), primary_key=True),  # tokens/day/2026-11-26
    Column("drawn", BigInteger, nullable=False),  # used, or lent to a gateway
)
leases = Table(
    "quota_leases",
    TABLES,
    Column("id", String(32), primary_key=True),
    Column("key", String(20), nullable=False, index=True),
    Column("window", String(40), nullable=False),
    Column("holder", String(32), nullable=False, index=True),
    Column("granted", BigInteger, nullable=False),
    Column("charged", BigInteger, nullable=False),  # as the holder last said
)
rates = Table(
    "quota_rates",
    TABLES,
    Column("key", String(20), primary_key=True),
    Column("gate", String(160), primary_key=True),  # requests/60/MODEL
    Column("full_at", Double, nullable=False),  # GCRA's theoretical arrival time, Unix seconds
)
replicas = Table(
    "quota_replicas",
    TABLES,
    Column("holder", String(32), primary_key=True),
    Column("seen", Double, nullable=False),
)


def put_if_absent(connection: Connection, table: Table, values: Mapping[str, object]) -> None:
    """Insert a row unless its primary key is there."""
    kind = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(kind.insert(table).values(**values).on_conflict_do_nothing())
