"""What an object store's error means, said without what its text may give away.

obstore's messages hold whole answers and addresses, and an address can carry a signature. So
only a few things are read from them: the HTTP status, the service's own error code, the kind
of a failed connection, and a first line that holds neither address nor value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from otium.errors import Exists, NotFound, OtiumError, StoreRefuses, StoreUnreachable

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_KIND = re.compile(r"\bkind: (Connect|Timeout|Request|Interrupted|Decode)\b")
_PLAIN = re.compile(r"[A-Za-z0-9 ,.:'-]{1,120}")
_KINDS = {
    "Connect": "no connection could be made",
    "Timeout": "it did not answer in time",
    "Request": "the connection broke before it answered",
    "Interrupted": "the connection broke while it answered",
    "Decode": "its answer was cut short",
}
_METADATA_SERVICE = "/latest/api/token"  # asked for credentials when the environment has none
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})
# An upload in parts was completed before: by our own try whose answer was lost (S3), or by
# another writer of the same content, since parts belong to the name there (Azure).
_ENDED = frozenset({"NoSuchUpload", "InvalidBlockList"})
_SERVER_FAULT = 500
_BUSY = frozenset({408, 409, 425, 429})


@contextmanager
def explained(where: str, name: str, *, writing: bool = False) -> Iterator[None]:
    """Raise our errors for obstore's about *name* at *where*; let any other pass."""
    from obstore.exceptions import AlreadyExistsError, BaseError

    try:
        yield
    except AlreadyExistsError:
        raise Exists(name=name) from None
    except FileNotFoundError as error:
        code = _first(_CODE, str(error))
        if code in _NO_BUCKET or (writing and code not in _ENDED):
            raise StoreRefuses(path=where, why="there is no such bucket") from None
        raise (_of_answer(where, 404, code) if writing else NotFound(what=name)) from None
    except BaseError as error:
        raise _explain(where, str(error), type(error).__name__) from None


def was_sent(error: StoreUnreachable) -> bool:
    """Return whether a request may have arrived, so that its outcome is not known."""
    return error.facts["why"] != _KINDS["Connect"]


def _explain(where: str, text: str, kind: str) -> OtiumError:
    if _METADATA_SERVICE in text:
        return StoreRefuses(path=where, why="no credentials were found")
    if status := _first(_STATUS, text):
        return _of_answer(where, int(status), _first(_CODE, text))
    if "HTTP error: builder error" in text:
        return StoreRefuses(path=where, why="its address is http: where https: is needed")
    if "HTTP error" in text or "error decoding" in text:
        why = _KINDS.get(_first(_KIND, text), "the connection failed")
        return StoreUnreachable(path=where, why=why)
    line = text.partition("\n")[0].strip()
    return StoreRefuses(path=where, why=line if _PLAIN.fullmatch(line) else kind)


def _of_answer(where: str, status: int, code: str) -> OtiumError:
    if code in _NO_BUCKET:
        return StoreRefuses(path=where, why="there is no such bucket")
    why = f"HTTP status {status}" + (f", {code}" if code else "")
    busy = status >= _SERVER_FAULT or status in _BUSY or code in _ENDED
    return StoreUnreachable(path=where, why=why) if busy else StoreRefuses(path=where, why=why)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
