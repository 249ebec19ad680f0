"""Creates fake distributions: folders of metadata and modules, as an installer makes them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A fake distribution.

    Attributes:
        site: Folder in which it is installed.
        info: Folder of its metadata.
        modules: Its source files.
    """

    site: Path
    info: Path
    modules: tuple[Path, ...]

    @property
    def entry_points(self) -> Path:
        return self.info / "entry_points.txt"

    @property
    def metadata(self) -> Path:
        return self.info / "METADATA"

    @property
    def record(self) -> Path:
        return self.info / "RECORD"

    def uproot(self) -> None:
        """Remove the distribution, as an uninstaller would."""
        shutil.rmtree(self.info)
        for module in self.modules:
            module.unlink(missing_ok=True)
        for folder in {module.parent for module in self.modules} - {self.site}:
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()


class Garden:
    """A folder for fake distributions, with one for a project beside it."""

    HOOKS = """
        from handrail import hookimpl

        @hookimpl
        def setup_steps(action, registry, settings):
            return settings
    """

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site"
        self.project = folder / "project"
        self.links = folder / "links"
        self.site.mkdir()
        self.project.mkdir()

    @property
    def path(self) -> list[str]:
        return [str(self.site)]

    def plant(
        self,
        name: str = "acme-scan",
        version: str = "1.4.0",
        *,
        points: Mapping[str, Mapping[str, str]] | None = None,
        modules: Mapping[str, str] | None = None,
        requires: Sequence[str] = ("handrail>=0.1",),
        summary: str = "Refuse infected files",
        site: Path | None = None,
    ) -> Plant:
        """Install a distribution and return it.

        Args:
            name: Its name.
            version: Its version.
            points: Entry points by group, without `handrail.`; by default a step and hooks.
            modules: Source of each file, by its path relative to the folder.
            requires: Its requirements.
            summary: Its summary line.
            site: Folder in which to install it.
        """
        site = site or self.site
        package = name.lower().replace("-", "_")
        if points is None:
            points = {"steps": {"scan_files": f"{package}.steps:ScanFiles"}}
        if modules is None:
            modules = {f"{package}/__init__.py": "", f"{package}/steps.py": STEPS}
        info = site / f"{package}-{version}.dist-info"
        info.mkdir(parents=True)
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Summary: {summary}", *(f"Requires-Dist: {each}" for each in requires)]
        (info / "METADATA").write_text("\n".join(lines) + "\n\nThe readme.\n")
        (info / "entry_points.txt").write_text(table(points))
        for file, source in modules.items():
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(source))
        own = [f"{info.name}/{each}" for each in ("METADATA", "entry_points.txt", "RECORD")]
        rows = [f"{each},," for each in (*modules, *own, f"{package}/__pycache__/x.pyc")]
        (info / "RECORD").write_text("\n".join(rows) + "\n")
        return Plant(site=site, info=info, modules=tuple(site / file for file in modules))

    def plant_hooks(self, name: str = "acme-scan", source: str | None = None) -> Plant:
        """Install a distribution with a module of hooks, by default one that does nothing."""
        package = name.replace("-", "_")
        return self.plant(
            name,
            points={"packs": {package: f"{package}.hooks"}},
            modules={
                f"{package}/__init__.py": "",
                f"{package}/hooks.py": self.HOOKS if source is None else source,
            },
        )

    def run(
        self, code: str, *, cwd: Path | None = None, timeout: float = 60, **variables: str
    ) -> str:
        """Run `code` in a new interpreter in which only what is planted here is installed.

        Return its output.
        """
        environment = {key: value for key, value in os.environ.items() if "HANDRAIL" not in key}
        environment |= {
            "PYTHONPATH": os.pathsep.join(
                filter(None, (str(self.site), os.environ.get("PYTHONPATH")))
            ),
            "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
        }
        links = LINKS.format(site=str(self.site), links=str(self.links))
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(links) + textwrap.dedent(code)],
            cwd=cwd or self.project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout


def table(points: Mapping[str, Mapping[str, str]]) -> str:
    """Return the text of `entry_points.txt`."""
    lines: list[str] = []
    for group, entries in points.items():
        lines.append(f"[{group if '.' in group else 'handrail.' + group}]")
        lines += [f"{name} = {value}" for name, value in entries.items()]
    return "\n".join(lines) + "\n"


# Libraries are found through links, in folders without metadata: none is installed, but core is.
LINKS = """
    import os, sys

    for number, folder in enumerate(sys.path):
        names = os.listdir(folder) if os.path.isdir(folder) else []
        metadata = [name for name in names if name.endswith((".dist-info", ".egg-info"))]
        modules = [each for each in names if each not in metadata or each.startswith("handrail-")]
        if folder != {site!r} and modules != names:
            sys.path[number] = os.path.join({links!r}, str(number))
            if not os.path.exists(sys.path[number]):
                os.makedirs(sys.path[number])
                for name in modules:
                    os.symlink(f"{{folder}}/{{name}}", f"{{sys.path[number]}}/{{name}}")
"""

STEPS = '''
    """Steps of a sample pack."""

    from handrail import BaseStep, StepResult


    class ScanFiles(BaseStep):
        """Refuse infected files before they leave."""

        name = "scan_files"
        progress_weight = 1.0

        def execute(self, context):
            return StepResult()
'''
