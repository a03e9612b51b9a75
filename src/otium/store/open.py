"""From what a user writes to the store that it names."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from otium.errors import BadInput
from otium.store.local import LocalStore
from otium.store.protocol import Store, is_name
from otium.store.remote import RemoteStore
from otium.store.trouble import explained

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# One request moves at most 16 MiB, but for a large `put`, so five minutes suit a slow line.
_CLIENT: ClientConfig = {
    "connect_timeout": timedelta(seconds=10),
    "read_timeout": timedelta(minutes=3),
    "timeout": timedelta(minutes=5),
}
_RETRY: RetryConfig = {  # about ten seconds where nothing answers, up to two minutes elsewhere
    "max_retries": 10,
    "retry_timeout": timedelta(minutes=2),
    "backoff": {"init_backoff": timedelta(milliseconds=300), "max_backoff": timedelta(seconds=10)},
}


def open_store(where: str | Path) -> Store:
    """Return the store at *where*: a directory, or a URL such as ``s3://bucket/prefix``.

    Credentials, region and endpoint come from the service's usual environment variables.
    Raises BadInput when *where* names neither.
    """
    if isinstance(where, Path) or not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", where):
        return LocalStore(Path(where))
    try:
        url = urlsplit(where)
    except ValueError:
        raise BadInput(what="this address", why="it cannot be read") from None
    if url.scheme == "file" and url.netloc in {"", "localhost"} and url.path.startswith("/"):
        return LocalStore(Path(unquote(url.path)))
    return _open_bucket(where)


def _open_bucket(where: str) -> Store:
    from obstore.store import from_url

    url = urlsplit(where)
    shown = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}".rstrip("/")
    if url.scheme not in _ENDPOINTS or not where.startswith(f"{url.scheme}://"):
        raise BadInput(what=shown, why="a store is a directory, s3://…, gs://… or az://…")
    if "@" in url.netloc or url.query or url.fragment:
        raise BadInput(what=shown, why="credentials and options belong in the environment")
    path = url.path.strip("/")
    if not url.netloc or (path and not is_name(path)):
        raise BadInput(what=shown, why="it needs a bucket, and after it only a plain prefix")
    with explained(shown, ""):
        # obstore reads the environment itself; what it does not see is that loopback is safe.
        client: ClientConfig = (
            {**_CLIENT, "allow_http": True} if _is_loopback(url.scheme) else _CLIENT
        )
        objects = from_url(shown, client_options=client, retry_config=_RETRY)
    return RemoteStore(objects, shown)


def _is_loopback(scheme: str) -> bool:
    """Return whether the service's endpoint in the environment is on this machine."""
    endpoints = [os.environ[name] for name in _ENDPOINTS[scheme] if os.environ.get(name)]
    hosts = {urlsplit(endpoint).hostname for endpoint in endpoints}
    return bool(hosts) and hosts <= _LOOPBACK
