"""`handrail export verify` and `formats`, as they are called."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from handrail.errors import NotFoundError
from handrail_export.command import export as command
from handrail_export.errors import ExportError


@pytest.fixture
def call():
    """Call the command; return its exit code and what it printed."""

    def run(*arguments):
        done = CliRunner().invoke(command, arguments, standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return done.return_value or 0, done.stdout

    return run


@pytest.fixture
def exported(table, export):
    """An export of two files in `out`, and one of a single file, `rows.csv`."""
    first = export(table(4), "out", table="item", format="csv", partition_by=["kind"])
    second = export("rows.db", "rows.csv", table="item", limit=2)
    return first.result["run"], second.result["run"]


@pytest.mark.parametrize("which", ["latest", "run", "folder"])
def test_all_is_well(exported, call, which):
    """The latest export is compared, or the one that is named; the content is read."""
    given = {
        "latest": [],
        "run": [exported[0]],
        "folder": ["out"],
    }[which]
    code, out = call("verify", *given)
    run, output, files = (
        (exported[1], "rows.csv", "1 file")
        if which == "latest"
        else (exported[0], "out", "2 files")
    )
    assert code == 0
    assert out.splitlines()[:2] == [f"export  {run}", f"output  {output}"]
    assert re.fullmatch(
        rf"{files}, \d+ B · content read · all as it was exported", out.splitlines()[2]
    )


def test_differences(exported, call, here):
    """What is missing, cut short or different is told, file by file, with exit code 1."""
    path = here / "out" / "kind=a" / "data_0.csv"
    text = path.read_text()
    path.write_text(text.replace("item 2", "item X"))
    (here / "out" / "kind=b" / "data_0.csv").unlink()
    code, out = call("verify", "out")
    assert code == 1
    assert out.splitlines()[2:4] == [
        "  kind=a/data_0.csv  its content is different",
        "  kind=b/data_0.csv  it is missing",
    ]
    assert out.splitlines()[4].endswith("2 differences")
    code, out = call("verify", exported[0], "--quick")
    assert (code, out.count("it is missing"), out.count("different is")) == (1, 1, 0)
    path.write_text(text + "more\n")
    assert "bytes, not" in call("verify", "out", "--quick")[1]


def test_as_json(exported, call, here):
    """With --json the result is one object."""
    (here / "rows.csv").unlink()
    code, out = call("verify", "--json")
    document = json.loads(out)
    size = document.pop("bytes")
    assert code == 1
    assert size > 10
    assert document == {
        "schema": 1,
        "id": None,
        "uid": exported[1],
        "output": "rows.csv",
        "format": "csv",
        "exported_count": 2,
        "files": 1,
        "differences": [{"path": "rows.csv", "what": "it is missing"}],
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["beef"], "there is no export beef in .handrail/exports"),
        (["nowhere/"], "there is no manifest.json in nowhere/"),
        (["--state-folder", "nowhere"], "there is no export in nowhere"),
    ],
)
def test_nothing_to_verify(exported, call, given, told):
    with pytest.raises(NotFoundError) as raised:
        call("verify", *given)
    assert told in raised.value.message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[]", "bad/manifest.json is no manifest of an export: it has no files"),
        ('{"files": [{"path": "a"}]}', "a file has no 'size'"),
        (
            '{"files": [{"path": "../x", "size": 1, "sha256": ""}]}',
            "'../x': it leads out of the target",
        ),
        ('{"files": [{"path": "/x", "size": 1, "sha256": ""}]}', "'/x': it is absolute"),
        ('{"schema": 2, "files": []}', "was made by a newer version"),
    ],
)
def test_documents_that_are_none(call, here, content, told):
    """A manifest.json of others, or that leads elsewhere, is refused, and nothing is compared."""
    (here / "bad").mkdir()
    (here / "bad" / "manifest.json").write_text(content)
    for given in ("bad", "bad/manifest.json"):
        with pytest.raises(ExportError) as raised:
            call("verify", given)
        assert told in raised.value.message


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE about SET value = '{' WHERE name = 'output'", "is damaged"),
        ("DELETE FROM about WHERE name = 'target'", "ended before it had written anything"),
        ("DROP TABLE file", "cannot be used: no such table: file"),
        ("DROP TABLE about", "is no manifest of an export"),
        (None, "is no manifest of an export"),
    ],
)
def test_manifests_with_damages(exported, call, here, damage, told):
    """A manifest of which a part is gone is told, and nothing is written into it."""
    path = here / ".handrail" / "exports" / f"{exported[1]}.db"
    if damage is None:
        path.write_bytes(b"")
    else:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(damage)
    before = path.read_bytes()
    with pytest.raises(ExportError) as raised:
        call("verify")
    assert told in raised.value.message
    assert path.read_bytes() == before


def test_folder_in_place_of_a_file(exported, call, here):
    """What is no file any more is told as that."""
    path = here / "out" / "kind=a" / "data_0.csv"
    path.unlink()
    path.mkdir()
    code, out = call("verify", "out")
    assert (code, "kind=a/data_0.csv  it is no file" in out) == (1, True)


def test_formats(call):
    """The formats are listed with the packs that bring them."""
    code, out = call("formats")
    names = [line.split()[0] for line in out.splitlines()]
    assert (code, names) == (
        0,
        ["FORMAT", "arrow", "coco", "csv", "jsonl", "parquet", "xlsx", "yolo"],
    )
    document = json.loads(call("formats", "--json")[1])
    packs = {(each["pack"], each["version"]) for each in document["formats"]}
    assert packs == {("handrail-export", version("handrail-export"))}
