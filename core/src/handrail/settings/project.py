"""The project: the folder whose settings apply."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from handrail.errors import Problem, SettingsError
from handrail.origin import Origin

OWN_FILE = "handrail.toml"
SHARED_FILE = "pyproject.toml"
SHARED_TABLE = ("tool", "handrail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Where the project is.

    Attributes:
        folder: Its folder; the folder that was asked about when there is no file.
        file: `handrail.toml` or `pyproject.toml`, or None.
    """

    folder: Path
    file: Path | None = None

    @property
    def table(self) -> tuple[str, ...]:
        """Path in the file of the table that holds the settings."""
        return SHARED_TABLE if self.file is not None and self.file.name == SHARED_FILE else ()


def find_project(start: Path) -> Project:
    """Return the project of the nearest folder, from `start` upwards, that has settings.

    That is a folder with a `handrail.toml`, or with a `pyproject.toml` that has a table
    `[tool.handrail]`. Without one it is `start` itself, with no file.

    Raises:
        SettingsError: One folder has both.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        own, shared = folder / OWN_FILE, folder / SHARED_FILE
        has_own, has_shared = _exists(own), _has_table(shared)
        if has_own and has_shared:
            raise _both(folder)
        if has_own or has_shared:
            return Project(folder=folder, file=own if has_own else shared)
    return Project(folder=start)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # A folder that may not be entered holds nothing for us.
        return False


def _has_table(path: Path) -> bool:
    try:
        raw = path.read_bytes()
    except OSError:
        return False
    # Most projects say nothing about us: do not load a parser for them.
    if b"handrail" not in raw or b"tool" not in raw:
        return False
    import tomllib  # noqa: PLC0415 - only where it may be worth it

    try:
        table: object = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # It seems to mean us, so its mistakes have to be told rather than passed over.
        return b"[tool.handrail" in raw
    for key in SHARED_TABLE:
        if not isinstance(table, dict) or key not in table:
            return False
        table = table[key]  # pyright: ignore[reportUnknownVariableType]
    return True


def _both(folder: Path) -> SettingsError:
    message = f"{folder} has settings in both {OWN_FILE} and [tool.handrail] of {SHARED_FILE}"
    problem = Problem(
        code="two-settings-files",
        message=message,
        origins=(Origin(file=OWN_FILE), Origin(file=SHARED_FILE)),
        ways_out=("keep them in one of the two files",),
    )
    return SettingsError(message, problems=(problem,))
