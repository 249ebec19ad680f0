"""`handrail show --html`: one file, one message, the same facts as in the terminal."""

from __future__ import annotations

import errno
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from documents import read, requests
from recorded_runs import Call, Journal, done, ended, planned

from handrail.errors import ExitCode


def given(**values: object) -> str:
    """Return params in their stored form, of which all differ from their defaults."""
    return json.dumps({"values": values, "secrets": {}, "changed": [[name] for name in values]})


def add(journal: Journal, *, epochs: int = 10) -> None:
    """Add a run that failed in its second step."""
    steps = [
        planned("load", reason="base"),
        planned("fit", reason="after load", required="policy.toml:4"),
        planned("tell"),
    ]
    changes = [done("load", keys=["a", "b"]), ended("fit", "failed", error="diverged")]
    journal.add(steps, *changes, outcome="failed", action="train", params=given(epochs=epochs))


def test_a_report_is_one_file_with_what_show_knows(
    call: Call, journal: Journal, folder: Path
) -> None:
    add(journal)
    answer = call("show", "1", "--html", "-o", "report.html")
    assert (answer.code, answer.out, answer.err) == (0, "", "wrote report.html\n")
    html = (folder / "report.html").read_text("utf-8")
    assert requests(html) == []
    words = read(html).words
    for fact in ("failed (kept)", "diverged", "would be undone", "required by policy.toml:4"):
        assert fact in words
    assert "handrail resume 1" in words
    assert "epochs" in words


def test_a_report_goes_to_standard_output(call: Call, journal: Journal) -> None:
    add(journal)
    answer = call("show", "--html")
    assert answer.out.startswith("<!doctype html>\n")
    assert next(read(answer.out).all("h1")).words == "run 1 · train"


def test_a_report_replaces_a_file_as_a_whole_or_not_at_all(
    call: Call, journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves what was there, and no draft."""
    add(journal)
    (folder / "report.html").write_text("before")

    def full(_number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        answer = call("show", "--html", "-o", "report.html")
    assert answer.code == 2
    assert "error: report.html cannot be written: No space left on device\n" in answer.err
    assert (folder / "report.html").read_text() == "before"
    assert [each.name for each in folder.glob(".report*")] == []
    assert call("show", "--html", "-o", "report.html").code == 0
    assert (folder / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_a_folder_that_is_not_there_is_named_once(call: Call, journal: Journal) -> None:
    add(journal)
    answer = call("show", "--html", "-o", "no/report.html")
    assert answer.code == 2
    assert answer.err.count("no/report.html cannot be written: No such file or directory") == 1


def test_a_damaged_run_has_a_report_of_what_is_sound(
    call: Call, journal: Journal, folder: Path
) -> None:
    add(journal)
    with closing(sqlite3.connect(folder / ".handrail" / "runs.db")) as database, database:
        database.execute("UPDATE attempt SET result = '{' WHERE step = 'fit'")
    answer = call("show", "--html", "-o", "report.html")
    assert answer.code == ExitCode.JOURNAL
    assert "damaged" in read((folder / "report.html").read_text("utf-8")).words


def test_runs_stand_side_by_side_with_what_differs(call: Call, journal: Journal) -> None:
    """As in the terminal, and as JSON."""
    add(journal)
    add(journal, epochs=20)
    journal.add([planned("load"), planned("new")], done("load"), outcome="completed")
    html = call("show", "1", "2", "3", "--html").out
    cells = {
        row.below[0].words: [each.words for each in row.below[1:]] for row in read(html).all("tr")
    }
    assert cells["epochs"] == ["10", "20", "default"]
    assert cells["fit"][2] == "not in its plan"


def test_a_report_is_all_that_is_written(call: Call, journal: Journal) -> None:
    add(journal)
    assert "do not go together" in call("show", "--step", "fit", "--html").err
    assert "--html writes no JSON" in call("show", "--html", "--json").out


def test_nothing_of_a_report_is_imported_where_none_is_asked_for(journal: Journal) -> None:
    """The option alone is, in each call of `show`."""
    add(journal)
    source = "import sys; from handrail.cli import main; main(['show', '1']);"
    source += "print([each for each in sys.modules if each.startswith('handrail_report')])"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "['handrail_report', 'handrail_report.option']"
