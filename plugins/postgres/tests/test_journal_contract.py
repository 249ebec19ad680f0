"""The journal in PostgreSQL keeps what the contract for packs asks of each journal."""

from __future__ import annotations

import pytest

from handrail_testing import JournalContract


class TestPostgres(JournalContract):
    """A database of a real server."""

    factory = "handrail_postgres:open_journal"

    @pytest.fixture(autouse=True)
    def database(self, postgres_url: str) -> None:
        self.url = postgres_url
