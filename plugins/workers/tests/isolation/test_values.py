"""Values that JSON lacks go from one process to another with the serializers of packs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pandas")
pytest.importorskip("handrail_arrow")

FLOW = """
import os

import pandas

from handrail import action, step


@step
def read(context):
    return {"sales": pandas.DataFrame({"sold": [1, 2, 3]})}


@step(isolated=True)
def double(context):
    sales = context.results["read"].data["sales"]
    return {"sales": sales * 2, "pid": os.getpid()}


framed = action("framed", [read, double])
"""


def test_a_frame_is_handed_over_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read when the result is, and no file is left."""
    (tmp_path / "framed_flow.py").write_text(FLOW)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    made: Any = __import__("framed_flow").framed()
    orchestrator = made.orchestrator(made.plan())
    orchestrator.execute()
    data = orchestrator.context.results["double"].data
    assert list(data["sales"]["sold"]) == [2, 4, 6]
    assert data["pid"] != os.getpid()
    assert list((tmp_path / "temporary").iterdir()) == []
