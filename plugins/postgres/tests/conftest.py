"""The journal in PostgreSQL: a database for each test."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("journals.contract", "journals.model")


@pytest.fixture
def place(postgres_url: str) -> str:
    """The URL of a database that is empty."""
    return postgres_url
