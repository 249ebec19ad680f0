"""Scanners to talk to: a clamd that is really one, and a small one that speaks its protocol."""

from __future__ import annotations

import contextlib
import shutil
import socketserver
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from acme_scan.clamd import Clamd
from acme_scan.scanner import ScanError
from acme_scan.signatures import eicar

LIMIT = 1 << 20  # Of both, in bytes.


class Handler(socketserver.StreamRequestHandler):
    """Answers one command, as clamd does."""

    def handle(self) -> None:
        command = b"".join(iter(lambda: self.rfile.read(1), b"\0"))
        if command == b"zVERSION":
            self.wfile.write(b"Imitation 1.0/0/Thu\0")
            return
        assert command == b"zINSTREAM"
        content = b""
        while size := struct.unpack(">I", self.rfile.read(4))[0]:
            content += self.rfile.read(size)
            if len(content) > LIMIT:
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                while self.rfile.read(1 << 16):
                    pass  # What is left unread would take the answer with it.
                return
        found = b"Eicar-Test-Signature FOUND" if eicar() in content else b"OK"
        self.wfile.write(b"stream: " + found + b"\0")


@pytest.fixture(params=["path", "host and port"])
def imitation(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a small server that speaks INSTREAM."""
    with tempfile.TemporaryDirectory(prefix="acme-") as folder:
        server: socketserver.BaseServer
        if request.param == "path":
            address = f"{folder}/clamd.ctl"
            server = socketserver.ThreadingUnixStreamServer(address, Handler)
        else:
            server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
            address = f"127.0.0.1:{server.server_address[1]}"
        with server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield address
            server.shutdown()


@pytest.fixture(scope="session")
def clamd() -> Iterator[str]:
    """The socket of a real clamd, with a signature of our own: those of ClamAV need a download."""
    program = shutil.which("clamd") or shutil.which("clamd", path="/usr/sbin")
    if program is None:
        pytest.skip("clamd is not installed: apt install clamav-daemon")
    with tempfile.TemporaryDirectory(prefix="acme-") as folder:
        database = Path(folder, "database")
        database.mkdir(mode=0o755)
        signature = f"Eicar-Test-Signature:0:*:{eicar().hex()}\n"
        (database / "acme.ndb").write_text(signature)
        config = Path(folder, "clamd.conf")
        config.write_text(
            f"LocalSocket {folder}/clamd.ctl\nDatabaseDirectory {database}\n"
            f"Foreground yes\nStreamMaxLength {LIMIT}\nExitOnOOM yes\nDisableCache yes\n"
        )
        address = f"{folder}/clamd.ctl"
        with Path(folder, "log").open("w+") as log:
            process = subprocess.Popen(
                [program, f"--config-file={config}"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
            try:
                for _ in range(600):
                    with contextlib.suppress(ScanError):
                        Clamd(address)
                        break
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.1)
                        break
                if process.poll() is not None:
                    pytest.fail(f"clamd did not start:\n{Path(folder, 'log').read_text()}")
                yield address
            finally:
                process.terminate()
                process.wait()
