"""Helpers for tests of durable runs: a workflow to kill, and calls of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handrail.cli import main

DURABLE = '''
import os, sqlite3, sys, time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from pydantic import BaseModel, SecretStr
from handrail import Argument, BaseStep, BaseStepContext, StepResult, action, step

class Params(BaseModel):
    """What to make."""
    name: Annotated[str, Argument()]
    token: SecretStr | None = None
    tokens: list[SecretStr] = []

@dataclass(kw_only=True)
class Context(BaseStepContext):
    name: str
    seen: list[str] = field(default_factory=list)

@step
def first(context):
    context.record_rollback("files", "first.txt")
    Path("first.txt").write_text(context.name)
    context.seen.append("first")

@first.rollback
def undo_first(context, result):
    for name in result.rollback_data.get("files", []):
        Path(name).unlink(missing_ok=True)

@step
def second(context):
    """Wait to be killed, unless somebody has opened the gate."""
    context.record_rollback("files", f"{context.name}.txt")
    with open(f"{context.name}.txt", "a") as stream:
        stream.write("made\\n")
    if not Path("open").exists():
        print("ready", flush=True)
        sys.stdin.read()
    if Path("broken").exists():
        raise ValueError("it is broken")
    context.seen.append("second")

@second.rollback
def undo_second(context, result):
    for name in result.rollback_data.get("files", []):
        Path(name).unlink(missing_ok=True)

@step
def mail(context):
    Path("seen.txt").write_text(" ".join(context.seen))

job = action("job", [first, second, mail], params=Params, context=Context)

@step
def slow(context):
    context.record_rollback("files", "slow.txt")
    raise ValueError("told to fail")

@slow.rollback
def undo_slowly(context, result):
    if not Path("open").exists():
        print("undoing", flush=True)
        time.sleep(60)

undoing = action("undoing", [slow])

@step
def sabotage(context):
    context.record_rollback("files", "first.txt")
    with closing(sqlite3.connect(".handrail/runs.db")) as journal, journal:
        journal.execute(Path("sabotage.sql").read_text())
    context.record_rollback("files", "more.txt")

@sabotage.rollback
def undo_sabotage(context, result):
    Path("undone").touch()

sabotaged = action("sabotaged", [first, sabotage], params=Params, context=Context)

@dataclass(kw_only=True)
class Odd(BaseStepContext):
    lock: object = field(default_factory=__import__("threading").Lock)
    stream: "__import__('threading').Event" = None

odd = action("odd", [first], context=Odd)

if __name__ == "__main__":
    job.main()
'''

Start = Callable[..., "subprocess.Popen[str]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """The exit code and the output of a command."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON output, one object per line."""
        return [json.loads(line) for line in self.stdout.splitlines()]


Run = Callable[..., Called]


def states(run: Run, number: int) -> dict[str, str]:
    document = json.loads(run("show", str(number), "--json").stdout)
    return {step["name"]: step["state"] for step in document["steps"]}


def runs(run: Run, *words: str) -> dict[int, str]:
    listed = json.loads(run("runs", "--json", *words).stdout)["runs"]
    return {each["id"]: each["state"] for each in listed}


def made(folder: Path) -> set[str]:
    return {each.name for each in folder.glob("*.txt")}


def caller(
    folder: Path,
    temporary: Path,
    environment: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Return a function that calls `handrail` in this process as if in a new one.

    Args:
        folder: The default working folder.
        temporary: Folder whose modules are removed from `sys.modules` after each call.
        environment: The environment variables, besides those passed to a call.
        monkeypatch: Restores the process after each call.
        capfd: Captures the output.
    """

    def run(*words: str, cwd: Path | None = None, **variables: str) -> Called:
        capfd.readouterr()
        with monkeypatch.context() as patched:
            for name in os.environ:
                if name.startswith("HANDRAIL_"):
                    patched.delenv(name)
            for name, text in {**environment, **variables}.items():
                patched.setenv(name, text)
            patched.chdir(cwd or folder)
            patched.setattr(sys, "path", [*sys.path])
            patched.setattr(sys, "dont_write_bytecode", True)
            try:
                code = main(words)
            finally:
                for name, module in list(sys.modules.items()):
                    if str(getattr(module, "__file__", None)).startswith(str(temporary)):
                        del sys.modules[name]
        told = capfd.readouterr()
        return Called(returncode=int(code), stdout=told.out, stderr=told.err)

    return run
