"""Sends spans to a collector, with the exporter of OpenTelemetry."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

import handrail
from handrail_otel import __version__
from handrail_otel.settings import ENDPOINT, OtelSettings

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from handrail_otel.ids import Remote
    from handrail_otel.spans import Span

Answer = Literal["arrived", "refused", "in doubt"]

# Warnings of the exporters would be printed in the middle of what a run shows; at the end of it one
# message says what was not sent. Handlers that a program has set still get them.
logging.getLogger("opentelemetry").addHandler(logging.NullHandler())

_SCOPE = InstrumentationScope("handrail-otel", __version__)


class NotTakenError(Exception):
    """A collector has not taken a request, or has not said so in time."""


def _nothing() -> None: ...


class _Adapter(HTTPAdapter):
    """Tells when a request is handed to the system: it arrives even if this process is killed then.

    Args:
        handed_over: Called at that time.
    """

    def __init__(self, handed_over: Callable[[], object]) -> None:
        self._handed_over = handed_over
        super().__init__()

    def init_poolmanager(self, *given: Any, **options: Any) -> None:
        """Let the connections of the pools tell it."""
        super().init_poolmanager(*given, **options)
        handed_over = self._handed_over

        class Plain(HTTPConnection):
            def getresponse(self) -> Any:
                handed_over()
                return super().getresponse()

        class Secure(HTTPSConnection):
            def getresponse(self) -> Any:
                handed_over()
                return super().getresponse()

        plain = type("Pool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
        secure = type("Pool", (HTTPSConnectionPool,), {"ConnectionCls": Secure})
        pools: Any = {"http": plain, "https": secure}
        self.poolmanager.pool_classes_by_scheme = pools


class _Session(requests.Session):
    """Sends each request once, and remembers what came of the last one.

    The exporters would repeat a request for many seconds, also one that a slow collector has taken
    without saying so in time, which would double spans. What is not taken is sent later.

    Attributes:
        error: Why the last request was not taken.
        answered: Whether it is certain that it was not.
        handed_over: Called when a request is sent as a whole, and its answer is waited for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.error = ""
        self.answered = True
        self.handed_over: Callable[[], object] = _nothing
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(self._tell))

    def _tell(self) -> None:
        self.handed_over()

    def request(self, *given: Any, **options: Any) -> requests.Response:
        """Send a request.

        Raises:
            NotTakenError: It was not taken.
        """
        try:
            response = super().request(*given, **options)
        except requests.ReadTimeout as error:
            self.error, self.answered = "no answer in time", False
            raise NotTakenError(self.error) from error
        except requests.RequestException as error:
            self.error, self.answered = _reason(error), True
            raise NotTakenError(self.error) from error
        if response.ok:
            self.error, self.answered = "", True
            return response
        self.error, self.answered = f"{response.status_code} {response.reason}", True
        raise NotTakenError(self.error)


def _reason(error: BaseException) -> str:
    """Return the innermost reason of an error, without addresses of objects in memory."""
    found = error
    while (inner := found.__cause__ or found.__context__) is not None:
        found = inner
    if isinstance(found, OSError) and found.strerror:
        return found.strerror
    return type(found).__name__


class Sender:
    """Sends spans of runs of this process.

    Args:
        settings: The settings of the pack.
        timeout: The longest that a request may take, in seconds; None for that of OpenTelemetry.

    Attributes:
        error: What the last request has come to.
    """

    def __init__(self, settings: OtelSettings, timeout: float | None = None) -> None:
        self._settings = settings
        self._timeout = timeout
        self._session = _Session()
        self.error = ""

    def samples(self, trace: int, parent: Remote | None, name: str, server: bool) -> bool:
        """Return whether the sampler of OTEL_TRACES_SAMPLER records a trace."""
        above: Context | None = None
        if parent is not None:
            known = _context(parent.trace, parent.span, sampled=parent.sampled, remote=True)
            above = set_span_in_context(NonRecordingSpan(known))
        kind = SpanKind.SERVER if server else SpanKind.INTERNAL
        sampler = self._tracing.sampler
        decision = sampler.should_sample(above, trace, name, kind).decision
        return decision is Decision.RECORD_AND_SAMPLE

    def send(
        self,
        spans: Sequence[Span],
        trace: int,
        parent: Remote | None,
        handed_over: Callable[[], object],
    ) -> Answer:
        """Send spans of one trace in one request.

        Args:
            spans: The spans.
            trace: The id of the trace.
            parent: The span of another program that holds the run, or None.
            handed_over: Called when all of them are on their way.
        """
        made = [self._readable(span, trace, parent) for span in spans]
        self._session.handed_over = handed_over
        self._session.answered, self._session.error = True, "it was refused"
        # Older exporters raise what the session raises.
        with suppress(NotTakenError):
            if self._exporter.export(made) is SpanExportResult.SUCCESS:
                self.error = ""
                return "arrived"
        self.error = self._session.error
        return "refused" if self._session.answered else "in doubt"

    def close(self) -> None:
        """Give up what is being sent, and send no more."""
        if "_exporter" in vars(self):
            self._exporter.shutdown()  # type: ignore[no-untyped-call]

    @cached_property
    def resource(self) -> Resource:
        """What the spans of this process are of."""
        given = Resource(
            {
                "service.name": "handrail",
                "service.version": handrail.__version__,
                "service.instance.id": str(uuid.uuid4()),
                "telemetry.sdk.language": "python",
                "telemetry.sdk.name": "opentelemetry",
                "telemetry.sdk.version": version("opentelemetry-sdk"),
            }
        )
        # `Resource.create` starts threads, which a process that ends no longer can.
        return given.merge(OTELResourceDetector().detect())

    @cached_property
    def _tracing(self) -> TracerProvider:
        return TracerProvider(resource=self.resource, shutdown_on_exit=False)

    @cached_property
    def _exporter(self) -> OTLPSpanExporter:
        return OTLPSpanExporter(
            endpoint=endpoint_of(self._settings),
            timeout=self._timeout,
            session=self._session,
        )

    def _readable(self, span: Span, trace: int, parent: Remote | None) -> ReadableSpan:
        above = None
        if span.parent is not None:
            above = _context(trace, span.parent)
        elif parent is not None:
            above = _context(parent.trace, parent.span, remote=True)
        raised = span.raised
        events = [] if raised is None else [_event(span.end, raised)]
        status = Status(StatusCode.UNSET)
        if span.error is not None:
            status = Status(StatusCode.ERROR, span.error)
        return ReadableSpan(
            name=span.name,
            context=_context(trace, span.id),
            parent=above,
            resource=self.resource,
            attributes=dict(span.attributes),
            events=events,
            links=[
                Link(_context(link.trace or trace, link.span), {"handrail.relation": link.relation})
                for link in span.links
            ],
            kind=SpanKind.SERVER if span.server else SpanKind.INTERNAL,
            status=status,
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=_SCOPE,
        )


def endpoint_of(settings: OtelSettings) -> str | None:
    """Return where spans go by the settings of the pack; None if variables say it."""
    given = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get(ENDPOINT)
    return None if given else f"{settings.endpoint.rstrip('/')}/v1/traces"


def _context(trace: int, span: int, *, sampled: bool = True, remote: bool = False) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(trace, span, is_remote=remote, trace_flags=flags)


def _event(at: int, raised: Any) -> Event:
    return Event(
        "exception",
        {
            "exception.type": raised.type,
            "exception.message": raised.message,
            "exception.stacktrace": raised.stacktrace,
        },
        at,
    )
