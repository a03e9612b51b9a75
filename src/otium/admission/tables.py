"""The tables of keys and of the audit log, in SQL that SQLite and PostgreSQL both read."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, Text, select, update

from otium.quotas import TABLES, put_if_absent

keys = Table(
    "admission_keys",
    TABLES,
    Column("id", String(20), primary_key=True),
    Column("hash", String(71), nullable=False, unique=True),
    Column("previous", String(71), nullable=False),  # the secret before the last rotation
    Column("previous_until", String(20), nullable=False),
    Column("facts", Text, nullable=False),  # a Key, as canonical JSON
    Column("changed", BigInteger, nullable=False, index=True),
)
counters = Table(
    "admission_counters",
    TABLES,
    Column("name", String(20), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
log = Table(
    "admission_log",
    TABLES,
    Column(
        "number",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("time", String(20), nullable=False, index=True),
    Column("key", String(20), nullable=False),
    Column("act", String(60), nullable=False),
    Column("model", String(100), nullable=False),
    Column("answered", String(100), nullable=False, server_default=""),
    Column("status", Integer, nullable=False),
    Column("code", String(60), nullable=False),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
    Column("weights", String(80), nullable=False),
)


def next_number(connection: Connection, name: str) -> int:
    """Return the next number of a counter. Who asked first commits first: its row is locked."""
    put_if_absent(connection, counters, {"name": name, "value": 0})
    mine = counters.c.name == name
    connection.execute(update(counters).where(mine).values(value=counters.c.value + 1))
    number: int = connection.execute(select(counters.c.value).where(mine)).scalar_one()
    return number
