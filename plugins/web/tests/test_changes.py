"""Resuming and rolling back from the page: the preview and the question of the command line."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import recorded_runs
from recorded_runs import Journal, ended, planned
from sites import FLOW, HOST, Browser, Open, Server, until

from handrail.journal import RunChange

ORIGIN = {"origin": f"http://{HOST}"}
Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def handrail(project: Path) -> Call:
    """Call `handrail` as a process."""
    (project / "flows.py").write_text(FLOW)

    def call(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "handrail", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (done.stdout, done.stderr)
        return done

    return call


def keep(journal: Journal) -> None:
    """Add a run that was kept after a failure."""
    journal.add([planned("scan")], ended("scan", "failed", error="no"), outcome="failed")


def answered(page: str) -> dict[str, str]:
    """Return the fields of the form of a question."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


def is_over(browser: Browser, run: str) -> bool:
    work = browser.site.commands.started(run)
    return work is not None and work.code is not None


@pytest.mark.slow
def test_a_rollback_shows_what_it_undoes_asks_and_does_it(
    handrail: Call, open_site: Open, project: Path
) -> None:
    (project / "good").touch()
    handrail("run", "flows.py:job")
    browser = open_site(allow_changes=True)
    assert f'href="{browser.root}/runs/1/rollback"' in browser.page("/runs/1")
    question = browser.page("/runs/1/rollback")
    assert "Undo run 1 of flows.py:job?" in question
    assert "undone from what it recorded (files: 3)" in question
    assert "check" in question  # It has no way back.
    form = answered(question)
    answer = browser.post(f"{browser.root}/runs/1/rollback", data=form, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{browser.root}/runs/1")
    until(lambda: is_over(browser, "1"))
    page = browser.page("/runs/1")
    assert "rolled back" in page
    assert "was started here, and is done" in page
    assert not list(project.glob("made-*"))
    # What was confirmed once is not confirmed for ever.
    again = browser.post(f"{browser.root}/runs/1/rollback", data=form, headers=ORIGIN)
    assert again.status_code in (200, 409)
    assert "rolled back" in browser.page("/runs/1")


@pytest.mark.slow
def test_a_kept_run_is_resumed(handrail: Call, open_site: Open, project: Path) -> None:
    handrail("run", "flows.py:job", "--on-failure", "keep", code=6)
    (project / "good").touch()
    browser = open_site(allow_changes=True)
    question = browser.page("/runs/1/resume")
    assert "It runs check again." in question  # As `handrail show` says it.
    browser.post(f"{browser.root}/runs/1/resume", data=answered(question), headers=ORIGIN)
    until(lambda: is_over(browser, "1"))
    assert "completed" in browser.page("/runs/1")


def test_a_run_that_changed_since_the_preview_is_left_alone(
    open_site: Open, journal: Journal
) -> None:
    keep(journal)
    browser = open_site(allow_changes=True)
    form = answered(browser.page("/runs/1/resume"))
    owned = journal.opened[0].claim(1)
    owned.write([RunChange(outcome="failed")])
    owned.release()
    answer = browser.post(f"{browser.root}/runs/1/resume", data=form, headers=ORIGIN)
    assert "has changed since you looked" in answer.text
    assert browser.site.commands.started("1") is None
    assert answered(answer.text) != form


@pytest.mark.parametrize("change", ["seen", "proof", "run", "aim"])
def test_nothing_but_what_was_asked_is_done(open_site: Open, journal: Journal, change: str) -> None:
    """A form is good for one run, one aim, and what was seen; nobody else can make one."""
    for _ in range(2):
        keep(journal)
    browser = open_site(allow_changes=True)
    form = answered(browser.page("/runs/1/resume"))
    run, aim = ("2" if change == "run" else "1"), ("rollback" if change == "aim" else "resume")
    form = {name: "x" if name == change else value for name, value in form.items()}
    answer = browser.post(f"{browser.root}/runs/{run}/{aim}", data=form, headers=ORIGIN)
    # The preview of an undo fails, as there is no such action: that is as good.
    assert "Please confirm" in answer.text or answer.status_code == 409
    assert browser.site.commands.started(run) is None


def test_a_run_at_work_is_not_changed(open_site: Open, journal: Journal) -> None:
    keep(journal)
    browser = open_site(allow_changes=True)
    form = answered(browser.page("/runs/1/resume"))
    owned = journal.opened[0].claim(1)
    for aim in ("resume", "rollback"):
        answer = browser.get(f"{browser.root}/runs/1/{aim}")
        assert answer.status_code == 409
        assert "belongs to" in answer.text
    answer = browser.post(f"{browser.root}/runs/1/resume", data=form, headers=ORIGIN)
    assert answer.status_code == 409
    owned.release()


STUCK = """
import time
from pathlib import Path
from handrail.sqlite import SqliteJournal
import recorded_runs

journal = recorded_runs.Journal(Path.cwd())
journal.opened[0].close()
journal.opened[0] = SqliteJournal(".handrail/runs.db", lease=1.0)
journal.add([recorded_runs.planned("scan")], recorded_runs.started("scan"), dead=False)
print("there", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stalled(project: Path) -> Iterator[None]:
    """A run whose process is stopped for longer than its lease lasts."""
    support = Path(recorded_runs.__file__).parent
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK],
        env={**os.environ, "PYTHONPATH": str(support)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGSTOP)
        yield
    finally:
        process.kill()
        process.communicate(timeout=60)


@pytest.mark.slow
def test_a_run_that_is_stalled_can_be_taken_from_its_process(
    stalled: None, open_site: Open
) -> None:
    """Once it gives no sign of life; the question says whose it is, and the command takes it."""
    browser = open_site(allow_changes=True)
    assert "/runs/1/resume" not in browser.page("/runs/1")
    until(lambda: f'href="{browser.root}/runs/1/resume"' in browser.page("/runs/1"))
    question = browser.page("/runs/1/resume")
    assert "which has given no sign of life for" in question
    form = answered(question)
    browser.post(f"{browser.root}/runs/1/resume", data=form, headers=ORIGIN)
    work = browser.site.commands.started("1")
    assert work is not None
    assert "resume 1 --take-over" in work.shown
    until(lambda: is_over(browser, "1"))
    # It was taken; only that its action is nowhere keeps it from going on.
    assert "upload-" in browser.page("/runs/1")
    assert "is held by" not in work.output()


@pytest.mark.slow
def test_a_run_at_work_is_stopped(handrail: Call, open_site: Open, project: Path) -> None:
    """Its own page says what that does; a form for anything else is of no use."""
    words = [sys.executable, "-m", "handrail", "run", "flows.py:slow"]
    (project / "undo").touch()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        until((project / "waiting").exists)
        browser = open_site(allow_changes=True)
        assert f'href="{browser.root}/runs/1/stop"' in browser.page("/runs/1")
        question = browser.page("/runs/1/stop")
        assert "then undoes wait, make" in question
        form = answered(question)
        for wrong in ({**form, "proof": "x"}, {**form, "seen": "x"}):
            answer = browser.post(f"{browser.root}/runs/1/stop", data=wrong, headers=ORIGIN)
            assert "Please confirm" in answer.text
        stranger = browser.post(f"{browser.root}/runs/1/stop", data=form)
        assert stranger.status_code == 403
        assert run.poll() is None
        answer = browser.post(f"{browser.root}/runs/1/stop", data=form, headers=ORIGIN)
        assert (answer.status_code, run.wait(timeout=60)) == (303, 130)
    assert "rolled back" in browser.get(answer.headers["location"]).text
    assert browser.get(f"{browser.root}/runs/1/stop").status_code == 409
    assert not list(project.glob("made-*"))


def test_what_is_refused_is_told_with_its_reason(open_site: Open, journal: Journal) -> None:
    journal.add([planned("scan")], ended("scan", "undone"), outcome="rolled_back")
    browser = open_site(allow_changes=True)
    answer = browser.get(f"{browser.root}/runs/1/rollback")
    assert answer.status_code == 409
    assert "Run 1 was rolled back; nothing is left to undo" in answer.text
    assert browser.get(f"{browser.root}/runs/1/delete").status_code == 404
    assert browser.get(f"{browser.root}/runs/9/resume").status_code == 409


@pytest.mark.slow
def test_what_was_started_outlives_the_page(
    handrail: Call, serve: Callable[..., Server], project: Path
) -> None:
    """Ctrl-C ends the page within a second; the undo goes on to its end."""
    import httpx

    (project / "good").touch()
    (project / "go").touch()
    handrail("run", "flows.py:slow")
    server = serve("--allow-changes")
    with httpx.Client(follow_redirects=True, timeout=60) as client:
        root = str(client.get(server.address).url).rstrip("/")
        form = answered(client.get(f"{root}/runs/1/rollback").text)
        origin = {"origin": f"http://127.0.0.1:{server.port}"}
        answer = client.post(f"{root}/runs/1/rollback", data=form, headers=origin)
        assert "was started here" in answer.text
        until((project / "undoing").exists)
        assert "running" in client.get(f"{root}/runs/1").text
    (run,) = json.loads(handrail("runs", "--json").stdout)["runs"]
    # Neither Ctrl-C nor the end of its terminal reaches what it has started.
    assert os.getsid(run["owner"]["pid"]) != os.getsid(server.process.pid)
    assert server.stop()[0] == 0
    (project / "undo").touch()
    until(lambda: not list(project.glob("made-*")))
    until(lambda: '"state": "rolled back"' in handrail("runs", "--json").stdout)
