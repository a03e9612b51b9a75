"""Which kept pieces a new one may be coded against: those of the model's relatives."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import BinaryIO

import msgspec

from otium.archive.packs import DEEPEST, Shelf
from otium.archive.records import File, Manifest, Tensor
from otium.archive.restore import OpenFile, recipe_of
from otium.archive.survey import Cut, layout, row_length
from otium.codec import Adapter, Base, Scales
from otium.errors import DamagedCache, DamagedObject
from otium.formats import TYPES, Extent, Source
from otium.kinship import Index, role_of, sketch
from otium.records import ModelId

Offer = tuple[tuple[str, ...], Base]
"""Pieces (their sha256) and their bytes, against which a cut may be coded."""

NEAREST = 2
"""Relatives whose tensors are tried."""
UNRELATED = 9.0
"""Estimated bits per weight at which a model is no relative."""
RIVAL, SLACK = 1.2, 0.1
"""How much farther than the nearest another may be to be tried too."""

_BLOCKS = {name: (block, size) for name, block, size in TYPES.values()}
_WIDTHS = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
_CODES = {"I8", "F8_E4M3", "F8_E5M2"}
_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class _Part:
    """A piece of a relative's tensor."""

    sha256: str
    dtype: str
    first: int
    """Row."""
    rows: int


@dataclass(frozen=True)
class _Kin:
    """A relative's tensor, as pieces."""

    row: int
    parts: tuple[_Part, ...]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True)
class _Update:
    """A LoRA adapter's update of one tensor."""

    down: tuple[str, str]
    """Piece and type of A."""
    up: tuple[str, str]
    rank: int
    scale: float


class Lineage:
    """The tensors of a model's relatives, found by the part they play."""

    def __init__(self, shelf: Shelf, parents: Sequence[Manifest]) -> None:
        """Read the recipes of *parents*, the nearest first; those that are damaged count not."""
        self.shelf = shelf
        self.kin: dict[str, list[_Kin]] = {}
        self.updates: dict[str, _Update] = {}
        self.scales: dict[str, Cut] = {}
        for manifest in parents:
            with suppress(DamagedObject):
                for file in manifest.files:
                    for tensor, pieces in _pieces(shelf, file):
                        self._take(tensor, pieces, file)
                self.updates |= _updates(shelf, manifest)

    def note_scales(self, cuts: Iterable[Cut]) -> None:
        """Note the scales among a deposit's own tensors, by the tensor that they scale."""
        for cut in cuts:
            stem, mark, rest = cut.tensor.rpartition("_scale")
            if mark and rest in {"", "_inv"} and cut.dtype in _WIDTHS and not cut.first:
                self.scales[stem] = cut

    def rows(self, name: str) -> list[int]:
        """Return after which rows relatives' tensors of this part end."""
        return [kin.rows for kin in self.kin.get(role_of(name), ())]

    def offers(self, cut: Cut) -> list[Offer]:
        """Return what a cut may be coded against, the bytes read and verified.

        For a piece that lies too deep stands what it was coded against itself. One that is
        damaged is not offered: check() names it.
        """
        if not cut.tensor:
            return []
        role, weights = role_of(cut.tensor), _weights(cut)
        found: dict[tuple[str, ...], Base] = {}
        for kin in self.kin.get(role, ()):
            part = _part(kin, cut, weights)
            shallow = part and self._shallow(part)
            if shallow is not None and (shallow.sha256,) not in found:
                with suppress(DamagedObject):
                    found |= self._offered(shallow, cut, self.updates.get(role))
        return list(found.items())

    def _offered(
        self, part: _Part, cut: Cut, update: _Update | None
    ) -> dict[tuple[str, ...], Base]:
        """Return a relative's piece as offers, by itself and with what it may be joined to."""
        heads = (cut.heads(part.rows), 0) if cut.head else (0,)
        base = Base(self.shelf.read(part.sha256), part.dtype, heads)
        if cut.dtype in _CODES:
            return self._scaled(part, base, cut)
        alone: dict[tuple[str, ...], Base] = {(part.sha256,): base}
        return alone | self._adapted(part, base, update, cut) if update else alone

    def _take(self, tensor: Tensor, pieces: Sequence[tuple[str, int]], file: File) -> None:
        """Note a tensor of floats whose pieces are whole rows."""
        width = _WIDTHS.get(tensor.dtype)
        row = _row(tensor, file)
        if width is None or any(size % (width * row) for _, size in pieces):
            return
        parts, first = [], 0
        for sha256, size in pieces:
            rows = size // (width * row)
            parts.append(_Part(sha256, tensor.dtype, first, rows))
            first += rows
        self.kin.setdefault(role_of(tensor.name), []).append(_Kin(row, tuple(parts)))

    def _shallow(self, part: _Part) -> _Part | None:
        place = self.shelf.find(part.sha256)
        if place is None:
            return None
        if place.depth < DEEPEST:
            return part
        base = self.shelf.find(place.entry.bases[0])
        same = base is not None and base.entry.size == place.entry.size
        return replace(part, sha256=place.entry.bases[0]) if same else None

    def _scaled(self, part: _Part, base: Base, cut: Cut) -> dict[tuple[str, ...], Base]:
        """Return the offer of a base with the scales of a tensor of codes, if there are any."""
        scale = self.scales.get(cut.tensor)
        if scale is None:
            return {}
        place = self.shelf.find(scale.sha256)
        if place is None or place.depth >= DEEPEST:
            return {}
        count = scale.length // _WIDTHS[scale.dtype]
        tall, wide = 1, 1 << 31
        if count == 1:
            tall = 1 << 31
        elif scale.columns > 1:
            tall = wide = -(-cut.row // scale.columns)
        data = self.shelf.read(scale.sha256)
        scales = Scales(data, scale.dtype, tall, wide, cut.first)
        return {(part.sha256, scale.sha256): base._replace(scales=scales)}

    def _adapted(
        self, part: _Part, base: Base, update: _Update, cut: Cut
    ) -> dict[tuple[str, ...], Base]:
        """Return the offer of a base with an adapter merged into it, if that is possible."""
        places = [self.shelf.find(sha256) for sha256 in (part.sha256, update.down[0], update.up[0])]
        if any(place is None or place.depth >= DEEPEST for place in places):
            return {}
        adapter = Adapter(
            self.shelf.read(update.down[0]), update.down[1],
            self.shelf.read(update.up[0]), update.up[1],
            update.rank, update.scale, cut.first,
        )  # fmt: skip
        names = (part.sha256, update.down[0], update.up[0])
        return {names: base._replace(adapter=adapter)}


def _weights(cut: Cut) -> int:
    """Return how many weights a cut has."""
    if cut.dtype in _BLOCKS:
        block, size = _BLOCKS[cut.dtype]
        return cut.length // size * block
    return cut.length // _WIDTHS.get(cut.dtype, 1)


def _part(kin: _Kin, cut: Cut, weights: int) -> _Part | None:
    """Return the relative's piece of the same rows, or None."""
    if kin.row != cut.row:
        return None
    for part in kin.parts:
        if part.first == cut.first and part.rows * kin.row == weights:
            return part
    return None


def _row(tensor: Tensor, file: File) -> int:
    extent = Extent(tensor.offset, tensor.length, tensor.name, tensor.dtype, tensor.shape)
    return row_length(extent, file.format)


def _pieces(shelf: Shelf, file: File) -> Iterator[tuple[Tensor, list[tuple[str, int]]]]:
    """Yield each tensor of a file with its pieces: their sha256 and size."""
    if not file.tensors:
        return
    recipe = recipe_of(shelf.store, file)
    at, numbers = 0, iter(recipe.order)
    for tensor in file.tensors:
        found: list[tuple[str, int]] = []
        while at < tensor.offset + tensor.length:
            piece = recipe.pieces[next(numbers)]
            if at >= tensor.offset:
                found.append((piece.sha256, piece.size))
            at += piece.size
        yield tensor, found


def _updates(shelf: Shelf, manifest: Manifest) -> dict[str, _Update]:
    """Return the updates of a LoRA adapter as PEFT writes it, by the tensor's role."""
    config = next((file for file in manifest.files if file.path == _CONFIG), None)
    if config is None:
        return {}
    halves: dict[str, dict[str, tuple[str, Tensor]]] = {}
    for file in manifest.files:
        for tensor, pieces in _pieces(shelf, file):
            stem, mark, _ = tensor.name.partition(".lora_")
            half = tensor.name[len(stem) + len(mark) :][:1]
            if mark and half in {"A", "B"} and len(pieces) == 1 and tensor.dtype in _WIDTHS:
                halves.setdefault(stem, {})[half] = (pieces[0][0], tensor)
    scaling = _scaling(shelf, config)
    return {
        role_of(f"{stem}.weight"): _Update(
            (both["A"][0], both["A"][1].dtype),
            (both["B"][0], both["B"][1].dtype),
            both["A"][1].shape[0],
            scaling(both["A"][1].shape[0]),
        )
        for stem, both in halves.items()
        if both.keys() == {"A", "B"}
    }


def _scaling(shelf: Shelf, config: File) -> Callable[[int], float]:
    """Return what PEFT multiplies an update of a rank with (``lora_alpha``, ``use_rslora``)."""
    data = OpenFile(shelf.store, config).read(0, config.size)
    try:
        said = msgspec.json.decode(data, type=_AdapterConfig)
    except msgspec.DecodeError:
        said = _AdapterConfig()
    return lambda rank: said.lora_alpha / (sqrt(rank) if said.use_rslora else rank)


class _AdapterConfig(msgspec.Struct):
    """What PEFT's ``adapter_config.json`` says that matters here."""

    lora_alpha: float = 8.0
    use_rslora: bool = False


def nearest(
    sketches: Callable[[Container[str]], Iterable[tuple[ModelId, bytes]]],
    drawn: bytes,
    cache: Path | None = None,
) -> list[ModelId]:
    """Return the models whose sketches are nearest to *drawn*, the nearest first.

    *sketches* yields those that are not in the *cache*, which is brought up to date.
    """
    if not drawn:
        return []
    index = Index()
    if cache is not None:
        with suppress(FileNotFoundError, DamagedCache):
            index = Index.load(cache)
    fresh = [(model, data) for model, data in sketches(index) if data]
    for model, data in fresh:
        index.add(model, data)
    if fresh and cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        index.save(cache)
    near = index.nearest(drawn, k=NEAREST)
    most = min([UNRELATED, *(RIVAL * one.bits + SLACK for one in near)])
    return [ModelId(one.model) for one in near if one.bits <= most]


def sketch_of(found: Sequence[Source]) -> bytes:
    """Return the sketch of what is to be deposited, empty if nothing can be sampled."""
    with ExitStack() as stack:
        views = [
            View(file, extent)
            for source in found
            if source.is_weights
            for file in [stack.enter_context(source.open())]
            for extent in layout(source, file)[1]
            if extent.dtype
        ]
        return sketch(views)


@dataclass(frozen=True)
class View:
    """One tensor of an open file."""

    file: BinaryIO
    extent: Extent

    @property
    def name(self) -> str:
        """What the file calls it."""
        return self.extent.name

    @property
    def dtype(self) -> str:
        """Its type, in the words of safetensors or GGUF."""
        return self.extent.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, in the order that the file gives."""
        return self.extent.shape

    def read(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset* on, counted from the tensor's first."""
        self.file.seek(self.extent.offset + offset)
        return self.file.read(length)
