"""What a project may set in `[packs.acme-audit]`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class AuditSettings(BaseModel):
    """Where the records go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path = Field(
        default=Path("audit.jsonl"), description="The file that records are appended to"
    )
