"""The durable record of runs: the base class of journals, and their rows.

Public names are imported on first use, so that what only encodes values imports no journal.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.journal.codec import encode as encode
    from handrail.journal.damage import decoding as decoding
    from handrail.journal.opening import open_journal as open_journal
    from handrail.journal.opening import refuse_password as refuse_password
    from handrail.journal.protocol import ChunkFences as ChunkFences
    from handrail.journal.protocol import ChunkHolder as ChunkHolder
    from handrail.journal.protocol import ChunkSession as ChunkSession
    from handrail.journal.protocol import Holder as Holder
    from handrail.journal.protocol import Journal as Journal
    from handrail.journal.protocol import OwnedRun as OwnedRun
    from handrail.journal.protocol import RunCheck as RunCheck
    from handrail.journal.records import AttemptChange as AttemptChange
    from handrail.journal.records import AttemptRow as AttemptRow
    from handrail.journal.records import Change as Change
    from handrail.journal.records import ChunkChange as ChunkChange
    from handrail.journal.records import ChunkCount as ChunkCount
    from handrail.journal.records import ChunkRow as ChunkRow
    from handrail.journal.records import FieldRow as FieldRow
    from handrail.journal.records import ItemNoteRow as ItemNoteRow
    from handrail.journal.records import KeptRow as KeptRow
    from handrail.journal.records import NewRun as NewRun
    from handrail.journal.records import NoteRow as NoteRow
    from handrail.journal.records import Reliance as Reliance
    from handrail.journal.records import RelianceChange as RelianceChange
    from handrail.journal.records import RunChange as RunChange
    from handrail.journal.records import RunPage as RunPage
    from handrail.journal.records import RunRow as RunRow
    from handrail.journal.values import value_names as value_names
