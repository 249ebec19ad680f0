"""Effects marked with their run: files, rows of a table, and objects of a bucket.

Each is created only once and removed only by the run that created it. It replaces another one only
after that was saved.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

TABLES = (
    "CREATE TABLE thing (name text PRIMARY KEY, value text, mark text)",
    # Without a key, so that a row created twice is visible.
    "CREATE TABLE ledger (name text, mark text)",
)


class Place(Protocol):
    """A place for effects of one kind."""

    def make(self, name: str, mark: str) -> None:
        """Create the item with this mark; raise if it exists."""
        ...

    def has(self, name: str, mark: str) -> bool:
        """Return whether the item exists and has this mark."""
        ...

    def remove(self, name: str, mark: str) -> None:
        """Remove the item if it has this mark."""
        ...

    def look(self, name: str) -> list[str]:
        """Return the data to record about the existing item so that it can be restored."""
        ...

    def keep(self, name: str, mark: str) -> None:
        """Save the existing item."""
        ...

    def replace(self, name: str, mark: str) -> None:
        """Replace the item by one with this mark."""
        ...

    def put_back(self, name: str, mark: str, kept: list[str]) -> None:
        """Restore the saved item, unless another run has replaced it meanwhile."""
        ...

    def discard(self, name: str, mark: str) -> None:
        """Delete the saved item."""
        ...


def run_of(mark: str) -> str:
    return mark.partition("/")[0]


class Files:
    """Files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _new(self, name: str, mark: str) -> Path:
        new = self.folder / f"{name}.tmp-{run_of(mark)}"
        with new.open("w") as file:
            file.write(mark)
            file.flush()
            os.fsync(file.fileno())
        return new

    def _aside(self, name: str, mark: str) -> Path:
        return self.folder / f"{name}.aside-{run_of(mark)}"

    def make(self, name: str, mark: str) -> None:
        new = self._new(name, mark)
        os.link(new, self.folder / name)
        new.unlink()

    def has(self, name: str, mark: str) -> bool:
        path = self.folder / name
        return path.exists() and path.read_text() == mark

    def remove(self, name: str, mark: str) -> None:
        (self.folder / f"{name}.tmp-{run_of(mark)}").unlink(missing_ok=True)
        if self.has(name, mark):
            (self.folder / name).unlink()

    def look(self, name: str) -> list[str]:
        return []

    def keep(self, name: str, mark: str) -> None:
        aside = self._aside(name, mark)
        if not aside.exists():
            os.link(self.folder / name, aside)

    def replace(self, name: str, mark: str) -> None:
        self._new(name, mark).rename(self.folder / name)

    def put_back(self, name: str, mark: str, kept: list[str]) -> None:
        aside = self._aside(name, mark)
        if not aside.exists():
            return
        if self.has(name, mark):
            aside.rename(self.folder / name)
        # POSIX: renaming one hard link to another of the same file does nothing.
        aside.unlink(missing_ok=True)
        (self.folder / f"{name}.tmp-{run_of(mark)}").unlink(missing_ok=True)

    def discard(self, name: str, mark: str) -> None:
        self._aside(name, mark).unlink(missing_ok=True)


class Rows:
    """Rows of a database: a file, or PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.postgres = url.startswith("postgresql:")

    @contextlib.contextmanager
    def _commit(self) -> Iterator[Any]:
        if self.postgres:
            import psycopg

            connection: Any = psycopg.connect(self.url)
        else:
            connection = sqlite3.connect(self.url)
        try:
            with connection:
                yield lambda text, *values: connection.execute(
                    text.replace("?", "%s") if self.postgres else text, values
                )
        finally:
            connection.close()

    def prepare(self) -> None:
        """Create the tables, with a row that belongs to nobody's run."""
        with self._commit() as do:
            for statement in TABLES:
                do(statement)
            do("INSERT INTO thing VALUES (?, ?, ?)", "theirs", "their value", "them")

    def rows(self) -> list[Any]:
        with self._commit() as do:
            return sorted(
                [*do("SELECT * FROM thing").fetchall(), *do("SELECT * FROM ledger").fetchall()]
            )

    def make(self, name: str, mark: str) -> None:
        with self._commit() as do:
            do("INSERT INTO thing VALUES (?, ?, ?)", name, "made", mark)
            do("INSERT INTO ledger VALUES (?, ?)", name, mark)

    def has(self, name: str, mark: str) -> bool:
        with self._commit() as do:
            found = do("SELECT 1 FROM thing WHERE name = ? AND mark = ?", name, mark)
            return found.fetchone() is not None

    def remove(self, name: str, mark: str) -> None:
        with self._commit() as do:
            for table in ("thing", "ledger"):
                do(f"DELETE FROM {table} WHERE name = ? AND mark = ?", name, mark)

    def look(self, name: str) -> list[str]:
        with self._commit() as do:
            row = do("SELECT value, mark FROM thing WHERE name = ?", name).fetchone()
            return list(row)

    def keep(self, name: str, mark: str) -> None:
        """Do nothing: it is in the journal."""

    def replace(self, name: str, mark: str) -> None:
        with self._commit() as do:
            do("UPDATE thing SET value = 'replaced', mark = ? WHERE name = ?", mark, name)

    def put_back(self, name: str, mark: str, kept: list[str]) -> None:
        with self._commit() as do:
            text = "UPDATE thing SET value = ?, mark = ? WHERE name = ? AND mark = ?"
            do(text, *kept, name, mark)

    def discard(self, name: str, mark: str) -> None:
        """Do nothing: it is in the journal."""


class Objects:
    """Objects of a bucket below a prefix, marked in their metadata."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket, self.prefix = bucket, prefix
        self.client = client()

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": f"{self.prefix}{name}"}

    def _mark(self, name: str) -> str | None:
        """Return the mark of an object, or None."""
        try:
            found = self.client.head_object(**self._at(name))
        except self.client.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return None
        return str(found["Metadata"].get("handrail-run", "them"))

    def _aside(self, name: str, mark: str) -> str:
        return f"{name}.aside-{run_of(mark)}"

    def _copy(self, name: str, other: str) -> None:
        """Copy an object by reading and writing it: radosgw's copy succeeds but copies nothing."""
        found = self.client.get_object(**self._at(name))
        body, meta = found["Body"].read(), found["Metadata"]
        self.client.put_object(**self._at(other), Body=body, Metadata=meta)

    def objects(self) -> dict[str, Any]:
        listed = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix)
        found = {}
        for each in listed.get("Contents", ()):
            answer = self.client.get_object(Bucket=self.bucket, Key=each["Key"])
            name = each["Key"].removeprefix(self.prefix)
            found[name] = (answer["Body"].read().decode(), answer["Metadata"])
        return found

    def make(self, name: str, mark: str) -> None:
        if self._mark(name) is not None:  # Not every server honours a condition.
            raise FileExistsError(name)
        self.replace(name, mark)

    def has(self, name: str, mark: str) -> bool:
        return self._mark(name) == mark

    def remove(self, name: str, mark: str) -> None:
        if self.has(name, mark):
            self.client.delete_object(**self._at(name))

    def look(self, name: str) -> list[str]:
        return []

    def keep(self, name: str, mark: str) -> None:
        aside = self._aside(name, mark)
        if self._mark(aside) is None:
            self._copy(name, aside)

    def replace(self, name: str, mark: str) -> None:
        meta = {"handrail-run": mark}
        self.client.put_object(**self._at(name), Body=mark.encode(), Metadata=meta)

    def put_back(self, name: str, mark: str, kept: list[str]) -> None:
        aside = self._aside(name, mark)
        if self.has(name, mark):
            self._copy(aside, name)
        self.discard(name, mark)

    def discard(self, name: str, mark: str) -> None:
        self.client.delete_object(**self._at(self._aside(name, mark)))


@functools.cache
def client() -> Any:
    """Return a client for the server in the environment variables."""
    import boto3
    from botocore.config import Config

    # radosgw does not support the trailing checksums that newer clients send by default.
    config = Config(
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    # A new session, because the default one keeps its keys even if they have changed.
    return boto3.Session().client("s3", config=config)
