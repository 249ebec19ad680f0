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

TYPE_CHECKING = False  # Checkers take it for the one of typing, which nobody has to import.

if TYPE_CHECKING:
    from handrail.journal.sqlite import SqliteJournal

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
    "SqliteJournal",
]

if not TYPE_CHECKING:

    def __getattr__(name):
        if name == "SqliteJournal":  # SQLite is only for those who have runs.
            from handrail.journal.sqlite import SqliteJournal  # noqa: PLC0415

            return SqliteJournal
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
