"""Each type of PostgreSQL: a value of it is what COPY writes, or the export is refused."""

from __future__ import annotations

import csv
import datetime
import io
import json
import re
from decimal import Decimal

import psycopg
import pyarrow
import pyarrow.parquet as parquet
import pytest

from handrail_export.choice import Choice
from handrail_export.errors import SourceError
from handrail_export.params import ExportParams
from handrail_export.rows import Rows
from handrail_export.sources import make_source
from handrail_export.sources.postgres_types import Reading, exact

SPELLING = (
    "SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex';"
    "SET extra_float_digits = 1; SET timezone = 'UTC'"
)

# A value of each type that is stored as a whole, with others that are easily read wrong.
AS_THEY_ARE = {
    "bool": ["true"],
    "bytea": [r"\x00ff27225c"],
    "int8": ["-9223372036854775808"],
    "int2": ["-32768"],
    "int4": ["2147483647"],
    "text": ['größe 🎨, "it\'s"\n\\', ""],
    "float4": ["0.1", "NaN", "-Infinity"],
    "float8": ["0.1", "1e300", "-0"],
    "bpchar": ["a "],
    "varchar": ["a "],
    "char(5)": ["ab"],
    "date": ["2026-11-26", "0001-01-01"],
    "time": ["23:59:59.999999"],
    "timestamp": ["2026-11-26 12:00:00.000001", "0001-01-01 00:00:00"],
    "timestamptz": ["2026-11-26 12:00:00+02"],
    "oid": ["4294967295"],
    "json": ['{"a":  [1, null]}'],
    "jsonb": ['{"a": [1.50, "x"]}'],
    "numeric(10,2)": ["12.5", "-0.01"],
    "numeric(38,0)": ["12345678901234567890123456789012345678"],
    "numeric(3,5)": ["0.00123"],
    "numeric(5,-3)": ["12345678"],
}
AS_TEXT = {
    '"char"': ["x"],
    "name": ["name"],
    "int2vector": ["1 2"],
    "regproc": ["now"],
    "tid": ["(1,2)"],
    "xid": ["4294967295"],
    "cid": ["4294967295"],
    "oidvector": ["1 4294967295"],
    "xid8": ["18446744073709551615"],
    "xml": ["<a>ü</a>"],
    "point": ["(0.1,-0)"],
    "lseg": ["[(0,0),(1,1)]"],
    "path": ["((0,0),(1,1))", "[(0,0)]"],
    "box": ["(1,1),(0,0)"],
    "polygon": ["((0,0),(1,1),(2,0))"],
    "line": ["{1,2,3}"],
    "circle": ["<(0,0),1>"],
    "cidr": ["10.0.0.0/8"],
    "inet": ["10.0.0.1", "10.0.0.1/24", "::1"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "money": ["12.50", "-1234567.89"],
    "aclitem": ["postgres=r/postgres"],
    "interval": ["1 mon -2 days 00:00:00.000001", "-1 year"],
    "timetz": ["12:00:00.5+02", "24:00:00-07"],
    "bit(3)": ["101"],
    "varbit": ["10110"],
    "numeric": ["12345678901234567890.123456789012345678901234567890", "NaN", "1e-40", "0.00"],
    "numeric(60,2)": ["1234567890123456789012345678901234567890.12"],
    "refcursor": ["c"],
    "regprocedure": ["now()"],
    "regoper": ["pg_catalog.||/"],
    "regoperator": ["+(integer,integer)"],
    "regclass": ["pg_class"],
    "regcollation": ['"C"'],
    "regtype": ["integer"],
    "regrole": ["postgres"],
    "regnamespace": ["pg_catalog"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "pg_lsn": ["16/B374D848"],
    "tsvector": ["'a':1 'it''s':2"],
    "tsquery": ["a & b"],
    "regconfig": ["english"],
    "regdictionary": ["simple"],
    "jsonpath": ["$.a[*]"],
    "txid_snapshot": ["10:20:10,14"],
    "pg_snapshot": ["10:20:10,14"],
    "int4range": ["[1,3)", "empty"],
    "int8range": ["(,3)"],
    "numrange": ["[0.10,2]"],
    "daterange": ["[2026-01-01,infinity)"],
    "tsrange": ['["2026-01-01 00:00:00",)'],
    "tstzrange": ['["2026-01-01 00:00:00+00",)'],
    "int4multirange": ["{[1,3),[5,7)}"],
    "int8multirange": ["{}"],
    "nummultirange": ["{[0.10,2]}"],
    "datemultirange": ["{[2026-01-01,2026-01-03)}"],
    "tsmultirange": ['{["2026-01-01 00:00:00",)}'],
    "tstzmultirange": ['{["2026-01-01 00:00:00+00",)}'],
    "mood": ["so 'so'"],
    "email": ["a@b"],
    "pair": ['(1,"a ""b"",")', "(,)"],
    "citext": ["MiXed"],
    "hstore": ['"a"=>"1", "b"=>NULL'],
}
# Nobody can write a value of these; what has one is read as text.
WITHOUT_INPUT = (
    *("pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "gtsvector"),
    *("pg_brin_bloom_summary", "pg_brin_minmax_multi_summary"),
)
OWN = (
    "CREATE TYPE mood AS ENUM ('so ''so''', 'fine')",
    "CREATE DOMAIN email AS varchar(40)",
    "CREATE DOMAIN price AS numeric(8,3)",
    "CREATE DOMAIN lower_price AS price",
    "CREATE DOMAIN days AS date[]",
    "CREATE TYPE pair AS (n int, t text)",
)


def prepared(url):
    made = psycopg.connect(url, autocommit=True)
    for each in OWN:
        made.execute(each)
    made.execute(SPELLING)
    return made


@pytest.fixture
def connection(postgres_url):
    with prepared(postgres_url) as made:
        yield made


@pytest.fixture(scope="module")
def database(postgres):
    """A connection to a database that is only read, and its URL."""
    url = postgres.database()
    with prepared(url) as made:
        yield made, url


def extensions(connection):
    """Create the extensions that this server has; return the names of the types that it lacks."""
    lacking = []
    for name in ("citext", "hstore"):
        try:
            connection.execute(f"CREATE EXTENSION {name}")
        except psycopg.Error:
            lacking.append(name)
    return lacking


def copied(connection, query):
    """Return what COPY writes: a row of text, or None for NULL, for each row."""
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT csv, NULL '~')") as copy:
        text = b"".join(copy).decode()
    return [
        [None if value == "~" else value for value in row]
        for row in csv.reader(io.StringIO(text, newline=""))
    ]


def spelled(value):
    """Return a value of Python as COPY writes it."""
    match value:
        case None | str():
            return value
        case bool():
            return "t" if value else "f"
        case bytes():
            return f"\\x{value.hex()}"
        case float():
            found = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity", "-0.0": "-0"}
            return found.get(repr(value), repr(value).removesuffix(".0"))
        case datetime.datetime():
            text = re.sub(r"\.(\d*?)0*(?=$|\+)", r".\1", f"{value.replace(tzinfo=None)}")
            return f"{text}+00" if value.tzinfo else text
        case _:
            return str(value)


def sql(text, kind):
    doubled = text.replace("'", "''")
    return f"'{doubled}'::{kind}"


def test_each_type_is_what_copy_writes(connection, postgres_url, export, here):
    """A value, a NULL, and an array of both, of each type that there is."""
    lacking = extensions(connection)
    samples = {k: each for k, each in {**AS_THEY_ARE, **AS_TEXT}.items() if k not in lacking}
    values = [(kind, text) for kind, texts in samples.items() for text in texts]
    columns = [f"{sql(text, kind)} AS v{n}" for n, (kind, text) in enumerate(values)]
    nulls = [f"NULL::{kind} AS n{n}" for n, kind in enumerate((*samples, *WITHOUT_INPUT))]
    query = f"SELECT {', '.join((*columns, *nulls))}"
    (expected,) = copied(connection, query)
    export(postgres_url, "all.parquet", query=query)
    found = parquet.read_table(here / "all.parquet")
    told = [column.to_pylist()[0] for column in found.columns]
    for (kind, _), value, text in zip(values, told, expected, strict=False):
        if kind == "float4":
            assert pyarrow.scalar(float(text), pyarrow.float32()).as_py() == value or text == "NaN"
            continue
        assert spelled(value) == text, kind
        assert kind in AS_THEY_ARE or isinstance(value, str), kind
    assert told[len(values) :] == [None] * len(nulls)
    # Arrays of the same values, in which each is what it was alone.
    arrays = [f"ARRAY[{sql(text, kind)}, NULL] AS v{n}" for n, (kind, text) in enumerate(values)]
    export(postgres_url, "arrays.parquet", query=f"SELECT {', '.join(arrays)}")
    lists = parquet.read_table(here / "arrays.parquet")
    for (kind, text), value, column in zip(values, told, lists.columns, strict=False):
        (item, null) = column.to_pylist()[0]
        alone = str(value) if kind.startswith("numeric") or kind == "oid" else value
        assert null is None
        assert item == alone or item != item, (kind, text)


def test_there_is_a_sample_of_each_type(connection):
    """A type that a later version of PostgreSQL has is decided on, too."""
    extensions(connection)
    rows = connection.execute(
        "SELECT format_type(oid, NULL) FROM pg_type AS t WHERE typtype IN ('b', 'r', 'm')"
        " AND typnamespace = 'pg_catalog'::regnamespace AND typisdefined"
        " AND NOT EXISTS (SELECT 1 FROM pg_type AS e WHERE e.typarray = t.oid)"
    )
    bare = {re.sub(r"\(.*\)", "", kind) for kind in (*AS_THEY_ARE, *AS_TEXT, *WITHOUT_INPUT)}
    known = {
        row[0]
        for kind in bare
        for row in connection.execute("SELECT format_type(to_regtype(%s), NULL)", (kind,))
    }
    assert {name for (name,) in rows} <= known


def test_numbers_whose_digits_are_declared(connection, postgres_url, export, here):
    """By a table, a cast, or a domain; others are text with all digits. Values are bound, too."""
    connection.execute(
        "CREATE TABLE item (a numeric(10,2), b lower_price, c numeric, d numeric(38,10), e price[])"
    )
    connection.execute("INSERT INTO item VALUES (1.5, 2.25, 3.125, 4, '{1.5}')")
    query = "SELECT *, a + 1 AS f, (a * :n::int)::numeric(5,1) AS g FROM item WHERE a > :n - 1"
    for options in ({"table": "item"}, {"query": query, "parameters": {"n": 1}}):
        export(postgres_url, "out.parquet", if_exists="overwrite", **options)
        schema = parquet.read_schema(here / "out.parquet")
        assert [str(field.type) for field in schema][:4] == [
            *("decimal128(10, 2)", "decimal128(8, 3)", "string", "decimal128(38, 10)")
        ]
    assert [str(schema.field(name).type) for name in "fg"] == ["string", "decimal128(5, 1)"]
    [row] = parquet.read_table(here / "out.parquet").to_pylist()
    assert [str(each) for each in row.values()] == [
        *("1.50", "2.250", "3.125", "4.0000000000", "['1.500']", "2.50", "1.5")
    ]
    export(postgres_url, "out.jsonl", table="item")
    numbers = json.loads((here / "out.jsonl").read_text(), parse_float=Decimal)
    assert (numbers["a"], numbers["c"]) == (Decimal("1.5"), "3.125")


@pytest.mark.parametrize(
    ("value", "told", "way_out"),
    [
        ("'infinity'::date", "infinity in the column v", "NULLIF(\"v\", 'infinity')"),
        ("'-infinity'::date", "-infinity in the column v", '"v"::text'),
        ("'infinity'::timestamp", "infinity in the column v", '"v"::text'),
        ("'-infinity'::timestamptz", "-infinity in the column v", '"v"::text'),
        ("'294276-01-01'::timestamp", "a time after the year", '"v"::text'),
        ("ARRAY['infinity'::date]", "infinity in the column v", '"v"::text'),
        ("'24:00:00'::time", "24:00:00 in the column v", '"v"::text'),
        ("'NaN'::numeric(5,2)", "NaN in the column v", "NULLIF(\"v\", 'NaN')"),
        ("ARRAY[[1,2],[3,4]]", "an array of several dimensions", "to_jsonb"),
        ("'[2:3]={1,2}'::int[]", "does not begin with the index 1", '"v"::text'),
        ("ARRAY[['a'],['b']]::mood[]", "an array of several dimensions", '"v"::text'),
    ],
)
def test_values_that_a_file_cannot_have_are_refused(database, here, value, told, way_out):
    """The column is named, and what to write in the query; as text it is what COPY writes."""
    connection, url = database
    value = value.replace("['a'],['b']", "['fine'],['fine']")
    with pytest.raises(SourceError) as raised:
        read(url, f"SELECT 1 AS id, {value} AS v", here)
    assert told in raised.value.message
    assert way_out in "\n".join(raised.value.ways_out)
    query = f"SELECT ({value})::text AS v"
    ((found,),) = copied(connection, query)
    assert read(url, query, here) == [{"v": found}]


def read(url, query, here):
    """Return the rows of a query."""
    source, _ = make_source(ExportParams(source=url, target="out", query=query))
    rows = Rows(source, Choice(), memory=1 << 28, scratch=str(here))
    try:
        return [row for batch in rows.batches() for row in batch.to_pylist()]
    finally:
        rows.close()


@pytest.mark.parametrize("target", ["out.parquet", "out.csv"])
def test_a_refusal_leaves_nothing(postgres_url, export, world, target):
    """Whether the driver's batches are written, or go through the engine."""
    before = world()
    done = export(postgres_url, target, query="SELECT 'infinity'::date AS v", fails=True)
    assert "infinity in the column v" in done.message
    assert world() == before


def test_rows_of_a_table_and_rows_of_nulls(connection, postgres_url, export, here):
    """A whole row is text, and one of NULLs is not NULL."""
    connection.execute("CREATE TABLE item AS SELECT NULL::int AS a, NULL::text AS b")
    export(
        postgres_url,
        "out.jsonl",
        query="SELECT item AS r, days FROM item, (SELECT '{}'::days) d(days)",
    )
    assert json.loads((here / "out.jsonl").read_text()) == {"r": "(,)", "days": []}


def test_names_that_repeat_or_quote(connection, postgres_url, export, here):
    """The query in which another one is put takes columns by their place."""
    done = export(postgres_url, query="SELECT 1::money AS a, 2 AS a", fails=True)
    assert "has two columns a" in done.message
    query = 'SELECT \'1.2.3.4\'::inet AS "a {} ""b""" -- c'
    export(postgres_url, "out.csv", query=query)
    assert (here / "out.csv").read_text() == '"a {} ""b"""\n1.2.3.4\n'


def test_a_query_that_needs_no_change_is_left_alone():
    """So it costs nothing."""
    assert exact("SELECT 1", [Reading(name="a")]) == "SELECT 1"
