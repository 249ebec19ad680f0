"""Options that packs add to commands of core: `show.slowest` is `handrail show --slowest`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from garden import Garden

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "hooks.md"
FLOWS = """
from pydantic import BaseModel
from handrail import action, step

class Params(BaseModel):
    size: int = 1
    twice: int = 0

@step
def dig(context):
    pass

@step
def sow(context):
    pass

garden = action("garden", [dig, sow], params=Params)
"""
TWICE = """
import click
from handrail.cli import Option, echo
from handrail.frozen import replace

def twice(request):
    return replace(request, carry_out=both) if request.values.get("thrice") else request

def both(request):
    echo(f"{request.target.name} three times")
    return 0

option = Option(click_params=[click.Option(["--thrice"], is_flag=True)], apply=twice)
other = Option(click_params=[click.Option(["--size"], is_flag=True)], apply=twice)
taken = Option(click_params=[click.Option(["--skip"], is_flag=True)], apply=twice)
wrong = "nothing"
"""
AGAIN = """
def once_more(request):
    return replace(request, carry_out=lambda _: 0)

again = Option(click_params=[click.Option(["--again"], is_flag=True)], apply=once_more)
"""
DERIVED = """
import pathlib
import click
from handrail import BaseAction, BaseStep, StepResult
from handrail.cli import Derivation, Option
from handrail.frozen import replace

class Mark(BaseStep):
    name, progress_weight = "mark", 1.0

    def execute(self, context):
        pathlib.Path("marked").touch()
        return StepResult()

    def rollback(self, context, result):
        pathlib.Path("marked").unlink()

def derive(action, _recorded):
    def setup_steps(self, registry):
        registry.register(Mark())
    space = {"action_name": action.action_name, "params_model": action.params_model}
    return type("Marked", (BaseAction,), {**space, "setup_steps": setup_steps})

def marked(request):
    if not request.values.get("mark"):
        return request
    derivation = Derivation(
        option="run.mark", data={}, title="marked", derive=derive,
        check=lambda part: None, preview=lambda: None,
    )
    return replace(request, derivation=derivation)

option = Option(
    click_params=[click.Option(["--mark"], is_flag=True)], apply=marked, derive=derive
)
"""
RUN = """
import contextlib, io, json, sys
from handrail.cli import main
found = []
for words in {calls}:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    found.append([code, out.getvalue(), err.getvalue()])
print(json.dumps([found, [each for each in sys.modules if each.startswith("acme")]]))
"""


class Calls:
    """Calls commands where only what is planted is installed."""

    def __init__(self, garden: Garden) -> None:
        self.garden = garden
        (garden.project / "flows.py").write_text(FLOWS)

    def __call__(self, *calls: list[str]) -> tuple[list[tuple[int, str, str]], list[str]]:
        """Return code, output and errors of each call, and which modules of packs it imported."""
        found: Any = json.loads(self.garden.run(RUN.format(calls=[*calls])).splitlines()[-1])
        return [(code, out, err) for code, out, err in found[0]], found[1]


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(Garden(tmp_path))


def plant(calls: Calls, source: str, **points: str) -> None:
    named = {name.replace("_", "."): f"acme_more:{value}" for name, value in points.items()}
    calls.garden.plant("acme-more", points={"options": named}, modules={"acme_more.py": source})


def example() -> str:
    found = re.search(r'```python title="slowest.py"\n(.*?)```', PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_of_the_reference_lists_the_slowest_steps(calls: Calls) -> None:
    plant(calls, example(), show_slowest="option")
    ran, _ = calls(["run", "flows.py:garden"], ["show", "--slowest", "1"], ["show"])
    assert [code for code, _, _ in ran] == [0, 0, 0]
    assert len(ran[1][1].splitlines()) == 1
    assert ran[1][1].split()[0] in ("dig", "sow")
    assert "completed" in ran[2][1]


def test_help_lists_an_option_of_a_pack_that_is_on(calls: Calls) -> None:
    plant(calls, example(), show_slowest="option")
    [on], imported = calls(["show", "--help"])
    assert "--slowest" in on[1]
    assert imported == ["acme_more"]
    [off, used], imported = calls(
        ["show", "--help", "--no-pack", "acme-more"],
        ["show", "--slowest", "1", "--no-pack", "acme-more"],
    )
    assert "--slowest" not in off[1]
    assert (used[0], "there is no option 'show --slowest' that is on" in used[2]) == (2, True)
    assert imported == []


def test_no_other_help_imports_the_pack(calls: Calls) -> None:
    plant(calls, example(), show_slowest="option")
    _, imported = calls(["--help"], ["run", "--help"], ["runs"])
    assert imported == []


def test_an_option_changes_what_is_done(calls: Calls) -> None:
    plant(calls, TWICE, run_thrice="option")
    ran, _ = calls(["run", "flows.py:garden", "--thrice"], ["run", "flows.py:garden"], ["runs"])
    assert ran[0] == (0, "flows.py:garden three times\n", "")
    assert ran[1][0] == 0
    assert len([line for line in ran[2][1].splitlines() if "flows.py:garden" in line]) == 1


def test_an_option_comes_before_a_param_of_its_name(calls: Calls) -> None:
    plant(calls, TWICE, run_size="other")
    [helped, ran], _ = calls(
        ["run", "flows.py:garden", "--help"], ["run", "flows.py:garden", "-p", "size=3"]
    )
    assert "--size is taken" in helped[1]
    assert ran[0] == 0


def test_two_options_do_not_carry_out_one_request(calls: Calls) -> None:
    plant(calls, TWICE + AGAIN, run_thrice="option", run_again="again")
    [ran], _ = calls(["run", "flows.py:garden", "--thrice", "--again"])
    assert ran[0] == 2
    assert "--thrice and --again do not go together" in ran[2]


@pytest.mark.parametrize(
    ("source", "point", "told"),
    [
        ("import acme_gone", "option", "cannot be imported"),
        (TWICE, "wrong", "the option run.thrice of acme-more 1.4.0 is 'nothing'"),
    ],
)
def test_a_broken_option_is_told_where_it_is_used(
    calls: Calls, source: str, point: str, told: str
) -> None:
    plant(calls, source, run_thrice=point)
    [plain, used], _ = calls(["run", "flows.py:garden"], ["run", "flows.py:garden", "--thrice"])
    assert plain[0] == 0
    assert used[0] == 4
    assert told in used[2]


def test_an_option_that_the_command_has_is_left_out(calls: Calls) -> None:
    plant(calls, TWICE, run_skip="taken")
    [ran], _ = calls(["run", "flows.py:garden", "--skip", "sow"])
    assert ran[0] == 0
    assert "warning: the option run.skip is left out" in ran[2]


def test_one_of_ours_that_is_not_installed_is_named(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from handrail.packs import ours; ours.OPTIONS['run.twice'] = 'handrail-more'\n"
    told = "--twice needs handrail-more: pip install handrail-more"
    calls.garden.project.joinpath("plain.py").write_text(FLOWS.replace("twice", "once"))
    printed = calls.garden.run(
        code
        + RUN.format(
            calls=[
                ["run", "plain.py:garden", "--twice", "x"],
                ["run", "flows.py:garden", "--twice", "3"],
            ]
        )
    )
    [missing, param], _ = json.loads(printed.splitlines()[-1])
    assert (missing[0], told in missing[2]) == (2, True)
    assert param[0] == 0


def test_a_derived_action_is_run_and_derived_again_to_be_undone(calls: Calls) -> None:
    plant(calls, DERIVED, run_mark="option")
    [ran], _ = calls(["run", "flows.py:garden", "--mark", "--size", "3"])
    assert (ran[0], " marked " in ran[2]) == (0, True)
    assert (calls.garden.project / "marked").exists()
    [undone], _ = calls(["rollback", "1", "--yes"])
    assert undone[0] == 0
    assert not (calls.garden.project / "marked").exists()


@pytest.mark.parametrize("words", [["rollback", "1", "--yes"], ["resume", "1", "--failed-only"]])
def test_without_its_pack_a_derived_run_stays_as_it_is(calls: Calls, words: list[str]) -> None:
    plant(calls, DERIVED, run_mark="option")
    calls(["run", "flows.py:garden", "--mark"])
    [off], _ = calls([*words, "--no-pack", "acme-more"])
    assert (off[0], "there is no option 'run --mark' that is on" in off[2]) == (4, True)
    for each in calls.garden.site.glob("acme*"):
        each.rename(each.with_name(f"~{each.name}"))
    known = "from handrail.packs import ours; ours.OPTIONS['run.mark'] = 'handrail-more'\n"
    printed = calls.garden.run(known + RUN.format(calls=[words, ["show", "1"]]))
    [gone, shown], _ = json.loads(printed.splitlines()[-1])
    assert gone[0] == 4
    assert "--mark needs handrail-more: pip install handrail-more" in gone[2]
    assert (shown[0], "mark " in shown[1]) == (0, True)
    assert (calls.garden.project / "marked").exists()


def test_sweeps_name_the_distribution_that_has_them(calls: Calls) -> None:
    told = "needs handrail-workers: pip install handrail-workers"
    ran, _ = calls(
        ["run", "flows.py:garden"],
        ["run", "flows.py:garden", "--over", "size=1,2"],
        ["run", "flows.py:garden", "--max-failed", "2", "--sample", "1", "--over", "size=1,2"],
        ["run", "flows.py:garden", "--over", "size=1,2", "--concurrency", "1"],
        ["show", "1", "--csv"],
        ["rollback", "1", "--keep", "2"],
    )
    assert [(code, told in errors) for code, _, errors in ran] == [(0, False), *[(2, True)] * 5]
