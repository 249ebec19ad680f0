"""A wire between a client and an S3 server: it sees every request, and can fail or answer."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

FOREVER = 1_000_000

# Headers that are of one connection, or that the server here says itself.
OWN = {"connection", "keep-alive", "transfer-encoding", "date", "server"}


@dataclass
class Request:
    """One request, as it came over the wire; `name` is the last part of its path."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def name(self) -> str:
        return unquote(urlsplit(self.target).path).rpartition("/")[2]

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)


@dataclass
class Answer:
    """What goes back over the wire."""

    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


LOST = Answer(0)  # The connection is closed instead.

Forward = Callable[[], Answer]
Rule = Callable[[Request, Forward], Answer | None]


class Handler(BaseHTTPRequestHandler):
    """Takes requests off the wire, for the `wire` of its server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Any

    def pass_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers, body = dict(self.headers.items()), self.rfile.read(length)
        answer = self.server.wire.answer(Request(self.command, self.path, headers, body))
        if answer is LOST:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "content-length" not in map(str.lower, answer.headers):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815 - as http.server has it

    def log_message(self, format: str, *_args: object) -> None:  # noqa: A002 - as http.server has it
        """Say nothing."""


class Wire:
    """A server that passes requests on, unless a rule says something else.

    Attributes:
        requests: All that came.
        rules: Each is asked, in order, with a request and what passes it on, until one answers.
    """

    def __init__(self, upstream: str) -> None:
        self.requests: list[Request] = []
        self.rules: list[Rule] = []
        self._upstream = urlsplit(upstream).netloc
        self._server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.wire = self
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def seen(self, method: str, name: str | None = None) -> list[Request]:
        """Return the requests with this method, and for this key if one is given."""
        return [
            each for each in self.requests if each.method == method and name in (None, each.name)
        ]

    def refuse(self, method: str, status: int, code: str, times: int = FOREVER) -> None:
        """Answer so many requests with an error, in place of the server."""
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
        answer = Answer(status, {"Content-Type": "application/xml"}, text.encode())
        self._rule(method, times, lambda forward: answer)

    def lose_answers(self, method: str, times: int = FOREVER) -> None:
        """Pass so many requests on, and close the connection instead of answering."""

        def lose(forward: Forward) -> Answer:
            forward()
            return LOST

        self._rule(method, times, lose)

    def lose_requests(self, method: str, times: int = FOREVER) -> None:
        """Close the connection at so many requests, which the server never sees."""
        self._rule(method, times, lambda forward: LOST)

    def change(self, method: str, change: Callable[[Answer], None]) -> None:
        """Change what the server answers."""

        def changed(forward: Forward) -> Answer:
            answer = forward()
            change(answer)
            return answer

        self._rule(method, FOREVER, changed)

    def _rule(self, method: str, times: int, answer: Callable[[Forward], Answer]) -> None:
        left = itertools.count(times, -1)

        def rule(request: Request, forward: Forward) -> Answer | None:
            return answer(forward) if request.method == method and next(left) > 0 else None

        self.rules.append(rule)

    def answer(self, request: Request) -> Answer:
        """Return what the rules or the server say to a request."""
        self.requests.append(request)
        for rule in self.rules:
            answer = rule(request, lambda: self._forward(request))
            if answer is not None:
                return answer
        return self._forward(request)

    def _forward(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        try:
            connection.request(request.method, request.target, request.body, request.headers)
            got = connection.getresponse()
            body = got.read()
        finally:
            connection.close()
        # The length is told anew, since the body may be changed; but HEAD has none to tell it by.
        dropped = OWN if request.method == "HEAD" else OWN | {"content-length"}
        headers = {name: value for name, value in got.getheaders() if name.lower() not in dropped}
        return Answer(got.status, headers, body)
