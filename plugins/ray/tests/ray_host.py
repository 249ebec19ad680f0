"""A run in a PostgreSQL journal, for tests of the executor alone."""

from __future__ import annotations

import json
import os

from journals.places import new_run

from handrail.journal import ChunkChange
from handrail_postgres import PostgresJournal
from handrail_testing.executor_contract import ContractHost
from handrail_workers import AttemptId, ChunkCall, Note

PLACE = "HANDRAIL_TEST_JOURNAL"
"""The variable with the URL of the journal, which processes of tests inherit."""

SECRET = "open-sesame-open-sesame"
"""What the workers of the cluster of tests have in the variable ACME_TOKEN."""


class JournalHost(ContractHost):
    """A run that another process may take over."""

    def __init__(self) -> None:
        super().__init__()
        self.journal = os.environ[PLACE]
        self._opened = PostgresJournal(self.journal)
        self._owned = self._opened.open_run(new_run(uid=self.uid))
        self.run = self._owned.number

    def begins(self, call: ChunkCall) -> None:
        """Write that a chunk starts, as `map_items` does."""
        _, step, n, number, attempt, _ = call.attempt
        place = (step, n, number, 0, call.first, len(call.items))
        self._owned.write([ChunkChange(*place, attempt, "started", 0)])

    def recorded(self, attempt: AttemptId) -> list[Note]:
        """Return what workers have written to the journal."""
        _, step, n, number, *_ = attempt
        found = self._opened.item_notes(self.run or 0, step, n, number)
        return [
            Note(each.item, each.key, json.loads(each.values))
            for each in found
            if each.attempt == attempt.attempt
        ]

    def close(self) -> None:
        """Give up the run."""
        self._opened.close()
