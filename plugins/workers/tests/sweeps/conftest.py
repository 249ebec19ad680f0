"""A project with an action to sweep, and commands in this process, whose workers are inline."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from inline_executor import Log
from killing.memory import folder_in_memory
from killing.places import place  # noqa: F401 - a fixture
from recorded_runs import Call, Screen

from handrail.cli import main
from handrail_workers.items import run

FLOWS = '''
import os, signal
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from pydantic import BaseModel, SecretStr
from handrail import Argument, BaseAction, BaseStepContext, chain, step

class Hyper(BaseModel):
    rate: float = 0.1

class Params(BaseModel):
    """Train a model."""
    data: Annotated[Path, Argument()] = Path("data.csv")
    epochs: int = 10
    hyper: Hyper = Hyper()
    concurrency: int = 1
    token: SecretStr | None = None

@dataclass(kw_only=True)
class Context(BaseStepContext):
    epochs: int = 0
    hyper: Hyper
    rows: int = 0
    accuracy: float = 0.0

def note(text):
    with open("calls.txt", "a") as file:
        file.write(text + "\\n")

@step(effects=False)
def load(context):
    note(f"load {context.epochs} {context.hyper.rate}")
    context.rows = 3

@step
def fit(context):
    name = f"{context.epochs}-{context.hyper.rate}.model"
    note(f"fit {context.epochs} {context.hyper.rate}")
    context.record_rollback("made", name)
    Path(name).write_text("x")
    if Path(f"kill {name}").exists():
        Path(f"kill {name}").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if context.hyper.rate > 1 and not Path("mended").exists():
        raise ValueError("diverged in epoch 3")
    context.accuracy = context.epochs * context.hyper.rate / 100
    context.set_metrics({"accuracy": context.accuracy}, higher_is_better=True)
    loss = {"loss": 1 - context.accuracy, "note": "fine", "flag": True}
    context.set_metrics(loss, higher_is_better=False)

@fit.rollback
def unfit(context, result):
    if Path("stuck").exists():
        raise OSError("cannot be removed")
    for name in result.rollback_data.get("made", ()):
        Path(name).unlink(missing_ok=True)

class TrainAction(BaseAction[Params]):
    """Train a model."""
    action_name = "train"
    context_class = Context

    def setup_steps(self, registry):
        registry.register(load)
        registry.register(fit)

    def check_inputs(self):
        if str(self.params.data) == "missing.csv":
            yield "data", "does not exist"

    def result(self, context):
        return {"metrics": {"accuracy": context.accuracy}, "rows": context.rows}

both = chain("both", {"first": TrainAction, "second": TrainAction})
'''


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory, where there is one: no test here is about a disk."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project folder with flows.py."""
    (tmp_path / "flows.py").write_text(FLOWS)
    return tmp_path


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """What executors are asked, which work in this thread."""
    log = Log()
    monkeypatch.setattr(run, "open_executor", lambda url, host, _packs: log.opens(url, host))
    return log


@pytest.fixture
def flows(folder: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of the project, imported by its name."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location("flows", folder / "flows.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "flows", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def call(
    folder: Path,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    """Return a function that calls `handrail` in this process, in the project folder."""
    for name in os.environ:
        if name.startswith("HANDRAIL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def _call(*arguments: str) -> Screen:
        capsys.readouterr()
        code = main(arguments)
        told = capsys.readouterr()
        return Screen(code=code, out=told.out, err=told.err)

    return _call
