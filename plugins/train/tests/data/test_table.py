"""Tables: what can be read, and one clear message for each thing that cannot."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from handrail_train.data import Choice, Dataset, Division, Source, load_dataset
from handrail_train.errors import DataError

GOOD = "size,heavy,kind\n1,true,a\n2.5,false,b\n3,true,a\n4,false,b\n5,true,a\n6,false,b\n"


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    """Write a table and load it; bytes, text, or an Arrow table as Parquet."""

    def load(content: Any, name: str = "table.csv", **options: Any) -> Any:
        path = tmp_path / name
        if isinstance(content, pa.Table):
            path = path.with_suffix(".parquet")
            pq.write_table(content, path)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        dataset = load_dataset(Source.parse(str(path)), Choice(**{"target": "kind", **options}))
        dataset.divide(Division(test_share=0.2, validation_share=0.1, seed=0))
        return dataset

    return load


def numbers(dataset: Dataset) -> list[list[float]]:
    """Return all rows as trees get them."""
    rows = dataset.divide(Division(test_share=0.2, validation_share=0, seed=0))
    found: list[list[float]] = dataset.fit(rows).encode(dataset.table.read(), "native").tolist()
    return found


def test_numbers_and_truth_values_become_features_and_text_becomes_classes(
    load: Callable[..., Any],
) -> None:
    dataset = load(GOOD)
    assert dataset.table.column_names == ["size", "heavy"]
    assert numbers(dataset)[:2] == [[1.0, 1.0], [2.5, 0.0]]
    assert dataset.target.classes == ("a", "b")
    assert dataset.values.tolist() == [0, 1] * 3


def test_the_same_table_has_the_same_fingerprint_as_csv_tsv_and_parquet(
    load: Callable[..., Any],
) -> None:
    arrow = pa.table(
        {
            "size": [1, 2.5, 3, 4, 5, 6],
            "heavy": [True, False] * 3,
            "kind": pa.array(["a", "b"] * 3).dictionary_encode(),
        }
    )
    found = {
        load(GOOD).fingerprint(),
        load(GOOD.replace(",", "\t"), "table.tsv").fingerprint(),
        load(arrow).fingerprint(),
    }
    assert len(found) == 1
    assert load(GOOD.replace("2.5", "2.6")).fingerprint() not in found


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([3, 1, 3, 1, 3, 1], (1, 3)),
        ([3.0, 1.0] * 3, (1, 3)),
        ([True, False] * 3, ("false", "true")),
        (["x", "y"] * 3, ("x", "y")),
    ],
)
def test_classes_are_whole_numbers_or_texts(
    load: Callable[..., Any], values: list[Any], classes: tuple[Any, ...]
) -> None:
    assert load(pa.table({"size": range(6), "kind": values})).target.classes == classes


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([0.5, 1.5] * 12, "regression"),
        (list(range(24)), "regression"),
        ([1, 2] * 12, "classification"),
        (["1.5", "2.5"] * 12, "classification"),
        ([True, False] * 12, "classification"),
    ],
)
def test_the_target_tells_whether_classes_or_a_number_are_learnt(
    load: Callable[..., Any], values: list[Any], task: str
) -> None:
    table = pa.table({"size": [each * 0.5 for each in range(24)], "kind": values})
    dataset = load(table)
    assert dataset.target.task == task
    assert dataset.target.why
    if not isinstance(values[0], str):
        assert load(table, task="regression").target.task == "regression"


def test_decimals_are_numbers(load: Callable[..., Any]) -> None:
    values = [Decimal("1.5"), Decimal("2.5")] * 3
    dataset = load(pa.table({"size": values, "kind": ["a", "b"] * 3}))
    assert [row[0] for row in numbers(dataset)] == [1.5, 2.5] * 3


def test_a_fraction_far_down_a_column_of_whole_numbers_is_no_error(
    load: Callable[..., Any],
) -> None:
    rows = "".join(f"{number},{number % 2}\n" for number in range(300_000))
    dataset = load(f"size,kind\n{rows}0.5,1\n")
    assert dataset.table.read()["size"][-1].as_py() == 0.5


def test_numbers_with_leading_zeros_are_texts(load: Callable[..., Any]) -> None:
    dataset = load("zip,size,kind\n" + "01234,1,a\n56789,2,b\n" * 3)
    assert dataset.table.read()["zip"].to_pylist()[:2] == ["01234", "56789"]
    assert dataset.table.read()["size"].to_pylist()[:2] == [1, 2]


def test_columns_are_chosen_or_left_out(load: Callable[..., Any]) -> None:
    assert load(GOOD, features=["heavy"]).table.column_names == ["heavy"]
    assert load(GOOD, drop=["heavy"]).table.column_names == ["size"]


def test_rows_without_a_target_are_left_out_and_others_where_that_is_wanted(
    load: Callable[..., Any],
) -> None:
    holes = GOOD + ",true,a\n7,,b\n8,true,\n"
    kept = load(holes)
    assert (len(kept), kept.dropped) == (8, 1)
    loaded = load(holes, missing="drop")
    assert (len(loaded), loaded.dropped) == (6, 3)
    assert loaded.fingerprint() == load(GOOD).fingerprint()


def test_a_missing_value_in_a_column_that_is_left_out_is_not_missed(
    load: Callable[..., Any],
) -> None:
    assert len(load(GOOD + "9,,a\n", drop=["heavy"], missing="fail")) == 7


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        pytest.param(GOOD, {"target": "knd"}, "no column 'knd'.*did you mean kind", id="target"),
        pytest.param(GOOD, {"features": ["sizes"]}, "no column 'sizes'", id="features"),
        pytest.param(GOOD, {"drop": ["weight"]}, "no column 'weight'.*--drop", id="drop"),
        pytest.param(GOOD, {"features": ["kind"]}, "'kind' is the target", id="itself"),
        pytest.param(GOOD, {"drop": ["size", "heavy"]}, "no column but the target", id="nothing"),
        pytest.param(
            GOOD.replace(",", ";"),
            {},
            "is not divided by commas; it has size;heavy;kind",
            id="semicolons",
        ),
        pytest.param(
            "size,size,kind\n1,2,a\n",
            {},
            "column 'size' more than once.*a name of its own",
            id="twice",
        ),
        pytest.param(
            GOOD + ",true,a\n",
            {"missing": "fail"},
            r"missing in size \(1\).*--missing keep.*--missing drop",
            id="hole",
        ),
        pytest.param(
            "size,kind\n1,\n2,\n", {}, "in every one of its 2 rows, of 'kind'", id="no target"
        ),
        pytest.param(
            "size,x,kind\n1,,a\n2,,b\n",
            {"missing": "drop"},
            "in every one of its 2 rows.*--drop",
            id="only holes",
        ),
        pytest.param(
            f"size,kind\n1,{2**63}\n2,{2**63 + 9}\n",
            {"task": "classification"},
            "too large to be told apart",
            id="long",
        ),
        pytest.param("size,kind\n1,a\n2,a\n3,a\n", {}, "only one class, 'a'", id="one class"),
        pytest.param("size,kind\n", {}, "no rows", id="no rows"),
        pytest.param(GOOD + "7,true,c\n", {}, "at least 3 rows.*few have 'c'", id="small class"),
        pytest.param(
            "size,kind\n1,0.5\n2,0.7\n3,0.9\n",
            {"task": "classification"},
            "has fractions.*--task regression",
            id="fractions",
        ),
        pytest.param(GOOD, {"task": "regression"}, "is no number, such as 'a'", id="text"),
        pytest.param("", {}, "cannot be read as CSV", id="empty"),
        pytest.param("size,kind\n1,a\n1,a,3\n", {}, "CSV: .*Row #3.*as many values", id="ragged"),
        pytest.param("größe,kind\n1,a\n".encode("latin-1"), {}, "0xf6.*in UTF-8", id="latin"),
        pytest.param("size,kind\n1,ö\n".encode("latin-1"), {}, "in UTF-8", id="latin below"),
        pytest.param("size,kind\n1,a\n".encode("utf-16"), {}, "in UTF-8", id="utf-16"),
        pytest.param(
            b"\x89PNG\r\n\x1a\n\xff\xfe\x00", {}, "cannot be read as CSV|column", id="png"
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_told_with_the_way_out(
    load: Callable[..., Any], content: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=f"(?s){said}") as error:
        load(content, **options)
    assert len(error.value.message) < 300
    assert error.value.ways_out
    assert "Traceback" not in str(error.value)


def test_a_target_of_an_odd_type_is_told(load: Callable[..., Any]) -> None:
    dates = pa.array([1, 2] * 3, pa.date32())
    with pytest.raises(DataError, match="the target 'kind' is date32"):
        load(pa.table({"size": range(6), "kind": dates}))


def test_a_file_that_is_no_parquet_file_is_told(load: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        load(b"PAR1 not really", "table.parquet")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        Source.parse(str(tmp_path / "gone.csv")).read()
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="there is no table in"):
        Source.parse(str(tmp_path / "folder.csv")).read()


def test_a_target_beyond_what_labels_can_be_is_told(load: Callable[..., Any]) -> None:
    beyond = pa.array([2**63, 2**63 + 1] * 3, pa.uint64())
    with pytest.raises(DataError, match="too large to be told apart"):
        load(pa.table({"size": range(6), "kind": beyond}), task="classification")


def test_names_with_marks_and_letters_of_any_script_are_names(
    load: Callable[..., Any],
) -> None:
    lines = ["\ufeff幅,größe,Art 😀", *(f"{n},{n},{'ja' if n % 2 else '否'}" for n in range(8))]
    dataset = load("\n".join(lines), target="Art 😀")
    assert dataset.table.column_names == ["幅", "größe"]
    assert dataset.target.classes == ("ja", "否")
