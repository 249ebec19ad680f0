"""A table to learn from: what is learnt, from which columns, and from which rows."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handrail.frozen import frozen
from handrail_storage import count_text
from handrail_train.data.columns import Kind, numbers_rows
from handrail_train.data.encoder import Encoding, TableEncoder
from handrail_train.data.examples import Examples, Split
from handrail_train.data.matrix import Matrix, rows_of_chunk
from handrail_train.data.splitting import TRAIN, Division, Rows, check_classes
from handrail_train.data.spool import BATCH, Spool
from handrail_train.data.target import Target, Task
from handrail_train.errors import DataError
from handrail_train.names import near, some_of

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats, Values

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
        table: The columns to learn from.
        target: What is learnt.
        values: What is learnt of each row; see `Target.values`.
        choice: What was asked for.
        dropped: Number of rows left out, because a value was missing.
        group: The column by whose values rows are divided, if any.
        time: The column by which they are divided, if any.
        folder: The folder for what does not fit into memory; see `scratch_file`.
    """

    source: str
    table: Spool
    target: Target
    values: Values
    choice: Choice
    dropped: int
    group: Any = None
    time: Any = None
    folder: Path | None = None

    @classmethod
    def of(
        cls, tables: Iterable[Any], source: str, choice: Choice, folder: Path | None = None
    ) -> Dataset:
        """Return what is to be learnt of a table.

        Args:
            tables: The table as Arrow tables, one after the other.
            source: Its name in messages.
            choice: What is to be learnt from which columns.
            folder: The folder for what does not fit into memory; see `scratch_file`.

        Raises:
            DataError: Columns are not there, values are missing, or nothing can be learnt.
        """
        table = Spool.of(tables, source, folder)
        if not table.num_rows:
            raise DataError(f"{source} has no rows", ways_out=("give a table with rows in it",))
        names = _chosen(table.column_names, source, choice)
        needed = [name for name in (choice.target, choice.group, choice.time) if name]
        complete, dropped = _complete(table, source, choice, names)
        held = complete.select(list(dict.fromkeys(needed))).read()
        column = _plain(held[choice.target])
        target = Target.of(column, choice.target, source, choice.task)
        return cls(
            source=source,
            table=complete.select(names),
            target=target,
            values=target.values(column, source),
            choice=choice,
            dropped=dropped,
            group=None if choice.group is None else held[choice.group],
            time=None if choice.time is None else held[choice.time],
            folder=folder,
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
            check_classes(self.values, self.target, Rows.of(0), self.source)
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
        trained = (_some(batch, parts == TRAIN) for batch, parts in self._batches(rows.parts))
        return TableEncoder.fit(trained, self.choice.kinds)

    def split(
        self, rows: Rows, encoder: TableEncoder, encoding: Encoding, chunk_rows: int | None = None
    ) -> Split:
        """Return the examples of each part as numbers.

        Args:
            rows: The rows of each part.
            encoder: How columns become numbers.
            encoding: The encoding.
            chunk_rows: Parts with more rows are kept in a file, in chunks of at most so many rows;
                those of the training are dealt out to them at random. None for no such limit.

        Raises:
            DataError: There is no room for the file.
        """
        width, target = len(encoder.names(encoding)), self.target
        is_scaled = target.task == "regression" and encoding == "scaled"
        parts = [
            _Part(count, width, chunk_rows, self, dealt=name == "train")
            for name, count in rows.counts.items()
        ]
        for piece, places, values in self._pieces(rows, rows_of_chunk(width)):
            numbers = encoder.encode(piece, encoding)
            if is_scaled:
                values = (values - target.mean) / target.deviation
            for code, part in enumerate(parts):
                here = places == code
                part.add(numbers[here], values[here])
        train, validation, test = (
            Examples(
                features=cast("Floats", part.features),
                values=part.values,
                target=target,
                columns=tuple(encoder.names(encoding)),
                categories=encoder.categories(encoding),
                weights=_balanced(part.values, target) if weighted else None,
                chunk_rows=part.chunk_rows,
            )
            for part, weighted in zip(parts, (self.choice.balanced, False, False), strict=True)
        )
        return Split(train=train, validation=validation, test=test)

    def _batches(self, beside: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the rows batch by batch, each with its part of an array of as many values."""
        start = 0
        for batch in self.table.batches():
            yield batch, beside[start : start + batch.num_rows]
            start += batch.num_rows

    def _pieces(self, rows: Rows, most: int) -> Iterator[tuple[Any, Any, Values]]:
        """Yield the rows, `most` at a time, with their parts and their values."""
        start = 0
        for batch in self.table.batches():
            for place in range(0, batch.num_rows, most):
                piece = batch.slice(place, most)
                stop = start + piece.num_rows
                yield piece, rows.parts[start:stop], self.values[start:stop]
                start = stop

    def fingerprint(self) -> str:
        """Return a SHA-256 over all of it, in hexadecimal digits; the same on every machine."""
        names = self.table.column_names
        head = {
            "target": {**self.target.to_dict(), "why": ""},
            "rows": len(self),
            "columns": [[name, str(self.table.schema.field(name).type)] for name in names],
        }
        kind = "<f8" if self.target.task == "regression" else "<i8"
        others = [each for each in (self.group, self.time) if each is not None]
        # Of each column by itself, so that it does not matter how the rows come.
        streams: defaultdict[tuple[int, int], Any] = defaultdict(hashlib.sha256)
        start = 0
        for batch in self.table.batches():
            stop = start + batch.num_rows
            streams[-1, 0].update(self.values[start:stop].astype(kind, copy=False).tobytes())
            beside = (each.slice(start, batch.num_rows) for each in others)
            for place, column in enumerate((*batch.columns, *beside)):
                for number, some in enumerate(_bytes_of(column)):
                    streams[place, number].update(some)
            start = stop
        digest = hashlib.sha256(json.dumps(head).encode())
        for key in sorted(streams):
            digest.update(streams[key].digest())
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
        table, values = self._sample(rows)
        share = len(values) / max(rows.counts["train"], 1)
        for column in encoder.columns:
            if column.kind == "number" and numbers_rows(table[column.name], share):
                yield (
                    f"{column.name} seems to number the rows: --column {column.name}=drop leaves "
                    "it out"
                )
            if _tells(table[column.name], values, self.target):
                yield f"{column.name} tells {self.target.name} by itself: is it known beforehand?"

    def _sample(self, rows: Rows) -> tuple[Any, Values]:
        """Return rows of the training, and their values: all, or about as many as a batch has."""
        np = import_module("numpy")
        places = rows.train
        if len(places) > BATCH:
            places = places[np.unique(np.random.default_rng(0).integers(0, len(places), BATCH))]
        taken = np.zeros(len(self), dtype=bool)
        taken[places] = True
        tables = [_some(batch, here) for batch, here in self._batches(taken)]
        return import_module("pyarrow").concat_tables(tables), self.values[places]


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


def _complete(table: Spool, source: str, choice: Choice, names: Sequence[str]) -> tuple[Spool, int]:
    """Leave out rows without a target, and others as asked; return the rest and how many."""
    needed = [choice.target, *([choice.time] if choice.time else [])]
    if choice.missing != "keep":
        needed += [name for name in names if name not in needed]
    np, counts = import_module("numpy"), dict.fromkeys(needed, 0)
    kept: list[Any] = []
    for batch in table.select(needed).batches():
        here = np.ones(batch.num_rows, dtype=bool)
        for name in needed:
            absent = batch[name].is_null(nan_is_null=True).to_numpy()
            counts[name] += int(absent.sum())
            here &= ~absent
        kept.append(here)
    counts = {name: count for name, count in counts.items() if count}
    if not counts:
        return table, 0
    if choice.missing == "fail":
        told = some_of(f"{name} ({count:,})" for name, count in counts.items())
        raise DataError(
            f"{source}: values are missing in {told}",
            ways_out=("keep such rows: --missing keep", "or leave them out: --missing drop"),
        )
    remaining = table.filter(np.concatenate(kept))
    if not remaining.num_rows:
        raise DataError(
            f"{source}: a value is missing in every one of its {count_text(table.num_rows, 'row')}"
            + (f", of {choice.target!r}" if needed == [choice.target] else ""),
            ways_out=("leave out the columns with most of them: --drop NAME",),
        )
    return remaining, table.num_rows - remaining.num_rows


class _Part:
    """A part whose rows come in one after the other.

    Attributes:
        features: The numbers of the rows.
        values: What is learnt of each.
        chunk_rows: The number of rows in each chunk but the last; 0 where there is one chunk.
    """

    def __init__(
        self, count: int, width: int, chunk_rows: int | None, dataset: Dataset, *, dealt: bool
    ) -> None:
        np = import_module("numpy")
        chunks = 1 if chunk_rows is None else max(-(-count // chunk_rows), 1)
        size = -(-count // chunks)
        kind = "float64" if dataset.target.task == "regression" else "int64"
        if chunks == 1:
            self.features = np.empty((count, width))
        else:
            self.features = Matrix(count, width, dataset.folder)
            kind = dataset.values.dtype.name  # Of classes, a byte in place of eight.
        self.values = np.empty(count, dtype=kind)
        self.chunk_rows = size if chunks > 1 else 0
        # Of rows that are sorted, each chunk has some of all; of one chunk, the order stays.
        dealt = dealt and chunks > 1
        self._chunk_of: Any = _dealt(count, size) if dealt else None
        self._next = [size * chunk for chunk in range(chunks if dealt else 1)]
        self._added = 0

    def add(self, numbers: Floats, values: Values) -> None:
        """Add the next rows."""
        if self._chunk_of is None:
            self._put(0, numbers, values)
            return
        np = import_module("numpy")
        chunk_of = self._chunk_of[self._added : self._added + len(values)]
        self._added += len(values)
        order = np.argsort(chunk_of, kind="stable")
        chunks, firsts = np.unique(chunk_of[order], return_index=True)
        for chunk, places in zip(chunks.tolist(), np.split(order, firsts[1:]), strict=True):
            self._put(chunk, numbers[places], values[places])

    def _put(self, chunk: int, numbers: Floats, values: Values) -> None:
        start = self._next[chunk]
        self._next[chunk] = stop = start + len(values)
        self.features[start:stop] = numbers
        self.values[start:stop] = values


def _dealt(count: int, size: int) -> Any:
    """Return the chunk of each of `count` rows: by chance, `size` in each but the last."""
    np = import_module("numpy")
    order = np.arange(count, dtype="int32" if count < 1 << 31 else "int64")
    np.random.default_rng(0).shuffle(order)
    return (order // size).astype(np.min_scalar_type(count // size))


def _some(table: Any, here: Any) -> Any:
    """Return the rows of a table for which an array is true."""
    return table.filter(import_module("pyarrow").array(here))


def _plain(column: Any) -> Any:
    """Return a column whose values are not in a dictionary."""
    types = import_module("pyarrow.types")
    return column.cast(column.type.value_type) if types.is_dictionary(column.type) else column


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
    yield column.is_null().to_numpy().tobytes()
    kind = column.type
    if types.is_floating(kind):
        yield compute.cast(column, "float64").fill_null(0.0).to_numpy().astype("<f8").tobytes()
    elif types.is_integer(kind):
        yield column.fill_null(0).to_numpy().astype("<i8").tobytes()
    elif types.is_boolean(kind):
        yield column.fill_null(False).to_numpy().tobytes()
    else:
        texts = column
        if not (types.is_string(kind) or types.is_large_string(kind)):
            texts = pa.array([None if each is None else str(each) for each in column.to_pylist()])
        lengths = compute.binary_length(texts.cast("large_string")).fill_null(0)
        yield lengths.to_numpy(zero_copy_only=False).astype("<i8").tobytes()
        yield "".join(each or "" for each in texts.to_pylist()).encode()
