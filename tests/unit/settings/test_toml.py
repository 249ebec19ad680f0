"""TOML that would break a reader is refused, and says where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from handrail.builtin.project.lock_file import parse_lock
from handrail.builtin.project.project import find_project
from handrail.builtin.project.sections import with_file
from handrail.builtin.project.settings import Settings
from handrail.builtin.project.toml import MOST_NESTED, TomlError, parse_toml
from handrail.errors import LockError
from handrail.trust import MOST_BYTES, read_file

DEEP = {
    "unclosed": "a = " + "[" * 3000,
    "lists": "a = " + "[" * 3000 + "]" * 3000,
    "tables": "a = " + "{b=" * 3000 + "1" + "}" * 3000,
    "dotted": ".".join("a" * 3000) + " = 1",
    "headers": f"[{'.'.join('a' * 3000)}]",
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_what_is_nested_too_deeply_is_an_error_of_every_reader(tmp_path: Path, text: str) -> None:
    """Of the settings, the shared file, and the lock; none of them recurses."""
    with pytest.raises(TomlError, match="nested too deeply"):
        parse_toml(text.encode())
    with pytest.raises(LockError, match=r"handrail.lock is nested too deeply"):
        parse_lock(text.encode())
    for name, before in (("handrail.toml", ""), ("pyproject.toml", "[tool.handrail]\n")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(before + text)
        project = find_project(folder)
        assert project.file is not None
        problems: list[object] = []
        with_file(Settings(project=project), project.file, problems)  # type: ignore[arg-type]
        assert [name in str(each) and "nested too deeply" in str(each) for each in problems] == [
            True
        ]


def test_as_many_levels_as_are_said_are_read() -> None:
    """The document is the first."""
    levels = MOST_NESTED - 1
    assert parse_toml(f"a = {'[' * levels}{']' * levels}".encode())
    with pytest.raises(TomlError):
        parse_toml(f"a = {'[' * MOST_NESTED}{']' * MOST_NESTED}".encode())


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.mkdir(), "directory"),
        (lambda path: __import__("os").mkfifo(path), "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: _sparse(path, MOST_BYTES + 1), "larger than 16 MiB"),
    ],
)
def test_only_regular_files_of_some_size_are_read(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    """What has no end, or comes from a pipe, is refused at once."""
    make(tmp_path / "file")
    with pytest.raises(OSError, match=f"(?i){why}"):
        read_file(tmp_path / "file")


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)
