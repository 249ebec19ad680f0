"""A training after an export knows its columns as the source has them, and both are one undo."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handrail import StepFailedError, chain
from handrail_export import DefaultExportAction
from handrail_train import DefaultTrainAction, load_model

QUERY = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
SELECT i * 0.5 AS size, printf('%05d', i % 3) AS code, i % 4 AS floor,
       CASE WHEN i % 2 THEN 'yes' ELSE 'no' END AS answer, date('2026-01-01', i || ' days') AS day
FROM n
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("shop.db")) as database:
        database.execute(f"CREATE TABLE house AS {QUERY}")
        database.commit()
    return tmp_path


def params(**train: Any) -> dict[str, Any]:
    return {
        "export": {"source": "shop.db", "table": "house", "target": "out/", "format": "parquet"},
        "train": {"target": "answer", "kind": "hist_gradient_boosting", "epochs": 2, **train},
    }


def both() -> Any:
    inputs = {"train.data": "export.output_path"}
    return chain("both", [DefaultExportAction, DefaultTrainAction], inputs=inputs)


def test_columns_are_those_of_the_source(here: Path) -> None:
    """A code with zeros in front is a category, and not a number, as in a training on the table."""
    assert both().run(params(name="chained"), packs=())["success"]
    direct = {"data": "shop.db", "table": "house", **params()["train"], "name": "direct"}
    DefaultTrainAction(direct, packs=()).run()
    chained, alone = (load_model("models", f"{name}@1") for name in ("chained", "direct"))
    assert chained.schema == alone.schema
    assert "code" in str(chained.schema)


def test_a_training_that_fails_takes_the_export_back(here: Path) -> None:
    """Such as one whose target is no column of the export."""
    with pytest.raises(StepFailedError, match="nobody"):
        both().run(params(target="nobody"), packs=())
    assert sorted(path.name for path in here.iterdir()) in (["shop.db"], [".handrail", "shop.db"])
