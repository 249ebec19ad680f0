"""What help, a plan and the first line of a run import and build, for the actions of the packs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

WORK = {
    "upload": ("source", "target"),
    "export": ("table.csv", "target.parquet"),
    "train": ("table.csv", "--target", "kind"),
}

# Each takes milliseconds, or tens of them.
CLIENTS = {"obstore", "boto3", "psycopg", "duckdb", "adbc_driver_manager"}
LIBRARIES = {"numpy", "pyarrow", "sklearn", "skops", "PIL"}
STANDARD = {"asyncio", "concurrent.futures", "logging", "tomllib"}
SLOW = CLIENTS | LIBRARIES | STANDARD
PLANNING = {"handrail.hookspecs", "pluggy"}
RUNNING = {"handrail.orchestrator", "handrail.engine.machine", "handrail.events", "sqlite3"}
PREVIEWS = {"handrail.builtin.cli.new_run", "handrail.builtin.cli.dry_run"}
# Each takes a tenth of a millisecond to several: those of a few objects, none of all modules.
COLLECTIONS = 12
# Contexts and results of steps, which users know as dataclasses. Defining one takes one percent of
# an import of pydantic; what is made with `handrail.frozen` a twenty-fifth of that.
FEW = 7
# Modules of core. Each takes one part in a thousand of an import of pydantic, or two.
MOST = {"help": 145, "plan": 138, "first line": 232}

COUNTED = """
import dataclasses, gc, io, os, sys
import pydantic_core

collected = []
gc.callbacks.append(lambda phase, about: phase == "start" or collected.append(about["generation"]))

process, defined = dataclasses._process_class, []
def processed(cls, *given, **options):
    if cls.__module__.startswith("handrail"):
        defined.append(cls)
    return process(cls, *given, **options)
dataclasses._process_class = processed

class Counting(type):
    made = 0
    real = pydantic_core.SchemaValidator
    def __call__(cls, *given, **options):
        Counting.made += 1
        return cls.real(*given, **options)
    def __instancecheck__(cls, value):
        return isinstance(value, cls.real)

class SchemaValidator(metaclass=Counting):
    pass

pydantic_core.SchemaValidator = SchemaValidator

def tell():
    sys.stdout.flush()
    print("counted", Counting.made, len(defined), len(collected), *sys.modules, flush=True)

class FirstLine(io.TextIOWrapper):
    def write(self, text):
        if "run 1 " in text:
            tell()
            os._exit(0)
        return super().write(text)

if {first_line}:
    io.TextIOWrapper = FirstLine  # What the command line writes its output with.
from handrail.cli import main
code = main({words!r})
assert not code, code
tell()
"""


class Started(NamedTuple):
    """What a process had done: validators and dataclasses built, garbage collected, and so on."""

    validators: int
    dataclasses: int
    collections: int
    modules: set[str]
    output: str

    @property
    def own(self) -> int:
        """How many modules of core were imported."""
        return sum(each.partition(".")[0] == "handrail" for each in self.modules)

    def has(self, modules: set[str]) -> set[str]:
        """Return those of `modules` that were imported."""
        return self.modules & modules


def start(here: Path, *words: str, first_line: bool = False) -> Started:
    """Call `handrail` in a new process; return what it has done at its end, or its first line."""
    (here / "source").mkdir(exist_ok=True)
    (here / "source" / "a.txt").write_text("a")
    (here / "table.csv").write_text("size,kind\n" + "1,a\n2,b\n" * 20)
    code = COUNTED.format(words=list(words), first_line=first_line)
    progress = {"HANDRAIL_PROGRESS": "bar"}  # Its first line has no time before it.
    environ = {
        **os.environ,
        **progress,
        # They have settings, which are validated, too.
        "HANDRAIL_NO_PACKS": "handrail-otel,handrail-synapse",
        "PYTHONUTF8": "1",
    }
    called = [sys.executable, "-c", code]
    done = subprocess.run(
        called, cwd=here, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (told,) = (line for line in done.stdout.splitlines() if line.startswith("counted "))
    _, validators, defined, collections, *modules = told.split()
    return Started(int(validators), int(defined), int(collections), set(modules), done.stdout)


def pack_of(action: str) -> str:
    return f"handrail_{action}"


def strangers(action: str, started: Started) -> set[str]:
    """Return the packs of other actions that were imported."""
    return started.has({pack_of(other) for other in WORK if other != action})


@pytest.mark.parametrize("action", WORK)
def test_help_needs_the_fields_of_an_action_alone(action: str, tmp_path: Path) -> None:
    """No validator is built, and neither the steps nor what runs them is imported."""
    started = start(tmp_path, "run", action, "--help")
    assert started.validators == 0
    assert started.collections <= COLLECTIONS
    assert started.own <= MOST["help"]
    steps = {f"{pack_of(action)}.{each}" for each in ("steps", "context")}
    assert not started.has(SLOW | PLANNING | RUNNING | steps)
    assert not strangers(action, started)


@pytest.mark.parametrize("action", WORK)
def test_a_plan_imports_the_steps_and_nothing_that_they_work_with(
    action: str, tmp_path: Path
) -> None:
    """The params are validated once; for a training, so are the hyper-parameters."""
    started = start(tmp_path, "plan", action, *WORK[action])
    assert started.validators == (2 if action == "train" else 1)
    assert started.dataclasses <= FEW
    assert started.collections <= COLLECTIONS
    assert started.own <= MOST["plan"]
    assert not started.has(SLOW | RUNNING | PREVIEWS)
    assert not strangers(action, started)


@pytest.mark.parametrize("action", WORK)
def test_a_plan_without_params_validates_once(action: str, tmp_path: Path) -> None:
    assert start(tmp_path, "plan", action).validators == 1


@pytest.mark.parametrize("action", WORK)
def test_the_first_line_of_a_run_waits_for_no_step(action: str, tmp_path: Path) -> None:
    """The journal is open, and what the steps work with is imported when they begin."""
    started = start(tmp_path, "run", action, *WORK[action], first_line=True)
    assert "sqlite3" in started.modules
    assert started.validators == (2 if action == "train" else 1)
    assert started.dataclasses <= FEW
    assert started.collections <= COLLECTIONS
    assert started.own <= MOST["first line"]
    assert not started.has(SLOW - {"logging"})
    assert not strangers(action, started)


def test_an_upload_imports_what_its_params_ask_for(tmp_path: Path) -> None:
    """Neither what reads specifications and metadata, nor clients of what is somewhere else."""
    started = start(tmp_path, "run", "upload", *WORK["upload"])
    apart = {
        f"handrail_upload.{each}" for each in ("specification", "catalogue.postgres", "metadata")
    }
    assert not started.has(CLIENTS | LIBRARIES | apart | {"tomllib", "asyncio"})
