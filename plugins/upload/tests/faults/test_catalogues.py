"""A catalogue that is locked, gone, or breaks: the message names it, and all is undone.

While its undo fails, nobody knows whether rows point at the objects, so these stay.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading

import pytest

from handrail_upload import GenerateDataUnitsStep, InitializeStep, UploadFilesStep
from handrail_upload.catalogue import open_catalogue, register
from handrail_upload.catalogue.postgres import PostgresDatabase
from handrail_upload.catalogue.sqlite import SqliteDatabase

on_sqlite = pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("scene", ["local-postgres"], indirect=True)
both = pytest.mark.parametrize("scene", ["local-sqlite", "local-postgres"], indirect=True)


@pytest.fixture
def impatient(monkeypatch):
    """Catalogues wait for a moment only."""
    real = register.open_catalogue

    def opened(url, **options):
        return real(url, **{**options, "timeout": 0.3})

    monkeypatch.setattr("handrail_upload.catalogue.open_catalogue", opened)


@contextlib.contextmanager
def lock(scene, table="handrail_collection"):
    """Hold the catalogue, or one of its tables, as another program would."""
    if hasattr(scene.catalogue, "connect"):
        with scene.catalogue.connect() as database, database.transaction():
            database.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
        return
    database = sqlite3.connect(scene.catalogue.path, isolation_level=None, check_same_thread=False)
    database.execute("BEGIN EXCLUSIVE")
    yield
    database.execute("ROLLBACK")
    database.close()


def waiting(done):
    """Return whether the objects stay because of the rows."""
    return done.error.held_back == {
        "upload_files": "generate_data_units",
        "initialize": "generate_data_units",
    }


@both
def test_locked_while_registering(scene, tools, impatient):
    """It is waited for, then said; the objects stay until it is known that no row is there."""
    scene.fill(3)
    assert scene.upload().code == 0
    scene.fill(6)
    before = scene.world()
    held = contextlib.ExitStack()

    class Lock(tools.Fail):
        def execute(self, context):
            held.enter_context(lock(scene))
            return tools.result()

        def rollback(self, context, result):
            held.close()

    # Between the two, so that the lock is gone when generate_data_units has been undone.
    def edit(registry):
        registry.insert_before("generate_data_units", Lock())

    done = scene.upload(edit)
    held.close()
    assert "is locked" in done.message
    assert scene.catalogue.url in done.message
    assert "\n" not in done.message
    # The undo of the step that was locked out found the lock still there.
    assert done.code == 5
    assert [each.step for each in done.error.rollback_errors] == ["generate_data_units"]
    assert waiting(done)
    for step in (GenerateDataUnitsStep(), UploadFilesStep(), InitializeStep()):
        scene.rollback(step, done.recorded(step.name))
    assert scene.world() == before


@both
def test_locked_for_a_moment(scene, tools, impatient, monkeypatch):
    """A lock that is let go in time is waited out."""
    scene.fill(3)
    assert scene.upload().code == 0
    scene.fill(6)
    held = contextlib.ExitStack()
    waiting = []

    class Lock(tools.Fail):
        def execute(self, context):
            held.enter_context(lock(scene))
            waiting.append(threading.Timer(0.1, held.close))
            waiting[0].start()
            return tools.result()

    done = scene.upload(lambda registry: registry.insert_before("generate_data_units", Lock()))
    waiting[0].join()
    assert done.code == 0, done.message
    assert len(scene.catalogue.rows()["handrail_data_file"]) == 6


@both
def test_locked_when_it_begins(scene, impatient):
    """Before anything is made, where that can be found out; else the objects stay for now."""
    scene.fill(3)
    assert scene.upload().code == 0
    scene.fill(6)
    before = scene.world()
    with lock(scene):
        done = scene.upload()
    assert done.code in (1, 5)
    assert "is locked" in done.message
    if done.code == 1:
        assert scene.world() == before
    else:
        assert waiting(done)


@on_sqlite
def test_locked_within_the_undo(scene, tools, impatient):
    """A new catalogue that cannot be removed keeps nothing else from being undone."""
    scene.fill(3)
    target = scene.folder / "new" / "target"
    held = contextlib.ExitStack()
    edit = tools.failing_after("initialize", lambda: held.enter_context(lock(scene)))
    done = scene.upload(edit, target=str(target))
    held.close()
    assert done.code == 5
    (problem,) = done.error.rollback_errors
    assert "is locked" in problem.message
    assert not target.parent.exists()
    scene.rollback(InitializeStep(), done.recorded("initialize"), target=str(target))
    assert not scene.catalogue.path.exists()
    assert not (scene.folder / ".handrail").exists()


@both
@pytest.mark.parametrize("what", ["an empty file", "no database", "tables of others"])
def test_new_tables_undone(scene, tools, what):
    """A catalogue that this run has made goes with it; what was there before stays."""
    scene.fill(3)
    if what == "an empty file" and not hasattr(scene.catalogue, "connect"):
        scene.catalogue.path.touch()
    if what == "tables of others":
        with contextlib.closing(connect(scene)) as database:
            database.execute("CREATE TABLE others (name text)")
            database.execute("INSERT INTO others VALUES ('kept')")
            database.commit()
    before = scene.world()
    done = scene.upload(tools.failing_after("generate_data_units"))
    assert done.code == 1, done.error.rollback_errors
    assert scene.world() == before


def connect(scene):
    if hasattr(scene.catalogue, "connect"):
        return scene.catalogue.connect()
    return sqlite3.connect(scene.catalogue.path)


@both
def test_undo_beside_rows_of_others(scene, tools):
    """What another run has registered meanwhile, into tables that this one has made, stays."""
    scene.fill(3)
    others = scene.folder / "others"
    others.mkdir()
    (others / "theirs.txt").write_bytes(b"theirs")

    def upload_theirs():
        done = scene.command(
            *("run", "upload", others, scene.folder / "elsewhere"),
            *("--catalogue", scene.catalogue.url, "--collection", "others"),
        )
        assert done.code == 0, done.err

    done = scene.upload(tools.failing_after("generate_data_units", upload_theirs))
    assert done.code == 1, done.error.rollback_errors
    rows = scene.catalogue.rows()
    assert [row[3] for row in rows["handrail_data_file"]] == ["theirs.txt"]
    assert [row[1] for row in rows["handrail_collection"]] == ["others"]
    assert not any("replaced" in table for table in rows)


@on_sqlite
@pytest.mark.parametrize("kind", ["folder", "text", "missing folder", "other database"])
def test_catalogues_that_are_none(scene, tools, kind):
    """It is said before anything is stored; what is there is not touched."""
    scene.fill(3)
    path = scene.catalogue.path
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("name,size\n" * 200)
    elif kind == "missing folder":
        scene.catalogue.path = path = scene.folder / "nowhere" / "catalogue.db"
    else:
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE handrail_data_unit (what)")
            database.commit()
    before = (scene.place.objects(), tools.entries(scene.folder))
    content = path.read_bytes() if path.is_file() else None
    done = scene.upload_command()
    assert done.code == 1, done.err
    assert str(path) in done.error
    assert (scene.place.objects(), tools.entries(scene.folder)) == before
    assert (path.read_bytes() if path.is_file() else None) == content


@on_sqlite
@pytest.mark.parametrize("how", ["deleted", "replaced", "damaged"])
def test_file_taken_away_in_the_middle(scene, tools, how):
    """A catalogue that is not what it was is said to be so; the objects stay, or are cleared."""
    scene.fill(3)
    assert scene.upload().code == 0
    scene.fill(6)
    before = scene.place.objects()

    def take_away():
        path = scene.catalogue.path
        if how == "damaged":
            with path.open("r+b") as file:
                file.write(b"x" * 5000)
        else:
            path.unlink()
        if how == "replaced":
            path.write_text("something else\n" * 100)

    class Take(tools.Fail):
        def execute(self, context):
            take_away()
            return tools.result()

    done = scene.upload(lambda registry: registry.insert_after("upload_files", Take()))
    assert done.code in (1, 5), done.message
    assert scene.catalogue.url in done.message
    assert "\n" not in done.message
    assert waiting(done) if done.code == 5 else scene.place.objects() == before


@on_postgres
def test_connection_killed_in_the_middle(scene, tools):
    """While nobody uses it, as by an idle timeout: the run connects again."""
    scene.fill(3)
    assert scene.upload().code == 0
    scene.fill(40)

    class Kill(tools.Fail):
        def execute(self, context):
            kill_all(scene)
            return tools.result()

    done = scene.upload(lambda registry: registry.insert_after("upload_files", Kill()))
    assert done.code == 0, (done.message, done.error.rollback_errors)
    assert len(scene.catalogue.rows()["handrail_data_file"]) == 40


def kill_all(scene):
    with scene.catalogue.connect() as database:
        return database.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()[0]


@on_postgres
@pytest.mark.parametrize("words", ["differing_unit", "handrail_data_unit", "handrail_data_file"])
def test_connection_killed_within_a_statement(scene, tools, words, monkeypatch):
    """At different places of publishing: all of it is done again."""
    scene.fill(3)
    assert scene.upload().code == 0
    scene.fill(40)
    killed = []
    execute = PostgresDatabase._execute

    def killing(database, connection, statement, values):
        if f"INSERT INTO {words}" in statement and not killed:
            killed.append(kill_all(scene))
        return execute(database, connection, statement, values)

    monkeypatch.setattr(PostgresDatabase, "_execute", killing)
    done = scene.upload()
    assert killed
    assert done.code == 0, (done.message, getattr(done.error, "rollback_errors", None))
    assert done.context.results["generate_data_units"].data["added"] == 37
    assert len(scene.catalogue.rows()["handrail_data_file"]) == 40


@on_postgres
def test_database_gone(scene, tools, postgres):
    """A database that is dropped in the middle: exit code 5, and the objects stay."""
    scene.fill(3)
    assert scene.upload().code == 0
    scene.fill(6)
    psycopg = pytest.importorskip("psycopg")

    def drop():
        name = scene.catalogue.url.rpartition("/")[2]
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as database:
            database.execute(f"DROP DATABASE {name} WITH (FORCE)")

    class Drop(tools.Fail):
        def execute(self, context):
            drop()
            return tools.result()

    done = scene.upload(lambda registry: registry.insert_after("upload_files", Drop()))
    assert done.code == 5
    assert scene.catalogue.url in done.message
    assert "\n" not in done.message
    assert [each.step for each in done.error.rollback_errors] == ["generate_data_units"]
    assert waiting(done)


@on_postgres
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://postgres@127.0.0.1:1/photos", "127.0.0.1"),
        ("postgresql://nobody@{host}/{name}", "nobody"),
        ("postgresql://postgres@{host}/nowhere", "nowhere"),
    ],
)
def test_databases_that_are_not_there(scene, url, words):
    """Nobody there, no such user, no such database: said at once, in the server's words."""
    scene.fill(3)
    host, _, name = scene.catalogue.url.partition("@")[2].partition("/")
    before = scene.world()
    where = url.format(host=host, name=name)
    done = scene.command("run", "upload", scene.source, scene.place.url, "--catalogue", where)
    assert done.code == 1, done.err
    assert words in done.error
    assert len([line for line in done.error.splitlines() if words in line]) == 1, done.error
    assert scene.world() == before


@on_postgres
def test_user_who_may_only_read(scene):
    """A user without the right to make tables is told so, and nothing is left."""
    scene.fill(3)
    with scene.catalogue.connect() as database:
        database.execute(
            "DO $$ BEGIN CREATE ROLE acme_reader LOGIN; EXCEPTION"
            " WHEN duplicate_object THEN NULL; END $$"
        )
        database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    before = scene.world()
    where = scene.catalogue.url.replace("postgres@", "acme_reader@")
    done = scene.command("run", "upload", scene.source, scene.place.url, "--catalogue", where)
    assert done.code == 1, done.err
    assert "permission denied" in done.error
    assert scene.world() == before


@both
def test_tables_made_while_they_are_looked_for(scene, monkeypatch):
    """Another run makes them between two of our looks: that is no damage."""
    scene.fill(3)
    with contextlib.closing(connect(scene)) as database:
        database.execute("CREATE TABLE others (name text)")
        database.commit()
    made = []
    rows = {}

    def watch(kind):
        rows[kind] = kind.rows

        def looked(database, statement, **values):
            found = rows[kind](database, statement, **values)
            if not made and "handrail_data_unit" in str(values):
                made.append(statement)
                with open_catalogue(scene.catalogue.url) as others:
                    others.prepare("another-run")
            return found

        monkeypatch.setattr(kind, "rows", looked)

    for kind in (PostgresDatabase, SqliteDatabase):
        watch(kind)
    done = scene.upload()
    assert made
    assert done.code == 0, done.message
