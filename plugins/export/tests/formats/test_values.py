"""Values of random tables come out of each format as they went in, or as what the docs say."""

from __future__ import annotations

import csv
import datetime
import json
import math
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail_export.choice import Choice
from handrail_export.errors import FormatError
from handrail_export.formats import find_format
from handrail_export.rows import Rows
from handrail_export.sources.address import parse_source
from handrail_export.sources.files import FileSource

RANDOM = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)
DAYS = st.dates()
TIMES = st.datetimes()
KINDS = {
    "int8": (pyarrow.int8(), st.integers(-(2**7), 2**7 - 1)),
    "int64": (pyarrow.int64(), st.integers(-(2**63), 2**63 - 1)),
    "uint64": (pyarrow.uint64(), st.integers(0, 2**64 - 1)),
    "float": (pyarrow.float32(), st.floats(width=32)),
    "double": (pyarrow.float64(), st.floats()),
    "text": (pyarrow.string(), TEXT),
    "bool": (pyarrow.bool_(), st.booleans()),
    "bytes": (pyarrow.binary(), st.binary(max_size=8)),
    "date": (pyarrow.date32(), DAYS),
    "time": (pyarrow.time64("us"), st.times()),
    "timestamp": (pyarrow.timestamp("us"), TIMES),
    "instant": (
        pyarrow.timestamp("us", "UTC"),
        st.datetimes(timezones=st.just(datetime.UTC)),
    ),
    "decimal": (
        pyarrow.decimal128(38, 4),
        st.decimals(min_value=-(10**30), max_value=10**30, places=4),
    ),
}
NESTED = {
    "list": (pyarrow.list_, lambda each: st.lists(st.none() | each, max_size=3)),
    "struct": (
        lambda kind: pyarrow.struct([("a b", kind), ("n", pyarrow.int64())]),
        lambda each: st.fixed_dictionaries({"a b": st.none() | each, "n": st.just(1)}),
    ),
}


def marks_times():
    """Return whether this pyarrow marks times in Parquet as those of UTC, as older ones do."""
    out = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table({"a": pyarrow.nulls(1, pyarrow.time64("us"))}), out)
    schema = parquet.ParquetFile(out.getvalue()).schema
    return bool(json.loads(schema.column(0).logical_type.to_json())["isAdjustedToUTC"])


# Those within lists and structs then become text.
MARKS_TIMES = marks_times()


@st.composite
def tables(draw):
    """A table of one to four columns, some of them nested, with up to six rows."""
    count = draw(st.integers(1, 6))
    columns = {}
    for number in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(sorted(KINDS)))
        kind, values = KINDS[name]
        depths = [0] if name == "time" and MARKS_TIMES else [0, 0, 1, 2]
        for _ in range(draw(st.sampled_from(depths))):
            of, around = NESTED[draw(st.sampled_from(sorted(NESTED)))]
            kind, values = of(kind), around(values)
        listed = st.lists(st.none() | values, min_size=count, max_size=count)
        columns[f"c {number}"] = pyarrow.array(draw(listed), kind)
    return pyarrow.table(columns)


def write(table, name, folder, source="parquet"):
    """Write a table by a format, from a file of another one; return the file."""
    source, target = folder / f"source.{source}", folder / f"target.{name}"
    if source.suffix == ".parquet":
        parquet.write_table(table, source)
    else:
        with ipc.new_file(source, table.schema) as file:
            file.write_table(table)
    target.unlink(missing_ok=True)
    rows = Rows(
        FileSource(parse_source(str(source))), Choice(), memory=1 << 28, scratch=str(folder)
    )
    try:
        assert find_format(name).write(rows, target) == table.num_rows
    finally:
        rows.close()
    return target


def same(one, other):
    """Return whether two values are equal; NaN is equal to NaN here."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize(("source", "name"), [("parquet", "arrow"), ("arrow", "parquet")])
@RANDOM
@given(table=tables())
def test_typed_columns(tmp_path_factory, source, name, table):
    """Parquet and Arrow return the same values, of the same types of Python."""
    path = write(table, name, tmp_path_factory.mktemp("t"), source)
    found = parquet.read_table(path) if name == "parquet" else ipc.open_file(path).read_all()
    assert same(found.to_pydict(), table.to_pydict())


def as_json(value, kind):
    """Return a value as JSON has it."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return float(value)
        case bytes():
            return f"\\x{value.hex()}"
        case list():
            return [as_json(each, kind) for each in value]
        case dict():
            return {name: as_json(each, kind) for name, each in value.items()}
        case _:
            return as_text(value)


def as_text(value):
    """Return a value that is no JSON as CSV has it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case bytes():
            return f"\\x{value.hex()}"
        case datetime.datetime():
            text = value.replace(tzinfo=None).isoformat(" ")
            return f"{text.rstrip('0') if '.' in text else text}{'+00' if value.tzinfo else ''}"
        case datetime.time():
            text = value.isoformat()
            return text.rstrip("0") if "." in text else text
        case _:
            return str(value)


@RANDOM
@given(table=tables())
def test_json_lines(tmp_path_factory, table):
    """Each line is JSON, strictly; NaN and infinity are null, wherever they are."""
    path = write(table, "jsonl", tmp_path_factory.mktemp("t"))
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    found = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    expected = [as_json(row, None) for row in table.to_pylist()]
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(expected))


@settings(RANDOM, max_examples=5)
@given(
    texts=st.lists(TEXT, min_size=1, max_size=5),
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=5, max_size=5),
    fractions=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=5, max_size=5),
)
def test_from_text_and_back(tmp_path_factory, texts, numbers, fractions):
    """What is written as JSON Lines is read as the same; so is text, with --csv-types text."""
    count = len(texts)
    columns = {"n": numbers[:count], "f": fractions[:count], "t": [f"t{each}" for each in texts]}
    table = pyarrow.table({name: pyarrow.array(each) for name, each in columns.items()})
    folder = tmp_path_factory.mktemp("t")
    for name, text in (("jsonl", False), ("csv", True)):
        path = write(table, name, folder)
        rows = Rows(
            FileSource(parse_source(str(path)), text=text),
            Choice(),
            memory=1 << 28,
            scratch=str(folder),
        )
        found = pyarrow.Table.from_batches(rows.batches()).to_pydict()
        rows.close()
        assert found["t"] == columns["t"]
        assert [int(each) for each in found["n"]] == columns["n"]
        assert [float(each) for each in found["f"]] == columns["f"]


@RANDOM
@given(table=tables())
def test_csv(tmp_path_factory, table):
    """Values are text; lists and structs are JSON in it."""
    path = write(table, "csv", tmp_path_factory.mktemp("t"))
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == table.column_names
    for row, values in zip(rows, table.to_pylist(), strict=True):
        for text, value in zip(row or [""], values.values(), strict=True):
            if isinstance(value, (list, dict)):
                assert json.loads(text, parse_constant=pytest.fail) == as_json(value, None)
            elif isinstance(value, float):
                assert (
                    same(float(text), value)
                    or pyarrow.scalar(float(text), pyarrow.float32()).as_py() == value
                )
            else:
                assert text == as_text(value)


def copied(source, folder):
    """Return what the engine's own COPY writes as CSV, and what the format does."""
    (folder / "copied.csv").unlink(missing_ok=True)
    (folder / "written.csv").unlink(missing_ok=True)
    found = []
    for path in (folder / "copied.csv", folder / "written.csv"):
        rows = Rows(
            FileSource(parse_source(str(source))), Choice(), memory=1 << 28, scratch=str(folder)
        )
        try:
            if path.stem == "copied":
                rows.copy(str(path), "FORMAT csv, HEADER true")
            else:
                find_format("csv").write(rows, path)
        finally:
            rows.close()
        found.append(path.read_bytes())
    return found


# Every letter that may need quotes, and those that may not.
MARKS = st.text(st.sampled_from("a,\"\n\r';#| \t\\\0ä\ufeff\u2028NUL"), max_size=5)


@settings(RANDOM, max_examples=40)
@given(table=tables(), data=st.data())
def test_csv_is_what_the_engine_copies(tmp_path_factory, table, data):
    """Byte by byte, whatever is in the values and the names; NULL is not the same as nothing."""
    folder = tmp_path_factory.mktemp("t")
    names = data.draw(st.lists(MARKS.filter(bool), max_size=3, unique_by=str.casefold))
    for name in names:
        texts = data.draw(st.lists(st.none() | MARKS, min_size=len(table), max_size=len(table)))
        place = data.draw(st.integers(0, table.num_columns))
        table = table.add_column(place, name.replace("\0", "0"), pyarrow.array(texts, "string"))
    table = table.select(data.draw(st.permutations(range(table.num_columns))))
    parquet.write_table(table, folder / "source.parquet")
    wanted, found = copied(folder / "source.parquet", folder)
    assert found == wanted


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ['x, "y"', "a\nb"], ["größe", "a b", "#c"]])
@pytest.mark.parametrize("values", [[None], [""], [None, ""], ["a", None, "b,"], [","], ['"'], []])
def test_csv_of_few_values_is_what_the_engine_copies(tmp_path, names, values):
    table = pyarrow.table({name: pyarrow.array(values, "string") for name in names})
    parquet.write_table(table, tmp_path / "source.parquet")
    wanted, found = copied(tmp_path / "source.parquet", tmp_path)
    assert found == wanted


CELLS = st.sampled_from(["text", "int64", "double", "bool", "date", "timestamp", "decimal"])


@RANDOM
@given(data=st.data())
def test_excel(tmp_path_factory, data):
    """A cell is the value, or its text where Excel would change it."""
    kind, values = KINDS[data.draw(CELLS)]
    column = data.draw(st.lists(st.none() | values, min_size=1, max_size=5))
    if any(isinstance(v, str) and any(ord(c) < 32 and c not in "\t\n" for c in v) for v in column):
        return
    path = write(
        pyarrow.table({"c": pyarrow.array(column, kind)}), "xlsx", tmp_path_factory.mktemp("t")
    )
    book = openpyxl.load_workbook(path)
    found = [row[0] for row in book.active.iter_rows(min_row=2, values_only=True)]
    found += [None] * (len(column) - len(found))  # Rows at the end that are empty.
    for cell, value in zip(found, column, strict=True):
        if isinstance(cell, str) and not isinstance(value, str):
            assert cell in (str(value), as_text(value), f"{value}")
        elif isinstance(value, str):
            assert (cell or "") == value
        elif isinstance(value, datetime.datetime):
            assert cell == value
        elif isinstance(value, datetime.date):
            assert cell.date() == value
        elif isinstance(value, Decimal):
            assert Decimal(repr(cell)) == value
        else:
            assert cell == value


def test_fractions_keep_all_their_digits(tmp_path):
    """What writes the workbook would round them to 16."""
    values = [1.3512345678901237, 0.1, -1e-300, 5e-324, 1.7976931348623157e308]
    path = write(pyarrow.table({"c": values}), "xlsx", tmp_path)
    cells = list(openpyxl.load_workbook(path).active.iter_rows(min_row=2, values_only=True))
    assert [cell for (cell,) in cells] == values


def test_text_is_never_a_formula(tmp_path):
    """What begins with = is shown, not computed."""
    path = write(pyarrow.table({"=1+1": ["=1+1", "#N/A", "@x"]}), "xlsx", tmp_path)
    cells = [cell for (cell,) in openpyxl.load_workbook(path).active.iter_rows()]
    assert [(cell.value, cell.data_type) for cell in cells] == [
        (value, "s") for value in ("=1+1", "=1+1", "#N/A", "@x")
    ]


@pytest.mark.parametrize(
    ("column", "told"),
    [(["a\0b"], "a control character"), (["x" * 32768], "more than the 32,767 characters")],
)
def test_what_a_sheet_cannot_have(tmp_path, column, told):
    with pytest.raises(FormatError, match=told):
        write(pyarrow.table({"c": column}), "xlsx", tmp_path)


def test_a_sheet_that_is_too_small(tmp_path, monkeypatch):
    """More rows or columns than a sheet has are refused, as Excel would leave them out."""
    monkeypatch.setattr("handrail_export.formats.excel._MOST_ROWS", 3)
    monkeypatch.setattr("handrail_export.formats.excel._MOST_COLUMNS", 1)
    with pytest.raises(FormatError, match="at most 3 rows"):
        write(pyarrow.table({"c": [1, 2, 3, 4]}), "xlsx", tmp_path)
    with pytest.raises(FormatError, match="at most 1 columns, and there are 2"):
        find_format("xlsx").check(["a", "b"])


def test_types_of_a_query_that_formats_lack(export, here):
    """Intervals, and whole numbers of more than 64 bits, which sums are, keep all their digits."""
    parquet.write_table(pyarrow.table({"n": [2**62 + 1] * 3}), here / "rows.parquet")
    query = (
        "SELECT sum(n) AS total, INTERVAL '1 month 2 microseconds' AS i,"
        " '12:00:00+02'::TIMETZ AS z, [INTERVAL '1 microsecond'] AS l,"
        " {'h': sum(n)} AS s FROM source"
    )
    expected = {
        "total": 3 * (2**62 + 1),
        "i": "1 month 00:00:00.000002",
        "z": "12:00:00+02",
        "l": ["00:00:00.000001"],
        "s": {"h": 3 * (2**62 + 1)},
    }
    export("rows.parquet", "out.parquet", query=query)
    assert parquet.read_table(here / "out.parquet").to_pylist() == [expected]
    export("rows.parquet", "out.jsonl", query=query)
    assert json.loads(Path("out.jsonl").read_text()) == expected
    export("rows.parquet", "out.arrow", query=query)
    assert ipc.open_file(here / "out.arrow").read_all().to_pylist() == [expected]
    export("rows.parquet", "out.csv", query=query)
    assert Path("out.csv").read_text().splitlines()[1].startswith(f"{3 * (2**62 + 1)},1 month 00:")


def test_durations_are_said(export, seen, here):
    """Parquet has no durations, but whole numbers, so that is said."""
    kind = pyarrow.duration("ms")
    parquet.write_table(pyarrow.table({"took": pyarrow.array([1500], kind)}), here / "rows.parquet")
    export("rows.parquet", "out.csv")
    assert Path("out.csv").read_text() == "took\n1500\n"
    notes = [data["summary"] for event, data, _ in seen.logged if event == "note"]
    assert notes == [
        "the column took of rows.parquet has durations, which become whole numbers: how many"
        " milliseconds each takes"
    ]
