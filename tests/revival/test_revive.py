import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from otium.archive import Archive
from otium.engine import Endpoint, Engine, External, HttpModel, LlamaCpp, Message, Options
from otium.errors import DamagedObject, FingerprintDiffers, UnknownModel
from otium.fingerprints import take_fingerprint
from otium.records import Instant, ModelId
from otium.revival import Cache, Stages, materialise, revive
from otium.revival.cache import Shelf
from otium.store import LocalStore, Span
from otium.testing import Scripted, ServedEngine, serve

NOW = Instant("2026-11-22T00:00:00Z")
TINY = ModelId("tiny-1")
HOLD = """
import sys
from pathlib import Path
from otium.archive import Archive
from otium.revival import Cache, materialised
from otium.store import LocalStore
place = Path(sys.argv[3])
cache = Cache(disk=place / "disk", memory=place / "memory", most_in_memory=1 << 20)
with materialised(Archive.open(LocalStore(Path(sys.argv[1]))), sys.argv[2], cache) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


class Heard:
    """What a progress callable was told."""

    def __init__(self) -> None:
        self.reused = 0
        self.restored = 0

    def __call__(self, what: str, done: int, total: int) -> None:  # noqa: ARG002
        if what == "cached":
            self.reused += 1
        else:
            self.restored += 1


def make(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive.create(
        LocalStore(tmp_path / "archive"),
        archive_id="test",
        created=NOW,
        origin="example.org/log",
        keys=[],
    )
    files = make(tmp_path / "in", {"weights.bin": b"w" * 1000, "sub/config.json": b"{}"})
    made.add(TINY, files, deposited=NOW)
    return made


def there(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


WHOLE = {"weights.bin": b"w" * 1000, "sub/config.json": b"{}"}


def test_files_come_out_of_the_archive_byte_for_byte(archive: Archive, tmp_path: Path) -> None:
    found = materialise(archive, TINY, tmp_path / "cache")
    assert there(found) == WHOLE
    assert found.name == archive.manifest(TINY).weights.removeprefix("sha256:")[:16]


def test_a_second_call_uses_them_again_and_says_so(archive: Archive, tmp_path: Path) -> None:
    first = materialise(archive, TINY, tmp_path / "cache")
    seen = first.stat()
    heard = Heard()
    assert materialise(archive, TINY, tmp_path / "cache", heard) == first
    assert (heard.reused, heard.restored) == (1, 0)
    assert first.stat().st_ino == seen.st_ino


def shorten(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"w" * 999)


def flip(folder: Path) -> None:
    path = folder / "weights.bin"
    path.write_bytes(b"x" * 1000)
    os.utime(path, ns=(1, 1))


def lose(folder: Path) -> None:
    (folder / "sub/config.json").unlink()


def add(folder: Path) -> None:
    (folder / "another.gguf").write_bytes(b"")


def marks(folder: Path) -> list[Path]:
    return [*folder.with_name(".files").glob("*.json")]


def unmark(folder: Path) -> None:
    for mark in marks(folder):
        mark.unlink()


def scribble(folder: Path) -> None:
    for mark in marks(folder):
        mark.write_bytes(b"{")


def reboot(folder: Path) -> None:
    for mark in marks(folder):
        mark.write_bytes(mark.read_bytes().replace(b'"boot":"', b'"boot":"another-'))


def reboot_without_power(folder: Path) -> None:
    """The names lasted, the bytes did not: a hole of the same size and time."""
    path = folder / "weights.bin"
    seen = path.stat()
    path.write_bytes(bytes(1000))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    reboot(folder)


def vanish(folder: Path) -> None:
    shutil.rmtree(folder)


def leave_a_wreck(folder: Path) -> None:
    vanish(folder)
    make(folder.with_name(f".{folder.name}-dead"), {"new/weights.bin": b"half"})
    for file in folder.with_name(".files").glob("*[0-9a-f]"):
        file.rename(file.with_suffix(".part"))


@pytest.mark.parametrize(
    "damage",
    [
        shorten,
        flip,
        lose,
        add,
        unmark,
        scribble,
        reboot,
        reboot_without_power,
        vanish,
        leave_a_wreck,
    ],
)
def test_a_damaged_cache_is_rebuilt(
    damage: Callable[[Path], None], archive: Archive, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    damage(materialise(archive, TINY, cache))
    heard = Heard()
    again = materialise(archive, TINY, cache, heard)
    assert there(again) == WHOLE
    assert heard.reused == 0
    left = {path.name for path in cache.iterdir()}
    assert left == {again.name, ".files"}
    kinds = {path.suffix for path in (cache / ".files").iterdir()}
    assert kinds == {"", ".json", ".lock"}


def test_a_damaged_archive_restores_nothing_and_keeps_the_cache_clean(
    archive: Archive, tmp_path: Path
) -> None:
    for pack in (tmp_path / "archive" / "packs").rglob("*.pack"):
        spoiled = bytearray(pack.read_bytes())
        spoiled[len(spoiled) // 2] ^= 1
        pack.write_bytes(spoiled)
    cache = tmp_path / "cache"
    with pytest.raises(DamagedObject):
        materialise(archive, TINY, cache)
    assert {path.name for path in cache.iterdir()} == {".files"}
    assert {path.suffix for path in (cache / ".files").iterdir()} <= {".lock"}


def test_an_unknown_model_is_not_restored(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel):
        materialise(archive, ModelId("nobody"), tmp_path / "cache")


def test_many_that_ask_at_once_share_one_restoring(archive: Archive, tmp_path: Path) -> None:
    heard = [Stages() for _ in range(6)]
    read: list[str] = []
    inner = archive.store.get

    def get(name: str, span: Span | None = None) -> bytes:
        if name.startswith("packs/"):
            read.append(name)
        return inner(name, span)

    archive.store.get = get  # type: ignore[method-assign]
    asked = [
        threading.Thread(target=materialise, args=(archive, TINY, tmp_path / "cache", stages))
        for stages in heard
    ]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join()
    assert len(read) == 2  # one for each file
    assert there(materialise(archive, TINY, tmp_path / "cache")) == WHOLE


def test_a_revived_model_names_the_archived_weights(archive: Archive, tmp_path: Path) -> None:
    engine: Engine = ServedEngine(Scripted(["I am back."]))
    with revive(archive, TINY, tmp_path / "cache", engine=engine, now=NOW) as revived:
        assert revived.model.identity.model == TINY
        assert revived.model.identity.weights == archive.manifest(TINY).weights
        assert revived.endpoint.identity == revived.model.identity
        assert revived.certificate is None
        answer = revived.model.chat([Message(role="user", content="Hello?")])
    assert answer.text == "I am back."


def test_a_model_that_behaves_as_it_did_is_certified(archive: Archive, tmp_path: Path) -> None:
    double = Scripted(["I am back."])
    fingerprint = take_fingerprint(double, now=NOW)
    with revive(
        archive,
        TINY,
        tmp_path / "cache",
        engine=ServedEngine(double),
        fingerprint=fingerprint,
        now=NOW,
    ) as revived:
        assert revived.certificate is not None
        assert revived.certificate.verdict == "exact"
        assert revived.certificate.identity.weights == archive.manifest(TINY).weights


def test_a_model_that_does_not_is_refused_before_anyone_speaks_to_it(
    archive: Archive, tmp_path: Path
) -> None:
    fingerprint = take_fingerprint(Scripted(["I am back."]), now=NOW)
    other = ServedEngine(Scripted(["Who are you?"]))
    with (
        pytest.raises(FingerprintDiffers, match="0 of 3 tokens") as differs,
        revive(archive, TINY, tmp_path / "cache", engine=other, fingerprint=fingerprint, now=NOW),
    ):
        pytest.fail("a model that differs was handed out")
    assert "otium archive check tiny-1" in differs.value.advice()


class Loading(ServedEngine):
    """An engine that says when it is told to load ahead."""

    def prepare(self) -> None:
        LOADED.append("prepare")


LOADED: list[str] = []


def test_an_engine_is_loaded_while_its_files_are_on_their_way(
    archive: Archive, tmp_path: Path
) -> None:
    LOADED.clear()

    def tell(what: str, done: int, total: int) -> None:  # noqa: ARG001 - the seam's
        LOADED.append(what)

    engine, cache = Loading(Scripted(["I am back."])), tmp_path / "cache"
    with revive(archive, TINY, cache, engine=engine, now=NOW, progress=tell):
        pass
    assert list(dict.fromkeys(LOADED)) == ["prepare", "restore", "start", "certify", "ready"]


def test_for_an_engine_that_runs_elsewhere_no_files_are_brought(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(Scripted(["I am there."])) as theirs:
        monkeypatch.setenv("OTIUM_ENDPOINT_KEY", theirs.api_key)
        engine = External(url=theirs.base_url, served_as=str(theirs.identity.model))
        with revive(archive, TINY, tmp_path / "cache", engine=engine, now=NOW) as revived:
            assert revived.model.identity.model == TINY
            assert revived.model.chat([Message(role="user", content="Hello?")]).text
    assert not (tmp_path / "cache").exists()


def test_files_in_memory_are_held_until_the_engine_has_ended(
    archive: Archive, tmp_path: Path
) -> None:
    memory = Shelf(tmp_path / "memory", 1 << 20)
    some = Cache(disk=tmp_path / "disk", memory=memory.root, most_in_memory=1 << 20)
    engine = ServedEngine(Scripted(["I am back."]))
    with revive(archive, TINY, some, engine=engine, now=NOW):
        (folder,) = engine.started
        memory.drop(folder)
        assert there(folder) == WHOLE
    memory.drop(folder)
    assert not folder.exists()


@pytest.mark.usefixtures("archive")
def test_a_process_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    memory = Shelf(tmp_path / "memory", 1 << 20)
    command = [sys.executable, "-c", HOLD, str(tmp_path / "archive"), TINY, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        memory.drop(folder)
        assert there(folder) == WHOLE
        other.kill()
    memory.drop(folder)
    assert not folder.exists()


def test_real_weights_go_into_the_archive_and_come_back_the_same(
    demo_weights: Path, real: Endpoint, archive: Archive, tmp_path: Path
) -> None:
    model = ModelId("smol-1")
    folder = tmp_path / "smol"
    folder.mkdir()
    shutil.copy(demo_weights, folder / "model.gguf")
    manifest = archive.add(model, folder, deposited=NOW)
    engine = LlamaCpp(context=1024)
    asked, short = [Message(role="user", content="Name a tree.")], Options(max_tokens=8)
    with revive(archive, model, tmp_path / "cache", engine=engine, now=NOW) as revived:
        assert revived.model.identity.weights == manifest.weights
        answer = revived.model.chat(asked, short)
    assert answer == HttpModel(real).chat(asked, short)
