"""What a time-stamp token says, and whether to believe it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from otium.errors import BadTimestamp
from otium.records import Instant, Part, instant

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

_SHA256 = "2.16.840.1.101.3.4.2.1"


class Token(Part):
    """That some bytes existed at a time, said by an authority."""

    time: Instant
    expires: Instant
    """Until when the certificate of its key is valid; renew before."""


def read_token(name: str, reply: bytes, data: bytes, certificates: bytes) -> Token:
    """Return the token in *reply* if it is one over *data* by an authority of *certificates*.

    The certificates are judged at the token's own time. Works offline. Raises BadTimestamp,
    which names the token *name*.
    """
    from cryptography.x509 import load_pem_x509_certificates
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    try:
        decoded = decode_timestamp_response(reply)
        if decoded.tst_info.message_imprint.hash_algorithm.dotted_string != _SHA256:
            raise BadTimestamp(name=name, why="it is not over a SHA-256")
        roots = load_pem_x509_certificates(certificates)
        VerifierBuilder(roots=roots).build().verify(decoded, hashlib.sha256(data).digest())
        signer = _signer(decoded)
    except (ValueError, TypeError, OverflowError, VerificationError) as error:
        raise BadTimestamp(name=name, why=error) from error
    expires = instant(signer.not_valid_after_utc)
    return Token(time=instant(decoded.tst_info.gen_time), expires=expires)


def _signer(decoded: TimeStampResponse) -> Certificate:
    """Return the certificate of the key that signed, which the library has verified."""
    from cryptography.x509 import load_der_x509_certificate

    (info,) = decoded.signed_data.signer_infos
    found = map(load_der_x509_certificate, decoded.signed_data.certificates)
    is_it = (info.issuer, info.serial_number)
    return next(one for one in found if (one.issuer, one.serial_number) == is_it)
