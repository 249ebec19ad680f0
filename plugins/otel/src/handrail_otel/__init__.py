"""Exports runs as OpenTelemetry traces, and as OpenLineage events."""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
    from handrail_otel.context import traceparent as traceparent
    from handrail_otel.following import flush as flush
