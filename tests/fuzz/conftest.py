"""What the fuzz tests share: the folder that they work in, and how many cases there are.

`HANDRAIL_FUZZ` is the number of cases of all of them together, which are then others in each run.
Without it there are a few, always the same: a change that has nothing to do with it never fails.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck

sys.path.insert(0, str(Path(__file__).parent))

from arena import Arena, call, load_all

CASES = int(os.environ.get("HANDRAIL_FUZZ", "230"))
SHARES = 46  # The sum of those that the tests ask for.

FLOWS = '''
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from handrail import Argument, BaseStepContext, action, step


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(BaseModel):
    width: int = 1
    height: float = 1.0


class Params(BaseModel):
    """What to make."""

    name: Annotated[str, Argument()] = "thing"
    times: Annotated[int, Field(ge=0, le=9)] = 1
    ratio: float = 0.5
    fail: bool = False
    colour: Colour = Colour.RED
    kind: Literal["a", "b"] = "a"
    when: date | None = None
    where: Path | None = None
    tags: list[str] = []
    sizes: dict[str, Size] = {}
    size: Size = Size()
    token: SecretStr | None = None


@dataclass(kw_only=True)
class Context(BaseStepContext):
    name: str = ""
    times: int = 0
    fail: bool = False
    found: list[str] = field(default_factory=list)


@step(weight=0.2, effects=False)
def find(context):
    """List what there is to make."""
    context.found = [f"made-{number}.txt" for number in range(context.times)]
    return {"found": len(context.found)}


@step(weight=0.7)
def make(context):
    """Make it."""
    for name in context.found:
        context.record_rollback("made", name)
        Path(name).write_text("made")
    return {"name": context.name}


@make.rollback
def unmake(context, result):
    for name in result.rollback_data.get("made", []):
        Path(name).unlink(missing_ok=True)


@step(weight=0.1)
def check(context):
    """Fail when told to."""
    if context.fail:
        raise ValueError("told to fail")


nightly = action("nightly", [find, make, check], params=Params, context=Context)
'''
SETTINGS = """
[workflows.nightly]
base = "flows.py:nightly"
"""


def cases(share: int = 1) -> hypothesis.settings:
    """Return the settings of a fuzz test that has so many shares of all cases."""
    return hypothesis.settings(
        max_examples=max(5, CASES * share // SHARES),
        deadline=None,
        derandomize="HANDRAIL_FUZZ" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="session", autouse=True)
def loaded() -> None:
    load_all()


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """A project with a workflow, a lock, a run that completed, one that failed and one kept."""
    made = Arena(tmp_path_factory.mktemp("arena"))
    (made.folder / "flows.py").write_text(FLOWS, "utf-8")
    for arguments in (
        ("run", "flows.py:nightly", "good"),
        ("run", "flows.py:nightly", "--times", "3"),
        ("run", "flows.py:nightly", "--fail"),
        ("run", "flows.py:nightly", "--fail", "--on-failure", "keep"),
    ):
        call(arguments, folder=made.folder)
    made.keep()
    return made
