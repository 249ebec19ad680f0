"""A project with a journal, and the site over it, in this process or in one of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from recorded_runs import Journal

from handrail.cli import Session, session_journal
from handrail_web.app import Site
from handrail_web.commands import CommandLine
from handrail_web.pages import SharedJournal
from handrail_web.security import Door, own_key

sys.path.insert(0, str(Path(__file__).parent))

from sites import Browser, Open, Server


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
            browser = Browser(site(place, **more), let_in=let_in)
            stack.callback(browser.close)
            return browser

        yield make


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
