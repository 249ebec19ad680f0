"""The project: the folder whose settings apply."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from handrail.errors import Problem, SettingsError
from handrail.frozen import frozen
from handrail.origin import Origin
from handrail.settings.trust import distrust, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from handrail.settings.trust import Distrust

OWN_FILE = "handrail.toml"
SHARED_FILE = "pyproject.toml"
SHARED_TABLE = ("tool", "handrail")


@frozen
class Project:
    """Where the project is.

    Attributes:
        where: Its folder; the folder that was asked about when there is no file.
        settings: Name of the file in it that has its settings; empty for none.
    """

    where: str
    settings: str = ""

    @property
    def folder(self) -> Path:
        """Its folder; the folder that was asked about when there is no file."""
        return _path(self.where)

    @property
    def file(self) -> Path | None:
        """`handrail.toml` or `pyproject.toml`, or None."""
        return self.folder / self.settings if self.settings else None

    @property
    def table(self) -> tuple[str, ...]:
        """Path in the file of the table that holds the settings."""
        return SHARED_TABLE if self.settings == SHARED_FILE else ()


def _path(where: str) -> Path:
    # Slow to import, and not needed to list packs.
    from pathlib import Path  # noqa: PLC0415

    return Path(where)


def find_project(start: str | Path) -> Project:
    """Return the project of the nearest folder, from `start` upwards, that has settings.

    That is a folder with a `handrail.toml`, or with a `pyproject.toml` that has a table
    `[tool.handrail]`. Without one it is `start` itself, with no file.

    Raises:
        SettingsError: The nearest folder has both, or has one that is not to be trusted.
    """
    where = os.path.join(os.getcwd(), start) if not os.path.isabs(start) else os.fspath(start)
    for folder in _upwards(where):
        # A folder that may not be entered holds nothing for us.
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


def _upwards(folder: str) -> Iterator[str]:
    above = ""
    while folder != above:
        yield folder
        above, folder = folder, os.path.dirname(folder)


def _has_table(path: str) -> bool:
    try:
        raw, _ = read_file(path)
    except OSError:
        return False
    # Most projects say nothing about us: do not load a parser for them.
    if b"handrail" not in raw or b"tool" not in raw:
        return False
    import tomllib  # noqa: PLC0415 - only where it may be worth it

    try:
        table: object = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        # It seems to mean us, so its mistakes have to be told rather than passed over.
        return b"[tool.handrail" in raw
    for key in SHARED_TABLE:
        if not isinstance(table, dict) or key not in table:
            return False
        table = table[key]  # pyright: ignore[reportUnknownVariableType]
    return True


# Whether a file of that name has settings.
_FILES = {OWN_FILE: os.path.exists, SHARED_FILE: _has_table}


def foreign_project(found: Distrust) -> Problem:
    """Return the problem of a project file that is not to be trusted."""
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
