"""Calls `handrail` as other users of the machine, each through a process that forks per call."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recorded_runs import Screen

SERVER = """
import handrail
print("begun", flush=True)
import contextlib, io, json, os, signal, sys, traceback
import handrail.builtin.cli.commands.run, handrail.builtin.cli.commands.resume
import handrail.builtin.cli.commands.doctor
import handrail.builtin.cli.new_run, handrail.packs.planner, handrail.params.context
import handrail.params.validation, handrail.journal.opening, handrail.builtin.cli.view.explanation
import handrail.builtin.sqlite.journal, handrail.packs.installed, handrail.builtin.project.local
import handrail.actions
import handrail.recovery, handrail.builtin.project.sections, pydantic, tomllib
from handrail.cli import main

def carried_out(order):
    signal.alarm(60)
    os.environ.update(order["variables"])
    os.umask(order["umask"])
    out, err, code = io.StringIO(), io.StringIO(), 70
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            os.chdir(order["folder"])
            code = main(order["words"]) if order["words"] else exec(order["source"], {}) or 0
        except BaseException:
            traceback.print_exc()
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}

answers = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Processes that are started write there.
print("ready", file=answers, flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        print(json.dumps(carried_out(json.loads(line))), file=answers, flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        killed = {"code": -status, "out": "", "err": "it was killed"}
        print(json.dumps(killed), file=answers, flush=True)
"""


class OtherUser:
    """A user of this machine who can call `handrail`.

    Args:
        uid: The id of the user and of its group.
        groups: Further groups.
    """

    def __init__(self, uid: int, *groups: int) -> None:
        self.uid = uid
        kept = {name: each for name, each in os.environ.items() if name[:9] != "HANDRAIL_"}
        for name in ("SUDO_UID", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
            kept.pop(name, None)
        who = [f"--reuid={uid}", f"--regid={uid}"]
        who.append(f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups")
        self._process = subprocess.Popen(
            ["setpriv", *who, sys.executable, "-P", "-c", SERVER],
            cwd="/",
            env={**kept, "NO_COLOR": "1", "COLUMNS": "200"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        # Where the environment is not for others to read, nothing is.
        self.is_ready = self._process.stdout.readline() == "begun\n"
        assert not self.is_ready or self._process.stdout.readline() == "ready\n"

    def __call__(self, folder: Path, *words: str, umask: int = 0o022, **variables: str) -> Screen:
        """Call `handrail` with `words` in `folder`."""
        return self._order(folder=str(folder), words=words, umask=umask, variables=variables)

    def python(self, folder: Path, source: str) -> Screen:
        """Execute `source` in `folder`; the exit code is 70 if it raises."""
        source = textwrap.dedent(source)
        return self._order(folder=str(folder), words=(), source=source, umask=0o022, variables={})

    def _order(self, **order: object) -> Screen:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return Screen(**json.loads(self._process.stdout.readline()))

    def leave(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)


@contextmanager
def other_user(uid: int, *groups: int) -> Iterator[OtherUser | None]:
    """Yield another user for the block, or None if that is not possible."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None:
        yield None
        return
    user = OtherUser(uid, *groups)
    try:
        yield user if user.is_ready else None
    finally:
        user.leave()


def put(file: Path, text: str = "", *, owner: int, mode: int = 0o644) -> Path:
    """Write a file owned by `owner`."""
    file.write_text(textwrap.dedent(text))
    os.chown(file, owner, owner)
    file.chmod(mode)
    return file


def make(folder: Path, *, owner: int, mode: int = 0o755) -> Path:
    """Create a folder owned by `owner`."""
    folder.mkdir()
    os.chown(folder, owner, owner)
    folder.chmod(mode)
    return folder
