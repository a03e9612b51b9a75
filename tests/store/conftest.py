"""The stores that the contract is held against, among them two servers that speak S3."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from otium.store import LocalStore, RemoteStore, Store, open_store
from otium.testing import MemoryStore

BUCKET = "otium-test"
MakeStore = Callable[[], Store]
_numbers = itertools.count()


class Server(NamedTuple):
    """An S3 server on this machine in which BUCKET is made, and who may use it."""

    url: str
    access: str
    secret: str

    def environment(self) -> dict[str, str]:
        """Return the variables by which a user would name this server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
        }

    def make_bucket(self) -> None:
        """Make BUCKET, as its owner would before otium comes."""
        import boto3  # type: ignore[import-untyped]

        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=BUCKET)
        client.close()


def pytest_configure(config: pytest.Config) -> None:
    """Declare this folder's marker."""
    config.addinivalue_line("markers", "rgw: starts Debian's radosgw, a real S3 server (13 s)")


@pytest.fixture(
    params=["memory", "local", "obstore", "moto", pytest.param("rgw", marks=pytest.mark.rgw)]
)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of store in turn."""
    name: str = request.param
    return name


@pytest.fixture
def make_store(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> MakeStore:
    """Return a maker of empty stores of this kind."""
    if kind == "memory":
        return MemoryStore
    if kind == "local":
        return lambda: LocalStore(tmp_path / f"store-{next(_numbers)}")
    if kind == "obstore":
        return _in_obstores_memory
    server: Server = request.getfixturevalue(kind)
    return bucket_maker(server, monkeypatch)


def bucket_maker(server: Server, monkeypatch: pytest.MonkeyPatch) -> MakeStore:
    """Return a maker of empty prefixes in the bucket of *server*."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return lambda: open_store(f"s3://{BUCKET}/run-{secrets.token_hex(8)}")


def _in_obstores_memory() -> Store:
    from obstore.store import MemoryStore as Objects

    return RemoteStore(Objects(), "memory")


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    """An empty store."""
    return make_store()


@pytest.fixture(scope="session")
def moto() -> Iterator[Server]:
    """Moto's S3 server: quick, and lenient where a real one is strict."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    server = Server(f"http://{host}:{port}", "mock", "mock-secret")
    server.make_bucket()
    yield server
    running.stop()


PROGRAMS = ("ceph", "ceph-authtool", "ceph-mgr", "ceph-mon", "ceph-osd", "monmaptool", "radosgw")


@pytest.fixture(scope="session")
def rgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Ceph's S3 server over a cluster of one disk in memory."""
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        pytest.skip(f"NO REAL S3 SERVER: {', '.join(missing)} missing; .ci/run installs them")
    cluster = Cluster(tmp_path_factory.mktemp("ceph"))
    try:
        server = cluster.start()
        server.make_bucket()
        yield server
    finally:
        cluster.stop()


class Cluster:
    """One monitor, one manager, one disk in memory and the S3 gateway, all on loopback."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._conf = home / "ceph.conf"
        self._keys = home / "keyring"
        self._monitor, self._gateway = _free_port(), _free_port()
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> Server:
        """Start all that a request needs, in order, and make a user."""
        fsid = "7f4dbe2e-3f0e-4c4e-9a55-0b1d6f0f6c11"
        self._conf.write_text(self._settings(fsid))
        self._start_monitor(fsid)
        self._start_disk()
        self._daemon("ceph-mgr", "-i", "x")
        folders = (f"--keyring={self._keys}", f"--rgw-data={self.home / 'rgw'}")
        self._daemon("radosgw", "-n", "client.admin", *folders)
        self._wait_for_gateway()
        keys = ("--access-key=ceph-user", "--secret-key=ceph-secret-0192")
        self._run("radosgw-admin", "user", "create", "--uid=u", "--display-name=u", *keys)
        return Server(f"http://127.0.0.1:{self._gateway}", "ceph-user", "ceph-secret-0192")

    def stop(self) -> None:
        """End the daemons that were started here."""
        for daemon in reversed(self._daemons):
            daemon.kill()
            daemon.wait()

    def _settings(self, fsid: str) -> str:
        return f"""[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{self._monitor}/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
auth supported = none
ms mon client mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 4294967296
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 1
run dir = {self.home}
admin socket =
log file = {self.home}/$name.log
keyring = {self._keys}
mon data = {self.home}/mon
osd data = {self.home}/osd
mgr data = {self.home}/mgr
rgw frontends = beast endpoint=127.0.0.1:{self._gateway} tcp_nodelay=1
"""

    def _start_monitor(self, fsid: str) -> None:
        allow = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
        for name in ("mon.", "client.admin"):
            new = [] if self._keys.exists() else ["--create-keyring"]
            key = [str(self._keys), *new, "--gen-key", "-n", name, *allow]
            self._plain("ceph-authtool", *key)
        monmap = str(self.home / "monmap")
        address = f"[v2:127.0.0.1:{self._monitor}/0]"
        self._plain("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, monmap)
        for folder in ("mon", "osd", "mgr", "rgw"):
            (self.home / folder).mkdir()
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self._daemon("ceph-mon", "-i", "a")

    def _start_disk(self) -> None:
        disk = "0b7c5a44-52c8-4c0a-8f06-5f2b8b8f3a10"
        self._run("ceph", "osd", "new", disk)
        self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        self._daemon("ceph-osd", "-i", "0")

    def _wait_for_gateway(self) -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            assert all(daemon.poll() is None for daemon in self._daemons), self._logs()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._gateway)) == 0:
                    return
            time.sleep(0.2)
        pytest.fail(f"radosgw does not answer: {self._logs()}")

    def _daemon(self, program: str, *arguments: str) -> None:
        with (self.home / f"{program}.out").open("wb") as out:
            command = [program, "-c", str(self._conf), *arguments, "-f"]
            self._daemons.append(subprocess.Popen(command, stdout=out, stderr=out))

    def _run(self, program: str, *arguments: str) -> None:
        self._plain(program, "-c", str(self._conf), *arguments)

    def _plain(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
        assert done.returncode == 0, f"{json.dumps(command)}: {done.stderr}\n{self._logs()}"

    def _logs(self) -> str:
        logs = sorted(self.home.glob("*.out"))
        return "\n".join(f"{path.name}: {path.read_text()[-800:]}" for path in logs)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
