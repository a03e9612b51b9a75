"""E-mail and webhooks, with real servers at the other end."""

from __future__ import annotations

import base64
import datetime as dt
import smtplib
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from otium.errors import DeliveryFailed
from otium.outreach import Mail, Mailer, Message, Webhook, signature
from otium.records import Instant, ModelId
from otium.testing import FixedClock
from outreach.receiving import SECRET, Answer, only, post, receiver

MESSAGE = Message(
    key="ab" * 32,
    event="model.deprecated/alder-1/12",
    kind="model.deprecated",
    model=ModelId("alder-1"),
    time=Instant("2026-05-01T00:00:00Z"),
    subject="Älder\n1 will be retired",
    text="Why: it is old.\n.\nÜber all: naïve lines, and one of " + "words " * 300 + "\n",
    facts={"retire_at": {"api": "2026-07-01T00:00:00Z"}},
    log="house.example/log",
    entry=12,
)


def mailer(port: int, **more: str) -> Mailer:
    facts = {"host": "127.0.0.1", "sender": "models@house.example", "security": "none"}
    return Mailer.convert({**facts, "port": port, **more})


def test_a_letter_arrives_whole_in_plain_text(clock: FixedClock) -> None:
    with post() as server:
        Mail(mailer(server.port), "team@example.org", clock).send(MESSAGE)
    [letter] = server.letters
    assert letter.to == "team@example.org"
    assert letter.read.get_content_type() == "text/plain"
    assert letter.read.get_content().replace("\r\n", "\n") == MESSAGE.text
    assert letter.read["Subject"] == "Älder 1 will be retired"
    assert letter.read["From"] == "models@house.example"
    assert letter.read["To"] == "team@example.org"
    assert letter.read["Date"].datetime.isoformat() == "2026-01-01T00:00:00+00:00"
    assert letter.read["Auto-Submitted"] == "auto-generated"
    assert all(len(line) <= 998 and line.isascii() for line in letter.raw.split(b"\r\n"))


def test_the_same_key_gives_the_same_message_id_at_any_time(clock: FixedClock) -> None:
    with post() as server:
        for _ in range(2):
            Mail(mailer(server.port), "team@example.org", clock).send(MESSAGE)
            clock.move(days=1)
    assert {one.read["Message-ID"] for one in server.letters} == {f"<{'ab' * 32}@house.example>"}
    assert {one.key for one in server.letters} == {MESSAGE.key}


@pytest.mark.parametrize("answer", ["451 not now", "554 never", "421 going down"])
def test_a_server_that_does_not_take_it_is_a_failure_without_the_address(
    clock: FixedClock, answer: str
) -> None:
    with post(answer) as server, pytest.raises(DeliveryFailed) as failed:
        Mail(mailer(server.port), "team@example.org", clock).send(MESSAGE)
    assert answer[:3] in str(failed.value)
    assert "team@" not in str(failed.value)
    assert not server.letters


def test_a_server_that_is_not_there_is_a_failure(clock: FixedClock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(DeliveryFailed):
            Mail(mailer(port), "team@example.org", clock).send(MESSAGE)
        with pytest.raises(DeliveryFailed):
            Webhook(f"http://127.0.0.1:{port}/", SECRET, clock).send(MESSAGE)


def certificate(folder: Path) -> ssl.SSLContext:
    """Return a server's context with a certificate for this machine, kept in *folder*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_starttls_and_a_login_are_used_and_an_unknown_certificate_is_refused(
    clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {
        "tls_context": certificate(tmp_path),
        "require_starttls": True,
        "auth_required": True,
        "authenticator": only("otium", "opens"),
    }
    with post(**more) as server:
        facts = {"host": "localhost", "security": "starttls", "user": "otium"}
        with pytest.raises(DeliveryFailed, match="SSLCertVerificationError"):
            Mail(mailer(server.port, **facts), "a@example.org", clock).send(MESSAGE)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        with pytest.raises(DeliveryFailed, match="535"):
            Mail(mailer(server.port, **facts, password="no"), "a@example.org", clock).send(MESSAGE)
        Mail(mailer(server.port, **facts, password="opens"), "a@example.org", clock).send(MESSAGE)
    assert len(server.letters) == 1


def test_mail_over_tls_from_the_first_byte(
    clock: FixedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with post(tls=context) as server:
        facts = {"host": "localhost", "security": "tls"}
        Mail(mailer(server.port, **facts), "a@example.org", clock).send(MESSAGE)
    assert len(server.letters) == 1


def test_what_fails_in_taking_leave_is_no_failure(
    clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quit_badly(_: smtplib.SMTP) -> None:
        raise smtplib.SMTPServerDisconnected

    monkeypatch.setattr(smtplib.SMTP, "quit", quit_badly)
    with post() as server:
        Mail(mailer(server.port), "team@example.org", clock).send(MESSAGE)
    assert len(server.letters) == 1


def test_a_webhook_gets_canonical_json_with_its_key_and_a_signature(clock: FixedClock) -> None:
    with receiver() as server:
        Webhook(server.url, SECRET, clock).send(MESSAGE)
    [call] = server.calls
    assert call.body == MESSAGE.encode()
    assert Message.decode(call.body) == MESSAGE
    assert call.headers["content-type"] == "application/json"
    assert call.headers["idempotency-key"] == f'"{MESSAGE.key}"'
    assert call.headers["webhook-id"] == MESSAGE.key
    assert call.headers["webhook-timestamp"] == "1767225600"
    assert call.is_signed()
    assert not call.is_signed("whsec_" + base64.b64encode(bytes(32)).decode())


def test_the_signature_is_that_of_the_standard_webhooks_libraries() -> None:
    # The vector of their test suites (standard-webhooks, libraries/*/test: fixed payload).
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    said = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [301, 400, 404, 410, 500, 503])
def test_an_answer_other_than_2xx_is_a_failure(clock: FixedClock, status: int) -> None:
    where = {"Location": "http://127.0.0.1:1/"}
    with receiver(Answer(status, where)) as server:
        with pytest.raises(DeliveryFailed, match=str(status)) as failed:
            Webhook(server.url, SECRET, clock).send(MESSAGE)
        assert failed.value.facts["wait"] == 0
        assert not server.calls


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120.0),
        ("Thu, 01 Jan 2026 01:00:00 GMT", 3600.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("Thu, 01 Jan 2026 01:00:00", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_is_read_in_both_forms(clock: FixedClock, asked: str, seconds: float) -> None:
    with receiver(Answer(503, {"Retry-After": asked})) as server:
        with pytest.raises(DeliveryFailed) as failed:
            Webhook(server.url, SECRET, clock).send(MESSAGE)
        assert failed.value.facts["wait"] == seconds


@pytest.mark.parametrize("host", ["é..é", "a" * 300, "exa mple", "host:99999", ""])
def test_an_address_that_is_none_is_a_failure_and_stops_nobody_else(
    clock: FixedClock, host: str
) -> None:
    with pytest.raises(DeliveryFailed):
        Webhook(f"https://{host}/", SECRET, clock).send(MESSAGE)


def test_an_answer_without_end_is_taken_for_its_status(clock: FixedClock) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"

    def answer(server: socket.socket) -> None:
        with server.accept()[0] as connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(head)
            while True:
                connection.sendall(b"x" * (1 << 16))

    with socket.create_server(("127.0.0.1", 0)) as server:
        endless = threading.Thread(target=answer, args=(server,), daemon=True)
        endless.start()
        Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", SECRET, clock).send(MESSAGE)
        endless.join(30)
    assert not endless.is_alive()
