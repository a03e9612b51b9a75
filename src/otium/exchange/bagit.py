"""BagIt (RFC 8493): a payload under `data/`, and manifests that list every file of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from otium.errors import BadInput
from otium.exchange.records import Origin, Unpacked
from otium.exchange.tree import Entry, Folder, Tally, digests_of, fresh, model_files, place
from otium.formats import check_path
from otium.records import Progress, silent

LARGEST_TAG_FILE = 64 << 20
LARGEST_INFO = 1 << 20
"""Bytes of `bag-info.txt`; 64 MiB hold a manifest of 100,000 files."""
_ALGORITHMS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
"""Hexadecimal digits of each."""
_WRITTEN = ("sha256", "sha512")
_DECLARATION = re.compile(
    r"BagIt-Version: (?P<version>1\.0|0\.9[3-7])(\r\n|\r|\n)"
    r"Tag-File-Character-Encoding: (?P<encoding>\S+)\s*"
)
_MANIFEST = re.compile(r"(?P<tag>tag)?manifest-(?P<algorithm>\w+)\.txt")
_LINE = re.compile(r"(?P<digest>[0-9A-Fa-f]+)[ \t]+(?P<path>[^ \t].*)")
_LABEL = re.compile(r"[^\s:]([^\r\n:]*[^\s:])?")


def is_layout(path: Path) -> bool:
    """Whether *path* holds the declaration of a bag."""
    return (path / "bagit.txt").is_file()


def read(path: Path, *, progress: Progress) -> Unpacked:
    """Check a bag whole, its tag files too, and return its payload where it lies.

    Raises BadLayout, also for `fetch.txt`, or as `check_path` does.
    """
    bag = _Bag(Folder(path.resolve(), "bagit"))
    return bag.unpack(progress)


@dataclass(frozen=True)
class _Bag:
    folder: Folder

    def unpack(self, progress: Progress) -> Unpacked:
        """Check all that the bag states."""
        root = self.folder.root
        version = self._version()
        everything = self.folder.entries(root)
        payload = [
            Entry(one.path.removeprefix("data/"), one.place, one.size)
            for one in everything
            if one.path.startswith("data/")
        ]
        tags = [one for one in everything if not one.path.startswith("data/")]
        if any(one.path == "fetch.txt" for one in tags):
            raise self.folder.bad("it has a fetch.txt, so part of its payload is elsewhere")
        if not payload:
            raise self.folder.bad("its payload is empty")
        info = self._info() if (root / "bag-info.txt").exists() else {}
        stated = self._payload_digests(tags, payload, version)
        self._check_oxum(info, payload)
        tally = Tally(progress, "verifying", sum(one.size for one in everything))
        digests = self._check_tags(tags, version, tally)
        return Unpacked(
            root / "data",
            Origin(
                layout="bagit",
                names=tuple(filter(None, [info.get("External-Identifier")])),
                digests=digests,
                metadata=info,
                files=self.folder.verify(payload, stated, tally),
            ),
        )

    def _version(self) -> str:
        text = self.folder.text(self.folder.root / "bagit.txt", LARGEST_INFO)
        found = _DECLARATION.fullmatch(text)
        if not found:
            raise self.folder.bad("bagit.txt does not declare a bag of version 0.93 to 1.0")
        if found["encoding"].upper() != "UTF-8":
            raise self.folder.bad(f"its tag files are in {found['encoding']}, not UTF-8")
        return found["version"]

    def _manifests(self, tags: Iterable[Entry], *, tag: bool) -> dict[str, Entry]:
        """Return the manifests (of tag files, if *tag*) by algorithm."""
        found: dict[str, Entry] = {}
        for entry in tags:
            match = _MANIFEST.fullmatch(entry.path)
            if match and bool(match["tag"]) == tag:
                if match["algorithm"] not in _ALGORITHMS:
                    raise self.folder.bad(f"the algorithm of {entry.path} is not known")
                found[match["algorithm"]] = entry
        return found

    def _payload_digests(
        self, tags: Iterable[Entry], payload: Iterable[Entry], version: str
    ) -> dict[str, list[str]]:
        """Return what each manifest states; each must list each file of the payload."""
        manifests = self._manifests(tags, tag=False)
        if not manifests:
            raise self.folder.bad("it has no manifest of its payload")
        there = {f"data/{one.path}" for one in payload}
        stated: dict[str, list[str]] = {one.path: [] for one in payload}
        for algorithm, entry in manifests.items():
            listed = self._lines(entry, algorithm, version)
            if missing := listed.keys() - there:
                raise self.folder.bad(f"{min(missing)} of {entry.path} is missing")
            if unlisted := there - listed.keys():
                raise self.folder.bad(f"{min(unlisted)} is not listed in {entry.path}")
            for path, digest in listed.items():
                stated[path.removeprefix("data/")].append(digest)
        return stated

    def _check_tags(self, tags: Iterable[Entry], version: str, tally: Tally) -> dict[str, str]:
        """Check what tag manifests list, and return the digest of each tag file."""
        tags = list(tags)
        there = {one.path for one in tags}
        stated: dict[str, list[str]] = {}
        for algorithm, entry in self._manifests(tags, tag=True).items():
            for path, digest in self._lines(entry, algorithm, version).items():
                if path not in there:
                    raise self.folder.bad(f"{path} of {entry.path} is missing")
                stated.setdefault(path, []).append(digest)
        found = self.folder.verify(tags, stated, tally)
        return {one.path: one.sha256 for one in found if one.sha256}

    def _lines(self, manifest: Entry, algorithm: str, version: str) -> dict[str, str]:
        """Return the digest that a manifest states for each path, as `algorithm:hex`."""
        stated: dict[str, str] = {}
        for line in self._split(self.folder.text(manifest.place, LARGEST_TAG_FILE)):
            found = _LINE.fullmatch(line)
            if not found or len(found["digest"]) != _ALGORITHMS[algorithm]:
                raise self.folder.bad(f"{manifest.path} has a line that lists nothing: {line!r}")
            path = _path(found["path"], version)
            check_path(path)
            if path in stated:
                raise self.folder.bad(f"{manifest.path} lists {path} twice")
            stated[path] = f"{algorithm}:{found['digest'].lower()}"
        return stated

    def _info(self) -> dict[str, str]:
        """Return what `bag-info.txt` says; the values of a repeated label stand in lines."""
        text = self.folder.text(self.folder.root / "bag-info.txt", LARGEST_INFO)
        said: dict[str, str] = {}
        label = ""
        for line in self._split(text):
            if line[0] in " \t" and label:
                said[label] += " " + line.strip()
                continue
            label, colon, value = line.partition(":")
            if not colon or not label.strip():
                raise self.folder.bad(f"bag-info.txt has a line without a label: {line!r}")
            label, value = label.strip(), value.strip()
            said[label] = f"{said[label]}\n{value}" if label in said else value
        return said

    def _check_oxum(self, info: Mapping[str, str], payload: Iterable[Entry]) -> None:
        sizes = [one.size for one in payload]
        oxum = f"{sum(sizes)}.{len(sizes)}"
        if info.get("Payload-Oxum", oxum) != oxum:
            raise self.folder.bad(f"its payload is {oxum} where {info['Payload-Oxum']} is stated")

    @staticmethod
    def _split(text: str) -> list[str]:
        return [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]


def _path(text: str, version: str) -> str:
    """Return the path that a manifest spells *text*: RFC 8493 also spells the percent sign."""
    if version != "1.0":
        text = text.removeprefix("*").removeprefix("./")
    pattern = r"%(0[AaDd]|25)" if version == "1.0" else r"%(0[AaDd])"
    return re.sub(pattern, lambda found: chr(int(found[1], 16)), text)


def export_bag(
    files: Path,
    into: Path,
    *,
    info: Mapping[str, str] | None = None,
    link: bool = False,
    progress: Progress = silent,
) -> Origin:
    """Write *files* as a bag with SHA-256 and SHA-512 manifests of payload and tag files.

    *info* goes to `bag-info.txt`, in its order, beside Payload-Oxum; the same input gives the
    same bytes. With *link*, the files gain a name where the file system can, and must not
    change after. Raises BadInput, RestoreTargetNotEmpty, or as an import does.
    """
    lines = _info_lines(info or {})
    entries = model_files(files)
    tally = Tally(progress, "exporting", sum(entry.size for entry in entries))
    with fresh(into) as work:
        listed: dict[str, list[str]] = {name: [] for name in _WRITTEN}
        for entry in entries:
            place(entry, work / "data" / entry.path, link=link)
            path = "data/" + entry.path.replace("%", "%25")
            for name, digest in digests_of(entry, _WRITTEN).items():
                listed[name].append(f"{digest}  {path}\n")
            tally.add(entry.size)
        oxum = f"Payload-Oxum: {sum(entry.size for entry in entries)}.{len(entries)}\n"
        tags = {f"manifest-{name}.txt": "".join(found) for name, found in listed.items()}
        tags["bag-info.txt"] = "".join([*lines, oxum])
        tags["bagit.txt"] = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
        _write_tags(work, tags)
        return read(work, progress=silent).origin


def _info_lines(info: Mapping[str, str]) -> list[str]:
    for label, value in info.items():
        if not _LABEL.fullmatch(label) or re.search(r"[\r\n]", value) or value != value.strip():
            raise BadInput(what=f"{label}: {value}", why="it does not fit one line of bag-info.txt")
        if label == "Payload-Oxum":
            raise BadInput(what=label, why="it is counted, not given")
    return [f"{label}: {value}\n" for label, value in info.items()]


def _write_tags(work: Path, tags: Mapping[str, str]) -> None:
    """Write tag files, and the manifests that list them."""
    for name, text in tags.items():
        (work / name).write_bytes(text.encode())
    entries = [Entry(name, work / name, len(text.encode())) for name, text in sorted(tags.items())]
    for algorithm in _WRITTEN:
        found = {one.path: digests_of(one, [algorithm])[algorithm] for one in entries}
        lines = "".join(f"{digest}  {path}\n" for path, digest in found.items())
        (work / f"tagmanifest-{algorithm}.txt").write_bytes(lines.encode())
