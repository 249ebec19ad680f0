"""The durable record of runs: the base class of journals, and their rows.

Public names are imported on first use, so that what only encodes values imports no journal.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.journal.codec import AttemptId as AttemptId
    from handrail.journal.codec import Note as Note
    from handrail.journal.codec import decode_results as decode_results
    from handrail.journal.codec import encode as encode
    from handrail.journal.codec import encode_result as encode_result
    from handrail.journal.codec import entries_of as entries_of
    from handrail.journal.codec import errors_of_chunk as errors_of_chunk
    from handrail.journal.codec import is_json as is_json
    from handrail.journal.codec import items_of as items_of
    from handrail.journal.codec import items_of_chunk as items_of_chunk
    from handrail.journal.codec import mask_json as mask_json
    from handrail.journal.codec import now as now
    from handrail.journal.codec import results_of_chunk as results_of_chunk
    from handrail.journal.context_fields import ContextFields as ContextFields
    from handrail.journal.damage import check_shape as check_shape
    from handrail.journal.damage import decode as decode
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
    from handrail.journal.run_log import JournaledLog as JournaledLog
    from handrail.journal.this_process import interrupt as interrupt
    from handrail.journal.values import Serializers as Serializers
    from handrail.journal.values import ValueReader as ValueReader
    from handrail.journal.values import ValueWriter as ValueWriter
    from handrail.journal.values import check_stored as check_stored
    from handrail.journal.values import value_names as value_names
    from handrail.rollback_data import ASKED as ASKED
    from handrail.rollback_data import CANCELLED as CANCELLED
    from handrail.rollback_data import MAY_HAVE_LEFT as MAY_HAVE_LEFT
