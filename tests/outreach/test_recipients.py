"""Who is told, and what nobody can learn from a key."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from otium.errors import BadInput, NotFound
from otium.outreach import (
    Recipient,
    Recipients,
    events,
    idempotency_key,
    load_recipients,
    load_salt,
    make_salt,
    wants,
)
from otium.records import Instant, ModelId
from outreach.logs import log
from outreach.receiving import SECRET

GOOD = f"""
about = "https://house.example/models"

[mail]
host = "mail.house.example"
sender = "models@house.example"
user = "otium"
password = "secret"

[[recipients]]
channel = "email"
to = "team@example.org"
since = "2026-01-05"
models = ["alder-1"]

[[recipients]]
channel = "webhook"
to = "https://example.org/hook"
since = "2026-01-05T12:00:00Z"
events = ["model.withdrawn", "reminder"]
secret = "{SECRET}"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipients.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_file_is_read_with_complete_instants(tmp_path: Path) -> None:
    found = load_recipients(written(tmp_path, GOOD))
    assert found.mail is not None
    assert (found.mail.port, found.mail.security) == (587, "starttls")
    assert [one.since for one in found.recipients] == [
        "2026-01-05T00:00:00Z",
        "2026-01-05T12:00:00Z",
    ]


def test_without_a_file_nobody_is_told(tmp_path: Path) -> None:
    assert load_recipients(tmp_path / "recipients.toml") == Recipients()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('to = "team@example.org"', 'to = "team"', "not an e-mail address"),
        ('to = "team@example.org"', 'to = "a@b.example\\nBcc: c@d.example"', "not an e-mail"),
        ("https://example.org/hook", "http://example.org/hook", "https"),
        ("https://example.org/hook", "file:///etc/passwd", "https"),
        ('since = "2026-01-05"', 'since = "lately"', "not a time"),
        ('since = "2026-01-05"', "", "since"),
        ('"reminder"', '"gossip"', "gossip"),
        (SECRET, "whsec_c2hvcnQ=", "24 bytes"),
        (SECRET, "none", "base64"),
        ("[mail]", "[post]", "post"),
        ('user = "otium"', 'user = "otium"\nsecurity = "none"', "only for a server on this"),
        ('about = "', "about = ", "Invalid"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        load_recipients(written(tmp_path, GOOD.replace(old, new)))


def test_mail_needs_a_server(tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("[mail]")] + GOOD[GOOD.index("[[recipients]]") :]
    with pytest.raises(BadInput, match=r"\[mail\]"):
        load_recipients(written(tmp_path, text))


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    path.chmod(0o640)
    with pytest.raises(BadInput, match="chmod 600"):
        load_recipients(path)


def test_a_recipient_is_told_what_it_asked_for(tmp_path: Path) -> None:
    found = load_recipients(written(tmp_path, GOOD)).recipients
    told, reminder = events(log(), Instant("2026-06-02T00:00:00Z"))
    assert [[wants(one, event) for one in found] for event in (told, reminder)] == [
        [True, False],
        [True, True],
    ]
    assert not wants(found[0], replace(told, model=ModelId("birch-1")))
    assert not wants(found[0], replace(told, time=Instant("2026-01-04T23:59:59Z")))


def test_a_key_hangs_on_the_salt_the_event_the_channel_and_the_address() -> None:
    told, reminder = events(log(), Instant("2026-06-02T00:00:00Z"))
    one = Recipient(channel="email", to="team@example.org", since="2026-01-05T00:00:00Z")
    keys = {
        idempotency_key(salt, event, recipient)
        for salt in (bytes(32), bytes([1] * 32))
        for event in (told, reminder)
        for recipient in (one, replace(one, to="t@example.org"), replace(one, channel="webhook"))
    }
    assert len(keys) == 12
    same = replace(one, since="2020-01-01T00:00:00Z", models=("alder-1",))
    assert idempotency_key(bytes(32), told, same) == idempotency_key(bytes(32), told, one)


def test_a_salt_is_drawn_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "outreach.salt"
    with pytest.raises(NotFound):
        load_salt(path)
    salt = make_salt(path)
    assert len(salt) == 32
    assert make_salt(path) == load_salt(path) == salt
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["outreach.salt"]
    path.write_bytes(b"short")
    with pytest.raises(BadInput):
        load_salt(path)
