"""Messages between processes: JSON with its length before it, and requests to the helper."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_LENGTH = struct.Struct(">Q")
_CHUNK = 1 << 16

REQUEST = struct.Struct(">ciI")
"""A request: what to do, a signal or 0, and the number of an attempt."""

STATUS = struct.Struct(">i")
"""The status of a process that ended, as `os.waitpid` returns it."""

FORK, SIGNAL = b"F", b"S"


def framed(message: Any) -> bytes:
    """Return a message as it is sent."""
    text = _encode(message).encode("ascii")
    return _LENGTH.pack(len(text)) + text


def _plain(value: Any) -> int | float | str:
    """Return a value that JSON lacks as a number, if it is one of another library, or as text."""
    for convert, method in ((int, "__index__"), (float, "__float__")):
        if hasattr(value, method):
            with suppress(Exception):
                return convert(value)
    return str(value)


# Created once, because `json.dumps` creates an encoder for each call with options.
_encode = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


class Unframer:
    """Collects bytes as they are received, and finds the messages in them."""

    def __init__(self) -> None:
        self._received = bytearray()

    def add(self, received: bytes) -> Iterator[Any]:
        """Add bytes; yield each message that is complete with them."""
        self._received += received
        while len(self._received) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._received)
            end = _LENGTH.size + length
            if len(self._received) < end:
                return
            text = bytes(self._received[_LENGTH.size : end])
            del self._received[:end]
            yield json.loads(text)


class Connection:
    """One end of a conversation, which blocks; any thread may send."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = threading.Lock()

    def send(self, message: Any) -> None:
        """Send a message.

        Raises:
            OSError: The other process is gone.
        """
        data = framed(message)
        with self._sending:
            self._end.sendall(data)

    def fileno(self) -> int:
        """Return the descriptor, to wait for messages."""
        return self._end.fileno()

    def receive_descriptors(self, number: int) -> list[int]:
        """Wait for descriptors that were sent with one byte, and return them."""
        return list(socket.recv_fds(self._end, 1, number)[1])

    def receive(self) -> Any:
        """Wait for the next message, and return it.

        Raises:
            EOFError: The other process is gone.
        """
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return json.loads(self._exactly(length))

    def _exactly(self, size: int) -> bytes:
        # No more than that: what follows may be for another reader, with descriptors.
        received = bytearray()
        while len(received) < size:
            try:
                more = self._end.recv(min(size - len(received), _CHUNK))
            except OSError:
                more = b""
            if not more:
                raise EOFError
            received += more
        return bytes(received)
