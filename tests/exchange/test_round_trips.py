"""What goes out comes back, byte for byte, in every layout."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.layouts import MODEL, Take, contents
from makers import folder
from otium.errors import BadInput, BadLayout, RestoreTargetNotEmpty, UnsafePath
from otium.exchange import (
    Origin,
    export_bag,
    export_huggingface,
    export_oci,
    recognise,
    unpacked,
)
from otium.records import Instant

NOW = Instant("2026-11-22T00:00:00Z")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
Export = Callable[[Path, Path], Origin]


def bag(files: Path, into: Path, *, link: bool = False) -> Origin:
    info = {"External-Identifier": "smol-1", "Contact-Name": "The steward"}
    return export_bag(files, into, info=info, link=link)


def oci(files: Path, into: Path, *, link: bool = False) -> Origin:
    return export_oci(files, into, name="smol-1", created=NOW, link=link)


def huggingface(files: Path, into: Path, *, link: bool = False) -> Origin:
    return export_huggingface(files, into, repository="lab/smol", revision=COMMIT, link=link)


EXPORTS: dict[str, Export] = {"bagit": bag, "oci": oci, "huggingface": huggingface}
LAYOUTS = pytest.mark.parametrize("layout", EXPORTS)


@LAYOUTS
def test_what_was_exported_is_recognised_and_comes_back_whole(
    layout: str, files: Path, tmp_path: Path, taken: Take
) -> None:
    origin = EXPORTS[layout](files, tmp_path / "out")
    assert recognise(tmp_path / "out") == layout
    assert taken(tmp_path / "out") == (MODEL, origin)
    assert Origin.decode(origin.encode()) == origin


@LAYOUTS
def test_the_same_files_are_exported_as_the_same_bytes(
    layout: str, files: Path, tmp_path: Path
) -> None:
    again = folder(tmp_path / "again", dict(reversed(MODEL.items())))
    EXPORTS[layout](files, tmp_path / "one")
    EXPORTS[layout](again, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@LAYOUTS
def test_an_origin_states_a_digest_of_every_file(layout: str, files: Path, tmp_path: Path) -> None:
    origin = EXPORTS[layout](files, tmp_path / "out")
    assert [file.path for file in origin.files] == sorted(MODEL)
    assert all(file.sha256 and file.stated for file in origin.files)


@LAYOUTS
def test_one_file_can_be_exported(layout: str, files: Path, tmp_path: Path, taken: Take) -> None:
    EXPORTS[layout](files / "config.json", tmp_path / "out")
    assert taken(tmp_path / "out")[0] == {"config.json": MODEL["config.json"]}


@LAYOUTS
def test_nothing_is_exported_over_something(layout: str, files: Path) -> None:
    with pytest.raises(RestoreTargetNotEmpty):
        EXPORTS[layout](files, files)
    assert contents(files) == MODEL


@LAYOUTS
def test_an_export_that_fails_leaves_nothing(layout: str, files: Path, tmp_path: Path) -> None:
    (files / "away").symlink_to("/etc/hostname")
    with pytest.raises(BadLayout, match="leads out"):
        EXPORTS[layout](files, tmp_path / "out")
    (files / "away").unlink()
    (files / "aux.txt").write_bytes(b"")
    with pytest.raises(Exception, match="device"):
        EXPORTS[layout](files, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == [files]


@pytest.mark.parametrize("export", [bag, oci, huggingface])
def test_with_link_no_second_copy_is_made(
    export: Callable[..., Origin], files: Path, tmp_path: Path
) -> None:
    export(files, tmp_path / "out", link=True)
    assert (files / "config.json").stat().st_nlink == 2
    export(files, tmp_path / "copied")
    assert (files / "config.json").stat().st_nlink == 2


@LAYOUTS
def test_files_are_given_where_they_lie_or_as_links(
    layout: str, files: Path, tmp_path: Path
) -> None:
    EXPORTS[layout](files, tmp_path / "out")
    with unpacked(tmp_path / "out", tmp_path / "scratch") as found:
        inside = (found.files / "config.json").resolve().is_relative_to(tmp_path / "out")
        assert inside or (found.files / "config.json").stat().st_nlink == 2


NAMES = st.text("ab %zé.-", min_size=1, max_size=8).map(lambda name: f"x{name}x")
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.binary(max_size=50),
    min_size=1,
    max_size=5,
).filter(
    lambda tree: (
        len({path.casefold() for path in tree}) == len(tree)
        and not any(other.startswith(path + "/") for path in tree for other in tree)
    )
)


@pytest.mark.parametrize("layout", [*EXPORTS, "plain"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tree=TREES)
def test_any_tree_comes_back(
    monkeypatch: pytest.MonkeyPatch, layout: str, tree: dict[str, bytes]
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _handle: None)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        files = out = folder(root / "files", tree)
        if layout in EXPORTS:
            out = root / "out"
            EXPORTS[layout](files, out)
        with unpacked(out, root / "scratch") as found:
            assert contents(found.files) == tree
            assert found.origin.layout == layout


def test_progress_is_told_in_bytes(files: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    export_bag(files, tmp_path / "bag", progress=lambda *said: told.append(said))
    size = sum(map(len, MODEL.values()))
    assert told[-1] == ("exporting", size, size)
    with unpacked(tmp_path / "bag", tmp_path, progress=lambda *said: told.append(said)):
        assert told[-1][0] == "verifying"
        assert told[-1][1] == told[-1][2]


def test_what_does_not_fit_a_layout_is_refused(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(BadInput, match="reference"):
        export_oci(files, out, name="no name", created=NOW)
    with pytest.raises(BadInput, match="ORGANISATION"):
        export_huggingface(files, out, repository="../up")
    with pytest.raises(BadInput, match="40"):
        export_huggingface(files, out, repository="lab/smol", revision="main")
    for info in ({"a": "b\nc"}, {"a:b": "c"}, {" a": "b"}, {"Payload-Oxum": "1.1"}):
        with pytest.raises(BadInput):
            export_bag(files, out, info=info)
    assert not out.exists()


def test_a_plain_directory_is_taken_as_it_is(files: Path, tmp_path: Path, taken: Take) -> None:
    assert recognise(files) == "plain"
    (files / "linked.json").symlink_to("config.json")
    found, origin = taken(files)
    assert found == {**MODEL, "linked.json": MODEL["config.json"]}
    assert origin.layout == "plain"
    (files / "up").symlink_to(tmp_path)
    with pytest.raises(BadLayout, match="leads out"):
        taken(files)


def test_a_plain_file_is_taken_as_it_is(files: Path, tmp_path: Path) -> None:
    with unpacked(files / "config.json", tmp_path / "scratch") as found:
        assert found.files == files / "config.json"
        assert [file.path for file in found.origin.files] == ["config.json"]


def test_a_path_that_leads_out_is_unsafe(files: Path, tmp_path: Path, taken: Take) -> None:
    export_bag(files, tmp_path / "bag")
    manifest = tmp_path / "bag" / "manifest-sha256.txt"
    manifest.write_text(manifest.read_text().replace("data/config.json", "data/../../config.json"))
    with pytest.raises(UnsafePath):
        taken(tmp_path / "bag")
