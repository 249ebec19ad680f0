"""What pages show, and how little it takes to show it."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from journals.places import execute, new_run, open_place
from recorded_runs import Journal, done, ended, planned, started
from resealing import reseal
from sites import Browser, Open

from handrail.journal import ChunkChange, RunChange
from handrail.sqlite import SqliteJournal
from handrail_web.pages import ROWS

PLAN = '{"action": "upload", "fingerprint": "9f3c21ab", "steps": []}'


def numbers(page: str) -> list[int]:
    """Return the numbers of the runs that a page lists."""
    return [int(found) for found in re.findall(r'<tr id="run-(\d+)"', page)]


def link(page: str, words: str) -> str:
    """Return where a link leads."""
    found = re.search(rf'<a [^>]*href="([^"]*)"[^>]*>{words}</a>', page)
    assert found, page
    return found[1].replace("&amp;", "&")


def fill(place: str, count: int) -> None:
    """Add runs to a journal, of which every third is completed."""
    with closing(open_place(place, 30.0)) as journal:
        for number in range(1, count + 1):
            action = "train" if number % 5 == 0 else "flows.py:upload"
            params = json.dumps({"values": {"source": f"photos-{number}"}, "secrets": {}})
            owned = journal.open_run(new_run(action=action, params=params, plan=PLAN))
            if number % 3 == 0:
                owned.write([RunChange(outcome="completed")])
            owned.release()


@contextmanager
def counted(browser: Browser) -> Iterator[list[str]]:
    """Collect the statements that the journal of a site executes."""
    statements: list[str] = []
    with browser.site.journal.reading() as journal:
        assert isinstance(journal, SqliteJournal)
        connection = journal._database._connection
    connection.set_trace_callback(statements.append)
    yield statements
    connection.set_trace_callback(None)


def test_runs_are_searched_and_paged(open_site: Open, project: Path) -> None:
    place = str(project / "other.db")
    fill(place, 2 * ROWS + 20)
    browser = open_site(place)
    page = browser.page()
    assert numbers(page) == list(range(120, 70, -1))
    assert "50 of 120 runs" in page
    older = browser.get(link(page, "Older")).text
    assert numbers(older) == list(range(70, 20, -1))
    last = browser.get(link(older, "Older")).text
    assert numbers(last) == list(range(20, 0, -1))
    assert "Older" not in last
    assert numbers(browser.get(link(last, "Latest")).text) == numbers(page)
    assert numbers(browser.page(text="PHOTOS-77")) == [77]
    assert numbers(browser.page(text="s-7"))[-1] == 7
    found = browser.page(action="upload", outcome="completed")
    assert numbers(found)[:3] == [117, 114, 111]
    # What was searched for is kept on the way to older ones, and shown in the form.
    assert {"action=upload", "outcome=completed"} <= set(
        link(browser.page(action="upload", outcome="interrupted"), "Older")
        .replace("interrupted", "completed")
        .split("?")[1]
        .split("&")
    )
    assert '<option value="train" selected>' in browser.page(action="train")
    assert "No run fits" in browser.page(text="%")
    assert numbers(browser.page(before="x", outcome="odd")) == numbers(page)


@pytest.mark.slow
def test_a_journal_in_postgresql_is_shown(open_site: Open, postgres_url: str) -> None:
    fill(postgres_url, 6)
    browser = open_site(postgres_url)
    before = browser.site.pages.stamp()
    assert numbers(browser.page(action="upload", before=6)) == [4, 3, 2, 1]
    assert "completed" in browser.page("/runs/3")
    assert "interrupted" in browser.page("/compare", run=[1, 3])
    fill(postgres_url, 1)
    assert browser.site.pages.stamp() != before
    assert numbers(browser.page())[0] == 7


def test_ten_thousand_runs_take_as_many_statements_as_sixty(open_site: Open, project: Path) -> None:
    """A page reads the rows that it shows, and the others only to count them."""
    place = str(project / "many.db")
    fill(place, 60)
    browser = open_site(place)
    browser.page()
    with counted(browser) as few:
        browser.page()
    execute(
        place,
        """
        WITH RECURSIVE more (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < 9940)
        INSERT INTO run (uid, fence, outcome, direction, lease_boot, opened, closed, owner,
                         core_version, action, cwd, packs, params, project, claimed, crc, plan_crc)
        SELECT 'u' || n, 1, 'completed', 'forward', '', opened, opened, owner, core_version,
               action, cwd, packs, params, project, opened, 0, 0
        FROM more, {run} WHERE id = 60
        """,
    )
    with closing(sqlite3.connect(place)) as database, database:
        reseal(database)
    with counted(browser) as many:
        page = browser.page()
    assert "50 of 10,000 runs" in page
    assert numbers(page) == list(range(10_000, 9_950, -1))
    # Whether the process of a run lives is looked up for each that has not ended; here all have.
    assert len(many) <= len(few)
    assert len(many) <= 20


def test_of_what_an_undo_did_not_take_back_a_list_names_the_first(
    open_site: Open, journal: Journal
) -> None:
    """And says that there is more."""
    names = ["tell", "post", "mail", "ring"]
    steps = [planned(name, undo=False) for name in names]
    journal.add(steps, *map(done, names), RunChange(direction="undo"), outcome="rolled_back")
    assert "except ring, mail, post, ...<" in open_site().page()


def test_without_a_journal_it_says_how_to_make_one(open_site: Open, project: Path) -> None:
    browser = open_site()
    assert "handrail run ACTION" in browser.page()
    fill(str(project / ".handrail" / "runs.db"), 1)
    assert numbers(browser.page()) == [1]


def test_a_journal_that_was_replaced_is_opened_anew(open_site: Open, project: Path) -> None:
    file = project / ".handrail" / "runs.db"
    fill(str(file), 2)
    browser = open_site()
    assert numbers(browser.page()) == [2, 1]
    for each in file.parent.glob("runs.db*"):
        each.unlink()
    fill(str(file), 1)
    assert numbers(browser.page()) == [1]


def test_a_list_tells_why_runs_failed_and_is_searched_for_it(
    open_site: Open, journal: Journal
) -> None:
    changes = (done("scan"), ended("send", "failed", error="OSError: <disk> is full"))
    journal.add([planned("scan"), planned("send")], *changes, outcome="failed")
    journal.add([planned("scan")], ended("scan", "failed", error="(interrupted)"))
    left = ended("scan", "undo_failed", error="no answer\x1f\nTraceback\nOSError: no answer")
    journal.add([planned("scan")], left, outcome="rollback_incomplete")
    browser = open_site()
    page = browser.page()
    assert "OSError: &lt;disk&gt; is full" in page
    assert ">no answer<" in page
    assert numbers(browser.page(text="disk> IS")) == [1]


def test_a_run_opens_on_why_it_failed(open_site: Open, journal: Journal) -> None:
    steps = [planned(f"step_{number}") for number in range(40)]
    changes = [done(f"step_{number}") for number in range(30)]
    trace = "Traceback (most recent call last):\nValueError: it is broken"
    failed = ended("step_30", "failed", error="ValueError: it is broken", traceback=trace)
    journal.add(steps, *changes, failed, outcome="failed")
    page = open_site().page("/runs/1")
    first = page[page.index('<section id="outcome"') : page.index('<section id="steps"')]
    assert "ValueError: it is broken" in first
    assert re.search(r"<details [^>]*open[^>]*>", first) or "<details open" in first
    assert "handrail resume 1" in first
    assert "<title>✗ run 1 failed (kept): " in page


def test_a_run_of_100_000_items_is_a_page_of_few_elements(
    open_site: Open, journal: Journal
) -> None:
    changes = [
        ChunkChange("scan", 1, number, 0, number * 100, 100, 1, "done", 7, failed=1)
        for number in range(1000)
    ]
    journal.add([planned("scan")], started("scan"), *changes, done("scan"), outcome="completed")
    page = open_site().page("/runs/1")
    assert "100,000" in page.replace("99,000", "100,000")
    assert len(re.findall(r"<[a-z]", page)) < 1500
    assert len(page) < 500_000


def test_runs_are_compared(open_site: Open, journal: Journal) -> None:
    journal.add([planned("scan")], done("scan", took=1.0), outcome="completed")
    journal.add([planned("scan")], ended("scan", "failed", error="no"), outcome="failed")
    browser = open_site()
    page = browser.page("/compare", run=[1, 2])
    assert "completed" in page
    assert "failed (kept)" in page
    for chosen in ([], [1], list(range(1, 13))):
        answer = browser.get(f"{browser.root}/compare", params={"run": chosen})
        assert answer.status_code == 404
        assert "Choose 2 to 10 runs" in answer.text


FIT = """
from dataclasses import dataclass
from pydantic import BaseModel
from handrail import BaseAction, BaseStepContext, step

class FitParams(BaseModel):
    epochs: int = 10

@dataclass(kw_only=True)
class FitContext(BaseStepContext):
    epochs: int

@step(effects=False)
def fit(context):
    for epoch in range(context.epochs):
        context.set_metrics({"accuracy": (epoch + 1) / 100}, higher_is_better=True)

class Fit(BaseAction[FitParams]):
    action_name = "fit"
    context_class = FitContext

    def setup_steps(self, registry):
        registry.register(fit)

    def result(self, context):
        return {"metrics": {"accuracy": context.epochs / 100}}
"""


@pytest.mark.slow
def test_a_sweep_is_a_table_and_a_plot(open_site: Open, project: Path) -> None:
    """Each of its runs has a row, from which one gets to it, a dot for each param and a curve."""
    (project / "fits.py").write_text(FIT)
    words = ("run", "fits.py:Fit", "--over", "epochs=5,10,20", "-q")
    command = [sys.executable, "-m", "handrail", *words]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=120)
    browser = open_site()
    assert "3 runs: 3 completed" in browser.page("/")
    page = browser.page("/runs/1")
    for number in (2, 3, 4):
        assert f'href="{browser.root}/runs/{number}"' in page
    assert all(accuracy in page for accuracy in ("0.05", "0.1", "0.2"))
    assert (page.count('class="dot '), page.count("<polyline")) == (3, 3)
    assert "best accuracy" in page
    assert "fit" in browser.page("/runs/3")


def test_what_is_not_there_is_said(open_site: Open, journal: Journal) -> None:
    journal.add([planned("scan")], outcome="completed")
    browser = open_site()
    for path, said in (("/runs/7", "no run 7"), ("/runs/x", "no number"), ("/odd", "no such page")):
        answer = browser.get(f"{browser.root}{path}")
        assert answer.status_code == 404
        assert said in answer.text


def test_a_damaged_run_hides_no_other(open_site: Open, project: Path, journal: Journal) -> None:
    for _ in range(3):
        journal.add([planned("scan")], done("scan"), outcome="completed")
    execute(str(project / ".handrail" / "runs.db"), "UPDATE {run} SET params = 'x' WHERE id = 2")
    browser = open_site()
    page = browser.page()
    assert numbers(page) == [3, 2, 1]
    assert "damaged" in page
    assert browser.get(f"{browser.root}/runs/2").status_code in (200, 500)
    assert "completed" in browser.page("/runs/3")


def test_commands_that_are_shown_name_the_journal(
    project: Path, journal: Journal, serve: Callable[..., Any]
) -> None:
    """One can paste them, whichever thread has made the page."""
    import httpx

    journal.add([planned("scan")], started("scan"))
    server = serve("--journal", ".handrail/runs.db")
    with httpx.Client(follow_redirects=True, timeout=60) as client:
        front = client.get(server.address)
        assert numbers(front.text) == [1]
        page = client.get(f"{str(front.url).rstrip('/')}/runs/1").text
    assert "handrail resume 1 --journal .handrail/runs.db" in page
