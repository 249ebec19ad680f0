"""Finds the project: the folder whose settings apply."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from handrail import Origin
from handrail.builtin.project.toml import TomlError, parse_toml
from handrail.errors import Problem, SettingsError
from handrail.frozen import frozen
from handrail.trust import distrust, read_file

if TYPE_CHECKING:
    from handrail.trust import Distrust

OWN_FILE = "handrail.toml"
LOCK_FILE = "handrail.lock"
SHARED_FILE = "pyproject.toml"
SHARED_TABLE = ("tool", "handrail")


@frozen
class Project:
    """The location of a project and its settings file.

    Attributes:
        where: Path of its folder; without a settings file, the folder of the search.
        settings: Name of the settings file in it; empty for none.
    """

    where: str
    settings: str = ""

    @property
    def folder(self) -> Path:
        """The project's folder; without a settings file, the folder of the search."""
        return Path(self.where)

    @property
    def file(self) -> Path | None:
        """The path of `handrail.toml` or `pyproject.toml`, or None."""
        return self.folder / self.settings if self.settings else None

    @property
    def table(self) -> tuple[str, ...]:
        """The path of the settings table in the file."""
        return SHARED_TABLE if self.settings == SHARED_FILE else ()


def find_project(start: str | Path) -> Project:
    """Return the project of the nearest folder with settings, from `start` upwards.

    Settings are in a `handrail.toml`, or in the table `[tool.handrail]` of a `pyproject.toml`. If
    there are none, the project is `start`, without a file.

    Raises:
        SettingsError: The nearest folder has both files, or one that cannot be trusted.
    """
    where = os.path.join(os.getcwd(), start) if not os.path.isabs(start) else os.fspath(start)
    for folder in (where, *map(str, Path(where).parents)):
        # Folders that we cannot enter are ignored.
        names = [name for name, says in _FILES.items() if says(os.path.join(folder, name))]
        for name in names:
            distrusted = distrust(os.path.join(folder, name))
            if distrusted is not None:
                problem = foreign_project(distrusted)
                raise SettingsError(problem.message, problems=(problem,))
        if len(names) > 1:
            raise _both(folder)
        if names:
            return Project(where=folder, settings=names[0])
    return Project(where=where)


def _has_table(path: str) -> bool:
    try:
        raw, _ = read_file(path)
    except OSError:
        return False
    # Fast path: most projects do not mention us, and need no parser.
    if b"handrail" not in raw or b"tool" not in raw:
        return False
    try:
        table: object = parse_toml(raw)
    except TomlError:
        # The file seems to have settings for us, so its errors are reported, not ignored.
        return b"[tool.handrail" in raw
    for key in SHARED_TABLE:
        if not isinstance(table, dict) or key not in table:
            return False
        table = table[key]  # pyright: ignore[reportUnknownVariableType]
    return True


# For each file name, a function that returns whether a file has settings.
_FILES = {OWN_FILE: os.path.exists, SHARED_FILE: _has_table}


def foreign_project(found: Distrust) -> Problem:
    """Return the problem for a project file that cannot be trusted."""
    own = f"or begin a project of your own in this folder:  touch {OWN_FILE}"
    return found.problem(own, code="foreign-project")


def _both(folder: str) -> SettingsError:
    message = f"{folder} has settings in both {OWN_FILE} and [tool.handrail] of {SHARED_FILE}"
    problem = Problem(
        code="two-settings-files",
        message=message,
        origins=(Origin(file=OWN_FILE), Origin(file=SHARED_FILE)),
        ways_out=("keep them in one of the two files",),
    )
    return SettingsError(message, problems=(problem,))
