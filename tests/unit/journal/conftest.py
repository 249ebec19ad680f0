"""The journal in a file: the place of each test."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("journals.contract", "journals.model")


@pytest.fixture
def place(tmp_path: Path) -> str:
    """The path of a journal that is not there yet."""
    return str(tmp_path / ".handrail" / "runs.db")
