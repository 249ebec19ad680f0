"""The manifest: read while it changes, what it keeps, and when it is not usable."""

from __future__ import annotations

import os
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handrail_storage.claims import Held, HeldList, WantedList
from handrail_storage.claims.keys import Keys
from handrail_upload import Manifest, SourceFile
from handrail_upload.errors import UploadError
from handrail_upload.manifest import (
    FOUND,
    INVALID,
    PAGE,
    SENT,
)


def source_file(name: str, **values: Any) -> SourceFile:
    given = {"path": f"/src/{name}", "key": name, "unit": name, "role": "file"}
    return SourceFile(name=name, **{"size": 1, "mtime": 0, **given, **values})


@pytest.fixture
def manifest(here: Path) -> Iterator[Manifest]:
    with closing(Manifest(here / "state" / "run.db")) as made:
        yield made


def test_changed_while_it_is_read(manifest: Manifest) -> None:
    """Going through more than a page, each file is seen once although its state changes."""
    count = 2 * PAGE + 5
    manifest.add(source_file(f"{n:05}") for n in range(count))
    seen = []
    for file in manifest.files(FOUND):
        seen.append(file.name)
        manifest.update([replace(file, state=SENT, sha256="0" * 64)])
    assert seen == [f"{n:05}" for n in range(count)]
    assert (manifest.count(FOUND), manifest.count(SENT)) == (0, count)
    assert [unit.name for unit in manifest.units("x")] == seen


def test_units_across_pages(manifest: Manifest) -> None:
    """A unit whose files lie on two pages is one unit."""
    roles = [f"role_{n}" for n in range(7)]
    files = (
        source_file(f"{n}/{role}", unit=f"{n:04}", role=role, state=SENT)
        for n in range(300)
        for role in roles
    )
    assert manifest.add(files) == []
    found = list(manifest.units("x"))
    assert [unit.name for unit in found] == [f"{n:04}" for n in range(300)]
    assert all([file.role for file in unit.files] == roles for unit in found)


def test_incomplete_units(manifest: Manifest) -> None:
    """Units that lack a role are told with what they lack; a file that is not valid is none."""
    manifest.add(
        source_file(f"{unit}.{role}", unit=unit, role=role)
        for unit, roles in {"a": "xy", "b": "x", "c": "y", "d": "xyz"}.items()
        for role in roles
    )
    assert list(manifest.incomplete_units(["x", "y"])) == [("b", ["y"]), ("c", ["x"])]
    [bad] = [each for each in manifest.files_of("a") if each.role == "x"]
    manifest.update([replace(bad, state=INVALID)])
    assert ("a", ["x"]) in list(manifest.incomplete_units(["x", "y"]))
    assert list(manifest.incomplete_units([])) == []


def test_paths_are_bytes(manifest: Manifest) -> None:
    """A path that is no UTF-8 comes back as the bytes that it was."""
    raw = b"/src/caf\xe9\n.txt"
    manifest.add([source_file("caf%E9%0A.txt", path=os.fsdecode(raw))])
    [file] = manifest.files()
    assert os.fsencode(file.path) == raw
    assert file.to_dict()["name"] == "caf%E9%0A.txt"


def test_description(manifest: Manifest) -> None:
    """Values of JSON types are kept under their names; None takes one away."""
    manifest.describe(target="s3://b", sources={"": "/ü"}, started=1.5)
    manifest.describe(started=None, target="out")
    assert manifest.description() == {"target": "out", "sources": {"": "/ü"}}


def test_metadata(manifest: Manifest) -> None:
    """The row of a path comes before that of a bare name; a name that comes twice is named."""
    rows = [("a.txt", 2, {"n": 1}), ("sub/a.txt", 3, {"n": 2}), ("ü", 4, {"x": None})]
    assert manifest.add_metadata(rows) is None
    assert manifest.metadata_of("a.txt") == {"n": 1}
    assert manifest.metadata_of("other/a.txt") == {"n": 1}
    assert manifest.metadata_of("sub/a.txt") == {"n": 2}
    assert manifest.metadata_of("ü") == {"x": None}
    assert manifest.metadata_of("b.txt") == {}
    assert manifest.add_metadata([("b", 5, {}), ("a.txt", 6, {})]) == "a.txt"
    assert manifest.metadata_line("a.txt") == 2
    manifest.clear_metadata()
    assert manifest.metadata_of("a.txt") == {}


def test_oddities(manifest: Manifest) -> None:
    """What was left alone is counted by kind, in order, and forgotten with the files."""
    for number in range(3):
        manifest.note("hidden", f".{number}", "its name begins with a dot")
    manifest.note("link", "l", "it leads nowhere")
    assert manifest.oddity_counts() == {"hidden": 3, "link": 1}
    assert list(manifest.problems("link")) == [("l", "it leads nowhere")]
    manifest.clear()
    assert manifest.oddity_counts() == {}


def test_a_transaction_that_fails(manifest: Manifest) -> None:
    """When the files that are added end in an error, none of them is there."""

    def files() -> Iterator[SourceFile]:
        yield source_file("a")
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        manifest.add(files())
    assert manifest.count() == 0
    assert manifest.add([source_file("a")]) == []


def test_remove(manifest: Manifest) -> None:
    """Nothing of it stays; removing it again is harmless."""
    manifest.add([source_file("a")])
    manifest.remove()
    assert list(manifest.path.parent.iterdir()) == []
    assert manifest.closed
    manifest.remove()


def test_made_whole_or_not_at_all(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With some of its tables it would count as a file of others, which no undo deletes."""
    path = here / "run.db"
    schema = Manifest.schema.replace("CREATE TABLE IF NOT EXISTS file", "stop; CREATE TABLE file")
    monkeypatch.setattr(Manifest, "schema", schema)
    with pytest.raises(UploadError):
        Manifest(path)
    assert Manifest.what_else(path, "run") is None


@pytest.mark.parametrize("make", [True, False])
def test_a_newer_version(here: Path, make: bool) -> None:
    """A file of a newer version is refused with the way out, and left as it is."""
    path = here / "run.db"
    Manifest(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {Manifest.version + 1}")
    with pytest.raises(UploadError, match="was made by a newer version") as caught:
        Manifest(path, make=make)
    assert caught.value.ways_out == ("pip install --upgrade handrail-upload",)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (Manifest.version + 1,)


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 500])
def test_a_damaged_file(here: Path, content: bytes) -> None:
    """A file that is no database is refused by name, and left as it is."""
    path = here / "run.db"
    path.write_bytes(content)
    with pytest.raises(UploadError, match=f"the list of files {path} cannot be used: "):
        Manifest(path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_be(here: Path) -> None:
    """Where a folder cannot be made, the error says which file, and what to do."""
    (here / "state").write_text("a file")
    with pytest.raises(UploadError, match=r"state/run.db cannot be used: ") as caught:
        Manifest(here / "state" / "run.db")
    assert caught.value.ways_out == ("use another folder for it: --state-folder FOLDER",)


@pytest.mark.parametrize("make", [True, False])
def test_a_database_of_others(here: Path, make: bool) -> None:
    """A database that is no manifest is refused, and nothing is written to it."""
    path = here / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE mine (x)")
        db.commit()
    before = path.read_bytes()
    with pytest.raises(UploadError, match="is no list of files of an upload"):
        Manifest(path, make=make)
    assert path.read_bytes() == before
    assert list(here.iterdir()) == [path]


def test_not_made(here: Path) -> None:
    """A manifest that is only to be read is not made."""
    with pytest.raises(UploadError, match="there is no list of files"):
        Manifest(here / "none" / "run.db", make=False)
    assert list(here.iterdir()) == []


@pytest.mark.slow
def test_memory(manifest: Manifest) -> None:
    """Fifty thousand files cost the memory of a page: adding, changing and reading them."""
    count = 50_000

    def all_of_it() -> None:
        changed = (replace(each, state=SENT, sha256="0" * 64) for each in manifest.files(FOUND))
        for first in range(0, count, PAGE):
            manifest.add(source_file(f"{n:07}") for n in range(first, first + PAGE))
        manifest.update(changed)
        assert sum(1 for _ in manifest.files(SENT)) == count
        assert sum(1 for _ in manifest.units("s3://b")) == count
        assert sum(1 for _ in manifest.incomplete_units(["file"])) == 0

    tracemalloc.start()
    try:
        all_of_it()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_lists_for_claims_are_those_of_the_files(manifest: Manifest) -> None:
    """Lines that SQLite writes are those of objects, in that order, whatever is in the names."""
    names = [
        "b c",
        "b",
        "b!",
        'a"b',
        "a\\b",
        "a\x01b",
        "\u2028",
        "\x7fü",
        "\U0001f600",
        "\uffff",
        "é/ü",
    ]
    manifest.add(source_file(name, size=number) for number, name in enumerate(names))
    some = [replace(each, state=SENT, etag="e", sha256="0" * 64) for each in manifest.files()]
    manifest.update([*some[:5], *(replace(each, sha256="", etag=None) for each in some[5:])])
    files = list(manifest.files(SENT))
    wanted = WantedList.of(dict.fromkeys(each.key for each in files))
    held = HeldList.of(
        Held(key=each.key, size=each.size, sha256=each.sha256 or None, etag=each.etag)
        for each in files
    )
    assert [[*manifest.wanted_lines(SENT, FOUND)]] == list(wanted.pages())
    assert [[*manifest.held_lines(SENT)]] == list(held.pages())
    assert list(manifest.wanted_lines(INVALID)) == list(manifest.keys(INVALID)) == []
    assert [set(names)] == [set(page) for page in manifest.keys(SENT)]
    extent = Keys(wanted).extent
    assert manifest.extent(SENT, FOUND) == (extent.count, extent.first, extent.last)
    assert manifest.extent(INVALID) == (0, "", "")
