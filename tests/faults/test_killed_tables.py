"""A run with tables in its results is killed, and goes on in another process with the very same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FLOWS = """
import os, signal
from pathlib import Path
import numpy, pandas, pyarrow
from handrail import action, step
from handrail_arrow import tables

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def made():
    frame = pandas.DataFrame({"a": range(1000), "b": pandas.Categorical(["x", "y"] * 500)})
    return {
        "frame": frame.iloc[::2],
        "deep": {"arrays": [numpy.arange(5), {"table": pyarrow.table({"n": [1, None]})}]},
        "mean": numpy.float32(frame["a"].mean()),
        "rows": 1000,
    }

@step
def load(context):
    with open("loads", "a") as file:
        file.write("x")
    if Path("die-while-writing").exists():
        # The file of the first value is whole, and no result names it.
        tables.ArrowTables.describe = lambda self, value: die()
    return made()

@load.rollback
def unload(context, result):
    Path("undone").write_text(",".join(result.data))

@step(effects=False)
def use(context):
    if not Path("open").exists():
        die()
    data, same = context.results["load"].data, made()
    pandas.testing.assert_frame_equal(data["frame"], same["frame"])
    array, inner = data["deep"]["arrays"]
    assert (array == same["deep"]["arrays"][0]).all() and array.dtype == "int64"
    assert inner["table"].equals(same["deep"]["arrays"][1]["table"])
    assert (type(data["mean"]), data["mean"]) == (numpy.float32, same["mean"])
    assert data["rows"] == 1000

job = action("job", [load, use])
"""


class Place:
    """A folder in which commands run, with their journal."""

    def __init__(self, folder: Path, journal: str | None) -> None:
        self.folder = folder
        self.environment = {
            name: text for name, text in os.environ.items() if not name.startswith("HANDRAIL_")
        }
        if journal is not None:
            self.environment["HANDRAIL_JOURNAL"] = journal
        (folder / "flows.py").write_text(FLOWS)

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "handrail", *words],
            check=False,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )

    @property
    def files(self) -> list[str]:
        """Values in files beside the journal."""
        found = (self.folder / ".handrail" / "values").rglob("*.*")
        return sorted(path.name for path in found)

    @property
    def loads(self) -> int:
        return len((self.folder / "loads").read_text())


@pytest.fixture(params=["file", "postgres"])
def handrail(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Commands with a journal of each kind."""
    in_file = request.param == "file"
    return Place(tmp_path, None if in_file else request.getfixturevalue("postgres_url"))


def killed(handrail: Place) -> None:
    done = handrail("run", "flows.py:job")
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_step_sees_what_the_killed_process_had_returned(handrail: Place) -> None:
    """The step that returned it does not run again, and nothing is left after a prune."""
    killed(handrail)
    shown = handrail("show", "1", "--step", "load").stdout
    assert "frame: table 500 x 2 (" in shown
    assert "deep: array 5 int64 (168 B), table 2 x 1 (" in shown
    (handrail.folder / "open").touch()
    done = handrail("resume", "1")
    assert (done.returncode, handrail.loads) == (0, 1), done.stderr
    assert handrail("runs", "prune", "--older-than", "0s").stdout == "1 run deleted\n"
    assert handrail.files == []


def test_a_kill_between_the_value_and_its_record_loses_nothing(handrail: Place) -> None:
    """The step runs again; what was written before is nobody's, and goes with the run."""
    (handrail.folder / "die-while-writing").touch()
    killed(handrail)
    (handrail.folder / "die-while-writing").unlink()
    (handrail.folder / "open").touch()
    done = handrail("resume", "1")
    assert (done.returncode, handrail.loads) == (0, 2), done.stderr
    assert handrail("runs", "prune", "--older-than", "0s").stdout == "1 run deleted\n"
    assert handrail.files == []


def test_an_undo_has_the_values_too(handrail: Place) -> None:
    killed(handrail)
    done = handrail("rollback", "1", "--yes")
    assert done.returncode == 0, done.stderr
    assert (handrail.folder / "undone").read_text() == "frame,deep,mean,rows"


def test_without_the_pack_a_resume_stops_before_anything(handrail: Place) -> None:
    killed(handrail)
    (handrail.folder / "open").touch()
    done = handrail("resume", "1", "--no-pack", "handrail-arrow")
    assert done.returncode == 4
    assert "handrail-arrow stored a pandas." in done.stderr
    assert handrail.loads == 1
    assert handrail("resume", "1").returncode == 0


@pytest.mark.parametrize("harm", ["removed", "changed"])
def test_a_damaged_file_stops_a_resume_and_no_undo(tmp_path: Path, harm: str) -> None:
    handrail = Place(tmp_path, None)
    killed(handrail)
    file = tmp_path / ".handrail/values/1/load-frame.parquet"
    content: Any = bytearray(file.read_bytes())
    content[100] ^= 1
    file.unlink()
    if harm == "changed":
        file.write_bytes(content)
    (tmp_path / "open").touch()
    done = handrail("resume", "1")
    assert done.returncode == 7
    assert "run 1 is damaged in the journal: the value load-frame.parquet" in done.stderr
    assert handrail.loads == 1
    assert handrail("rollback", "1", "--yes").returncode == 0


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    handrail = Place(tmp_path, None)
    killed(handrail)
    values = tmp_path / ".handrail/values"
    modes = {path.stat().st_mode & 0o777 for path in values.rglob("*.*")}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (values, values / "1")} == {0o700}
