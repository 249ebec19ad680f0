"""A line to a PostgreSQL server that breaks between a COMMIT and its answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

# The message CommandComplete, with its length: the whole answer to a COMMIT.
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"


class CuttingLine:
    """Forwards connections to a server, each in threads of its own.

    Args:
        port: The port of the server on the loopback interface.

    Attributes:
        port: The port to connect to instead.
        answer: The answer at which it can break; to a COMMIT, unless it is set.
        cuts: Called with the number of each such answer, from 0; where it returns true, the client
            does not get that answer, and the connection is closed on both sides.
        commits: How many such answers there were.
        connections: How many connections there were.
        broken: How many were closed so.
    """

    def __init__(self, port: int) -> None:
        self.answer = COMMITTED
        self.cuts: Callable[[int], bool] = lambda number: False
        self.commits = self.connections = self.broken = 0
        self._server = port
        self._turn = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        # Else `accept` would hold it open.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def url(self, url: str) -> str:
        """Return the URL of a database of the server, by this line."""
        return url.replace(f":{self._server}/", f":{self.port}/")

    def cut(self) -> None:
        """Close all connections."""
        with self._turn:
            ends, self._open = self._open, []
        for end in ends:
            _close(end)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._server))
                except OSError:
                    _close(client)
                    continue
                with self._turn:
                    self.connections += 1
                    self._open += [client, server]
                for source, sink, cuts in ((client, server, False), (server, client, True)):
                    line = threading.Thread(target=self._forward, args=(source, sink, cuts))
                    line.daemon = True
                    line.start()

    def _forward(self, source: socket.socket, sink: socket.socket, cuts: bool) -> None:
        before = b""  # A message may come in two pieces.
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                text = before + piece
                if cuts and self.answer in text:
                    before = b""
                    if self._is_cut():
                        break
                else:
                    before = text[1 - len(self.answer) :]
                sink.sendall(piece)
        _close(source)
        _close(sink)

    def _is_cut(self) -> bool:
        with self._turn:
            number = self.commits
            self.commits += 1
            cut = self.cuts(number)
            self.broken += cut
        return cut


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
