"""Where the table to learn from is: files, an object storage, a database, a set of scikit-learn."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from handrail.frozen import frozen, replace
from handrail_train.errors import DataError
from handrail_train.names import near

if TYPE_CHECKING:
    from handrail_train.data.dataset import Choice, Dataset
    from handrail_train.data.files import SourceFile

# Data sets in scikit-learn itself; others are downloaded, which no run must do by itself.
BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
TARGET = "target"  # Of a bundled set.

ENDINGS = (
    *(".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq"),
    *(".arrow", ".feather", ".ipc", ".xlsx", ".xlsm"),
)

Kind = Literal["bundled", "files", "objects", "sqlite", "postgres"]

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_SQLITE = (".db", ".sqlite", ".sqlite3")
_MAGIC = re.compile(r"[*?\[]")
KINDS = (
    f"a file that ends in {', '.join(ENDINGS)}",
    "a sheet of a workbook: book.xlsx#Orders",
    "a folder or a pattern: exported/, 'in/*.parquet'",
    "s3://bucket/path, gs:// or az://",
    "an SQLite file, with --table or --query: people.db",
    "postgresql://user@host/database, with --table or --query",
    f"a set that scikit-learn brings: {', '.join(BUNDLED)}",
)


@frozen
class Source:
    """Where a table is.

    Attributes:
        kind: The kind of place.
        place: The path or pattern, the URL, or the name of the set.
        shown: Its name for people, without the options of a URL.
        table: The table of a database.
        query: The query of a database.
    """

    kind: Kind
    place: str
    shown: str
    table: str | None = None
    query: str | None = None

    @classmethod
    def parse(cls, text: str, table: str | None = None, query: str | None = None) -> Source:
        """Parse the address of a source, without opening it.

        Raises:
            DataError: It is no address of a source, or cannot have a table or a query.
        """
        if not text.strip() or "\0" in text:
            raise DataError("the source is empty", ways_out=KINDS)
        kind, place, shown = _parsed(text)
        if kind == "files" and not _may_be_table(place):
            raise DataError(
                f"{shown} is no table that is known",
                ways_out=(*near(text, BUNDLED), *KINDS),
            )
        if kind not in ("sqlite", "postgres") and (table is not None or query is not None):
            raise DataError(
                f"{shown} is no database, so --table and --query mean nothing",
                ways_out=("leave them out", "or give a database"),
            )
        if table is not None and query is not None:
            raise DataError("a table and a query are given", ways_out=("leave one of them out",))
        return cls(kind=kind, place=place, shown=shown, table=table, query=query)

    @property
    def name(self) -> str:
        """A name for what is learnt from it, such as `people` for `in/people.csv`."""
        place, sheet = split_sheet(self.place)
        if self.table is not None or sheet is not None:
            return self.table or sheet or ""
        parts = [each for each in re.split(r"[/\\]", place) if each]
        for part in reversed(parts):
            if not _MAGIC.search(part) and "=" not in part:
                return Path(part).stem
        return "model"

    def read(self, columns: Sequence[str] | None = None, texts: Sequence[str] = ()) -> Any:
        """Return its rows as a `pyarrow.Table`; see `tables`."""
        from handrail_train.data.spool import joined  # noqa: PLC0415 - not to plan

        return joined(list(self.tables(columns, texts)), self.shown)

    def tables(
        self,
        columns: Sequence[str] | None = None,
        texts: Sequence[str] = (),
        folder: Path | None = None,
    ) -> Iterator[Any]:
        """Yield its rows as Arrow tables, of which each fits into memory; at least one.

        Args:
            columns: Only these, where that spares work.
            texts: Columns of text files whose values are texts, whatever they look like.
            folder: The folder for large objects of an object storage; see `scratch_file`.

        Raises:
            DataError: It cannot be read, or is no table.
            StorageError: The object storage failed or refused.
        """
        from handrail_train.data import databases, files  # noqa: PLC0415 - not to plan

        if self.kind == "bundled":
            yield _bundled(self.place)
        elif self.kind == "sqlite":
            yield from databases.read_sqlite(Path(self.place), self.table, self.query)
        elif self.kind == "postgres":
            yield from databases.read_postgres(self.place, self.shown, self.table, self.query)
        else:
            found, store = self._files()
            yield from files.read_files(found, self.shown, columns, texts, store, folder)

    def missing_input(self) -> Iterator[tuple[str, str]]:
        """Yield why the file or folder cannot be read, where that can be seen; else nothing."""
        from handrail_storage.inputs import missing  # noqa: PLC0415 - not to list actions

        place, _ = split_sheet(self.place)
        is_pattern = _MAGIC.search(place) and not os.path.exists(place)
        if self.kind == "sqlite" or (self.kind == "files" and not is_pattern):
            is_folder = os.path.isdir(place)
            yield from missing("folder" if is_folder else "file", "data", place, self.shown)

    def stamp(self) -> str | None:
        """Return a text that differs if the rows may; None where only reading them tells.

        Raises:
            DataError: There is nothing.
            StorageError: The object storage failed or refused.
        """
        if self.kind not in ("files", "objects"):
            return None
        found, _ = self._files()
        if not all(each.stamp for each in found):
            return None
        told = "\n".join(f"{each.name}\t{each.stamp}" for each in found)
        return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()

    def _files(self) -> tuple[list[SourceFile], Any]:
        from handrail_train.data.files import (  # noqa: PLC0415 - not to plan
            files_at,
            local_files,
            matching_files,
            nothing,
        )

        if self.kind == "files":
            return local_files(self.place), None
        from handrail_train.store import open_store  # noqa: PLC0415 - not to plan

        place, sheet = split_sheet(self.place)
        scheme, _, tail = place.partition("://")
        bucket, _, key = tail.partition("/")
        magic = _MAGIC.search(key)
        # The store is the folder above what is looked for.
        above, _, _ = (key[: magic.start()] if magic else key.rstrip("/")).rpartition("/")
        store = open_store(f"{scheme}://{bucket}/{above}".rstrip("/"))
        rest = key[len(above) :].strip("/")
        found = matching_files(store, rest) if magic else files_at(store, rest)
        if sheet is not None:
            found = [replace(each, name=f"{each.name}#{sheet}") for each in found]
        if not found:
            raise nothing(self.shown)
        return found, store


def split_sheet(text: str) -> tuple[str, str | None]:
    """Return where a workbook is, and the sheet that `book.xlsx#Orders` names; else None."""
    if ".xls" not in text.lower():
        return text, None
    from handrail_arrow.excel import split_address  # noqa: PLC0415 - only for workbooks

    return split_address(text)


def _may_be_table(place: str) -> bool:
    lower = split_sheet(place)[0].lower().removesuffix(".gz")
    # A pattern, or a folder, tells its formats when it is read.
    return lower.endswith(ENDINGS) or _MAGIC.search(place) is not None or os.path.isdir(place)


def _parsed(text: str) -> tuple[Kind, str, str]:
    if text in BUNDLED:
        return "bundled", text, text
    scheme = _SCHEME.match(text)
    if scheme is None:
        lower = text.lower()
        kind: Kind = "sqlite" if lower.endswith(_SQLITE) else "files"
        return kind, os.path.expanduser(text), text
    name = scheme["scheme"].lower()
    if name in ("postgres", "postgresql"):
        return "postgres", text, re.split("[?#]", text, maxsplit=1)[0]
    if name in ("s3", "gs", "az"):
        return "objects", text, text
    if name in ("file", "sqlite") and text[scheme.end() :].startswith("/"):
        path = unquote(text[scheme.end() :])
        return ("sqlite" if name == "sqlite" else _parsed(path)[0]), path, text
    raise DataError(f"no source is known as {name}://", ways_out=KINDS)


def load_dataset(source: Source, choice: Choice, folder: Path | None = None) -> Dataset:
    """Load what is to be learnt.

    Args:
        source: The source.
        choice: What is to be learnt from which columns.
        folder: The folder for what does not fit into memory; see `scratch_file`.

    Raises:
        DataError: The table cannot be read, or nothing can be learnt from it.
        StorageError: The object storage failed or refused.
    """
    from handrail_train.data.dataset import Dataset  # noqa: PLC0415 - not to plan

    texts = [name for name, kind in choice.kinds.items() if kind in ("category", "text")]
    tables = source.tables(choice.columns, texts, folder)
    return Dataset.of(tables, source.shown, choice, folder)


def _bundled(name: str) -> Any:
    """Return a set of scikit-learn as a table whose last column is `target`."""
    pa, np = import_module("pyarrow"), import_module("numpy")
    found = getattr(import_module("sklearn.datasets"), f"load_{name}")()
    target = found.target
    if "target_names" in found:
        # Names of classes are clearer than numbers, if there are any.
        named = np.array([str(each) for each in found.target_names])[target]
        target = target if all(each.isdecimal() for each in np.unique(named)) else named
    columns = [np.ascontiguousarray(found.data[:, place]) for place in range(found.data.shape[1])]
    names = [str(each) for each in found.feature_names]
    return pa.table([*columns, target], names=[*names, TARGET])
