"""Get a model's files out of an otium archive with nothing but Python 3.8 or later.

    python3 recover.py ARCHIVE --list             what is kept here
    python3 recover.py ARCHIVE MODEL OUTDIR       restore one model's files

Every byte is checked against its SHA-256 before a file gets its name. A file that cannot be
restored is named and left out, the others are restored, and the exit status is 1. Nothing in
ARCHIVE is changed. SPEC.md, beside this program, says how an archive is laid out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:  # Python 3.8 cannot evaluate these
    from collections.abc import Iterator

    Records = dict[str, tuple[str, str]]

CHUNK = 1 << 20
LONGEST_FOLDER = 100


class Damaged(Exception):
    """What is wrong, in one sentence."""


def main(arguments: list[str]) -> int:
    """Run the command line; return the exit status."""
    listing = arguments[1:] == ["--list"]
    if len(arguments) != 2 + (not listing):
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    archive = Path(arguments[0])
    if not (archive / "0=otium_archive_1").is_file():
        warn(f"{archive} does not say that it is an otium archive of format 1")
    if listing:
        return list_models(archive)
    return recover(archive, arguments[1], Path(arguments[2]))


def warn(problem: object) -> int:
    """Say what is wrong; return the exit status 1."""
    print(problem, file=sys.stderr)
    return 1


def list_models(archive: Path) -> int:
    """Print one line for each model; return the exit status."""
    status = 0
    for folder in sorted(archive.glob("models/???/???/???/*")):
        try:
            records = read_inventory(folder)
            size = count = 0
            if "manifest.json" in records:
                files = read_manifest(folder, records)["files"]
                size, count = sum(entry["size"] for entry in files), len(files)
            name = model_name(folder)
            print(f"{name}: {count} files, {size} bytes; {len(records)} records")
        except Damaged as problem:
            status = warn(problem)
    return status


def recover(archive: Path, model: str, out: Path) -> int:
    """Restore the files of *model* into *out*; return the exit status."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        return warn(f"{out} is there and is not an empty directory")
    try:
        folder = object_folder(archive, model)
        records = read_inventory(folder)
        manifest = read_manifest(folder, records)
    except Damaged as problem:
        return warn(problem)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=out.name + ".", suffix=".partial", dir=str(out.parent)))
    lost = check_records(folder, records) + restore_files(archive, manifest, part)
    part.chmod(0o755)
    if out.exists():
        out.rmdir()
    part.rename(out)
    if lost:
        return warn(f"{model}: {lost} damaged; everything else is in {out}")
    print(f"{model} is whole: weights {manifest['weights']}")
    return 0


# Record objects (SPEC.md, section 5).


def object_folder(archive: Path, model: str) -> Path:
    """Return where the records of *model* lie."""
    sha = hashlib.sha256(model.encode()).hexdigest()
    name = re.sub(r"[^A-Za-z0-9_-]", lambda found: f"%{ord(found.group()):02x}", model)
    if len(name) > LONGEST_FOLDER:
        name = name[:LONGEST_FOLDER] + "-" + sha
    folder = archive / "models" / sha[:3] / sha[3:6] / sha[6:9] / name
    if not folder.is_dir():
        raise Damaged(f"{archive} holds no model {model!r}")
    return folder


def model_name(folder: Path) -> str:
    """Return the model id that a folder's name stands for."""
    return re.sub(r"%([0-9a-f]{2})", lambda found: chr(int(found.group(1), 16)), folder.name)


def read_inventory(folder: Path) -> Records:
    """Return content path and SHA-512 of each record of the newest version that can be read."""
    versions = [path for path in folder.glob("v*") if path.name[1:].isdigit()]
    versions.sort(key=lambda path: int(path.name[1:]), reverse=True)
    for place in [folder, *versions]:
        try:
            data = (place / "inventory.json").read_bytes()
            inventory = json.loads(data.decode())
            sides = [place / "inventory.json.sha512"]
            sides.append(folder / safe_path(inventory["head"]) / "inventory.json.sha512")
            known = [side.read_text().split(" ")[0] for side in sides if side.is_file()]
            if hashlib.sha512(data).hexdigest() not in known:
                warn(f"{place / 'inventory.json'} is damaged; an older copy is tried")
                continue
            return state(inventory)
        except (OSError, ValueError, LookupError, TypeError, Damaged) as problem:
            warn(f"{place / 'inventory.json'}: {problem}; an older copy is tried")
    raise Damaged(f"no inventory of {folder} can be read")


def state(inventory: dict[str, Any]) -> Records:
    """Return the records of an inventory's head."""
    return {
        path: (inventory["manifest"][sha][0], sha)
        for sha, paths in inventory["versions"][inventory["head"]]["state"].items()
        for path in paths
    }


def read_record(folder: Path, records: Records, path: str) -> bytes:
    """Return a record's bytes."""
    content, sha = records[path]
    try:
        data = (folder / safe_path(content)).read_bytes()
    except OSError as problem:
        raise Damaged(f"record {path}: {problem}") from problem
    if hashlib.sha512(data).hexdigest() != sha:
        raise Damaged(f"record {path}: {folder / content} is damaged")
    return data


def read_manifest(folder: Path, records: Records) -> dict[str, Any]:
    """Return the manifest of the weights."""
    if "manifest.json" not in records:
        raise Damaged(f"{folder} holds records, but no weights")
    manifest: dict[str, Any] = json.loads(read_record(folder, records, "manifest.json").decode())
    if manifest["schema"] != "otium.manifest/1":
        raise Damaged(f"{manifest['schema']} is a manifest that this program does not know")
    return manifest


def check_records(folder: Path, records: Records) -> int:
    """Read every record; return how many are damaged."""
    lost = 0
    for path in sorted(records):
        try:
            read_record(folder, records, path)
        except Damaged as problem:
            lost += warn(problem)
    return lost


# Packs and recipes (SPEC.md, sections 3 and 4).


def restore_files(archive: Path, manifest: dict[str, Any], root: Path) -> int:
    """Write the files of a manifest below *root*; return how many could not be."""
    lost = 0
    for entry in manifest["files"]:
        part = None
        try:
            path = root / safe_path(entry["path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".partial")
            with part.open("xb") as out:
                restore_file(archive, entry, out)
                out.flush()
                os.fsync(out.fileno())
            part.replace(path)
            print(f"{entry['sha256']}  {entry['path']}")
        except (Damaged, OSError, ValueError, LookupError) as problem:
            lost += warn(f"{entry['path']}: {problem}")
            if part is not None and part.is_file():
                part.unlink()
    return lost


def restore_file(archive: Path, entry: dict[str, Any], out: BinaryIO) -> None:
    """Write one file piece by piece; raise Damaged."""
    whole = hashlib.sha256()
    for piece in read_recipe(archive, entry["recipe"])["pieces"]:
        if piece["codec"] != "raw":
            raise Damaged(f"this program does not know the codec {piece['codec']}")
        sha = hashlib.sha256()
        for chunk in read_piece(archive, piece):
            sha.update(chunk)
            whole.update(chunk)
            out.write(chunk)
        if sha.hexdigest() != piece["sha256"]:
            raise Damaged(f"pack {piece['pack']} is damaged after byte {piece['offset']}")
    if whole.hexdigest() != entry["sha256"]:
        raise Damaged(f"recipe {entry['recipe']} does not make this file")


def read_recipe(archive: Path, sha: str) -> dict[str, Any]:
    """Return a recipe."""
    data = stored(archive, "recipes", sha, ".json").read_bytes()
    if hashlib.sha256(data).hexdigest() != sha:
        raise Damaged(f"recipe {sha} is damaged")
    recipe: dict[str, Any] = json.loads(data.decode())
    if recipe["schema"] != "otium.recipe/1":
        raise Damaged(f"{recipe['schema']} is a recipe that this program does not know")
    return recipe


def read_piece(archive: Path, piece: dict[str, Any]) -> Iterator[bytes]:
    """Yield the bytes of a piece."""
    left = piece["length"]
    with stored(archive, "packs", piece["pack"], ".pack").open("rb") as pack:
        pack.seek(piece["offset"])
        while left > 0:
            chunk = pack.read(min(CHUNK, left))
            if not chunk:
                raise Damaged(f"pack {piece['pack']} ends too early")
            left -= len(chunk)
            yield chunk


def stored(archive: Path, folder: str, sha: str, suffix: str) -> Path:
    """Return where content of a digest lies."""
    if not re.match("[0-9a-f]{64}$", sha):
        raise Damaged(f"{sha!r} is not a digest")
    return archive / folder / sha[:2] / (sha + suffix)


def safe_path(path: str) -> str:
    """Return *path* if it stays inside the directory that it is joined to."""
    parts = path.split("/")
    if {"", ".", ".."} & set(parts) or any(letter in path for letter in "\\:\0"):
        raise Damaged(f"the path {path!r} is not safe")
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
