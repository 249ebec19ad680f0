"""Row groups of Parquet files end after so many rows, or so many bytes where rows are wide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow
import pyarrow.parquet as parquet
import pytest

from handrail_export.formats.tables import _write_batches


@dataclass
class Given:
    """Rows that are there already."""

    each: list[Any]

    @property
    def schema(self) -> Any:
        return self.each[0].schema

    def batches(self) -> Any:
        return iter(self.each)


@pytest.mark.parametrize(
    ("rows", "width", "batches", "groups"),
    [(1 << 16, 1, 6, [4 << 16, 2 << 16]), (1000, 10_000, 8, [4000, 4000]), (10, 1, 3, [30])],
    ids=["by rows", "by bytes", "the rest"],
)
def test_row_groups(tmp_path: Any, rows: int, width: int, batches: int, groups: list[int]) -> None:
    """So what is held does not depend on how a driver divides the rows."""
    batch = pyarrow.record_batch({"text": ["x" * width] * rows})
    written: Any = Given([batch] * batches)
    assert _write_batches(written, tmp_path / "out.parquet") == rows * batches
    metadata = parquet.read_metadata(tmp_path / "out.parquet")
    found = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert found == groups
