"""A collector on this machine that decodes what it gets: OTLP by HTTP, and OpenLineage events."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

LONG = 60.0  # Seconds after which a condition that does not come is a failure.


@dataclass
class Got:
    """A span as it was received."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    status: int
    message: str
    attributes: dict[str, Any]
    links: list[tuple[str, str, str]]
    events: list[dict[str, Any]]
    resource: dict[str, Any]


@dataclass
class Receiver:
    """What was received.

    Attributes:
        url: Where it listens.
        spans: All spans, in order.
        requests: How many requests for spans were answered or dropped.
        events: The lineage events.
        status: The status of every answer.
        answers: Cleared while no answer is sent.
    """

    url: str = ""
    spans: list[Got] = field(default_factory=list)
    requests: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    answers: threading.Event = field(default_factory=threading.Event)

    @property
    def environ(self) -> dict[str, str]:
        """The variable that lets runs export to here."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url}

    def named(self, name: str) -> list[Got]:
        """Return the spans with a name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Got:
        """Return the only span with a name."""
        (span,) = self.named(name)
        return span

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        until = time.monotonic() + LONG
        while not condition():
            assert time.monotonic() < until, "nothing of the kind was received"
            time.sleep(0.01)

    def take(self, path: str, body: bytes) -> None:
        if path.endswith("/v1/traces"):
            self.requests += 1
            self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        else:
            self.events.append(json.loads(body))


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen for the block."""
    receiver = Receiver()
    receiver.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            receiver.headers.append(dict(self.headers))
            if receiver.status < 300:
                receiver.take(self.path, body)
            receiver.answers.wait(LONG)
            try:
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                pass  # The sender was killed, or waits no more.

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None: ...  # Of senders that were killed.

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.answers.set()
        server.shutdown()
        thread.join()
        server.server_close()


def check_trace(spans: Sequence[Got]) -> None:
    """Check that spans are one trace in which nothing is missing, doubled or out of place."""
    assert len({span.trace for span in spans}) == 1
    ids = [span.id for span in spans]
    assert len(ids) == len(set(ids)), "a span was sent twice"
    by_id = {span.id: span for span in spans}
    missing = [span.name for span in spans if span.parent and span.parent not in by_id]
    assert missing == []
    for span in spans:
        assert span.start <= span.end, span.name
        above = by_id.get(span.parent)
        if above is not None and span.kind != SERVER:
            assert above.start <= span.start, (above.name, span.name)
            assert span.end <= above.end, (above.name, span.name)
        for trace, link, relation in span.links:
            assert link in by_id or trace != span.trace, (span.name, relation)


SERVER = 2  # SPAN_KIND_SERVER


def _spans(request: Any) -> Iterator[Got]:
    for of in request.resource_spans:
        for scope in of.scope_spans:
            for span in scope.spans:
                yield Got(
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    name=span.name,
                    kind=span.kind,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    status=span.status.code,
                    message=span.status.message,
                    attributes=_attributes(span.attributes),
                    links=[
                        (
                            link.trace_id.hex(),
                            link.span_id.hex(),
                            _attributes(link.attributes)["handrail.relation"],
                        )
                        for link in span.links
                    ],
                    events=[_attributes(event.attributes) for event in span.events],
                    resource=_attributes(of.resource.attributes),
                )


def _attributes(found: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in found}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)
