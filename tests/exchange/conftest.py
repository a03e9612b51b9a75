"""A model's files, a layout to fill, and the way in."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.layouts import MODEL, Images, Take, Taken, contents
from makers import folder
from otium.exchange import Layout, unpacked


@pytest.fixture
def image(tmp_path: Path) -> Images:
    """An OCI layout to fill."""
    return Images(tmp_path / "image")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The files of a small model."""
    return folder(tmp_path / "model", MODEL)


@pytest.fixture
def taken(tmp_path: Path) -> Take:
    """Unpack a path; return its files' bytes by path, and the origin."""

    def take(
        path: Path,
        *,
        layout: Layout | None = None,
        name: str | None = None,
        revision: str | None = None,
        partial: bool = False,
    ) -> Taken:
        scratch = tmp_path / "scratch"
        with unpacked(
            path, scratch, layout=layout, name=name, revision=revision, partial=partial
        ) as found:
            result = contents(found.files), found.origin
        assert not list(scratch.iterdir()), "nothing is left in scratch"
        return result

    return take
