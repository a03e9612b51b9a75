"""A real time-stamping authority on loopback: ``openssl ts`` behind a small server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from otium.timestamps import Authority

Change = Callable[[bytes], bytes]

# The reply has the signer's certificate only: rfc3161-client refuses the unsorted set that
# openssl makes of several.
CONFIG = """
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/signer.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.57264.2
digests = {digests}
ess_cert_id_alg = sha256
"""
# openssl asks the C library for the time; this answers with another.
CLOCK = """
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int gettimeofday(struct timeval *now, void *zone) {
    syscall(SYS_gettimeofday, now, zone);
    now->tv_sec += 86400 * atol(getenv("DAYS"));
    return 0;
}
time_t time(time_t *out) {
    struct timeval now;
    gettimeofday(&now, NULL);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")


class Tsa:
    """An authority's keys and certificates in *folder*."""

    def __init__(
        self, folder: Path, *, days: int = 365, now: int = 0, digests: str = "sha256"
    ) -> None:
        """Begin, with a signer's certificate for *days*; its clock is *now* days off."""
        folder.mkdir()
        self.folder = folder
        self.days = days
        self.now = now
        self.change: Change = bytes
        self.url = ""
        self.asked: list[bytes] = []
        (folder / "serial").write_text("01\n")
        (folder / "ts.cnf").write_text(CONFIG.format(folder=folder, digests=digests))
        subject = ("-subj", f"/CN={folder.name} root", "-extensions", "root", "-days", "3650")
        self.run("req", "-x509", *KEY, *self.config, *subject, *self.files("root", "key", "pem"))
        self.certify()

    def certify(self) -> None:
        """Make a new key and a certificate for it."""
        subject = ("-subj", f"/CN={self.folder.name}")
        self.run("req", "-new", *KEY, *self.config, *subject, *self.files("signer", "key", "csr"))
        how = ("-days", str(self.days), "-extfile", "ts.cnf", "-extensions", "signer")
        root = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial")
        self.run("x509", "-req", "-in", "signer.csr", *root, *how, "-out", "signer.pem")

    @property
    def config(self) -> tuple[str, str]:
        return "-config", "ts.cnf"

    @staticmethod
    def files(name: str, key: str, out: str) -> tuple[str, ...]:
        return "-keyout", f"{name}.{key}", "-out", f"{name}.{out}"

    def run(self, *words: str) -> None:
        env = dict(os.environ)
        if self.now:
            env |= {"LD_PRELOAD": str(clock(self.folder)), "DAYS": str(self.now)}
        command = ["openssl", *words]
        subprocess.run(command, cwd=self.folder, env=env, check=True, capture_output=True)

    @property
    def authority(self) -> Authority:
        certificates = (self.folder / "root.pem").read_bytes()
        return Authority(name=self.folder.name, url=self.url, certificates=certificates)

    def reply(self, query: bytes) -> bytes:
        self.asked.append(query)
        (self.folder / "query").write_bytes(query)
        self.run("ts", "-reply", *self.config, "-queryfile", "query", "-out", "reply")
        return self.change((self.folder / "reply").read_bytes())

    @contextmanager
    def serving(self) -> Iterator[Authority]:
        tsa = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.headers["Content-Type"] == "application/timestamp-query"
                body = tsa.reply(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}/tsa"
        try:
            yield self.authority
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def clock(folder: Path) -> Path:
    """Return the library that moves the time of a program by ``DAYS``."""
    library = folder / "clock.so"
    if not library.exists():
        (folder / "clock.c").write_text(CLOCK)
        command = ["cc", "-shared", "-fPIC", "-o", str(library), str(folder / "clock.c")]
        subprocess.run(command, check=True, capture_output=True)
    return library
