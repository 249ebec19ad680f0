"""A project with an action to sweep, for tests: each run makes a file, and may be killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from handrail import BaseStep, StepResult, action, step
from handrail_ray.worker import ray_module

PROJECT = """
[local.steps]
told = "flows.py:tell"

[actions.maker]
insert = [{ step = "told", as = "tell", after = "make" }]

[local.actions]
maker = "flows.py:maker"
"""


class Params(BaseModel):
    """Where to make files, and of which name."""

    target: str
    name: str = "a"
    kill: str = ""
    wait: str = ""


def once(path: Path) -> bool:
    """Return True for the first one that asks."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def in_ray(_item: int, _item_context: Any) -> bool:
    """Return whether an item of a run of a sweep is worked on by the cluster."""
    return bool(ray_module().is_initialized())


class Make(BaseStep):
    """Makes a file, which must not be there, and works on some items."""

    name = "make"
    progress_weight = 1.0

    def execute(self, context: Any) -> StepResult:
        options = context.options
        file = Path(options.target, options.name)
        context.record_rollback("made", str(file))
        with file.open("x") as opened:
            opened.write(f"{os.environ.get('HANDRAIL_RAY_NODE')} {__file__}")
        if options.name == options.kill and once(file.with_name("killed")):
            os.kill(os.getpid(), signal.SIGKILL)
        if options.name == options.wait and once(file.with_name("waits")):
            time.sleep(3600)  # Until it is ended.
        found = context.map_items(in_ray, range(4), chunk=2)
        return StepResult(data={"in_ray": all(result for _, result in found)})

    def rollback(self, context: Any, result: StepResult) -> None:
        for each in result.rollback_data.get("made", []):
            Path(each).unlink(missing_ok=True)


@step
def tell(context: Any) -> None:
    """Be there only if the project's settings are."""
    Path(context.options.target, f"told-{context.options.name}").touch()


@tell.rollback
def untell(context: Any, result: StepResult) -> None:
    Path(context.options.target, f"told-{context.options.name}").unlink(missing_ok=True)


maker = action("maker", [Make()], params=Params)
