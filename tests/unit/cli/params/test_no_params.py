"""An action that takes no params takes none from anywhere, so that a misspelt one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

FLOW = """
from handrail import action, step

@step
def work(context): ...

ship = action("ship", [work])
"""

HOOKS = """
from pydantic import BaseModel
from handrail import PackInfo, hookimpl

class Settings(BaseModel):
    engine: str = "slow"

@hookimpl
def pack_info():
    return PackInfo(settings=Settings)
"""


@pytest.mark.parametrize("command", ["run", "plan", "lock"])
def test_a_pair_is_refused(call: Any, folder: Path, command: str) -> None:
    (folder / "ship.py").write_text(FLOW)
    told = call(command, "ship.py:ship", "-p", "colour=red")
    assert told.code == 2
    assert "-p: there is no param 'colour': the action takes none" in told.err


def test_a_file_is_refused_unless_it_is_empty(call: Any, folder: Path) -> None:
    (folder / "ship.py").write_text(FLOW)
    (folder / "params.json").write_text('{"colour": "red"}')
    told = call("run", "ship.py:ship", "--params", "params.json")
    assert told.code == 2
    assert "--params params.json: there is no param 'colour'" in told.err
    (folder / "params.json").write_text("{}")
    assert call("run", "ship.py:ship", "--params", "params.json").code == 0


def test_params_of_the_project_are_refused(call: Any, folder: Path) -> None:
    (folder / "ship.py").write_text(FLOW)
    (folder / "handrail.toml").write_text(
        '[local.actions]\nship = "ship.py:ship"\n[actions.ship.params]\ncolour = "red"\n'
    )
    told = call("run", "ship")
    assert told.code == 2
    assert "actions.ship.params.colour: ship takes no params" in told.err


def test_a_misspelt_pack_is_told(yard: Any) -> None:
    """Its setting would be a param, and be taken by nobody."""
    yard.plant("acme-fast", "1.0", HOOKS, packs={"fast": "acme_fast"})
    assert yard("plan", "ship", "-p", "acme-fast.engine=fast").returncode == 0
    done = yard("plan", "ship", "-p", "acme-fats.engine=fast")
    assert done.returncode == 2
    assert "no pack and no param is called acme-fats; did you mean acme-fast" in done.stderr
