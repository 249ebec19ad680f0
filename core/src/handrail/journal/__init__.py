"""The durable record of runs: the Journal protocol and its rows."""

from __future__ import annotations

from handrail.journal.protocol import (
    ChecksRows,
    ChunkFences,
    ChunkHolder,
    ChunkSession,
    FindsRuns,
    Holder,
    Journal,
    KeepsItems,
    KeepsObservations,
    KnowsChanges,
    KnowsChildren,
    KnowsDurations,
    KnowsLanes,
    KnowsReliance,
    OwnedRun,
    PrunesOneByOne,
    ReachedByWorkers,
    ReadsValues,
    RecordsByHand,
    RunCheck,
    SharesLock,
    WritesObservations,
    WritesValues,
)
from handrail.journal.records import (
    AttemptChange,
    AttemptRow,
    Change,
    ChunkChange,
    ChunkCount,
    ChunkRow,
    FieldChange,
    FieldRow,
    ItemNoteChange,
    ItemNoteRow,
    NewRun,
    NoteChange,
    NoteRow,
    ObservationChange,
    ObservationRow,
    RecordedRun,
    Reliance,
    RelianceChange,
    RunChange,
    RunPage,
    RunRow,
)

TYPE_CHECKING = False  # Type checkers treat it like that of typing, without the import.

if TYPE_CHECKING:
    from handrail.journal.sqlite import SqliteJournal

__all__ = [
    "AttemptChange",
    "AttemptRow",
    "Change",
    "ChecksRows",
    "ChunkChange",
    "ChunkCount",
    "ChunkFences",
    "ChunkHolder",
    "ChunkRow",
    "ChunkSession",
    "FieldChange",
    "FieldRow",
    "FindsRuns",
    "Holder",
    "ItemNoteChange",
    "ItemNoteRow",
    "Journal",
    "KeepsItems",
    "KeepsObservations",
    "KnowsChanges",
    "KnowsChildren",
    "KnowsDurations",
    "KnowsLanes",
    "KnowsReliance",
    "NewRun",
    "NoteChange",
    "NoteRow",
    "ObservationChange",
    "ObservationRow",
    "OwnedRun",
    "PrunesOneByOne",
    "ReachedByWorkers",
    "ReadsValues",
    "RecordedRun",
    "RecordsByHand",
    "Reliance",
    "RelianceChange",
    "RunChange",
    "RunCheck",
    "RunPage",
    "RunRow",
    "SharesLock",
    "SqliteJournal",
    "WritesObservations",
    "WritesValues",
]

if not TYPE_CHECKING:

    def __getattr__(name):
        if name == "SqliteJournal":  # Import sqlite3 only if it is used.
            from handrail.journal.sqlite import SqliteJournal  # noqa: PLC0415

            return SqliteJournal
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
