"""Formats in the project's own files: found by the settings, and imported only where trusted."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from handrail_export.command import export as command

LINES = """
from handrail_export import RowFormat


class LinesFormat(RowFormat):
    ending = ".lines"

    def write(self, rows, path, partition_by=()):
        count = 0
        with open(path, "x") as file:
            for batch in rows.batches("csv"):
                for row in batch.to_pylist():
                    file.write(" ".join(map(str, row.values())) + "\\n")
                count += batch.num_rows
        return count
"""


@pytest.fixture
def project(here):
    (here / "handrail.toml").write_text('[local.formats]\nlines = "own.py:LinesFormat"\n')
    (here / "own.py").write_text(LINES)
    return here


def test_a_format_of_the_project_is_used(project, table, export):
    """By its name, and by the ending of the target; it is listed without being imported."""
    export(table(2), "out.lines", table="item", columns=["id", "name"])
    assert Path("out.lines").read_text() == "1 item 1\n2 item 2\n"
    export("rows.db", "folder", format="lines", table="item", columns=["id"])
    assert Path("folder/data.lines").read_text() == "1\n2\n"
    (project / "own.py").write_text("raise SystemExit")
    listed = CliRunner().invoke(command, ["formats"]).output.splitlines()
    assert ["lines", "local"] in [line.split() for line in listed]


@pytest.mark.parametrize(
    ("settings", "code", "told"),
    [
        ('lines = "none.py:LinesFormat"', LINES, "there is no file none.py"),
        ('lines = "own.py:Nothing"', LINES, "own.py has no Nothing, which handrail.toml"),
        ('lines = "own.py:LinesFormat"', "1 / 0", "own.py could not be imported"),
        ('lines = "own.py:LinesFormat"', "LinesFormat = 1", "is neither a RowFormat nor"),
        ('csv = "own.py:LinesFormat"', LINES, "csv is offered by handrail-export"),
    ],
)
def test_what_is_none_is_told(project, table, export, settings, code, told):
    """With the place in the settings, or the file; and nothing is written."""
    (project / "handrail.toml").write_text(f"[local.formats]\n{settings}\n")
    (project / "own.py").write_text(code)
    name = "csv" if settings.startswith("csv") else "lines"
    done = export(table(2), "out/", format=name, table="item", fails=True)
    assert told in done.message
    assert not (project / "out").exists()


def test_a_file_that_others_may_write_is_not_imported(project, table, export):
    """As every file of a project."""
    (project / "own.py").chmod(0o666)
    done = export(table(2), "out.lines", table="item", fails=True)
    assert "own.py" in done.message
    assert not Path("out.lines").exists()
