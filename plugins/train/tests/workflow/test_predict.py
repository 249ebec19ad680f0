"""Predictions: what a stored model tells of a table, in a new file, and its undo."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from handrail import ParamsError, rollback
from handrail.sqlite import SqliteJournal
from handrail_testing import run_action
from handrail_train import PredictAction, load_model
from handrail_train.data import Source, spool
from handrail_train.data.encoder import TableEncoder
from handrail_train.errors import DataError, ModelError, VersionError

PEOPLE = """zip,age,city,note,score
01234,30,Oslo,likes to read old books,1.5
05678,,Bergen,likes to walk far alone,2.5
01234,50,Oslo,likes to read new books,3.5
05678,40,,likes to swim far alone,4.5
"""


@pytest.fixture
def people(here: Path, train: Any) -> Path:
    """A table of people, from which a model was trained that tells their score."""
    path = here / "people.csv"
    path.write_text(PEOPLE + "".join(PEOPLE.splitlines(keepends=True)[1:] * 9))
    train({"data": "people.csv", "target": "score", "kind": "random_forest", "epochs": 2})
    return path


def predict(**params: Any) -> Any:
    given = {"model": "people", "data": "people.csv", "out": "told.parquet", **params}
    return PredictAction(given, packs=()).run()


def test_a_regression_tells_a_number_for_each_row(people: Path, here: Path) -> None:
    result = predict()
    assert (result["rows"], result["model"], result["out"]) == (40, "people@1", "told.parquet")
    table = pa.parquet.read_table(here / "told.parquet")
    assert table.column_names == ["zip", "age", "city", "note", "score", "predicted_score"]
    assert table["zip"][0].as_py() == "01234"
    model = load_model("models", "people")
    rows = table.select(["zip", "age", "city", "note"])
    assert model.predict(rows).tolist() == table["predicted_score"].to_pylist()
    assert {each["kind"] for each in model.schema} == {"number", "category"}
    with pytest.raises(ModelError, match="which has no probability"):
        model.predict_proba(rows)


@pytest.mark.parametrize("out", ["a.parquet", "a.csv", "a.tsv", "a.jsonl", "a.arrow", "a.feather"])
def test_each_format_holds_what_was_told(people: Path, here: Path, out: str) -> None:
    predict(out=out, bare=True)
    name, path = "predicted_score", here / out
    if out.endswith(".jsonl"):
        found = [json.loads(line)[name] for line in path.read_text().splitlines()]
    elif out.endswith((".csv", ".tsv")):
        found = [float(line) for line in path.read_text().splitlines()[1:]]
    elif out.endswith(".parquet"):
        found = pa.parquet.read_table(path)[name].to_pylist()
    else:
        found = pa.ipc.open_file(path).read_all()[name].to_pylist()
    whole = load_model("models", "people").predict(Source.parse("people.csv").read())
    assert found == pytest.approx(whole.tolist())


@pytest.mark.parametrize("out", ["a.parquet", "a.csv", "a.jsonl", "a.arrow"])
def test_a_table_that_does_not_fit_into_memory_is_told_of_piece_by_piece(
    people: Path, here: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(out=f"whole-{out}")
    told: list[int] = []
    encode = TableEncoder.encode

    def counted(self: Any, table: Any, *given: Any) -> Any:
        told.append(table.num_rows)
        return encode(self, table, *given)

    monkeypatch.setattr(TableEncoder, "encode", counted)
    monkeypatch.setattr(spool, "BATCH", 16)
    monkeypatch.setattr(spool, "IN_MEMORY", 100)
    assert predict(out=out)["rows"] == 40
    assert told == [16, 16, 8]
    if out.endswith(".parquet"):
        assert pa.parquet.read_table(here / out) == pa.parquet.read_table(here / f"whole-{out}")
    elif not out.endswith(".arrow"):
        assert (here / out).read_bytes() == (here / f"whole-{out}").read_bytes()
    else:
        whole = pa.ipc.open_file(here / f"whole-{out}").read_all()
        assert pa.ipc.open_file(here / out).read_all() == whole


def test_a_table_without_rows_is_told_of(people: Path, here: Path, params: Any, train: Any) -> None:
    (here / "none.csv").write_text("zip,age,city,note,score\n")
    assert predict(data="none.csv")["rows"] == 0
    assert "predicted_score" in pa.parquet.read_table(here / "told.parquet").column_names
    train(params(epochs=1))
    (here / "none.csv").write_text((here / "flowers.csv").read_text().splitlines()[0] + "\n")
    assert predict(model="flowers", data="none.csv", out="b.csv", probabilities=True)["rows"] == 0


def test_classes_have_probabilities(here: Path, params: Any, train: Any) -> None:
    train(params(epochs=10))
    predict(model="flowers@1", data="flowers.csv", probabilities=True, bare=True)
    table = pa.parquet.read_table(here / "told.parquet")
    assert table.column_names == ["predicted_kind", *(f"probability_{each}" for each in "abc")]
    for row in table.to_pylist():
        best = max("abc", key=lambda label: row[f"probability_{label}"])
        assert row["predicted_kind"] == best


def test_an_undo_takes_the_file_and_no_other(people: Path, here: Path, world: Any) -> None:
    before = world(here)
    journal = SqliteJournal(here / ".handrail" / "runs.db")
    given = {"model": "people", "data": "people.csv", "out": "deep/er/told.csv"}
    PredictAction(given, packs=()).run(journal=journal)
    assert (here / "deep" / "er" / "told.csv").exists()
    rollback(PredictAction, 1, journal=journal, packs=())
    assert not (here / "deep").exists()
    PredictAction(given, packs=()).run(journal=journal)
    (here / "deep" / "er" / "told.csv").unlink()
    (here / "deep" / "er" / "told.csv").write_text("somebody else's")
    rollback(PredictAction, 2, journal=journal, packs=())
    assert (here / "deep" / "er" / "told.csv").read_text() == "somebody else's"
    journal.close()
    (here / "deep" / "er" / "told.csv").unlink()
    assert world(here) == before


def test_nothing_is_replaced(people: Path, here: Path, handrail: Callable[..., Any]) -> None:
    (here / "told.csv").write_text("mine")
    done = handrail("run", "predict", "people", "people.csv", "told.csv")
    assert (done.returncode, (here / "told.csv").read_text()) == (2, "mine")
    assert "told.csv is there already" in done.stderr


def test_what_cannot_be_told_is_said(people: Path, here: Path) -> None:
    (here / "less.csv").write_text("zip,age,note\n01234,3,x\n")
    for params, error, said in (
        ({"model": "peopl"}, VersionError, "no model 'peopl'"),
        ({"model": "people@9"}, VersionError, "the latest is people@1"),
        ({"data": "less.csv"}, DataError, "no column 'city'"),
    ):
        outcome = run_action(PredictAction, {**BASE, **params})
        cause = outcome.error.__cause__ if outcome.error is not None else None
        assert isinstance(cause, error)
        assert said in str(cause)
        assert not (here / "told.csv").exists()
    with pytest.raises(ParamsError, match=r"ends in \.parquet"):
        PredictAction({**BASE, "out": "told.doc"}, packs=())


BASE = {"model": "people", "data": "people.csv", "out": "told.csv"}


def test_it_runs_from_the_command_line(people: Path, handrail: Callable[..., Any]) -> None:
    done = handrail("run", "predict", "people@latest", "people.csv", "told.csv")
    assert not done.returncode, done.stderr
    assert "people@1 told of 40 rows in told.csv" in done.stdout
