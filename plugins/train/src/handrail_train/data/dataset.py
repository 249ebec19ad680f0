"""A table to learn from: what is learnt, from which columns, and from which rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from handrail.frozen import frozen
from handrail_storage import count_text
from handrail_train.data.columns import Kind, numbers_rows
from handrail_train.data.encoder import Encoding, TableEncoder
from handrail_train.data.examples import Examples, Split
from handrail_train.data.splitting import Division, Rows, check_classes
from handrail_train.data.target import Target, Task
from handrail_train.errors import DataError
from handrail_train.names import near, some_of

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats, Integers, Values

_AT_A_TIME = 1 << 16  # Rows whose bytes are hashed at once.
_RARE = 0.01  # A class with a smaller share is said to be rare.


@frozen
class Choice:
    """What is to be learnt from which columns of a table.

    Attributes:
        target: The column with what is to be learnt.
        features: The columns to learn from; all but the target if it is empty.
        drop: Columns to leave out.
        kinds: What columns are to be taken for, where that is not to be found out.
        task: Whether classes or a number are learnt; None to find out.
        missing: Whether rows with a missing value are kept, left out, or an error.
        group: The column whose values are not to be torn apart by the division.
        time: The column by which rows are divided: the last ones are the test.
        balanced: Whether each class has the same weight, whatever its share.
    """

    target: str
    features: Sequence[str] = ()
    drop: Sequence[str] = ()
    kinds: Mapping[str, Kind] = {}
    task: Task | None = None
    missing: str = "keep"
    group: str | None = None
    time: str | None = None
    balanced: bool = False

    @property
    def columns(self) -> list[str] | None:
        """The columns that are read; None for all."""
        if not self.features:
            return None
        others = (self.target, self.group, self.time)
        return list(dict.fromkeys([*self.features, *(each for each in others if each)]))


@frozen(eq=False)
class Dataset:
    """A table to learn from.

    Attributes:
        source: Its name in messages.
        table: The columns to learn from, as a `pyarrow.Table`.
        target: What is learnt.
        values: What is learnt of each row; see `Target.values`.
        choice: What was asked for.
        dropped: Number of rows left out, because a value was missing.
        group: The column by whose values rows are divided, if any.
        time: The column by which they are divided, if any.
    """

    source: str
    table: Any
    target: Target
    values: Values
    choice: Choice
    dropped: int
    group: Any = None
    time: Any = None

    @classmethod
    def of(cls, table: Any, source: str, choice: Choice) -> Dataset:
        """Return what is to be learnt of a table.

        Raises:
            DataError: Columns are not there, values are missing, or nothing can be learnt.
        """
        if not table.num_rows:
            raise DataError(f"{source} has no rows", ways_out=("give a table with rows in it",))
        names = _chosen(table.column_names, source, choice)
        table, dropped = _complete(table, source, choice, names)
        column = table[choice.target]
        target = Target.of(column, choice.target, source, choice.task)
        return cls(
            source=source,
            table=table.select(names),
            target=target,
            values=target.values(column, source),
            choice=choice,
            dropped=dropped,
            group=None if choice.group is None else table[choice.group],
            time=None if choice.time is None else table[choice.time],
        )

    def __len__(self) -> int:
        return len(self.values)

    def divide(self, division: Division) -> Rows:
        """Divide the rows.

        Raises:
            DataError: There are too few rows, groups or moments, or a class is missing in a part.
        """
        if len(self) < 3:
            raise DataError(
                f"{self.source} has {count_text(len(self), 'row')}, too few to be divided",
                ways_out=("give a table with more rows",),
            )
        if self.target.task == "classification" and len(self.target.classes) < 2:
            check_classes(self.values, self.target, Rows.none(), self.source)
        if self.group is not None:
            rows = division.by_group(self.group)
        elif self.time is not None:
            rows = division.by_time(self.time)
        else:
            rows = division.at_random(self.values, self.target)
        check_classes(self.values, self.target, rows, self.source)
        return rows

    def fit(self, rows: Rows) -> TableEncoder:
        """Return the encoder that follows from the rows of the training.

        Raises:
            DataError: A column cannot be taken for what was asked, or none is left.
        """
        return TableEncoder.fit(self.table.take(rows.train), self.choice.kinds)

    def split(self, rows: Rows, encoder: TableEncoder, encoding: Encoding) -> Split:
        """Return the examples of each part as numbers."""
        return Split(
            train=self.examples(rows.train, encoder, encoding, weighted=self.choice.balanced),
            validation=self.examples(rows.validation, encoder, encoding),
            test=self.examples(rows.test, encoder, encoding),
        )

    def examples(
        self, rows: Integers, encoder: TableEncoder, encoding: Encoding, *, weighted: bool = False
    ) -> Examples:
        """Return the examples in some rows as numbers."""
        values, target = self.values[rows], self.target
        if target.task == "regression" and encoding == "scaled":
            values = (values - target.mean) / target.deviation
        return Examples(
            features=encoder.encode(self.table.take(rows), encoding),
            values=values,
            target=target,
            columns=tuple(encoder.names(encoding)),
            categories=encoder.categories(encoding),
            weights=_balanced(values, target) if weighted else None,
        )

    def fingerprint(self) -> str:
        """Return a SHA-256 over all of it, in hexadecimal digits; the same on every machine."""
        head = {
            "target": {**self.target.to_dict(), "why": ""},
            "rows": len(self),
            "columns": [[name, str(self.table[name].type)] for name in self.table.column_names],
        }
        digest = hashlib.sha256(json.dumps(head).encode())
        kind = "<f8" if self.target.task == "regression" else "<i8"
        digest.update(self.values.astype(kind, copy=False).tobytes())
        others = [each for each in (self.group, self.time) if each is not None]
        for column in (*self.table.columns, *others):
            for chunk in _bytes_of(column):
                digest.update(chunk)
        return digest.hexdigest()

    def doubts(self, encoder: TableEncoder, rows: Rows) -> Iterator[str]:
        """Yield what a person should know before they trust a model of this."""
        np = import_module("numpy")
        if self.target.task == "classification":
            shares = np.bincount(self.values, minlength=len(self.target.classes)) / len(self)
            code = int(shares.argmin())
            if shares[code] < _RARE:
                count = round(float(shares[code]) * len(self))
                yield (
                    f"only {count_text(count, 'row')} of {len(self):,} ({shares[code]:.2%}) "
                    f"{'has' if count == 1 else 'have'} {self.target.name} "
                    f"{str(self.target.classes[code])!r}: accuracy says little; see --class-weight"
                )
        table = self.table.take(rows.train)
        for column in encoder.columns:
            if column.kind == "number" and numbers_rows(table[column.name]):
                yield (
                    f"{column.name} seems to number the rows: --column {column.name}=drop leaves "
                    "it out"
                )
            if _tells(table[column.name], self.values[rows.train], self.target):
                yield f"{column.name} tells {self.target.name} by itself: is it known beforehand?"


def _chosen(there: Sequence[str], source: str, choice: Choice) -> list[str]:
    """Return the columns to learn from."""
    asked = (
        ("--target", [choice.target]),
        ("--features", choice.features),
        ("--drop", choice.drop),
        ("--column", list(choice.kinds)),
        ("--split-group", [choice.group] if choice.group else []),
        ("--split-time", [choice.time] if choice.time else []),
    )
    for option, wanted in asked:
        for name in wanted:
            count = there.count(name)
            if count > 1:
                raise DataError(
                    f"{source} has the column {name!r} more than once",
                    ways_out=("give each column a name of its own",),
                )
            if count:
                continue
            split = " and is not divided by commas" if len(there) == 1 and ";" in there[0] else ""
            raise DataError(
                f"{source} has no column {name!r}{split}; it has {some_of(there)}",
                ways_out=(*near(name, there), f"give {option} a column that is there"),
            )
    if choice.target in choice.features:
        raise DataError(
            f"{choice.target!r} is the target, so nothing can be learnt from it",
            ways_out=("name other columns with --features",),
        )
    left_out = {choice.target, *choice.drop}
    if choice.group is not None and choice.group not in choice.features:
        left_out.add(choice.group)  # Of a group in the test, the model has seen nothing.
    names = [name for name in (choice.features or there) if name not in left_out]
    if not names:
        raise DataError(
            f"{source} has no column but the target to learn from",
            ways_out=("drop fewer columns, or give a table with more",),
        )
    return names


def _complete(table: Any, source: str, choice: Choice, names: Sequence[str]) -> tuple[Any, int]:
    """Leave out rows without a target, and others as asked; return the rest and how many."""
    compute = import_module("pyarrow.compute")
    needed = [choice.target, *([choice.time] if choice.time else [])]
    if choice.missing != "keep":
        needed += [name for name in names if name not in needed]
    counts: dict[str, int] = {}
    kept = None
    for name in needed:
        absent = table[name].is_null(nan_is_null=True)
        count: int = compute.sum(absent).as_py() or 0
        if count:
            counts[name] = count
            here = compute.invert(absent)
            kept = here if kept is None else compute.and_(kept, here)
    if kept is None:
        return table, 0
    if choice.missing == "fail":
        told = some_of(f"{name} ({count:,})" for name, count in counts.items())
        raise DataError(
            f"{source}: values are missing in {told}",
            ways_out=("keep such rows: --missing keep", "or leave them out: --missing drop"),
        )
    remaining = table.filter(kept)
    if not remaining.num_rows:
        raise DataError(
            f"{source}: a value is missing in every one of its {count_text(table.num_rows, 'row')}"
            + (f", of {choice.target!r}" if needed == [choice.target] else ""),
            ways_out=("leave out the columns with most of them: --drop NAME",),
        )
    return remaining, table.num_rows - remaining.num_rows


def _balanced(values: Values, target: Target) -> Floats | None:
    """Return weights with which each class has the same sum."""
    np = import_module("numpy")
    if target.task == "regression":
        return None
    counts = np.bincount(values, minlength=len(target.classes))
    weights: Floats = (len(values) / (len(counts) * np.maximum(counts, 1)))[values]
    return weights


def _tells(column: Any, values: Values, target: Target) -> bool:
    """Return whether a column determines the target, with few different values, or as a line."""
    np, compute = import_module("numpy"), import_module("pyarrow.compute")
    if target.task == "regression":
        types = import_module("pyarrow.types")
        if not (types.is_integer(column.type) or types.is_floating(column.type)):
            return False
        numbers = compute.cast(column, "float64", safe=False).to_numpy()
        there = np.isfinite(numbers)
        if there.sum() < 3 or not numbers[there].std() or not values[there].std():
            return False
        return bool(abs(np.corrcoef(numbers[there], values[there])[0, 1]) > 0.999999)
    places = column.dictionary_encode(null_encoding="encode").combine_chunks()
    if len(places.dictionary) > 2 * len(target.classes):
        return False
    codes = places.indices.to_numpy(zero_copy_only=False)
    pairs = np.unique(np.stack([codes, values]), axis=1).shape[1]
    return bool(pairs == len(places.dictionary) and len(places.dictionary) > 1)


def _bytes_of(column: Any) -> Iterator[bytes]:
    """Yield the bytes of a column: equal for equal values, however it is laid out."""
    pa, compute = import_module("pyarrow"), import_module("pyarrow.compute")
    types = import_module("pyarrow.types")
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    for start in range(0, len(column), _AT_A_TIME):
        some = column.slice(start, _AT_A_TIME)
        absent = some.is_null()
        yield absent.to_numpy().tobytes()
        kind = some.type
        if types.is_floating(kind):
            yield compute.cast(some, "float64").fill_null(0.0).to_numpy().astype("<f8").tobytes()
        elif types.is_integer(kind):
            yield some.fill_null(0).to_numpy().astype("<i8").tobytes()
        elif types.is_boolean(kind):
            yield some.fill_null(False).to_numpy().tobytes()
        else:
            texts = some
            if not (types.is_string(kind) or types.is_large_string(kind)):
                texts = pa.array([None if each is None else str(each) for each in some.to_pylist()])
            lengths = compute.binary_length(texts.cast("large_string")).fill_null(0)
            yield lengths.to_numpy(zero_copy_only=False).astype("<i8").tobytes()
            yield "".join(each or "" for each in texts.to_pylist()).encode()
