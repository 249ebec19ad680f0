"""Tables: what can be read, and one clear message for each thing that cannot."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from handrail_train.data import load_examples
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
        return load_examples(str(path), **{"target": "kind", **options})

    return load


def test_numbers_and_truth_values_become_features_and_text_becomes_classes(
    load: Callable[..., Any],
) -> None:
    examples = load(GOOD).examples
    assert examples.columns == ("size", "heavy")
    assert examples.features.tolist()[:2] == [[1.0, 1.0], [2.5, 0.0]]
    assert examples.classes.tolist() == ["a", "b"]
    assert examples.labels.tolist() == ["a", "b"] * 3


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
        load(GOOD).examples.fingerprint(),
        load(GOOD.replace(",", "\t"), "table.tsv").examples.fingerprint(),
        load(arrow).examples.fingerprint(),
    }
    assert len(found) == 1
    assert load(GOOD.replace("2.5", "2.6")).examples.fingerprint() not in found


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([3, 1, 3, 1, 3, 1], [1, 3]),
        ([3.0, 1.0] * 3, [1, 3]),
        ([True, False] * 3, ["false", "true"]),
        (["x", "y"] * 3, ["x", "y"]),
    ],
)
def test_classes_are_whole_numbers_or_texts(
    load: Callable[..., Any], values: list[Any], classes: list[Any]
) -> None:
    examples = load(pa.table({"size": range(6), "kind": values})).examples
    assert examples.classes.tolist() == classes


def test_decimals_are_numbers(load: Callable[..., Any]) -> None:
    values = [Decimal("1.5"), Decimal("2.5")] * 3
    examples = load(pa.table({"size": values, "kind": ["a", "b"] * 3})).examples
    assert examples.features[:, 0].tolist() == [1.5, 2.5] * 3


def test_a_fraction_far_down_a_column_of_whole_numbers_is_no_error(
    load: Callable[..., Any],
) -> None:
    rows = "".join(f"{number},{number % 2}\n" for number in range(300_000))
    examples = load(f"size,kind\n{rows}0.5,1\n").examples
    assert examples.features[-1, 0] == 0.5


def test_columns_are_chosen_or_left_out(load: Callable[..., Any]) -> None:
    assert load(GOOD, features=["heavy"]).examples.columns == ("heavy",)
    assert load(GOOD, drop=["heavy"]).examples.columns == ("size",)


def test_rows_with_missing_values_are_left_out_where_that_is_wanted(
    load: Callable[..., Any],
) -> None:
    holes = GOOD + ",true,a\n7,,b\n8,true,\n"
    loaded = load(holes, missing="drop")
    assert (len(loaded.examples), loaded.dropped) == (6, 3)
    assert loaded.examples.fingerprint() == load(GOOD).examples.fingerprint()


def test_a_missing_value_in_a_column_that_is_left_out_is_not_missed(
    load: Callable[..., Any],
) -> None:
    assert len(load(GOOD + "9,,a\n", drop=["heavy"]).examples) == 7


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
            GOOD + ",true,a\n", {}, r"missing in size \(1\).*--missing drop.*--drop size", id="hole"
        ),
        pytest.param(
            "size,kind\n1,a\n2,\n", {}, r"missing in kind \(1\)", id="a hole in the target"
        ),
        pytest.param(
            "size,x,kind\n1,,a\n2,,b\n",
            {"missing": "drop"},
            "in every one of its 2 rows.*--drop",
            id="only holes",
        ),
        pytest.param(
            "size,name,kind\n1,1e3,a\n2,v w,b\n",
            {},
            r"not numbers: name \(text, such as 'v w'\).*--drop name.*turn them into numbers",
            id="text",
        ),
        pytest.param(
            "size,when,kind\n1,2024-01-01,a\n2,2024-01-02,b\n",
            {},
            r"not numbers: when \(date32",
            id="dates",
        ),
        pytest.param(
            "size,kind\n1e200,a\n2,b\n", {}, r"beyond 1e\+150 in size.*--drop size", id="vast"
        ),
        pytest.param(
            f"size,kind\n1,{2**63}\n2,{2**63 + 9}\n", {}, "too large to be told apart", id="long"
        ),
        pytest.param("size,kind\n1,a\ninf,b\n", {}, "infinite values in size", id="infinite"),
        pytest.param("size,kind\n1,a\n2,a\n3,a\n", {}, "only one class, 'a'", id="one class"),
        pytest.param("size,kind\n", {}, "no rows", id="no rows"),
        pytest.param(GOOD + "7,true,c\n", {}, "at least 3 rows.*few have 'c'", id="small class"),
        pytest.param("size,kind\n1,0.5\n2,0.7\n3,0.9\n", {}, "is a measured number", id="measured"),
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


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([[1], [2]] * 3), "not numbers: size"),
        (pa.array([None] * 6), r"missing in size \(6\).*--drop size"),
        (pa.array([float("nan"), 1.0] * 3), r"missing in size \(3\)"),
        (pa.array([["u"], ["v"]] * 3), r"not numbers: size \(list"),
        (pa.array(["u", "v"] * 3).dictionary_encode(), r"not numbers: size \(dictionary"),
    ],
)
def test_odd_columns_of_parquet_files_are_told(
    load: Callable[..., Any], column: Any, said: str
) -> None:
    with pytest.raises(DataError, match=f"(?s){said}"):
        load(pa.table({"size": column, "kind": ["a", "b"] * 3}))


def test_a_target_of_an_odd_type_is_told(load: Callable[..., Any]) -> None:
    dates = pa.array([1, 2] * 3, pa.date32())
    with pytest.raises(DataError, match="the target 'kind' is date32"):
        load(pa.table({"size": range(6), "kind": dates}))


def test_a_file_that_is_no_parquet_file_is_told(load: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        load(b"PAR1 not really", "table.parquet")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        load_examples(str(tmp_path / "gone.csv"), target="kind")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is no file"):
        load_examples(str(tmp_path / "folder.csv"), target="kind")


def test_a_target_beyond_what_labels_can_be_is_told(load: Callable[..., Any]) -> None:
    numbers = pa.array([2**63, 2**63 + 1] * 3, pa.uint64())
    with pytest.raises(DataError, match="too large to be told apart"):
        load(pa.table({"size": range(6), "kind": numbers}))


def test_names_with_marks_and_letters_of_any_script_are_names(
    load: Callable[..., Any],
) -> None:
    lines = ["\ufeff幅,größe,Art 😀", *(f"{n},{n},{'ja' if n % 2 else '否'}" for n in range(8))]
    examples = load("\n".join(lines), target="Art 😀").examples
    assert examples.columns == ("幅", "größe")
    assert examples.classes.tolist() == ["ja", "否"]
