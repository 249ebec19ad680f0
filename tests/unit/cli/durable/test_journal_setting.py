"""Where the journal is: a flag, a variable, the project, or the usual place, in this order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from durable_runs import Run, runs

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


def place(run: Run, **more: object) -> tuple[str, str]:
    """Where `config` says that the journal is, and who says so."""
    listed = json.loads(run("config", "--json", **more).stdout)["settings"]
    [row] = [each for each in listed if each["key"] == "journal.url"]
    return row["value"], row["source"]


@pytest.mark.parametrize(
    ("name", "text", "source"),
    [
        ("handrail.toml", '[journal]\nurl = "kept/runs.db"\n', "handrail.toml:2"),
        (
            "pyproject.toml",
            '[tool.handrail]\njournal = { url = "kept/runs.db" }\n',
            "pyproject.toml:2",
        ),
    ],
)
def test_the_project_names_a_journal(
    handrail: Run, folder: Path, name: str, text: str, source: str
) -> None:
    """Its path leads from the project, wherever one stands; a variable and a flag go before it."""
    (folder / "open").touch()
    (folder / name).write_text(text)
    assert place(handrail) == ("kept/runs.db", source)
    (folder / "below").mkdir()
    (folder / "below" / "open").touch()
    assert handrail("runs").stdout == "no runs yet; handrail run ACTION makes one\n"
    done = handrail("run", "../durable.py:job", "a", cwd=folder / "below")
    assert done.returncode == 0, done.stderr
    assert (folder / "kept" / "runs.db").exists()
    assert not (folder / ".handrail" / "runs.db").exists()
    assert runs(handrail) == {1: "completed"}
    variable = {"HANDRAIL_JOURNAL": "other.db"}
    assert place(handrail, **variable) == ("other.db", "HANDRAIL_JOURNAL")
    assert handrail("run", "durable.py:job", "a", **variable).returncode == 0
    assert (folder / "other.db").exists()
    flag = handrail("run", "durable.py:job", "a", "--journal", "third.db", **variable)
    assert flag.returncode == 0
    assert (folder / "third.db").exists()


def test_runs_in_the_journal_of_a_project_are_found_by_all_commands(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    (folder / "handrail.toml").write_text('[journal]\nurl = "kept.db"\n')
    killed()
    (folder / "open").touch()
    assert handrail("show").stdout.startswith("run 1 · durable.py:job · interrupted")
    assert handrail("resume", "--all-dead", cwd=folder / "in").returncode == 0
    assert handrail("rollback", "1", "--yes").returncode == 0
    assert handrail("runs", "prune", "--older-than", "0s").stdout == "1 run deleted\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[journal]\nurl = 5\n", "handrail.toml:2: journal.url has to be text"),
        ('[journal]\nurl = ""\n', "handrail.toml:2: journal.url has to be text"),
        ('[journal]\nurls = "a.db"\n', "handrail.toml:2: there is no setting journal.urls"),
        ('journal = "a.db"\n', "handrail.toml:1: journal has to be a table"),
    ],
)
def test_a_journal_that_is_none_is_a_mistake_with_its_line(
    handrail: Run, folder: Path, text: str, message: str
) -> None:
    (folder / "handrail.toml").write_text(text)
    done = handrail("run", "durable.py:job", "a")
    assert done.returncode == 2
    assert message in done.stderr
    assert not list(folder.rglob("*.db"))


def test_a_file_that_cannot_be_read_may_name_a_journal(handrail: Run, folder: Path) -> None:
    """To look into another one would hide the runs that wait in it."""
    (folder / "handrail.toml").write_text("[journal\n")
    for words in (["runs"], ["resume"], ["rollback", "1"], ["show"]):
        refused = handrail(*words)
        assert refused.returncode == 2
        assert "handrail.toml:1: is not TOML" in refused.stderr
    assert handrail("config").returncode == 2


def test_a_password_in_the_url_of_a_journal_is_never_shown(handrail: Run, folder: Path) -> None:
    """The settings that name it are; a file that is shared is no place for it."""
    (folder / "handrail.toml").write_text('[journal]\nurl = "postgresql://ada:hunter2/x@db/runs"\n')
    hidden = "postgresql://ada:**********@db/runs"
    assert place(handrail) == (hidden, "handrail.toml:2")
    for words in (["run", "durable.py:job", "a"], ["runs"], ["rollback", "1"], ["doctor"]):
        refused = handrail(*words)
        assert refused.returncode == 2, words
        told = refused.stdout + refused.stderr
        assert "has a password in it" in told
        assert "PGPASSWORD" in told
        assert "hunter2" not in told
    assert "  at      handrail.toml:2\n" in handrail("runs").stderr
    option = {"HANDRAIL_JOURNAL": "postgresql://ada@db/runs?password=hunter2&sslmode=require"}
    hidden = "postgresql://ada@db/runs?password=**********&sslmode=require"
    assert place(handrail, **option) == (hidden, "HANDRAIL_JOURNAL")
    given = handrail("runs", HANDRAIL_JOURNAL="postgresql://ada:hunter2@db/runs")
    assert given.returncode == 2
    assert "  at      HANDRAIL_JOURNAL\n" in given.stderr
