"""What `handrail doctor` says of the journal."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from durable_runs import Run

from handrail.builtin.sqlite.database import MIGRATIONS

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


def journal_of(run: Run, **variables: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(run("doctor", "--json", **variables).stdout)["journal"]
    return found


def test_no_journal_yet_is_well(handrail: Run, folder: Path) -> None:
    """None is made by looking for it."""
    done = handrail("doctor")
    assert done.returncode == 0, done.stdout
    assert "✓ journal .handrail/runs.db (none yet)\n" in done.stdout
    assert not (folder / ".handrail").exists()
    assert journal_of(handrail) == {
        "place": ".handrail/runs.db",
        "source": "default",
        "opens": True,
        "format": None,
        "runs": 0,
        "waiting": [],
        "damaged": [],
    }


def test_runs_that_wait_are_counted(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """Nothing of them is imported, and they are no fault of the installation."""
    killed()
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    (folder / "durable.py").write_text("raise SystemExit('imported')")
    done = handrail("doctor")
    assert done.returncode == 0
    assert f"✓ journal .handrail/runs.db (format {len(MIGRATIONS)}, 2 runs)\n" in done.stdout
    assert "○ 1 run can be finished or undone:  handrail runs\n" in done.stdout
    assert journal_of(handrail)["waiting"] == [1]


def test_a_journal_that_cannot_be_used_is_a_problem(handrail: Run, folder: Path) -> None:
    """Of which the exit code tells."""
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a")
    with closing(sqlite3.connect(folder / ".handrail" / "runs.db")) as journal:
        journal.execute("PRAGMA user_version = 99")
    done = handrail("doctor")
    assert done.returncode == 7
    assert "✗ journal .handrail/runs.db\n" in done.stdout
    assert "was written by a newer Handrail: it has format 99" in done.stdout
    assert journal_of(handrail)["opens"] is False
    elsewhere = handrail("doctor", HANDRAIL_JOURNAL="redis://there")
    assert elsewhere.returncode == 2
    assert "no installed pack provides journals" in elsewhere.stdout
