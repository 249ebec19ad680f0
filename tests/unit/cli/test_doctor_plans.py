"""`handrail doctor` plans every action, so that no pack is well that breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

RAISES = """
from handrail import hookimpl

@hookimpl
def insert_before(action, step):
    return {}["nope"]
"""

NEEDS = """
from pydantic import BaseModel
from handrail import BaseAction, step

@step
def work(context): ...

class Params(BaseModel):
    parts: int

class SplitAction(BaseAction[Params]):
    def setup_steps(self, registry):
        for each in range(self.params.parts):
            registry.register(work)
"""


def lines(done: Any, mark: str) -> list[str]:
    return [line[2:] for line in done.stdout.splitlines() if line.startswith(mark)]


def test_all_is_well_where_every_action_can_be_planned(yard):
    done = yard("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    planned = next(line for line in lines(done, "✓") if "planned" in line)
    assert "not checked" not in planned
    assert not [line for line in lines(done, "○") if "acme" in line]
    assert {"ship"} <= set(json.loads(yard("doctor", "--json").stdout)["planned"])


def test_a_hook_that_raises_in_every_plan_is_found_once(yard):
    """Also where no step of the pack and no param is involved."""
    yard.plant("acme-falls", "1.0", RAISES, packs={"falls": "acme_falls"})
    done = yard("doctor")
    assert done.returncode == 4
    assert done.stdout.count("insert_before of acme-falls 1.0 raised KeyError: 'nope'") == 1
    assert "    acme_falls/__init__.py:4\n" in done.stdout
    assert [line for line in lines(done, "✗") if line.endswith(" planned")]


def test_plans_without_a_pack_that_cannot_be_loaded_are_not_green(yard):
    """No run would be planned like that; the others are looked at all the same."""
    yard.plant("acme-torn", "1.0", "raise RuntimeError('torn')", packs={"torn": "acme_torn"})
    done = yard("doctor")
    assert done.returncode == 4
    [planned] = [line for line in lines(done, "○") if "planned" in line]
    assert planned.endswith("without acme-torn")
    told = json.loads(yard("doctor", "--json").stdout)
    assert ("ship" in told["planned"], told["without"]) == (True, ["acme-torn"])


def test_an_action_whose_plan_needs_params_is_counted_apart(yard):
    yard.plant("acme-split", "1.0", NEEDS, actions={"split": "acme_split:SplitAction"})
    done = yard("doctor")
    assert done.returncode == 0
    [planned] = [line for line in lines(done, "✓") if "planned" in line]
    assert planned.endswith(" planned, 1 not checked")
    assert "split is not checked: its plan depends on parts" in lines(done, "○")
    told = json.loads(yard("doctor", "--json").stdout)
    assert told["unchecked"] == [{"action": "split", "why": "its plan depends on parts"}]
    assert "split" not in told["planned"]


def test_a_plan_with_problems_is_no_plan_that_is_well(yard):
    """The exit code is that of the plan."""
    again = yard.SCAN.replace("def insert_before(action, step):", "def insert_after(action, step):")
    yard.plant("acme-twice", "1.0", again, packs={"twice": "acme_twice"})
    done = yard("doctor")
    assert done.returncode == 3
    assert "two steps answer to 'scan'" in done.stdout


@pytest.mark.parametrize(
    ("group", "hint"),
    [
        ("handrail.pack", "did you mean handrail.packs"),
        ("handrail.zzz", "the groups are: handrail.p"),
        ("handrail.project", "the groups are: handrail.p"),
    ],
)
def test_entry_points_that_nobody_reads_are_told(yard, group, hint):
    """Also of a distribution that is no pack because of it."""
    yard.plant("acme-typo", "1.0", yard.SCAN, **{group: {"typo": "acme_typo"}})
    done = yard("doctor")
    [line] = [line for line in lines(done, "○") if "acme-typo" in line]
    assert line == f"acme-typo 1.0 has entry points in {group}, which nobody reads"
    assert f"{line}\n    {hint}" in done.stdout


def test_settings_that_are_no_model_name_their_pack(yard):
    """The other commands say so, too, and stop with the exit code of a broken pack."""
    source = """
from handrail import PackInfo, hookimpl

@hookimpl
def pack_info():
    return PackInfo(settings=dict)
"""
    yard.plant("acme-odd", "1.0", source, packs={"odd": "acme_odd"})
    for command in ("doctor", "plan"):
        done = yard(command, *(("ship",) if command == "plan" else ()))
        told = done.stdout + done.stderr
        assert "pack_info of acme-odd 1.0: settings is <class 'dict'>; it has to be a model" in told
        assert done.returncode == 4
