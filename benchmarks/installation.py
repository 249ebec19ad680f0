"""An environment with Handrail as a user installs it, and as many distributions as are wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CORE = Path(__file__).parents[1] / "core"
PLUGINS = Path(__file__).parents[1] / "plugins"

# What an installer writes for an entry point in `console_scripts`.
SCRIPT = """#!{python}
import sys
from {module} import main
if __name__ == "__main__":
    sys.argv[0] = sys.argv[0].removesuffix(".exe")
    sys.exit(main())
"""

GROUP = '''"""A bare group of click."""

import click


@click.group()
def main():
    """Run workflows of steps that can be walked back."""
'''

COMMAND = '''

@main.command("{name}")
def command_{number}():
    """{text}"""
'''

METADATA = """Metadata-Version: 2.4
Name: {name}
Version: {version}
Summary: Distribution {number} of many
Requires-Python: >=3.11
Requires-Dist: handrail>=0.1
Requires-Dist: acme-other>=2,<3; python_version < "3.9"

What it is good for.
"""

ACTION = '''"""An action of a sample pack."""

from handrail import BaseAction, BaseStep, BaseStepContext, StepRegistry, StepResult


class Named(BaseStep[BaseStepContext]):
    """A step that does nothing."""

    progress_weight = 1.0

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: BaseStepContext) -> StepResult:
        """Succeed."""
        return StepResult()


class Scan(BaseAction):
    """Look at files."""

    action_name = "scan-{number:03}"

    def setup_steps(self, registry: StepRegistry[BaseStepContext]) -> None:
        """Register ten steps."""
        for each in range(10):
            registry.register(Named(f"step_{{each}}"))
'''

HOOKS = '''"""Hooks of a sample pack."""

from handrail import ActionInfo, BaseStep, hookimpl

from {package}.action import Named


@hookimpl
def insert_after(action: ActionInfo, step: BaseStep) -> BaseStep | None:
    """Insert a step into one action."""
    if {number} < {busy} and action.name == "scan-000" and step.name == "step_{number}":
        return Named("scan_{number}")
    return None
'''


def make(folder: Path, interpreter: str = sys.executable, packs: Sequence[str] = ()) -> Path:
    """Make an environment with Handrail and these packs in it, not editable; return its Python."""
    subprocess.run([interpreter, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    places = [CORE, *(PLUGINS / pack for pack in packs)]
    subprocess.run([*pip, "install", "--quiet", *map(str, places)], check=True)
    return python


def site_of(folder: Path) -> Path:
    """Return the folder for packages of an environment."""
    (site,) = (folder / "lib").glob("python3.*/site-packages")
    return site


def compiled(folder: Path) -> None:
    """Compile everything in an environment, as an installer does."""
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "compileall", "-q", site_of(folder)], check=True)


def add_group(folder: Path, name: str, commands: dict[str, str]) -> Path:
    """Install a bare click group of these commands, with their help; return its script."""
    module = f"{name}_group"
    source = GROUP + "".join(
        COMMAND.format(name=each, number=number, text=text)
        for number, (each, text) in enumerate(commands.items())
    )
    (site_of(folder) / f"{module}.py").write_text(source)
    compiled(folder)
    return add_script(folder, name, module)


def add_script(folder: Path, name: str, module: str) -> Path:
    """Install a command that calls `main` of a module, as an installer does."""
    script = folder / "bin" / name
    script.write_text(SCRIPT.format(python=folder / "bin" / "python", module=module))
    script.chmod(0o755)
    return script


def plant(folder: Path, count: int, packs: int, *, hooked: int, busy: int = 3) -> None:
    """Install `count` distributions, the first of them packs.

    Each pack offers an action and two steps, and every fifth a command. Of the others one in four
    has entry points of some other group, and each has a package of its own.

    Args:
        folder: Folder of the environment.
        count: How many distributions.
        packs: How many of them are packs.
        hooked: How many of the packs have a module of hooks.
        busy: How many of those have something to insert into the first action.
    """
    site = site_of(folder)
    for number in range(count):
        package = f"acme_{'pack' if number < packs else 'other'}_{number:03}"
        files = {"__init__.py": '"""A sample."""\n'}
        points = ""
        if number < packs:
            files["action.py"] = ACTION.format(number=number)
            points = f"[handrail.actions]\nscan-{number:03} = {package}.action:Scan\n"
            points += f"[handrail.steps]\na_{number:03} = {package}.action:Named\n"
            points += f"b_{number:03} = {package}.action:Named\n"
            if number % 5 == 0:
                points += f"[handrail.commands]\nlook-{number:03} = {package}.action:Named\n"
            if number < hooked:
                files["hooks.py"] = HOOKS.format(package=package, number=number, busy=busy)
                points += f"[handrail.packs]\nacme-{number:03} = {package}.hooks\n"
        elif number % 4 == 0:
            points = f"[console_scripts]\n{package} = {package}:main\n"
        _install(site, package, number, files, points)
    compiled(folder)


def _install(site: Path, package: str, number: int, files: dict[str, str], points: str) -> None:
    version = f"1.{number}"
    info = site / f"{package}-{version}.dist-info"
    info.mkdir()
    (site / package).mkdir()
    for name, text in files.items():
        (site / package / name).write_text(text)
    own = {
        "METADATA": METADATA.format(name=package.replace("_", "-"), version=version, number=number),
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "INSTALLER": "pip\n",
        **({"entry_points.txt": points} if points else {}),
    }
    for name, text in own.items():
        (info / name).write_text(text)
    rows = [f"{package}/{name},," for name in files] + [f"{info.name}/{name},," for name in own]
    (info / "RECORD").write_text("\n".join([*rows, f"{info.name}/RECORD,,"]) + "\n")


def environ() -> dict[str, str]:
    """Return the variables that processes of a benchmark get: none with settings."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    return {**kept, "COLUMNS": "100"}
