"""What is there is documented: commands, hooks, errors, exit codes, settings."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from handrail import errors, events, hookspecs
from handrail.builtin.project.configuration import VARIABLES
from handrail.builtin.project.keys import KEYS, POLICY_KEYS
from handrail.packs import core_record

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SOURCE = ROOT / "core" / "src" / "handrail"
KIT = ROOT / "plugins" / "testing" / "src"
HOOKS = sorted(name for name, value in vars(hookspecs).items() if hasattr(value, "handrail_spec"))


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def error_classes() -> list[type[errors.HandrailError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.HandrailError)
    ]


@pytest.mark.parametrize(
    "command", ["", *(each.name.replace(".", " ") for each in core_record().offered("commands"))]
)
def test_the_help_of_every_command_is_shown(command: str) -> None:
    # That it is shown as it is, is tested with all shell sessions of the documentation.
    call = f"$ handrail {command} --help".replace("  ", " ")
    assert f"{call}\nUsage: handrail {command}" in page("cli.md")


def test_every_hook_is_documented() -> None:
    members = re.search(r"members: \[(.*?)\]", page("hooks.md"))
    assert members is not None
    assert set(HOOKS) <= {name.strip() for name in members[1].split(",")}


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_is_listed(kind: type[errors.HandrailError]) -> None:
    row = f"| `{kind.code}` | `{kind.__name__}` | {int(kind.exit_code)} |"
    assert row in page("errors.md")


def test_every_code_of_a_problem_is_listed() -> None:
    files = [*SOURCE.rglob("*.py"), *KIT.rglob("*.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    codes = set(re.findall(r'(?:code=|problem_of\(\s*)"([a-z-]+)"', source))
    codes -= {"in-part", "unscanned"}
    missing = {code for code in codes if f"| `{code}` |" not in page("errors.md")}
    assert not missing


@pytest.mark.parametrize("code", list(errors.ExitCode), ids=lambda code: code.name)
def test_every_exit_code_is_listed(code: errors.ExitCode) -> None:
    assert re.search(rf"^\| {int(code)} \|", page("cli.md"), re.MULTILINE)


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_is_listed(key: str) -> None:
    """With its type; what reads the file takes no other key than these."""
    assert f"| `{key}` | {type_of(key)} |" in page("settings.md")


def type_of(key: str) -> str:
    kind = KEYS[key]
    return kind.replace('"error" or "skip"', '`"error"` or `"skip"`')


@pytest.mark.parametrize("key", POLICY_KEYS)
def test_every_setting_of_a_policy_is_listed(key: str) -> None:
    part = page("settings.md").partition("## A policy")[2].partition("## Settings of packs")[0]
    assert f"| `{key}` |" in part


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_is_listed(variable: str) -> None:
    assert f"| `{variable}` |" in page("settings.md")


def test_every_event_has_a_docstring() -> None:
    kinds = [
        value
        for value in vars(events).values()
        if isinstance(value, type) and issubclass(value, events.Event)
    ]
    assert len(kinds) > 10
    assert all(kind.__dict__.get("__doc__") for kind in kinds)


# The examples in the docstrings of the hooks, as the hooks of a pack for a tiny action.


def example_of(hook: str) -> str:
    """Return the indented example at the end of the docstring of a hook."""
    text = inspect.getdoc(getattr(hookspecs, hook)) or ""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    @hookimpl"))
    return textwrap.dedent("\n".join(lines[start:]))


def module_of(hook: str) -> Any:
    """Return a module with the example of `hook`, and the names that it uses."""
    import types

    from handrail import BaseStep, PackInfo, Problem, StepResult, StepWrapper, hookimpl
    from handrail.events import RunFinished, StepFinished
    from handrail.origin import Origin
    from handrail.packs import PlanRules, RequiredStep
    from handrail.places import Performer

    class Containers(Performer):
        def __init__(self, run: Any) -> None:
            print(f"asked for {run.action.action_name}")

    def a_step(name: str) -> type[BaseStep[Any]]:
        def execute(self: BaseStep[Any], context: Any) -> StepResult:
            return StepResult()

        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        members = {"name": snake, "progress_weight": 0.1, "execute": execute}
        return type(name, (BaseStep,), members)

    module = types.ModuleType(f"example_of_{hook}")
    module.__dict__.update(
        {name: a_step(name) for name in ("CloseTicket", "ScanFiles", "Notify", "Archive")},
        Containers=Containers,
        AuditStep=type("AuditStep", (StepWrapper,), {}),
        Origin=Origin,
        PackInfo=PackInfo,
        PlanRules=PlanRules,
        Problem=Problem,
        RequiredStep=RequiredStep,
        RunFinished=RunFinished,
        StepFinished=StepFinished,
        hookimpl=hookimpl,
    )
    exec(compile(example_of(hook), module.__name__, "exec"), module.__dict__)
    return module


def upload() -> Any:
    """Return an action called upload, with the two steps that the examples are about."""
    from handrail import action, step

    @step
    def upload_files(context: Any) -> None: ...

    @step(effects=False)
    def cleanup(context: Any) -> None: ...

    return action("upload", [upload_files, cleanup])


EFFECTS: dict[str, Callable[[Any, str], None]] = {}


def effect(function: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    EFFECTS[function.__name__] = function
    return function


def names_of(module: Any) -> list[str]:
    return [planned.name for planned in upload().plan(packs=[module])]


@effect
def pack_info(module: Any, printed: str) -> None:
    assert list(module.pack_info().after) == ["acme-scan"]


@effect
def setup_steps(module: Any, printed: str) -> None:
    assert names_of(module) == ["upload_files", "cleanup", "close_ticket"]


@effect
def insert_before(module: Any, printed: str) -> None:
    assert names_of(module) == ["scan_files", "upload_files", "cleanup"]


@effect
def insert_after(module: Any, printed: str) -> None:
    assert names_of(module) == ["upload_files", "notify", "archive", "cleanup"]


@effect
def wrap_step(module: Any, printed: str) -> None:
    layers = [[layer.name for layer in each.layers] for each in upload().plan(packs=[module])]
    assert layers == [["audit"], []]


@effect
def check_plan(module: Any, printed: str) -> None:
    with pytest.raises(errors.PlanError) as caught:
        upload().plan(packs=[module])
    assert [problem.code for problem in caught.value.problems] == ["unscanned"]


@effect
def plan_rules(module: Any, printed: str) -> None:
    with pytest.raises(errors.PlanError) as caught:
        upload().plan(packs=[module])
    assert [problem.code for problem in caught.value.problems] == ["required-step-missing"]


@effect
def check_run(module: Any, printed: str) -> None:
    from handrail.plan.selection import select

    made = upload().action_class(packs=[module])
    with pytest.raises(errors.PlanError) as caught:
        made.run_plan(select(made.plan(), only=["cleanup"]))
    assert [problem.code for problem in caught.value.problems] == ["in-part"]


@effect
def perform(module: Any, printed: str) -> None:
    assert printed == "asked for upload\n"


@effect
def observe(module: Any, printed: str) -> None:
    assert printed == "completed\n"


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_of_every_hook_does_what_it_says(
    hook: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = module_of(hook)
    if hook not in ("check_plan", "plan_rules"):
        upload().run(packs=[module])
    EFFECTS[hook](module, capsys.readouterr().out)


def test_commands_are_click_commands() -> None:
    from importlib import import_module

    for entry in core_record().offered("commands"):
        command = getattr(import_module(entry.module), entry.attribute)
        assert isinstance(command, click.Command)
