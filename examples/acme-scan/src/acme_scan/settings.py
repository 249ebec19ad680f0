"""What a project may set in `[packs.acme-scan]`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ScanSettings(BaseModel):
    """How uploads are scanned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scanner: Literal["auto", "clamd", "builtin"] = Field(
        default="auto", description="clamd, the built-in signatures, or clamd where there is one"
    )
    socket: str | None = Field(
        default=None,
        description="The socket of clamd: a path or host:port; the usual path unless given",
    )
    on_found: Literal["fail", "skip"] = Field(
        default="fail", description="Fail, or leave out the data units with an infected file"
    )
    max_size: int = Field(default=2**30, gt=0, description="Larger files are refused; bytes")
    timeout: float = Field(default=60.0, gt=0, description="How long to wait for clamd; seconds")
