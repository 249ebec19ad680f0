"""Runs whose isolated steps no other process could make: refused before the first step."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from isolating import holding, small

from handrail import ActionContext, StepFailedError, action, hookimpl, step
from handrail.errors import IsolationError
from handrail.sqlite import SqliteJournal
from handrail_workers.isolation import isolation


@step
def early(context: Any) -> None:
    """Would leave a trace."""
    Path("early").touch()


@step(isolated=True)
def late(context: Any) -> None:
    pass


@dataclass(kw_only=True)
class OddContext(ActionContext[Any]):
    """Has what cannot be stored."""

    lock: Any = field(default_factory=threading.Lock)


@dataclass(kw_only=True)
class OtherContext(ActionContext[Any]):
    """Has a field of a type that cannot be stored."""

    stream: Iterator[int] | threading.Event | None = None


odd = action("odd", [early, late], context=OddContext)
other = action("other", [early, late], context=OtherContext)
plain = action("plain", [early, late])


def refused(workflow: Any, params: Any = None, packs: Any = (), **options: Any) -> str:
    with pytest.raises(IsolationError) as error:
        workflow(params, packs=packs).run(**options)
    assert not Path("early").exists()
    return str(error.value)


@pytest.mark.parametrize(("workflow", "field"), [(odd, "lock"), (other, "stream")])
def test_a_context_without_a_json_form(workflow: Any, field: str) -> None:
    """The message names the step and the field."""
    message = refused(workflow)
    assert message.startswith(
        "step 'late' is isolated, and its process cannot be given the context"
    )
    assert f".{field} " in message


def test_params_without_a_json_form() -> None:
    assert "the params of plain have no JSON form" in refused(plain, {"lock": threading.Lock()})


def test_an_action_that_cannot_be_imported(journal: SqliteJournal) -> None:
    """One that is made in a function; its journal has no run."""
    made = action("inner", [early, late])
    assert "it is no attribute of the module" in refused(made, journal=journal)
    assert journal.runs() == []


def test_packs_that_cannot_be_imported() -> None:
    """Hooks of an object; those of a module are found again."""

    class Hooks:
        @hookimpl
        def observe(self, event: Any) -> None:
            pass

    assert "packs that no other process could find" in refused(plain, packs=(Hooks(),))


def test_packs_that_can_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their steps are there in the process of the step, too."""
    (tmp_path / "some_hooks.py").write_text(
        "import os\n"
        "from handrail import hookimpl, step\n"
        "@step(isolated=True)\n"
        "def extra(context):\n"
        "    return {'pid': os.getpid()}\n"
        "@hookimpl\n"
        "def insert_after(action, step):\n"
        "    return extra if step.name == 'early' else None\n"
    )
    (tmp_path / "some_flow.py").write_text(
        "from handrail import action, step\n"
        "@step\n"
        "def early(context):\n"
        "    pass\n"
        "flow = action('flow', [early])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    hooks: ModuleType = __import__("some_hooks")
    made = __import__("some_flow").flow(packs=(hooks,))
    orchestrator = made.orchestrator(made.plan())
    orchestrator.execute()
    assert orchestrator.context.results["extra"].data["pid"] > 0


def test_memory_where_the_system_has_no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clear refusal, in place of a limit that does nothing."""
    fake = SimpleNamespace(**{**vars(sys), "platform": "darwin"})
    monkeypatch.setattr(isolation, "sys", fake)
    assert refused(small) == "the memory of step 'work' cannot be limited on darwin"


def test_a_value_that_cannot_be_handed_over_fails_the_isolated_step() -> None:
    """It is known only once the step that returned it has run."""
    with pytest.raises(StepFailedError, match=r"'lock' of step 'hold' is _thread\.lock"):
        holding(packs=()).run()


def test_a_program_that_runs_whenever_it_is_imported_is_stopped(tmp_path: Path) -> None:
    """Its own processes would import it, and run it again, without end."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os\n"
        "from handrail import action, step\n"
        "open('imported', 'a').write('x')\n"
        "@step(isolated=True)\n"
        "def work(context): pass\n"
        "job = action('job', [work])\n"
        "print(job.run(packs=()))\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is run while its module is imported for one of its steps" in done.stderr
    assert 'below  if __name__ == "__main__":' in done.stderr
    assert len(Path("imported").read_text()) <= 3


def test_an_action_of_a_program_is_found_in_its_file(tmp_path: Path) -> None:
    """`python program.py`; errors are of the classes of the program."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os\n"
        "from handrail import action, step\n"
        "class OwnError(Exception): pass\n"
        "@step(isolated=True)\n"
        "def work(context):\n"
        "    if 'FAIL' in os.environ: raise OwnError('told')\n"
        "    return {'pid': os.getpid()}\n"
        "job = action('job', [work])\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        print(job.run(packs=()))\n"
        "    except Exception as error:\n"
        "        print(error.__cause__.__class__ is OwnError)\n"
    )
    command = [sys.executable, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "{'success': True, 'steps_executed': 1, 'steps_total': 1}\n"
    fails = {**os.environ, "FAIL": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=fails)
    assert done.stdout == "True\n"


def test_a_module_with_threads_is_not_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork has no threads, but the locks that they held: each attempt has a new interpreter."""
    (tmp_path / "threaded.py").write_text(
        "import os, threading\n"
        "from handrail import action, step\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "@step(isolated=True)\n"
        "def work(context):\n"
        "    return {'threads': threading.active_count(), 'pid': os.getpid()}\n"
        "job = action('job', [work])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    made = __import__("threaded").job(packs=())
    orchestrator = made.orchestrator(made.plan())
    orchestrator.execute()
    # The main one, that of the module, and the one that listens to the run.
    assert orchestrator.context.results["work"].data["threads"] == 3


def test_plain_runs_load_nothing_of_it() -> None:
    """Only a plan with an isolated step pays for it."""
    code = (
        "import sys\n"
        "from handrail import action, step\n"
        "@step(timeout=5)\n"
        "def work(context): pass\n"
        "action('job', [work]).run(packs=())\n"
        "loaded = [name for name in sys.modules if name.startswith('handrail_workers.isolation')]\n"
        "sys.exit(str(loaded) if loaded else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_workflow_of_the_project_is_found_by_its_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Made of steps, or extending an action."""
    from handrail.cli import main

    (tmp_path / "flows.py").write_text(
        "import os\n"
        "from handrail import action, step\n"
        "@step(isolated=True)\n"
        "def work(context):\n"
        "    print('in', os.getpid())\n"
        "job = action('job', [work])\n"
    )
    (tmp_path / "handrail.toml").write_text(
        "[local.actions]\n"
        'job = "flows.py:job"\n'
        "[local.steps]\n"
        'work = "flows.py:work"\n'
        "[workflows.nightly]\n"
        'steps = ["work"]\n'
        "[workflows.weekly]\n"
        'extends = "job"\n'
    )
    for name in ("nightly", "weekly"):
        assert main(["run", name, "--no-journal"]) == 0
        process = capfd.readouterr().out.partition("in ")[2].split()[0]
        assert int(process) != os.getpid()
