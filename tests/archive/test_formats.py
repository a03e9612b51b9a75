"""The format's pages say what the code does."""

from __future__ import annotations

import hashlib
import json
import re
from typing import get_args, get_type_hints

import numpy as np
import pytest

from archive.vectors import RECOVER, Vector, vectors
from makers import PROJECT
from otium.archive import ArchiveInfo, File, Manifest, Piece, Recipe, Runnable, Tensor
from otium.archive.deposit import LARGEST_PACK
from otium.archive.packs import DEEPEST
from otium.archive.records import Entry, Index
from otium.archive.survey import LONGEST_PIECE, MOST_WEIGHTS
from otium.codec import Codec, decode
from otium.codec.blocks import KINDS, Integers
from otium.codec.predict import DTYPES
from otium.entropy import decode_integers, encode_integers, forced, kernel_names
from otium.records import Digest

SPEC = (PROJECT / "src/otium/data/archive-spec.md").read_text()
README = (PROJECT / "src/otium/data/archive-readme.txt").read_text()
MANIFEST_PAGE = (PROJECT / "docs/formats/manifest-1.md").read_text()
ARCHIVE_PAGE = (PROJECT / "docs/formats/archive-1.md").read_text()
INTEGERS, VECTORS = vectors()
NUMBERS = {"K2": "Q2_K", "K3": "Q3_K", "K4": "Q4_K", "K6": "Q6_K"}


@pytest.mark.parametrize(
    "record", [ArchiveInfo, Recipe, Piece, Index, Entry, Manifest, File, Tensor, Runnable]
)
def test_the_spec_names_each_field(record: type) -> None:
    for field in get_type_hints(record):
        if not field.startswith("__"):
            assert f"`{field}`" in SPEC, field


def test_the_spec_fits_on_twelve_pages() -> None:
    assert len(SPEC.split()) <= 6500
    assert len(SPEC.splitlines()) <= 12 * 62


def test_the_spec_states_the_limits_in_force() -> None:
    assert (MOST_WEIGHTS, LONGEST_PIECE, LARGEST_PACK, DEEPEST) == (1 << 22, 4 << 20, 1 << 30, 3)
    for limit in ("2^22 weights", "every 4 MiB", "1 GiB", "three decodings", "2^28 bytes"):
        assert limit in " ".join(SPEC.split()), limit


@pytest.mark.parametrize("codec", get_args(Codec))
def test_the_spec_describes_each_codec(codec: str) -> None:
    assert re.search(rf"^\| .*`{codec}`.* \|", SPEC, re.MULTILINE)
    assert codec in {vector.codec for vector in VECTORS} or codec in {"raw", "deflate", "lzma"}


def test_the_spec_numbers_the_types_as_the_code_does() -> None:
    for kind in DTYPES.values():
        exponent = 8 * kind.width - 1 - kind.mantissa
        shown = f"{kind.number} {kind.name} ({kind.width}, {kind.mantissa}, {exponent})"
        assert shown in " ".join(SPEC.split())


def planes(integers: Integers, *, codes: bool) -> str:
    return "; ".join(
        f"{p.base} {p.stride} {p.width} {p.at}"
        if codes
        else f"{p.first} {p.length} {p.base} {p.stride} {p.width} {p.shift} {p.at}"
        for p in integers.planes
    )


def test_the_spec_draws_the_blocks_that_the_code_reads() -> None:
    for name, kind in KINDS.items():
        row = next(line for line in SPEC.splitlines() if re.match(rf"\| \d+ {name} ", line))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        dmin = "-" if kind.dmin is None else str(kind.dmin)
        codes = kind.codes
        drawn = [kind.size, codes.bits, codes.zero, kind.extreme, kind.d, dmin]
        assert cells[1:8] == [*map(str, drawn), planes(codes, codes=True)]
        assert bool(cells[8]) == (kind.scales is not None)
        assert kind.weights == (256 if cells[8] else 32)
        assert kind.idle == (0 if cells[8] else codes.zero)
        assert codes.low == (-128 if name == "Q8_0" else -codes.zero)
        assert all(p.first == p.shift == 0 and p.length == kind.weights for p in codes.planes)
    for small, name in NUMBERS.items():
        scales = KINDS[name].scales
        assert scales is not None
        start = f"| {small} | {scales.bits} | {scales.zero} | {scales.low} | "
        assert start + planes(scales, codes=False) in SPEC


@pytest.mark.parametrize("name", kernel_names())
def test_the_vectors_are_what_the_library_reads_in_every_kernel(name: str) -> None:
    with forced(name):
        contexts = np.frombuffer(INTEGERS.contexts, np.uint8)
        found, end = decode_integers(INTEGERS.stored, contexts)
        assert (found.tolist(), end) == (INTEGERS.integers, len(INTEGERS.stored))
        again = encode_integers(np.array(INTEGERS.integers, np.int32), contexts)
        assert again == INTEGERS.stored
        for vector in VECTORS:
            assert read(vector) == vector.decoded


def read(vector: Vector) -> bytes:
    return bytes(decode(vector.codec, vector.stored, len(vector.decoded), list(vector.bases)))


def test_the_example_of_an_object_lies_where_the_spec_computes_it() -> None:
    assert hashlib.sha256(b"smol-1").hexdigest().startswith("df42a5258")
    assert "models/df4/2a5/258/smol-1/" in SPEC


def test_the_page_on_archives_shows_a_recipe_that_can_be_read() -> None:
    shown = re.findall(r"```json\n(.*?)\n```", ARCHIVE_PAGE, re.DOTALL)[0]
    recipe = Recipe.decode(shown.encode())
    assert [recipe.pieces[number].size for number in recipe.order] == [recipe.size]


def test_the_page_on_archives_points_to_sections_that_are_there() -> None:
    for number in re.findall(r"^\|[^|]*\| (\d+)", ARCHIVE_PAGE, re.MULTILINE):
        assert re.search(rf"^## {number}\. ", SPEC, re.MULTILINE), number


def test_the_page_on_manifests_shows_a_manifest_whose_weights_can_be_recomputed() -> None:
    shown = re.findall(r"```json\n(.*?)```", MANIFEST_PAGE, re.DOTALL)[0]
    manifest = Manifest.decode(json.dumps(json.loads(shown)).encode())
    listed = re.findall(r"printf '%s' '(.*)' \| sha256sum", MANIFEST_PAGE)[0]
    assert json.loads(listed) == [[file.path, file.sha256] for file in manifest.files]
    assert manifest.weights == Digest("sha256:" + hashlib.sha256(listed.encode()).hexdigest())


def test_the_readme_is_plain_text_for_any_terminal() -> None:
    assert README.isascii()
    assert max(map(len, README.splitlines())) <= 100
    assert RECOVER.name in README
