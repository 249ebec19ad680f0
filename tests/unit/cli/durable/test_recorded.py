"""What a run goes on with: its folder, its action, its packs and its params, as it began."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from durable_runs import Run, made, runs
from garden import Garden

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

TAG = """
from pathlib import Path
from handrail import hookimpl, step

@step
def tag(context):
    Path("tag.txt").touch()

@hookimpl
def insert_after(action, step):
    if step.name == "mail":
        return tag
"""

LOSING = """
from handrail import action, step

@step
def open_it(context):
    return {"thing": object()}

@step
def fail(context):
    raise ValueError("told to fail")

losing = action("losing", [open_it, fail])
"""

SOMEWHERE = """
import os
from pathlib import Path
from handrail import action, step

def here(item, item_context):
    return os.getpid() == item_context.shared

@step
def fail(context):
    if not Path("go").exists():
        raise ValueError("not yet")

@step
def work(context):
    [(_, found)] = context.map_items(here, ["a"], shared=os.getpid())
    Path("here").write_text(str(found))

job = action("job", [fail, work])
"""


@pytest.fixture
def tagging(site: Garden) -> None:
    """A pack that puts a step at the end of the plan."""
    site.plant(
        "acme-tag",
        points={"packs": {"tag": "acme_tag"}},
        modules={"acme_tag/__init__.py": TAG},
    )


def recorded(folder: Path, column: str) -> dict[str, object]:
    with closing(sqlite3.connect(folder / ".handrail" / "runs.db")) as journal:
        (text,) = journal.execute(f"SELECT {column} FROM run ORDER BY id DESC").fetchone()
    found: dict[str, object] = json.loads(text)
    return found


@pytest.mark.parametrize(
    ("variables", "only_packs", "no_packs"),
    [
        ({"HANDRAIL_NO_PACKS": "acme-tag"}, None, ["acme-tag"]),
        ({"HANDRAIL_ONLY_PACKS": ""}, [], []),
    ],
)
def test_packs_that_a_variable_left_out_stay_out(
    tagging: None,
    handrail: Run,
    folder: Path,
    killed: Callable[..., None],
    variables: dict[str, str],
    only_packs: list[str] | None,
    no_packs: list[str],
) -> None:
    """Wherever the selection came from; the variable need not be set again."""
    killed("-m", "handrail", "run", "durable.py:job", "a", **variables)
    chosen = recorded(folder, "packs")
    assert (chosen["no_packs"], chosen.get("only_packs")) == (no_packs, only_packs)
    (folder / "open").touch()
    done = handrail("resume", "1")
    assert done.returncode == 0, done.stderr
    assert made(folder) == {"first.txt", "a.txt", "seen.txt"}


def test_packs_that_were_on_stay_on(
    tagging: None, handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """A variable of another process does not count; a flag of this call does."""
    for _ in range(2):
        killed()
    (folder / "open").touch()
    out = {"HANDRAIL_NO_PACKS": "acme-tag"}
    assert handrail("resume", "1", **out).returncode == 0
    assert "tag.txt" in made(folder)
    (folder / "tag.txt").unlink()
    done = handrail("resume", "2", "--no-pack", "acme-tag")
    assert done.returncode == 0, done.stderr
    assert "since run 2 began: tag is gone" in done.stderr
    assert "tag.txt" not in made(folder)


def test_a_flag_that_names_the_only_packs_goes_before_a_variable(
    tagging: None, handrail: Run, folder: Path
) -> None:
    """Recorded is what counted, not all that was said."""
    (folder / "open").touch()
    handrail("run", "durable.py:job", "a", "--only-packs", "acme-tag", HANDRAIL_NO_PACKS="acme-tag")
    chosen = recorded(folder, "packs")
    assert (chosen["no_packs"], chosen["only_packs"]) == ([], ["acme-tag"])
    assert "tag.txt" in made(folder)


def test_a_folder_that_is_gone_is_told_and_another_can_be_named(
    handrail: Run, folder: Path, tmp_path: Path, killed: Callable[..., None]
) -> None:
    """Its paths lead from there."""
    killed()
    moved = tmp_path / "moved"
    folder.rename(moved)
    gone = handrail("rollback", "1", "--yes", cwd=moved)
    assert gone.returncode == 2
    assert f"run 1 ran in {folder}, which cannot be entered: No such file" in gone.stderr
    assert "--folder PATH" in gone.stderr
    wrong = handrail("rollback", "1", "--yes", "--folder", "nowhere", cwd=moved)
    assert wrong.returncode == 2
    assert "nowhere cannot be entered" in wrong.stderr
    done = handrail("rollback", "1", "--yes", "--folder", ".", cwd=moved)
    assert done.returncode == 0, done.stderr
    assert made(moved) == set()


def test_an_action_that_has_moved_is_told_and_can_be_named(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """Only as what it was: an action of another name is none of this run's."""
    killed()
    (folder / "durable.py").rename(folder / "moved.py")
    gone = handrail("rollback", "1", "--yes")
    assert gone.returncode == 2
    assert "the action of run 1: there is no file durable.py" in gone.stderr
    assert "handrail rollback 1 --action FILE.py:NAME" in gone.stderr
    other = handrail("rollback", "1", "--yes", "--action", "moved.py:undoing")
    assert other.returncode == 2
    assert "is one of job, not of undoing" in other.stderr
    assert handrail("rollback", "1", "--yes", "--action", "nowhere.py:job").returncode == 2
    done = handrail("rollback", "1", "--yes", "--action", "moved.py:job")
    assert done.returncode == 0, done.stderr
    assert made(folder) == set()


def test_a_program_that_has_moved(handrail: Run, folder: Path, killed: Callable[..., None]) -> None:
    """Its runs are found by the way to its file, as those of `handrail run` are."""
    killed("durable.py", "a")
    (folder / "lib").mkdir()
    (folder / "durable.py").rename(folder / "lib" / "durable.py")
    gone = handrail("rollback")
    assert gone.returncode == 2
    assert "there is no file durable.py" in gone.stderr
    done = handrail("rollback", "--action", "lib/durable.py:job")
    assert done.returncode == 0, done.stderr
    assert made(folder) == set()


def test_a_workflow_whose_file_has_moved(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """The line of the settings that leads nowhere is named; once it leads there, all is well."""
    settings = folder / "handrail.toml"
    settings.write_text('[workflows.nightly]\nextends = "durable.py:job"\nremove = ["mail"]\n')
    killed("-m", "handrail", "run", "nightly", "a")
    (folder / "durable.py").rename(folder / "moved.py")
    gone = handrail("rollback", "1", "--yes")
    assert gone.returncode == 2
    assert "handrail.toml:2: the workflow nightly extends " in gone.stderr
    assert "there is no file" in gone.stderr
    assert "--action" not in gone.stderr
    settings.write_text(settings.read_text().replace("durable.py", "moved.py"))
    done = handrail("rollback", "1", "--yes")
    assert done.returncode == 0, done.stderr
    assert made(folder) == set()


WITH_URL = '''
class Database(BaseModel):
    """Where to write."""
    url: Annotated[str, Argument()]

@dataclass(kw_only=True)
class Connected(BaseStepContext):
    url: str
    note: str = ""

@step
def connect(context):
    Path("url.txt").write_text(context.url)
    if not Path("open").exists():
        print("ready", flush=True)
        sys.stdin.read()
    for name in ("result", "note", "fail", "undo"):
        if Path(name).exists():
            break
    else:
        return {"from": context.url, "told": [f"wrote to {context.url}"]}
    if name == "note":
        context.note = context.url
    elif name == "undo":
        context.record_rollback("tables", f"{context.url}#a")
    else:
        raise ValueError(f"cannot connect to {context.url}")

writing = action("writing", [connect], params=Database, context=Connected)
'''
URL = "postgresql://ada:hunter2@db/acme"
HIDDEN = "postgresql://ada:**********@db/acme"


@pytest.fixture
def writing(folder: Path) -> None:
    with (folder / "durable.py").open("a") as source:
        source.write(WITH_URL)


def has_password(folder: Path) -> bool:
    files = list((folder / ".handrail").rglob("*"))
    return any(b"hunter2" in file.read_bytes() for file in files if file.is_file())


def test_a_password_in_the_url_of_a_param_is_not_kept(
    writing: None, handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """It is asked for again, by a variable that is named, when the run goes on."""
    killed("-m", "handrail", "run", "durable.py:writing", URL)
    assert not has_password(folder)
    (folder / "open").touch()
    refused = handrail("resume", "1")
    assert refused.returncode == 2
    told = f"url: was {HIDDEN}, and a password is never stored; set HANDRAIL_WRITING_URL"
    assert told in refused.stderr
    assert runs(handrail) == {1: "interrupted"}
    done = handrail("resume", "1", HANDRAIL_WRITING_URL=URL)
    assert done.returncode == 0, done.stderr
    assert (folder / "url.txt").read_text() == URL
    assert not has_password(folder)
    assert "hunter2" not in handrail("show", "1", "--json").stdout


def test_a_run_says_what_it_cannot_keep(writing: None, handrail: Run, folder: Path) -> None:
    """Before it begins, so that somebody can think of a secret param."""
    (folder / "open").touch()
    done = handrail("run", "durable.py:writing", URL)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(
        "the password in url is not kept; HANDRAIL_WRITING_URL has to hold url to resume or undo"
    )
    assert not has_password(folder)
    plain = handrail("run", "durable.py:writing", "postgresql://ada@db/acme")
    assert "password" not in plain.stderr


def test_an_error_with_a_url_keeps_its_password_to_itself(
    writing: None, handrail: Run, folder: Path
) -> None:
    """The traceback as well, which is kept in full."""
    for name in ("open", "fail"):
        (folder / name).touch()
    assert handrail("run", "durable.py:writing", URL).returncode == 1
    assert not has_password(folder)
    told = handrail("show", "1", "--traceback").stdout
    assert f"ValueError: cannot connect to {HIDDEN}" in told


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("note", "Connected.note has a URL with a password in it, which is never stored"),
        ("undo", "rollback data 'tables' of step 'connect' has a URL with a password in it"),
    ],
)
def test_what_is_needed_again_is_not_kept_without_its_password(
    writing: None, handrail: Run, folder: Path, name: str, message: str
) -> None:
    """The step that wants to keep it fails at once, not the undo that would have to do without."""
    for each in ("open", name):
        (folder / each).touch()
    done = handrail("run", "durable.py:writing", URL)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr
    assert not has_password(folder)


def test_a_run_that_cannot_be_resumed_is_not_to_be_resumed(handrail: Run, folder: Path) -> None:
    """What the run says of a result is what it proposes at its end; `show` says what it takes."""
    (folder / "losing.py").write_text(LOSING)
    done = handrail("run", "losing.py:losing", "--on-failure", "keep")
    assert done.returncode == 6
    assert "can be undone, but not resumed" in done.stderr
    assert "handrail resume" not in done.stderr
    assert "  undo    handrail rollback 1" in done.stderr
    shown = handrail("show", "1").stdout
    assert "needs a restore() of open_it that sets thing, which was not stored" in shown


@pytest.mark.parametrize(("words", "here"), [((), True), (("--executor", "processes:1"), False)])
def test_a_run_goes_on_with_its_executor(
    handrail: Run, folder: Path, words: tuple[str, ...], here: bool
) -> None:
    """Unless another one is named; a variable is for runs that begin."""
    pytest.importorskip("handrail_workers")
    (folder / "somewhere.py").write_text(SOMEWHERE)
    started = ("run", "somewhere.py:job", "--executor", "threads:1", "--on-failure", "keep")
    assert handrail(*started).returncode == 6
    assert recorded(folder, "packs")["executor"] == "threads:1"
    (folder / "go").touch()
    done = handrail("resume", "1", *words, HANDRAIL_EXECUTOR="processes:1")
    assert done.returncode == 0, done.stderr
    assert (folder / "here").read_text() == str(here)


def test_an_unknown_executor_begins_nothing(handrail: Run, folder: Path) -> None:
    """Whoever names it."""
    (folder / "somewhere.py").write_text(SOMEWHERE)
    for words, variables in ((("--executor", "grid"), {}), ((), {"HANDRAIL_EXECUTOR": "grid"})):
        done = handrail("run", "somewhere.py:job", *words, **variables)
        assert done.returncode == 2
        assert "there is no executor 'grid'" in done.stderr
    assert runs(handrail) == {}
