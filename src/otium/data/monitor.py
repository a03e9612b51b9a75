"""Verify a copy of an otium archive and see which promises about its models were kept.

    python3 -I -S monitor.py ARCHIVE [--key VKEY ...] [--since CHECKPOINT] [--now INSTANT]
                                     [--quick] [--json]

One file, Python 3.8 or later, standard library only. It shares no code with otium: it was
written from the formats (SPEC.md beside this file; ledger-1 and commitments-1 in otium's
documentation) as a second opinion. Read it before you rely on it.

It trusts the verifier keys given by --key and nothing else. Without --key it takes those that
archive.json names: that shows that the copy is whole, not whose it is. Keep the log/checkpoint
of each visit and give it by --since at the next: a log that was rewritten is refused.

Exit code: 0 all verified, nothing overdue or breached; 1 all verified, but something is overdue
or breached; 2 not verified.
"""

# ruff: noqa: FBT001, PLR2004, UP017 - Python 3.8, and numbers that the formats name

from __future__ import annotations

import argparse
import base64
import datetime as dt
import decimal
import hashlib
import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Entry = dict[str, Any]
    Duty = dict[str, Any]
    Standing = tuple[str, "str | None", "str | None", str]
    Point = tuple[int, int, int, int]
    Tile = tuple[str, int, int]
    Records = dict[str, tuple[str, str]]

MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What Python raises when JSON from a stranger has another shape than expected."""


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
# x = X/Z, y = Y/Z and xy = T/Z.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def add(p: Point, q: Point) -> Point:
    """Return the sum of two points."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def double(p: Point) -> Point:
    """Return the point added to itself."""
    a, b, c = p[0] * p[0] % P, p[1] * p[1] % P, 2 * p[2] * p[2] % P
    g, h = a - b, a + b
    e, f = h - (p[0] + p[1]) * (p[0] + p[1]) % P, c + g
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


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether *signature* (64 bytes) of *message* is by the key *public* (32 bytes)."""
    point, s = decode_point(public), int.from_bytes(signature[32:], "little")
    if BASE is None or point is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    minus = (P - point[0], point[1], point[2], P - point[3])
    table, total = (None, BASE, minus, add(BASE, minus)), (0, 1, 1, 0)
    for bit in reversed(range(ORDER.bit_length())):  # [s]B - [k]A, both at once
        total, term = double(total), table[(s >> bit & 1) + 2 * (k >> bit & 1)]
        total = add(total, term) if term else total
    return encode_point(total) == signature[:32]


# Spelling: JSON (RFC 8785), base64, digests


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
    return json.dumps(value, ensure_ascii=False)


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


class Archive:
    """The files of a copy, those that were accounted for, and what is wrong with them."""

    def __init__(self, root: Path) -> None:
        """List the files under *root*."""
        self.root = root
        self.files: dict[str, os.stat_result] = {}
        self.known: set[str] = set()
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.counts: dict[str, Any] = {}
        for folder, folders, files in os.walk(root):
            for path in [Path(folder, name) for name in files + folders]:
                found = path.lstat()
                if not stat.S_ISDIR(found.st_mode):
                    self.files[path.relative_to(root).as_posix()] = found

    def check(self, name: str, what: Callable[..., Any], *arguments: Any) -> Any:
        """Return what the check *what* returns; keep as *name*'s problem what it raises."""
        try:
            return what(*arguments)
        except Problem as problem:
            self.problems.append(f"{problem.name or name}: {problem}")
        except OSError as error:
            self.problems.append(f"{name}: it cannot be read ({error.strerror})")
        except MALFORMED as error:
            self.problems.append(f"{name}: it is malformed ({type(error).__name__})")
        return None

    def chunks(self, name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of a file, or *length* of them from *offset*."""
        self.known.add(name)
        need(name in self.files, "it is missing", name)
        need(stat.S_ISREG(self.files[name].st_mode), "it is not a plain file", name)
        left = self.size(name) if length is None else length
        with Path(self.root, name).open("rb") as file:
            file.seek(offset)
            while left:
                chunk = file.read(min(1 << 20, left))
                need(chunk, "it is too short", name)
                left -= len(chunk)
                yield chunk

    def size(self, name: str) -> int:
        """Return how long a file is."""
        return self.files[name].st_size

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
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


# The log (C2SP tlog-tiles, signed-note; RFC 6962)

WIDTH = 256
HASH = re.compile(r"[0-9a-f]{64}")
CODECS = {"raw", "deflate", "lzma", "bytes", "float", "delta", "exponent", "quant", "scaled"}
DEEPEST = 3


def read_key(vkey: str) -> tuple[str, bytes, bytes]:
    """Return name, key ID and public key of a verifier key ``name+hash+base64``."""
    name, number, encoded = vkey.split("+", 2)
    data = unbase64(encoded)
    need((data[:1], data[33:]) == (b"\x01", b"") and data[32:], f"{vkey} is not an Ed25519 key")
    need(sha256(name.encode() + b"\n" + data)[:8] == number, f"{vkey} has a wrong hash")
    return name, bytes.fromhex(number), data[1:]


def read_checkpoint(data: bytes, vkeys: Sequence[str]) -> tuple[str, int, bytes, str]:
    """Return origin, size, root and signing key of a checkpoint that one of *vkeys* signed."""
    text, blank, line = data.decode("utf-8").rpartition("\n\n")
    found = re.fullmatch(r"— (\S+) ([A-Za-z0-9+/=]+)\n", line)
    if not blank or not found:
        raise Problem("it does not end in a blank line and one signature line")
    signature = unbase64(found.group(2))
    vkey = next((v for v in vkeys if read_key(v)[:2] == (found.group(1), signature[:4])), None)
    if vkey is None:
        raise Problem(f"it is signed by {found.group(1)}, which is not one of the keys")
    signed = (text + "\n").encode("utf-8")
    need(ed25519_verifies(read_key(vkey)[2], signed, signature[4:]), "its signature is wrong")
    body = re.fullmatch(r"([^\x00-\x1f]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)", text)
    if not body:
        raise Problem("it is not a checkpoint: an origin, a size, a root")
    return body.group(1), int(body.group(2)), unbase64(body.group(3)), vkey


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry in the Merkle tree."""
    return hashlib.sha256(b"\x00" + entry).digest()


def tree_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the root over *hashes*."""
    row = list(hashes) or [hashlib.sha256(b"").digest()]
    while row[1:]:
        end = len(row) - len(row) % 2
        pairs = (row[i] + row[i + 1] for i in range(0, end, 2))
        row = [hashlib.sha256(b"\x01" + pair).digest() for pair in pairs] + row[end:]
    return row[0]


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
    found = re.fullmatch(r"log/tile/(entries|\d{1,2})/([x\d/]+)(?:\.p/(\d{1,3}))?", name, re.ASCII)
    need(found, "it is not a file of a log")
    level, path, width = found.groups() if found else ("", "", "")
    tile = (level, int(re.sub("[x/]", "", path)), int(width or WIDTH))
    need(tile_name(tile) == name, "it is not a file of a log")
    return tile


def bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bundle of *entries*: each after its length in two bytes."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def read_bundle(archive: Archive, tile: Tile) -> list[bytes]:
    """Return the entries in a bundle."""
    data, entries, at = archive.read(tile_name(tile)), [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : end])
        at = end
    need(bundle(entries) == data and len(entries) == tile[2], f"it is not {tile[2]} whole entries")
    beside = tile_name(("0", tile[1], tile[2]))
    same = b"".join(map(leaf_hash, entries)) == archive.read(beside)
    need(same, f"its entries do not have the hashes in {beside}")
    return entries


def read_entry(data: bytes, before: str) -> Entry:
    """Return the entry in a leaf; it may not be earlier than the instant *before*."""
    entry: Entry = parse(data)
    fields = {"v", "type", "time", "actor", "subject", "body", "refs"}
    known = set(entry) == fields and canonical(entry["v"]) == "1"
    need(known, "it has other fields than an entry")
    for name in ("type", "actor", "subject"):
        need(isinstance(entry[name], str) and entry[name], f"its {name} is not a text")
    need(isinstance(entry["body"], dict), "its body is not an object")
    need(isinstance(entry["refs"], list), "its refs are not a list")
    need(all(ref[:7] == "sha256:" and HASH.fullmatch(ref[7:]) for ref in entry["refs"]), "bad refs")
    need(is_instant(entry["time"]), "its time is not a UTC instant")
    need(entry["time"] >= before, "it is earlier than the entry before it")
    return entry


def read_entries(archive: Archive, leaves: Sequence[bytes]) -> list[Entry]:
    """Return the entries in *leaves*."""
    entries: list[Entry] = []
    for index, leaf in enumerate(leaves):
        before = entries[-1]["time"] if entries else ""
        entry = archive.check(f"log, entry {index}", read_entry, leaf, before)
        entries += [entry] if entry else []
    return entries


def check_log(
    archive: Archive, vkeys: Sequence[str], origin: str, since: str | None
) -> list[Entry]:
    """Verify all of ``log/``; return its entries."""
    point = read_checkpoint(archive.read("log/checkpoint"), vkeys)
    need(point[0] == origin, f"its origin is not {origin}, as archive.json says")
    bundles = tiles_of("entries", point[1])
    parts = [archive.check(tile_name(tile), read_bundle, archive, tile) for tile in bundles]
    need(None not in parts, "entries are missing or changed, so its root cannot be verified")
    leaves = [leaf for part in parts for leaf in part]
    rows = [[leaf_hash(leaf) for leaf in leaves]]
    while rows[-1][WIDTH - 1 :]:
        ends = range(WIDTH, len(rows[-1]) + 1, WIDTH)
        rows.append([tree_hash(rows[-1][end - WIDTH : end]) for end in ends])
    need(tree_hash(rows[0]) == point[2], "the entries do not lead to its root")
    tiles = bundles + [tile for n, row in enumerate(rows) for tile in tiles_of(str(n), len(row))]
    needed = set(map(tile_name, tiles))
    for name in sorted(needed | set(archive.under("log/")) - {"log/checkpoint"}):
        archive.check(name, check_tile, archive, name, name in needed, [leaves, *rows])
    if since:
        archive.check(since, check_since, since, vkeys, origin, rows[0])
    root = base64.b64encode(point[2]).decode()
    archive.counts.update(entries=len(leaves), origin=origin, root=root, key=point[3])
    return read_entries(archive, leaves)


def check_tile(archive: Archive, name: str, needed: bool, rows: Sequence[Sequence[bytes]]) -> None:
    """Verify that a tile or bundle is what the entries make it."""
    level, number, width = parse_tile(name)
    data, part = archive.read(name), slice(number * WIDTH, number * WIDTH + width)
    if not data and not needed:
        return  # withdrawn, as good as absent
    depth = 0 if level == "entries" else int(level) + 1
    row = rows[depth] if depth < len(rows) else []
    need(part.stop <= len(row), "beyond the checkpoint: an append was cut off, or a roll-back")
    expected = b"".join(row[part]) if depth else bundle(row[part])
    need(data == expected, "it is not what the entries make it")


def check_since(path: str, vkeys: Sequence[str], origin: str, hashes: Sequence[bytes]) -> None:
    """Verify that the log begins with the one of an older checkpoint."""
    old = read_checkpoint(Path(path).read_bytes(), vkeys)
    need(old[0] == origin, "it is of another log")
    need(old[1] <= len(hashes), "the log was longer then: it was rolled back")
    need(tree_hash(hashes[: old[1]]) == old[2], "the log was another one then: it was rewritten")


# Records: OCFL 1.1 objects in models/


def object_folder(model: str) -> str:
    """Return where the object of a model must lie (storage layout 0003)."""
    sha = sha256(model.encode("utf-8"))
    name = re.sub(r"[^A-Za-z0-9_-]", lambda found: f"%{ord(found.group()):02x}", model)
    name = f"{name[:100]}-{sha}" if len(name) > 100 else name
    return f"models/{sha[:3]}/{sha[3:6]}/{sha[6:9]}/{name}"


def check_inventory(archive: Archive, name: str) -> tuple[bytes, Any]:
    """Return an inventory, verified against the digest beside it, as bytes and as JSON."""
    data = archive.read(name)
    expected = f"{hashlib.sha512(data).hexdigest()}  inventory.json\n"
    archive.expect(f"{name}.sha512", expected.encode())
    return data, json.loads(data.decode("utf-8"))


def check_object(archive: Archive, folder: str) -> tuple[str, Records]:
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


def check_version(archive: Archive, name: str, newest: Any, versions: Sequence[str]) -> None:
    """Verify that an inventory tells of the versions until then what the newest one tells."""
    _, inventory = check_inventory(archive, name)
    then = {version: newest["versions"][version] for version in versions}
    same = inventory["id"] == newest["id"] and inventory["versions"] == then
    need(same, "it tells another history than the newest inventory")


def check_content(archive: Archive, folder: str, inventory: Any) -> Records:
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


def check_objects(archive: Archive) -> dict[str, Records]:
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


def check_named(archive: Archive, folder: str, suffix: str) -> list[str]:
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


def check_recipe(archive: Archive, name: str, quick: bool) -> Any:
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


def check_piece(archive: Archive, piece: Any, whole: Any) -> None:
    """Read a raw piece, verify its digest, and feed it to that of the *whole* file."""
    pack = f"packs/{piece['pack'][:2]}/{piece['pack']}.pack"
    need(piece["stored"] == piece["size"], f"a piece in {pack} has another size")
    own = hashlib.sha256()
    for chunk in archive.chunks(pack, piece["offset"], piece["stored"]):
        own.update(chunk)
        whole.update(chunk)
    need(own.hexdigest() == piece["sha256"], f"a piece in {pack} has another SHA-256")


def check_manifest(archive: Archive, model: str, name: str, recipes: dict[str, Any]) -> str:
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


def check_weights(archive: Archive, models: dict[str, Records], quick: bool) -> dict[str, str]:
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


def check_info(archive: Archive) -> Any:
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


def check_founding(archive: Archive, info: Any, entries: Sequence[Entry]) -> object:
    """Verify that the log names this ``archive.json``; return what it says of the clock."""
    founding = [entry for entry in entries if entry["type"] == "archive.created"]
    need(founding, "the log does not say that this archive was created")
    named, found = founding[0]["body"].get("archive_json"), sha256(archive.read("archive.json"))
    need(named in (found, f"sha256:{found}"), "it is not the one that the log names")
    need(founding[0]["subject"] == info["id"], "the log names an archive of another id")
    return founding[0]["body"].get("clock")


def check_refs(
    archive: Archive,
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


def check_rest(archive: Archive) -> None:
    """Name each file that nothing accounts for."""
    for name in sorted(set(archive.files) - archive.known):
        if any(part.startswith(".") for part in name.split("/")):
            archive.notes.append(f"{name}: hidden, not part of the archive")
        else:
            archive.problems.append(f"{name}: it is not part of an archive")


def verify(
    archive: Archive, vkeys: Sequence[str] | None, since: str | None, quick: bool
) -> tuple[Any, list[Entry], object]:
    """Verify everything; return ``archive.json``, the entries, and what they say of the clock."""
    info = archive.check("archive.json", check_info, archive) or {}
    keys, origin = vkeys or info.get("keys", []), info.get("origin")
    entries = archive.check("log/checkpoint", check_log, archive, keys, origin, since) or []
    archive.known.update([] if entries else archive.under("log/"))
    clock = archive.check("archive.json", check_founding, archive, info, entries)
    models = check_objects(archive)
    weights = check_weights(archive, models, quick)
    check_refs(archive, entries, models, weights)
    if info:
        check_rest(archive)
    return info, entries, clock


# Duties (docs/formats/commitments-1.md)

TEXTS = {"id", "text", "kind", "trigger", "fulfil", "since", "before", "owner"}
DEFAULTS = {
    "fulfil": "",
    "where": {},
    "since": "time",
    "before": "",
    "scope": ["public", "significant-internal"],
    "owner": "steward",
}
EPOCH, LAST = "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
INSTANT = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T([01][0-9]|2[0-3])(:[0-5][0-9]){2}Z")


def moment(instant: str) -> dt.datetime:
    """Return an instant as a datetime."""
    return dt.datetime.strptime(instant, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.timezone.utc)


def is_instant(value: object) -> bool:
    """Say whether a value is a text that names a real UTC time."""
    try:
        return isinstance(value, str) and bool(INSTANT.fullmatch(value) and moment(value))
    except ValueError:
        return False


def after(instant: str, seconds: int) -> str:
    """Return the instant so many seconds later, at most the last there is."""
    try:
        later = moment(instant) + dt.timedelta(seconds=seconds)
    except OverflowError:
        return LAST
    return later.isoformat()[: len("2026-11-22T00:00:00")] + "Z"


def between(one: str, other: str) -> int:
    """Return the seconds from one instant to another."""
    return int((moment(other) - moment(one)).total_seconds())


def pairs(items: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return each item with the one after it."""
    return [(items[i], items[i + 1]) for i in range(len(items) - 1)]


def read_policy(value: Any) -> Any:
    """Return a policy with its defaults filled in, or None if it is not valid."""
    names = {"id", "version", "title", "term"}
    if not isinstance(value, dict) or set(value) != names | {"schema", "commitments"}:
        return None
    promises = value["commitments"]
    if not isinstance(promises, list) or not all(isinstance(one, dict) for one in promises):
        return None
    filled = [{**DEFAULTS, **one} for one in promises]
    sound = value["schema"] == "otium.commitments/1" and all(map(is_sound, filled))
    sound = sound and all(isinstance(value[name], str) for name in names)
    unique = sound and len({one["id"] for one in filled}) == len(filled)
    return {**value, "commitments": filled} if unique else None


def is_sound(promise: Any) -> bool:
    """Say whether a commitment has the fields that it must have, of the right types."""
    if set(promise) != TEXTS | {"days", "where", "scope"}:
        return False
    where, scope, days = promise["where"], promise["scope"], promise["days"]
    scopes = ("public", "significant-internal", "other")
    return (
        all(isinstance(promise[name], str) for name in TEXTS)
        and promise["kind"] in ("within", "before", "every", "notice")
        and (isinstance(days, (int, float)) and not isinstance(days, bool) and 0 <= days <= 36525)
        and (isinstance(where, dict) and all(isinstance(text, str) for text in where.values()))
        and (isinstance(scope, list) and all(one in scopes for one in scope))
    )


def adoptions(entries: Sequence[Entry]) -> list[tuple[int, Any]]:
    """Return index and policy of each adoption, in log order."""
    adopted = [(i, e) for i, e in enumerate(entries) if e["type"] == "commitments.adopted"]
    policies = [(index, read_policy(entry["body"].get("policy"))) for index, entry in adopted]
    return [(index, policy) for index, policy in policies if policy]


def preference(entry: Entry) -> str | None:
    """Return the preference that an entry is about, if it is about one."""
    value = entry["body"].get("preference")
    return value if isinstance(value, str) else None


def announced(entry: Entry) -> list[Any]:
    """Return the dates that an entry announces, valid or not."""
    value = entry["body"].get("retire_at")
    return list(value.values()) if isinstance(value, dict) else []


class Log:
    """The entries up to *now*, with their effective times, and which models are in which scope."""

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
        self.scopes: dict[str, Any] = {}
        self.by_type: dict[str, list[int]] = {}
        for index, entry in enumerate(self.entries):
            self.by_type.setdefault(entry["type"], []).append(index)
            if entry["type"] == "model.registered":
                self.scopes.setdefault(entry["subject"], entry["body"].get("scope"))
        self.archive = next(
            (self.entries[at]["subject"] for at in self.of("archive.created")), None
        )

    def of(self, kind: str) -> list[int]:
        """Return the indices of the entries of a type."""
        return self.by_type.get(kind, [])


class Promise:
    """One commitment, as it stands since the entry *adopted*, over a log."""

    def __init__(self, terms: Any, adopted: int, log: Log) -> None:
        """Take the commitment's *terms* and the log to judge by."""
        self.terms, self.adopted, self.log = terms, adopted, log
        self.length = int(terms["days"] * 86400)

    def duties(self) -> Iterator[Duty]:
        """Yield the duties in the log order of what starts them."""
        judges = {"within": self.within, "before": self.before, "every": self.every}
        judge = judges.get(self.terms["kind"], self.notice)
        for index, about in self.starts():
            found = judge(index, about)
            if found:
                subject = self.log.entries[index]["subject"] if about is None else about
                row = {"commitment": self.terms["id"], "subject": subject, "state": found[0]}
                yield {**row, "due": found[1], "fulfilled": found[2], "why": found[3]}

    def starts(self) -> list[tuple[int, str | None]]:
        """Return index and preference of each entry that starts a duty, in log order."""
        triggers = self.of(self.terms["trigger"])
        kind = tuple(self.terms[name] for name in ("kind", "trigger", "before"))
        if kind[0] == "notice":
            triggers = [index for index in triggers if announced(self.log.entries[index])]
        stand_ins = []
        if kind[0] == "notice" or kind == ("before", "model.deprecated", "model.retired"):
            stand_ins = self.stand_ins(triggers)
        found = [(index, preference(self.log.entries[index])) for index in triggers]
        found = sorted([*found, *((index, None) for index in stand_ins)], key=lambda one: one[0])
        if kind[0] == "notice":
            return found
        first: dict[object, tuple[int, str | None]] = {}
        for index, about in found:
            first.setdefault((self.log.entries[index]["subject"], about), (index, about))
        return list(first.values())

    def of(self, kind: str) -> list[int]:
        """Return the indices of the entries of a type whose subject is in scope."""
        log, scope = self.log, self.terms["scope"]
        subjects = ((index, log.entries[index]["subject"]) for index in log.of(kind))
        return [i for i, who in subjects if who == log.archive or log.scopes.get(who) in scope]

    def stand_ins(self, triggers: Sequence[int]) -> list[int]:
        """Return the first entry of type ``before`` of each subject, if no trigger precedes it."""
        entries = self.log.entries
        first: dict[str, int] = {}
        for index in self.of(self.terms["before"]):
            first.setdefault(entries[index]["subject"], index)
        for index in triggers:
            subject = entries[index]["subject"]
            if index < first.get(subject, -1):
                del first[subject]
        return list(first.values())

    def begin(self, index: int) -> str:
        """Return the instant from which a duty's time runs."""
        since, field = self.log.times[index], self.terms["since"]
        named = self.log.entries[index]["body"].get(field)
        since = named if field != "time" and is_instant(named) else since
        return max(self.log.times[self.adopted], str(since))

    def done(self, index: int, about: str | None) -> list[int]:
        """Return the indices of what fulfils the duty that *index* starts."""
        subject, where = self.log.entries[index]["subject"], self.terms["where"].items()
        found = ((at, self.log.entries[at]) for at in self.log.of(self.terms["fulfil"]))
        return [
            at
            for at, entry in found
            if entry["subject"] == subject
            and about in (None, preference(entry))
            and entry["body"].get("ok") is not False
            and all(entry["body"].get(name) == text for name, text in where)
        ]

    def end(self, index: int) -> int | None:
        """Return the index of what the duty must come before, or None if that has not come."""
        subject = self.log.entries[index]["subject"]
        ends = (at for at in self.log.of(self.terms["before"]) if at >= index)
        return next((at for at in ends if self.log.entries[at]["subject"] == subject), None)

    def pending(self, due: str | None, last: str | None = None) -> Standing:
        """Return the standing of what has not been done, or not again."""
        why = f"last done at {last}" if last else "not done yet"
        return "due" if due is None or self.log.now <= due else "overdue", due, last, why

    def within(self, index: int, about: str | None) -> Standing:
        """Judge what must be done by a deadline."""
        due, done = after(self.begin(index), self.length), self.done(index, about)
        if not done:
            return self.pending(due)
        time = self.log.times[done[0]]
        return "kept" if time <= due else "breached", due, time, f"done at {time}"

    def before(self, index: int, about: str | None) -> Standing | None:
        """Judge what must be done before something else."""
        end, done = self.end(index), self.done(index, about)
        if end is not None and end < self.adopted:
            return None
        due = min(filter(is_instant, announced(self.log.entries[index])), default=None)
        time = self.log.times[done[0]] if done else None
        if done and (end is None or done[0] < end):
            return "kept", due, time, f"done at {time}"
        if end is None:
            return self.pending(due)
        return "breached", due, time, f"{self.terms['before']} came first, {self.log.times[end]}"

    def every(self, index: int, about: str | None) -> Standing:
        """Judge what must be done again and again."""
        start, times = self.begin(index), [self.log.times[at] for at in self.done(index, about)]
        points = [start, *(time for time in times if time >= start)]
        due, last = after(points[-1], self.length), points[-1] if points[1:] else None
        for one, other in pairs(points):
            if between(one, other) > self.length:
                why = f"{between(one, other) / 86400:.1f} days from {one} to {other}"
                return "breached", due, last, why
        return self.pending(due, last)

    def notice(self, index: int, _: str | None) -> Standing | None:
        """Judge an announcement, or that there was none."""
        entry, time, kind = self.log.entries[index], self.log.times[index], self.terms["before"]
        if index < self.adopted:
            return None
        if entry["type"] == kind:
            return "breached", None, None, f"{kind} came without notice"
        dates, end = sorted(filter(is_instant, announced(entry))), self.end(index)
        if len(dates) < len(announced(entry)):
            return "breached", min(dates, default=None), None, "a date of the notice is no time"
        why = f"{between(time, dates[0]) / 86400:.2f} days' notice"
        if between(time, dates[0]) < self.length:
            return "breached", dates[0], None, why
        if end is not None and self.log.times[end] < dates[-1]:
            return "breached", dates[0], None, f"{kind} came at {self.log.times[end]}"
        return "kept", dates[0], time, why


def adopted_at(entries: Sequence[Entry], policy: Any, promise: Any) -> int | None:
    """Return the index of the entry since which a promise stands as it stands, if it does."""

    def terms(one: Any) -> Any:
        return {**one, "text": "", "owner": ""}

    history, found = adoptions(entries), None
    while history and history[-1][1] != policy:
        history.pop()
    for index, adopted in reversed(history):
        if terms(promise) not in map(terms, adopted["commitments"]):
            break
        found = index
    return found


def duties(policy: Any, entries: Sequence[Entry], now: str) -> list[Duty]:
    """Return each duty of a policy (as it was adopted) with its state at *now*."""
    log, policy = Log(entries, now), read_policy(policy)
    found: list[Duty] = []
    for promise in policy["commitments"] if policy else []:
        adopted = adopted_at(log.entries, policy, promise)
        if adopted is not None:
            found += Promise(promise, adopted, log).duties()
    return found


def past_breaches(entries: Sequence[Entry], now: str) -> list[Duty]:
    """Return what was breached or overdue when one policy was replaced by another."""
    log = Log(entries, now)
    found: list[Duty] = []
    for (_, old), (index, new) in pairs(adoptions(log.entries)):
        then = duties(old, log.entries[:index], log.times[index]) if old != new else []
        bad = [duty for duty in then if duty["state"] in ("overdue", "breached")]
        found += [{**duty, "superseded": old["version"]} for duty in bad]
    return found


# What is said


def judge(archive: Archive, entries: Sequence[Entry], now: str) -> tuple[Any, list[Duty]]:
    """Return the policy in force and the table of duties; none of a log that does not verify."""
    adopted = adoptions(Log(entries, now).entries)
    if archive.problems or not adopted:
        return None, []
    return adopted[-1][1], past_breaches(entries, now) + duties(adopted[-1][1], entries, now)


def report(archive: Archive, options: argparse.Namespace) -> dict[str, Any]:
    """Verify, judge, and return all that is to be said."""
    info, entries, clock = verify(archive, options.key, options.since, options.quick)
    last = entries[-1]["time"] if entries else EPOCH
    today = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    now = options.now or (last if clock == "simulated" else today)
    policy, table = judge(archive, entries, now)
    states = [duty["state"] for duty in table]
    tally = {name: states.count(name) for name in ("kept", "due", "overdue", "breached")}
    words = ", ".join(f"{count} {name}" for name, count in tally.items())
    summary = f"not verified: {len(archive.problems)} problems"
    return {
        "archive": info.get("id"),
        "verified": not archive.problems,
        "summary": summary if archive.problems else f"all verified; commitments: {words}",
        "exit_code": 2 if archive.problems else int(tally["overdue"] + tally["breached"] > 0),
        "keys_from": "--key" if options.key else "archive.json",
        "quick": options.quick,
        "clock": clock,
        "now": now,
        "counts": archive.counts,
        "policy": policy and {name: policy[name] for name in ("id", "version", "title")},
        "tally": tally,
        "duties": table,
        "problems": archive.problems,
        "notes": archive.notes,
    }


def screen(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines for people."""
    counts = found["counts"]
    yield f"archive {found['archive']}"
    if "root" in counts:
        yield "  log      {entries} entries of {origin}, root {root}".format(**counts)
        yield f"  signed   by {counts['key']}, a key from {found['keys_from']}"
    if found["keys_from"] == "archive.json":
        yield "           (so the archive vouches for itself: give the key you know by --key)"
    how = "names verified, not read (--quick)" if found["quick"] else "every byte verified"
    yield "  weights  {recipes} files in {packs} packs, {bytes} bytes, ".format(**counts) + how
    yield f"  records  {counts['records']}"
    yield from (f"  note     {line}" for line in found["notes"])
    yield from (f"  PROBLEM  {line}" for line in found["problems"])
    if found["policy"]:
        yield from ["", *commitments(found)]
    yield from ["", found["summary"]]


def commitments(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the commitments table."""
    yield "{title} ({id} {version}), judged at ".format(**found["policy"]) + found["now"]
    if found["clock"] == "simulated":
        yield "the archive says that its clock is simulated; --now sets another time"
    names = ("commitment", "subject", "state", "due", "why")
    rows = [[duty[name] or "-" for name in names] for duty in found["duties"]]
    widths = [max(len(row[i]) for row in [names, *rows]) for i in range(len(names) - 1)]
    form = "  ".join(f"{{:{width}}}" for width in widths) + "  {}"
    yield form.format(*names)
    for row, duty in zip(rows, found["duties"]):  # noqa: B905 - Python 3.8 has no strict
        old = f" (under version {duty['superseded']})" if "superseded" in duty else ""
        yield form.format(*row) + old


def printable(line: str) -> str:
    """Return a line with what could move a terminal's cursor made visible."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit code."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("archive", metavar="ARCHIVE", help="an archive, or a home that has one")
    parser.add_argument("--key", action="append", metavar="VKEY", help="a key that you trust")
    parser.add_argument("--since", metavar="CHECKPOINT", help="a checkpoint that you kept")
    parser.add_argument("--now", metavar="INSTANT", help="judge at this time (UTC, …Z)")
    parser.add_argument("--quick", action="store_true", help="do not put the files together")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if options.now and not is_instant(options.now):
        parser.error("--now is not like 2026-11-22T00:00:00Z")
    root = Path(options.archive)
    root = root / "archive" if (root / "archive" / "archive.json").is_file() else root
    found = report(Archive(root), options)
    lines = [json.dumps(found, indent=1)] if options.json else map(printable, screen(found))
    text = "\n".join([*lines, ""])
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    return int(found["exit_code"])


if __name__ == "__main__":
    sys.exit(main())
