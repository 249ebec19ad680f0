"""Finds the files of a source: one, those of a pattern, those below a folder, also on S3."""

from __future__ import annotations

import fnmatch
import glob
import io
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote

from handrail.frozen import frozen
from handrail_train.data.scratch import scratch_file
from handrail_train.data.source import ENDINGS, split_sheet
from handrail_train.data.spool import IN_MEMORY
from handrail_train.data.table import Content, format_of, read_tables
from handrail_train.errors import DataError
from handrail_train.names import cut

if TYPE_CHECKING:
    from handrail_storage import Listed, Store

_MAGIC = frozenset("*?[")
# What is beside the files of a table: of Handrail itself, of Spark, hidden ones.
_BESIDE = ("_", ".")


@frozen
class SourceFile:
    """A file with rows.

    Attributes:
        name: Its path, for people, and for the values in it: `year=2026/part-0.parquet`.
        parts: Those values, by column.
        path: Where it is on this machine.
        key: Its key in an object storage.
        stamp: What differs if its content does: size and time, or the version of an object.
    """

    name: str
    parts: dict[str, str]
    path: Path | None = None
    key: str | None = None
    stamp: str = ""


def local_files(address: str) -> list[SourceFile]:
    """Return the files of an address on this machine, in the order of their names.

    Raises:
        DataError: There is none.
    """
    place, sheet = split_sheet(os.path.expanduser(address))
    if os.path.isdir(place):
        found = [os.path.join(place, *each) for each in _below(place)]
        root = place
    elif _MAGIC & set(place) and not os.path.exists(place):
        found = [each for each in glob.glob(place, recursive=True) if os.path.isfile(each)]
        root = _fixed(place)
    else:
        return [_local(address, place, {})]
    files = [
        _local(f"{each}#{sheet}" if sheet else each, each, parts_of(os.path.relpath(each, root)))
        for each in sorted(found)
        if format_of(each) is not None and not os.path.basename(each).startswith(_BESIDE)
    ]
    if not files:
        raise nothing(address)
    return files


def nothing(address: str) -> DataError:
    """Return the error for an address without files."""
    return DataError(
        f"there is no table in {address}",
        ways_out=(f"files of tables end in {', '.join(sorted(ENDINGS))}",),
    )


def _below(folder: str) -> Iterator[tuple[str, str]]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(_BESIDE))
        for name in names:
            yield os.path.relpath(place, folder), name


def _fixed(pattern: str) -> str:
    """Return the folder above the first part of a pattern that stands for others."""
    parts = Path(pattern).parts
    first = next(n for n, each in enumerate(parts) if _MAGIC & set(each))
    return str(Path(*parts[:first])) if first else "."


def _local(name: str, path: str, parts: dict[str, str]) -> SourceFile:
    try:
        found = os.stat(path)
        stamp = f"{found.st_size} {found.st_mtime_ns}"
    except OSError:  # Reading it says what is wrong.
        stamp = ""
    return SourceFile(name=name, parts=parts, path=Path(path), stamp=stamp)


def parts_of(relative: str) -> dict[str, str]:
    """Return the values in the folders of a path, such as `year=2026`, as Hive has them."""
    folders = PurePosixPath(relative.replace(os.sep, "/")).parts[:-1]
    return {
        name: unquote(value)
        for name, equals, value in (each.partition("=") for each in folders)
        if equals and name
    }


def matching_files(store: Store, pattern: str) -> list[SourceFile]:
    """Return the files in an object storage whose keys match a pattern, by key."""
    found = (each for each in store.listing() if fnmatch.fnmatchcase(each.key, pattern))
    return _stored(found, "")


def files_at(store: Store, key: str) -> list[SourceFile]:
    """Return the file under a key in an object storage, or those below it, by key."""
    file = store.stat(key) if key else None
    if file is not None:
        return _stored([file], key)
    folder = f"{key}/" if key else ""
    return _stored(store.listing(folder), folder)


def _stored(found: Iterable[Listed], root: str) -> list[SourceFile]:
    return [
        SourceFile(
            name=each.key,
            parts=parts_of(each.key.removeprefix(root)),
            key=each.key,
            stamp=f"{each.size} {each.version}",
        )
        for each in sorted(found, key=lambda listed: listed.key)
        if format_of(each.key) is not None and not PurePosixPath(each.key).name.startswith(_BESIDE)
    ]


def read_files(
    files: Sequence[SourceFile],
    shown: str,
    columns: Sequence[str] | None,
    texts: Sequence[str],
    store: Any = None,
    folder: Path | None = None,
) -> Iterator[Any]:
    """Yield the rows of all files as Arrow tables, of which each fits into memory.

    Raises:
        DataError: A file cannot be read, or has other columns than the first one.
    """
    names: set[str] = set()
    for file in files:
        with _content(file, shown, store, folder) as content:
            for number, table in enumerate(read_tables(content, file.name, columns, texts)):
                for name, value in file.parts.items():
                    if name not in table.column_names:
                        table = table.append_column(name, _repeated(value, table.num_rows))
                here = set(table.column_names)
                names = names or here
                # Later pieces of a file may have a value that no object before them had.
                if not number and here != names:
                    raise DataError(
                        f"{shown}: {file.name} has other columns than {files[0].name}: "
                        f"{cut(str(sorted(names ^ here)))}",
                        ways_out=("give files with the same columns", "or only those: a pattern"),
                    )
                yield table


@contextmanager
def _content(file: SourceFile, shown: str, store: Any, folder: Path | None) -> Generator[Content]:
    """Yield a file, or the content of an object: in memory if it is small, else in a file."""
    if file.path is not None:
        yield file.path
        return
    if store.stat(file.key) is None:
        raise DataError(f"{shown}: {file.name} was there, and is gone")
    into: IO[bytes] = io.BytesIO()
    for block in store.blocks(file.key):
        into.write(block)
        if isinstance(into, io.BytesIO) and into.tell() > IN_MEMORY:
            kept, into = into, scratch_file(folder)
            into.write(kept.getbuffer())
    with into:
        yield into


def _repeated(value: str, count: int) -> Any:
    pa = import_module("pyarrow")
    found: str | int | None = value
    if value == "__HIVE_DEFAULT_PARTITION__":
        found = None
    elif value.isdecimal() and (value == "0" or not value.startswith("0")):
        found = int(value)
    return pa.repeat(found, count) if found is not None else pa.nulls(count)
