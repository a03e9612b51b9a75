"""The format's pages say what the code does."""

from __future__ import annotations

import hashlib
import json
import re
from typing import get_type_hints

import pytest

from makers import PROJECT
from otium.archive import ArchiveInfo, File, Manifest, Piece, Recipe, Runnable, Tensor
from otium.archive.deposit import LONGEST_PIECE
from otium.archive.packs import LARGEST_PACK

SPEC = (PROJECT / "src/otium/data/archive-spec.md").read_text()
README = (PROJECT / "src/otium/data/archive-readme.txt").read_text()
MANIFEST_PAGE = (PROJECT / "docs/formats/manifest-1.md").read_text()


@pytest.mark.parametrize("record", [ArchiveInfo, Recipe, Piece, Manifest, File, Tensor, Runnable])
def test_the_spec_names_each_field(record: type) -> None:
    for field in get_type_hints(record):
        if not field.startswith("__"):
            assert f"`{field}`" in SPEC, field


def test_the_spec_fits_on_six_pages() -> None:
    assert len(SPEC.split()) <= 6 * 500


def test_the_spec_states_the_limits_in_force() -> None:
    assert LONGEST_PIECE == 256 << 20
    assert LARGEST_PACK == 1 << 30
    assert "256 MiB" in SPEC
    assert "1 GiB" in SPEC


def test_the_example_of_an_object_lies_where_the_spec_computes_it() -> None:
    assert hashlib.sha256(b"smol-1").hexdigest().startswith("df42a5258")
    assert "models/df4/2a5/258/smol-1/" in SPEC


def test_the_page_on_manifests_shows_a_manifest_whose_weights_can_be_recomputed() -> None:
    shown = re.findall(r"```json\n(.*?)```", MANIFEST_PAGE, re.DOTALL)[0]
    manifest = Manifest.decode(json.dumps(json.loads(shown)).encode())
    listed = re.findall(r"printf '%s' '(.*)' \| sha256sum", MANIFEST_PAGE)[0]
    assert json.loads(listed) == [[file.path, file.sha256] for file in manifest.files]
    assert manifest.weights == "sha256:" + hashlib.sha256(listed.encode()).hexdigest()


def test_the_readme_is_plain_text_for_any_terminal() -> None:
    assert README.isascii()
    assert max(map(len, README.splitlines())) <= 100
