"""The ways to reach people, behind one method."""

from __future__ import annotations

import base64
import hashlib
import hmac
import smtplib
import ssl
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

from otium.errors import DeliveryFailed
from otium.outreach.recipients import secret_bytes
from otium.outreach.records import Mailer, Message, Recipient, Recipients
from otium.records import Clock, Instant

if TYPE_CHECKING:
    import httpx2

PATIENCE = 30.0
"""Seconds that a server may take for one answer."""


class Channel(Protocol):
    """A way to one recipient."""

    def send(self, message: Message) -> None:
        """Hand *message* over; return once the other side has taken responsibility for it.

        Raises DeliveryFailed. Its fact ``wait`` says for how many seconds to leave the other
        side alone, if it asked for that.
        """
        ...


def channel(recipient: Recipient, found: Recipients, clock: Clock) -> Channel:
    """Return the way to *recipient*."""
    if recipient.channel == "webhook":
        return Webhook(recipient.to, recipient.secret, clock)
    assert found.mail is not None
    return Mail(found.mail, recipient.to, clock)


class Mail:
    """E-mail by SMTP (RFC 5321): plain text, one recipient each."""

    def __init__(self, server: Mailer, to: str, clock: Clock) -> None:
        """Send by *server*."""
        self._server = server
        self._to = to
        self._clock = clock

    def send(self, message: Message) -> None:
        """Hand the message to the server; its 250 after the text is the acceptance."""
        letter = mail(message, self._server.sender, self._to, self._clock.now())
        try:
            server = self._connected()
        except (smtplib.SMTPException, OSError) as error:
            raise _failed(message, "email", _reason(error)) from error
        try:
            server.send_message(letter)
        except (smtplib.SMTPException, OSError) as error:
            raise _failed(message, "email", _reason(error)) from error
        finally:
            # Accepted is accepted: what goes wrong in taking leave changes nothing.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def _connected(self) -> smtplib.SMTP:
        it = self._server
        context = ssl.create_default_context()
        if it.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                it.host, it.port, timeout=PATIENCE, context=context
            )
        else:
            server = smtplib.SMTP(it.host, it.port, timeout=PATIENCE)
        try:
            if it.security == "starttls":
                server.starttls(context=context)
            if it.user:
                server.login(it.user, it.password)
        except BaseException:
            server.close()
            raise
        return server


def mail(message: Message, sender: str, to: str, now: Instant) -> EmailMessage:
    """Return *message* as an e-mail (RFC 5322), the same Message-ID for the same key."""
    letter = EmailMessage(policy=SMTP)
    letter["From"] = sender
    letter["To"] = to
    letter["Subject"] = " ".join(message.subject.split())
    letter["Date"] = format_datetime(datetime.fromisoformat(now))
    letter["Message-ID"] = f"<{message.key}@{sender.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    letter.set_content(message.text)
    return letter


class Webhook:
    """HTTP POST of canonical JSON, signed as the Standard Webhooks specification 1.0 says."""

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        """Post to *url*."""
        self._url = url
        self._secret = secret_bytes(secret)
        self._clock = clock

    def send(self, message: Message) -> None:
        """Post the message; any answer 2xx is the acceptance. Redirects are not followed."""
        import httpx2

        body, now = message.encode(), self._clock.now()
        stamp = str(int(datetime.fromisoformat(now).timestamp()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": f'"{message.key}"',
            "webhook-id": message.key,
            "webhook-timestamp": stamp,
            "webhook-signature": signature(self._secret, message.key, stamp, body),
        }
        try:
            # What the answer says beside its status is not read: it may have no end.
            with httpx2.stream(
                "POST", self._url, content=body, headers=headers, timeout=PATIENCE
            ) as answer:
                if not answer.is_success:
                    why, wait = f"HTTP status {answer.status_code}", _retry_after(answer, now)
                    raise _failed(message, "webhook", why, wait=wait)
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            raise _failed(message, "webhook", type(error).__name__) from error


def signature(secret: bytes, key: str, stamp: str, body: bytes) -> str:
    """Return ``v1,`` and the base64 HMAC-SHA256 of ``key.stamp.body`` (Standard Webhooks)."""
    signed = f"{key}.{stamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def _retry_after(answer: httpx2.Response, now: Instant) -> float:
    """Return the seconds that Retry-After asks for (RFC 9110, 10.2.3), or 0."""
    asked = answer.headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        return (parsedate_to_datetime(asked) - datetime.fromisoformat(now)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _failed(message: Message, way: str, why: str, *, wait: float = 0.0) -> DeliveryFailed:
    return DeliveryFailed(notice=message.event, channel=way, why=why, wait=wait)


def _reason(error: Exception) -> str:
    """Return why a mail server did not take it, without the address."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in error.recipients.values()})
        return f"the recipient was refused, SMTP code {', '.join(map(str, codes))}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"SMTP code {error.smtp_code}"
    return type(error).__name__
