"""Decides how the values of each type of PostgreSQL are read, so that none changes on its way.

The driver reads many types as they are. Others it reads wrong, or as the bytes that the server
sends. So a query is put into another one that returns such columns as the text that COPY writes;
and values that a type of Arrow does not have, such as `infinity` in a column of dates, are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from handrail.frozen import frozen, record
from handrail_export.errors import SourceError
from handrail_export.sources.binding import quoted

# The numbers of built-in types do not change: bool, bytea, int8, int2, int4, text, float4, float8,
# bpchar, varchar, date, time, timestamp and timestamptz.
_AS_THEY_ARE = frozenset((16, 17, 20, 21, 23, 25, 700, 701, 1042, 1043, 1082, 1083, 1114, 1184))
_JSON = (114, 3802)
_OID = 26
_NUMERIC = 1700
_MOST_DIGITS = 38  # Of a decimal number with 128 bits, which all formats and their readers know.

_TEXT = "CASE WHEN {} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {}) END"
"""The text that COPY writes: a cast to text has other rules for some types, such as inet.

Compared with NULL in this way, a row of NULLs is a value.
"""

_TEXTS = (
    "CASE WHEN {} IS DISTINCT FROM NULL THEN ARRAY(SELECT"
    " CASE WHEN ({})[i] IS DISTINCT FROM NULL THEN pg_catalog.format('%s', ({})[i]) END"
    " FROM pg_catalog.generate_subscripts({}, 1) AS s(i) ORDER BY i) END"
)
_ODD = "pg_catalog.array_ndims({}) > 1 OR pg_catalog.array_lower({}, 1) <> 1"
_IS_ODD = f"COALESCE({_ODD}, false)"

# Days and microseconds from 1970 to 2000, from which PostgreSQL counts, and the first day of its
# calendar, in 4714 BC. The driver adds the former: what is infinite, or too late, overflows to a
# time before that day.
_DAYS = 10957
_FIRST_DAY = -2440588
_DAY = 86_400_000_000


class Asked(Protocol):
    """A connection for short queries of our own."""

    def ask(self, query: str, *, bound: bool = False) -> list[tuple[Any, ...]]:
        """Return the rows of a query.

        Args:
            query: The query.
            bound: Whether it contains the query of the source, with its placeholders.
        """
        ...

    def modifiers(self, query: str) -> Sequence[int]:
        """Return what the query of the source says about the size of each of its columns.

        Each as PostgreSQL encodes it for its type; -1 if nothing.
        """
        ...


@frozen
class Type:
    """A type, as the catalogue of the database describes it.

    Attributes:
        oid: Its number.
        base: That of the type of which it is a domain; 0 for others.
        modifier: What a domain says about the size of its base, as PostgreSQL encodes it; else -1.
        element: The number of the type of the elements of an array; 0 for others.
    """

    oid: int
    base: int = 0
    modifier: int = -1
    element: int = 0


@frozen
class Reading:
    """How a column is read.

    Attributes:
        name: Its name.
        sql: What is selected for it; `{}` is the column.
        odd: Whether arrays are marked that are not a list, as they have several dimensions or
            another first index than 1.
        digits: All digits of a decimal number, and those after its point; None for other types.
    """

    name: str
    sql: str = "{}"
    odd: bool = False
    digits: tuple[int, int] | None = None


def readings(query: str, names: Sequence[str], connection: Asked) -> list[Reading]:
    """Return how each column of a query is read.

    Args:
        query: The query.
        names: The names of its columns.
        connection: The connection that executes it.

    Raises:
        SourceError: The database refused.
    """
    numbers = ", ".join(f"pg_catalog.pg_typeof(c{n})::oid::int8" for n in range(len(names)))
    (oids,) = connection.ask(
        f"SELECT {numbers} FROM (SELECT 1) AS one LEFT JOIN"
        f" (SELECT * FROM (\n{query}\n) AS q LIMIT 0) AS handrail({_places(names)}) ON true",
        bound=True,
    )
    types = _types(oids, connection)
    kinds = [_without_domains(oid, types) for oid in oids]
    numeric = any(kind.oid == _NUMERIC and kind.modifier < 0 for kind in kinds)
    declared = connection.modifiers(query) if numeric else [-1] * len(names)
    return [
        _reading(name, kind, _digits(modifier if kind.modifier < 0 else kind.modifier))
        for name, kind, modifier in zip(names, kinds, declared, strict=True)
    ]


def _places(names: Sequence[str]) -> str:
    """Return names of columns by their number, as several may have the same name."""
    return ", ".join(f"c{number}" for number in range(len(names)))


def _types(oids: Sequence[int], connection: Asked) -> Mapping[int, Type]:
    """Return the types of these numbers, and those that they are made of."""
    listed = ", ".join(str(each) for each in sorted(set(oids)))
    rows = connection.ask(
        "WITH RECURSIVE wanted(oid) AS ("
        f"SELECT oid FROM pg_catalog.pg_type WHERE oid IN ({listed})"
        " UNION SELECT made.oid FROM wanted JOIN pg_catalog.pg_type AS t ON t.oid = wanted.oid"
        " JOIN pg_catalog.pg_type AS made ON made.oid IN (t.typbasetype, t.typelem))"
        " SELECT t.oid::int8, t.typbasetype::int8, t.typtypmod::int8, COALESCE(e.oid, 0)::int8"
        " FROM wanted JOIN pg_catalog.pg_type AS t ON t.oid = wanted.oid"
        " LEFT JOIN pg_catalog.pg_type AS e ON e.typarray = t.oid"
    )
    made = (Type(oid=o, base=b, modifier=m, element=e) for o, b, m, e in rows)
    return {each.oid: each for each in made}


def _without_domains(oid: int, types: Mapping[int, Type]) -> Type:
    found, modifier = types[oid], -1
    while found.base:
        modifier = found.modifier if found.modifier >= 0 else modifier
        found = types[found.base]
    return Type(oid=found.oid, modifier=modifier, element=found.element)


def _digits(modifier: int) -> tuple[int, int] | None:
    """Return all digits of a number and those after its point, by what its type says."""
    if modifier < 0:
        return None
    digits, scale = modifier - 4 >> 16, modifier - 4 & 0x7FF
    after = (scale ^ 1024) - 1024  # It is negative for numeric(5, -3), of thousands.
    return max(digits, after) - min(after, 0), max(after, 0)


def _reading(name: str, kind: Type, digits: tuple[int, int] | None) -> Reading:
    if kind.oid in _AS_THEY_ARE or kind.oid in _JSON:
        return Reading(name=name)
    if kind.oid == _OID:
        return Reading(name=name, sql="{}::int8")
    if kind.element:
        items = "{}" if kind.element in _AS_THEY_ARE else _TEXTS
        return Reading(name=name, sql=f"CASE WHEN {_IS_ODD} THEN NULL ELSE {items} END", odd=True)
    fits = kind.oid == _NUMERIC and digits is not None and digits[0] <= _MOST_DIGITS
    return Reading(name=name, sql=_TEXT, digits=digits if fits else None)


def exact(query: str, columns: Sequence[Reading]) -> str:
    """Return a query of the same rows whose values the driver reads as they are.

    Its columns are those of the query, and then whether each array is odd.
    """
    if all(each.sql == "{}" for each in columns):
        return query
    chosen = [
        f"{each.sql.replace('{}', f'c{place}')} AS {quoted(each.name)}"
        for place, each in enumerate(columns)
    ]
    odd = [_IS_ODD.replace("{}", f"c{place}") for place, each in enumerate(columns) if each.odd]
    return f"SELECT {', '.join((*chosen, *odd))} FROM (\n{query}\n) AS handrail({_places(chosen)})"


@record
class Exact:
    """The batches of a query that `exact` has returned, checked.

    Attributes:
        shown: Description of the source, for people.
        columns: How the columns are read.
    """

    shown: str
    columns: Sequence[Reading]

    def reader(self, reader: Any) -> Any:
        """Return a reader of the columns of the original query."""
        pyarrow = import_module("pyarrow")
        fields = [
            pyarrow.field(field.name, pyarrow.decimal128(*each.digits)) if each.digits else field
            for field, each in zip(reader.schema, self.columns, strict=False)
        ]
        schema = pyarrow.schema(fields)
        return pyarrow.RecordBatchReader.from_batches(schema, self._batches(reader, schema))

    def _batches(self, reader: Any, schema: Any) -> Iterator[Any]:
        pyarrow, compute = import_module("pyarrow"), import_module("pyarrow.compute")
        arrays = [each.name for each in self.columns if each.odd]
        for batch in reader:
            found = batch.columns
            for name, odd in zip(arrays, found[len(self.columns) :], strict=True):
                if compute.any(odd).as_py():
                    raise self._refused(
                        name,
                        "an array of several dimensions, or that does not begin with the index 1",
                        f"to_jsonb({quoted(name)})",
                    )
            columns = [
                self._checked(each, column)
                for each, column in zip(self.columns, found, strict=False)
            ]
            yield pyarrow.RecordBatch.from_arrays(columns, schema=schema)

    def _checked(self, column: Reading, values: Any) -> Any:
        pyarrow = import_module("pyarrow")
        if column.digits:
            return self._decimal(column, values)
        flat = values.flatten() if pyarrow.types.is_list(values.type) else values
        kind = flat.type
        if pyarrow.types.is_date32(kind):
            self._check_time(column.name, flat.view(pyarrow.int32()), 1, _DAYS, 31)
        elif pyarrow.types.is_timestamp(kind):
            self._check_time(column.name, flat.view(pyarrow.int64()), _DAY, _DAYS * _DAY, 63)
        elif pyarrow.types.is_time(kind):
            self._check_clock(column.name, flat.view(pyarrow.int64()))
        return values

    def _check_time(self, name: str, values: Any, day: int, epoch: int, bits: int) -> None:
        least = import_module("pyarrow.compute").min(values).as_py()
        if least is None or least >= _FIRST_DAY * day:
            return
        told = {2**bits - 1: "infinity", -(2**bits): "-infinity"}
        raw = (least - epoch + 2**bits) % 2 ** (bits + 1) - 2**bits
        value = told.get(raw, "a time after the year 294246")
        raise self._refused(
            name, value, f"NULLIF({quoted(name)}, '{value}')" if raw in told else ""
        )

    def _check_clock(self, name: str, values: Any) -> None:
        if (import_module("pyarrow.compute").max(values).as_py() or 0) >= _DAY:
            raise self._refused(name, "24:00:00", "")

    def _decimal(self, column: Reading, values: Any) -> Any:
        pyarrow, compute = import_module("pyarrow"), import_module("pyarrow.compute")
        assert column.digits is not None
        try:
            return compute.cast(values, pyarrow.decimal128(*column.digits))
        except pyarrow.ArrowInvalid:
            name = quoted(column.name)
            raise self._refused(column.name, "NaN", f"NULLIF({name}, 'NaN')") from None

    def _refused(self, name: str, what: str, other: str) -> SourceError:
        others = (f"or as something else: {other}",) if other else ()
        return SourceError(
            f"{self.shown} has {what} in the column {name}, which a column of a file cannot have",
            ways_out=(f"take it as text, in --query: {quoted(name)}::text", *others),
        )
