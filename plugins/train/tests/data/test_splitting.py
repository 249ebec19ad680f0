"""Rows are divided by chance, by group or by time: each once, each class everywhere."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail_train.data import Choice, Dataset, Division, Rows
from handrail_train.data.splitting import fold_of
from handrail_train.errors import DataError


def dataset(counts: list[int], **choice: str) -> Dataset:
    codes = np.repeat(np.arange(len(counts)), counts)
    rows = np.arange(len(codes))
    table = pa.table({"number": rows, "kind": codes, "group": rows // 4, "time": rows[::-1] // 2})
    return Dataset.of([table], "table", Choice(target="kind", task="classification", **choice))


def parts(rows: Rows) -> list[list[int]]:
    return [each.tolist() for each in (rows.train, rows.validation, rows.test)]


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=5),
    shares=st.tuples(st.floats(0.01, 0.99), st.floats(0, 0.99)),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_row_is_in_one_part_and_each_class_in_every_part(
    counts: list[int], shares: tuple[float, float], seed: int
) -> None:
    given, (test, validation) = dataset(counts), shares
    rows = given.divide(Division(test_share=test, validation_share=validation, seed=seed))
    found = parts(rows)
    assert sorted(row for part in found for row in part) == list(range(len(given)))
    for part in (each for each in found if each):
        assert part == sorted(part)
        assert set(given.values[part].tolist()) == set(range(len(counts)))
    assert bool(found[1]) == bool(validation)


def test_the_seed_alone_decides() -> None:
    given = dataset([30, 30])

    def rows(seed: int) -> list[list[int]]:
        return parts(given.divide(Division(test_share=0.2, validation_share=0.1, seed=seed)))

    assert rows(1) == rows(1) != rows(2)


@given(seed=st.integers(0, 1000), share=st.floats(0.1, 0.5))
def test_rows_of_one_group_are_in_one_part(seed: int, share: float) -> None:
    table = pa.table(
        {"n": range(0, 80, 2), "kind": [0, 1] * 20, "group": [f"g{n // 4}" for n in range(40)]}
    )
    given = Dataset.of([table], "table", Choice(target="kind", group="group"))
    assert given.table.column_names == ["n"]  # Of a group in the test, a model knows nothing.
    rows = given.divide(Division(test_share=share, validation_share=0.2, seed=seed))
    groups = [{row // 4 for row in part} for part in parts(rows)]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 10
    assert all(groups)


def test_the_last_rows_by_time_are_the_test_and_no_moment_is_torn_apart() -> None:
    table = pa.table(
        {"n": range(0, 40, 2), "kind": [0, 1] * 10, "when": [n // 4 for n in range(20)]}
    )
    given = Dataset.of(
        [table.take(list(range(20))[::-1])], "table", Choice(target="kind", time="when")
    )
    rows = given.divide(Division(test_share=0.3, validation_share=0.2, seed=0))
    times = [given.time.take(part).to_pylist() for part in parts(rows)]
    assert max(times[0]) < min(times[1]) <= max(times[1]) < min(times[2])
    assert "when" in given.table.column_names


def test_too_few_groups_and_moments_are_told() -> None:
    table = pa.table({"n": range(0, 12, 2), "kind": [0, 1] * 3, "same": ["a"] * 6})
    division = Division(test_share=0.3, validation_share=0.1, seed=0)
    with pytest.raises(DataError, match="1 group to divide into 3 parts"):
        Dataset.of([table], "table", Choice(target="kind", group="same")).divide(division)
    with pytest.raises(DataError, match="too few moments"):
        Dataset.of([table], "table", Choice(target="kind", time="same")).divide(division)


def test_a_part_without_a_class_is_told() -> None:
    table = pa.table({"n": range(0, 40, 2), "kind": [0] * 10 + [1] * 10, "when": range(20)})
    division = Division(test_share=0.3, validation_share=0.1, seed=0)
    with pytest.raises(DataError, match="part have no '0'"):
        Dataset.of([table], "table", Choice(target="kind", time="when")).divide(division)


@given(counts=st.lists(st.integers(6, 20), min_size=2, max_size=3), folds=st.integers(2, 5))
def test_each_row_is_once_in_the_test_of_a_fold(counts: list[int], folds: int) -> None:
    given = dataset(counts)
    tested: list[int] = []
    for fold in range(folds):
        rows = fold_of(given, fold, folds=folds, seed=3)
        assert sorted([*rows.train, *rows.test]) == list(range(len(given)))
        tested += rows.test.tolist()
    assert sorted(tested) == list(range(len(given)))
