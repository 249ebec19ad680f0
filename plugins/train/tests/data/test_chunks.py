"""Tables that do not fit into memory: the same numbers, in whatever pieces they are."""

from __future__ import annotations

import gzip
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from handrail_train.data import (
    Choice,
    Dataset,
    Division,
    Source,
    databases,
    files,
    load_dataset,
    spool,
    table,
)
from handrail_train.data.matrix import Matrix
from handrail_train.data.spool import Spool
from handrail_train.errors import DataError

DIVISION = Division(test_share=0.2, validation_share=0.1, seed=3)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few rows be looked at together."""
    for module in (spool, table, databases):
        monkeypatch.setattr(module, "BATCH", 16)


@pytest.fixture
def small(batches: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything that is held in memory be tiny."""
    for module in (spool, files):
        monkeypatch.setattr(module, "IN_MEMORY", 100)
    monkeypatch.setattr(table, "_BLOCK", 64)


def mixed(rows: int = 300) -> pa.Table:
    chance = np.random.default_rng(0)
    codes = np.sort(chance.integers(0, 3, rows))
    return pa.table(
        {
            "size": np.where(chance.random(rows) < 0.1, np.nan, chance.normal(size=rows) + codes),
            "city": [None if n % 7 == 0 else f"city {n % 9}" for n in range(rows)],
            "when": pa.array(chance.integers(0, 10**9, rows), pa.timestamp("s")),
            "note": [f"it is number {n} of all" for n in range(rows)],
            "kind": [f"kind {code}" for code in codes],
        }
    )


def loaded(given: pa.Table, **choice: Any) -> tuple[Dataset, Any]:
    dataset = Dataset.of([given], "table", Choice(**{"target": "kind", **choice}))
    return dataset, dataset.divide(DIVISION)


def rows_of(examples: Any) -> list[tuple[float, ...]]:
    """Return all examples, each as its numbers and its value, sorted."""
    found = [
        (*features, value)
        for chunk in examples.chunks()
        for features, value in zip(chunk.features.tolist(), chunk.values.tolist(), strict=True)
    ]
    return sorted(found, key=str)


def test_where_a_table_is_and_in_how_many_chunks_changes_no_number(
    batches: None, request: pytest.FixtureRequest
) -> None:
    """Parts, fingerprint, encoder and numbers are equal; of the training, all but the order."""
    before, rows = loaded(mixed())
    encoder = before.fit(rows)
    whole, fingerprint = before.split(rows, encoder, "scaled"), before.fingerprint()
    chunked = before.split(rows, encoder, "scaled", 50)
    assert [each.chunk_rows for each in (chunked.train, chunked.validation)] == [44, 0]
    assert isinstance(chunked.train.features, Matrix)
    for name in ("train", "validation", "test"):
        assert rows_of(getattr(chunked, name)) == rows_of(getattr(whole, name))
    assert np.array_equal(chunked.test.features[0:60], whole.test.features)
    request.getfixturevalue("small")
    after, same = loaded(mixed())
    assert (same.parts == rows.parts).all()
    again = after.fit(same)
    assert again.to_dict() == encoder.to_dict()
    spooled = after.split(rows, encoder, "scaled", 50)
    for name in ("train", "validation", "test"):
        assert rows_of(getattr(spooled, name)) == rows_of(getattr(whole, name))
    assert after.fingerprint() == fingerprint


def test_a_sorted_table_is_dealt_out_so_that_each_chunk_has_all_classes() -> None:
    dataset, rows = loaded(mixed())
    train = dataset.split(rows, dataset.fit(rows), "scaled", 50).train
    chunks = [set(chunk.codes.tolist()) for chunk in train.chunks()]
    assert chunks == [{0, 1, 2}] * 5


def test_an_epoch_has_each_row_once_in_an_order_of_its_own() -> None:
    dataset, rows = loaded(mixed())
    train = dataset.split(rows, dataset.fit(rows), "scaled", 50).train

    def epoch(number: int, seed: int = 0) -> list[Any]:
        return [chunk.features.tolist() for chunk in train.chunks(number, seed)]

    assert epoch(1) == epoch(1) != epoch(2)
    assert sorted(epoch(1)) == sorted(epoch(2)) == sorted(epoch(1, seed=7))


def test_weights_follow_their_rows_into_the_chunks() -> None:
    given = mixed().slice(0, 160)
    dataset, rows = loaded(given, balanced=True)
    train = dataset.split(rows, dataset.fit(rows), "scaled", 50).train
    weights = {
        (code, weight)
        for chunk in train.chunks()
        for code, weight in zip(chunk.codes.tolist(), chunk.weights.tolist(), strict=True)
    }
    assert len(weights) == len(dataset.target.classes)


def test_rows_without_a_target_are_left_out_of_each_batch(small: None) -> None:
    given = mixed().set_column(4, "kind", pa.array([None, "a", "b"] * 100))
    dataset, rows = loaded(given)
    assert (len(dataset), dataset.dropped) == (200, 100)
    notes = dataset.table.select(["note"]).read()["note"].to_pylist()
    assert notes == [f"it is number {n} of all" for n in range(300) if n % 3]
    assert sum(rows.counts.values()) == 200


POOLS: list[Any] = []  # What was allocated may live longer than the test.


def held(count: int, folder: Path) -> tuple[int, int]:
    """Return the most bytes of Arrow and of Python and numpy that a table of some rows takes."""

    def tables() -> Iterator[Any]:
        for start in range(0, count, 4096):
            numbers = np.random.default_rng(start).normal(size=(4096, 8))
            columns = {f"x{n}": numbers[:, n] for n in range(8)}
            yield pa.table({**columns, "kind": (numbers[:, 0] > 0).astype("int8")})

    before = pa.default_memory_pool()
    POOLS.append(pa.proxy_memory_pool(before))
    pa.set_memory_pool(POOLS[-1])
    tracemalloc.start()
    try:
        dataset = Dataset.of(tables(), "table", Choice(target="kind"), folder)
        rows = dataset.divide(DIVISION)
        train = dataset.split(rows, dataset.fit(rows), "scaled", 4096).train
        for chunk in train.chunks(1):
            assert len(chunk) <= 4096
        dataset.fingerprint()
        return POOLS[-1].max_memory(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)


def test_memory_does_not_grow_with_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for a few bytes of each row: its target, its part and its chunk."""
    monkeypatch.setattr(spool, "BATCH", 4096)
    monkeypatch.setattr(spool, "IN_MEMORY", 1 << 20)
    held(1 << 15, tmp_path)  # What is imported and kept is not measured.
    few, many = held(1 << 15, tmp_path), held(1 << 17, tmp_path)
    rows = (1 << 17) - (1 << 15)
    assert many[0] - few[0] < 12 * rows  # Of 66 bytes a row.
    assert many[1] - few[1] < 24 * rows  # Of 64 of the numbers.
    assert not list(tmp_path.iterdir())


CSV = 'a,b,c,d\n1,x,2026-01-01,true\n2,"y, and\nmore",2026-01-02,false\n3,z,2026-01-03,\n'


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_a_file_in_blocks_gives_the_same_as_in_one(
    tmp_path: Path, request: pytest.FixtureRequest, ending: str
) -> None:
    """A fraction after whole numbers, a text after numbers, a time after dates, and long rows."""
    text = CSV + "".join(f"{n},w{n},2026-02-01,true\n" for n in range(30))
    text += '0.5,1,2026-02-01 10:00:00,false\n,"a long one: ' + "n\n" * 100 + '",2026-02-02,true'
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    whole = Source.parse(str(path)).read()
    request.getfixturevalue("small")
    blocks = list(Source.parse(str(path)).tables())
    assert len(blocks) > 5
    assert Source.parse(str(path)).read().equals(whole)


def test_a_text_that_comes_late_makes_a_column_of_texts(small: None, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1.50,7\n" * 40 + "n/a or so,8\n")
    found = Source.parse(str(path)).read()
    assert found["a"].to_pylist() == ["1.50"] * 40 + ["n/a or so"]
    assert found["b"].to_pylist() == [7] * 40 + [8]


def test_a_broken_row_is_told_with_the_rows_before_it(small: None, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1,2\n" * 40 + "1,2,3\n")
    with pytest.raises(DataError, match=r"after \d+ rows: .*Expected 2 columns, got 3"):
        Source.parse(str(path)).read()


FULL = mixed().drop_columns("size")  # Of which all is equal to itself.


def test_databases_and_files_come_in_pieces(tmp_path: Path, small: None) -> None:
    pq.write_table(FULL, tmp_path / "rows.parquet")
    with closing(sqlite3.connect(tmp_path / "rows.db")) as connection:
        connection.execute("CREATE TABLE rows (a INTEGER, b)")
        connection.executemany("INSERT INTO rows VALUES (?, ?)", [(n, 0.5) for n in range(40)])
        connection.execute("INSERT INTO rows VALUES (1, 2)")
        connection.commit()
    with pa.ipc.new_file(str(tmp_path / "rows.arrow"), FULL.schema) as writer:
        writer.write_table(FULL, max_chunksize=16)
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n' * 30 + '{"a": 0.5, "b": 2}\n')
    late = Spool.of(Source.parse(str(tmp_path / "rows.jsonl")).tables()).select(["b"])
    assert late.read()["b"].to_pylist() == [None] * 30 + [2]
    for name, rows in (("parquet", 300), ("db", 41), ("arrow", 300), ("jsonl", 31)):
        source = Source.parse(str(tmp_path / f"rows.{name}"))
        pieces = list(source.tables())
        assert max(each.num_rows for each in pieces) <= 16
        kept = Spool.of(pieces)
        assert kept.num_rows == source.read().num_rows == rows
        assert kept.read().equals(source.read())
        assert [each.num_rows for each in kept.batches()][:-1] == [16] * (rows // 16)


def test_objects_that_are_large_are_kept_in_a_file(
    tmp_path: Path, small: None, moto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in moto.environment().items():
        monkeypatch.setenv(variable, value)
    pq.write_table(FULL, tmp_path / "rows.parquet")
    (tmp_path / "rows.csv").write_text(CSV)
    client = moto.client()
    client.create_bucket(Bucket="train-chunks")
    made: list[Path | None] = []

    def scratch_file(folder: Path | None) -> Any:
        made.append(folder)
        return spool.scratch_file(folder)

    monkeypatch.setattr(files, "scratch_file", scratch_file)
    for name in ("rows.parquet", "rows.csv"):
        client.upload_file(str(tmp_path / name), "train-chunks", name)
        found = Source.parse(f"s3://train-chunks/{name}").read()
        assert found.equals(Source.parse(str(tmp_path / name)).read())
    assert len(made) == 1  # The other one is small.


def test_a_matrix_gives_the_rows_that_are_asked_for(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(20, 3))
    kept = Matrix(20, 3, tmp_path / "not" / "there")
    for start in (10, 0):
        kept[start : start + 10] = numbers[start : start + 10]
    assert np.array_equal(kept[0:20], numbers)
    assert np.array_equal(kept[7:9], numbers[7:9])
    assert np.array_equal(kept[np.array([3, 19, 3])], numbers[[3, 19, 3]])
    assert kept[5:5].shape == (0, 3)
    assert np.array_equal(kept.mapped(), numbers)
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_together_is_told() -> None:
    with pytest.raises(DataError, match="several types"):
        Spool.of([pa.table({"a": [1]}), pa.table({"a": ["x"]})])
    assert Spool.of([pa.table({"a": pa.array([], "int64")})]).num_rows == 0


def test_a_table_of_files_is_learnt_from_the_same_way(tmp_path: Path, small: None) -> None:
    for part in range(3):
        pq.write_table(FULL.slice(100 * part, 100), tmp_path / f"{part}.parquet")
    pq.write_table(FULL, tmp_path / "whole.parquet")
    whole = load_dataset(Source.parse(str(tmp_path / "whole.parquet")), Choice(target="kind"))
    parts = load_dataset(Source.parse(str(tmp_path / "[0-9].parquet")), Choice(target="kind"))
    assert whole.fingerprint() == parts.fingerprint()
