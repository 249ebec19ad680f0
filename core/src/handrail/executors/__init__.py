"""Executors, which work on the items of steps: the protocol, and what crosses to a worker."""

from __future__ import annotations

from handrail.executors.protocol import (
    AttemptId,
    Cancelled,
    ChunkCall,
    CodeRef,
    Death,
    Done,
    Executor,
    ExecutorFactory,
    Failed,
    Full,
    Guarantees,
    Host,
    ItemError,
    Lost,
    Note,
    Outcome,
)

__all__ = [
    "AttemptId",
    "Cancelled",
    "ChunkCall",
    "CodeRef",
    "Death",
    "Done",
    "Executor",
    "ExecutorFactory",
    "Failed",
    "Full",
    "Guarantees",
    "Host",
    "ItemError",
    "Lost",
    "Note",
    "Outcome",
]
