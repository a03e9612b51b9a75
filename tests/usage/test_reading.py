from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.errors import BadInput
from otium.usage import read_incidents, read_usage

HEAD = b"period,surface,region,requests,users\n"
GOOD = {"date": "2026-01-31", "surface": "api", "severity": "low", "summary": "s", "done": "d"}


def test_both_forms_of_a_file_say_the_same() -> None:
    table = HEAD + b"2026-02,api,,20,11\n2026-01,api,,10,\n"
    plain = [
        {"period": "2026-01", "surface": "api", "requests": 10},
        {"period": "2026-02", "surface": "api", "region": "", "requests": 20, "users": 11},
    ]
    rows = read_usage(table)
    assert rows == read_usage(json.dumps(plain).encode())
    assert [row.counts for row in rows] == [{"requests": 10}, {"requests": 20, "users": 11}]


def test_a_spreadsheets_mark_and_line_ends_are_read() -> None:
    assert len(read_usage(b"\xef\xbb\xbfperiod,surface,requests\r\n2026,api,5\r\n\r\n")) == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "columns"),
        (HEAD, "0 rows"),
        (b"period,surface\n2026,api\n", "counts nothing"),
        (b"period,surface,name\n2026,api,Ada\n", "columns"),
        (b"period,surface,users,users\n2026,api,1,2\n", "columns"),
        (b"surface,users\napi,1\n", "columns"),
        (HEAD + b"2026-01,api,,-1,\n", "not a count"),
        (HEAD + b"2026-01,api,,1.5,\n", "not a count"),
        (HEAD + b"2026-01,api,,1e3,\n", "not a count"),
        (HEAD + "2026-01,api,,\u0661,\n".encode(), "not a count"),
        (HEAD + b"2026-01,api,," + b"9" * 16 + b",\n", "not a count"),
        (HEAD + b"2026-01,api,,0x10,\n", "not a count"),
        (HEAD + b"2026-01,api,,=1+1,\n", "not a count"),
        (HEAD + b"2026-13,api,,1,\n", "no period"),
        (HEAD + b"2026-02-30,api,,1,\n", "no period"),
        (HEAD + b"May,api,,1,\n", "no period"),
        (HEAD + b"2026-01,moon,,1,\n", "surfaces"),
        (HEAD + b"2026-01,partner:x,,1,\n", "surfaces"),
        (HEAD + b"2026-01,api,Ada Byron,1,\n", "no region"),
        (HEAD + b"2026-01,api,../up,1,\n", "no region"),
        (HEAD + b"2026-01,api,,1\n", "cells"),
        (HEAD + b"2026-01,api,,1,2,3\n", "cells"),
        (HEAD + b'2026-01,api,"eu,1,2\n', "usage file"),
        (HEAD + b"2026-01,api,\x00,1,2\n", "no region"),
        (HEAD + b"\xff\xfe", "UTF-8"),
        (HEAD + b"2026-01,api,,1,\n2026-01,api,,1,\n", "overlap"),
        (HEAD + b"2026-01,api,,1,\n2026-01-05,api,,1,\n", "overlap"),
        (HEAD + b"2026,api,eu,1,\n2026-01,api,us,1,\n", "overlap"),
        (HEAD + b"2026,api,,1,\n" + b"2026-01,api,,1,\n" * 5001, "rows"),
        (b"[" * 100_000, "usage file"),
        (b'[{"period": "2026", "surface": "api", "users": "7"}]', "usage file"),
        (b'[{"period": "2026", "surface": "api", "users": 7.5}]', "usage file"),
        (b'[{"period": "2026", "surface": "api", "users": true}]', "usage file"),
        (b'[{"period": "2026", "surface": "api", "users": 1, "name": "Ada"}]', "usage file"),
        (b" " * (4 << 20) + b"x", "bytes"),
    ],
)
def test_what_is_not_as_it_must_be_is_refused_with_the_place(data: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        read_usage(data, ["api"])


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    for start in (b"", HEAD, b"["):
        try:
            read_usage(start + data)
        except BadInput as error:
            assert str(error).isprintable()  # noqa: PT017  a message reaches a terminal


def test_incidents_are_read_in_the_order_of_their_days() -> None:
    data = json.dumps([{**GOOD, "date": "2026-02-01"}, GOOD]).encode()
    assert [it.date for it in read_incidents(data, ["api"], "2026-03-01")] == [
        "2026-01-31",
        "2026-02-01",
    ]
    assert read_incidents(b"[]", ["api"], "2026-03-01") == ()


@pytest.mark.parametrize(
    "change",
    [
        {"date": "2026-04-01"},
        {"date": "yesterday"},
        {"date": "2026-01-31T00:00:00Z"},
        {"surface": "app"},
        {"severity": "sev1"},
        {"summary": " "},
        {"summary": "x" * 2001},
        {"done": ""},
        {"reporter": "Ada Byron"},
    ],
    ids=str,
)
def test_an_incident_that_is_not_as_it_must_be_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        read_incidents(json.dumps([{**GOOD, **change}]).encode(), ["api"], "2026-03-01")


@given(st.binary(max_size=200))
def test_no_bytes_of_incidents_do_more_than_be_refused(data: bytes) -> None:
    for start in (b"", b"["):
        try:
            read_incidents(start + data, ["api"], "2026-03-01")
        except BadInput as error:
            assert str(error).isprintable()  # noqa: PT017  a message reaches a terminal
