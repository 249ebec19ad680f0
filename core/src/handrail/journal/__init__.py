"""The durable record of runs: what a journal keeps, and what can be asked of one."""

from __future__ import annotations

from handrail.journal.protocol import Holder, Journal, OwnedRun
from handrail.journal.records import (
    AttemptChange,
    AttemptRow,
    Change,
    FieldChange,
    FieldRow,
    NewRun,
    NoteChange,
    NoteRow,
    RecordedRun,
    RunChange,
    RunRow,
)

__all__ = [
    "AttemptChange",
    "AttemptRow",
    "Change",
    "FieldChange",
    "FieldRow",
    "Holder",
    "Journal",
    "NewRun",
    "NoteChange",
    "NoteRow",
    "OwnedRun",
    "RecordedRun",
    "RunChange",
    "RunRow",
]
