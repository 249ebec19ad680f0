"""Plays what the README shows first: an upload that is killed half way, and its undo."""

from __future__ import annotations

import getpass
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from terminals import AtTerminal, Screen

PHOTOS, SIZE = 2000, 25_000
_HANDRAIL = str(Path(sys.executable).parent / "handrail")


def played(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each command, and what stands on the screen of a terminal of 100 columns after it.

    Args:
        folder: An empty folder, whose path is short: what is shown is as wide as a page.
    """
    for attempt in range(5):
        project = folder / str(attempt)
        made(project / "photos")
        with at_terminal(project, "run", "upload", "photos", "store") as run:
            run.wait_for(r"▸ upload_files +[\d.]+s  █{4}")
            run.process.kill()
            if run.end() == -signal.SIGKILL:
                break  # On a busy machine it may have ended before.
    else:
        raise AssertionError("the upload always ended before it could be killed")
    yield "handrail run upload photos store", screen(run, project)
    yield f"kill -9 {run.process.pid}    # from another terminal", []
    with at_terminal(project, "rollback") as rollback:
        rollback.wait_for(re.escape("Undo it? [y/N]: "))
        rollback.type("y\n")
        assert rollback.end() == 0
        yield "handrail rollback", screen(rollback, project)
    left = [path.name for path in (project / "store").rglob("*.jpg")]
    assert left == [], f"{len(left)} photos were left"


def made(photos: Path) -> None:
    """Make a folder with so many photos that their upload takes a while."""
    photos.mkdir(parents=True)
    for number in range(PHOTOS):
        with (photos / f"photo_{number:04}.jpg").open("wb") as photo:
            photo.truncate(SIZE)


def at_terminal(folder: Path, *words: str) -> AtTerminal:
    kept = {name: each for name, each in os.environ.items() if not name.startswith("HANDRAIL_")}
    variables = {**kept, "COLUMNS": "100", "TERM": "xterm", "NO_COLOR": "1", "USER": "ada"}
    return AtTerminal([_HANDRAIL, *words], folder, variables)


def screen(terminal: AtTerminal, folder: Path) -> list[str]:
    """Return the lines that stand on the screen, without names of this machine."""
    text = terminal.shown.replace(str(folder), "~")
    text = re.sub(rf"\b{getpass.getuser()} on {socket.gethostname()}\b", "ada on build7", text)
    text = re.sub(rf"\bon {socket.gethostname()}\b", "on build7", text)
    text = re.sub(rf"\bby {getpass.getuser()}\b", "by ada", text)
    shown = Screen(rows=300)
    shown.feed(text)
    return shown.lines
