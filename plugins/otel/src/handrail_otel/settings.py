"""What may be set for the pack, besides the variables of OpenTelemetry and OpenLineage."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class OtelSettings(BaseModel):
    """The settings of the pack, `[packs.handrail-otel]` in the project file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = Field("", description="Where a collector takes OTLP by HTTP; else OTEL_*.")
    lineage: str = Field("", description="Where OpenLineage events go; else OPENLINEAGE_URL.")
    interval: float = Field(5.0, gt=0, description="Seconds between two exports of a run.")
    wait: float = Field(5.0, ge=0, description="Seconds that the end of a process waits at most.")
    chunks: int = Field(1000, ge=0, description="How many chunks of items of a step have spans.")


ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


def exports(signal: str, settings: OtelSettings, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether `traces` or `lineage` are exported."""
    if signal == "lineage":
        disabled = environ.get("OPENLINEAGE_DISABLED", "").lower() == "true"
        return not disabled and bool(settings.lineage or environ.get("OPENLINEAGE_URL"))
    off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    off = off or environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    given = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environ.get(ENDPOINT)
    return not off and bool(given or settings.endpoint)


def exports_anything(settings: OtelSettings) -> bool:
    """Return whether anything is exported."""
    return any(exports(signal, settings) for signal in ("traces", "lineage"))
