"""Who makes a catalogue, and who may take it away again."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from handrail_upload.catalogue import Removed, open_catalogue, preparation, removal, tables
from handrail_upload.catalogue.schema import MARKER
from handrail_upload.errors import CatalogueError


def test_looking_makes_nothing(url, tools):
    """`missing` says what `prepare` would make, and touches nothing."""
    with open_catalogue(url) as catalogue:
        expected = ["tables"] if url.startswith("postgresql:") else ["file", "tables"]
        assert catalogue.missing() == expected
        assert catalogue.missing() == expected
        assert catalogue.remove("one") == Removed()
        assert not catalogue.published("one")
        with pytest.raises(CatalogueError, match="is not there yet"):
            tools.publish(catalogue, "one", tools.unit("a"))
    assert url.startswith("postgresql:") or not Path(url).exists()


def test_only_the_run_that_made_it_takes_it_away(catalogue, tools):
    """And nobody as long as something is in it."""
    made = ["file", "tables"]
    catalogue.withdraw("second", made)
    assert catalogue.missing() == []
    catalogue.withdraw("first", [])
    assert catalogue.missing() == []
    tools.publish(catalogue, "second", tools.unit("a"))
    catalogue.withdraw("first", made)
    assert catalogue.missing() == []
    catalogue.remove("second")
    for _ in range(2):
        catalogue.withdraw("first", made)
        assert "tables" in catalogue.missing()


def test_what_its_maker_had_to_leave_goes_with_the_last_rows(url, tools):
    """Only then: what was made by a run that is not undone stays."""
    with open_catalogue(url, timeout=1) as catalogue:
        made = catalogue.missing()
        catalogue.prepare("first")
        identity = catalogue.identity()
        catalogue.withdraw_abandoned()
        assert catalogue.missing() == []
        tools.publish(catalogue, "second", tools.unit("a"))
        for _ in range(2):
            catalogue.withdraw("first", made)
            catalogue.withdraw_abandoned()
            assert (catalogue.missing(), catalogue.identity()) == ([], identity)
        catalogue.remove("second")
        for _ in range(2):
            catalogue.withdraw_abandoned()
            assert catalogue.missing() == made
    if not url.startswith("postgresql:"):
        assert not Path(url).exists()


def test_tables_that_were_left_among_those_of_others_go_alone(url, tools):
    """What is not ours stays; and so do ours, while something of others is built upon them."""
    with open_catalogue(url, timeout=1) as catalogue:
        made = catalogue.missing()
        catalogue.prepare("first")
        tools.publish(catalogue, "second", tools.unit("a"))
        catalogue.withdraw("first", made)
        catalogue.remove("second")
        with tools.connected(url) as others:
            others.execute("CREATE TABLE others (name text)")
            others.execute("CREATE VIEW theirs AS SELECT name FROM handrail_data_unit")
            catalogue.withdraw_abandoned()
            assert catalogue.missing() == []
            others.execute("DROP VIEW theirs")
            catalogue.withdraw_abandoned()
            assert catalogue.missing() == ["tables"]
            assert others.execute("SELECT count(*) FROM others").fetchone() == (0,)


@pytest.mark.parametrize("new_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("order", ["maker first", "maker last"])
def test_tables_that_others_may_read_stay(url, tools, order):
    """Somebody has given them that right, which tables made anew would not have."""
    role = f"acme_{uuid.uuid4().hex[:12]}"
    with open_catalogue(url, timeout=1) as catalogue, tools.connected(url) as others:
        others.execute(f"CREATE ROLE {role}")
        made = catalogue.missing()
        catalogue.prepare("first")
        others.execute(f"GRANT SELECT ON handrail_data_unit TO {role}")
        tools.publish(catalogue, "second", tools.unit("a"))
        if order == "maker first":
            catalogue.withdraw("first", made)
        catalogue.remove("second")
        catalogue.withdraw_abandoned()
        catalogue.withdraw("first", made)
        assert catalogue.missing() == []
        others.execute(f"REVOKE SELECT ON handrail_data_unit FROM {role}")
        catalogue.withdraw_abandoned()
        assert catalogue.missing() == ["tables"]


@pytest.mark.parametrize("new_url", ["postgres"], indirect=True)
def test_rights_that_every_new_table_gets_keep_none(url, tools):
    """Nobody has given them to ours."""
    role = f"acme_{uuid.uuid4().hex[:12]}"
    with open_catalogue(url, timeout=1) as catalogue, tools.connected(url) as others:
        others.execute(f"CREATE ROLE {role}")
        others.execute(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}")
        catalogue.prepare("first")
        assert others.execute(
            "SELECT has_table_privilege(%s, 'handrail_data_unit', 'SELECT')", (role,)
        ).fetchone() == (True,)
        catalogue.withdraw("first", ["tables"])
        assert catalogue.missing() == ["tables"]


@pytest.mark.parametrize("new_url", ["postgres"], indirect=True)
def test_two_that_wait_for_each_other_both_come_to_their_end(url, tools):
    """The server stops one of them, which begins again."""
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = to_regclass(%s) AND NOT granted"
    with (
        open_catalogue(url, timeout=30) as catalogue,
        tools.connected(url) as reader,
        tools.connected(url) as onlooker,
        ThreadPoolExecutor(1) as pool,
    ):
        made = catalogue.missing()
        catalogue.prepare("first")
        reader.execute("SET deadlock_timeout = '1h'")  # So it is not the one that is stopped.
        with reader.transaction():
            reader.execute("SELECT 1 FROM handrail_data_unit")
            undo = pool.submit(catalogue.withdraw, "first", made)
            while onlooker.execute(waiting, ("handrail_data_unit",)).fetchone() == (0,):
                assert not undo.done()
            assert reader.execute(f"SELECT run FROM {MARKER}").fetchone() == ("first",)
        undo.result()
        assert catalogue.missing() == ["tables"]


def test_an_undo_does_not_fail_where_a_file_that_was_left_is_in_use(tmp_path, tools):
    """Its maker is gone, so it is left once more."""
    url = str(tmp_path / "photos.db")
    with open_catalogue(url, timeout=0.1) as catalogue:
        made = catalogue.missing()
        catalogue.prepare("first")
        tools.publish(catalogue, "second", tools.unit("a"))
        catalogue.withdraw("first", made)
        catalogue.remove("second")
        with tools.connected(url) as others:
            others.execute("BEGIN IMMEDIATE")
            catalogue.withdraw_abandoned()
            assert catalogue.missing() == []
            others.execute("ROLLBACK")
        catalogue.withdraw_abandoned()
        assert catalogue.missing() == ["file", "tables"]


def test_view_of_others_keeps_the_tables(catalogue, url, tools):
    """What somebody has built upon ours is not broken by an undo."""
    with tools.connected(url) as others:
        others.execute("CREATE VIEW theirs AS SELECT name FROM handrail_data_unit")
    catalogue.withdraw("first", ["tables"])
    assert catalogue.missing() == []
    with tools.connected(url) as others:
        assert others.execute("SELECT * FROM theirs").fetchall() == []


def test_many_make_it_at_once(url, tools):
    """Each finds it made, and one of them has made it."""
    start = threading.Barrier(6)
    failed = []

    def prepare(name):
        with open_catalogue(url) as catalogue:
            start.wait()
            try:
                catalogue.prepare(name)
                tools.publish(catalogue, name, tools.unit(name))
            except Exception as error:  # noqa: BLE001 - it is shown by the test
                failed.append(error)

    threads = [threading.Thread(target=prepare, args=(f"run-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with open_catalogue(url) as catalogue:
        assert len(list(catalogue.units("photos"))) == 6


def test_many_make_it_at_once_and_some_take_it_back(url, tools):  # noqa: C901 - threads
    """No two wait for each other for ever; all that stay are there in the end."""
    with tools.connected(url) as others:
        others.execute("CREATE TABLE others (name text)")  # So a file stays one.
    start, failed = threading.Barrier(6), []

    def work(number):
        with open_catalogue(url, timeout=30) as catalogue:
            start.wait()
            try:
                for each in range(4):
                    run = f"run-{number}-{each}"
                    made = catalogue.missing()
                    catalogue.prepare(run)
                    if (number + each) % 2:
                        catalogue.withdraw(run, made)
                    else:
                        publish(catalogue, run)
            except Exception as error:  # noqa: BLE001 - it is shown by the test
                failed.append(error)

    def publish(catalogue, run):
        while True:
            try:
                return tools.publish(catalogue, run, tools.unit(run))
            except CatalogueError:
                if not catalogue.missing():
                    raise
                catalogue.close()
                catalogue.prepare(run)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with open_catalogue(url) as catalogue:
        assert len(list(catalogue.units("photos"))) == 12


@pytest.mark.parametrize("moment", ["while the version is read", "before rows are removed"])
def test_taken_away_by_another_run_in_the_middle(url, monkeypatch, moment, tools):
    """A run that is undone meanwhile takes the empty tables: then nothing is to be undone."""
    with tools.connected(url) as others:
        others.execute("CREATE TABLE others (name text)")
    with open_catalogue(url) as first, open_catalogue(url) as second:
        first.prepare("first")
        second.prepare("second")
        taken = []

        def take():
            if not taken:
                taken.append("tables")
                first.withdraw("first", ["tables"])

        if moment == "while the version is read":
            found = tables._found

            def look(database):
                there = found(database)
                if database is second._database:
                    take()
                return there

            monkeypatch.setattr(tables, "_found", look)
        else:
            remove = removal.remove
            monkeypatch.setattr(removal, "remove", lambda *given: (take(), remove(*given))[1])
        assert second.remove("second") == Removed()
        second.withdraw("second", ["tables"])
        assert taken
        assert second.missing() == ["tables"]


def test_publishing_into_tables_that_are_gone_says_why(url, tools):
    """The way out is an upload, which makes them."""
    with tools.connected(url) as others:
        others.execute("CREATE TABLE others (name text)")
    with open_catalogue(url) as first, open_catalogue(url) as second:
        first.prepare("first")
        assert list(second.units("photos")) == []
        first.withdraw("first", ["tables"])
        with pytest.raises(CatalogueError, match="is not there yet") as caught:
            tools.publish(second, "second", tools.unit("a"))
        assert caught.value.ways_out == ("an upload into it makes it",)
        second.prepare("second")
        assert tools.publish(second, "second", tools.unit("a")).units_added == 1


def test_newer_version_is_refused_and_kept(catalogue, url, tools):
    """With the way to be up to date; no run takes such tables away."""
    with tools.connected(url) as others:
        others.execute("UPDATE handrail_catalogue SET version = 99")
    for use in (
        catalogue.missing,
        lambda: catalogue.prepare("second"),
        lambda: catalogue.withdraw("first", ["tables", "file"]),
    ):
        with pytest.raises(CatalogueError, match="has version 99") as caught:
            use()
        assert caught.value.ways_out == ("pip install --upgrade handrail-upload",)


def test_missing_table_is_damage(catalogue, url, tools):
    """It is named, and nothing is made anew over the rest."""
    with tools.connected(url) as others:
        others.execute("DROP TABLE handrail_replaced_file")
    with pytest.raises(CatalogueError, match="handrail_replaced_file is missing"):
        catalogue.prepare("second")
    with pytest.raises(CatalogueError, match="handrail_replaced_file is missing"):
        catalogue.remove("first")


@pytest.mark.parametrize("new_url", ["sqlite"], indirect=True)
def test_draft_of_a_killed_run_is_found_by_its_undo(url, monkeypatch):
    """A file is made under another name; a run that dies before it has its own leaves only that."""

    def die(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr(preparation.os, "link", die)
    monkeypatch.setattr(preparation, "_remove_draft", lambda database, run: None)
    with open_catalogue(url) as catalogue, pytest.raises(KeyboardInterrupt):
        catalogue.prepare("first")
    monkeypatch.undo()
    folder = Path(url).parent
    assert [path.name for path in folder.iterdir()] == [f"{Path(url).name}.tmp-first"]
    with open_catalogue(url) as catalogue:
        catalogue.withdraw("first", ["file", "tables"])
    assert list(folder.iterdir()) == []
