"""Nothing of another user's is executed or believed, and teams go on working together."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from other_users import OtherUser, make, other_user, put

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

ROOT, ADA, MALLORY, TEAM = 0, 12345, 12346, 12400

FLOWS = """
from pathlib import Path
from handrail import action, step

@step
def write(context):
    context.record_rollback("file", "made.txt")
    Path("made.txt").write_text("x")

@write.rollback
def unwrite(context, result):
    Path("made.txt").unlink(missing_ok=True)

flow = action("flow", [write])
"""
EVIL_PROJECT = """
[local.steps]
evil = "evil.py:evil"
[actions.flow]
insert = [{ step = "evil" }]
"""


@pytest.fixture(scope="module")
def users() -> Iterator[dict[int, OtherUser]]:
    """Return users who can call `handrail`, by their numbers."""
    with other_user(ROOT) as root, other_user(ADA, TEAM) as ada, other_user(MALLORY, TEAM) as third:
        if root is None or ada is None or third is None:
            pytest.skip("needs root, setpriv, and an environment that other users can read")
        yield {ROOT: root, ADA: ada, MALLORY: third}


@pytest.fixture(params=[ROOT, ADA], ids=["root", "ordinary"])
def user(request: pytest.FixtureRequest, users: dict[int, OtherUser]) -> OtherUser:
    """Return whom Mallory wants to attack."""
    return users[request.param]


@pytest.fixture
def ground() -> Iterator[Path]:
    """Return a folder of root's that everyone can look into."""
    made = Path(os.path.realpath(tempfile.mkdtemp(prefix="handrail-others-")))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def own(ground: Path, user: OtherUser) -> Path:
    """Return a folder of the user with flows.py, in one of Mallory's."""
    above = make(ground / "above", owner=MALLORY)
    made = make(above / "own", owner=user.uid)
    put(made / "flows.py", FLOWS, owner=user.uid)
    return made


def evil(file: Path, mark: Path, text: str = "", mode: int = 0o644) -> Path:
    """Put code of Mallory's there, which leaves a mark when it is executed."""
    mark.parent.chmod(0o777)
    return put(file, f"open({str(mark)!r}, 'w').close()\n{text}", owner=MALLORY, mode=mode)


# What is refused


def test_a_project_of_another_above_stops_what_would_use_it(
    own: Path, user: OtherUser, ground: Path
) -> None:
    """No code that it names is imported and no journal is made; listings go on without it."""
    put(own.parent / "handrail.toml", EVIL_PROJECT, owner=MALLORY)
    evil(own.parent / "evil.py", ground / "mark")
    for words in (
        *(("plan", "flows.py:flow"), ("run", "flows.py:flow"), ("doctor",), ("config",)),
        *(("resume",), ("resume", "--all-dead"), ("rollback",), ("runs",), ("show", "1")),
    ):
        told = user(own, *words)
        assert told.code == 2, (words, told)
        assert f"handrail.toml belongs to uid {MALLORY}" in told.out + told.err
        assert f"HANDRAIL_SAFE_FOLDERS={own.parent} handrail" in told.out + told.err
    listed = user(own, "packs")
    assert listed.code == 0
    assert f"belongs to uid {MALLORY}" in listed.err
    assert not (ground / "mark").exists()
    assert {each.name for each in own.parent.iterdir()} == {"handrail.toml", "evil.py", "own"}
    assert ".handrail" not in {each.name for each in own.iterdir()}


def test_a_pyproject_of_another_counts_where_it_speaks_of_handrail(
    own: Path, user: OtherUser
) -> None:
    """With our table it is refused, without it is passed over as ever."""
    file = own.parent / "pyproject.toml"
    put(file, '[project]\nname = "handrail-tool"\n', owner=MALLORY)
    assert user(own, "plan", "flows.py:flow").code == 0
    put(file, "[tool.handrail.actions.flow]\nremove = ['write']\n", owner=MALLORY)
    told = user(own, "plan", "flows.py:flow", "--json")
    assert (told.code, "foreign-project" in told.out) == (2, True)


@pytest.mark.parametrize("name", ["pyproject.toml", "handrail.toml"])
def test_a_pipe_in_place_of_a_project_file_does_not_wait(
    own: Path, user: OtherUser, name: str
) -> None:
    """It is passed over or told, whoever made it, and nothing waits for its other end."""
    os.mkfifo(own.parent / name)
    os.chown(own.parent / name, user.uid, user.uid)
    assert user(own, "packs").code == 0
    told = user(own, "plan", "flows.py:flow")
    assert told.code == (0 if name == "pyproject.toml" else 2)
    assert told.code == 0 or "it is not a regular file" in told.err


def test_a_project_that_everyone_may_write_is_refused(own: Path, user: OtherUser) -> None:
    """The error names what takes that right away."""
    file = put(own / "handrail.toml", owner=user.uid, mode=0o666)
    told = user(own, "plan", "flows.py:flow")
    assert told.code == 2
    assert f"everyone may write {file}, so it is not used" in told.err
    assert f"chmod o-w {file}" in told.err


@pytest.mark.parametrize("kind", ["foreign", "linked", "everyone's"])
def test_a_state_folder_of_another_is_left_alone(own: Path, user: OtherUser, kind: str) -> None:
    """Nothing is read there, and nothing put there: neither a journal nor the last plan."""
    place = make(
        own.parent / "place" if kind == "linked" else own / ".handrail",
        owner=MALLORY if kind == "foreign" else user.uid,
        mode=0o777,
    )
    if kind == "linked":
        place.chmod(0o755)
        (own / ".handrail").symlink_to(place)
        os.lchown(own / ".handrail", MALLORY, MALLORY)
    told = user(own, "run", "flows.py:flow")
    assert told.code == 7
    assert "nothing was run" in told.err
    assert user(own, "doctor").code == 7
    assert user(own, "run", "flows.py:flow", "--no-journal").code == 0
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("name", ["runs.db", "runs.db-wal", "runs.db-shm", "runs.db-journal"])
def test_a_journal_of_another_is_not_read(own: Path, user: OtherUser, name: str) -> None:
    """Neither the file nor what SQLite would bring into it, by whatever way it is named."""
    place = make(own.parent / "place", owner=user.uid)
    journal = place / "runs.db"
    assert user(own, "run", "flows.py:flow", "--journal", str(journal)).code == 0
    (place / name).touch()
    os.chown(place / name, MALLORY, MALLORY)
    url = f"sqlite://{journal}"
    for words in (("runs", "--journal", str(journal)), ("rollback", "1", "--journal", url)):
        told = user(own, *words)
        assert told.code == 7, told
        assert f"{name} belongs to uid {MALLORY}" in told.err
    told = user.python(
        own, f"from handrail.sqlite import SqliteJournal; SqliteJournal({str(journal)!r})"
    )
    assert (told.code, "JournalError" in told.err) == (70, True)
    assert (own / "made.txt").exists(), "nothing was undone"


def test_locks_of_another_are_not_believed(own: Path, user: OtherUser) -> None:
    """Who may put files among them could make a dead owner look alive, and a living one dead."""
    place = make(own.parent / "place", owner=user.uid)
    make(place / "a.db-owners", owner=MALLORY)
    told = user(own, "run", "flows.py:flow", "--journal", str(place / "a.db"))
    assert told.code == 7
    assert f"a.db-owners belongs to uid {MALLORY}" in told.err


@pytest.mark.parametrize("kind", ["foreign", "everyone's", "link", "linked"])
def test_a_file_of_another_is_not_imported(
    own: Path, user: OtherUser, ground: Path, kind: str
) -> None:
    """Neither by its own name nor by a link, and not where the project names it."""
    file = own / "other.py"
    evil(file, ground / "mark", FLOWS)
    if kind == "everyone's":
        os.chown(file, user.uid, user.uid)
        file.chmod(0o666)
    if kind == "link":
        file.rename(own.parent / "real.py")
        file.symlink_to(own.parent / "real.py")
        os.lchown(file, user.uid, user.uid)
    if kind == "linked":
        os.chown(file.rename(own / "real.py"), user.uid, user.uid)
        file.symlink_to(own / "real.py")
        os.lchown(file, MALLORY, MALLORY)
    put(own / "handrail.toml", '[local.actions]\nmine = "other.py:flow"\n', owner=user.uid)
    for name in ("other.py:flow", str(file), "mine"):
        told = user(own, "run", name)
        assert told.code == 2, told
        assert "other.py" in told.err
        assert "HANDRAIL_SAFE_FOLDERS=" in told.err
    if kind != "linked":
        assert user(own, "run", "other:flow").code == 2
    assert not (ground / "mark").exists()


@pytest.mark.parametrize("name", ["helper.py", "helper/__init__.py", "helper/deep.py"])
def test_what_is_imported_from_the_folder_of_local_code_is_looked_at(
    own: Path, user: OtherUser, ground: Path, name: str
) -> None:
    """A module that another has put there is refused: it would come before an installed one."""
    file = own / name
    if "/" in name:
        put(make(file.parent, owner=user.uid) / "__init__.py", owner=user.uid)
    evil(file, ground / "mark")
    module = "helper.deep" if "deep" in name else "helper"
    put(own / "flows.py", f"import {module}\n{FLOWS}", owner=user.uid)
    for named in ("flows.py:flow", "flows:flow"):
        told = user(own, "run", named)
        assert told.code == 2
        assert f"{file} belongs to uid {MALLORY}, whose files are not used here" in told.err
    assert not (ground / "mark").exists()
    assert user(own, "run", "flows.py:flow", HANDRAIL_SAFE_FOLDERS=str(own)).code == 0
    assert (ground / "mark").exists()


@pytest.mark.parametrize("module", ["flows", "helper"])
def test_code_that_another_has_compiled_is_not_executed(
    own: Path, user: OtherUser, ground: Path, users: dict[int, OtherUser], module: str
) -> None:
    """Python would believe `__pycache__` where it fits the source; the source is taken instead."""
    put(own / "flows.py", f"import helper\n{FLOWS}", owner=user.uid)
    put(own / "helper.py", owner=user.uid)
    source = own / f"{module}.py"
    cached = make(own / "__pycache__", owner=MALLORY)
    forged = evil(ground / "forged.py", ground / "mark")
    asked = "import sys; print(sys.implementation.cache_tag, end='')"
    tag = user.python(own, asked).out
    users[ROOT].python(
        own,
        f"""
        import importlib._bootstrap_external as importing, os
        code = compile(open({str(forged)!r}).read(), "forged", "exec")
        found = os.stat({str(source)!r})
        raw = importing._code_to_timestamp_pyc(code, int(found.st_mtime), found.st_size)
        open({str(cached / f"{module}.{tag}.pyc")!r}, "wb").write(raw)
        """,
    )
    (file,) = cached.iterdir()
    os.chown(file, MALLORY, MALLORY)
    assert user(own, "run", "flows.py:flow").code == 0
    assert not (ground / "mark").exists()
    assert [each.name for each in cached.iterdir()] == [file.name], "nothing of ours is put there"
    os.chown(file, user.uid, user.uid)
    user(own, "run", "flows.py:flow")
    assert (ground / "mark").exists(), "it would have been executed"


def test_bytecode_alone_of_another_is_not_executed(
    own: Path, user: OtherUser, ground: Path
) -> None:
    """A module without a source is looked at like one with it."""
    forged = evil(ground / "forged.py", ground / "mark")
    user.python(ground, f"import py_compile; py_compile.compile({str(forged)!r}, 'mark.pyc')")
    shutil.copy(ground / "mark.pyc", own / "helper.pyc")
    os.chown(own / "helper.pyc", MALLORY, MALLORY)
    put(own / "flows.py", f"import helper\n{FLOWS}", owner=user.uid)
    told = user(own, "run", "flows.py:flow")
    assert (told.code, "helper.pyc belongs to" in told.err) == (2, True)
    assert not (ground / "mark").exists()


def test_a_lock_of_another_is_not_believed(own: Path, user: OtherUser) -> None:
    """It lies beside the project file, and is looked at like that."""
    put(own / "handrail.toml", owner=user.uid)
    put(own / "handrail.lock", "schema = 1\n", owner=MALLORY)
    told = user(own, "run", "flows.py:flow")
    assert told.code == 2
    assert f"handrail.lock belongs to uid {MALLORY}" in told.err


def test_a_run_does_not_go_on_in_a_folder_that_is_anothers_now(
    own: Path, user: OtherUser, ground: Path
) -> None:
    """To enter it would be to trust its owner, whom nobody has chosen; `--folder` chooses."""
    journal = str(make(ground / "journals", owner=user.uid) / "runs.db")
    assert user(own, "run", "flows.py:flow", "--journal", journal).code == 0
    shutil.rmtree(own)
    make(own, owner=MALLORY)
    evil(own / "flows.py", ground / "mark", FLOWS)
    told = user(ground, "rollback", "1", "--yes", "--journal", journal)
    assert told.code == 2, told
    assert f"ran in {own}, which belongs to uid {MALLORY} now" in told.err
    assert not (ground / "mark").exists()
    user(ground, "rollback", "1", "--yes", "--journal", journal, "--folder", str(own))
    assert (ground / "mark").exists()


def test_boot_scripts_import_nothing_from_where_they_are_called(
    own: Path, user: OtherUser, ground: Path
) -> None:
    """`--all-dead` starts processes of Python, which would look for modules in that folder."""
    journal = own / "runs.db"
    put(own / "flows.py", FLOWS.replace("write_text", "no_such_method"), owner=user.uid)
    user(own, "run", "flows.py:flow", "--on-failure", "keep", "--journal", str(journal))
    user.python(
        own,
        f"""
        import sqlite3
        with sqlite3.connect({str(journal)!r}) as connection:
            connection.execute("update run set outcome = null, direction = 'forward'")
        """,
    )
    open_to_all = make(ground / "open", owner=ROOT, mode=0o1777)
    make(open_to_all / "handrail", owner=MALLORY)
    evil(open_to_all / "handrail" / "__init__.py", ground / "mark")
    user(open_to_all, "rollback", "--all-dead", "--all-projects", "--journal", str(journal))
    assert not (ground / "mark").exists()


# What goes on working


def goes_on(user: OtherUser, folder: Path, **options: str) -> None:
    """Make a run there, look at it and undo it."""
    name = "flow" if (folder / "handrail.toml").exists() else "flows.py:flow"
    for words in (("run", name), ("runs",), ("show", "1"), ("doctor",), ("rollback", "1", "--yes")):
        told = user(folder, *words, **options)
        assert told.code == 0, (words, told)


def project(folder: Path, owner: int, mode: int = 0o644) -> None:
    put(folder / "flows.py", FLOWS, owner=owner, mode=mode)
    put(
        folder / "handrail.toml",
        '[local.actions]\nflow = "flows.py:flow"\n',
        owner=owner,
        mode=mode,
    )


def test_a_container_of_root_with_a_mounted_checkout(
    ground: Path, users: dict[int, OtherUser]
) -> None:
    """The checkout belongs to somebody else, and so does the working folder."""
    checkout = make(ground / "app", owner=1000)
    project(checkout, 1000)
    goes_on(users[ROOT], checkout)


def test_sudo_from_a_folder_of_root(ground: Path, users: dict[int, OtherUser]) -> None:
    """Files of the user who called it are as good as those of root."""
    above = make(ground / "above", owner=ADA)
    project(above, ADA)
    below = make(above / "below", owner=ROOT)
    assert users[ROOT](below, "plan", "flow").code == 2
    assert users[ROOT](below, "run", "flow", SUDO_UID=str(ADA)).code == 0
    assert users[ROOT](below, "rollback", "1", "--yes", SUDO_UID=str(ADA)).code == 0
    assert users[MALLORY](below, "plan", "flow", SUDO_UID=str(ADA)).code == 2, (
        "it is for root alone"
    )


def test_files_that_a_group_may_write(ground: Path, users: dict[int, OtherUser]) -> None:
    """Where each user has a group of their own, umask 002 is usual."""
    folder = make(ground / "project", owner=ADA, mode=0o775)
    project(folder, ADA, mode=0o664)
    goes_on(users[ADA], folder, umask=0o002)  # type: ignore[arg-type]


@pytest.mark.parametrize("who", [ADA, MALLORY], ids=["owner", "member"])
def test_a_folder_that_a_team_shares(ground: Path, users: dict[int, OtherUser], who: int) -> None:
    """The code is of the owner of the folder, and all members work there, on files of all."""
    folder = make(ground / "ci", owner=ADA)
    os.chown(folder, ADA, TEAM)
    folder.chmod(0o2775)
    project(folder, ADA, mode=0o664)
    put(folder / "data.txt", owner=MALLORY, mode=0o664)
    goes_on(users[who], folder, umask=0o002)  # type: ignore[arg-type]


@pytest.mark.parametrize("named", ["{own}", "/nowhere:{above}:/tmp/x", "*"])
def test_safe_folders(ground: Path, user: OtherUser, named: str) -> None:
    """One of several, or `*`, and everything below is trusted, also by another way to it."""
    above = make(ground / "above", owner=MALLORY)
    own = make(above / "own", owner=MALLORY)
    project(own, MALLORY)
    below = make(own / "below", owner=user.uid)
    (ground / "way").symlink_to(above)
    assert user(below, "plan", "flow").code == 2
    safe = named.format(own=own, above=ground / "way")
    assert user(below, "plan", "flow", HANDRAIL_SAFE_FOLDERS=safe).code == 0
    told = user(below, "config", HANDRAIL_SAFE_FOLDERS=safe)
    assert any(line.startswith("safe_folders") and safe in line for line in told.lines)
    other = f"{own}x{os.pathsep}{below}"
    assert user(below, "plan", "flow", HANDRAIL_SAFE_FOLDERS=other).code == 2


def test_a_safe_folder_has_an_absolute_path(ground: Path, user: OtherUser) -> None:
    """Another one would be another folder wherever one works, so it is an error."""
    told = user(ground, "config", HANDRAIL_SAFE_FOLDERS=".")
    assert told.code == 2
    assert "HANDRAIL_SAFE_FOLDERS: '.' is not an absolute path" in told.err
