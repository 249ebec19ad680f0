"""A project with a journal, and the site over it, in this process or in one of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from handrail.cli import Session, session_journal
from handrail_web.app import Site, make_app
from handrail_web.commands import CommandLine
from handrail_web.journals import SharedJournal
from handrail_web.security import COOKIE, Door, own_key
from recorded_runs import Journal

HOST = "127.0.0.1:8321"
Open = Callable[..., "Browser"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, whose user has no key yet, and no variable of Handrail's is set."""
    for name in list(os.environ):
        if name.startswith("HANDRAIL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def journal(project: Path) -> Iterator[Journal]:
    """The journal of the project."""
    found = Journal(project)
    yield found
    for each in found.opened:
        each.close()


class Browser(TestClient):
    """A client of the site, which was let in unless it is told otherwise.

    Attributes:
        site: The site.
        root: The path below which its pages are.
        routes: Its routes.
    """

    def __init__(self, site: Site, *, let_in: bool = True) -> None:
        guard = make_app(site)
        super().__init__(guard, base_url=f"http://{HOST}", follow_redirects=False)
        self.site = site
        self.routes = guard.app.routes[0].routes
        self.root = site.door.path
        if let_in:
            self.cookies.set(COOKIE, site.door.pass_)

    def page(self, path: str = "/", **query: Any) -> str:
        """Return a page, which must be there."""
        answer = self.get(f"{self.root}{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
def site(project: Path) -> Iterator[Callable[..., Site]]:
    """A function that makes a site over a journal, by default that of the project."""
    with ExitStack() as stack:

        def make(place: str | None = None, *, allow_changes: bool = False) -> Site:
            session = Session()
            shown = place or str(project / ".handrail" / "runs.db")
            made = Site(
                session=session,
                journal=SharedJournal(lambda: session_journal(session, place)),
                commands=CommandLine((), shown),
                door=Door(own_key(), "127.0.0.1"),
                allow_changes=allow_changes,
            )
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def open_site(site: Callable[..., Site]) -> Iterator[Open]:
    """A function that opens the site in a browser without a window."""
    with ExitStack() as stack:

        def make(place: str | None = None, *, let_in: bool = True, **more: bool) -> Browser:
            return stack.enter_context(Browser(site(place, **more), let_in=let_in))

        yield make


class Server:
    """`handrail web` as a process.

    Attributes:
        address: The address that it has printed.
        process: The process.
    """

    def __init__(self, *words: str, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "handrail", "web", "--port", str(port), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, (line, self.process.communicate(timeout=60)[1])
        self.address = found[0]

    @property
    def port(self) -> int:
        """The port at which it listens."""
        return int(re.findall(r":(\d+)/", self.address)[0])

    def stop(self) -> tuple[int, str]:
        """Interrupt it; return its exit code and what it has written for people."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """A function that starts `handrail web`."""
    started: list[Server] = []

    def start(*words: str, port: int = 0) -> Server:
        started.append(Server(*words, port=port))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def until(condition: Callable[[], object], what: str = "it did not come true") -> None:
    """Wait until `condition` returns a true value."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
