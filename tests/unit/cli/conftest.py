"""Runs the real command in a fresh process, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from garden import Garden, Plant
from recorded_runs import Call, Journal, Screen

from handrail.cli import main

FLOWS = '''
import os, sys, time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from pydantic import BaseModel
from handrail import Argument, BaseAction, BaseStepContext, StepResult, action, step

class Params(BaseModel):
    """What to copy."""
    source: Annotated[Path, Argument()]
    fail: bool = False
    times: int = 1

@dataclass(kw_only=True)
class Context(BaseStepContext):
    source: Path
    fail: bool = False
    found: list[str] = field(default_factory=list)

@step(weight=0.2, effects=False)
def find(context):
    """List what is there."""
    context.found = sorted(path.name for path in context.source.iterdir())
    return {"files": len(context.found)}

@step(weight=0.7)
def copy(context):
    """Copy everything."""
    Path("out").mkdir(exist_ok=True)
    for name in context.found:
        context.record_rollback("made", name)
        (Path("out") / name).write_text((context.source / name).read_text())

@copy.rollback
def uncopy(context, result):
    for name in result.rollback_data["made"]:
        (Path("out") / name).unlink(missing_ok=True)

@step(weight=0.1)
def check(context):
    """Fail when told to."""
    if context.fail:
        raise ValueError("told to fail")

nightly = action("nightly", [find, copy, check], params=Params, context=Context)

class SimpleAction(BaseAction[Params]):
    """Runs in one piece."""
    def execute(self):
        return {"source": str(self.params.source)}

@step
def wait(context):
    print("waiting", flush=True)
    time.sleep(30)

@step
def made(context):
    context.record_rollback("file", "made.txt")
    Path("made.txt").write_text("x")

@made.rollback
def unmade(context, result):
    Path("made.txt").unlink(missing_ok=True)

waiting = action("waiting", [made, wait])

@step
def bad_undo(context):
    pass

@bad_undo.rollback
def fall(context, result):
    raise OSError("cannot undo")

stuck = action("stuck", [bad_undo, check], params=Params, context=Context)

@step
def slow_undo(context):
    pass

@slow_undo.rollback
def undo_slowly(context, result):
    print("undoing", flush=True)
    sys.stdin.readline()
    Path("undone.txt").write_text("x")

undoing = action("undoing", [slow_undo, check], params=Params, context=Context)

if __name__ == "__main__":
    nightly.main()
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project folder, with a space in its name, that holds flows.py and some files."""
    made = tmp_path / "a project"
    (made / "in").mkdir(parents=True)
    (made / "flows.py").write_text(FLOWS)
    for name in ("a.txt", "b.txt", "ü.txt"):
        (made / "in" / name).write_text(name)
    return made


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the variables of the process: of Handrail's only those that tests need.

    The progress is shown as on a terminal, without the times of a log.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDRAIL_")}
    ours = {"HANDRAIL_PROGRESS": "bar"}
    return {**kept, **ours, "NO_COLOR": "1"}


@pytest.fixture
def handrail(
    folder: Path, environment: dict[str, str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `handrail` with arguments in the project folder."""

    def run(
        *arguments: str, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "handrail", *arguments],
            cwd=cwd or folder,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    """Return the journal of the project, to put runs into."""
    made = Journal(folder)
    yield made
    for each in made.opened:
        each.close()


@pytest.fixture
def call(
    folder: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """Return a function that calls `handrail` in this process, in the project folder."""
    for name in os.environ:
        if name.startswith("HANDRAIL_"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)

    def _call(*arguments: str) -> Screen:
        capsys.readouterr()
        code = main(arguments)
        told = capsys.readouterr()
        return Screen(code=code, out=told.out, err=told.err)

    return _call


SHIP = """
from handrail import action, step

@step
def initialize(context): ...

@step
def send(context): ...

@step
def cleanup(context): ...
cleanup.always_run = True

ship = action("ship", [initialize, send, cleanup])
"""

SCAN = """
from handrail import StepWrapper, hookimpl, step

@step(effects=False)
def scan(context): ...

class TimingStep(StepWrapper): ...

@hookimpl
def insert_before(action, step):
    if step.name == "send":
        return scan

@hookimpl
def wrap_step(action, step):
    if step.name == "send":
        return TimingStep(step)

@hookimpl
def check_plan(action, plan): ...
"""

AUDIT = """
from handrail import hookimpl, step

@step
def audit(context): ...

@hookimpl
def setup_steps(action, registry):
    if action.name == "ship":
        registry.insert_after("scan", audit)
"""


class Yard:
    """An environment with packs that edit an action, and a project in it.

    Attributes:
        garden: Where the packs are planted.
        project: The folder of the project.
        scan: The pack that scans.
    """

    SCAN = SCAN

    def __init__(self, garden: Garden, environment: dict[str, str]) -> None:
        self.garden = garden
        self.project = garden.project
        self._environment = environment
        self.scan: Plant | None = None

    def plant(self, name: str, version: str, source: str, **points: dict[str, str]) -> Plant:
        """Install a pack with one module; `points` are its entry points by group."""
        package = name.replace("-", "_")
        made = self.garden.plant(
            name, version, points=points, modules={f"{package}/__init__.py": source}
        )
        rows = made.record.read_text().replace(",,", f",sha256={version},1")
        made.record.write_text(rows)
        return made

    def __call__(
        self, *arguments: str, folder: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `handrail` in the project."""
        return self._run(["-m", "handrail", *arguments], folder, variables)

    def python(self, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Python code in the project."""
        return self._run(["-c", code], None, variables)

    def _run(
        self, arguments: list[str], folder: Path | None, variables: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder or self.project,
            env={
                **self._environment,
                "PYTHONPATH": str(self.garden.site),
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def yard(tmp_path: Path, environment: dict[str, str]) -> Yard:
    """Return an environment with an action, a pack that scans and one that hangs on that."""
    made = Yard(Garden(tmp_path), environment)
    made.plant("acme-ship", "0.3.0", SHIP, actions={"ship": "acme_ship:ship"})
    points = {"packs": {"scan": "acme_scan"}, "steps": {"scan": "acme_scan:scan"}}
    made.scan = made.plant("acme-scan", "1.4.0", SCAN, **points)
    made.plant("acme-audit", "2.0.1", AUDIT, packs={"audit": "acme_audit"})
    return made
