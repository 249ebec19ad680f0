"""Catalogues of both kinds: an SQLite file, and a real PostgreSQL."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from handrail_upload.catalogue import Catalogue, Published, open_catalogue
from handrail_upload.listing import Listing, as_json
from handrail_upload.units import DataFile, DataUnit


@pytest.fixture(params=["sqlite", "postgres"])
def new_url(request, tmp_path):
    """A function that returns the URL of a place where no catalogue is yet."""
    if request.param == "sqlite":
        return lambda: str(tmp_path / f"{uuid.uuid4().hex}.db")
    psycopg = pytest.importorskip("psycopg")
    server = request.getfixturevalue("postgres").database()

    def make() -> str:
        schema = f"acme_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        return f"{server}?options={quote(f'-csearch_path={schema}')}"

    return make


@pytest.fixture
def url(new_url):
    """The URL of a place where no catalogue is yet."""
    return new_url()


@pytest.fixture
def catalogue(url) -> Iterator[Catalogue]:
    """A catalogue that run "first" has made."""
    with open_catalogue(url, timeout=1) as opened:
        opened.prepare("first")
        yield opened


@contextlib.contextmanager
def connected(url: str) -> Iterator[Any]:
    """Yield a connection of somebody else, each statement of which is committed."""
    if url.startswith("postgresql:"):
        psycopg = pytest.importorskip("psycopg")
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection
        return
    with contextlib.closing(sqlite3.connect(url, isolation_level=None)) as connection:
        yield connection


@pytest.fixture
def tools(tmp_path) -> SimpleNamespace:
    """What tests make rows of: `file(role, content)`, `unit(name, *files)`, `connected(url)`.

    `listing(*units, removed=locations)` lists what is to be published, and
    `publish(catalogue, run, *units, removed=locations)` does that.
    """

    def listing(*units: DataUnit, removed: Iterable[str] = ()) -> Listing:
        return listing_of(tmp_path / f"listing-{uuid.uuid4().hex}.db", units, removed)

    def publish(
        catalogue: Catalogue,
        run: str,
        *units: DataUnit,
        collection: str = "photos",
        removed: Iterable[str] = (),
    ) -> Published:
        return catalogue.publish(run, collection, listing(*units, removed=removed))

    return SimpleNamespace(
        file=file, unit=unit, connected=connected, listing=listing, publish=publish
    )


def listing_of(path: Path, units: Iterable[DataUnit], removed: Iterable[str]) -> Listing:
    """List `units` and `removed` locations in a file of three tables."""
    columns = [each.name for each in fields(DataFile) if each.name != "run"]
    named = ", ".join(columns)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE unit (name TEXT PRIMARY KEY, metadata TEXT)")
        database.execute(f"CREATE TABLE file (unit TEXT, {named}, PRIMARY KEY (unit, role))")
        for each in units:
            database.execute("INSERT INTO unit VALUES (?, ?)", (each.name, as_json(each.metadata)))
            database.executemany(
                f"INSERT INTO file VALUES (?{', ?' * len(columns)})",
                ((each.name, *(getattr(file, name) for name in columns)) for file in each.files),
            )
        gone = [(location,) for location in removed]
        database.execute("CREATE TABLE gone (location TEXT PRIMARY KEY)")
        database.executemany("INSERT INTO gone VALUES (?)", gone)
    return Listing(
        path=path,
        units="SELECT name, metadata FROM listing.unit",
        files=f"SELECT unit, {named} FROM listing.file",
        removed="SELECT location FROM listing.gone" if gone else "",
    )


def file(role: str = "file", content: str = "1", **values: Any) -> DataFile:
    """Return a file of which only the content matters."""
    given = {"name": f"{role}.txt", "location": f"/t/{role}", "key": role, "size": len(content)}
    return DataFile(role=role, **{**given, "sha256": content, **values})


def unit(name: str, *files: DataFile, **metadata: Any) -> DataUnit:
    """Return a unit; without files, with one."""
    return DataUnit(name=name, files=files or (file(),), metadata=metadata)
