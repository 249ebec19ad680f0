"""A checksum that is taken while the file is written, and only claimed where it is right."""

from __future__ import annotations

import hashlib
import os
from types import SimpleNamespace

import duckdb
import pytest

from handrail_export import engine, hashing, staging
from handrail_export.hashing import Following


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_grows(here):
    """What is written bit by bit is read once, to its last byte."""
    path = here / "rows.csv"
    with Following(path) as following, open(path, "xb", buffering=0) as file:
        file.writelines(b"%d,text\n" % number for number in range(2000))
    assert following.sha256() == digest(path)


@pytest.mark.parametrize("what", ["hole", "more", "another file", "failure", "none"])
def test_nothing_is_claimed(here, what):
    """Where the file is not what was read, or may not be, it has to be read again."""
    path = here / "rows.csv"
    following = Following(path)
    try:
        with following:
            if what == "failure":
                path.write_bytes(b"text")
                raise KeyboardInterrupt
            if what == "hole":
                with open(path, "xb") as file:
                    file.seek(5000)
                    file.write(b"text")
            elif what != "none":
                path.write_bytes(b"text")
    except KeyboardInterrupt:
        pass
    if what == "hole":  # Somebody fills it, too late.
        path.write_bytes(b"x" * 5004)
    elif what == "more":
        path.write_bytes(b"text and more")
    elif what in ("another file", "none"):
        (here / "other").write_bytes(b"TEXT")
        os.replace(here / "other", path)
    assert following.sha256() is None


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_text_is_not_read_again(table, export, here, monkeypatch, ending):
    """The checksum of text in the manifest is there when it is written, and right."""
    monkeypatch.setattr(staging, "hashlib", SimpleNamespace(file_digest=pytest.fail))
    export(table(3000), f"out.{ending}", table="item")
    export("rows.db", "folder", table="item", format=ending)
    told = (here / "folder" / "manifest.json").read_text()
    assert digest(here / "folder" / f"data.{ending}") in told


def test_doubtful_text_is_read_again(table, export, here, monkeypatch):
    """Where a checksum is in doubt, that of the finished file stands in the manifest."""
    monkeypatch.setattr(hashing.Following, "sha256", lambda self: None)
    export(table(30), "folder", table="item", format="csv")
    assert digest(here / "folder" / "data.csv") in (here / "folder" / "manifest.json").read_text()


@pytest.mark.parametrize("source", ["database", "file"])
def test_more_memory_where_it_is_needed(table, export, here, monkeypatch, source):
    """What does not fit into the memory that is enough for most is written with all of it."""
    monkeypatch.setattr(engine, "_LITTLE", 8 << 20)
    grown = []
    grow = engine.Engine.grow
    monkeypatch.setattr(engine.Engine, "grow", lambda self: grown.append(1) or grow(self))
    wide = "repeat(chr(97 + (i % 26)::INT), 1000000) || i AS t"
    duckdb.execute(f"COPY (SELECT i, {wide} FROM range(24) r(i)) TO '{here}/wide.parquet'")
    if source == "file":
        export("wide.parquet", "out.csv")
    else:
        query = "SELECT id AS i, printf('%.*c', 1000000, 'x') || id AS t FROM item"
        export(table(24), "out.csv", query=query)
    assert grown
    lines = (here / "out.csv").read_text().splitlines()
    assert sorted(int(line.split(",")[0]) for line in lines[1:])[:2] in ([0, 1], [1, 2])
    assert len(lines) == 25
