"""Asks ClamAV's daemon, which gets the content over its socket: INSTREAM, as man clamd has it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from acme_scan.scanner import ScanError

CHUNK = 1 << 16
LONGEST_ANSWER = 1 << 16


class Clamd:
    """A running clamd.

    Args:
        address: The path of its socket, or `host:port`.
        timeout: How long to wait for it, in seconds.

    Raises:
        ScanError: It does not answer.
    """

    def __init__(self, address: str, *, timeout: float = 60.0) -> None:
        self._address = address
        self._timeout = timeout
        # What it says of itself: "ClamAV 1.4.3/27812/Wed Nov 25 ..."
        with self._connected() as connection:
            connection.sendall(b"zVERSION\0")
            self._name = _answer(connection).partition("/")[0]

    @property
    def name(self) -> str:
        """What it is, with its version."""
        return self._name

    def scan(self, path: Path) -> str | None:
        """Return the name of what was found in a file, or None.

        Raises:
            ScanError: The file cannot be read, or clamd could not scan it.
        """
        try:
            file = path.open("rb")
        except OSError as error:
            raise ScanError(f"{path} cannot be read: {error.strerror}") from error
        with file, self._connected() as connection:
            cut_off: OSError | None = None
            try:
                _send(connection, file)
            except ConnectionError as error:
                cut_off = error  # It hangs up on what is too large, and its answer tells.
            answer = _answer(connection)
        if not answer and cut_off is not None:
            raise ScanError(f"clamd at {self._address} hung up: {cut_off}") from cut_off
        return _finding(path, answer)

    @contextmanager
    def _connected(self) -> Generator[socket.socket, None, None]:
        try:
            connection = self._connect()
        except (OSError, ValueError) as error:
            raise ScanError(
                f"clamd does not answer at {self._address}: {error}",
                ways_out=("start it:  systemctl start clamav-daemon",),
            ) from error
        with connection:
            try:
                yield connection
            except TimeoutError as error:
                raise ScanError(
                    f"clamd at {self._address} took longer than {self._timeout:g} s",
                    ways_out=("give it longer:  [packs.acme-scan]  timeout = 600",),
                ) from error

    def _connect(self) -> socket.socket:
        host, colon, port = self._address.rpartition(":")
        if colon and "/" not in port:
            return socket.create_connection((host.strip("[]"), int(port)), timeout=self._timeout)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout)
        try:
            connection.connect(self._address)
        except BaseException:
            connection.close()
            raise
        return connection


def _send(connection: socket.socket, file: BinaryIO) -> None:
    connection.sendall(b"zINSTREAM\0")
    while chunk := file.read(CHUNK):
        connection.sendall(struct.pack(">I", len(chunk)) + chunk)
    connection.sendall(struct.pack(">I", 0))


def _answer(connection: socket.socket) -> str:
    received = b""
    while b"\0" not in received and len(received) < LONGEST_ANSWER:
        try:
            part = connection.recv(4096)
        except ConnectionError:
            break
        if not part:
            break
        received += part
    return received.partition(b"\0")[0].decode("utf-8", "replace").strip()


def _finding(path: Path, answer: str) -> str | None:
    said = answer.removeprefix("stream: ")
    if said == "OK":
        return None
    if said.endswith(" FOUND"):
        return said.removesuffix(" FOUND")
    raise ScanError(f"clamd could not scan {path}: {said.removesuffix(' ERROR') or 'no answer'}")
