"""Keepers of a whole family: otium's archive and its peers, behind one seam.

Each gets the same files in the same order, base first, and one core. What it stores is all
that lies in its directory afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from otium.bench.coders import BitX, Coded, Coder, Peer, ZipNN
from otium.bench.data import BASE, Family, Model, Tensor, partner, read_model, write_model
from otium.bench.measure import Line, one_core, timed
from otium.errors import BadData
from otium.records import Instant, ModelId

_DAY = Instant("2026-01-01T00:00:00Z")
_STEP = 1 << 20
_WINDOW = 31
"""zstd's largest: 2 GiB."""


class Keeper(Peer, ABC):
    """A way to keep a family in one directory and to get it back."""

    @abstractmethod
    def keep(self, family: Family, into: Path) -> None:
        """Store every member in the empty directory *into*."""

    @abstractmethod
    def restore(self, family: Family, kept: Path, out: Path) -> None:
        """Write each member's file again, anywhere under *out*; only names are read of *family*."""

    def stored(self, kept: Path) -> int:
        """Return the bytes that lie in *kept*."""
        return _size(kept)


class OtiumArchive(Keeper):
    """An archive of ours: each member is deposited in turn and its parent is found."""

    name = "otium"

    def keep(self, family: Family, into: Path) -> None:
        """Create an archive and deposit."""
        from otium.archive import Archive
        from otium.store import LocalStore

        store = LocalStore(into)
        archive = Archive.create(
            store, archive_id="bench", created=_DAY, origin="bench.example/log", keys=[]
        )
        for name, path in family.files.items():
            archive.add(_model_id(name), path, deposited=_DAY)

    def restore(self, family: Family, kept: Path, out: Path) -> None:
        """Restore each member; the archive checks every digest."""
        from otium.archive import Archive
        from otium.store import LocalStore

        archive = Archive.open(LocalStore(kept))
        for name in family.files:
            archive.restore(_model_id(name), out / name)

    def stored(self, kept: Path) -> int:
        """Return the bytes of packs, recipes and records."""
        return sum(_size(kept / part) for part in ("packs", "recipes", "models"))


class ZipLLM(Keeper):
    """ZipLLM's recipe: equal tensors once, BitX against the base, ZipNN alone.

    Its released code identifies by xxHash and needs the base to be named, as here.
    """

    name = "ZipLLM"
    modules = ("zipnn", "zstandard")
    package = "zipnn==0.5.4 zstandard==0.25.0"

    def keep(self, family: Family, into: Path) -> None:
        """Write one file a model: a line that says what follows, and the coded tensors."""
        base = family.model(BASE)
        for name in family.files:
            seen = [] if name == BASE else [base]
            index: list[object] = []
            blobs: list[bytes] = []
            for tensor in family.model(name).values():
                other = partner(tensor, seen)
                equal = other is not None and other.data == tensor.data
                parts = [] if equal else self._coder(other).encode(tensor, other).parts
                index.append([tensor.name, tensor.dtype, tensor.shape, [len(p) for p in parts]])
                blobs += parts
            with (into / name).open("wb") as file:
                file.write(json.dumps(index).encode() + b"\n")
                file.writelines(blobs)

    def restore(self, family: Family, kept: Path, out: Path) -> None:
        """Decode the base, then what hangs on it."""
        out.mkdir()
        base: dict[str, Tensor] = {}
        for name in family.files:
            model: dict[str, Tensor] = {}
            with (kept / name).open("rb") as file:
                for key, dtype, shape, sizes in json.loads(file.readline()):
                    like = Tensor(key, dtype, tuple(shape), b"")
                    other = partner(like, [base])
                    coded = Coded([file.read(size) for size in sizes])
                    model[key] = self._decode(coded, like, other)
            write_model(out / family.files[name].name, model)
            base = base or model

    def _decode(self, coded: Coded, like: Tensor, other: Tensor | None) -> Tensor:
        if other is not None and not coded.parts:
            return other
        return like._replace(data=bytes(self._coder(other).decode(coded, like, other)))

    @staticmethod
    def _coder(other: Tensor | None) -> Coder:
        return BitX() if other else ZipNN()


class Lmz(Keeper):
    """lmz on the directory, one worker."""

    name = "lmz"
    modules = ("lmz",)
    package = "lmzip==1.3.0"

    def keep(self, family: Family, into: Path) -> None:
        """Compress the directory."""
        self.library().compress(str(_folder(family)), str(into / "family.lmz"), workers=1)

    def restore(self, family: Family, kept: Path, out: Path) -> None:  # noqa: ARG002
        """Decompress it."""
        self.library().decompress(str(kept / "family.lmz"), str(out), workers=1)


class Z4ai(Keeper):
    """z4ai: the base alone, each fine-tune as a delta of it."""

    name = "z4ai"
    modules = ("z4ai",)
    package = "z4ai==0.2.0"
    slow = True

    def keep(self, family: Family, into: Path) -> None:
        """Write one file a model."""
        model_delta, safetensors = self._parts()
        base = family.files[BASE].read_bytes()
        (into / BASE).write_bytes(safetensors.compress_bytes(base, workers=1))
        for name in family.tuned:
            coded = model_delta.compress(family.files[name].read_bytes(), base, threads=1)
            (into / name).write_bytes(coded)

    def restore(self, family: Family, kept: Path, out: Path) -> None:
        """Decode the base, then each fine-tune."""
        model_delta, safetensors = self._parts()
        out.mkdir()
        base = safetensors.decompress_bytes((kept / BASE).read_bytes())
        (out / family.files[BASE].name).write_bytes(base)
        for name in family.tuned:
            plain = model_delta.decompress((kept / name).read_bytes(), base)
            (out / family.files[name].name).write_bytes(plain)

    def _parts(self) -> tuple[ModuleType, ModuleType]:
        return self.library("z4ai.model_delta"), self.library("z4ai.safetensors")


class LongZstd(Keeper):
    """All files in one stream of zstd with long-distance matching."""

    modules = ("zstandard",)
    package = "zstandard==0.25.0"

    def __init__(self, level: int) -> None:
        """Use *level*."""
        self.level, self.slow = level, level > 3  # noqa: PLR2004
        self.name = f"zstd -{level} --long"

    def keep(self, family: Family, into: Path) -> None:
        """Compress the files, one after the other, in one frame."""
        zstandard = self.library()
        parameters = zstandard.ZstdCompressionParameters.from_level(
            self.level, enable_ldm=True, window_log=_WINDOW
        )
        coder = zstandard.ZstdCompressor(compression_params=parameters)
        with (into / "family.zst").open("wb") as out, coder.stream_writer(out) as stream:
            for path in family.files.values():
                with path.open("rb") as file:
                    shutil.copyfileobj(file, stream, _STEP)

    def restore(self, family: Family, kept: Path, out: Path) -> None:
        """Decompress, and cut by the sizes that a tar would have kept."""
        out.mkdir()
        decoder = self.library().ZstdDecompressor(max_window_size=1 << _WINDOW)
        with (kept / "family.zst").open("rb") as file, decoder.stream_reader(file) as stream:
            for path in family.files.values():
                left = path.stat().st_size
                with (out / path.name).open("wb") as target:
                    while left:
                        data = stream.read(min(left, _STEP))
                        target.write(data)
                        left -= len(data)


class Restic(Keeper):
    """restic with its best compression, a repository on this disk."""

    name = "restic"

    def missing(self) -> str | None:
        """Return what would install it."""
        return None if shutil.which("restic") else "apt install restic"

    def keep(self, family: Family, into: Path) -> None:
        """Make a repository and one snapshot."""
        self._run(into, "init")
        self._run(into, "backup", "--compression", "max", str(_folder(family)))

    def restore(self, family: Family, kept: Path, out: Path) -> None:  # noqa: ARG002
        """Restore the snapshot."""
        self._run(kept, "restore", "latest", "--target", str(out))

    @staticmethod
    def _run(repository: Path, *arguments: str) -> None:
        # The password guards nothing: the repository lives as long as the measurement.
        environment = {**os.environ, "RESTIC_PASSWORD": "bench"}
        command = ["restic", "--no-cache", "--quiet", "--repo", str(repository), *arguments]
        subprocess.run(command, check=True, capture_output=True, env=environment)


class Xet(Keeper):
    """Xet, the Hugging Face Hub's storage, with its store on this disk."""

    name = "Xet"
    modules = ("hf_xet",)
    package = "hf-xet==1.8.0"

    def keep(self, family: Family, into: Path) -> None:
        """Upload every file."""
        commit = self.library().XetSession().new_upload_commit(endpoint=f"local://{into}")
        uploads = {p.name: commit.start_upload_file(str(p)) for p in family.files.values()}
        commit.wait_to_finish()
        pointers = {name: each.result().xet_info for name, each in uploads.items()}
        listed = {name: [info.hash, info.file_size] for name, info in pointers.items()}
        (into / "files.json").write_text(json.dumps(listed))

    def restore(self, family: Family, kept: Path, out: Path) -> None:  # noqa: ARG002
        """Download every file."""
        hf_xet = self.library()
        out.mkdir()
        group = hf_xet.XetSession().new_file_download_group(endpoint=f"local://{kept}")
        for name, (digest, size) in json.loads((kept / "files.json").read_text()).items():
            group.start_download_file(hf_xet.XetFileInfo(digest, size), str(out / name))
        group.wait_to_finish()

    def stored(self, kept: Path) -> int:
        """Return the bytes of xorbs and shards, without caches."""
        return _size(kept / "xet" / "xorbs")


def keepers() -> list[Keeper]:
    """Return every keeper, ours first."""
    return [
        OtiumArchive(), ZipLLM(), Lmz(), Z4ai(), Restic(), Xet(), LongZstd(3), LongZstd(19),
    ]  # fmt: skip


def gathered(family: Family, into: Path) -> Family:
    """Return *family* with its files alone in the new directory *into*, for those that take one."""
    into.mkdir()
    for path in family.files.values():
        try:
            os.link(path, into / path.name)
        except OSError:
            shutil.copyfile(path, into / path.name)
    files = {name: into / path.name for name, path in family.files.items()}
    return Family(family.name, files, family.parents)


def intact(family: Family, out: Path) -> bool:
    """Return whether each member lies somewhere under *out*, byte for byte, or tensor for tensor.

    ZipLLM's recipe keeps tensors, so the header it writes may be laid out differently.
    """
    for name, path in family.files.items():
        (found,) = out.rglob(path.name)
        if found.read_bytes() != path.read_bytes() and read_model(found) != family.model(name):
            return False
    return True


def keep_and_restore(keeper: Keeper, alone: Family, place: Path) -> tuple[Line, float]:
    """Return what one keeper did, and its restore's seconds by the clock on all cores."""
    into, out = place / "kept", place / "out"
    into.mkdir()
    with one_core():
        _, keep = timed(lambda: keeper.keep(alone, into))
        _, back = timed(lambda: keeper.restore(alone, into, out))
    if not intact(alone, out):
        raise BadData(path=alone.name, why=f"{keeper.name} does not give it back")
    shutil.rmtree(out)
    began = time.perf_counter()
    keeper.restore(alone, into, out)
    clock = time.perf_counter() - began
    line = Line(
        subject=alone.name,
        coder=keeper.name,
        weights=sum(t.weights for n in alone.files for t in alone.model(n).values()),
        original=sum(path.stat().st_size for path in alone.files.values()),
        stored=keeper.stored(into),
        encode=(keep,),
        decode=(back,),
    )
    shutil.rmtree(out)
    shutil.rmtree(into)
    return line, clock


def recovered(models: Mapping[str, Model], place: Path) -> float:
    """Return how many bytes ``recover.py`` decodes a CPU second when it restores the last model.

    All *models* count, since the last is coded against the others. The program is the one in
    the archive, run apart from everything installed. Raises BadData.
    """
    into, source, out = place / "kept", place / "source", place / "out"
    into.mkdir()
    source.mkdir()
    files = {name: source / f"{name}.safetensors" for name in models}
    for name, path in files.items():
        write_model(path, models[name])
    OtiumArchive().keep(Family("part", files, {}), into)
    name, path = list(files.items())[-1]
    command = [sys.executable, "-I", "-S", *map(str, (into / "recover.py", into, name, out))]
    with one_core():
        done, seconds = timed(lambda: subprocess.run(command, check=False, capture_output=True))
    back = [found.read_bytes() for found in out.rglob(path.name)]
    if done.returncode or back != [path.read_bytes()]:
        raise BadData(path="recover.py", why=done.stderr.decode() or "it gives other bytes")
    return sum(each.stat().st_size for each in files.values()) / seconds


def _folder(family: Family) -> Path:
    return family.files[BASE].parent


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _model_id(name: str) -> ModelId:
    return ModelId(name.lower())
