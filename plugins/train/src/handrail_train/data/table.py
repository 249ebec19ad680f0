"""Reads tables with pyarrow, and turns them into examples."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from handrail_storage import count_text
from handrail_train.data.examples import Examples
from handrail_train.errors import DataError
from handrail_train.names import cut, near, some_of

_MOST = 1e150  # Beyond it, the squares that scaling takes are infinite.
_EXACT = 2**53  # Beyond it, floats do not represent all whole numbers.
_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
_IN_UTF8 = "save it as text in UTF-8"
_SMALLEST, _LARGEST = 1 << 20, 1 << 30  # Bytes of a block; types are inferred from the first.


def read_table(path: Path, delimiter: str, columns: Sequence[str] | None = None) -> Any:
    """Return a file as a `pyarrow.Table`.

    Args:
        path: The file.
        delimiter: The separator of the values of a row; empty for Parquet.
        columns: Only these; all unless given.

    Raises:
        DataError: The file does not exist, cannot be read, or is not a table.
    """
    pa = import_module("pyarrow")
    if not path.is_file():
        what = "is no file" if path.exists() else "is not there"
        raise DataError(f"{path} {what}", ways_out=("give a CSV or Parquet file",))
    kind = "CSV" if delimiter else "Parquet"
    try:
        if not delimiter:
            schema = import_module("pyarrow.parquet").read_schema(path)
            known = None if columns is None else [each for each in schema.names if each in columns]
            table = import_module("pyarrow.parquet").read_table(path, columns=known)
        else:
            table = _read_text(path, delimiter)
        names: list[str] = table.column_names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as {kind}: {cut(_said(error), 160)}",
            ways_out=(_way_out(path, delimiter, error),),
        ) from error
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{path} has the column {some_of(map(repr, twice))} more than once",
            ways_out=("give each column a name of its own",),
        )
    return table


def _said(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.object[error.start]:#04x} of a name is not UTF-8"
    return str(error)


def _way_out(path: Path, delimiter: str, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "give whoever trains the right to read it"
    if not delimiter:
        return "check that it is a Parquet file, and whole"
    with suppress(OSError), path.open("rb") as file:
        has_zeros = b"\0" in file.read(1024)
        if has_zeros or isinstance(error, UnicodeDecodeError):
            return _IN_UTF8
    return "check that it is a table, with one header line and as many values in each"


def _read_text(path: Path, delimiter: str) -> Any:
    csv = import_module("pyarrow.csv")
    # In one block if possible, so that whole numbers before a fraction are no error.
    size = min(max(path.stat().st_size + 1, _SMALLEST), _LARGEST)

    def read(*, use_threads: bool) -> Any:
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(block_size=size, use_threads=use_threads),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(strings_can_be_null=True),
        )

    try:
        return read(use_threads=True)
    except import_module("pyarrow").ArrowInvalid:
        return read(use_threads=False)  # Only this reports the row of the error.


def examples_of(
    table: Any,
    source: str,
    target: str,
    features: Sequence[str],
    drop: Sequence[str],
    *,
    drop_missing: bool,
) -> tuple[Examples, int]:
    """Return the examples in a `pyarrow.Table`, and the number of rows left out.

    Args:
        table: The table.
        source: Its name in messages.
        target: The column with the labels.
        features: The columns to learn from; all but the target if it is empty.
        drop: Columns to leave out.
        drop_missing: Whether to leave out the rows in which a value is missing.

    Raises:
        DataError: Columns are not there or not numbers, or values are missing.
    """
    if not table.num_rows:
        raise DataError(f"{source} has no rows", ways_out=("give a table with rows in it",))
    names = _chosen(table.column_names, source, target, features, drop)
    table, dropped = _without_missing(table.select([*names, target]), source, drop=drop_missing)
    _check_numbers(table, source, names)
    np, compute = import_module("numpy"), import_module("pyarrow.compute")
    matrix = np.empty((table.num_rows, len(names)), dtype="float64")
    for place, name in enumerate(names):
        matrix[:, place] = compute.cast(table[name], "float64", safe=False).to_numpy()
    if not np.isfinite(matrix).all():
        infinite = [name for place, name in enumerate(names) if np.isinf(matrix[:, place]).any()]
        raise DataError(
            f"{source}: there are infinite values in {some_of(infinite)}",
            ways_out=("replace them by numbers", *(f"--drop {name}" for name in infinite[:1])),
        )
    if matrix.max() > _MOST or matrix.min() < -_MOST:
        most = np.abs(matrix).max(axis=0)
        large = [name for name, each in zip(names, most, strict=True) if each > _MOST]
        raise DataError(
            f"{source}: there are values beyond {_MOST:g} in {some_of(large)}, with which nothing "
            "can be computed",
            ways_out=("check them, or measure in another unit", f"--drop {large[0]}"),
        )
    classes, codes = np.unique(_labels(table[target], source, target), return_inverse=True)
    examples = Examples(
        features=matrix, codes=codes.astype("int64"), classes=classes, columns=tuple(names)
    )
    return examples, dropped


def _chosen(
    there: Sequence[str], source: str, target: str, features: Sequence[str], drop: Sequence[str]
) -> list[str]:
    for option, wanted in (("--target", [target]), ("--features", features), ("--drop", drop)):
        for name in wanted:
            if name in there:
                continue
            split = " and is not divided by commas" if len(there) == 1 and ";" in there[0] else ""
            raise DataError(
                f"{source} has no column {name!r}{split}; it has {some_of(there)}",
                ways_out=(*near(name, there), f"give {option} a column that is there"),
            )
    if target in features:
        raise DataError(
            f"{target!r} is the target, so nothing can be learnt from it",
            ways_out=("name other columns with --features",),
        )
    names = [
        name for name in (features or there) if name != target and (features or name not in drop)
    ]
    if not names:
        raise DataError(
            f"{source} has no column but the target to learn from",
            ways_out=("drop fewer columns, or give a table with more",),
        )
    return names


def _without_missing(table: Any, source: str, *, drop: bool) -> tuple[Any, int]:
    compute, types = import_module("pyarrow.compute"), import_module("pyarrow.types")
    counts: dict[str, int] = {}
    for name in table.column_names:
        column = table[name]
        # NaN also counts as missing.
        absent = column.is_null(nan_is_null=types.is_floating(column.type))
        count = compute.sum(absent).as_py() or 0
        if count:
            counts[name] = count
    if not counts:
        return table, 0
    if not drop:
        told = some_of(f"{name} ({count:,})" for name, count in counts.items())
        columns: list[str] = table.column_names
        *features, _ = columns
        worst = max(
            (name for name in counts if name in features), key=counts.__getitem__, default=None
        )
        column = () if worst is None else (f"or leave out the column: --drop {worst}",)
        raise DataError(
            f"{source}: values are missing in {told}",
            ways_out=("leave out the rows: --missing drop", *column),
        )
    kept = None
    for name in counts:
        column = table[name]
        here = compute.invert(column.is_null(nan_is_null=types.is_floating(column.type)))
        kept = here if kept is None else compute.and_(kept, here)
    remaining = table.filter(kept)
    if not remaining.num_rows:
        raise DataError(
            f"{source}: a value is missing in every one of its {count_text(table.num_rows, 'row')}",
            ways_out=("leave out the columns with most of them: --drop NAME",),
        )
    return remaining, table.num_rows - remaining.num_rows


def _check_numbers(table: Any, source: str, names: Sequence[str]) -> None:
    types = import_module("pyarrow.types")
    numeric = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    others = [name for name in names if not any(test(table[name].type) for test in numeric)]
    if others:
        told = some_of(f"{name} ({_example(table[name])})" for name in others)
        raise DataError(
            f"{source}: these columns are not numbers: {told}",
            ways_out=(
                "leave them out: " + " ".join(f"--drop {shlex.quote(name)}" for name in others)
                if len(others) <= 4
                else "name the columns to learn from: --features NAME",
                "or turn them into numbers first: text is not encoded by itself, for each way of "
                "it says something else about the values",
            ),
        )


def _example(column: Any) -> str:
    """Return the type of a column that is not numbers, and a value that shows why."""
    compute, types = import_module("pyarrow.compute"), import_module("pyarrow.types")
    if types.is_binary(column.type):
        return "text that is not in UTF-8"
    if not (types.is_string(column.type) or types.is_large_string(column.type)):
        return str(column.type)
    others = column.filter(compute.invert(compute.match_substring_regex(column, _NUMBER)))
    shown = next(iter(others.slice(0, 1).to_pylist()), None)
    return "text" if shown is None else f"text, such as {cut(shown, 24)!r}"


def _labels(column: Any, source: str, target: str) -> Any:
    """Return labels as an array of texts or whole numbers."""
    np, types = import_module("numpy"), import_module("pyarrow.types")
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_string(kind) or types.is_large_string(kind):
        return np.array(column.to_pylist(), dtype=str)
    if types.is_boolean(kind):
        return np.array([str(each).lower() for each in column.to_pylist()], dtype=str)
    if types.is_integer(kind) or types.is_floating(kind):
        values = column.to_numpy()
        most = _EXACT if types.is_floating(kind) else np.iinfo("int64").max
        if (values > most).any() or (values < -most).any():
            raise DataError(
                f"{source}: the target {target!r} has numbers that are too large to be told apart",
                ways_out=("give --target a column of classes", "or write them as text"),
            )
        whole = values.astype("int64")
        if (whole == values).all():
            return whole
        raise DataError(
            f"{source}: the target {target!r} is a measured number, and classes can be learnt only",
            ways_out=("give --target a column of classes, or make classes of its ranges first",),
        )
    raise DataError(
        f"{source}: the target {target!r} is {kind}, which is neither text nor a whole number",
        ways_out=(
            "give --target a column of classes",
            *((f"or {_IN_UTF8}",) if types.is_binary(kind) else ()),
        ),
    )
