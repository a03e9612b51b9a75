"""Packed layers are opened as if each were an attack."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import subprocess
import tarfile
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.layouts import Images, Take, tar, tar_of
from makers import folder
from otium.errors import BadDeposit, BadLayout, UnsafePath
from otium.exchange import layers
from otium.exchange.layers import Budget, Layer, untar
from otium.exchange.tree import Folder, Tally
from otium.records import silent

TAR = "application/vnd.cncf.model.weight.v1.tar"
LONG = "/".join(["a" * 60] * 4) + "/" + "é" * 40 + ".bin"


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_each_form_of_tar_is_read(image: Images, taken: Take, form: int) -> None:
    long = {} if form == tarfile.USTAR_FORMAT else {LONG: b"long"}
    held = {"./a.txt": b"a" * 511, "b/c.bin": bytes(512), "x" * 90 + "/" + "y" * 90: b"", **long}
    image.layer(tar(held, form), TAR)
    wanted = {name.removeprefix("./"): data for name, data in held.items()}
    assert taken(image.finish())[0] == wanted


@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
@pytest.mark.skipif(not shutil.which("tar"), reason="tar is missing")
def test_what_gnu_tar_writes_is_read(image: Images, tmp_path: Path, taken: Take, form: str) -> None:
    held = {"a.txt": b"a", "b/c.bin": b"c" * 5000, "b/" + "d" * 80: b""}
    files = folder(tmp_path / "packed", held)
    command = ["tar", "-C", str(files), f"--format={form}", "-c", "."]
    packed = subprocess.run(command, check=True, capture_output=True).stdout
    image.layer(packed, TAR)
    assert taken(image.finish())[0] == held


@pytest.mark.parametrize("name", ["../up", "/root", "a/../../up", "./../up"])
def test_a_member_never_leads_out(image: Images, tmp_path: Path, taken: Take, name: str) -> None:
    image.layer(tar_of(member(name)), TAR)
    with pytest.raises(UnsafePath):
        taken(image.finish())
    assert not (tmp_path / "up").exists()


@pytest.mark.parametrize("name", ["con", "a:b", "a//b", "a\\b", "e\u0301"])
def test_a_member_of_a_name_that_some_systems_cannot_hold_is_refused(
    image: Images, taken: Take, name: str
) -> None:
    image.layer(tar_of(member(name)), TAR)
    with pytest.raises(BadDeposit):
        taken(image.finish())


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (b"V", "unknown"),
    ],
)
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_only_plain_files_are_taken(
    image: Images, taken: Take, kind: bytes, said: str, form: int
) -> None:
    image.layer(tar_of(member("a", kind, "/etc/passwd" * 20), form=form), TAR)
    with pytest.raises(BadLayout, match=said):
        taken(image.finish())


def test_a_sparse_file_of_posix_is_refused(image: Images, taken: Take) -> None:
    info = member("a")
    info.pax_headers = {"GNU.sparse.realsize": "1000000000000"}
    image.layer(tar_of(info), TAR)
    with pytest.raises(BadLayout, match="sparse"):
        taken(image.finish())


@pytest.mark.parametrize("pack", [gzip.compress, "zstd"])
def test_a_bomb_ends_at_its_budget(
    image: Images, monkeypatch: pytest.MonkeyPatch, taken: Take, pack: object
) -> None:
    monkeypatch.setattr(layers, "ALLOWANCE", 1 << 20)
    plain = tar({"bomb.bin": bytes(64 << 20)})
    if callable(pack):
        packed, kind = pack(plain), "+gzip"
    else:
        zstandard = pytest.importorskip("zstandard")
        packed, kind = zstandard.ZstdCompressor().compress(plain), "+zstd"
    image.layer(packed, TAR + kind)
    tracemalloc.start()
    with pytest.raises(BadLayout, match="more than 200 times"):
        taken(image.finish())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_bomb_of_headers_ends_at_its_budget(
    image: Images, monkeypatch: pytest.MonkeyPatch, taken: Take
) -> None:
    monkeypatch.setattr(layers, "ALLOWANCE", 1 << 20)
    headers = tar_of(*[member("a/")] * 1)[:512].replace(b"a/", b"./")
    image.layer(gzip.compress(headers * 10_000), TAR + "+gzip")
    with pytest.raises(BadLayout):
        taken(image.finish())


def test_many_small_layers_share_one_budget(
    image: Images, monkeypatch: pytest.MonkeyPatch, taken: Take
) -> None:
    monkeypatch.setattr(layers, "ALLOWANCE", 3 << 20)
    for number in range(4):
        packed = gzip.compress(tar({f"{number}.bin": bytes(1 << 20)}))
        image.layer(packed, TAR + "+gzip")
    monkeypatch.setattr(layers, "LARGEST_RATIO", 1)
    with pytest.raises(BadLayout, match="more than"):
        taken(image.finish())


def test_a_size_beyond_the_budget_is_refused_before_a_byte_is_read(
    image: Images, taken: Take
) -> None:
    huge = member("a.bin")
    huge.size = 1 << 62
    image.layer(huge.tobuf(tarfile.GNU_FORMAT), TAR)
    with pytest.raises(BadLayout, match="more than"):
        taken(image.finish())


def test_too_many_files_are_refused(
    image: Images, monkeypatch: pytest.MonkeyPatch, taken: Take
) -> None:
    monkeypatch.setattr(Budget, "of", classmethod(lambda cls, packed: cls(packed, 2)))
    image.layer(tar({"a": b"", "b": b"", "c": b""}), TAR)
    with pytest.raises(BadLayout, match="files"):
        taken(image.finish())


def test_a_path_twice_is_refused(image: Images, taken: Take) -> None:
    image.layer(tar_of(member("a"), member("a")), TAR)
    with pytest.raises(BadLayout, match="twice"):
        taken(image.finish())


def test_an_extended_header_has_a_bound(image: Images, taken: Take) -> None:
    image.layer(tar_of(member("a" * (2 << 20)), form=tarfile.GNU_FORMAT), TAR)
    with pytest.raises(BadLayout, match="too long"):
        taken(image.finish())


@pytest.mark.parametrize("cut", [1, 511, 512, 600, 1024, 1535])
def test_a_cut_archive_is_refused(image: Images, taken: Take, cut: int) -> None:
    image.layer(tar({"a": b"a" * 600})[:cut], TAR)
    with pytest.raises(BadLayout, match="cut short"):
        taken(image.finish())


def test_bytes_after_the_end_are_refused(image: Images, taken: Take) -> None:
    image.layer(tar({"a": b""}) + b"hidden", TAR)
    with pytest.raises(BadLayout, match="follow the end"):
        taken(image.finish())


@pytest.mark.parametrize(
    "damage",
    [lambda packed: packed[:-9], lambda packed: packed + b"x", lambda packed: b"x" + packed],
)
def test_a_damaged_gzip_stream_is_refused(image: Images, taken: Take, damage: object) -> None:
    assert callable(damage)
    image.layer(damage(gzip.compress(tar({"a": b"a"}))), TAR + "+gzip")
    with pytest.raises(BadLayout, match="gzip stream"):
        taken(image.finish())


def test_a_gzip_stream_may_have_several_members(image: Images, taken: Take) -> None:
    plain = tar({"a": bytes(300_000), "b": b"b"})
    packed = b"".join(gzip.compress(plain[at : at + 1000]) for at in range(0, len(plain), 1000))
    image.layer(packed, TAR + "+gzip")
    assert taken(image.finish())[0] == {"a": bytes(300_000), "b": b"b"}


def test_a_window_that_is_too_large_is_refused(image: Images, taken: Take) -> None:
    zstandard = pytest.importorskip("zstandard")
    parameters = zstandard.ZstdCompressionParameters(window_log=29, enable_ldm=1)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = packer.compress(tar({"a": b"a"})) + packer.flush()
    image.layer(packed, TAR + "+zstd")
    with pytest.raises(BadLayout, match="zstd stream"):
        taken(image.finish())


@settings(max_examples=300, deadline=None)
@given(
    at=st.integers(0, 2047),
    bits=st.integers(1, 255),
    fixed=st.booleans(),
)
def test_no_damaged_header_does_more_than_be_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, bits: int, fixed: bool
) -> None:
    packed = bytearray(tar({LONG: b"a" * 600}))
    packed[at % len(packed)] ^= bits
    if fixed:  # a checksum that fits, so that the damage is looked at
        head = at // 512 * 512
        packed[head + 148 : head + 156] = b" " * 8
        packed[head + 148 : head + 156] = b"%06o\0 " % sum(packed[head : head + 512])
    root = tmp_path_factory.mktemp("tar")
    layer = Layer(
        folder=Folder(root, "oci"),
        file=io.BytesIO(bytes(packed)),
        name="fuzzed",
        compression=None,
        budget=Budget(1 << 20),
        tally=Tally(silent, "", 0),
    )
    try:
        found = untar(layer, root / "into")
    except BadDeposit:
        return
    assert all((root / "into" / file.path).stat().st_size == file.size for file in found)


def test_reading_in_steps_gives_both_digests(tmp_path: Path) -> None:
    plain = tar({"a": bytes(range(256)) * 9000})
    packed = zlib.compress(plain, wbits=31)
    layer = Layer(
        folder=Folder(tmp_path, "oci"),
        file=io.BytesIO(packed),
        name="layer",
        compression="gzip",
        budget=Budget(1 << 30),
        tally=Tally(silent, "", 0),
    )
    (file,) = untar(layer, tmp_path / "into")
    assert file.size == 256 * 9000
    assert layer.plain.digest() == hashlib.sha256(plain).digest()
    assert layer.packed.digest() == hashlib.sha256(packed).digest()
