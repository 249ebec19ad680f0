"""The servers that other tests run against: they are what they claim, and they leave nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers.process import ServerProcess, StartError

SUPPORT = Path(__file__).parents[3] / "tests" / "support"


def wait_until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_a_database_of_its_own(postgres_url, number):
    """It is empty, and as durable as the server is by default."""
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        connection.execute("CREATE TABLE unit (number integer)")


def test_failed_start_shows_the_log():
    """Whoever reads the message learns why."""
    with ServerProcess("acme") as process:
        process.command = ("sh", "-c", "echo no more ports; exit 3")
        with pytest.raises(StartError, match=r"ended with 3\n\nno more ports"):
            process.start()
    assert not process.folder.exists()


def test_server_that_will_not_stop_is_killed(tmp_path):
    """One that ignores SIGTERM is gone all the same."""
    deaf = tmp_path / "deaf.py"
    deaf.write_text(
        "import http.server, signal, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "http.server.test(port=int(sys.argv[1]), bind='127.0.0.1')\n"
    )
    with ServerProcess("acme") as process:
        process.command = (sys.executable, deaf, process.port)
        process.start()
        pid = process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def run_pytest(folder, source, **environment):
    """Run pytest on one test file in a process of its own, which knows only our fixtures."""
    (folder / "test_it.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    kept = {k: v for k, v in os.environ.items() if k != "CI" and not k.startswith("PYTEST")}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "servers.fixtures", "-p", "no:cacheprovider", "-rA"],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(SUPPORT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda each: each.name)
@pytest.mark.parametrize("server", ["own_moto", "postgres", "small_disk"])
def test_nothing_is_left_when_the_tests_are_stopped(request, tmp_path, server, number):
    """Neither Ctrl-C nor the death of the tests leaves a process, a folder or a mount."""
    here = request.getfixturevalue(server.removeprefix("own_"))
    if server == "small_disk":
        here(1)  # skips this test where the inner one would be skipped
    source = f"""
import pathlib
import time

def test_it({server}):
    if {server == "small_disk"}:
        pid, folder = 0, small_disk(1)
    else:
        pid, folder = {server}.process.pid, {server}.process.folder
    note = pathlib.Path("note")
    note.with_suffix(".part").write_text(f"{{pid}} {{folder}}")
    note.with_suffix(".part").rename(note)
    time.sleep(600)
"""
    running = run_pytest(tmp_path, source)
    with running:
        try:
            wait_until(lambda: (tmp_path / "note").exists() or running.poll() is not None)
            pid, folder = (tmp_path / "note").read_text().split()
            assert pid == "0" or Path("/proc", pid).exists()
            assert os.path.ismount(folder) == (server == "small_disk")
        finally:
            running.send_signal(number)
    wait_until(lambda: pid == "0" or not Path("/proc", pid).exists())
    if server == "small_disk":
        wait_until(lambda: not os.path.ismount(folder))
    else:
        wait_until(lambda: not Path(folder).exists())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fixture", "package"),
    [("radosgw", "the Debian package radosgw"), ("moto", "the PyPI package moto[server]")],
)
def test_missing_server_skips_its_tests_and_fails_them_in_ci(tmp_path, fixture, package):
    """A green CI run hides no server that is missing."""
    pytest.importorskip("boto3")
    source = f"""
import servers.missing
servers.missing.find_spec = lambda name: None if name == "moto" else True

def test_it({fixture}):
    pass
"""
    for environment, outcome in ({}, "1 skipped"), ({"CI": "true"}, "1 error"):
        run = run_pytest(tmp_path, source, PATH=str(tmp_path), **environment)
        output, _ = run.communicate(timeout=120)
        assert outcome in output
        assert f"it comes with {package}" in output
