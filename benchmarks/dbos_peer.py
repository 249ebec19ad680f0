"""DBOS beside a durable run at the same guarantee; `durable.py --peer` calls this.

DBOS keeps its SQLite file as SQLite makes it: a rollback journal, synced at each commit. Ours is a
write-ahead log that is synced at each commit. After either, a commit survives the loss of power.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import going_on
from rounds import Cases, Took, nothings, plan_of, show

from handrail import BaseStepContext, Orchestrator, RuntimeContext
from handrail.journal.sqlite import SqliteJournal

REQUIREMENT = "dbos==3.4.0"
SCRIPT = Path(__file__).with_name("dbos_steps.py")


def environment() -> Path:
    """Return the Python of an environment with DBOS, which is made at the first use."""
    folder = Path(tempfile.gettempdir()) / f"handrail-benchmark-{REQUIREMENT}"
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", REQUIREMENT], check=True)
        (folder / "made").touch()
    return python


def measure(folder: Path, count: int, rounds: int) -> None:
    """Measure `count` steps that do nothing, and going on when all but the last are done."""
    python = environment()
    here = folder / "peer"
    here.mkdir()

    def dbos(what: str, file: str) -> subprocess.Popen[str]:
        words = [python, SCRIPT, what, str(count), here / file]
        return subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=here
        )

    runs = dbos("run", "run.db")

    def run_dbos() -> Took:
        assert runs.stdin is not None
        assert runs.stdout is not None
        print(file=runs.stdin, flush=True)
        return Took(float(runs.stdout.readline()), None)

    journal = SqliteJournal(here / "runs.db")
    context: Any = BaseStepContext(RuntimeContext())
    orchestrator = Orchestrator(plan_of(*nothings(count)), context, journal=journal)

    def run() -> None:
        orchestrator.execute()

    python_version = ".".join(map(str, sys.version_info[:2]))
    title = f"{count} steps, every commit synced, Python {python_version}, {REQUIREMENT}"
    show(title, {"durable step": run, "DBOS": run_dbos}, count, rounds)
    journal.close()
    runs.communicate()

    left, last = here / "left", going_on.Last()
    left.mkdir()
    plan = plan_of(*nothings(count), last)
    going_on.leave(left, plan, last, "full")
    dbos("die", "die.db").communicate()

    def resume_dbos() -> Took:
        return Took(float(dbos("resume", "die.db").communicate()[0]), None)

    cases: Cases = {
        "resumed, up to the next step": lambda: going_on.resume(left, plan, last, "full"),
        "DBOS": resume_dbos,
    }
    show(f"going on after {count} steps", cases, count, rounds)
