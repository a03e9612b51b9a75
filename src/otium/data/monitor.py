"""Watch an organisation's promises about its models from outside: verify its log, judge it.

    python3 -I -S monitor.py SOURCE [--key VKEY ...] [--policy FILE] [--witnessed-within DAYS]
            [--since CHECKPOINT] [--keep FILE] [--now INSTANT] [--quick] [--json]

SOURCE is an otium archive (a directory), a directory with a published log (`checkpoint` and
`tile/`, or those under `log/`), or the http(s) address of either. From an address only files of
the log are fetched.

One file, Python 3.8 or later, standard library only. It shares no code with otium: it was
written from the formats (archive-1, which is SPEC.md beside this file, ledger-2, roles-1,
lifecycle-2 and commitments-2 in otium's documentation, and the C2SP texts that ledger-2 names)
as a second opinion. Read it before you rely on it.

It trusts the verifier keys given by --key (each of them must have signed) and those in --policy
(a C2SP tlog-policy: one of its logs, and its quorum of witnesses), and nothing else. Without
either it takes the keys that archive.json names: that shows that a copy is whole, not whose it
is. --keep FILE remembers the checkpoint that was seen; a later visit with the same FILE
refuses a log that does not continue it.

Exit code: 0 all verified, nothing overdue or breached; 1 all verified, but something is overdue
or breached, or no witness was seen for longer than --witnessed-within; 2 not verified.
"""

# ruff: noqa: FBT001, PLR2004, S310, UP017 - Python 3.8; numbers that the formats name; web reads

from __future__ import annotations

import argparse
import base64
import datetime as dt
import decimal
import functools
import hashlib
import http.client
import itertools
import json
import math
import os
import re
import shutil
import stat
import sys
import textwrap
import time
import urllib.error
import urllib.request
import zlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Entry = dict[str, Any]
    Row = dict[str, Any]
    Poly = list[int]
    Point = tuple[int, int, int, int]
    Tile = tuple[str, int, int]
    Records = dict[str, tuple[str, str]]
    Standing = tuple[str, "str | None", "str | None", str]

MALFORMED = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
    *(http.client.HTTPException, zlib.error),
)
"""What Python raises when what comes from a stranger has another shape than expected."""


class Problem(Exception):
    """Something that does not verify, and the file at fault if it is another than expected."""

    def __init__(self, why: str, name: str = "") -> None:
        """Say why."""
        super().__init__(why)
        self.name = name


def need(condition: object, why: str, name: str = "") -> None:
    """Raise Problem unless *condition* holds."""
    if not condition:
        raise Problem(why, name)


# Ed25519 (RFC 8032), to verify only: there are no secrets here. A point is (X, Y, Z, T) with
# x = X/Z, y = Y/Z and xy = T/Z. For each key a table holds the multiples 1 to 63 of its point
# and of its point doubled 6, 12, … times, so that a product takes 43 additions and no doubling.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
STEP = 6


def add(p: Point, q: Point) -> Point:
    """Return the sum of two points."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * D * p[3] * q[3] % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def decode_point(data: bytes) -> Point | None:
    """Return the point that 32 bytes stand for, if they stand for one."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * ROOT_OF_MINUS_1 % P
    if y >= P or v * x * x % P != u or (x == 0 and sign):
        return None
    x = P - x if x % 2 != sign else x
    return x, y, 1, x * y % P


def encode_point(p: Point) -> bytes:
    """Return the 32 bytes that stand for a point."""
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@functools.lru_cache(maxsize=64)
def multiples(public: bytes) -> list[list[Point]]:
    """Return the table of a key's point negated; an empty one if *public* is no point."""
    point = decode_point(public)
    if point is None:
        return []
    base, table = (P - point[0], point[1], point[2], P - point[3]), []
    for _ in range(0, 256, STEP):
        row = list(itertools.accumulate([base] * 2**STEP, add))
        table.append(row[:-1])
        base = row[-1]
    return table


def product(table: Sequence[Sequence[Point]], factor: int) -> Point:
    """Return the point of a table times *factor*."""
    total = (0, 1, 1, 0)
    for row in table:
        digit = factor % 2**STEP
        total = add(total, row[digit - 1]) if digit else total
        factor >>= STEP
    return total


BASE = (4 * pow(5, P - 2, P) % P).to_bytes(32, "little")


def ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether *signature* (64 bytes) of *message* is by the key *public* (32 bytes)."""
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= ORDER or not multiples(public):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    # [s]B - [k]A; the table of B is negated too, so its factor is.
    total = add(product(multiples(BASE), ORDER - s), product(multiples(public), k))
    return encode_point(total) == signature[:32]


# ML-DSA-44 (FIPS 204), to verify only: algorithms 3 and 8 and what they call. A polynomial is a
# list of 256 coefficients modulo Q.

Q = 8380417
GAMMA_1, GAMMA_2 = 2**17, (Q - 1) // 88
TAU, BETA, OMEGA, K, L = 39, 78, 80, 4, 4
ZETAS = [pow(1753, int(f"{i:08b}"[::-1], 2), Q) for i in range(256)]


def ntt(coefficients: Poly) -> Poly:
    """Return the number-theoretic transform of a polynomial (algorithm 41)."""
    w, m, span = list(coefficients), 0, 128
    while span:
        for start in range(0, 256, 2 * span):
            m += 1
            for j in range(start, start + span):
                t = ZETAS[m] * w[j + span] % Q
                w[j], w[j + span] = (w[j] + t) % Q, (w[j] - t) % Q
        span //= 2
    return w


def inverse_ntt(values: Poly) -> Poly:
    """Return the polynomial of a transform (algorithm 42)."""
    w, m, span = list(values), 256, 1
    while span < 256:
        for start in range(0, 256, 2 * span):
            m -= 1
            for j in range(start, start + span):
                t = w[j]
                w[j], w[j + span] = (t + w[j + span]) % Q, ZETAS[m] * (w[j + span] - t) % Q
        span *= 2
    return [8347681 * one % Q for one in w]


def bits(data: bytes, width: int) -> list[int]:
    """Return the numbers of *width* bits that bytes hold, lowest bits first."""
    number, mask = int.from_bytes(data, "little"), (1 << width) - 1
    return [number >> at & mask for at in range(0, 8 * len(data), width)]


def expand(seed: bytes) -> Poly:
    """Return a polynomial drawn from a seed (algorithm 30)."""
    found: Poly = []
    length = 840  # bytes, nearly always enough
    while len(found) < 256:
        stream = bits(hashlib.shake_128(seed).digest(length), 24)
        found = [number & 0x7FFFFF for number in stream if number & 0x7FFFFF < Q]
        length *= 2
    return found[:256]


def challenge(seed: bytes) -> Poly:
    """Return a polynomial with 39 coefficients 1 or -1 and zeros (algorithm 29)."""
    stream = hashlib.shake_256(seed).digest(8192)  # far more than is ever used
    signs, rest, c = bits(stream[:8], 1), iter(stream[8:]), [0] * 256
    for i in range(256 - TAU, 256):
        j = next(one for one in rest if one <= i)
        c[i], c[j] = c[j], -1 if signs[i + TAU - 256] else 1
    return c


def unpack_hint(data: bytes) -> list[set[int]] | None:
    """Return where each polynomial of the hint is 1, if its spelling is right (algorithm 21)."""
    hint, start = [], 0
    for end in data[OMEGA:]:
        places = data[start:end]
        if not start <= end <= OMEGA or list(places) != sorted(set(places)):
            return None
        hint.append(set(places))
        start = end
    return None if any(data[start:OMEGA]) else hint


def use_hint(hinted: bool, r: int) -> int:
    """Return the high bits of *r*, corrected by the hint (algorithms 36 and 40)."""
    low = r % (2 * GAMMA_2)
    low = low - 2 * GAMMA_2 if low > GAMMA_2 else low
    high, low = (0, low - 1) if r - low == Q - 1 else ((r - low) // (2 * GAMMA_2), low)
    return (high + (1 if low > 0 else -1)) % 44 if hinted else high


@functools.lru_cache(maxsize=64)
def open_mldsa(public: bytes) -> tuple[list[list[Poly]], list[Poly]]:
    """Return what a public key means: the matrix A and t1 times 2^13, both transformed."""
    rho, t1 = public[:32], [public[at : at + 320] for at in range(32, 1312, 320)]
    matrix = [[expand(rho + bytes([s, r])) for s in range(L)] for r in range(K)]
    return matrix, [ntt([one << 13 for one in bits(part, 10)]) for part in t1]


def mldsa_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether an ML-DSA-44 *signature* of *message* is by the key *public* (no context)."""
    if len(public) != 1312 or len(signature) != 2420:
        return False
    hint = unpack_hint(signature[2336:])
    parts = [signature[at : at + 576] for at in range(32, 2336, 576)]
    z = [[GAMMA_1 - one for one in bits(part, 18)] for part in parts]
    if hint is None or any(abs(one) >= GAMMA_1 - BETA for part in z for one in part):
        return False
    matrix, t1 = open_mldsa(public)
    mu = hashlib.shake_256(hashlib.shake_256(public).digest(64) + b"\0\0" + message).digest(64)
    c, z = ntt(challenge(signature[:32])), [ntt(part) for part in z]
    high = b""
    for r in range(K):
        sums = [sum(matrix[r][s][i] * z[s][i] for s in range(L)) for i in range(256)]
        w = inverse_ntt([(sums[i] - c[i] * t1[r][i]) % Q for i in range(256)])
        packed = sum(use_hint(i in hint[r], w[i]) << 6 * i for i in range(256))
        high += packed.to_bytes(192, "little")
    return hashlib.shake_256(mu + high).digest(32) == signature[:32]


# Spelling: JSON (RFC 8785), base64, digests, instants

EPOCH, LAST = "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
INSTANT = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}Z")


def canonical(value: Any) -> str:
    """Return a JSON value as RFC 8785 spells it."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(n)}:{canonical(value[n])}" for n in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        return canonical_float(value)
    if isinstance(value, int) and not isinstance(value, bool):
        need(abs(value) < 2**53, "a number is too large for JSON")
    return ENCODE(value)


ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def canonical_float(value: float) -> str:
    """Return a double as ECMAScript prints it."""
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    text, point = "".join(map(str, digits)), len(digits) + int(exponent)
    if text == "0":
        return text
    if point > 21 or point <= -6:
        text = text[0] + ("." + text[1:] if text[1:] else "") + f"e{point - 1:+d}"
    elif point >= len(text):
        text = text.ljust(point, "0")
    else:
        text = text[:point] + "." + text[point:] if point > 0 else "0." + "0" * -point + text
    return "-" * sign + text


def parse(data: bytes) -> Any:
    """Return the JSON in *data* if it is canonical."""
    value = json.loads(data.decode("utf-8"))
    need(canonical(value).encode("utf-8") == data, "it is not canonical JSON (RFC 8785)")
    return value


def unbase64(text: str) -> bytes:
    """Return what standard base64 says, in its one canonical spelling."""
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "its base64 is not canonical")
    return data


def sha256(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@functools.lru_cache(maxsize=1 << 16)
def moment(instant: str) -> dt.datetime:
    """Return an instant as a datetime; raise ValueError if the text names no real UTC time."""
    if not INSTANT.fullmatch(instant):
        raise ValueError(instant)
    year, month, day, hour, minute, second = map(int, re.findall(r"[0-9]+", instant))
    return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.timezone.utc)


def is_instant(value: object) -> bool:
    """Say whether a value is a text that names a real UTC time."""
    try:
        return isinstance(value, str) and bool(moment(value))
    except ValueError:
        return False


def spell(when: dt.datetime) -> str:
    """Return a datetime as an instant."""
    return when.isoformat()[: len("2026-11-22T00:00:00")] + "Z"


def after(instant: str, seconds: int) -> str:
    """Return the instant so many seconds later, at most the last there is."""
    try:
        return spell(moment(instant) + dt.timedelta(seconds=seconds))
    except OverflowError:
        return LAST


def between(one: str, other: str) -> int:
    """Return the seconds from one instant to another."""
    return int((moment(other) - moment(one)).total_seconds())


def days(seconds: float) -> str:
    """Return a length of time in days, for people; never rounded up to a promise."""
    return many(math.floor(seconds / 864) / 100, "day")


def many(number: float, noun: str, plural: str = "") -> str:
    """Return a number with its noun."""
    shown = str(number) if isinstance(number, int) else f"{number:g}"
    return f"{shown} {noun if number == 1 else plural or noun + 's'}"


def text_of(value: object) -> str:
    """Return a value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


# Where the files come from. What was found wrong, and what else is to be said, is kept here too.

SECONDS = 30  # to wait for an answer of a web server
MOST = 1 << 32  # bytes to take from a web server, over all
LARGE = 1 << 28  # bytes of a file that is read whole
HEADERS = {"Accept-Encoding": "gzip, identity", "User-Agent": "otium-monitor/1"}
NEWEST = 100  # witnessed checkpoints to take from a web server
EVERY = 5.0  # seconds between two lines of progress


class Source(ABC):
    """Files by name, those that were accounted for, and what is wrong with them."""

    def __init__(self) -> None:
        """Begin with nothing found."""
        self.known: set[str] = set()
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.counts: dict[str, Any] = {}
        self.told = time.monotonic()

    def check(self, name: str, what: Callable[..., Any], *arguments: Any) -> Any:
        """Return what the check *what* returns; keep as *name*'s problem what it raises."""
        try:
            return what(*arguments)
        except Problem as problem:
            self.problems.append(f"{problem.name or name}: {problem}")
        except OSError as error:
            why = error.strerror or getattr(error, "reason", None) or type(error).__name__
            self.problems.append(f"{name}: it cannot be read or written ({why})")
        except MALFORMED as error:
            self.problems.append(f"{name}: it is malformed ({type(error).__name__})")
        return None

    def progress(self, what: str, done: int, of: int) -> None:
        """Say on the standard error how far a long work is, now and then."""
        if time.monotonic() - self.told > EVERY:
            self.told = time.monotonic()
            print(f"monitor: {what}, {done:,} of {of:,}", file=sys.stderr, flush=True)

    def open(self) -> None:  # noqa: B027 - a folder needs nothing
        """Get ready to be read."""

    def discover(self, size: int) -> None:  # noqa: B027 - a folder lists its files at once
        """Find the checkpoints that were witnessed, for a log of this size."""

    @abstractmethod
    def read(self, name: str, limit: int = LARGE) -> bytes:
        """Return the bytes of a file that has at most *limit*."""

    @abstractmethod
    def under(self, prefix: str) -> list[str]:
        """Return the names that begin with *prefix*, in order."""


class Folder(Source):
    """A directory: an archive, or a published log alone."""

    def __init__(self, root: Path) -> None:
        """List the files; those of a log that lies at the top are named as in an archive."""
        super().__init__()
        if (root / "archive" / "archive.json").is_file():
            root /= "archive"
        marks = ("archive.json", "0=otium_archive_1", "models", "packs")
        bare = (root / "checkpoint").is_file() or (root / "log" / "checkpoint").is_file()
        self.whole = not bare or any((root / mark).exists() for mark in marks)
        top = not self.whole and (root / "checkpoint").is_file()
        self.root, self.top = root, "log/" if top else ""
        self.files: dict[str, os.stat_result] = {}
        for folder, folders, files in os.walk(root):
            for path in [Path(folder, name) for name in files + folders]:
                found = path.lstat()
                if not stat.S_ISDIR(found.st_mode):
                    self.files[self.top + path.relative_to(root).as_posix()] = found

    def chunks(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of a file, or *length* of them from *offset*."""
        self.known.add(name)
        need(name in self.files, "it is missing", name)
        need(stat.S_ISREG(self.files[name].st_mode), "it is not a plain file", name)
        left = self.size(name) if length is None else length
        with Path(self.root, name[len(self.top) :]).open("rb") as file:
            file.seek(offset)
            while left:
                chunk = file.read(min(1 << 20, left))
                need(chunk, "it is too short", name)
                left -= len(chunk)
                yield chunk

    def size(self, name: str) -> int:
        """Return how long a file is."""
        return self.files[name].st_size

    def read(self, name: str, limit: int = LARGE) -> bytes:
        """Return the bytes of a file that has at most *limit*."""
        need(name not in self.files or self.size(name) <= limit, "it is too large", name)
        return b"".join(self.chunks(name))

    def digest(self, name: str, *algorithms: str) -> list[str]:
        """Return the digests of a file in hexadecimal."""
        sums = [hashlib.new(algorithm) for algorithm in algorithms]
        for chunk in self.chunks(name):
            for one in sums:
                one.update(chunk)
        return [one.hexdigest() for one in sums]

    def expect(self, name: str, data: bytes) -> None:
        """Keep a problem unless a file has these bytes."""
        why = "its bytes are not those that follow from other files"
        self.check(name, lambda: need(self.read(name) == data, why))

    def under(self, prefix: str) -> list[str]:
        """Return the names that begin with *prefix*, in order."""
        return [name for name in sorted(self.files) if name.startswith(prefix)]


class Web(Source):
    """A published log behind an http(s) address. Only files of the log are asked for."""

    whole = False

    def __init__(self, url: str) -> None:
        """Take the address of a log, or of an archive."""
        super().__init__()
        self.base, self.taken = url.rstrip("/"), 0
        self.files: dict[str, bytes] = {}

    def open(self) -> None:
        """Find out where the log lies: at the address, or at ``log`` under it."""
        if self.fetch("log/checkpoint", LARGE) is None:
            self.base += "/log"

    def discover(self, size: int) -> None:
        """Fetch checkpoints that were kept with cosignatures: of this size, and those listed."""
        listing = self.fetch("log/witnessed/", LARGE) or b""
        self.files.pop("log/witnessed/", None)
        sizes = {int(one) for one in re.findall(rb'href="(?:[^"]*/)?([1-9][0-9]{0,8})"', listing)}
        for one in sorted({*sizes, size})[-NEWEST:]:
            self.fetch(f"log/witnessed/{one}", LARGE)

    def fetch(self, name: str, limit: int) -> bytes | None:
        """Return the file of this name, or None if the server has none."""
        url, most = self.base + name[len("log") :], min(limit + 1024, MOST - self.taken)
        asked = urllib.request.Request(url, headers=HEADERS)
        try:
            with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
                data = answer.read(most + 1)
                packed = answer.headers.get("Content-Encoding") == "gzip"
        except urllib.error.HTTPError as error:
            error.close()
            need(error.code in (403, 404, 410), f"the server answers {error.code}", name)
            return None
        self.taken += len(data)
        need(len(data) <= most, "it is too large", name)
        data = zlib.decompressobj(31).decompress(data, limit + 1) if packed else data
        need(len(data) <= limit, "it is too large", name)
        self.files[name] = data
        return data

    def read(self, name: str, limit: int = LARGE) -> bytes:
        """Return the bytes of a file that has at most *limit*."""
        data = self.files[name] if name in self.files else self.fetch(name, limit)
        if data is None:
            raise Problem("it is missing", name)
        return data

    def under(self, prefix: str) -> list[str]:
        """Return the names that begin with *prefix*, of the files that were fetched."""
        return [name for name in sorted(self.files) if name.startswith(prefix)]


# Keys, signed notes, checkpoints, cosignatures, policies (C2SP signed-note, tlog-checkpoint,
# tlog-cosignature, tlog-policy)

ED25519, COSIGNATURE, MLDSA44 = 1, 4, 6
LENGTHS = {ED25519: 32, COSIGNATURE: 32, MLDSA44: 1312}


class Key(NamedTuple):
    """A verifier key, ``name+hash+base64``."""

    name: str
    number: bytes
    kind: int
    public: bytes

    @property
    def id(self) -> str:
        """Return the text by which the key is named."""
        return f"{self.name}+{self.number.hex()}"


class Checkpoint(NamedTuple):
    """What a checkpoint says, and which of the known keys signed it, with their time or 0."""

    origin: str
    size: int
    root: bytes
    signed: dict[Key, int]
    unknown: list[str]

    def __str__(self) -> str:
        """Return size and root, for people."""
        return f"{self.size} entries with root {base64.b64encode(self.root).decode()}"


def read_key(vkey: str, kinds: Iterable[int] = (ED25519, MLDSA44)) -> Key:
    """Return the key that a text stands for; it must be of one of these *kinds*."""
    need(vkey.count("+") >= 2, f"{vkey[:60]} is not a verifier key")
    name, number, encoded = vkey.split("+", 2)
    data = unbase64(encoded)
    right = data[:1] and data[0] in kinds and len(data) == 1 + LENGTHS[data[0]]
    need(right, f"{name}+{number} is not a key of a kind that is expected here")
    need(name and not re.search(r"\s", name), f"{vkey[:60]} has a wrong name")
    own = sha256(name.encode("utf-8", "surrogateescape") + b"\n" + data)[:8]
    need(own == number, f"{name}+{number} has a wrong hash")
    return Key(name, bytes.fromhex(number), data[0], data[1:])


def read_checkpoint(data: bytes, keys: Iterable[Key]) -> Checkpoint:
    """Return a checkpoint; a wrong signature of a known key is refused, unknown keys are named."""
    text, blank, lines = data.decode("utf-8").rpartition("\n\n")
    body = re.fullmatch(r"([^\x00-\x1f]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)", text)
    if not blank or not body:
        raise Problem("it is not a checkpoint: an origin, a size, a root, a blank line")
    found = Checkpoint(body.group(1), int(body.group(2)), unbase64(body.group(3)), {}, [])
    known = {(key.name, key.number): key for key in keys}
    need(lines.endswith("\n") and lines.count("\n") <= 64, "its signature lines are malformed")
    for line in lines[:-1].split("\n"):
        parts = re.fullmatch(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)", line)
        if not parts:
            raise Problem("it has a line that is no signature")
        signature = unbase64(parts.group(2))
        key = known.get((parts.group(1), signature[:4]))
        if key is None:
            found.unknown.append(f"{parts.group(1)}+{signature[:4].hex()}")
            continue
        need(key not in found.signed, f"{key.id} signed it twice")
        when = signed_at(key, found, text + "\n", signature[4:])
        need(when is not None, f"the signature of {key.id} is wrong")
        found.signed[key] = when or 0
    return found


def signed_at(key: Key, point: Checkpoint, text: str, signature: bytes) -> int | None:
    """Return the time in a signature (0 if it has none), or None if it does not verify."""
    if key.kind == ED25519:
        return 0 if ed25519_verifies(key.public, text.encode("utf-8"), signature) else None
    seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
    if key.kind == COSIGNATURE:
        message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
        good = ed25519_verifies(key.public, message, signature)
    else:
        name, origin = key.name.encode("utf-8", "surrogateescape"), point.origin.encode("utf-8")
        message = b"subtree/v1\n\0" + bytes([len(name)]) + name + seconds.to_bytes(8, "big")
        message += bytes([len(origin)]) + origin + bytes(8) + point.size.to_bytes(8, "big")
        good = mldsa_verifies(key.public, message + point.root, signature)
    return seconds if good and seconds < 2**63 else None


class Policy(NamedTuple):
    """Whom to trust: logs, witnesses by name, groups by name, and the quorum."""

    logs: list[Key]
    witnesses: dict[str, Key]
    groups: dict[str, tuple[int, list[str]]]
    quorum: str

    def met(self, signers: Iterable[Key], name: str | None = None) -> bool:
        """Say whether *signers* are enough for a witness or group (or the quorum)."""
        name, who = self.quorum if name is None else name, set(signers)
        if name in self.witnesses:
            return self.witnesses[name] in who
        least, members = self.groups[name]
        return sum(self.met(who, member) for member in members) >= least

    def reached(self, signed: Mapping[Key, int]) -> int | None:
        """Return the time (seconds) from which on a quorum had signed, or None without one."""
        times = {key: at for key, at in signed.items() if at and key in self.witnesses.values()}
        for when in sorted({0, *times.values()}):
            if self.met([key for key, at in times.items() if at <= when]):
                return when
        return None


def read_policy_file(data: bytes) -> Policy:
    """Return the policy in a tlog-policy file."""
    need(not re.search(rb"[^\t\n\x20-\x7e\x80-\xff]", data), "it has a control character")
    policy, quorums = Policy([], {}, {"none": (0, [])}, ""), []
    members: set[str] = set()
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        words = re.findall(r"[^ \t]+", line)
        if not words or words[0].startswith("#"):
            continue
        kind, rest = words[0], words[1:]
        defined = {*policy.witnesses, *policy.groups}
        if kind == "log" and 1 <= len(rest) <= 2:
            policy.logs.append(read_key(rest[0]))
        elif kind == "witness" and 2 <= len(rest) <= 3 and rest[0] not in defined:
            policy.witnesses[rest[0]] = read_key(rest[1], (COSIGNATURE, MLDSA44))
        elif kind == "group" and len(rest) >= 3 and rest[0] not in defined:
            named = rest[2:]
            sound = set(named) <= defined - {"none"} - members and len(set(named)) == len(named)
            need(sound, f"the group {rest[0]} has a member that is unknown or in a group already")
            members.update(named)
            policy.groups[rest[0]] = (least_of(rest[1], len(named)), named)
        elif kind == "quorum" and len(rest) == 1 and rest[0] in defined:
            quorums.append(rest[0])
        else:
            raise Problem(f"this line is not understood: {line.strip()[:60]}")
    need(len(quorums) == 1, "it does not have exactly one quorum line")
    for keys in (policy.logs, list(policy.witnesses.values())):
        need(len({key.public for key in keys}) == len(keys), "a key is in it twice")
    return policy._replace(quorum=quorums[0])


def least_of(word: str, count: int) -> int:
    """Return how many of *count* members a group needs."""
    if word in ("all", "any"):
        return count if word == "all" else 1
    need(re.fullmatch(r"[1-9][0-9]{0,3}", word) and int(word) <= count, "a threshold is wrong")
    return int(word)


# The log (ledger-2; C2SP tlog-tiles; RFC 6962)

WIDTH = 256
LARGEST = 1 << 24  # entries; a log that claims more is not read
HASH = re.compile(r"[0-9a-f]{64}")
TILE = re.compile(r"log/tile/(entries|\d{1,2})/([x\d/]+)(?:\.p/(\d{1,3}))?", re.ASCII)
WITNESSED = re.compile(r"log/witnessed/(0|[1-9][0-9]{0,18})", re.ASCII)
STAMP = re.compile(r"log/timestamps/(0|[1-9][0-9]{0,18})/([1-9][0-9]{0,3})-[a-z0-9-]{1,40}\.tsr")
FIELDS = {"v", "type", "time", "actor", "subject", "body", "refs"}


class Trust(NamedTuple):
    """Whose signatures count: all of *keys*, one of the policy's logs, a quorum of witnesses."""

    keys: list[Key]
    policy: Policy | None
    origin: str | None
    """What the archive says; of a log alone it is the name of a key."""
    strict: bool
    """Whether *keys* are all that the log has, so that no other line may stand there."""

    def read(self, data: bytes, witnesses: Iterable[Key] = ()) -> Checkpoint:
        """Return a checkpoint of the log in question that is signed as it must be."""
        logs = self.policy.logs if self.policy else []
        point = read_checkpoint(data, [*self.keys, *logs, *witnesses])
        need(self.keys or logs, "whose it is cannot be said: give the log's key by --key")
        for key in self.keys:
            need(key in point.signed, f"it is not signed by {key.id}")
        need(not logs or any(key in point.signed for key in logs), "no log of --policy signed it")
        names = {key.name for key in [*self.keys, *logs]} if self.origin is None else {self.origin}
        need(point.origin in names, f"its origin is {point.origin}, not {' or '.join(names)}")
        other = point.unknown if self.strict else []
        need(not other, f"it has a line of another key, {', '.join(other)}")
        return point


class History(NamedTuple):
    """A log that was verified: its checkpoint, leaf hashes, and entries."""

    point: Checkpoint
    hashes: list[bytes]
    entries: list[Entry]


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry in the Merkle tree."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash over two nodes of the Merkle tree."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the root over *hashes*."""
    return roots(hashes, {len(hashes)})[len(hashes)]


def roots(hashes: Sequence[bytes], sizes: set[int]) -> dict[int, bytes]:
    """Return the root over the first so many *hashes*, for each of *sizes* that there is."""
    found: dict[int, bytes] = {}
    whole: list[bytes] = []  # the subtrees that are whole, the largest first
    for index, node in enumerate([*hashes, b""]):
        if index in sizes:
            found[index] = whole[-1] if whole else hashlib.sha256(b"").digest()
            for left in whole[-2::-1]:
                found[index] = node_hash(left, found[index])
        while index & 1:
            node, index = node_hash(whole.pop(), node), index >> 1  # noqa: PLW2901
        whole.append(node)
    return found


def tile_name(tile: Tile) -> str:
    """Return the name of a tile (or, level ``entries``, of an entry bundle)."""
    level, number, width = tile
    path = f"{number % 1000:03d}"
    while number >= 1000:
        number //= 1000
        path = f"x{number % 1000:03d}/{path}"
    return f"log/tile/{level}/{path}" + ("" if width == WIDTH else f".p/{width}")


def tiles_of(level: str, count: int) -> list[Tile]:
    """Return the tiles that *count* hashes (or entries) of a level fill."""
    full, rest = divmod(count, WIDTH)
    return [(level, number, WIDTH) for number in range(full)] + [(level, full, rest)] * bool(rest)


def parse_tile(name: str) -> Tile:
    """Return the tile of this name."""
    found = TILE.fullmatch(name)
    need(found, "it is not a file of a log")
    level, path, width = found.groups() if found else ("", "", "")
    tile = (level, int(re.sub("[x/]", "", path)), int(width or WIDTH))
    need(tile_name(tile) == name, "it is not a file of a log")
    return tile


def bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bundle of *entries*: each after its length in two bytes."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def read_bundle(source: Source, tile: Tile) -> list[bytes]:
    """Return the entries in a bundle."""
    data, entries, at = source.read(tile_name(tile), WIDTH * (2 + 0xFFFF)), [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : end])
        at = end
    need(bundle(entries) == data and len(entries) == tile[2], f"it is not {tile[2]} whole entries")
    beside = tile_name(("0", tile[1], tile[2]))
    same = b"".join(map(leaf_hash, entries)) == source.read(beside, WIDTH * 32)
    need(same, f"its entries do not have the hashes in {beside}")
    return entries


def read_leaves(source: Source, point: Checkpoint) -> list[bytes]:
    """Return the entries of a checkpoint as bytes."""
    need(point.size <= LARGEST, f"it claims {point.size} entries; this program reads {LARGEST}")
    leaves: list[bytes] = []
    whole = True
    for tile in tiles_of("entries", point.size):
        source.progress("entries read", len(leaves), point.size)
        part = source.check(tile_name(tile), read_bundle, source, tile)
        need(part is not None or isinstance(source, Folder), "entries are missing or changed")
        whole = whole and part is not None
        leaves += part or []
    need(whole, "entries are missing or changed, so its root cannot be verified")
    return leaves


def check_log(source: Source, trust: Trust, kept: Sequence[str]) -> History:
    """Verify the log, and that it continues the *kept* checkpoints."""
    source.open()
    data = source.read("log/checkpoint", 1 << 20)
    point = trust.read(data)
    leaves = read_leaves(source, point)
    rows = [[leaf_hash(leaf) for leaf in leaves]]
    need(tree_hash(rows[0]) == point.root, "the entries do not lead to its root")
    check_tiles(source, leaves, rows)
    for path in kept:
        source.check(path, check_kept, path, trust, point, rows[0])
    if point.unknown:
        source.notes.append(f"signatures by keys that are not known: {', '.join(point.unknown)}")
    signers = sorted(key.id for key in point.signed)
    source.counts.update(entries=point.size, origin=point.origin, keys=signers, checkpoint=data)
    source.counts["root"] = base64.b64encode(point.root).decode()
    return History(point, rows[0], read_entries(source, leaves))


def check_tiles(source: Source, leaves: list[bytes], rows: list[list[bytes]]) -> None:
    """Verify every tile against the leaf hashes, to whose row those of the levels are added."""
    while rows[-1][WIDTH - 1 :]:
        ends = range(WIDTH, len(rows[-1]) + 1, WIDTH)
        rows.append([tree_hash(rows[-1][end - WIDTH : end]) for end in ends])
    tiles = [tile for n, row in enumerate(rows) for tile in tiles_of(str(n), len(row))]
    needed = set(map(tile_name, [*tiles_of("entries", len(leaves)), *tiles]))
    others = {"log/checkpoint", *names_of(source, WITNESSED), *names_of(source, STAMP)}
    for name in sorted(needed | set(source.under("log/")) - others):
        source.check(name, check_tile, source, name, name in needed, [leaves, *rows])


def names_of(source: Source, pattern: re.Pattern[str]) -> list[str]:
    """Return the names of the log's files that match a pattern."""
    return [name for name in source.under("log/") if pattern.fullmatch(name)]


def check_tile(source: Source, name: str, needed: bool, rows: Sequence[Sequence[bytes]]) -> None:
    """Verify that a tile or bundle is what the entries make it."""
    level, number, width = parse_tile(name)
    data, part = source.read(name), slice(number * WIDTH, number * WIDTH + width)
    if not data and not needed:
        return  # withdrawn, as good as absent
    depth = 0 if level == "entries" else int(level) + 1
    row = rows[depth] if depth < len(rows) else []
    need(part.stop <= len(row), "beyond the checkpoint: an append was cut off, or a roll-back")
    expected = b"".join(row[part]) if depth else bundle(row[part])
    need(data == expected, "it is not what the entries make it")


def check_kept(path: str, trust: Trust, point: Checkpoint, hashes: Sequence[bytes]) -> None:
    """Verify that the log begins with the one of a checkpoint that was kept."""
    old = trust.read(Path(path).read_bytes())
    if old.size > len(hashes):
        raise Problem(f"the log was rolled back: it had {old}, now it has {point}")
    now = roots(hashes, {old.size})[old.size]
    need(now == old.root, f"the log was rewritten: it had {old}, now {point} does not continue it")


def read_entry(data: bytes, before: str) -> Entry:
    """Return the entry in a leaf; it may not be earlier than the instant *before*."""
    entry: Entry = parse(data)
    known = {"1": FIELDS, "2": FIELDS | {"sigs"}}.get(canonical(entry["v"]))
    need(set(entry) == known, "it has other fields than an entry")
    for name in ("type", "actor", "subject"):
        need(isinstance(entry[name], str) and entry[name], f"its {name} is not a text")
    need(isinstance(entry["body"], dict), "its body is not an object")
    need(isinstance(entry["refs"], list), "its refs are not a list")
    need(all(ref[:7] == "sha256:" and HASH.fullmatch(ref[7:]) for ref in entry["refs"]), "bad refs")
    need(is_instant(entry["time"]), "its time is not a UTC instant")
    need(entry["time"] >= before, "it is earlier than the entry before it")
    if entry["v"] == 2:
        check_signatures(entry["sigs"])
    return entry


def check_signatures(signatures: Any) -> None:
    """Fail unless an entry's signatures are spelled as they must be."""
    need(isinstance(signatures, list) and signatures, "its sigs are not a list, or empty")
    for one in signatures:
        need(set(one) == {"key", "sig", "time"}, "a signature has other fields")
        need(isinstance(one["key"], str) and is_instant(one["time"]), "a signature is malformed")
        need(len(unbase64(one["sig"])) == 64, "a signature is not 64 bytes")
    need(len({one["key"] for one in signatures}) == len(signatures), "a key signed it twice")


def read_entries(source: Source, leaves: Sequence[bytes]) -> list[Entry]:
    """Return the entries in *leaves*."""
    entries: list[Entry] = []
    for index, leaf in enumerate(leaves):
        source.progress("entries parsed", index, len(leaves))
        before = entries[-1]["time"] if entries else ""
        entry = source.check(f"log, entry {index}", read_entry, leaf, before)
        entries += [entry] if entry else []
    return entries


# Witnesses: which sizes of the log were seen by others, and when

SKEW = 300  # seconds that clocks may differ


def adopted_policies(source: Source, entries: Sequence[Entry]) -> list[Policy]:
    """Return the policies by which the log says that its witnesses are chosen, in log order."""
    found = []
    for entry in entries:
        if entry["type"] == "witnesses.adopted":
            text = text_of(entry["body"].get("policy")).encode("utf-8", "surrogatepass")
            try:
                found.append(read_policy_file(text))
            except (Problem, *MALFORMED):
                source.notes.append(f"the policy for witnesses of {entry['time']} is malformed")
    return found


def check_witnesses(
    source: Source, trust: Trust, history: History, adopted: Sequence[Policy]
) -> list[Row]:
    """Verify the checkpoints that were kept with cosignatures; return those that met a quorum.

    Whose quorum: that of --policy, else of the policy that the log adopted last.
    """
    believed = trust.policy or (adopted[-1] if adopted else None)
    if believed:
        source.discover(history.point.size)
    named = names_of(source, WITNESSED)
    points: dict[str, Checkpoint | None] = {}
    for name in named:
        source.progress("witnessed checkpoints verified", len(points), len(named))
        points[name] = source.check(name, read_witnessed, source, name, trust, adopted)
    then = roots(history.hashes, {point.size for point in points.values() if point})
    met, missed = [], 0
    for name, point in points.items():
        if point and then.get(point.size) != point.root:
            why = f"the log was another one then: it had {point}, now it has {history.point}"
            source.problems.append(f"{name}: {why}")
        elif point and believed:
            when = believed.reached(point.signed)
            by = [who for who, key in believed.witnesses.items() if point.signed.get(key)]
            met += [] if when is None else [(point.size, instant_of(when), by)]
            missed += when is None
    if missed:
        source.notes.append(f"{missed} kept checkpoints do not have the quorum that is asked for")
    return [{"size": size, "at": when, "by": by} for size, when, by in sorted(met)]


def read_witnessed(
    source: Source, name: str, trust: Trust, adopted: Sequence[Policy]
) -> Checkpoint:
    """Return the checkpoint that was kept for the size that *name* says."""
    policies = [*adopted, *([trust.policy] if trust.policy else [])]
    witnesses = [key for policy in policies for key in policy.witnesses.values()]
    point = trust._replace(strict=trust.strict and bool(adopted)).read(
        source.read(name, 1 << 20), witnesses
    )
    need(point.size == int(name.rpartition("/")[2]), "it is of another size than its name says")
    lines = set(point.signed) & set(witnesses)
    need(lines or point.unknown, "no witness signed it")
    if adopted and trust.strict:
        own = any(lines <= set(one.witnesses.values()) and one.met(lines) for one in policies)
        need(own, "its lines are not a quorum of one policy that the log adopted")
    return point


def check_stamps(source: Source, size: int) -> None:
    """Verify that time stamps are named as they must be. What is in them is not read."""
    numbers: dict[int, list[int]] = {}
    for name in names_of(source, STAMP):
        source.known.add(name)
        found = STAMP.fullmatch(name)
        of, number = map(int, found.groups() if found else (0, 0))
        numbers.setdefault(of, []).append(number)
        source.check(name, need, of <= size, "it is of a larger log: a roll-back")
    for of, found_numbers in numbers.items():
        whole = sorted(found_numbers) == list(range(1, len(found_numbers) + 1))
        source.check(f"log/timestamps/{of}", need, whole, "its numbers are not 1, 2, 3, …")
    source.counts["timestamps"] = names_of(source, STAMP)


def instant_of(seconds: int) -> str:
    """Return seconds since 1970 as an instant."""
    return after(EPOCH, min(seconds, 1 << 40))


def check_times(source: Source, entries: Sequence[Entry], seen: Sequence[Row]) -> None:
    """Compare the times that entries claim with those at which witnesses saw the log."""
    for row in seen:
        size, seconds = row["size"], between(EPOCH, row["at"])
        if not seconds:
            continue  # the quorum is none: nobody saw it
        if size and between(EPOCH, entries[size - 1]["time"]) > seconds + SKEW:
            claims = f"claims {entries[size - 1]['time']}, but witnesses saw it at {row['at']}"
            source.problems.append(f"log, entry {size - 1}: it {claims}")
        elif size < len(entries) and between(entries[size]["time"], row["at"]) > 86400:
            missing = f"witnesses saw the log without it at {row['at']}"
            source.notes.append(f"entry {size} claims {entries[size]['time']}, but {missing}")


# Records: OCFL 1.1 objects in models/


def object_folder(model: str) -> str:
    """Return where the object of a model must lie (storage layout 0003)."""
    sha = sha256(model.encode("utf-8"))
    name = re.sub(r"[^A-Za-z0-9_-]", lambda found: f"%{ord(found.group()):02x}", model)
    name = f"{name[:100]}-{sha}" if len(name) > 100 else name
    return f"models/{sha[:3]}/{sha[3:6]}/{sha[6:9]}/{name}"


def check_inventory(archive: Folder, name: str) -> tuple[bytes, Any]:
    """Return an inventory, verified against the digest beside it, as bytes and as JSON."""
    data = archive.read(name)
    expected = f"{hashlib.sha512(data).hexdigest()}  inventory.json\n"
    archive.expect(f"{name}.sha512", expected.encode())
    return data, json.loads(data.decode("utf-8"))


def check_object(archive: Folder, folder: str) -> tuple[str, Records]:
    """Verify an OCFL object; return the model's id and its records: path -> (file, SHA-256)."""
    data, inventory = check_inventory(archive, f"{folder}/inventory.json")
    need(object_folder(inventory["id"]) == folder, "an object of this id lies elsewhere")
    archive.expect(f"{folder}/0=ocfl_object_1.1", b"ocfl_object_1.1\n")
    need(inventory["digestAlgorithm"] == "sha512", "its digests are not SHA-512")
    versions = [f"v{n + 1}" for n in range(len(inventory["versions"]))]
    need(set(inventory["versions"]) == set(versions), "its versions are not v1, v2, …")
    need(versions[-1:] == [inventory["head"]], "its head is not its last version")
    for at, version in enumerate(versions):
        name = f"{folder}/{version}/inventory.json"
        archive.check(name, check_version, archive, name, inventory, versions[: at + 1])
    archive.expect(f"{folder}/{versions[-1]}/inventory.json", data)
    return inventory["id"], check_content(archive, folder, inventory)


def check_version(archive: Folder, name: str, newest: Any, versions: Sequence[str]) -> None:
    """Verify that an inventory tells of the versions until then what the newest one tells."""
    _, inventory = check_inventory(archive, name)
    then = {version: newest["versions"][version] for version in versions}
    same = inventory["id"] == newest["id"] and inventory["versions"] == then
    need(same, "it tells another history than the newest inventory")


def check_content(archive: Folder, folder: str, inventory: Any) -> Records:
    """Verify each content file; return the records of the head: path -> (file, SHA-256)."""
    sha256s = {path: sha for sha, paths in inventory["fixity"]["sha256"].items() for path in paths}
    files: Records = {}
    for sha512, path in [(sha, path) for sha, ps in inventory["manifest"].items() for path in ps]:
        name = f"{folder}/{path}"
        found = archive.check(name, archive.digest, name, "sha512", "sha256")
        if found and found != [sha512, sha256s.get(path)]:
            archive.problems.append(f"{name}: it is not what its inventory says")
        files[sha512] = (name, sha256s[path])
    for version in inventory["versions"].values():
        need(set(version["state"]) <= set(files), "a version has bytes that are not kept")
    state = inventory["versions"][inventory["head"]]["state"]
    named = [(path, sha512) for sha512, paths in state.items() for path in paths]
    return {path: files[sha512] for path, sha512 in named if not path.startswith("unfinished/")}


def check_objects(archive: Folder) -> dict[str, Records]:
    """Verify every object; return the records of each model."""
    pattern = re.compile(r"(models/(?!extensions/)[^/]+/[^/]+/[^/]+/[^/]+)/.+")
    places = {found.group(1) for found in map(pattern.fullmatch, archive.files) if found}
    models: dict[str, Records] = {}
    for place in sorted(places):
        found = archive.check(f"{place}/inventory.json", check_object, archive, place)
        models.update([found] if found else [])
        archive.known.update([] if found else archive.under(f"{place}/"))
    archive.counts["records"] = sum(map(len, models.values()))
    return models


# The weights, in packs, and the recipes that put files together from them

CODECS = {"raw", "deflate", "lzma", "bytes", "float", "delta", "exponent", "quant", "scaled"}
DEEPEST = 3


def check_named(archive: Folder, folder: str, suffix: str) -> list[str]:
    """Verify that files are named by the SHA-256 of their bytes; return the digests."""
    found = []
    for name in archive.under(f"{folder}/"):
        sha = name.split("/")[-1][: -len(suffix)]
        if HASH.fullmatch(sha) and name == f"{folder}/{sha[:2]}/{sha}{suffix}":
            found.append(sha)
            digest = archive.check(name, archive.digest, name, "sha256")
            if digest and digest != [sha]:
                archive.problems.append(f"{name}: its bytes have the SHA-256 {digest[0]}")
    return found


def check_recipe(archive: Folder, name: str, quick: bool) -> Any:
    """Return a recipe whose pieces are there and are as many bytes as its file.

    Pieces that are kept as they are are compared with their digests, and so is a file of such
    pieces alone. Of coded ones the stored bytes were verified; recover.py decodes them.
    """
    recipe = parse(archive.read(name))
    need(recipe["schema"] == "otium.recipe/1", "it is not an otium.recipe/1")
    pieces, order = recipe["pieces"], recipe["order"]
    need(all(0 <= number < len(pieces) for number in order), "it names a piece that is not there")
    need(sum(pieces[number]["size"] for number in order) == recipe["size"], "its size is wrong")
    for piece in pieces:
        need(piece["codec"] in CODECS, "a piece has an unknown codec")
        pack = f"packs/{piece['pack'][:2]}/{piece['pack']}.pack"
        need(pack in archive.files, f"{pack} is missing")
        end = piece["offset"] + piece["stored"]
        need(0 <= piece["offset"] < end <= archive.size(pack), f"a piece is outside {pack}")
        depth(pieces, piece, 0)
    whole = hashlib.sha256()
    for piece in [] if quick else map(pieces.__getitem__, order):
        if piece["codec"] == "raw":
            check_piece(archive, piece, whole)
    plain = not quick and all(pieces[number]["codec"] == "raw" for number in order)
    need(not plain or whole.hexdigest() == recipe["sha256"], "its pieces make another file")
    return recipe


def depth(pieces: Any, piece: Any, above: int) -> None:
    """Fail if more than three pieces have to be decoded before one."""
    need(above <= DEEPEST, "its pieces rest on each other too deeply")
    for base in piece["bases"]:
        need(0 <= base < len(pieces), "a piece rests on one that is not there")
        depth(pieces, pieces[base], above + 1)


def check_piece(archive: Folder, piece: Any, whole: Any) -> None:
    """Read a raw piece, verify its digest, and feed it to that of the *whole* file."""
    pack = f"packs/{piece['pack'][:2]}/{piece['pack']}.pack"
    need(piece["stored"] == piece["size"], f"a piece in {pack} has another size")
    own = hashlib.sha256()
    for chunk in archive.chunks(pack, piece["offset"], piece["stored"]):
        own.update(chunk)
        whole.update(chunk)
    need(own.hexdigest() == piece["sha256"], f"a piece in {pack} has another SHA-256")


def check_manifest(archive: Folder, model: str, name: str, recipes: dict[str, Any]) -> str:
    """Verify that what a manifest lists can be put together; return its weights digest."""
    manifest = parse(archive.read(name))
    need(manifest["schema"] == "otium.manifest/1", "it is not an otium.manifest/1")
    need(manifest["model"] == model, "it is of another model")
    for file in manifest["files"]:
        recipe = recipes.get(file["recipe"])
        need(recipe, f"the recipe {file['recipe']}.json is missing or damaged")
        same = recipe and (recipe["sha256"], recipe["size"]) == (file["sha256"], file["size"])
        need(same, f"the recipe of {file['path']} makes another file")
    listed = sorted([file["path"], file["sha256"]] for file in manifest["files"])
    weights = "sha256:" + sha256(canonical(listed).encode("utf-8"))
    need(weights == manifest["weights"], "its weights digest is not that of its files")
    return weights


def check_weights(archive: Folder, models: dict[str, Records], quick: bool) -> dict[str, str]:
    """Verify packs, recipes and manifests; return the weights of each manifest by its digest."""
    packs = check_named(archive, "packs", ".pack")
    check_named(archive, "indexes", ".json")
    check_named(archive, "parity", ".parity")
    names = {
        sha: f"recipes/{sha[:2]}/{sha}.json" for sha in check_named(archive, "recipes", ".json")
    }
    size = sum(map(archive.size, archive.under("packs/")))
    archive.counts.update(packs=len(packs), recipes=len(names), bytes=size)
    recipes = {sha: archive.check(n, check_recipe, archive, n, quick) for sha, n in names.items()}
    weights: dict[str, str] = {}
    for model, records in sorted(models.items()):
        name, sha = records.get("manifest.json", ("", ""))
        if "deaccession.json" in records:
            continue  # its weights may be gone; what it was stays
        found = name and archive.check(name, check_manifest, archive, model, name, recipes)
        weights.update({f"sha256:{sha}": found} if found else {})
    return weights


# The whole archive


def check_info(archive: Folder) -> Any:
    """Return ``archive.json``, with the files that it names verified."""
    data = archive.read("archive.json")
    info = parse(data)
    need(info["schema"] == "otium.archive/1", "it is not an otium.archive/1")
    need(isinstance(info["origin"], str) and isinstance(info["id"], str), "it names no log")
    need(list(map(read_key, info["keys"])), "it names no key")
    archive.expect("archive.json.sha256", f"{sha256(data)}  archive.json\n".encode())
    for name, expected in info["files"].items():
        digest = archive.check(name, archive.digest, name, "sha256")
        if digest and f"sha256:{digest[0]}" != expected:
            archive.problems.append(f"{name}: it is not the file that archive.json names")
    return info


def check_founding(archive: Folder, info: Any, entries: Sequence[Entry]) -> None:
    """Verify that the log names this ``archive.json``."""
    created = founding(entries)
    if created is None:
        raise Problem("the log does not say that this archive was created")
    named, found = created["body"].get("archive_json"), sha256(archive.read("archive.json"))
    need(named in (found, f"sha256:{found}"), "it is not the one that the log names")
    need(created["subject"] == info["id"], "the log names an archive of another id")


def founding(entries: Sequence[Entry]) -> Entry | None:
    """Return the entry that founded the archive."""
    return next((entry for entry in entries if entry["type"] == "archive.created"), None)


def check_refs(
    archive: Folder,
    entries: Sequence[Entry],
    models: dict[str, Records],
    weights: dict[str, str],
) -> None:
    """Verify that what the entries rest on is kept (an adopted policy: in the entry itself)."""
    kept = {f"sha256:{sha}" for records in models.values() for _, sha in records.values()}
    for index, entry in enumerate(entries):
        name = f"log, entry {index} ({entry['type']})"
        own = "sha256:" + sha256(canonical(entry["body"].get("policy")).encode("utf-8"))
        for ref in entry["refs"]:
            if ref not in kept and ref != own:
                archive.problems.append(f"{name}: no record has the digest {ref}")
            elif ref in weights and entry["body"].get("weights") != weights[ref]:
                archive.problems.append(f"{name}: it names other weights than its manifest")


def check_rest(archive: Folder) -> None:
    """Name each file that nothing accounts for."""
    for name in sorted(set(archive.files) - archive.known):
        if any(part.startswith(".") for part in name.split("/")):
            archive.notes.append(f"{name}: hidden, not part of the archive")
        else:
            archive.problems.append(f"{name}: it is not part of an archive")


def trust_of(source: Source, options: argparse.Namespace, info: Any) -> Trust | None:
    """Return whom to trust: what the options say, and the keys that ``archive.json`` names."""
    keys = [source.check("--key", read_key, vkey) for vkey in options.key or []]
    policy, path = None, options.policy
    if path:
        policy = source.check(path, lambda: read_policy_file(Path(path).read_bytes()))
    if None in keys or (path and policy is None):
        return None
    given = ["--key"] * bool(keys) + ["--policy"] * bool(policy and policy.logs)
    source.counts["keys_from"] = " and ".join(given) or "archive.json"
    own = list(map(read_key, info.get("keys", [])))
    return Trust(list(dict.fromkeys(keys + own)), policy, info.get("origin"), bool(own))


def verify(source: Source, options: argparse.Namespace) -> tuple[Any, Judgement]:
    """Verify everything; return ``archive.json`` (or an empty object) and the judged entries."""
    whole = isinstance(source, Folder) and source.whole
    info = (source.check("archive.json", check_info, source) if whole else None) or {}
    trust, kept = trust_of(source, options, info), [options.since] if options.since else []
    if options.keep and Path(options.keep).exists():
        kept.append(options.keep)
    history, judgement = None, Judgement([], [], [], None)
    if trust and (info or not whole):
        history = source.check("log/checkpoint", check_log, source, trust, kept)
    if trust and history:
        tell = functools.partial(source.progress, "signatures verified", of=history.point.size)
        judgement = judge(history.entries, history.point.origin, tell)
        if judgement.entries and founding(judgement.good) is not founding(judgement.entries):
            why = "the founding is not signed by one of its own root keys"
            source.problems.append(f"log, {why}")
        policies = adopted_policies(source, judgement.good)
        check_stamps(source, history.point.size)
        source.counts["witnessed"] = check_witnesses(source, trust, history, policies)
    else:
        source.known.update(source.under("log/"))
    if isinstance(source, Folder) and source.whole:
        check_archive(source, info, judgement.entries, options.quick)
    return info, judgement


def check_archive(archive: Folder, info: Any, entries: Sequence[Entry], quick: bool) -> None:
    """Verify all that an archive has beside its log."""
    archive.check("archive.json", check_founding, archive, info, entries)
    models = check_objects(archive)
    check_refs(archive, entries, models, check_weights(archive, models, quick))
    if info:
        check_rest(archive)


# Roles (roles-1): who may say what

ROLES = {
    "root": "key.granted key.revoked",
    "steward": "commitments.adopted duty.waived deaccession.approved model.registered model.floor "
    "model.legacy model.deprecated model.rescheduled model.replacement deprecation.cancelled "
    "surface.ended model.retired model.withdrawn model.availability model.used alias.pointed "
    "transition.published report.prepared report.published usage.recorded incidents.recorded "
    "notice.sent notice.failed exit.changed witnesses.adopted "
    "work.published work.vetoed pursuit.planned access.requested access.appealed "
    "access.granted access.withdrawn heartbeat",
    "archivist": "archive.* model.deposited model.checked model.restored model.revived "
    "model.deaccessioned deaccession.proposed deaccession.approved copies.counted custody.* "
    "conversation.ended conversation.reopened access.requested access.appealed "
    "access.withdrawn heartbeat",
    "researcher": "fingerprint.recorded assessment.* interview.* choices.* "
    "preference.registered preference.merged preference.split preference.answered work.written "
    "behaviour.*",
    "decider": "preference.considered preference.decided preference.outcome access.decided",
    "auditor": "audit.*",
}
NEED_TWO = {"model.retired", "model.withdrawn", "duty.waived", "deaccession.approved"}
DSSE = "DSSEv1 35 application/vnd.otium.entry.v2+json "
MONTH = 30 * 86400


@functools.lru_cache(maxsize=1 << 12)
def may(kind: str) -> frozenset[str]:
    """Return the roles that may make entries of a type."""
    whole = kind.partition(".")[0] + ".*" if "." in kind else kind
    named = [role for role, kinds in ROLES.items() if {kind, whole} & set(kinds.split())]
    return frozenset(named or ROLES)


class Roles:
    """The keys that stand at a place of the log, and their roles."""

    def __init__(self, origin: str, root: Iterable[Key]) -> None:
        """Begin with the root keys."""
        self.origin = origin
        self.keys = {key.id: key for key in root}
        self.roles = {name: {"root"} for name in self.keys}
        self.revoked: list[Row] = []
        self.used: set[tuple[str, str]] = set()

    def verifies(self, entry: Entry, one: Any) -> bool:
        """Say whether one of an entry's signatures is by the key that it names."""
        said = {name: entry[name] for name in FIELDS - {"time"}}
        body = canonical({**said, "log": self.origin, "time": one["time"]}).encode("utf-8")
        message = f"{DSSE}{len(body)} ".encode() + body
        try:
            return ed25519_verifies(self.keys[one["key"]].public, message, unbase64(one["sig"]))
        except (Problem, ValueError):
            return False

    def founded(self, entry: Entry) -> str:
        """Return why the founding entry is not authorised, or nothing."""
        signatures = [one for one in entry.get("sigs", []) if one["key"] in self.keys]
        good = [one for one in signatures if self.verifies(entry, one)]
        tests = (
            ("not signed", entry.get("sigs")),
            ("unknown key", signatures),
            ("wrong signature", good),
            ("signed at another time", any(is_timely(entry, one["time"]) for one in good)),
        )
        return next((why for why, passed in tests if not passed), "")

    def judged(self, entry: Entry) -> str:
        """Return why another entry is not authorised, or nothing; take what it does to keys."""
        why = next((why for why, good in self.tests(entry) if not good), "")
        if not why:
            self.used |= {(one["key"], one["sig"]) for one in entry["sigs"]}
        return why

    def tests(self, entry: Entry) -> Iterator[tuple[str, object]]:
        """Yield the tests that an entry must pass, in order, each when the one before it held."""
        signatures, kind = entry.get("sigs", []), entry["type"]
        names = [one["key"] for one in signatures]
        yield "not signed", names
        yield "unknown key", all(name in self.keys for name in names)
        yield "revoked key", all(name in self.roles for name in names)
        yield "wrong signature", all(self.verifies(entry, one) for one in signatures)
        roles = [self.roles[name] for name in names]
        yield "not of a role that may", all(one & may(kind) for one in roles)
        yield "not of the role that it names", any(entry["actor"] in one for one in roles)
        different = {self.keys[name].public for name in names}
        yield "too few keys", len(different) >= (2 if kind in NEED_TWO else 1)
        yield "signed at another time", all(is_timely(entry, one["time"]) for one in signatures)
        older = [one for one in signatures if one["time"] < entry["time"]]
        yield "signature used before", not {(one["key"], one["sig"]) for one in older} & self.used
        yield from self.changes(entry)

    def changes(self, entry: Entry) -> Iterator[tuple[str, object]]:
        """Yield the tests of an entry that grants or revokes a key; then do what it says."""
        body, gone = entry["body"], {row["key"] for row in self.revoked}
        if entry["type"] == "key.granted":
            roles, key = body.get("roles"), role_key(body.get("key"))
            sound = isinstance(roles, list) and roles and all(one in list(ROLES) for one in roles)
            yield "body cannot be read", sound and key
            if key:
                yield "revoked key", key.id not in gone
                roots = [name for name, its in self.roles.items() if "root" in its]
                yield "the last root key", "root" in roles or roots != [key.id]
                self.keys[key.id], self.roles[key.id] = key, set(roles)
        elif entry["type"] == "key.revoked":
            since = body.get("compromised_since")
            roots = [name for name, its in self.roles.items() if "root" in its]
            sound = isinstance(body.get("reason"), str) and (since is None or is_instant(since))
            sound = sound and body.get("key") in list(self.roles)
            yield "body cannot be read", sound
            yield "the last root key", roots != [body["key"]]
            del self.roles[body["key"]]
            row = {"key": body["key"], "at": entry["time"], "reason": body["reason"]}
            self.revoked.append({**row, "compromised_since": since, "entries": []})


def role_key(vkey: object) -> Key | None:
    """Return the role key that a text stands for, if it does."""
    try:
        return read_key(vkey, (ED25519,)) if isinstance(vkey, str) else None
    except (Problem, ValueError):
        return None


def is_timely(entry: Entry, time: str) -> bool:
    """Say whether a signature is not after its entry, nor more than 30 days before it."""
    return is_instant(time) and 0 <= between(time, entry["time"]) <= MONTH


class Judgement(NamedTuple):
    """All entries, the authorised ones, those that are not, and the revocations."""

    entries: list[Entry]
    good: list[Entry]
    refused: list[Row]
    revoked: list[Row] | None
    """None in a log without roles."""


def judge(
    entries: Sequence[Entry], origin: str, tell: Callable[[int], None] = lambda _: None
) -> Judgement:
    """Say of each entry whether it is authorised."""
    first = founding(entries)
    root = first["body"].get("root") if first else None
    keys = list(map(role_key, root)) if isinstance(root, list) else []
    if not keys or None in keys:
        return Judgement(list(entries), list(entries), [], None)
    roles = Roles(origin, [key for key in keys if key])
    good: list[Entry] = []
    refused: list[Row] = []
    for index, entry in enumerate(entries):
        tell(index)
        why = roles.founded(entry) if entry is first else roles.judged(entry)
        if why:
            row = {name: entry[name] for name in ("time", "type", "subject", "actor")}
            refused.append({"entry": index, **row, "why": why})
        else:
            good.append(entry)
    for row in roles.revoked:
        row["entries"] = doubtful(entries, row)
    return Judgement(list(entries), good, refused, roles.revoked)


def doubtful(entries: Sequence[Entry], revoked: Row) -> list[int]:
    """Return the entries that were signed by a key after it was compromised."""
    since, key = revoked["compromised_since"], revoked["key"]
    return [
        index
        for index, entry in enumerate(entries)
        for one in entry.get("sigs", [])
        if since and one["key"] == key and since <= one["time"] <= revoked["at"]
    ]


# Duties: commitments-2 step by step

TEXTS = {"id", "text", "kind", "trigger", "fulfil", "since", "before", "on_withdrawal", "owner"}
NUMBERS = {"days", "grace"}
DEFAULTS = {
    "fulfil": "",
    "where": {},
    "at_least": {},
    "since": "time",
    "before": "",
    "scope": ["public", "partner", "significant-internal"],
    "on_withdrawal": "same",
    "grace": 0,
    "owner": "steward",
}
KINDS = ("within", "before", "every", "notice", "floor")
SCOPES = ("public", "partner", "significant-internal", "internal", "other")
MEASURES = ("users", "requests_per_day")
ENDS = ("model.retired", "model.withdrawn")
UNANNOUNCED = ["before", "model.deprecated", "model.retired"]
LATE = ("overdue", "breached")
STATES = ("kept", "due", "waived", "overdue", "breached")


def is_number(value: object) -> bool:
    """Say whether a value is a JSON number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read_policy(value: Any) -> Any:
    """Return a policy with its defaults filled in, or None if it is not valid."""
    names = {"id", "version", "title", "term"}
    if not isinstance(value, dict):
        return None
    value = {"significant": {}, **value}
    promises, significant = value.get("commitments"), value["significant"]
    if set(value) != names | {"schema", "significant", "commitments"}:
        return None
    if not isinstance(promises, list) or not all(isinstance(one, dict) for one in promises):
        return None
    filled = [{**DEFAULTS, **one} for one in promises]
    sound = value["schema"] == "otium.commitments/2" and all(map(is_sound, filled))
    sound = sound and all(isinstance(value[name], str) for name in names)
    sound = sound and is_map(significant, is_number) and set(significant) <= set(MEASURES)
    unique = sound and len({one["id"] for one in filled}) == len(filled)
    return {**value, "commitments": filled} if unique else None


def is_map(value: object, of: Callable[[object], bool]) -> bool:
    """Say whether a value is an object whose values are all *of* a kind."""
    return isinstance(value, dict) and all(map(of, value.values()))


def is_sound(promise: Any) -> bool:
    """Say whether a commitment has the fields that it must have, of the right types."""
    if set(promise) != TEXTS | NUMBERS | {"where", "at_least", "scope"}:
        return False
    scope = promise["scope"]
    return (
        all(isinstance(promise[name], str) for name in TEXTS)
        and promise["kind"] in KINDS
        and promise["on_withdrawal"] in ("same", "lapses", "after")
        and all(is_number(promise[name]) and 0 <= promise[name] <= 36525 for name in NUMBERS)
        and is_map(promise["where"], lambda text: isinstance(text, str))
        and is_map(promise["at_least"], is_number)
        and isinstance(scope, list)
        and all(one in SCOPES for one in scope)
    )


def promise_of(commitment: Any) -> str:
    """Return what of a commitment makes it the same promise, as a text to compare."""
    kept = {name: value for name, value in commitment.items() if name not in ("text", "owner")}
    kept.update((name, float(kept[name])) for name in NUMBERS)
    kept["at_least"] = {name: float(value) for name, value in kept["at_least"].items()}
    return json.dumps(kept, sort_keys=True)


def adoptions(entries: Sequence[Entry]) -> list[tuple[int, Any]]:
    """Return index and policy of each adoption, in log order."""
    adopted = [(i, e) for i, e in enumerate(entries) if e["type"] == "commitments.adopted"]
    policies = [(index, read_policy(entry["body"].get("policy"))) for index, entry in adopted]
    return [(index, policy) for index, policy in policies if policy]


def preference(entry: Entry) -> str | None:
    """Return the preference that an entry is about, if it is about one."""
    value = entry["body"].get("preference")
    return value if isinstance(value, str) else None


def dates(entry: Entry, field: str) -> dict[str, Any]:
    """Return the object in a field of an entry's body, or an empty one."""
    value = entry["body"].get(field)
    return value if isinstance(value, dict) else {}


class Log:
    """The entries up to *now* with their effective times, found by type and by subject."""

    def __init__(self, entries: Sequence[Entry], now: str) -> None:
        """Leave out what is later than *now*."""
        self.entries: list[Entry] = []
        self.times: list[str] = []
        self.now, time = now, EPOCH
        for entry in entries:
            time = max(time, entry["time"]) if is_instant(entry["time"]) else time
            if time > now:
                break
            self.entries.append(entry)
            self.times.append(time)
        self.by_type: dict[str, list[int]] = {}
        self.by_both: dict[tuple[str, str], list[int]] = {}
        self.by_subject: dict[str, list[int]] = {}
        for index, entry in enumerate(self.entries):
            kind, subject = entry["type"], entry["subject"]
            self.by_type.setdefault(kind, []).append(index)
            self.by_both.setdefault((kind, subject), []).append(index)
            self.by_subject.setdefault(subject, []).append(index)
        created = self.by_type.get("archive.created")
        self.archive = self.entries[created[0]]["subject"] if created else None
        self.plans: dict[str, list[Surface]] = {}

    def exact(self, kind: str, subject: str) -> list[int]:
        """Return the indices of a type's entries about a subject."""
        return self.by_both.get((kind, subject), [])

    def of(self, kind: str, subject: str | None = None) -> list[int]:
        """Return the indices of a type's entries; a withdrawal is an end like a retirement."""
        kinds = ENDS if kind == "model.retired" else (kind,)
        if subject is None:
            return sorted(index for one in kinds for index in self.by_type.get(one, []))
        return sorted(index for one in kinds for index in self.exact(one, subject))

    def word(self, subject: str) -> Any:
        """Return the scope word of a model."""
        registered = self.exact("model.registered", subject)
        return self.entries[registered[0]]["body"].get("scope") if registered else None

    def plan(self, model: str) -> list[Surface]:
        """Return the surfaces of a model, in the order in which they were first named."""
        if model not in self.plans:
            self.plans[model] = plan(self, model)
        return self.plans[model]


class Surface:
    """What was said about one surface of a model, in log order."""

    def __init__(self, name: str) -> None:
        """Begin with nothing said."""
        self.name = name
        self.floors: list[tuple[int, str]] = []
        self.episodes: list[list[tuple[int, Any]]] = []
        """Announced values with their indices; a new list where none stood before."""
        self.open = False
        self.ended: int | None = None
        self.outside = False
        """Whether it ended while no announcement stood."""

    def take(self, index: int, what: str, value: Any) -> None:
        """Take what an entry says of the surface, unless it has ended."""
        if self.ended is not None:
            return
        if what == "date":
            if not self.open:
                self.episodes.append([])
            self.episodes[-1].append((index, value))
            self.open = True
        elif what == "floor":
            self.floors.append((index, value))
        elif what == "cancelled":
            self.open = False
        elif what == "ended":
            self.ended, self.outside, self.open = index, not self.open, False

    def highest(self, until: int) -> str | None:
        """Return the highest floor that was set before an index, if one was."""
        return max((value for index, value in self.floors if index < until), default=None)


def said(entry: Entry) -> Iterator[tuple[str, str | None, Any]]:
    """Yield what an entry says of surfaces: what, of which (None: of all), and a value."""
    kind, body = entry["type"], entry["body"]
    if kind == "model.registered" and isinstance(body.get("surfaces"), list):
        yield from (("named", name, None) for name in body["surfaces"] if isinstance(name, str))
    if kind in ("model.registered", "model.floor"):
        floors = dates(entry, "not_before").items()
        yield from (("floor", name, value) for name, value in floors if is_instant(value))
    elif kind in ("model.deprecated", "model.rescheduled"):
        yield from (("date", name, value) for name, value in dates(entry, "retire_at").items())
    elif kind == "surface.ended" and isinstance(body.get("surface"), str):
        yield "ended", body["surface"], None
    elif kind == "deprecation.cancelled":
        yield "cancelled", None, None
    elif kind in ENDS:
        yield "ended", None, None


def plan(log: Log, model: str) -> list[Surface]:
    """Return what was said about each surface of a model."""
    surfaces: dict[str, Surface] = {}
    first = log.exact("model.registered", model)[:1]
    for index in log.by_subject.get(model, []):
        for what, name, value in said(log.entries[index]):
            if what == "named" and [index] != first:
                continue  # the surfaces of a model are those of its first registration
            for one in list(surfaces) if name is None else [name]:
                surfaces.setdefault(one, Surface(one)).take(index, what, value)
    return list(surfaces.values())


class Promise:
    """One commitment of a policy, as it stands since the entry *adopted*, over a log."""

    def __init__(self, terms: Any, policy: Any, adopted: int, log: Log) -> None:
        """Take the commitment's *terms*, its policy, and the log to judge by."""
        self.terms, self.policy, self.adopted, self.log = terms, policy, adopted, log
        self.length = int(float(terms["days"]) * 86400)
        self.bounds: dict[str, int | None] = {}
        self.stand_ins = self.find_stand_ins()
        self.waivers = [
            index
            for index in log.of("duty.waived")
            if log.entries[index]["body"].get("commitment") == terms["id"]
        ]

    def duties(self) -> list[Row]:
        """Return the duties in the log order of what gives them."""
        if self.terms["kind"] in ("notice", "floor"):
            judge = self.notices if self.terms["kind"] == "notice" else self.floors
            models = [model for model in self.log.by_subject if self.bound(model) is not None]
            given = [found for model in models for found in judge(model)]
            return [row for _, row in sorted(given, key=lambda found: found[0])]
        judges = {"within": self.within, "before": self.before, "every": self.every}
        rows = []
        for index, about in self.starts():
            standing = judges[self.terms["kind"]](index, about)
            if standing:
                model = self.log.entries[index]["subject"]
                rows.append(self.row(model, model if about is None else about, "", standing))
        return rows

    def row(self, model: str, subject: str, about: str, standing: Standing) -> Row:
        """Return a duty as the object that is printed."""
        row = {"commitment": self.terms["id"], "kind": self.terms["kind"], "model": model}
        row.update(subject=subject, about=about, state=standing[0], due=standing[1])
        return {
            **row,
            "fulfilled": standing[2],
            "under": self.policy["version"],
            "why": standing[3],
        }

    def bound(self, subject: str) -> int | None:
        """Return the index from which on a subject is bound, or None if it is out of scope."""
        if subject not in self.bounds:
            word, scope = self.log.word(subject), self.terms["scope"]
            if subject == self.log.archive or word in scope:
                self.bounds[subject] = self.adopted
            elif word == "internal" and "significant-internal" in scope:
                uses = self.log.exact("model.used", subject)
                first = next((index for index in uses if self.is_significant(index)), None)
                self.bounds[subject] = None if first is None else max(first, self.adopted)
            else:
                self.bounds[subject] = None
        return self.bounds[subject]

    def is_significant(self, index: int) -> bool:
        """Say whether an entry tells of as much use as the policy calls significant."""
        body, least = self.log.entries[index]["body"], self.policy["significant"]
        return any(is_number(body.get(name)) and body[name] >= least[name] for name in least)

    def starts(self) -> list[tuple[int, str | None]]:
        """Return index and preference of the first trigger of each key, in log order."""
        entries, trigger = self.log.entries, self.terms["trigger"]
        found = [(index, preference(entries[index])) for index in self.log.of(trigger)]
        found = sorted([*found, *((index, None) for index in self.stand_ins)], key=by_index)
        first: dict[object, tuple[int, str | None]] = {}
        for index, about in found:
            if self.bound(entries[index]["subject"]) is not None:
                first.setdefault((entries[index]["subject"], about), (index, about))
        return list(first.values())

    def find_stand_ins(self) -> set[int]:
        """Return the first end of each model that no deprecation precedes, where they count."""
        if [self.terms[name] for name in ("kind", "trigger", "before")] != UNANNOUNCED:
            return set()
        first: dict[str, int] = {}
        for index in self.log.of("model.retired"):
            first.setdefault(self.log.entries[index]["subject"], index)
        for model in list(first):
            deprecated = self.log.exact("model.deprecated", model)
            if deprecated and deprecated[0] < first[model]:
                del first[model]
        return set(first.values())

    def begin(self, index: int) -> str:
        """Return the instant from which the time of a duty runs."""
        entry, field = self.log.entries[index], self.terms["since"]
        named = entry["body"].get(field) if field != "time" else None
        since = str(named) if is_instant(named) else self.log.times[index]
        return max(self.log.times[self.bound(entry["subject"]) or 0], since)

    def done(self, index: int, about: str | None) -> list[int]:
        """Return the indices of what fulfils the duty that *index* starts."""
        found = self.log.exact(self.terms["fulfil"], self.log.entries[index]["subject"])
        return [at for at in found if self.fulfils(self.log.entries[at], about)]

    def fulfils(self, entry: Entry, about: str | None) -> bool:
        """Say whether an entry (of the right type and subject) fulfils a duty."""
        body, least = entry["body"], self.terms["at_least"].items()
        return (
            about in (None, preference(entry))
            and body.get("ok") is not False
            and all(body.get(name) == text for name, text in self.terms["where"].items())
            and all(is_number(body.get(name)) and body[name] >= number for name, number in least)
        )

    def waived(self, model: str, about: str | None = None, surface: str = "") -> list[int]:
        """Return the indices of the waivers that concern a duty."""
        found = []
        for index in self.waivers:
            body = self.log.entries[index]["body"]
            same = self.log.entries[index]["subject"] == model
            if about is None:
                same = same and "preference" not in body
            else:
                same = same and body.get("preference", about) == about
            if same and body.get("surface", surface) == surface:
                found.append(index)
        return found

    def until(self, index: int) -> str | None:
        """Return the end of a waiver, if it has one."""
        value = self.log.entries[index]["body"].get("until")
        return value if is_instant(value) else None

    def by_deadline(self, due: str, excused: bool, done: int | None) -> Standing:
        """Judge what must be done by an instant."""
        time = self.log.times[done] if done is not None else None
        if time is not None and time <= due:
            return "kept", due, time, f"done {time}"
        if excused:
            return "waived", due, time, f"waived; done {time}" if time else "waived; not done"
        if time is not None:
            return "breached", due, time, f"done {time}, {days(between(due, time))} late"
        late = f"not done, {days(between(due, self.log.now))} late"
        return ("due", due, None, "") if self.log.now <= due else ("overdue", due, None, late)

    def within(self, index: int, about: str | None) -> Standing:
        """Judge what must be done by a deadline."""
        due, excused = after(self.begin(index), self.length), False
        for waiver in self.waived(self.log.entries[index]["subject"], about):
            if self.log.times[waiver] <= due:
                until = self.until(waiver)
                if until is None:
                    excused = True
                    break
                due = max(due, until)
        return self.by_deadline(due, excused, next(iter(self.done(index, about)), None))

    def end(self, index: int) -> int | None:
        """Return the index of what the duty must come before, or None if that has not come."""
        subject, kind = self.log.entries[index]["subject"], self.terms["before"]
        if self.terms["trigger"] == kind or index in self.stand_ins:
            return index
        return next((at for at in self.log.of(kind, subject) if at > index), None)

    def before(self, index: int, about: str | None) -> Standing | None:
        """Judge what must be done before something else."""
        log, model = self.log, self.log.entries[index]["subject"]
        end, done = self.end(index), next(iter(self.done(index, about)), None)
        if end is not None and end < (self.bound(model) or 0):
            return None
        named = dates(log.entries[index], "retire_at").values() if end != index else ()
        due = min(filter(is_instant, named), default=None)
        excused = any(
            (end is None or waiver < end) and (due is None or log.times[waiver] <= due)
            for waiver in self.waived(model, about)
        )
        if done is not None and (end is None or done < end):
            return "kept", due, log.times[done], f"done {log.times[done]}"
        if end is not None:
            return self.too_late(end, done, due, excused)
        if excused:
            return "waived", due, None, "waived"
        state, _, _, why = self.by_deadline(due or LAST, excused=False, done=None)
        return state, due, None, why

    def too_late(self, end: int, done: int | None, due: str | None, excused: bool) -> Standing:
        """Judge what had not been done when the entry *end* came, which it must come before."""
        kind, came = self.log.entries[end]["type"], self.log.times[end]
        time = self.log.times[done] if done is not None else None
        if kind == "model.withdrawn" and self.terms["on_withdrawal"] == "after":
            grace = int(float(self.terms["grace"]) * 86400)
            return self.by_deadline(after(came, grace), excused, done)
        lapsed = kind == "model.withdrawn" and self.terms["on_withdrawal"] == "lapses"
        if lapsed or excused:
            return "waived", due, time, "waived" if excused else "lapsed with the withdrawal"
        then = f"done {time}" if time else "not done"
        return "breached", due, time, f"{kind} came first, {came}; {then}"

    def every(self, index: int, about: str | None) -> Standing:
        """Judge what must be done again and again."""
        start, times = self.begin(index), [self.log.times[at] for at in self.done(index, about)]
        points = [start, *(time for time in times if time >= start)]
        waivers = [
            at for at in self.waived(self.log.entries[index]["subject"], about) if self.until(at)
        ]
        limits = [self.limit(point, waivers) for point in points]
        due, last, now = limits[-1], points[-1] if points[1:] else None, self.log.now
        for limit, one, other in zip(limits, points, points[1:]):  # noqa: B905 - Python 3.8
            if other > limit:
                why = f"{days(between(one, other))} from {one} to {other}"
                return "breached", due, last, why
        why = f"last done {last}" if last else f"not done since {start}"
        if now <= after(points[-1], self.length):
            return "due", due, last, why if last else ""
        return "waived" if now <= due else "overdue", due, last, why

    def limit(self, point: str, waivers: Sequence[int]) -> str:
        """Return until when something must be done again, with the waivers that concern it."""
        limit = after(point, self.length)
        for waiver in waivers:
            if point <= self.log.times[waiver] <= limit:
                limit = max(limit, self.until(waiver) or "")
        return limit

    def excuse(self, broken: tuple[int, str], model: str, surface: str) -> tuple[str, str]:
        """Return the state of what was broken on a surface, and why."""
        index, why = broken
        if (
            self.log.entries[index]["type"] == "model.withdrawn"
            and self.terms["on_withdrawal"] == "lapses"
        ):
            return "waived", f"{why}; lapsed with the withdrawal"
        excused = any(waiver < index for waiver in self.waived(model, None, surface))
        return ("waived", f"{why}; waived") if excused else ("breached", why)

    def notices(self, model: str) -> Iterator[tuple[tuple[int, int], Row]]:
        """Yield the duty of each announcement of a surface, with its place in the order."""
        bound = self.bound(model) or 0
        for order, surface in enumerate(self.log.plan(model)):
            for episode in surface.episodes:
                index = episode[0][0]
                if index >= bound:
                    standing = self.notice(model, surface, episode)
                    yield (index, order), self.row(model, model, surface.name, standing)
            if surface.outside and surface.ended is not None and surface.ended > bound:
                why = f"ended {self.log.times[surface.ended]} without notice"
                state, why = self.excuse((surface.ended, why), model, surface.name)
                row = self.row(model, model, surface.name, (state, None, None, why))
                yield (surface.ended, order), row

    def notice(self, model: str, surface: Surface, episode: Sequence[tuple[int, Any]]) -> Standing:
        """Judge one announcement of a surface, with what was made of it."""
        (first, value), last = episode[0], episode[-1][1]
        due, time = last if is_instant(last) else None, self.log.times[first]
        broken = next(self.breaks(surface, episode), None)
        if broken:
            state, why = self.excuse(broken, model, surface.name)
            return state, due, None, why
        return "kept", due, time, f"{days(between(time, value))} of notice"

    def breaks(
        self, surface: Surface, episode: Sequence[tuple[int, Any]]
    ) -> Iterator[tuple[int, str]]:
        """Yield index and reason of all that breaks an announcement, in log order."""
        before = ""
        for index, value in episode:
            if not is_instant(value):
                yield index, "the date announced is no time"
                return
            given = between(self.log.times[index], value)
            if given < self.length and (not before or value < before):
                yield index, f"{days(given)} of notice, {days(self.length)} promised"
            before = value
        end = surface.ended
        ended = end is not None and not surface.outside and episode is surface.episodes[-1]
        if end is not None and ended and self.log.times[end] < before:
            yield end, f"ended {self.log.times[end]}, {before} was announced"

    def floors(self, model: str) -> Iterator[tuple[tuple[int, int], Row]]:
        """Yield the duty of each surface with a floor, with its place in the order."""
        bound = self.bound(model) or 0
        for order, surface in enumerate(self.log.plan(model)):
            gone = surface.ended is not None and surface.ended < bound
            if surface.floors and not gone:
                row = self.row(model, model, surface.name, self.floor(model, surface, bound))
                yield (surface.floors[0][0], order), row

    def floor(self, model: str, surface: Surface, bound: int) -> Standing:
        """Judge whether a surface stayed above its floor."""
        due = max(value for _, value in surface.floors)
        found = sorted(one for one in self.undercuts(surface) if one[0] > bound)
        ended = self.log.times[surface.ended] if surface.ended is not None else None
        if found:
            state, why = self.excuse(found[0], model, surface.name)
            return state, due, None, why
        kept = ended is not None or self.log.now >= due
        return "kept" if kept else "due", due, ended, f"ended {ended}" if ended else ""

    def undercuts(self, surface: Surface) -> Iterator[tuple[int, str]]:
        """Yield index and reason of all that goes below a floor."""
        for (_, one), (index, other) in pairs(surface.floors):
            if other < one:
                yield index, f"the floor was lowered from {one} to {other}"
        for index, value in itertools.chain(*surface.episodes):
            highest = surface.highest(index)
            if is_instant(value) and highest is not None and value < highest:
                yield index, f"{value} was announced, below {highest}"
        end, highest = surface.ended, surface.highest(len(self.log.entries))
        if end is not None and highest is not None and self.log.times[end] < highest:
            yield end, f"ended {self.log.times[end]}, below {highest}"


def by_index(found: tuple[int, Any]) -> int:
    """Return the place in the log by which something is sorted."""
    return found[0]


def pairs(items: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return each item with the one after it."""
    return [(items[i], items[i + 1]) for i in range(len(items) - 1)]


def adopted_at(history: Sequence[tuple[int, Any]], policy: Any, promise: Any) -> int | None:
    """Return the index of the adoption since which a promise stands as it stands, if it does."""
    places = [place for place, (_, adopted) in enumerate(history) if adopted == policy]
    found = None
    for index, adopted in reversed(history[: places[-1] + 1] if places else []):
        if promise_of(promise) not in map(promise_of, adopted["commitments"]):
            break
        found = index
    return found


def duties(policy: Any, entries: Sequence[Entry], now: str) -> list[Row]:
    """Return each duty of a policy (as it was adopted) with its state at *now*."""
    log, policy = Log(entries, now), read_policy(policy)
    history, found = adoptions(log.entries), []
    for promise in policy["commitments"] if policy else []:
        adopted = adopted_at(history, policy, promise)
        if adopted is not None:
            found += Promise(promise, policy, adopted, log).duties()
    return found


def replacements(entries: Sequence[Entry]) -> list[tuple[Any, int, Any]]:
    """Return each policy that was replaced, the index where, and the policy that came."""
    history = adoptions(entries)
    return [(old, index, new) for (_, old), (index, new) in pairs(history) if old != new]


def under_way(entries: Sequence[Entry]) -> set[str]:
    """Return the models whose deprecation was announced and not cancelled."""
    models = set()
    for entry in entries:
        if entry["type"] == "model.deprecated":
            models.add(entry["subject"])
        elif entry["type"] == "deprecation.cancelled":
            models.discard(entry["subject"])
    return models


def standing(entries: Sequence[Entry], now: str) -> list[Row]:
    """Return all duties: found under replaced policies, carried from them, and in force."""
    log = Log(entries, now)
    history = adoptions(log.entries)
    if not history:
        return []
    last, replaced = history[-1][1], replacements(log.entries)
    carries = [carried_by(old, last, log.entries[:index]) for old, index, _ in replaced]
    past: list[Row] = []
    carried: list[Row] = []
    since = {promise_of(one): adopted_at(history, last, one) for one in last["commitments"]}
    for place, (old, index, _) in enumerate(replaced):
        promises = {one["id"]: promise_of(one) for one in old["commitments"]}
        for row in duties(old, log.entries[:index], log.times[index]):
            duty = (promises[row["commitment"]], row["model"])
            begun = since.get(duty[0])
            goes_on = begun is not None and begun < index
            elsewhere = goes_on or any(duty in carry for carry in carries)
            if row["state"] in LATE and not elsewhere:
                past.append(row)
        for row in duties(old, log.entries, now) if carries[place] else []:
            duty = (promises[row["commitment"]], row["model"])
            if duty in carries[place] and not any(duty in carry for carry in carries[place + 1 :]):
                carried.append(row)
    return past + carried + duties(last, log.entries, now)


def carried_by(old: Any, last: Any, entries: Sequence[Entry]) -> set[tuple[str, str]]:
    """Return promise and model of what *last* does not hold, though the model is under way."""
    lifted = set(map(promise_of, old["commitments"])) - set(map(promise_of, last["commitments"]))
    return {(promise, model) for promise in lifted for model in under_way(entries)}


def amendments(entries: Sequence[Entry], now: str) -> list[Row]:
    """Return what changed among the commitments at each replacement of a policy."""
    log, found = Log(entries, now), []
    for old, index, new in replacements(log.entries):
        reason = text_of(log.entries[index]["body"].get("reason"))
        row = {"at": log.times[index], "version": new["version"], "reason": reason}
        were, are = (
            {one["id"]: promise_of(one) for one in policy["commitments"]} for policy in (old, new)
        )
        for name in [*were, *(name for name in are if name not in were)]:
            if were.get(name) != are.get(name):
                change = "added" if name not in were else "amended"
                change = change if name in are else "withdrawn"
                found.append({"commitment": name, "change": change, **row})
    return found


# What is told beside the duties


def moves(log: Log) -> list[Row]:
    """Return every announced date and every floor that was changed, in log order."""
    stands: dict[tuple[str, str], dict[str, Any]] = {}
    found: list[Row] = []
    for index, entry in enumerate(log.entries):
        model, reason = entry["subject"], text_of(entry["body"].get("reason"))
        for what, name, value in said(entry):
            kind = "date" if what == "cancelled" else what
            values = stands.setdefault((model, kind), {})
            for surface in list(values) if name is None else [name]:
                was, values[surface] = values.get(surface), value
                if was is not None and was != value:
                    row = {"model": model, "kind": kind, "surface": surface, "was": was}
                    found.append({**row, "now": value, "at": log.times[index], "reason": reason})
    return found


def waivers(log: Log) -> list[Row]:
    """Return every duty that was waived: by whom, until when and why."""
    found = []
    for index in log.of("duty.waived"):
        entry = log.entries[index]
        keys = [one["key"] for one in entry.get("sigs", [])]
        names = ("commitment", "surface", "preference", "until", "reason")
        row = {name: text_of(entry["body"].get(name)) for name in names}
        by = [key.rpartition("+")[0] for key in keys] or [entry["actor"]]
        row.update(at=log.times[index], subject=entry["subject"])
        found.append({**row, "by": by, "keys": keys})
    return found


def withdrawals(log: Log, table: Sequence[Row]) -> list[Row]:
    """Return every emergency withdrawal, with what is still owed to the model."""
    found = []
    for index in log.of("model.withdrawn"):
        entry = log.entries[index]
        mine = [row for row in table if row["model"] == entry["subject"]]
        owed = [
            f"{row['commitment']} ({row['state']})"
            for row in mine
            if row["state"] in ("due", "overdue") and row["kind"] in ("within", "before")
        ]
        row = {"model": entry["subject"], "at": log.times[index], "owed": owed}
        found.append({**row, "reason": text_of(entry["body"].get("reason"))})
    return found


def signs_of_life(log: Log) -> list[Row]:
    """Return when the last entry and the last heartbeat were made, and how many days ago."""
    beats = log.by_type.get("heartbeat", [])
    last = [("entry", log.times[-1] if log.times else None)]
    last.append(("heartbeat", log.times[beats[-1]] if beats else None))
    return [
        {"last": name, "at": at, "days": at and math.floor(between(at, log.now) / 864) / 100}
        for name, at in last
    ]


# The verdict


def report(source: Source, options: argparse.Namespace) -> dict[str, Any]:
    """Verify, judge, and return all that is to be said."""
    info, judgement = verify(source, options)
    first, counts = founding(judgement.entries), source.counts
    clock = first["body"].get("clock") if first else None
    now = options.now or now_of(judgement.entries, clock)
    witnesses = witnesses_of(source, options, judgement.entries, clock, now)
    checkpoint = counts.pop("checkpoint", b"")
    if options.keep and not source.problems:
        source.check(options.keep, keep, Path(options.keep), checkpoint)
    bad, late = len(source.problems), witnesses["late"]
    none = Judgement([], [], [], judgement.revoked)
    verdict = judged(source, none if bad else judgement, now)
    broken = verdict["tally"]["overdue"] + verdict["tally"]["breached"]
    return {
        "schema": "otium.monitor/1",
        "source": options.source,
        "archive": first["subject"] if first else info.get("id"),
        "verified": not bad,
        "summary": f"not verified: {many(bad, 'problem')}" if bad else summary(verdict, late),
        "exit_code": 2 if bad else int(broken > 0 or late),
        "quick": options.quick,
        "clock": clock,
        "now": now,
        "counts": counts,
        "witnesses": witnesses,
        **verdict,
        "problems": source.problems,
        "notes": source.notes,
    }


def witnesses_of(
    source: Source, options: argparse.Namespace, entries: Sequence[Entry], clock: object, now: str
) -> dict[str, Any]:
    """Return what witnesses saw, compared with this moment and with the entries' times."""
    cosigned, today = source.counts.pop("witnessed", []), max(now, now_of([], None))
    seen = [row for row in cosigned if row["at"] <= after(today, SKEW)]
    if seen != cosigned:
        source.notes.append(f"{len(cosigned) - len(seen)} cosignatures of the future do not count")
    if clock == "simulated" and seen:
        source.notes.append("its clock is simulated: its times say nothing beside the witnesses'")
    elif not source.problems:
        check_times(source, entries, seen)
    if options.policy and "root" in source.counts and not seen:
        source.problems.append("log/checkpoint: no quorum of --policy has witnessed it")
    within, newest = options.witnessed_within, max((row["at"] for row in seen), default=EPOCH)
    late = within is not None and between(newest, now) > within * 86400
    return {"asked": bool(options.policy), "late": late, "seen": seen}


def now_of(entries: Sequence[Entry], clock: object) -> str:
    """Return the instant to judge at: this one, or the log's own end if its clock is simulated."""
    if clock == "simulated":
        last: str = entries[-1]["time"]
        return last
    return spell(dt.datetime.now(dt.timezone.utc))


def judged(source: Source, judgement: Judgement, now: str) -> dict[str, Any]:
    """Return what a log that verified says about the promises."""
    log, table = Log(judgement.good, now), standing(judgement.good, now)
    adopted = adoptions(log.entries)
    policy = adopted[-1][1] if adopted else None
    readable, states = {index for index, _ in adopted}, [row["state"] for row in table]
    for index in log.by_type.get("commitments.adopted", []):
        if index not in readable:
            odd = f"the policy adopted {log.times[index]} is no otium.commitments/2"
            source.notes.append(f"{odd}: not judged")
    return {
        "policy": policy and {name: policy[name] for name in ("id", "version", "title")},
        "tally": {state: states.count(state) for state in STATES},
        "duties": table,
        "life": signs_of_life(log),
        "moved": moves(log),
        "short": [row for row in table if row["kind"] == "notice" and row["state"] in BROKEN],
        "amendments": amendments(judgement.good, now),
        "waivers": waivers(log),
        "withdrawals": withdrawals(log, table),
        "roles": judgement.revoked is not None,
        "refused": judgement.refused,
        "revoked": judgement.revoked or [],
    }


BROKEN = ("breached", "waived")


def summary(verdict: Mapping[str, Any], late: bool) -> str:
    """Return the last line."""
    tally = verdict["tally"]
    words = ", ".join(f"{tally[state]} {state}" for state in STATES)
    count = many(len(verdict["refused"]), "entry", "entries")
    refused = f"; {count} not authorised" * bool(verdict["refused"])
    return f"all verified; commitments: {words}{refused}" + "; not witnessed lately" * late


def keep(path: Path, data: bytes) -> None:
    """Write a checkpoint for the next visit, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new-{os.getpid()}")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


# What is printed for people


def screen(found: dict[str, Any], width: int) -> Iterator[str]:
    """Yield the lines."""
    yield f"otium monitor: {found['source']}, judged at {found['now']}"
    if found["clock"] == "simulated":
        yield "(the archive says that its clock is simulated; --now sets another time)"
    yield ""
    for name, text in facts(found):
        yield from wrapped(f"{name:<16}", text, width)
    for title, names, rows in tables(found):
        if rows:
            yield from ["", title, *aligned(names, rows, width)]
    yield from ["", found["summary"]]


def facts(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what was verified, as name and text."""
    counts, whole = found["counts"], "records" in found["counts"]
    yield "archive", str(found["archive"] or "not known")
    if "root" in counts:
        yield "log", "{entries} entries of {origin}, root {root}".format(**counts)
        yield "signed", f"by {', '.join(counts['keys'])}; keys from {counts['keys_from']}"
    if counts.get("keys_from") == "archive.json" and whole:
        yield "", "(so the archive vouches for itself: give the key you know by --key)"
    if "root" in counts:
        yield "witnessed", witnessed(found)
        if counts["timestamps"]:
            yield (
                "time stamps",
                f"{len(counts['timestamps'])}, not verified: use openssl ts -verify",
            )
    if found["verified"]:
        yield "roles", roles_line(found)
    if whole:
        how = "names verified, not read (--quick)" if found["quick"] else "every byte verified"
        files = f"{many(counts['recipes'], 'file')} in {many(counts['packs'], 'pack')}"
        yield "weights", f"{files}, {counts['bytes']} bytes, {how}"
        yield "records", str(counts["records"])
    elif "root" in counts:
        yield "weights", "not looked at: this is a log alone"
    if found["verified"] and not found["policy"]:
        yield "commitments", "none were adopted"
    for row in found["life"] if found["verified"] else []:
        ago = f"{row['at']}, {many(row['days'], 'day')} ago" if row["at"] else "none"
        yield f"last {row['last']}", ago
    yield from (("note", line) for line in found["notes"])
    yield from (("PROBLEM", line) for line in found["problems"])


def witnessed(found: dict[str, Any]) -> str:
    """Return the line about witnesses."""
    seen, asked = found["witnesses"]["seen"], found["witnesses"]["asked"]
    if not seen:
        return "by nobody" if asked else "by nobody that is known; give --policy"
    size, newest = seen[-1]["size"], max(seen, key=lambda row: row["at"])
    upto = f"up to entry {size} of {found['counts']['entries']}"
    if newest["at"] == EPOCH:
        return f"{upto}: the quorum asks for nobody"
    late = ", longer ago than --witnessed-within" * found["witnesses"]["late"]
    own = "" if asked else " (witnesses that the log itself names; give --policy)"
    return f"{upto}, last {newest['at']} by {', '.join(newest['by'])}{late}{own}"


def roles_line(found: dict[str, Any]) -> str:
    """Return the line about roles."""
    if not found["roles"]:
        return "none: whoever holds the key of the log may say anything"
    if not found["refused"]:
        return "every entry is authorised"
    return f"{many(len(found['refused']), 'entry', 'entries')} not authorised, passed over"


def tables(found: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...], list[list[Any]]]]:
    """Yield title, names of columns, and rows of each table; the last column is the longest."""
    policy, table = found["policy"], found["duties"]
    if policy:
        title = "{title} ({id} {version})".format(**policy)
        names = list(dict.fromkeys(row["commitment"] for row in table))
        states = [(row["commitment"], row["state"]) for row in table]
        counts = [[name, *(states.count((name, state)) for state in STATES)] for name in names]
        yield title, ("commitment", *STATES), counts
        rows = [
            [*(row[name] for name in DUTY[:-1]), row["why"] + under(row, policy["version"])]
            for row in table
        ]
        yield "Duties", DUTY, rows
    yield from (pick(found, *table) for table in TABLES)


DUTY = ("commitment", "subject", "about", "state", "due", "why")
TABLES = (
    ("Dates and floors that moved", "moved", "model kind surface was now at reason"),
    ("Notices shorter than promised", "short", "model about state why"),
    ("Commitments that were changed", "amendments", "commitment change at version reason"),
    ("Waivers", "waivers", "commitment subject surface at until by reason"),
    ("Withdrawals", "withdrawals", "model at reason owed"),
    ("Entries not authorised", "refused", "entry time type subject actor why"),
    ("Keys revoked", "revoked", "key at compromised_since entries reason"),
)


def under(row: Row, version: str) -> str:
    """Return under which version of the policy a duty is, if not under this one."""
    return f" (under version {row['under']})" if row["under"] != version else ""


def pick(
    found: dict[str, Any], title: str, name: str, columns: str
) -> tuple[str, tuple[str, ...], list[list[Any]]]:
    """Return a table of some columns of the rows of this name, each line once."""
    names = tuple(columns.split())
    rows = [[cell(row[column]) for column in names] for row in found[name]]
    return title, names, list(map(list, dict.fromkeys(map(tuple, rows))))


def cell(value: Any) -> str:
    """Return a value of a table as text; a midnight is a date."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = "-" if value is None or not text else text
    return " ".join(printable(text).replace("T00:00:00Z", "").split())


def aligned(names: Sequence[str], rows: Sequence[Sequence[Any]], width: int) -> Iterator[str]:
    """Yield the lines of a table, its last column wrapped."""
    texts = [list(names), *([cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts)][:-1]  # noqa: B905 - Python 3.8
    for row in texts:
        head = "  ".join(text.ljust(wide) for text, wide in zip(row, widths))  # noqa: B905
        yield from wrapped(head + "  ", row[-1], width)


def wrapped(head: str, text: str, width: int) -> list[str]:
    """Return the lines of a text beside its *head*, with nothing at their ends."""
    lines = textwrap.wrap(printable(text), max(width - len(head), 32), break_on_hyphens=False)
    return [
        ((" " * len(head) if at else head) + line).rstrip() for at, line in enumerate(lines or [""])
    ]


def printable(line: str) -> str:
    """Return a line with what could move a terminal's cursor made visible."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options on the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("source", metavar="SOURCE", help="an archive, a log, or an address")
    parser.add_argument("--key", action="append", metavar="VKEY", help="a key that you trust")
    parser.add_argument("--policy", metavar="FILE", help="logs, witnesses and their quorum")
    parser.add_argument("--witnessed-within", type=float, metavar="DAYS", help="how fresh")
    parser.add_argument("--since", metavar="CHECKPOINT", help="a checkpoint that you kept")
    parser.add_argument("--keep", metavar="FILE", help="compare with it, then keep what was seen")
    parser.add_argument("--now", metavar="INSTANT", help="judge at this time (UTC, …Z)")
    parser.add_argument("--quick", action="store_true", help="do not put the files together")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if options.now and not is_instant(options.now):
        parser.error("--now is not like 2026-11-22T00:00:00Z")
    if options.witnessed_within is not None and not options.policy:
        parser.error("--witnessed-within needs --policy, which names the witnesses")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit code."""
    options = options_of(arguments)
    web = re.match("https?://", options.source)
    found = report(Web(options.source) if web else Folder(Path(options.source)), options)
    width = shutil.get_terminal_size((100, 24)).columns
    lines = [json.dumps(found, indent=1)] if options.json else map(printable, screen(found, width))
    sys.stdout.buffer.write("\n".join([*lines, ""]).encode("utf-8", "replace"))
    return int(found["exit_code"])


if __name__ == "__main__":
    sys.exit(main())
