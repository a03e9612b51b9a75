"""Bags of other makers are read, ours are read by others, and each thing stated is checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import bagit
import pytest

from exchange.layouts import MODEL, Take, contents
from makers import folder
from otium.errors import BadDeposit, BadLayout
from otium.exchange import export_bag


@pytest.fixture
def bag(files: Path, tmp_path: Path) -> Path:
    info = {"External-Identifier": "smol-1", "Contact-Name": "The steward"}
    export_bag(files, tmp_path / "bag", info=info)
    return tmp_path / "bag"


def reseal(bag: Path) -> None:
    """Make tag manifests fit again after a tag file was changed."""
    for path in bag.glob("tagmanifest-*.txt"):
        path.unlink()


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    path.write_bytes(change(path.read_bytes().decode()).encode())


def test_the_reference_program_finds_an_export_valid(bag: Path) -> None:
    found = bagit.Bag(str(bag))
    assert found.is_valid()
    assert found.version_info == (1, 0)
    assert sorted(found.algorithms) == ["sha256", "sha512"]
    assert found.info["External-Identifier"] == "smol-1"


@pytest.mark.parametrize("algorithms", [["sha256"], ["sha512"], ["md5", "sha1", "sha256"]])
def test_what_the_reference_program_makes_is_read(
    files: Path, taken: Take, algorithms: list[str]
) -> None:
    bagit.make_bag(str(files), {"Contact-Name": ["One", "Two"]}, checksums=algorithms)
    found, origin = taken(files)
    assert found == MODEL
    assert origin.metadata["Contact-Name"] == "One\nTwo"
    for file in origin.files:
        assert {stated.partition(":")[0] for stated in file.stated} == set(algorithms)
        assert file.sha256 == "sha256:" + hashlib.sha256(MODEL[file.path]).hexdigest()


def test_what_a_bag_says_of_itself_is_kept(bag: Path, taken: Take) -> None:
    _, origin = taken(bag)
    assert origin.names == ("smol-1",)
    assert origin.metadata["Contact-Name"] == "The steward"
    assert origin.metadata["Payload-Oxum"] == f"{sum(map(len, MODEL.values()))}.{len(MODEL)}"
    assert {"manifest-sha256.txt", "bag-info.txt", "bagit.txt"} <= origin.digests.keys()


def test_every_flipped_byte_of_a_bag_is_found(bag: Path, taken: Take) -> None:
    for path, data in contents(bag).items():
        for at in range(0, len(data), max(1, len(data) // 7)):
            flipped = bytes([*data[:at], data[at] ^ 1, *data[at + 1 :]])
            (bag / path).write_bytes(flipped)
            with pytest.raises(BadDeposit):
                taken(bag)
        (bag / path).write_bytes(data)
    assert taken(bag)[0] == MODEL


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("data/config.json", "is missing"),
        ("bag-info.txt", "is missing"),
        ("manifest-sha512.txt", "is missing"),
    ],
)
def test_every_removed_file_is_missed(bag: Path, taken: Take, path: str, said: str) -> None:
    (bag / path).unlink()
    with pytest.raises(BadLayout, match=said):
        taken(bag)


def test_a_file_that_no_manifest_lists_is_refused(bag: Path, taken: Take) -> None:
    (bag / "data" / "more.bin").write_bytes(b"")
    with pytest.raises(BadLayout, match="not listed"):
        taken(bag)


def test_a_payload_of_another_size_than_its_oxum_is_refused(bag: Path, taken: Take) -> None:
    reseal(bag)
    rewrite(bag / "bag-info.txt", lambda text: text.replace("Payload-Oxum: ", "Payload-Oxum: 1"))
    with pytest.raises(BadLayout, match="is stated"):
        taken(bag)


def test_a_bag_with_a_fetch_file_is_refused(bag: Path, taken: Take) -> None:
    (bag / "fetch.txt").write_text("https://example.org/a 1 data/a\n")
    with pytest.raises(BadLayout, match=r"fetch\.txt"):
        taken(bag)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text + text.splitlines()[0] + "\n", "twice"),
        (lambda text: text + "no digest\n", "lists nothing"),
        (lambda text: text.replace("data/config.json", "config.json"), "missing"),
        (lambda text: text.replace("data/config.json", "/etc/passwd"), "leads out"),
        (lambda text: text.replace("data/config.json", "data/../bagit.txt"), "leads out"),
        (lambda text: "\ufeff" + text, "byte order mark"),
        (lambda _text: "", "not listed"),
    ],
)
def test_an_unsound_manifest_is_refused(
    bag: Path, taken: Take, change: Callable[[str], str], said: str
) -> None:
    reseal(bag)
    rewrite(bag / "manifest-sha256.txt", change)
    with pytest.raises(BadDeposit, match=said):
        taken(bag)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("BagIt-Version: 2.0\nTag-File-Character-Encoding: UTF-8\n", "does not declare"),
        ("BagIt-Version: 1.0\n", "does not declare"),
        ("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-16\n", "UTF-16"),
    ],
)
def test_an_unknown_declaration_is_refused(bag: Path, taken: Take, text: str, said: str) -> None:
    (bag / "bagit.txt").write_text(text)
    with pytest.raises(BadLayout, match=said):
        taken(bag)


def test_an_unknown_algorithm_is_refused_rather_than_passed_over(bag: Path, taken: Take) -> None:
    (bag / "manifest-whirlpool.txt").write_text("00  data/config.json\n")
    with pytest.raises(BadLayout, match="not known"):
        taken(bag)


def test_a_bag_without_manifest_or_payload_is_refused(bag: Path, taken: Take) -> None:
    reseal(bag)
    for path in bag.glob("manifest-*.txt"):
        path.unlink()
    with pytest.raises(BadLayout, match="no manifest"):
        taken(bag)
    for path in sorted((bag / "data").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(BadLayout, match="empty"):
        taken(bag)


@pytest.mark.parametrize("path", ["data/config.json", "bag-info.txt", "data"])
def test_a_link_is_refused(bag: Path, tmp_path: Path, taken: Take, path: str) -> None:
    (bag / path).rename(tmp_path / "elsewhere")
    (bag / path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadLayout, match="link"):
        taken(bag)


def test_a_pipe_is_refused_and_not_waited_for(bag: Path, taken: Take) -> None:
    (bag / "data" / "config.json").unlink()
    os.mkfifo(bag / "data" / "config.json")
    with pytest.raises(BadLayout, match="not a file"):
        taken(bag)


def test_a_percent_sign_is_spelled_as_rfc_8493_asks(tmp_path: Path, taken: Take) -> None:
    files = folder(tmp_path / "files", {"100%25 of it.bin": b"a"})
    export_bag(files, tmp_path / "bag")
    assert "data/100%2525 of it.bin" in (tmp_path / "bag" / "manifest-sha256.txt").read_text()
    assert taken(tmp_path / "bag")[0] == {"100%25 of it.bin": b"a"}


def test_an_older_bag_with_stars_and_other_line_ends_is_read(bag: Path, taken: Take) -> None:
    reseal(bag)
    for name in ("manifest-sha256.txt", "manifest-sha512.txt"):
        rewrite(bag / name, lambda text: text.replace("  data/", " *data/").replace("\n", "\r\n"))
    rewrite(bag / "bagit.txt", lambda text: text.replace("1.0", "0.97").replace("\n", "\r"))
    rewrite(bag / "bag-info.txt", lambda text: text + "External-Description: one\n   and two\n")
    found, origin = taken(bag)
    assert found == MODEL
    assert origin.metadata["External-Description"] == "one and two"
