"""Exports runs as OpenTelemetry traces and metrics, and as OpenLineage events."""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

__all__ = ["flush", "traceparent"]

TYPE_CHECKING = False

if TYPE_CHECKING:
    from handrail_otel.context import traceparent as traceparent
    from handrail_otel.following import flush as flush

_HOMES = {"flush": "following", "traceparent": "context"}

if not TYPE_CHECKING:

    def __getattr__(name):
        if name in _HOMES:
            return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
