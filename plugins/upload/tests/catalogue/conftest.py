"""Catalogues of both kinds: an SQLite file, and a real PostgreSQL."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from handrail_upload.catalogue import Catalogue, open_catalogue
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
def tools() -> SimpleNamespace:
    """What tests make rows of: `file(role, content)`, `unit(name, *files)`, `connected(url)`."""
    return SimpleNamespace(file=file, unit=unit, connected=connected)


def file(role: str = "file", content: str = "1", **values: Any) -> DataFile:
    """Return a file of which only the content matters."""
    given = {"name": f"{role}.txt", "location": f"/t/{role}", "key": role, "size": len(content)}
    return DataFile(role=role, **{**given, "sha256": content, **values})


def unit(name: str, *files: DataFile, **metadata: Any) -> DataUnit:
    """Return a unit; without files, with one."""
    return DataUnit(name=name, files=files or (file(),), metadata=metadata)
